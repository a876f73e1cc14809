"""Starting values under sharing: the fan of one application counts, how often a weight is used again does not.

Ratios of variances, after one application to before, are measured for a convolution, whose kernel is used at 1,024
places of an image, and for a recurrent layer, used at 100 steps. Then the variance of tied sites where θ is drawn, and
where it is averaged from drawn sites; and the growth over many steps, which no variance of one step foretells.
"""

from collections.abc import Sequence

import numpy as np
import torch
from numpy.typing import ArrayLike, NDArray

from ffshare.nn.reproduce.outcome import Check, Outcome, Panel, Series, near
from ffshare.nn.reproduce.seeds import mean_and_error
from ffshare.nn.reproduce.starting_values_fans import LAYERS, RULES, convolution
from ffshare.nn.reproduce.starting_values_growth import RADII, Growth, growth_of
from ffshare.nn.reproduce.starting_values_ties import SITES, row_ratio, tied_ratio
from ffshare.tying import LinearTying

Floats = NDArray[np.float64]

MULTIPLICITIES = (4, 16, 64)


def run(quick: bool) -> Outcome:
    """Measure the claims: fewer draws in the quick run."""
    n_draws = 24 if quick else 100
    ratios = [
        np.array([LAYERS[rule.layer](_generator(number, k), rule.factor) for k in range(n_draws)])
        for number, rule in enumerate(RULES)
    ]
    rectified = [convolution(_generator(10, k), rectify=True) for k in range(n_draws)]
    n_sites = SITES[0] * SITES[1]
    ties = [LinearTying.hashed(n_sites, n_sites // c, balanced=True) for c in MULTIPLICITIES]
    drawn, averaged = (
        np.array([[tied_ratio(_generator(20, k), tying, average) for tying in ties] for k in range(n_draws)])
        for average in (False, True)
    )
    growths = [growth_of(radius, quick) for radius in RADII]
    return Outcome(
        checks=(
            *fan_checks(ratios),
            _ratio_check("With Kaiming's gain, a convolution after a ReLU keeps the variance", 1.0, 0.05, rectified),
            *drawing_checks(drawn, averaged),
            *_row_checks(n_draws),
            *growth_checks(growths),
        ),
        panels=(_rule_panel(ratios), _drawing_panel(drawn, averaged), _growth_panel(growths)),
        remarks=(
            "How often a weight is used never enters the variance of one application, but averaging into a shared "
            "parameter shrinks it: draw θ, do not tie drawn sites.",
        ),
    )


def _generator(experiment: int, draw: int) -> torch.Generator:
    return torch.Generator().manual_seed(1000 * experiment + draw)


def _ratio_check(claim: str, expected: float, tolerance: float, ratios: ArrayLike) -> Check:
    """A check of a mean ratio, with a relative tolerance."""
    mean, error = mean_and_error(ratios)
    return near(f"{claim} (ratio of variances).", expected, mean, tolerance * expected, error)


def fan_checks(ratios: Sequence[Floats]) -> tuple[Check, ...]:
    """What is claimed of each of `RULES`: the right fan within 5 %, the wrong ones within 10 %."""
    return tuple(
        _ratio_check(rule.claim, rule.factor, 0.05 if rule.factor == 1.0 else 0.1, found)
        for rule, found in zip(RULES, ratios, strict=True)
    )


def drawing_checks(drawn: Floats, averaged: Floats) -> tuple[Check, ...]:
    """What is claimed of drawn and of averaged parameters, one column for each multiplicity."""
    return (
        *(
            _ratio_check(f"Drawn, a parameter of {c} sites gives them the variance wanted", 1.0, 0.05, drawn[:, i])
            for i, c in enumerate(MULTIPLICITIES)
        ),
        *(
            _ratio_check(
                f"Averaged from {c} drawn sites, a parameter gives them a variance {c} times too small",
                1 / c,
                0.1,
                averaged[:, i],
            )
            for i, c in enumerate(MULTIPLICITIES)
        ),
    )


def _row_checks(n_draws: int) -> tuple[Check, ...]:
    n_sites, n_free = 1024, 128
    basis = LinearTying.basis(np.linalg.qr(np.random.default_rng(6).normal(size=(n_sites, n_free)))[0])
    turned = LinearTying.orbit((32, 32), [np.rot90])
    by_orbits, by_norms, as_sites = (
        [row_ratio(_generator(30, k), tying, follow_norms) for k in range(4 * n_draws)]
        for tying, follow_norms in ((turned, True), (basis, True), (basis, False))
    )
    return (
        _ratio_check("Entries that quarter turns exchange have the variance wanted", 1.0, 0.05, by_orbits),
        _ratio_check(
            "Sites in the span of 128 orthonormal vectors have it, too, where θ is drawn by the norms of the rows",
            1.0,
            0.05,
            by_norms,
        ),
        _ratio_check(
            "Where θ is drawn as if it were the sites, they have 128 / 1,024 of it", n_free / n_sites, 0.1, as_sites
        ),
    )


def growth_checks(growths: Sequence[Growth]) -> tuple[Check, ...]:
    """What is claimed of one step and of many."""
    return (
        *(
            near(
                f"A recurrent matrix of spectral radius {found.radius:.1f} keeps the variance in one step …",
                1.0,
                mean_and_error(found.one_step)[0],
                0.05,
                mean_and_error(found.one_step)[1],
            )
            for found in growths
        ),
        *(
            near(
                f"… and its states {'grow' if found.radius > 1 else 'shrink'} by the logarithm of that radius a step "
                "in the long run.",
                float(np.log(radius)),
                found.per_step,
                1e-3,
            )
            for radius, found in zip(RADII, growths, strict=True)
        ),
    )


def _rule_panel(ratios: Sequence[Floats]) -> Panel:
    measured = [mean_and_error(found) for found in ratios]
    return Panel(
        title="What counts as the fan",
        x_label="what is taken for the fan",
        y_label="variance after over before",
        series=tuple(
            Series(
                label=layer,
                x=[rule.fan for rule in RULES if rule.layer == layer],
                y=[mean for rule, (mean, _) in zip(RULES, measured, strict=True) if rule.layer == layer],
                error=[error for rule, (_, error) in zip(RULES, measured, strict=True) if rule.layer == layer],
                style="bars",
            )
            for layer in LAYERS
        ),
        y_scale="log",
    )


def _drawing_panel(drawn: Floats, averaged: Floats) -> Panel:
    return Panel(
        title="Draw parameters, do not average sites",
        x_label="sites to a parameter",
        y_label="variance of the sites over that wanted",
        series=(
            *(
                Series(
                    label=label,
                    x=MULTIPLICITIES,
                    y=found.mean(axis=0).tolist(),
                    error=[mean_and_error(column)[1] for column in found.T],
                    style="points",
                )
                for label, found in (("θ drawn", drawn), ("θ averaged from drawn sites", averaged))
            ),
            Series(label="one over their number", x=MULTIPLICITIES, y=[1 / c for c in MULTIPLICITIES], style="dashed"),
        ),
        x_scale="log",
        y_scale="log",
    )


def _growth_panel(growths: Sequence[Growth]) -> Panel:
    steps = list(range(0, len(growths[0].start), 10))
    return Panel(
        title="Equal variance in one step, different ends",
        x_label="step",
        y_label="logarithm of the norm of the state",
        series=(
            *(
                Series(label=f"spectral radius {found.radius:.1f}", x=steps, y=found.start[steps].tolist())
                for found in growths
            ),
            *(
                Series(label="", x=steps, y=[found.start[0] + np.log(radius) * step for step in steps], style="dashed")
                for radius, found in zip(RADII, growths, strict=True)
            ),
        ),
    )
