"""A small network that makes the weights of a larger one.

All weights of the target, matrices and kernels, are laid end to end and cut into chunks of equal length. A chunk has an
embedding of its own and shares the core with all others,

    chunk_c = tanh(e_c V) U,      V: embedding_dim × hidden,  U: hidden × chunk,

scaled by a constant for each weight so that it starts with the variance its fan-in asks for. What has one axis (biases,
scales of a normalisation) is few and stays as it is.

Reference:
    Ha, Dai and Le, HyperNetworks, ICLR 2017, arXiv:1609.09106.
"""

import copy
import math
import warnings
from dataclasses import dataclass
from typing import Any

import numpy as np
import torch
from numpy.typing import ArrayLike, NDArray
from scipy import sparse
from torch import Tensor, nn
from torch.func import functional_call

from ffshare.errors import TyingError
from ffshare.nn import init
from ffshare.nn.shared import Shared


@dataclass(frozen=True, slots=True)
class Generator:
    """The map from embeddings and core to chunks: φ = tanh(EV)U with θ = (E, V, U), all flat in C order.

    Attributes:
        n_chunks: Rows of E, one embedding a chunk.
        embedding_dim: Length of an embedding.
        hidden: Length of the hidden layer.
        chunk: Length of a chunk.

    Example:
        >>> Generator(n_chunks=6, embedding_dim=2, hidden=3, chunk=5).expand(torch.zeros(12 + 6 + 15)).shape
        torch.Size([30])
    """

    n_chunks: int
    embedding_dim: int
    hidden: int
    chunk: int

    @property
    def n_free(self) -> int:
        """Number of free parameters."""
        return self.n_chunks * self.embedding_dim + self.hidden * (self.embedding_dim + self.chunk)

    @property
    def n_site(self) -> int:
        """Number of sites, entries of all chunks."""
        return self.n_chunks * self.chunk

    @property
    def rank(self) -> int:
        """Rank of the Jacobian at almost every θ: only EV counts, and its product with U spans h dimensions."""
        n, e, h, c = self.n_chunks, self.embedding_dim, self.hidden, self.chunk
        product = e * (n + h - e) if e < min(n, h) else n * h
        spanned = h * (n + c - h) if h < min(n, c) else n * c
        return min(product + h * c, spanned)

    def parts(self, theta: Tensor) -> tuple[Tensor, Tensor, Tensor]:
        """The embeddings E and both layers of the core, V and U."""
        e, v, u = theta.split(
            (self.n_chunks * self.embedding_dim, self.embedding_dim * self.hidden, self.hidden * self.chunk)
        )
        return (
            e.view(self.n_chunks, self.embedding_dim),
            v.view(self.embedding_dim, self.hidden),
            u.view(self.hidden, self.chunk),
        )

    def expand(self, theta: Tensor | ArrayLike) -> Any:
        """The chunks, flat, shape=(n_site,)."""
        values = theta if isinstance(theta, Tensor) else torch.as_tensor(np.asarray(theta, dtype=np.float64))
        e, v, u = self.parts(values)
        chunks = (torch.tanh(e @ v) @ u).reshape(-1)
        return chunks if isinstance(theta, Tensor) else chunks.numpy()

    def pool(self, grad_phi: Tensor | ArrayLike, theta: Tensor | ArrayLike) -> Any:
        """The gradient by θ of what has the given one by the chunks, shape=(n_free,)."""
        values = theta if isinstance(theta, Tensor) else torch.as_tensor(np.asarray(theta, dtype=np.float64))
        grad = torch.as_tensor(grad_phi, dtype=values.dtype)
        pooled = torch.func.vjp(self.expand, values)[1](grad)[0]
        return pooled if isinstance(theta, Tensor) else pooled.numpy()

    def jacobian(self, theta: ArrayLike) -> sparse.csr_array:
        """The derivative of the chunks by θ, shape=(n_site, n_free)."""
        values = torch.as_tensor(np.asarray(theta, dtype=np.float64))
        return sparse.csr_array(torch.func.jacrev(self.expand)(values).numpy())

    def tie(self, phi: ArrayLike) -> NDArray[Any]:
        """There is no closed form.

        Raises:
            TyingError: Always; train the network instead.
        """
        raise TyingError("the closest hypernetwork to given weights has no closed form: train it")


class HyperNetwork(nn.Module):
    r"""Runs ``target`` with weights that a small network generates.

    .. math::
        \text{chunk}_c = s\,\tanh(e_c V)\,U

    Args:
        target: the network that needs weights; it is copied. Parameters of two or more axes are generated and not
            kept, the others are learned as they are.
        embedding_dim: length of the embedding of a chunk
        hidden: length of the hidden layer of the core
        chunk: entries of a chunk. Default: about the square root of all entries, a compromise between many embeddings
            and a long core.

    Shape:
        - Input and output: those of ``target``.

    Attributes:
        shared: owner of embeddings and core, ``shared.theta``.
        form: the target without the weights that are generated.

    Raises:
        TyingError: The target has no weight to generate, or shares a parameter between places.

    Example:
        >>> target = nn.Sequential(nn.Linear(64, 64), nn.ReLU(), nn.Linear(64, 10))
        >>> network = HyperNetwork(target, embedding_dim=4, hidden=8)
        >>> network(torch.zeros(3, 64)).shape
        torch.Size([3, 10])
        >>> network.extra_repr()
        'generated=4,736, free=860, sites=4,761, rank=844'
    """

    def __init__(self, target: nn.Module, embedding_dim: int, hidden: int, chunk: int | None = None) -> None:
        super().__init__()
        weights = {name: each for name, each in target.named_parameters() if each.ndim > 1}
        if not weights:
            raise TyingError("the target has no weight of two or more axes to generate")
        if len(weights) != sum(each.ndim > 1 for _, each in target.named_parameters(remove_duplicate=False)):
            raise TyingError("the target shares a parameter between places: generate the weights of an untied one")
        first = next(iter(weights.values()))
        self.shapes = {name: tuple(each.shape) for name, each in weights.items()}
        n_entries = sum(each.numel() for each in weights.values())
        length = chunk or max(1, round(math.sqrt(n_entries)))
        generator = Generator(
            n_chunks=math.ceil(n_entries / length), embedding_dim=embedding_dim, hidden=hidden, chunk=length
        )
        if generator.n_free >= n_entries:
            warnings.warn(
                f"{generator.n_free:,} parameters generate {n_entries:,} weights: take a smaller core or other chunks",
                stacklevel=2,
            )
        self.shared = Shared(generator, theta=torch.zeros(generator.n_free), device=first.device, dtype=first.dtype)
        # Its form, buffers and parameters of one axis are needed, its weights are not: plain attributes stand for them.
        self.form = copy.deepcopy(target)
        for name in self.shapes:
            owner, _, last = name.rpartition(".")
            delattr(self.form.get_submodule(owner), last)
            setattr(self.form.get_submodule(owner), last, torch.empty(0))
        self.reset_parameters()

    @property
    def n_generated(self) -> int:
        """Number of weights that are generated."""
        return sum(math.prod(shape) for shape in self.shapes.values())

    @torch.no_grad()
    def reset_parameters(self) -> None:
        """Draw embeddings and core so that entries of chunks have the variance 1, and weights that of their fan-in."""
        generator: Any = self.shared.tying
        e, v, u = generator.parts(self.shared.theta)
        e.normal_()
        v.normal_(std=1 / math.sqrt(generator.embedding_dim))
        # The mean square of tanh(x) for a standard normal x is 0.394.
        u.normal_(std=1 / math.sqrt(0.394 * generator.hidden))

    def weights(self) -> dict[str, Tensor]:
        """The generated weights by the names that the target has for them, made in one pass."""
        entries = self.shared()
        found, start = {}, 0
        for name, shape in self.shapes.items():
            n = math.prod(shape)
            scale = 1 / math.sqrt(3 * init.fans(shape)[0])
            found[name] = entries[start : start + n].view(shape) * scale
            start += n
        return found

    def forward(self, *args: Any, weights: dict[str, Tensor] | None = None, **kwargs: Any) -> Any:
        """What the target gives with the generated weights, or with given ones."""
        return functional_call(self.form, self.weights() if weights is None else weights, args, kwargs)

    def extra_repr(self) -> str:
        """What is generated from what."""
        return f"generated={self.n_generated:,}, {self.shared.counts}"
