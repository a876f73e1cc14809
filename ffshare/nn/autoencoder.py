r"""A linear autoencoder with tied weights, which learns principal components by gradient descent.

The decoder is the transpose of the encoder, x̂ = Wᵀ W x. On centred data the mean square of x - x̂ is least where the
rows of W are an orthonormal basis of the space of the k largest principal components: the tie alone makes WWᵀ = I, no
penalty asks for it. Without the tie, x̂ = D E x reaches the same error with any E = G W and D = Wᵀ G⁻¹, so k² of its
parameters say nothing: the tied model is the better posed one and loses no accuracy.

No decomposition is taken here: `descend` sees nothing but the loss and its gradient.

Reference:
    Baldi and Hornik, Neural Networks 2, 53 (1989), DOI 10.1016/0893-6080(89)90014-2.
"""

import copy
from collections.abc import Sequence
from typing import Any

import numpy as np
import torch
from numpy.typing import ArrayLike, NDArray
from scipy import optimize
from torch import Tensor, nn

from ffshare.errors import TyingError
from ffshare.nn.tie_counts import Counts, counts_of
from ffshare.nn.tied_linear import TiedLinear
from ffshare.records import doc, record
from ffshare.tying import LinearTying

Floats = NDArray[np.float64]


@record
class Descent:
    """How a gradient descent went."""

    losses: tuple[float, ...] = doc("loss at each evaluation, in their order")
    slope: float = doc("largest entry of the gradient at the end")
    converged: bool = doc("whether it ended before the iterations did: nothing makes the loss smaller")

    @property
    def loss(self) -> float:
        """The least loss."""
        return min(self.losses)


class TiedAutoencoder(nn.Module):
    r"""A linear autoencoder whose decoder is the transpose of its encoder.

    .. math::
        z = W x, \qquad \hat x = W^{\mathsf T} z

    There is no bias: data are to be centred.

    Args:
        in_features: Size of an input.
        latent: Size of the code, :math:`k`.
        device: Device of the parameters.
        dtype: Type of the weight.

    Shape:
        - Input: :math:`(*, in)`
        - Output: :math:`(*, in)`

    Attributes:
        encoder (TiedLinear): the owner of the weight, :math:`(k, in)`.
        decoder (TiedLinear): reads it transposed; has no parameters.
        tying: the tie of decoder and encoder entries, in this order, to the weight.
        counts: free parameters, sites (entries of encoder and decoder), and the rank.

    Example:
        >>> model = TiedAutoencoder(64, 8)
        >>> model.counts
        free=512, sites=1,024, rank=512
        >>> x = torch.randn(5, 64)
        >>> bool(torch.equal(model(x), model.decode(model.encode(x))))
        True
        >>> list(model.state_dict())
        ['encoder.shared.theta']
    """

    def __init__(self, in_features: int, latent: int, device: Any = None, dtype: torch.dtype | None = None) -> None:
        super().__init__()
        self.encoder = TiedLinear(in_features, latent, bias=False, device=device, dtype=dtype)
        self.decoder = TiedLinear.transpose_of(self.encoder, bias=False)

    @property
    def tying(self) -> LinearTying:
        """W ↦ (Wᵀ, W): the entries of decoder and encoder, each in C order, as `LowRank` takes its factors."""
        latent, width = self.encoder.out_features, self.encoder.in_features
        encoder = LinearTying.identity(latent * width)
        return encoder[np.arange(encoder.n_site).reshape(latent, width).T.ravel()].stack(encoder)

    @property
    def counts(self) -> Counts:
        """Free parameters, the entries of encoder and decoder that they feed, and the rank."""
        return counts_of(self.tying)

    def encode(self, input: Tensor) -> Tensor:
        """The code of inputs, shape=(..., latent)."""
        code: Tensor = self.encoder(input)
        return code

    def decode(self, code: Tensor) -> Tensor:
        """The inputs that codes stand for, shape=(..., in_features)."""
        output: Tensor = self.decoder(code)
        return output

    def forward(self, input: Tensor) -> Tensor:
        """What is left of inputs after coding and decoding, shape=(..., in_features)."""
        weight = self.encoder.weight
        output: Tensor = self.decoder(self.encoder(input, weight), weight.mT)
        return output

    def reset_parameters(self) -> None:
        """Draw the weight anew."""
        self.encoder.reset_parameters()

    @torch.no_grad()
    def fit(self, X: ArrayLike | Tensor, max_iter: int = 2000) -> Descent:  # noqa: N803 - as estimators call it
        """Train on centred data, from the present weight, by `descend` in float64.

        Args:
            X: Data, one a row, of mean zero, shape=(n, in_features).
            max_iter: Most iterations.

        Returns:
            How it went.

        Raises:
            TyingError: The data have another shape, or are not centred.

        Example:
            >>> x = np.random.default_rng(0).normal(size=(50, 3)) * [3.0, 1.0, 0.1]
            >>> model = TiedAutoencoder(3, 1)
            >>> descent = model.fit(x - x.mean(axis=0))
            >>> bool(abs(model.encoder.weight[0, 0].abs() - 1.0) < 0.05)
            True
        """
        given = X if isinstance(X, Tensor) else torch.tensor(np.asarray(X))
        data = given.detach().to(device=self.encoder.weight.device, dtype=torch.float64)
        if data.ndim != 2 or data.shape[1] != self.encoder.in_features:
            raise TyingError(f"X has shape {tuple(data.shape)}, expected (n, {self.encoder.in_features})")
        if float(data.mean(dim=0).abs().max()) > 1e-6 * float(data.abs().max()):
            raise TyingError("X is not centred: subtract the mean of each column")
        wide = copy.deepcopy(self).double()
        descent: Descent = descend(wide, data, max_iter)
        self.load_state_dict(wide.state_dict())
        return descent

    def extra_repr(self) -> str:
        """The counts of the pair."""
        return str(self.counts)


@torch.enable_grad()
def descend(model: nn.Module, data: Tensor, max_iter: int = 2000, tolerance: float = 1e-11) -> Descent:
    """Train a model to give back its inputs: L-BFGS with a line search (strong Wolfe) on the mean square of the error.

    Args:
        model: Any module from inputs to outputs of the same shape, changed in place; best in float64.
        data: Inputs, shape=(n, ...).
        max_iter: Most iterations.
        tolerance: Entries of the gradient below which the descent ends.

    Returns:
        How it went; the loss is the square of the error summed over features, averaged over inputs.
    """
    parameters = [parameter for parameter in model.parameters() if parameter.requires_grad]
    sizes = [parameter.numel() for parameter in parameters]
    losses = []

    def set_to(values: Floats) -> None:
        with torch.no_grad():
            for parameter, piece in zip(parameters, torch.as_tensor(values).split(sizes), strict=True):
                parameter.copy_(piece.view_as(parameter))

    def loss_and_gradient(values: Floats) -> tuple[float, Floats]:
        set_to(values)
        loss = (model(data) - data).square().sum() / len(data)
        losses.append(loss.item())
        return losses[-1], _flat(torch.autograd.grad(loss, parameters))

    found = optimize.minimize(
        loss_and_gradient,
        _flat(parameters),
        jac=True,
        method="L-BFGS-B",
        options={"maxcor": 30, "maxiter": max_iter, "maxfun": 2 * max_iter, "ftol": 0.0, "gtol": tolerance},
    )
    set_to(found.x)
    return Descent(losses=tuple(losses), slope=float(abs(found.jac).max()), converged=bool(found.success))


def _flat(tensors: Sequence[Tensor]) -> Floats:
    """All entries in one array."""
    flat: Floats = torch.cat([tensor.detach().reshape(-1) for tensor in tensors]).cpu().double().numpy()
    return flat
