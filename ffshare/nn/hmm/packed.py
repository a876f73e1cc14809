"""Sequences of several lengths, stepped through together without padding.

All sequences lie one after another in the rows of one array. Sorted by length, longest first, those that still have a
step t are the first n_t, so that one slice holds them: packed row by row in the order

    step 0 of all, step 1 of those longer than 1, step 2 of those longer than 2, …

a loop over the longest sequence does the work of all, and no row is wasted on padding.
"""

import math
from itertools import pairwise
from typing import Any, Self

import numpy as np
from numpy.typing import ArrayLike, NDArray

from ffshare.errors import InputError
from ffshare.records import doc, freeze_arrays, record

IntArray = NDArray[np.int64]

# What one more step in turn costs, in entries of a vector to work out (measured).
_STEP_COST = 1000.0


@record
class Packed:
    """Where each step of each sequence lies in the packed order."""

    by_length: IntArray = doc("numbers of the sequences, longest first, shape=(n_sequences,)")
    rows: IntArray = doc("row of each packed place, shape=(n_rows,)")
    steps: tuple[tuple[int, int], ...] = doc("first packed place of each step, and the one after its last")

    def __post_init__(self) -> None:
        freeze_arrays(self, by_length=np.int64, rows=np.int64)

    @classmethod
    def of(cls, lengths: IntArray) -> Self:
        """The packed order of sequences.

        Args:
            lengths: Length of each sequence, 1 or more, shape=(n_sequences,).

        Returns:
            The order.

        Example:
            >>> packed = Packed.of(np.array([1, 3]))
            >>> packed.rows, packed.steps
            (array([1, 0, 2, 3]), ((0, 2), (2, 3), (3, 4)))
        """
        by_length = np.argsort(-lengths, kind="stable")
        longest = int(lengths.max(initial=0))
        n_active = len(lengths) - np.cumsum(np.bincount(lengths, minlength=longest + 1))[:longest]
        bounds = np.concatenate(([0], np.cumsum(n_active)))
        place = np.arange(bounds[-1]) - np.repeat(bounds[:-1], n_active)
        starts = (np.cumsum(lengths) - lengths)[by_length]
        rows = starts[place] + np.repeat(np.arange(longest), n_active)
        limits = bounds.tolist()
        return cls(by_length=by_length, rows=rows, steps=tuple(pairwise(limits)))

    def flat(self, packed: NDArray[Any]) -> NDArray[Any]:
        """Values by packed place, put back into the order of the rows, shape=(n_rows, ...)."""
        values = np.empty_like(packed)
        values[self.rows] = packed
        return values

    def unsorted(self, by_length: NDArray[Any]) -> NDArray[Any]:
        """Values by sequence, longest first, put back into the order given, shape=(n_sequences, ...)."""
        values = np.empty_like(by_length)
        values[self.by_length] = by_length
        return values


def checked_lengths(lengths: ArrayLike | None, n_rows: int) -> IntArray:
    """The lengths of the sequences in an array of rows.

    Args:
        lengths: Length of each sequence; None: all rows are one sequence.
        n_rows: Number of rows.

    Returns:
        The lengths, shape=(n_sequences,).

    Raises:
        InputError: They are not whole numbers from 1 up, or do not sum to the number of rows.

    Example:
        >>> checked_lengths(None, 4), checked_lengths([3, 1], 4)
        (array([4]), array([3, 1]))
    """
    if lengths is None:
        return np.array([n_rows])
    given = np.asarray(lengths)
    if given.ndim != 1 or given.dtype.kind not in "iu" or not (given >= 1).all():
        raise InputError(f"lengths must be a flat list of whole numbers from 1 up, one for each sequence: {lengths!r}")
    if given.sum() != n_rows:
        raise InputError(
            f"lengths sum to {given.sum()}, but X has {n_rows} rows: one row for each step of each sequence"
        )
    return given.astype(np.int64)


def piece_length(lengths: IntArray, n_entries: int) -> int:
    """The length of pieces that is worth the while where pieces are run through at once.

    Some √T steps for the products of each piece, as many for the chain of pieces, and those to run through the pieces
    take the place of T steps; in exchange there are more entries to work out.

    Args:
        lengths: Length of each sequence, shape=(n_sequences,).
        n_entries: How many more entries a row costs.

    Returns:
        The length; that of the longest sequence where there is enough to do at each step.

    Example:
        >>> piece_length(np.array([10_000]), 16), piece_length(np.full(1000, 100), 16)
        (82, 100)
    """
    longest = int(lengths.max())
    length = math.ceil(math.sqrt(2 * longest / 3))
    saved = 2 * longest - 3 * length - 2 * longest / length
    return length if saved * _STEP_COST > int(lengths.sum()) * n_entries else longest


def cut(lengths: IntArray, longest: int) -> tuple[IntArray, IntArray]:
    """Cut sequences into pieces.

    Args:
        lengths: Length of each sequence, shape=(n_sequences,).
        longest: Length of every piece but the last of a sequence, which may be shorter.

    Returns:
        Length of each piece, those of the first sequence first, shape=(n_pieces,); number of pieces of each sequence,
        shape=(n_sequences,).

    Example:
        >>> cut(np.array([5, 2]), 2)
        (array([2, 2, 1, 2]), array([3, 1]))
    """
    n_pieces = -(-lengths // longest)
    pieces = np.full(n_pieces.sum(), longest)
    pieces[np.cumsum(n_pieces) - 1] = lengths - (n_pieces - 1) * longest
    return pieces, n_pieces
