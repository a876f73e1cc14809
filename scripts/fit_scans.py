#!/usr/bin/env python3
"""Fit the torsion barriers of a force field to torsion scans, and see whether that helps molecules held out of the fit.

    python scripts/fit_scans.py SCANS.jsonl.xz [--external OTHER.jsonl.xz …] [--json OUT.json]

Only the barriers of ProperTorsions move, and only energies count. All else stays as in the force field: bonds, angles,
impropers, van der Waals and charges. Each scan has its own zero of energy. Energies are those of the force field *at
the geometries of the scans*, which were relaxed by quantum chemistry and not by the force field.

Scans are cut into folds by molecule (canonical SMILES), so that no molecule is in training and held out. The width of
the prior about the released barriers is chosen for each fold by folds within its training molecules. Errors are root
mean squares of energies from their mean over a scan; intervals are of a bootstrap over molecules (2.5 % to 97.5 %).
Barriers that no training scan touches keep their values.

Other files of scans (--external), perhaps of other levels of theory, are only evaluated, with the barriers fitted to
all scans of the first file, and without the molecules that are in it.
"""

import argparse
import json
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

import numpy as np
from scan_fits.errors import interval
from scan_fits.fits import FOLDS, SEED, Fit, cross_validated, folds_of
from scan_fits.scans import fitted, load

import ffshare
from ffshare.assign import Scheme
from ffshare.fit import FitResult


def study(
    scheme: Scheme, path: Path, charges: str, softening: float = float("inf"), external: Sequence[Path] = ()
) -> dict[str, Any]:
    """All numbers of this script.

    Args:
        scheme: The force field.
        path: Scans to fit to.
        charges: A method of `charges_by_name`.
        softening: See `Weights`; inf: all energies of a scan count the same.
        external: Scans that are only evaluated.

    Returns:
        What is printed, and written as JSON.
    """
    scans = load(scheme, path, charges)
    fit = Fit(scans, softening)
    found = cross_validated(scans, fit)
    everything = np.ones(len(scans.molecules), dtype=bool)
    width = fit.best_width(everything, folds_of(scans.names, FOLDS, SEED))
    result = fit.of(everything, width)
    rows: dict[str, Mapping[str, Any]] = {f"{name}, {scans.level}": row for name, row in found["rows"].items()}
    left_out = {str(path.name): scans.n_left_out}
    for other in external:
        more = load(scheme, other, charges, frozenset(scans.names))
        left_out[other.name] = more.n_left_out
        before, after = more.residuals(more.assignment), more.residuals(fitted(more, result))
        rows[f"external, {more.level}"] = interval(before, after, more.names)
    return {
        "scheme": scheme.name,
        "charges": charges,
        "softening": None if np.isinf(softening) else softening,
        "rows": rows,
        "folds": found["folds"],
        "all": {"width": width, "parameters": len(result.parameters), "status": result.status},
        "largest_changes": _largest(result),
        "spreads": scans.spreads(),
        "before_without_bonds_and_angles": scans.error_without_strain(),
        "left_out_scans": left_out,
        "left_out_torsions": len(result.left_out),
    }


def _largest(result: FitResult, most: int = 8) -> list[dict[str, Any]]:
    """The barriers that moved furthest in the fit to all scans."""
    moved = np.abs(result.values - result.parameters.values)
    table = result.to_table().to_pylist()
    keys = ("name", "before", "after", "standard_error", "n_molecules")
    return [{key: table[idx][key] for key in keys} for idx in np.argsort(-moved)[:most].tolist()]


def show(found: Mapping[str, Any]) -> None:
    """Print the numbers as a table."""
    print(f"{found['scheme']}, {found['charges']} charges; RMSE of scan energies from their mean [kcal/mol]")
    print(f"{'':44} {'mol.':>5} {'scans':>5} {'before':>21} {'after':>21} {'change':>23} {'median':>13} {'better':>7}")
    for name, row in found["rows"].items():
        print(f"{name:44} {_cells(row)}")
    chosen = (f"width {one['width']:g}, {one['parameters']} barriers, {one['status']}" for one in found["folds"])
    print("folds: " + "; ".join(chosen))
    print("RMS within a scan: " + ", ".join(f"{name} {value:.2f}" for name, value in found["spreads"].items()))
    print(f"before, without bonds and angles: {found['before_without_bonds_and_angles']:.3f}")
    moved = (f"{one['name']} {one['before']:.2f} → {one['after']:.2f}" for one in found["largest_changes"])
    print("largest changes: " + "; ".join(moved))


def _cells(row: Mapping[str, Any]) -> str:
    errors = []
    for key in ("before", "after"):
        low, high = row[f"{key}_interval"]
        errors.append(f"{row[key]:.3f} ({low:.3f}, {high:.3f})")
    low, high = row["change_interval"]
    change = f"{row['change']:+.3f} ({low:+.3f}, {high:+.3f})"
    medians = f"{row['median_scan_before']:.2f} → {row['median_scan_after']:.2f}"
    counts = f"{row['molecules']:5} {row['scans']:5}"
    return f"{counts} {errors[0]:>21} {errors[1]:>21} {change:>23} {medians:>13} {row['scans_improved']:7.0%}"


def main() -> None:
    """Read the command line, compute, print and write."""
    parser = argparse.ArgumentParser(description="Fit torsion barriers to scans; errors on molecules held out.")
    parser.add_argument("scans", type=Path)
    parser.add_argument("--scheme", default="openff-2.2.1")
    parser.add_argument("--charges", default="nagl", help="nagl, openff, gasteiger …")
    parser.add_argument("--softening", type=float, default=float("inf"), help="see ffshare.fit.Weights [kcal/mol]")
    parser.add_argument("--external", type=Path, action="append", default=[])
    parser.add_argument("--json", type=Path)
    given = parser.parse_args()
    found = study(ffshare.load_scheme(given.scheme), given.scans, given.charges, given.softening, given.external)
    show(found)
    if given.json is not None:
        given.json.write_text(json.dumps(found, indent=1, ensure_ascii=False) + "\n", encoding="utf-8")


if __name__ == "__main__":
    main()
