"""The rows of a fit along some directions: what decides where the normal matrix is too coarse.

The singular values of JV, with J all rows and V a few directions, are those of the triangular factor of JV, which a QR
factorisation takes in one pass over the data, some rows at a time: R ← QR([R; J_m V]).

Reference:
    Demmel, Grigori, Hoemmen and Langou, SIAM J. Sci. Comput. 34, A206 (2012), for factors of rows in sequence.
"""

from collections.abc import Iterable
from itertools import islice

import numpy as np

from ffshare.fit.accumulate import MOLECULES_AT_ONCE
from ffshare.fit.problem import FitProblem
from ffshare.fit.reference import ReferenceMolecule
from ffshare.fit.residuals import Chunk
from ffshare.model.coordinates import FloatArray


def row_factor(problem: FitProblem, reference: Iterable[ReferenceMolecule], directions: FloatArray) -> FloatArray:
    """The triangular factor of the rows of a problem along some directions.

    Args:
        problem: The problem.
        reference: Reference data of the molecules of its batch, in their order.
        directions: Directions of the unknowns, shape=(n_columns, k).

    Returns:
        R with RᵀR = VᵀJᵀJV, accurate to rounding of the rows and not of their squares, shape=(k, k).
    """
    k = directions.shape[1]
    factor = np.zeros((k, k))
    skipped = set(problem.skipped.tolist())
    left = ((idx, molecule) for idx, molecule in enumerate(reference) if idx not in skipped)
    while given := list(islice(left, MOLECULES_AT_ONCE)):
        chunk = Chunk.of(problem, np.array([idx for idx, _ in given]), [molecule for _, molecule in given])
        for rows in chunk.rows(chunk.straight()):
            along = rows.values.T @ directions[rows.columns]
            factor = np.asarray(np.linalg.qr(np.concatenate([factor, along]), mode="r"))[:k]
    return factor
