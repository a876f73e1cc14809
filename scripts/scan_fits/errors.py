"""Errors of scan energies, with intervals of a bootstrap over molecules."""

from collections.abc import Sequence
from typing import Any

import numpy as np
from numpy.typing import NDArray

Floats = NDArray[np.float64]

N_BOOTSTRAP, SEED = 2000, 0


def rmse(residuals: Sequence[Floats]) -> float:
    """Root mean square of some residuals."""
    return float(np.sqrt(np.mean(np.concatenate(residuals) ** 2)))


def interval(before: Sequence[Floats], after: Sequence[Floats], names: Sequence[str]) -> dict[str, Any]:
    """Errors before and after and their difference, with intervals of a bootstrap over molecules.

    Args:
        before: Residuals of each scan.
        after: Residuals of each scan.
        names: Molecule of each scan.

    Returns:
        Numbers of molecules, scans and energies; pooled errors; medians over scans; share of scans that got better.
    """
    distinct, member = np.unique(np.array(names), return_inverse=True)
    counts = np.bincount(member, weights=[len(each) for each in before])
    squares = [np.bincount(member, weights=[float(each @ each) for each in of]) for of in (before, after)]
    draws = np.random.default_rng(SEED).integers(len(distinct), size=(N_BOOTSTRAP, len(distinct)))
    drawn = [np.sqrt(of[draws].sum(axis=1) / counts[draws].sum(axis=1)) for of in squares]
    by_scan = [np.array([rmse([each]) for each in of]) for of in (before, after)]
    return {
        "molecules": len(distinct),
        "scans": len(names),
        "energies": int(counts.sum()),
        "before": rmse(before),
        "after": rmse(after),
        "before_interval": _ends(drawn[0]),
        "after_interval": _ends(drawn[1]),
        "change": rmse(after) - rmse(before),
        "change_interval": _ends(drawn[1] - drawn[0]),
        "median_scan_before": float(np.median(by_scan[0])),
        "median_scan_after": float(np.median(by_scan[1])),
        "scans_improved": float(np.mean(by_scan[1] < by_scan[0])),
    }


def _ends(drawn: Floats) -> list[float]:
    return np.percentile(drawn, [2.5, 97.5]).tolist()
