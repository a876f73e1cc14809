"""What the experiment with hashed weights shows: the formula for the loss, means, panels and remarks."""

from collections.abc import Mapping, Sequence

import numpy as np
from numpy.typing import NDArray

from ffshare.nn.reproduce.hashed_networks import Averaged, Trained
from ffshare.nn.reproduce.outcome import Panel, Series
from ffshare.nn.reproduce.seeds import mean_and_error

Curve = Mapping[float, Sequence[Sequence[Averaged]]]
"""What averaging did, by the number of buckets for each weight, then for each network and each hash."""

Means = Mapping[float, tuple[float, float]]
"""A mean and its standard error, by the number of buckets for each weight."""


def analytic_loss(ratio: float) -> float:
    """The expected share of the squares of any weights that averaging over K of N random signed buckets loses.

    A weight that shares its bucket with c - 1 others keeps 1/c of its square in the mean over signs; c - 1 is a Poisson
    number of mean N/K, over which the mean of 1/c is r(1 - e^(-1/r)).

    Args:
        ratio: r = K / N.

    Returns:
        1 - r(1 - e^(-1/r)).

    Example:
        >>> round(analytic_loss(1.0), 4)
        0.3679
    """
    return 1.0 + ratio * float(np.expm1(-1.0 / ratio))


def mean_losses(curve: Curve) -> Means:
    """Mean share of the squared weights lost and its standard error, for each number of buckets a weight."""
    return {
        ratio: mean_and_error([each.residual for hashes in of_networks for each in hashes])
        for ratio, of_networks in curve.items()
    }


def network_errors(curve: Curve) -> dict[float, NDArray[np.float64]]:
    """Test error of each network [%], a mean over its hashes, for each number of buckets a weight."""
    return {
        ratio: np.array([np.mean([each.error for each in hashes]) for hashes in of_networks])
        for ratio, of_networks in curve.items()
    }


def fraction(ratio: float) -> str:
    """A ratio as one writes it.

    Example:
        >>> fraction(16.0), fraction(0.125)
        ('16', '1/8')
    """
    return f"{ratio:g}" if ratio >= 1 else f"1/{1 / ratio:g}"


def panels(curve: Curve, errors: Sequence[float], trained: Sequence[Trained]) -> tuple[Panel, ...]:
    """What the figure shows: the loss of averaging, and test errors.

    Args:
        curve: What averaging did.
        errors: Test errors of the networks that were averaged [%].
        trained: What training gave.

    Returns:
        Two panels.
    """
    rates = {ratio: mean_and_error(errors) for ratio, errors in network_errors(curve).items()}
    grid = np.geomspace(min(curve), max(curve), 100).tolist()
    through = {each.compression: mean_and_error(each.hashed) for each in trained}
    plain = {each.compression: mean_and_error(each.dense) for each in trained}
    label = "parameters for each weight, K/N"
    return (
        Panel(
            title="What averaging over buckets loses",
            x_label=label,
            y_label="share of squared weights lost",
            series=(
                Series(label="1 - r(1 - exp(-1/r))", x=grid, y=[analytic_loss(r) for r in grid], style="dashed"),
                _series("trained network, averaged", mean_losses(curve), "points"),
            ),
            x_scale="log",
        ),
        Panel(
            title="Averaged, or trained through the tie",
            x_label=label,
            y_label="test error / %",
            series=(
                _series("averaged after training", rates, "line"),
                _series("trained through the tie", through, "line"),
                _series("plain network of equal size", plain, "line"),
                Series(label="all weights free", x=grid, y=[float(np.mean(errors))] * len(grid), style="dashed"),
            ),
            x_scale="log",
            y_scale="log",
        ),
    )


def _series(label: str, points: Means, style: str) -> Series:
    means, errors = zip(*points.values(), strict=True)
    return Series(label=label, x=list(points), y=means, error=errors, style=style)


def remarks(curve: Curve, errors: Sequence[float], trained: Sequence[Trained]) -> tuple[str, ...]:
    """Where "many buckets are close to the original" is too strong, in the numbers seen; arguments as for `panels`."""
    before, after = np.mean(errors), {ratio: np.mean(rates) for ratio, rates in network_errors(curve).items()}
    first, last = trained[0], trained[-1]
    return (
        "Many buckets are close to the original weights only where they are many times as many: at K = N random "
        f"buckets lose {mean_losses(curve)[1.0][0]:.1%} of the squared weights, 1/e, and the test error goes from "
        f"{before:.1f} to {after[1.0]:.1f} %. Balanced buckets lose nothing there.",
        f"Averaging destroys, training through the tie does not: {fraction(first.compression)} of the parameters give "
        f"{after[first.compression]:.0f} % test error when averaged and {np.mean(first.hashed):.1f} % when trained, "
        f"{fraction(last.compression)} {after[last.compression]:.0f} and {np.mean(last.hashed):.1f} %.",
    )
