#!/usr/bin/env python3
"""Estimate the constants of GAFF's empirical formulas from its tables: formula.toml of rules/gaff/ and rules/gaff2/.

    python scripts/fit_formulas.py [AMBERHOME]

The forms of the formulas are published (see ``ffshare.assign.atom_types.formulas``). Most force constants of the tables
were computed by them and the rest were measured or fitted, so the constants are where most rows agree, not where the
mean is: a least-absolute-deviations fit of the logarithm, then single constants are moved to wherever more rows come
within 2 % (elements with two populations of rows), then the fit once more over the rows that agree. Nothing but the
public-domain tables goes in. The exponent of the bonds is rounded to two decimals before its constants are taken.

With AMBERHOME the constants are compared with those that AmberTools' parmchk2 reads; they are printed and never stored.
"""

import re
import sys
from collections.abc import Mapping
from pathlib import Path
from typing import NamedTuple

import numpy as np
from numpy.typing import NDArray

from ffshare.assign.atom_types.definition import AtomTypedForceField, load_definition
from ffshare.assign.atom_types.formulas import (
    ANGLE_PREFACTOR,
    TOLERANCE,
    Formulas,
    angle_constant,
    angle_terms,
    bond_terms,
    deviations,
    effective_counts,
)

RULES = Path(__file__).parent.parent / "rules"
NAMES = ("gaff", "gaff2")
FIXED_ELEMENT = "C"
SWEEPS = 200
SMALLEST_RESIDUAL = 1e-6

HEADER = """# Constants of the empirical formulas of {name} {version}, estimated from bonds.csv and angles.csv alone.
#   bonds:  K = exp(ln_k - exponent ln r0),  kcal/mol/Å^2;  r0 = sum of two radii where no row has it
#   angles: K = {prefactor} z c z exp(-2D) / ((r1 + r2) sqrt(angle)),  D = ((r1 - r2) / (r1 + r2))^2,  kcal/mol/rad^2
# Made by scripts/fit_formulas.py. Do not edit: run the script again.
"""


class Residuals(NamedTuple):
    """How well a formula gives the numbers of a table."""

    n_rows: int
    share_within_2_percent: float
    median_deviation: float


def least_absolute(design: NDArray[np.float64], values: NDArray[np.float64]) -> NDArray[np.float64]:
    """Coefficients with the least sum of absolute residuals, by iteratively reweighted least squares."""
    weights, before = np.ones(len(values)), np.inf
    for _ in range(SWEEPS):
        weighted = design * weights[:, None]
        # The small normal equations may be singular: types that only ever stand together.
        found = np.linalg.lstsq(weighted.T @ design, weighted.T @ values, rcond=None)[0]
        if np.max(np.abs(found - before)) < SMALLEST_RESIDUAL:
            break
        before = found
        weights = 1.0 / np.maximum(np.abs(values - design @ found), SMALLEST_RESIDUAL)
    return found


def most_rows_agree(
    design: NDArray[np.float64], values: NDArray[np.float64], start: NDArray[np.float64]
) -> NDArray[np.float64]:
    """Coefficients for which as many residuals as can be are below the tolerance, moved one at a time."""
    found, n_agreeing = start.copy(), -1
    while n_agreeing < (n_agreeing := _n_agreeing(values - design @ found)):
        for place, column in enumerate(design.T):
            residuals = values - design @ found
            moves = np.unique(np.round(residuals[column != 0] / column[column != 0], 3))
            gains = [_n_agreeing(residuals - column * move) for move in moves]
            if max(gains) > _n_agreeing(residuals):
                found[place] += moves[np.argmax(gains)]
    agreeing = np.abs(values - design @ found) < TOLERANCE
    return least_absolute(design[agreeing], values[agreeing])


def _n_agreeing(residuals: NDArray[np.float64]) -> int:
    return int((np.abs(residuals) < TOLERANCE).sum())


def densest(values: NDArray[np.float64]) -> float:
    """The median of those values that most others are close to."""
    ordered = np.sort(values)
    ends = np.searchsorted(ordered, ordered + TOLERANCE, side="right")
    first = int(np.argmax(ends - np.arange(len(ordered))))
    return float(np.median(ordered[first : ends[first]]))


def fit_bonds(definition: AtomTypedForceField) -> tuple[float, dict[str, float]]:
    """The exponent, and ln K of each pair of elements."""
    terms = bond_terms(definition.tables["Bonds"], definition.elements)
    used = terms.k > 0
    pairs = np.array(terms.pairs)[used]
    names, which = np.unique(pairs, return_inverse=True)
    ln_k, ln_r = np.log(terms.k[used]), np.log(terms.lengths[used])
    design = np.column_stack([which[:, None] == np.arange(len(names)), -ln_r]).astype(float)
    estimate = float(least_absolute(design, ln_k)[-1])
    exponent = round(estimate, 2)
    print(f"  exponent of the bonds {estimate:.5f}, taken as {exponent}")
    of_rows = ln_k + exponent * ln_r
    return exponent, {str(name): round(densest(of_rows[which == at]), 4) for at, name in enumerate(names)}


def fit_radii(definition: AtomTypedForceField) -> dict[str, float]:
    """The radius of each type [Å]."""
    names = sorted({name for rule_id in definition.tables["Bonds"].ids for name in rule_id.split("-")})
    design = np.zeros((len(definition.tables["Bonds"]), len(names)))
    for row, rule_id in enumerate(definition.tables["Bonds"].ids):
        for name in rule_id.split("-"):
            design[row, names.index(name)] += 1
    radii = least_absolute(design, definition.tables["Bonds"].columns["length"].values)
    return {name: round(float(radius), 4) for name, radius in zip(names, radii, strict=True)}


def fit_angles(definition: AtomTypedForceField) -> tuple[dict[str, float], dict[str, float]]:
    """Z and C of each element."""
    terms = angle_terms(definition.tables["Angles"], definition.tables["Bonds"], definition.elements)
    used = np.flatnonzero((terms.k > 0) & np.all(np.isfinite(terms.lengths), axis=1))
    outer = sorted({terms.elements[row][place] for row in used for place in (0, 2)})
    central = sorted({terms.elements[row][1] for row in used})
    design = np.zeros((len(used), len(outer) + len(central)))
    for at, row in enumerate(used):
        first, middle, last = terms.elements[row]
        for place in (outer.index(first), outer.index(last), len(outer) + central.index(middle)):
            design[at, place] += 1
    values = np.log(terms.k[used] / angle_constant(np.ones(len(used)), terms.lengths[used], terms.angles[used]))
    found = most_rows_agree(design, values, least_absolute(design, values))
    z, c = found[: len(outer)], found[len(outer) :]
    fixed = z[outer.index(FIXED_ELEMENT)]
    return (
        {name: round(float(value), 4) for name, value in zip(outer, np.exp(z - fixed), strict=True)},
        {name: round(float(value), 4) for name, value in zip(central, np.exp(c + 2 * fixed), strict=True)},
    )


def residuals_of(deviation: NDArray[np.float64]) -> Residuals:
    """How far the rows of a table are from a formula."""
    return Residuals(
        len(deviation), round(float(np.mean(deviation <= TOLERANCE)), 4), float(f"{np.median(deviation):.2g}")
    )


def fit(definition: AtomTypedForceField) -> tuple[Formulas, Residuals, Residuals, Residuals]:
    """The constants, and the residuals of bonds, of angles and of the lengths that radii give [Å]."""
    exponent, ln_k = fit_bonds(definition)
    z, c = fit_angles(definition)
    formulas = Formulas(exponent=exponent, ln_k=ln_k, radii=fit_radii(definition), z=z, c=c)
    tables, elements = definition.tables, definition.elements
    lengths = np.array([sum(formulas.radii[name] for name in key.split("-")) for key in tables["Bonds"].ids])
    return (
        formulas,
        residuals_of(deviations(bond_terms(tables["Bonds"], elements), formulas)),
        residuals_of(deviations(angle_terms(tables["Angles"], tables["Bonds"], elements), formulas)),
        residuals_of(np.abs(lengths / tables["Bonds"].columns["length"].values - 1.0)),
    )


def write(definition: AtomTypedForceField, formulas: Formulas, *residuals: Residuals) -> None:
    """Write formula.toml."""
    of_bonds, of_angles, of_radii = (_inline(found._asdict()) for found in residuals)
    lines = [
        HEADER.format(name=definition.name, version=definition.version, prefactor=ANGLE_PREFACTOR),
        "[bonds]",
        f"exponent = {formulas.exponent}",
        f"residuals = {of_bonds}",
        f"residuals_of_radii = {of_radii}",
        f"ln_k = {_inline(formulas.ln_k)}",
        f"radii = {_inline(formulas.radii)}",
        "",
        "[angles]",
        f"residuals = {of_angles}",
        f"z = {_inline(formulas.z)}",
        f"c = {_inline(formulas.c)}",
    ]
    path = Path(definition.folder) / "formula.toml"
    path.write_text("\n".join(lines) + "\n", encoding="utf-8")


def _inline(values: Mapping[str, float]) -> str:
    # A key with a sign in it, such as n+, needs quotes.
    named = ((name if re.fullmatch(r"[\w-]+", name) else f'"{name}"', value) for name, value in values.items())
    return "{ " + ", ".join(f"{name} = {value}" for name, value in named) + " }"


def compare(formulas: Formulas, path: Path) -> None:
    """Print how far the constants are from those of parmchk2, in the same gauge."""
    bonds: dict[str, float] = {}
    z: dict[str, float] = {}
    c: dict[str, float] = {}
    for kind, *fields in (line.split()[1:] for line in path.read_text().splitlines() if line.startswith("PARM")):
        if kind == "BL":
            bonds["-".join(sorted((fields[0], fields[2])))] = float(fields[5])
        elif kind == "BA":
            c[fields[0]], z[fields[0]] = float(fields[2]), float(fields[3])
    scale = z[FIXED_ELEMENT]
    for title, ours, theirs in (
        ("K of bonds", formulas.ln_k, bonds),
        ("Z", formulas.z, {name: value / scale for name, value in z.items()}),
        ("C", formulas.c, {name: value * scale**2 for name, value in c.items()}),
    ):
        apart = {
            name: np.exp(value - theirs[name]) - 1 if title == "K of bonds" else value / theirs[name] - 1
            for name, value in ours.items()
            if name in theirs
        }
        far = ", ".join(f"{name} {100 * value:+.1f} %" for name, value in apart.items() if abs(value) > TOLERANCE)
        median = 100 * np.median(np.abs(list(apart.values())))
        print(f"  {title}: median {median:.3f} % from parmchk2's; far: {far or 'none'}")


def main(amber_home: Path | None = None) -> None:
    """Fit both force fields."""
    for name in NAMES:
        # The definition is loaded without its old constants.
        (RULES / name / "formula.toml").unlink(missing_ok=True)
        definition = load_definition(RULES / name)
        print(name)
        formulas, *residuals = fit(definition)
        write(definition, formulas, *residuals)
        for title, found in zip(("bond k", "angle k", "bond length by radii"), residuals, strict=True):
            print(
                f"  {title}: {100 * found.share_within_2_percent:.1f} % of {found.n_rows} within 2 %, "
                f"median deviation {100 * found.median_deviation:.4f} %"
            )
        effective = effective_counts(definition.tables, definition.elements, formulas)
        print(f"  effective: {sum(effective.values())}, {effective}")
        if amber_home is not None:
            compare(formulas, amber_home / "dat" / "antechamber" / f"PARM_BLBA_{name.upper()}.DAT")


if __name__ == "__main__":
    main(*map(Path, sys.argv[1:2]))
