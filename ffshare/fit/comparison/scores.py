"""What a comparison finds: numbers of parameters and errors of each scheme, with intervals.

Intervals are percentiles over draws of as many molecules as there are, with replacement: molecules, not conformers, are
what a force field meets next. The same draws serve all schemes, so that differences of two schemes, of which most of
the luck of the draw cancels, have intervals of their own. Of a control that was drawn several times, squared errors are
means over the draws, and the range of the draws is shown beside.
"""

from collections.abc import Mapping, Sequence
from typing import Any

import numpy as np
from numpy.typing import NDArray

from ffshare.fit.comparison.contest import FoldScores, WholeScores
from ffshare.fit.comparison.sums import Errors
from ffshare.fit.reference import ReferenceData
from ffshare.model.coordinates import FloatArray
from ffshare.molecules.ragged import IntArray
from ffshare.records import doc, record

KINDS = ("energy", "force")
_PERCENTILES = (2.5, 97.5)


@record
class SchemeScores:
    """One scheme, or one draw of a control, in all folds and in all data."""

    group: str = doc("what it is shown as")
    scheme: str = doc("name that loads it")
    whole: WholeScores = doc("all of the data")
    folds: tuple[FoldScores, ...] = doc("fold by fold")

    def held_out(self, n_molecules: int) -> Errors:
        """The errors of every molecule in the fold that held it out."""
        squares, counts = np.zeros((n_molecules, 2)), np.zeros((n_molecules, 2), dtype=np.int64)
        for fold in self.folds:
            squares[list(fold.molecules)] = fold.squares
            counts[list(fold.molecules)] = fold.counts
        return Errors(squares=squares, counts=counts)

    @property
    def training(self) -> FloatArray:
        """Mean square errors in training, over all folds, shape=(2,)."""
        squares = np.sum([fold.training_squares for fold in self.folds], axis=0)
        counts = np.sum([fold.training_counts for fold in self.folds], axis=0)
        found: FloatArray = squares / np.maximum(counts, 1)
        return found

    @property
    def share_without(self) -> float:
        """Share of held-out bonds, angles and propers that no fitted parameter reaches."""
        return sum(fold.n_without for fold in self.folds) / max(sum(fold.n_sites for fold in self.folds), 1)


@record
class Comparison:
    """The outcome of a comparison."""

    terms: str = doc("which terms were fitted")
    level: str = doc("level of theory of the data")
    n_molecules: int = doc("molecules")
    n_conformers: int = doc("conformers")
    n_hessians: int = doc("molecules whose prior means come from a Hessian; those of the others are from elements")
    n_covered: int = doc("molecules that every scheme has all rules for")
    n_seen: int = doc("of these, held-out molecules all of whose parameters every scheme but untied had seen")
    rows: tuple[Mapping[str, Any], ...] = doc("one a scheme, see `summarised`")
    schemes: tuple[SchemeScores, ...] = doc("the scores behind them")

    def to_json(self) -> dict[str, Any]:
        """Everything but the scores of single molecules."""
        return {
            "terms": self.terms,
            "level_of_theory": self.level,
            "n_molecules": self.n_molecules,
            "n_conformers": self.n_conformers,
            "n_with_hessian": self.n_hessians,
            "n_covered_by_all": self.n_covered,
            "n_seen_by_all": self.n_seen,
            "units": {"energy": "kcal/mol", "force": "kcal/mol/Å"},
            "schemes": [dict(row) for row in self.rows],
        }


def summarised(
    terms: str,
    schemes: Sequence[SchemeScores],
    table: Errors,
    reference: ReferenceData,
    n_bootstrap: int,
    seed: int,
    n_hessians: int = 0,
) -> Comparison:
    """The rows of a comparison.

    Args:
        terms: Which terms were fitted.
        schemes: Scores of each scheme; draws of one control follow each other.
        table: Errors of the fixed table alone.
        reference: The data.
        n_bootstrap: Draws of molecules for intervals.
        seed: Of the draws.
        n_hessians: Molecules whose prior means come from a Hessian.

    Returns:
        A row for each group, with the numbers of parameters, the share of held-out sites without a fitted parameter,
        errors in training, held out, and held out on the molecules that all cover, with intervals; the difference to
        the first scheme; and last a row for the table alone.
    """
    n = reference.n_molecules
    is_covered, is_seen = np.ones(n, dtype=bool), np.ones(n, dtype=bool)
    for each in schemes:
        is_covered[list(each.whole.uncovered)] = False
        if not each.scheme.startswith("untied"):
            for fold in each.folds:
                is_seen[list(fold.lacking)] = False
    subsets = {
        "held_out": np.arange(n),
        "covered": np.flatnonzero(is_covered),
        "seen": np.flatnonzero(is_covered & is_seen),
    }
    draws = {name: _draws(each, n_bootstrap, seed) for name, each in subsets.items()}
    groups: dict[str, list[SchemeScores]] = {}
    for each in schemes:
        groups.setdefault(each.group, []).append(each)
    errors = {group: [each.held_out(n) for each in of] for group, of in groups.items()}
    first = _mean(next(iter(errors.values())))
    rows = [
        {
            "scheme": group,
            "n_draws": len(of),
            "defined": _number([each.whole.n_defined for each in of]),
            "exercised": _number([each.whole.n_exercised for each in of]),
            "identifiable": _number([each.whole.n_identifiable for each in of]),
            "share_without_parameter": float(np.mean([each.share_without for each in of])),
            "training": _plain(np.sqrt(np.mean([each.training for each in of], axis=0))),
            **_of_subsets(errors[group], first, subsets, draws),
            "choices": [dict(fold.choice) for each in of for fold in each.folds],
            "statuses": sorted({fold.status for each in of for fold in each.folds}),
        }
        for group, of in groups.items()
    ]
    alone = {"scheme": "table alone", "n_draws": 1, "defined": 0, "exercised": 0, "identifiable": 0}
    alone |= {"share_without_parameter": 1.0, "training": _plain(table.rmse())}
    rows.append({**alone, **_of_subsets([table], first, subsets, draws), "choices": [], "statuses": []})
    return Comparison(
        terms=terms,
        level=reference.level,
        n_molecules=n,
        n_conformers=reference.n_conformers,
        n_hessians=n_hessians,
        n_covered=len(subsets["covered"]),
        n_seen=len(subsets["seen"]),
        rows=tuple(rows),
        schemes=tuple(schemes),
    )


def _of_subsets(
    errors: Sequence[Errors], first: Errors, subsets: Mapping[str, IntArray], draws: Mapping[str, IntArray]
) -> dict[str, Any]:
    """Errors on each subset of the molecules."""
    mean = _mean(errors)
    found: dict[str, Any] = {}
    for name, chosen in subsets.items():
        values, of_first = _rmses(mean, draws[name]), _rmses(first, draws[name])
        singles = np.array([each.rmse(chosen) for each in errors])
        found[name] = {
            kind: {
                "rmse": _finite(mean.rmse(chosen)[place]),
                "interval": _interval(values[:, place]),
                "less_first": _interval((values - of_first)[:, place]),
                "range_of_draws": [float(singles[:, place].min()), float(singles[:, place].max())]
                if len(errors) > 1
                else None,
            }
            for place, kind in enumerate(KINDS)
        }
    return found


def _mean(errors: Sequence[Errors]) -> Errors:
    """Mean squared errors over draws of a control."""
    return Errors(squares=np.mean([each.squares for each in errors], axis=0), counts=errors[0].counts)


def _draws(chosen: IntArray, n_draws: int, seed: int) -> IntArray:
    """Draws of molecules, with replacement, shape=(n_draws, n_molecules)."""
    if not len(chosen):
        return np.zeros((0, 0), dtype=np.int64)
    return chosen[np.random.default_rng(seed).integers(len(chosen), size=(n_draws, len(chosen)))]


def _rmses(errors: Errors, draws: IntArray) -> NDArray[np.float64]:
    """Root mean square errors of each draw, shape=(n_draws, 2)."""
    squares, counts = errors.squares[draws].sum(axis=1), errors.counts[draws].sum(axis=1)
    found: NDArray[np.float64] = np.sqrt(
        np.divide(squares, counts, out=np.full(squares.shape, np.nan), where=counts > 0)
    )
    return found


def _interval(values: FloatArray) -> list[float] | None:
    if not len(values) or not np.isfinite(values).all():
        return None
    low, high = np.percentile(values, _PERCENTILES)
    return [float(low), float(high)]


def _plain(values: FloatArray) -> dict[str, float | None]:
    return {kind: _finite(value) for kind, value in zip(KINDS, values, strict=True)}


def _finite(value: float) -> float | None:
    return float(value) if np.isfinite(value) else None


def _number(values: Sequence[int]) -> int | float:
    """A number that draws of a control agree on, or else their mean."""
    return values[0] if len(set(values)) == 1 else float(np.mean(values))
