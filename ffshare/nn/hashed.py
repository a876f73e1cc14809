"""Weights shared by chance: a hash deals the entries of a matrix out to few buckets.

An entry of the weight takes the parameter of its bucket, times a random sign:

    W_ij = ξ(i, j) θ_h(i, j),        h(i, j) in 0 … K - 1,  ξ(i, j) = ±1.

h and ξ are hashes of the place, so that a checkpoint holds θ and nothing else. The bucket averages
θ_b = mean of ξ W over the bucket are the closest that such a matrix can come to a given one. They still lose much: with
N entries in K buckets, in the mean over hashes and whatever W is, the share

    ‖W - W_hashed‖² / ‖W‖² = 1 - r (1 - e^(-1/r)),        r = K / N,

which is 1/e = 36.8 % where there are as many buckets as entries. Balanced buckets, of sizes that differ by one at most,
lose nothing there, and 1 - r below. A network that is *trained* through the tie does far better than one that is
averaged afterwards: it chooses θ knowing what is shared.

What hashing saves is free parameters: the checkpoint, the gradients, the state of the optimizer. It does not save
arithmetic, and in memory each place keeps its bucket.

Reference:
    Chen et al., Compressing neural networks with the hashing trick, ICML 2015, arXiv:1504.04788. Balanced hashes:
    Chang and Lipson, arXiv:2312.08401.
"""

import math
from typing import Any, ClassVar, Self

import numpy as np
import torch
from torch import Tensor, nn
from torch.nn import functional

from ffshare.errors import TyingError
from ffshare.nn.shared import Shape, Shared
from ffshare.tying import LinearTying


class Hashed(nn.Module):
    """What hashed layers have in common: a weight whose entries share parameters by hash.

    Args:
        shape: Shape of the weight.
        compression: Free parameters for each entry of the weight.
        seed: Seed of the hash.
        signed: Whether entries have random signs.
        balanced: Whether the sizes of buckets differ by one at most.
        block: Shape of what is hashed in one piece.
        fixed: Pieces that are zero and stay so, from one to another.
        device: Device of the parameters.
        dtype: Type of the weight.

    Attributes:
        shared (Shared): the owner of θ.
        compression: free parameters asked for, for each entry of the weight.
        seed: seed of the hash.
        signed: whether entries have random signs.
        balanced: whether the sizes of buckets differ by one at most.

    Raises:
        TyingError: The compression is not a number above 0.
    """

    __constants__: ClassVar[tuple[str, ...]] = ("balanced", "compression", "seed", "signed")

    def __init__(
        self,
        shape: Shape,
        compression: float,
        seed: int,
        signed: bool,
        balanced: bool,
        *,
        block: Shape = (),
        fixed: slice | None = None,
        device: Any = None,
        dtype: torch.dtype | None = None,
    ) -> None:
        super().__init__()
        if not 0 < compression < math.inf:
            raise TyingError(
                f"compression is {compression}, expected a number above 0: free parameters for each weight, as 1/8"
            )
        self.compression = compression
        self.seed = seed
        self.signed = signed
        self.balanced = balanced
        n_site = math.prod(shape) // math.prod(block)
        n_free = max(1, round(compression * n_site)) if n_site else 0
        tying = LinearTying.hashed(n_site, n_free, seed, signed=signed, balanced=balanced)
        if fixed is not None:
            tying = without(tying, fixed)
        self.shared = Shared(tying, shape, block=block, device=device, dtype=dtype)

    @property
    def weight(self) -> Tensor:
        """The whole weight, expanded anew."""
        weight: Tensor = self.shared()
        return weight

    @property
    def options(self) -> str:
        """How the weight is hashed, and its counts, for `extra_repr`."""
        return (
            f"compression={self.compression:g}, seed={self.seed}, signed={self.signed}, balanced={self.balanced}, "
            f"{self.shared.counts}"
        )


class HashedLinear(Hashed):
    r"""A `torch.nn.Linear` whose weights share few parameters by a hash of their place.

    .. math::
        y = xW^{\mathsf T} + b, \qquad W_{ij} = \xi(i, j)\,\theta_{h(i, j)}

    Biases are never compressed.

    Args:
        in_features: Size of each input.
        out_features: Size of each output.
        bias: Whether there is a bias.
        device: Device of the parameters.
        dtype: Type of the weight and the bias.
        compression: Free parameters for each weight. Above 1 there are more buckets than weights, which is of use only
            to study collisions.
        seed: Seed of the hash. Layers of one model take different ones, or their collisions repeat.
        signed: Whether weights have random signs, so that those of a bucket do not lean to one side.
        balanced: Whether the sizes of buckets differ by one at most: least collisions.

    Shape:
        - Input: :math:`(*, \text{in\_features})`
        - Output: :math:`(*, \text{out\_features})`

    Attributes:
        shared (Shared): owner of the parameters :math:`\theta`, ``shared.theta`` in the ``state_dict``. They start
            uniform between :math:`\pm 1/\sqrt{\text{in\_features}}`, and so do the weights, as those of a
            `torch.nn.Linear` do.
        weight: the weight, :math:`(\text{out\_features}, \text{in\_features})`, expanded anew.
        bias: the bias, :math:`(\text{out\_features})`.

    Note:
        `torch.onnx.export` folds constants: with ``optimize=True`` the file holds the whole matrix, with
        ``optimize=False`` θ, the buckets and a ``Gather``, and the buckets take more room than the matrix would. To
        ship a small file, ship the ``state_dict``.

    Example:
        >>> layer = HashedLinear(64, 32, compression=1 / 16)
        >>> layer(torch.zeros(5, 64)).shape
        torch.Size([5, 32])
        >>> {name: tuple(tensor.shape) for name, tensor in layer.state_dict().items()}
        {'bias': (32,), 'shared.theta': (128,)}
        >>> print(layer.extra_repr())  # doctest: +NORMALIZE_WHITESPACE
        in_features=64, out_features=32, bias=True, compression=0.0625, seed=0, signed=True, balanced=False,
        free=128, sites=2,048, rank=128
    """

    __constants__: ClassVar[tuple[str, ...]] = (*Hashed.__constants__, "in_features", "out_features")

    def __init__(
        self,
        in_features: int,
        out_features: int,
        bias: bool = True,
        device: Any = None,
        dtype: torch.dtype | None = None,
        *,
        compression: float = 1 / 8,
        seed: int = 0,
        signed: bool = True,
        balanced: bool = False,
    ) -> None:
        shape = (out_features, in_features)
        super().__init__(shape, compression, seed, signed, balanced, device=device, dtype=dtype)
        self.in_features = in_features
        self.out_features = out_features
        self.bias = nn.Parameter(torch.empty(out_features, device=device, dtype=dtype)) if bias else None
        reset_bias(self.bias, in_features)

    def reset_parameters(self) -> None:
        """Draw θ and the bias from the distributions that `torch.nn.Linear` starts with."""
        self.shared.reset_parameters()
        reset_bias(self.bias, self.in_features)

    def forward(self, input: Tensor) -> Tensor:
        """Outputs of the layer."""
        output: Tensor = functional.linear(input, self.weight, self.bias)
        return output

    @classmethod
    def from_linear(
        cls,
        linear: nn.Linear,
        compression: float = 1 / 8,
        *,
        seed: int = 0,
        signed: bool = True,
        balanced: bool = False,
    ) -> Self:
        """The closest hashed layer: parameters are the averages of their buckets, the bias is copied.

        Args:
            linear: The layer to come close to, not changed.
            compression: As for the class, and so are the rest.
            seed: Seed of the hash.
            signed: Whether weights have random signs.
            balanced: Whether the sizes of buckets differ by one at most.

        Returns:
            The layer, on the device and of the type of the other.

        Example:
            >>> linear = torch.nn.Linear(8, 4)
            >>> hashed = HashedLinear.from_linear(linear, compression=1, balanced=True)
            >>> torch.equal(hashed.weight, linear.weight)
            True
        """
        layer = cls(
            linear.in_features,
            linear.out_features,
            linear.bias is not None,
            linear.weight.device,
            linear.weight.dtype,
            compression=compression,
            seed=seed,
            signed=signed,
            balanced=balanced,
        )
        layer.shared.tie_(linear.weight)
        copy_bias(linear.bias, layer.bias)
        layer.train(linear.training)
        return layer

    def to_linear(self) -> nn.Linear:
        """The plain layer with the same weight and bias, which computes exactly the same.

        Returns:
            The layer, which shares nothing, neither within nor with this one.
        """
        weight = self.weight.detach()
        linear = nn.utils.skip_init(
            nn.Linear,
            self.in_features,
            self.out_features,
            bias=self.bias is not None,
            device=weight.device,
            dtype=weight.dtype,
        )
        with torch.no_grad():
            linear.weight.copy_(weight)
        copy_bias(self.bias, linear.bias)
        return linear.train(self.training)

    def extra_repr(self) -> str:
        """Sizes, how the weight is hashed, and the counts of its parameters."""
        return (
            f"in_features={self.in_features}, out_features={self.out_features}, bias={self.bias is not None}, "
            f"{self.options}"
        )


def without(tying: LinearTying, sites: slice) -> LinearTying:
    """The same tying with some sites held at zero, still with one entry a site, so that expanding remains a gather.

    Args:
        tying: A tying with one entry a site and no offset.
        sites: The sites that nothing moves.

    Returns:
        The tying.
    """
    scale = np.ones(tying.nnz) if tying.coef is None else tying.coef.copy()
    scale[sites] = 0.0
    return LinearTying.index(tying.free, scale=scale, keys=tying.keys)


def reset_bias(bias: Tensor | None, fan_in: int) -> None:
    """Draw a bias as torch's layers do: uniform between ±1/√fan_in, or 0 where nothing comes in."""
    if bias is not None:
        bound = 1.0 / math.sqrt(fan_in) if fan_in else 0.0
        nn.init.uniform_(bias, -bound, bound)


def copy_bias(source: Tensor | None, target: Tensor | None) -> None:
    """Give one layer the bias of another, if they have any."""
    if source is not None and target is not None:
        with torch.no_grad():
            target.copy_(source)
