"""(9) Squeeze-and-excitation shared across depth: what it saves, what it costs, and what a network makes of it.

Two experiments. With a linear gate the question is a regression: C channel averages at each of B depths, C gates, n
observations a depth. One map for all depths is estimated from the pooled normal equations, one for each from its own,
and the ratio of their errors is known exactly where the depths follow one law. And a small residual network learns to
read digits without recalibration, with a block at each depth, and with one block for all.
"""

from collections.abc import Sequence

import numpy as np
from numpy.typing import NDArray

from ffshare.nn.reproduce.outcome import Check, Outcome, Panel, Series, at_least, at_most, near
from ffshare.nn.reproduce.seeds import mean_and_error
from ffshare.nn.reproduce.squeeze_excite_networks import KINDS, N_DEPTHS, Trained, train
from ffshare.tying import LinearTying

Floats = NDArray[np.float64]
Ratios = dict[tuple[int, float], tuple[float, float]]
"""Number of depths and drift to the ratio of errors and its standard error."""

CHANNELS = 16
N_ROWS = 60
DEPTHS = (2, 4, 8, 16)
DRIFTS = (0.0, 0.25, 0.5, 0.75, 1.0)


def run(quick: bool) -> Outcome:
    """Run the experiment.

    Args:
        quick: A hundred replicas of the regressions and not a thousand; two seeds of the networks and not four, trained
            for a shorter time.

    Returns:
        The outcome.
    """
    n_replicas = 100 if quick else 1000
    ratios = {
        (n_depths, drift): _ratio(n_depths, drift, n_replicas)
        for n_depths in DEPTHS
        for drift in (DRIFTS if n_depths == DEPTHS[-1] else (0.0, 1.0))
    }
    # The network without recalibration is only shown beside the others.
    kinds = ("apart", "shared") if quick else tuple(KINDS)
    networks = [train(seed, n_epochs=10 if quick else 40, kinds=kinds) for seed in range(2 if quick else 4)]
    return Outcome(
        checks=(
            *_pooling_checks(ratios),
            *_drift_checks(ratios),
            # Half-trained networks differ more from seed to seed.
            *_network_checks(networks, most_lost=0.02 if quick else 0.01),
        ),
        panels=(_pooling_panel(ratios), _drift_panel(ratios), _correlation_panel(networks)),
        remarks=(
            "On digits a sixth of the parameters does as well, and no better: accuracies "
            + ", ".join(f"{100 * _accuracies(networks, kind).mean():.2f} % ({kind})" for kind in kinds)
            + ".",
            f"The gates of two depths correlate by {_mean_correlation(networks, 'apart'):.2f} on average where blocks "
            f"are separate and by {_mean_correlation(networks, 'shared'):.2f} where one is shared. One function of "
            "similar averages makes similar gates: correlation under sharing does not show that depths want the same.",
        ),
    )


def _ratio(n_depths: int, drift: float, n_replicas: int) -> tuple[float, float]:
    """Mean squared error of separate maps over that of one map for all depths, with its standard error."""
    rng = np.random.default_rng([n_depths, int(100 * drift)])
    shape = (n_depths, n_replicas, CHANNELS, CHANNELS)
    unit = 1 / np.sqrt(CHANNELS)
    maps = unit * rng.normal(size=shape[1:]) + drift * unit * rng.normal(size=shape)
    averages = rng.normal(size=(n_depths, n_replicas, N_ROWS, CHANNELS))
    arguments = averages @ maps + rng.normal(size=averages.shape)
    grams, moments = averages.mT @ averages, averages.mT @ arguments
    errors = [
        ((_estimate(tying, grams, moments) - maps) ** 2).mean(axis=(0, 2, 3))
        for tying in (LinearTying.identity(n_depths), LinearTying.repeat(n_depths))
    ]
    return _ratio_of_means(*errors)


def _estimate(tying: LinearTying, grams: Floats, moments: Floats) -> Floats:
    """Least squares under a tie over depth, from the normal equations of each depth, shape=(n_depths, ...)."""
    return np.asarray(tying.expand(np.linalg.solve(tying.pool(grams), tying.pool(moments))))


def _ratio_of_means(above: Floats, below: Floats) -> tuple[float, float]:
    """The ratio of two means over the same replicas, and its standard error by the linearised ratio."""
    ratio = above.mean() / below.mean()
    return float(ratio), mean_and_error(above - ratio * below)[1] / float(below.mean())


def _pooling_law(n_depths: int) -> float:
    return (n_depths * N_ROWS - CHANNELS - 1) / (N_ROWS - CHANNELS - 1)


def _pooling_checks(ratios: Ratios) -> tuple[Check, ...]:
    rng = np.random.default_rng(0)
    averages, arguments = rng.normal(size=(2, DEPTHS[0], N_ROWS, CHANNELS))
    pooled = _estimate(LinearTying.repeat(DEPTHS[0]), averages.mT @ averages, averages.mT @ arguments)[0]
    stacked = np.linalg.lstsq(averages.reshape(-1, CHANNELS), arguments.reshape(-1, CHANNELS), rcond=None)[0]
    return (
        at_most(
            "The map from normal equations pooled by the tie is the least-squares fit to the rows of all depths "
            "(largest difference).",
            1e-10,
            float(np.abs(pooled - stacked).max()),
        ),
        *(
            near(
                f"Where {n_depths} depths follow one law, sharing divides the mean squared error of the map by "
                "(Bn - C - 1) / (n - C - 1).",
                _pooling_law(n_depths),
                ratios[n_depths, 0.0][0],
                0.1 * _pooling_law(n_depths),
                ratios[n_depths, 0.0][1],
            )
            for n_depths in DEPTHS
        ),
    )


def _drift_checks(ratios: Ratios) -> tuple[Check, ...]:
    return tuple(
        at_most(
            f"Where {n_depths} depths differ by as much as their maps are large, sharing raises the error: separate "
            "maps have a fraction of it.",
            1.0,
            *ratios[n_depths, 1.0],
        )
        for n_depths in DEPTHS
    )


def _network_checks(networks: Sequence[Trained], most_lost: float) -> tuple[Check, ...]:
    gain, error = mean_and_error(_accuracies(networks, "shared") - _accuracies(networks, "apart"))
    return (
        near(
            "One block for six depths has a sixth of the parameters of six blocks.",
            1 / N_DEPTHS,
            networks[0].n_excite["shared"] / networks[0].n_excite["apart"],
            0.0,
        ),
        at_least(
            f"It reads digits as well: shared and not separate, it costs at most {100 * most_lost:g} % of accuracy "
            "(gain in networks from the same seed, as a fraction).",
            -most_lost,
            gain,
            error,
        ),
    )


def _accuracies(networks: Sequence[Trained], kind: str) -> Floats:
    return np.array([each.accuracies[kind] for each in networks])


def _mean_correlation(networks: Sequence[Trained], kind: str) -> float:
    """Over all pairs of different depths and all seeds."""
    pairs = np.triu_indices(N_DEPTHS, 1)
    return float(np.mean([each.correlations[kind][pairs] for each in networks]))


def _pooling_panel(ratios: Ratios) -> Panel:
    return Panel(
        title="One law at all depths: sharing pools the data",
        x_label="number of depths",
        y_label="error of separate maps / error of a shared map",
        x_scale="log",
        y_scale="log",
        series=(
            Series(
                label="measured",
                x=DEPTHS,
                y=[ratios[n_depths, 0.0][0] for n_depths in DEPTHS],
                error=[ratios[n_depths, 0.0][1] for n_depths in DEPTHS],
                style="points",
            ),
            Series(label="(Bn - C - 1)/(n - C - 1)", x=DEPTHS, y=list(map(_pooling_law, DEPTHS)), style="dashed"),
        ),
    )


def _drift_panel(ratios: Ratios) -> Panel:
    n_depths = DEPTHS[-1]
    return Panel(
        title=f"Laws that differ between {n_depths} depths: from gain to harm",
        x_label="drift of the maps between depths, relative to their size",
        y_label="error of separate maps / error of a shared map",
        y_scale="log",
        series=(
            Series(
                label="measured",
                x=DRIFTS,
                y=[ratios[n_depths, drift][0] for drift in DRIFTS],
                error=[ratios[n_depths, drift][1] for drift in DRIFTS],
            ),
            Series(label="no difference", x=(0.0, 1.0), y=(1.0, 1.0), style="dashed"),
        ),
    )


def _correlation_panel(networks: Sequence[Trained]) -> Panel:
    """Correlation of gates by how many blocks lie between."""
    distances = range(1, N_DEPTHS)
    series = []
    for kind in ("apart", "shared"):
        by_seed = np.array(
            [[np.diagonal(each.correlations[kind], distance).mean() for distance in distances] for each in networks]
        )
        found = [mean_and_error(column) for column in by_seed.T]
        series.append(
            Series(label=kind, x=list(distances), y=[mean for mean, _ in found], error=[error for _, error in found])
        )
    return Panel(
        title="Gates at different depths of a network on digits",
        x_label="blocks between the two depths",
        y_label="correlation over images and channels",
        series=tuple(series),
    )
