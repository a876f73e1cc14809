"""Starting values under sharing: what must have the right variance is the site, and what is drawn is θ.

Xavier and Kaiming initialisation choose the variance of a weight from the number of inputs (and outputs) of one
application. How often a weight is used again, over an image or over time, does not enter: the fan is that of the *site
shape*, one kernel, one time step. With φ = Aθ + b the variance of a site is Σ_j a_ij² Var(θ_j), so each parameter is
drawn with

    Var(θ_j) = Σ_i a_ij² t_i / r_i² / Σ_i a_ij²,        r_i² = Σ_j a_ij²,

where t_i is the variance wanted at site i: each site wants the same of all its parameters, t_i / r_i², and a parameter
takes the mean over its sites. It is exact where all rows of A have one norm r: with r = 1, as in every tie by sharing,
θ is drawn as a matrix of the shape of the sites would be, and with nothing shared the numbers are those of
`torch.nn.init`, from the same generator. Where rows differ, single sites are off, but their variances still add up to
what is wanted. θ is drawn, never averaged from drawn sites: the mean of c independent draws has a variance c times too
small.

Reference:
    Glorot and Bengio, Understanding the difficulty of training deep feedforward neural networks, AISTATS 2010; He et
    al., Delving deep into rectifiers, ICCV 2015, arXiv:1502.01852.
"""

import math
from collections.abc import Callable, Mapping, Sequence

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor, nn

from ffshare.errors import TyingError
from ffshare.tying import LinearTying, LowRank, Parametrization

SiteShape = Sequence[int] | Mapping[str, Sequence[int]]


def fans(shape: Sequence[int]) -> tuple[int, int]:
    """Inputs and outputs of one application of a weight of this shape.

    Args:
        shape: Shape of the sites: (outputs, inputs, kernel ...).

    Returns:
        Fan-in and fan-out, as torch counts them.

    Raises:
        TyingError: There are fewer than two axes.

    Example:
        >>> fans((16, 8, 3, 3))
        (72, 144)
    """
    if len(shape) < 2:
        raise TyingError(f"a weight of shape {tuple(shape)} has no fan: give the shape of the sites, not that of θ")
    field = math.prod(shape[2:])
    return shape[1] * field, shape[0] * field


def standard_deviations(tying: LinearTying | Parametrization, variances: NDArray[np.float64]) -> NDArray[np.float64]:
    """The standard deviation to draw each free parameter with.

    Args:
        tying: The map from free parameters to sites.
        variances: Variance wanted at each site, shape=(n_site,).

    Returns:
        Standard deviations, shape=(n_free,); 0 for a parameter that no site uses.

    Raises:
        TyingError: There is no rule for a smooth map other than `LowRank`.

    Example:
        >>> standard_deviations(LinearTying.index([0, 0, 1], scale=[2.0, 2.0, 1.0]), np.ones(3))
        array([0.5, 1. ])
    """
    if isinstance(tying, LowRank):
        # A site is a sum of h products of two factors.
        return np.full(tying.n_free, (variances.mean() / tying.h) ** 0.25)
    if not isinstance(tying, LinearTying):
        raise TyingError(f"no rule to draw the parameters of {type(tying).__name__}: set theta")
    # Of the matrix, in which entries of one place have been added up.
    squares = tying.matrix.power(2)
    norms = squares.sum(axis=1)
    wanted = squares.T @ np.divide(variances, norms, out=np.zeros(tying.n_site), where=norms > 0)
    weights = squares.sum(axis=0)
    found: NDArray[np.float64] = np.sqrt(np.divide(wanted, weights, out=np.zeros_like(wanted), where=weights > 0))
    return found


def xavier_normal_(
    theta: Tensor,
    tying: LinearTying | Parametrization,
    site_shape: SiteShape,
    gain: float = 1.0,
    generator: torch.Generator | None = None,
) -> Tensor:
    """Draw θ from normal distributions so that sites have the variance gain² · 2 / (fan_in + fan_out).

    Args:
        theta: Free parameters, changed in place, shape=(n_free, ...); further axes are those of a shared block.
        tying: The map from free parameters to sites.
        site_shape: Shape of the sites, or shapes by name; beside places with a fan, those of one axis start at zero,
            as biases do.
        gain: Factor of the standard deviation, as from `torch.nn.init.calculate_gain`.
        generator: Source of random numbers.

    Returns:
        θ.

    Raises:
        TyingError: No shape has a fan, or the shapes do not hold the sites.

    Example:
        >>> theta = torch.empty(2 * 3)
        >>> _ = xavier_normal_(theta, LinearTying.identity(6), (2, 3), generator=torch.Generator().manual_seed(0))
        >>> same = nn.init.xavier_normal_(torch.empty(2, 3), generator=torch.Generator().manual_seed(0))
        >>> torch.equal(theta.reshape(2, 3), same)
        True
    """
    return _draw(theta, tying, site_shape, _xavier(gain), _normal, generator)


def xavier_uniform_(
    theta: Tensor,
    tying: LinearTying | Parametrization,
    site_shape: SiteShape,
    gain: float = 1.0,
    generator: torch.Generator | None = None,
) -> Tensor:
    """Draw θ uniformly, otherwise as `xavier_normal_`, with the same arguments, result and errors."""
    return _draw(theta, tying, site_shape, _xavier(gain), _uniform, generator)


def kaiming_normal_(
    theta: Tensor,
    tying: LinearTying | Parametrization,
    site_shape: SiteShape,
    a: float = 0.0,
    mode: str = "fan_in",
    nonlinearity: str = "leaky_relu",
    generator: torch.Generator | None = None,
) -> Tensor:
    """Draw θ from normal distributions so that sites have the variance gain² / fan.

    Args:
        theta: Free parameters, changed in place, shape=(n_free, ...); further axes are those of a shared block.
        tying: The map from free parameters to sites.
        site_shape: Shape of the sites, or shapes by name; beside places with a fan, those of one axis start at zero,
            as biases do.
        a: Slope of a leaky ReLU below zero.
        mode: ``fan_in`` or ``fan_out``.
        nonlinearity: What follows the layer, as `torch.nn.init.calculate_gain` knows it.
        generator: Source of random numbers.

    Returns:
        θ.

    Raises:
        TyingError: No shape has a fan, the shapes do not hold the sites, or the mode is unknown.
    """
    return _draw(theta, tying, site_shape, _kaiming(a, mode, nonlinearity), _normal, generator)


def kaiming_uniform_(
    theta: Tensor,
    tying: LinearTying | Parametrization,
    site_shape: SiteShape,
    a: float = 0.0,
    mode: str = "fan_in",
    nonlinearity: str = "leaky_relu",
    generator: torch.Generator | None = None,
) -> Tensor:
    """Draw θ uniformly, otherwise as `kaiming_normal_`, with the same arguments, result and errors.

    Example:
        >>> tying = LinearTying.groups(np.arange(64) % 4)
        >>> theta = kaiming_uniform_(torch.empty(4), tying, (8, 8), a=math.sqrt(5))
        >>> bool((theta.abs() <= 1 / math.sqrt(8)).all())
        True
    """
    return _draw(theta, tying, site_shape, _kaiming(a, mode, nonlinearity), _uniform, generator)


def _xavier(gain: float) -> Callable[[Sequence[int]], float]:
    return lambda shape: gain * math.sqrt(2.0 / sum(fans(shape)))


def _kaiming(a: float, mode: str, nonlinearity: str) -> Callable[[Sequence[int]], float]:
    if mode not in ("fan_in", "fan_out"):
        raise TyingError(f"mode is {mode!r}, expected 'fan_in' or 'fan_out'")
    gain = nn.init.calculate_gain(nonlinearity, a)
    return lambda shape: gain / math.sqrt(fans(shape)[mode == "fan_out"])


def _normal(theta: Tensor, deviation: float, generator: torch.Generator | None) -> Tensor:
    return theta.normal_(0.0, deviation, generator=generator)


def _uniform(theta: Tensor, deviation: float, generator: torch.Generator | None) -> Tensor:
    bound = math.sqrt(3.0) * deviation
    return theta.uniform_(-bound, bound, generator=generator)


def _draw(
    theta: Tensor,
    tying: LinearTying | Parametrization,
    site_shape: SiteShape,
    deviation: Callable[[Sequence[int]], float],
    fill: Callable[[Tensor, float, torch.Generator | None], Tensor],
    generator: torch.Generator | None,
) -> Tensor:
    """Fill θ; `deviation` is the standard deviation wanted at the sites of a shape with a fan."""
    shapes = list(site_shape.values()) if isinstance(site_shape, Mapping) else [tuple(site_shape)]
    block = tuple(theta.shape[1:])
    width = max(math.prod(block), 1)
    sizes = [math.prod(shape) for shape in shapes]
    holds = sum(sizes) == tying.n_site * width and not any(size % width for size in sizes)
    if not holds or theta.shape[:1] != (tying.n_free,):
        raise TyingError(
            f"θ of shape {tuple(theta.shape)} and sites of shape {site_shape} do not fit a tying of {tying.n_free} "
            f"free parameters and {tying.n_site} sites"
        )
    if all(len(shape) < 2 for shape in shapes):
        fans(shapes[0] if shapes else ())
    if not theta.numel():
        return theta
    # Squared and rooted again, a number is what it was: with nothing shared, these are the deviations of torch.
    wanted = [deviation(shape) ** 2 if len(shape) > 1 and n else 0.0 for shape, n in zip(shapes, sizes, strict=True)]
    deviations = standard_deviations(tying, np.repeat(wanted, [size // width for size in sizes]))
    if theta.is_meta:
        return theta
    with torch.no_grad():
        if (deviations == deviations[0]).all():
            return fill(theta, float(deviations[0]), generator)
        fill(theta, 1.0, generator)
        factors = torch.as_tensor(deviations, dtype=theta.dtype, device=theta.device)
        return theta.mul_(factors.reshape(-1, *(1,) * len(block)))
