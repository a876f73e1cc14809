"""The rows of a fit along some directions: what decides where the normal matrix is too coarse.

The singular values of JV, with J all rows and V a few directions, are those of the triangular factor of JV. It takes
one pass over the data: each chunk of molecules gives a factor of its own rows, and two factors R and S become that of
all their rows by the QR factorisation of [R; S]. They are paired by their places alone (`ffshare.parallel.tree_sum`).

Reference:
    Demmel, Grigori, Hoemmen and Langou, SIAM J. Sci. Comput. 34, A206 (2012), for factors of rows in a tree.
"""

from collections.abc import Iterable, Iterator, Sequence
from contextlib import closing
from dataclasses import replace
from itertools import islice

import numpy as np

from ffshare.fit.accumulate import MOLECULES_AT_ONCE, Gathered
from ffshare.fit.identifiability import RowFactor
from ffshare.fit.problem import FitProblem
from ffshare.fit.reference import ReferenceMolecule
from ffshare.fit.residuals import Chunk
from ffshare.model.coordinates import FloatArray
from ffshare.molecules.ragged import IntArray
from ffshare.parallel import HERE, Engine, one_thread, tree_sum
from ffshare.records import doc, record

# Molecules from which on starting workers costs less than they save.
_WORTH_WORKERS = 2000

_Numbered = list[tuple[int, ReferenceMolecule]]


def row_factor(
    problem: FitProblem, reference: Iterable[ReferenceMolecule], directions: FloatArray, engine: Engine = HERE
) -> FloatArray:
    """The triangular factor of the rows of a problem along some directions.

    Args:
        problem: The problem.
        reference: Reference data of the molecules of its batch, in their order.
        directions: Directions of the unknowns, shape=(n_columns, k).
        engine: Where the work is done.

    Returns:
        R with RᵀR = VᵀJᵀJV, accurate to rounding of the rows and not of their squares, shape=(k, k).
    """
    k = directions.shape[1]
    work = _Factor(problem=problem, directions=directions)
    with one_thread(), closing(engine.map(work, _chunked(problem, reference))) as factors:
        found = tree_sum(factors, _stacked)
    return np.zeros((k, k)) if found is None else found


def touching_factor(
    problem: FitProblem, reference: Sequence[ReferenceMolecule], sums: Gathered, engine: Engine = HERE
) -> RowFactor:
    """The rows of a problem along any directions, of the molecules alone that these touch.

    Args:
        problem: The problem.
        reference: Reference data of the molecules of its batch, in their order.
        sums: Its sums, which say what a molecule touches.
        engine: Where the work is done where there is enough of it.

    Returns:
        From directions, shape=(n_columns, k), to the factor that `row_factor` has for them, shape=(k, k).
    """

    def factor(directions: FloatArray) -> FloatArray:
        is_touched = np.any(directions != 0.0, axis=1)
        touching = [each.molecule_idx for each in sums.molecules if is_touched[each.columns].any()]
        skipped = np.setdiff1d(np.arange(len(reference)), np.array(touching, dtype=np.int64))
        by = engine if len(touching) >= _WORTH_WORKERS else HERE
        return row_factor(replace(problem, skipped=skipped), reference, directions, by)

    return factor


def spread(factor: RowFactor, columns: IntArray, n_columns: int) -> RowFactor:
    """The factor along directions of some of the columns.

    Args:
        factor: That along directions of all of them.
        columns: Some columns, shape=(n,).
        n_columns: Number of all.

    Returns:
        From directions of the chosen columns, shape=(n, k), to their factor.
    """

    def of_some(directions: FloatArray) -> FloatArray:
        full = np.zeros((n_columns, directions.shape[1]))
        full[columns] = directions
        return factor(full)

    return of_some


@record
class _Factor:
    """The factor of the rows of some molecules. Picklable."""

    problem: FitProblem = doc("the problem")
    directions: FloatArray = doc("directions of the unknowns, shape=(n_columns, k)")

    def __call__(self, given: _Numbered) -> FloatArray:
        """R of numbered molecules, shape=(k, k)."""
        k = self.directions.shape[1]
        factor = np.zeros((k, k))
        chunk = Chunk.of(self.problem, np.array([idx for idx, _ in given]), [molecule for _, molecule in given])
        with one_thread():
            for rows in chunk.rows(chunk.straight()):
                factor = _stacked(factor, rows.values.T @ self.directions[rows.columns])
        return factor


def _chunked(problem: FitProblem, reference: Iterable[ReferenceMolecule]) -> Iterator[_Numbered]:
    """Molecules that take part, some at a time, with their numbers."""
    skipped = set(problem.skipped.tolist())
    left = ((idx, molecule) for idx, molecule in enumerate(reference) if idx not in skipped)
    while given := list(islice(left, MOLECULES_AT_ONCE)):
        yield given


def _stacked(first: FloatArray, second: FloatArray) -> FloatArray:
    """The factor of the rows of two, shape=(k, k)."""
    k = first.shape[1]
    return np.asarray(np.linalg.qr(np.concatenate([first, second]), mode="r"))[:k]
