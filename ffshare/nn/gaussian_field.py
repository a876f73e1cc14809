r"""A convolution kernel as the shared weight of a Gaussian graphical model, and its maximum-likelihood estimate.

Every pixel of a response is Gaussian round a linear function of the patch of the image before it,

    p(y_i | x_i, w_i) = N(y_i; w_iᵀ x_i, σ²).

Without ties each site i has weights of its own: one response for p of them, which identifies n of the n·p. Tied,
w_i = w for all i, which is φ = Aw with `LinearTying.repeat`, and the model is a convolution. With J the derivative of
the responses by the site weights (row i holds the patch x_i at the weights of site i), the second derivatives of the
sites pool into the normal equations

    Aᵀ(JᵀJ)A w = Aᵀ Jᵀ y,        cov(w) = σ² (AᵀJᵀJA)⁻¹,

and these are the whole estimate: the pooled information of all patches. Normal equations square the condition of
the patches, so the weights themselves come from the least squares of one tie more: a response is a site, its patch the
row of A that feeds it, and ``LinearTying.basis(patches).tie(y)`` the kernel whose responses come closest.

Reference:
    Koller and Friedman, Probabilistic Graphical Models, MIT Press 2009, chapter 17 (shared parameters).
"""

import math
from typing import Any, Self

import numpy as np
import torch
from numpy.typing import ArrayLike, NDArray
from scipy import sparse
from torch import nn

from ffshare.errors import TyingError
from ffshare.tying import LinearTying

Floats = NDArray[np.float64]

RESOLUTION = math.sqrt(np.finfo(np.float64).eps)
"""Singular values of the patches below this times the largest are lost in the normal equations, which square them."""


class TiedGaussianField:
    r"""A linear filter of Gaussian responses with the same weights at every pixel, fitted by maximum likelihood.

    .. math::
        y_{ij} = w^{\mathsf T} x_{ij} + \varepsilon_{ij}, \qquad \varepsilon_{ij} \sim \mathcal N(0, \sigma^2)

    The estimate is that of the convolution :class:`torch.nn.Conv2d` with one output channel and no bias that fits best
    in the mean square, with its covariance from the pooled normal equations of the site weights.

    Args:
        kernel_size: Height and width of a patch, or one number for both.
        channels: Channels of the images.
        padding: ``"valid"``: a response for each patch inside the image; ``"same"``: one for each pixel, with zeros
            beyond the edges (one more at the right and below where the kernel is even), as torch pads.

    Shape:
        - X: :math:`(H, W)`, :math:`(N, H, W)` (both for one channel) or :math:`(N, C, H, W)`
        - y: :math:`(H', W')` or :math:`(N, H', W')`

    Attributes:
        weight_: the kernel, :math:`(k_H, k_W)`, or :math:`(C, k_H, k_W)` where there are several channels. Where the
            patches do not identify it, the shortest of those that fit best.
        covariance_: its covariance in C order of the weights, with the noise estimated from the residuals,
            :math:`(n_\text{free}, n_\text{free})`. The variance of a weight that is not identified is infinite, its
            covariances are NaN.
        noise_variance_: :math:`\hat\sigma^2`, the sum of squared residuals over n_responses - rank; NaN where nothing
            is left to estimate it from.
        rank_: how many directions of the kernel the patches identify.
        tying_: the tie of the weights of all sites, :math:`n \cdot n_\text{free}`, to the kernel.
        n_free: number of weights of the kernel.

    Raises:
        TyingError: The kernel size or the padding makes no sense.

    Example:
        >>> image = np.random.default_rng(0).normal(size=(12, 12))
        >>> blur = np.full((3, 3), 1 / 9)
        >>> responses = (patch_matrix(image[None, None], (3, 3)) @ blur.ravel()).reshape(10, 10)
        >>> field = TiedGaussianField(3).fit(image, responses)
        >>> field
        TiedGaussianField((3, 3), channels=1, padding='valid', free=9, sites=900, rank=9)
        >>> bool(np.allclose(field.weight_, blur))
        True
    """

    weight_: Floats
    covariance_: Floats
    noise_variance_: float
    rank_: int
    tying_: LinearTying

    def __init__(self, kernel_size: int | tuple[int, int], *, channels: int = 1, padding: str = "valid") -> None:
        size = tuple(int(k) for k in np.broadcast_to(kernel_size, 2))
        if min(*size, channels) < 1:
            raise TyingError(f"a kernel of {size} pixels and {channels} channels has no weights")
        if padding not in ("valid", "same"):
            raise TyingError(f"padding is {padding!r}, expected 'valid' or 'same'")
        self.kernel_size = (size[0], size[1])
        self.channels = channels
        self.padding = padding

    @property
    def n_free(self) -> int:
        """Number of weights of the kernel."""
        return self.channels * math.prod(self.kernel_size)

    def fit(self, X: ArrayLike, y: ArrayLike) -> Self:  # noqa: N803 - as estimators call it
        """Estimate the kernel, its covariance and the noise.

        Args:
            X: Image or images, of the shapes above.
            y: Responses, one for each patch.

        Returns:
            Itself.

        Raises:
            TyingError: The shapes do not fit, or a value is not finite.
        """
        images, shape = self._images(X)
        responses = np.asarray(y, dtype=np.float64)
        if responses.shape != shape:
            raise TyingError(f"y has shape {responses.shape}, expected {shape}: one response for each patch")
        if not (np.isfinite(images).all() and np.isfinite(responses).all()):
            raise TyingError("X or y holds a value that is not finite: leave such images out")
        patches, flat = patch_matrix(images, self.kernel_size, self.padding), responses.ravel()
        self.tying_ = LinearTying.repeat(len(patches), n_free=self.n_free)
        jacobian = site_jacobian(patches)
        self.rank_ = self.tying_.rank(jacobian, rtol=RESOLUTION)
        curvatures, directions = np.linalg.eigh(normal_matrix(self.tying_, jacobian))
        # Eigenvalues rise: what the patches do not identify comes first.
        lost, known = np.split(directions, [self.n_free - self.rank_], axis=1)
        inverse = known / curvatures[self.n_free - self.rank_ :] @ known.T
        weight = known @ (known.T @ LinearTying.basis(patches).tie(flat))
        residuals = flat - jacobian @ self.tying_.expand(weight)
        n_left = len(flat) - self.rank_
        self.noise_variance_ = float(residuals @ residuals) / n_left if n_left else float("nan")
        self.covariance_ = _unknown_where_lost(self.noise_variance_ * inverse, lost)
        self.weight_ = weight.reshape(self._weight_shape)
        return self

    def predict(self, X: ArrayLike) -> Floats:  # noqa: N803 - as estimators call it
        """The mean responses to images, shape=(H', W') or (N, H', W').

        Args:
            X: Image or images, of the shapes above.

        Returns:
            The responses that the fitted kernel gives.

        Raises:
            TyingError: The shape does not fit.
        """
        images, shape = self._images(X)
        return (patch_matrix(images, self.kernel_size, self.padding) @ self.weight_.ravel()).reshape(shape)

    def to_conv2d(self, device: Any = None, dtype: torch.dtype | None = None) -> nn.Conv2d:
        """The fitted kernel as a layer.

        Args:
            device: Device of the layer.
            dtype: Type of its weights.

        Returns:
            A `torch.nn.Conv2d` from the channels to one, without bias, with this padding.
        """
        layer = nn.Conv2d(
            self.channels, 1, self.kernel_size, padding=self.padding, bias=False, device=device, dtype=dtype
        )
        with torch.no_grad():
            layer.weight.copy_(torch.as_tensor(self.weight_).reshape(layer.weight.shape))
        return layer

    def __repr__(self) -> str:
        counts = f"free={self.n_free}"
        if hasattr(self, "tying_"):
            counts = f"free={self.n_free:,}, sites={self.tying_.n_site:,}, rank={self.rank_:,}"
        return (
            f"{type(self).__name__}({self.kernel_size}, channels={self.channels}, padding={self.padding!r}, {counts})"
        )

    @property
    def _weight_shape(self) -> tuple[int, ...]:
        return self.kernel_size if self.channels == 1 else (self.channels, *self.kernel_size)

    def _images(self, given: ArrayLike) -> tuple[Floats, tuple[int, ...]]:
        """Images with all four axes, and the shape of their responses."""
        images = np.asarray(given, dtype=np.float64)
        many = images if images.ndim == 4 else images.reshape(-1, 1, *images.shape[-2:])
        if not 2 <= images.ndim <= 4 or many.shape[1] != self.channels:
            raise TyingError(
                f"X has shape {images.shape}, expected (N, {self.channels}, H, W)"
                f"{', (N, H, W) or (H, W)' if self.channels == 1 else ''}"
            )
        height, width = _response_size(many.shape[-2:], self.kernel_size, self.padding)
        return many, (*images.shape[: 0 if images.ndim == 2 else 1], height, width)


def patch_matrix(images: ArrayLike, kernel_size: tuple[int, int], padding: str = "valid") -> Floats:
    """The patches that a kernel sees, one a row.

    Args:
        images: Images, shape=(n, channels, height, width).
        kernel_size: Height and width of a patch.
        padding: ``"valid"`` or ``"same"``, zeros beyond the edges.

    Returns:
        Patches by image, row and column, each flat in the order of `torch.nn.Conv2d.weight`,
        shape=(n_patches, channels · k_height · k_width).

    Raises:
        TyingError: The kernel is larger than the images.

    Example:
        >>> patch_matrix([[[[1.0, 2.0, 3.0]]]], (1, 2), padding="same")
        array([[1., 2.],
               [2., 3.],
               [3., 0.]])
    """
    pixels = np.asarray(images, dtype=np.float64)
    _response_size(pixels.shape[-2:], kernel_size, padding)
    if padding == "same":
        before = [(k - 1) // 2 for k in kernel_size]
        edges = [(b, k - 1 - b) for k, b in zip(kernel_size, before, strict=True)]
        pixels = np.pad(pixels, [(0, 0), (0, 0), *edges])
    windows = np.lib.stride_tricks.sliding_window_view(pixels, kernel_size, axis=(2, 3))
    return windows.transpose(0, 2, 3, 1, 4, 5).reshape(-1, pixels.shape[1] * math.prod(kernel_size))


def site_jacobian(patches: Floats) -> sparse.csr_array:
    """The derivative of the responses by the weights of all sites, none of them shared.

    Args:
        patches: Patches, shape=(n, p).

    Returns:
        Row i has patch i at the weights of site i and zeros elsewhere, shape=(n, n · p).

    Example:
        >>> site_jacobian(np.array([[1.0, 2.0], [3.0, 4.0]])).toarray()
        array([[1., 2., 0., 0.],
               [0., 0., 3., 4.]])
    """
    n, p = patches.shape
    return sparse.csr_array((patches.ravel(), np.arange(n * p), np.arange(0, n * p + 1, p)), shape=(n, n * p))


def normal_matrix(tying: LinearTying, jacobian: sparse.csr_array) -> Floats:
    """The second derivatives of half the sum of squares by the free parameters, Aᵀ(JᵀJ)A.

    Args:
        tying: The tie A of the site weights.
        jacobian: The derivative J of the responses by the site weights, shape=(n_responses, n_site).

    Returns:
        The matrix, shape=(n_free, n_free).
    """
    # An operator, column by column: the matrix of the sites has p numbers for each of their n · p weights.
    operator = sparse.linalg.aslinearoperator(jacobian)
    pooled = tying.hessian(operator.T @ operator)
    return np.stack([pooled.matvec(unit) for unit in np.eye(tying.n_free)], axis=1)


def _response_size(size: tuple[int, ...], kernel_size: tuple[int, int], padding: str) -> tuple[int, int]:
    """Height and width of the responses."""
    height, width = size if padding == "same" else (n - k + 1 for n, k in zip(size, kernel_size, strict=True))
    if min(height, width) < 1:
        raise TyingError(f"a kernel of {kernel_size} pixels does not fit into an image of {tuple(size)}")
    return height, width


def _unknown_where_lost(covariance: Floats, lost: Floats) -> Floats:
    """The covariance, with infinite variance for what has a part in the directions that are lost."""
    unknown = np.linalg.norm(lost, axis=1) > RESOLUTION
    covariance[unknown] = covariance[:, unknown] = np.nan
    covariance[unknown, unknown] = np.inf
    return covariance
