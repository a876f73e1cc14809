"""Recursions over the steps of sequences, in log space.

One `Step` takes the largest entry of a vector out, multiplies by a matrix, and takes logarithms again; where the
entries are so far apart that some would be lost, it adds logarithms instead, so that no length and no zero makes it
inexact.

A long sequence is cut into pieces. The products of the matrices b_t(i) A_ij of all pieces are formed at once; a chain
through the pieces gives what enters and what follows each; then all pieces are run through at once as if each were a
sequence. That takes some √T steps in turn in place of T, and is exact, as matrix products are associative.

Reference:
    Särkkä and García-Fernández, IEEE Trans. Autom. Control 66, 299 (2021), for the products of pieces.
"""

from typing import Self

import numpy as np
from numpy.typing import NDArray

from ffshare.nn.hmm.packed import IntArray, Packed, cut, piece_length
from ffshare.records import doc, record

FloatArray = NDArray[np.float64]

# Logarithm of what a product must be for nothing to be lost below the smallest float, with room for a sum.
_LEAST = -690.0
# What is taken out of a vector of zeros, whose logarithms are all -inf; sums of many such numbers stay finite.
_LOWEST = -1e300


@record
class Step:
    """One step of a recursion, for any number of vectors at once: log(exp(v) M)."""

    matrix: FloatArray = doc("M, numbers from 0 up, shape=(n, n)")
    logs: FloatArray = doc("log M, shape=(n, n)")
    least: float = doc("entries further than this below the largest are added as logarithms")

    @classmethod
    def of(cls, matrix: FloatArray) -> Self:
        """The step with a matrix of numbers from 0 up, shape=(n, n)."""
        with np.errstate(divide="ignore"):
            logs = np.log(matrix)
        smallest = float(logs.min(where=matrix > 0, initial=0.0))
        return cls(matrix=np.ascontiguousarray(matrix), logs=logs, least=_LEAST - smallest)

    def __call__(self, vectors: FloatArray) -> tuple[FloatArray, FloatArray]:
        """The vectors after the step, without their largest entries. Warnings of log 0 are the caller's to silence.

        Args:
            vectors: Logarithms, -inf for zero, shape=(n_vectors, n).

        Returns:
            Logarithms r, shape=(n_vectors, n), and tops, shape=(n_vectors, 1), such that r + top is log(exp(v) M).
        """
        tops = _largest(vectors)
        rest = vectors - tops
        after = np.log(np.exp(rest) @ self.matrix)
        if rest.min() < self.least:
            far = ((rest < self.least) & (rest > -np.inf)).any(axis=1)
            if far.any():
                after[far] = log_sum(rest[far][:, :, None] + self.logs, axis=1)
        return after, tops


@record
class Pieces:
    """Sequences cut into pieces, with what enters each piece and what follows it.

    With densities b_t(j) of the observation at step t in state j, start probabilities π and transitions A,

        f_1 = π,    f_{t+1}(j) = Σ_i f_t(i) b_t(i) A_ij        (forward)
        g_T = 1,    g_{t-1}(i) = Σ_j A_ij b_t(j) g_t(j)        (backward).
    """

    step: Step = doc("the transition")
    packed: Packed = doc("the order in which all pieces are run through")
    packed_densities: FloatArray = doc("log densities by packed place, shape=(n_rows, n_states)")
    entering: FloatArray = doc("log probabilities of the state that a piece starts in, shape=(n_pieces, n_states)")
    following: FloatArray = doc("g at the end of each piece, up to a factor, shape=(n_pieces, n_states)")
    n_pieces: IntArray = doc("number of pieces of each sequence, shape=(n_sequences,)")

    @classmethod
    def of(cls, log_start: FloatArray, step: Step, log_densities: FloatArray, lengths: IntArray) -> Self:
        """Cut sequences where that is faster.

        Args:
            log_start: Log start probabilities, shape=(n_states,).
            step: The transition.
            log_densities: Log densities by row and state, shape=(n_rows, n_states).
            lengths: Length of each sequence, shape=(n_sequences,).

        Returns:
            The pieces.
        """
        n_states = len(log_start)
        pieces, n_pieces = cut(lengths, piece_length(lengths, n_states**2))
        packed = Packed.of(pieces)
        densities = log_densities[packed.rows]
        entering = np.tile(log_start, (len(pieces), 1))
        following = np.zeros((len(pieces), n_states))
        if len(pieces) > len(lengths):
            with np.errstate(divide="ignore"):
                products = np.tile(np.log(np.eye(n_states)), (len(pieces), 1, 1))
            tops = _run(step, products, densities, packed)
            _chain(packed.unsorted(products + tops[:, :, None]), n_pieces, step, entering, following)
        return cls(
            step=step,
            packed=packed,
            packed_densities=densities,
            entering=entering,
            following=following,
            n_pieces=n_pieces,
        )

    def run_forward(self) -> tuple[FloatArray, FloatArray]:
        """What each piece says, and the f of each place.

        Returns:
            Log-likelihood of each piece given those before it, shape=(n_pieces,); f, up to a factor, by packed place,
            shape=(n_rows, n_states).
        """
        states = self.entering[self.packed.by_length][:, None, :]
        visited = np.empty_like(self.packed_densities)
        tops = _run(self.step, states, self.packed_densities, self.packed, visited)
        return self.packed.unsorted(tops[:, 0] + log_sum(states[:, 0], axis=1)), visited

    def run_backward(self) -> FloatArray:
        """The g of each place.

        Returns:
            g, up to a factor, by packed place, shape=(n_rows, n_states).
        """
        states = self.following[self.packed.by_length][:, None, :]
        visited = np.empty_like(self.packed_densities)
        back = Step.of(self.step.matrix.T)
        _run(back, states, self.packed_densities, self.packed, visited, backward=True)
        return visited

    def summed(self, by_piece: FloatArray) -> FloatArray:
        """The sums over the pieces of each sequence, shape=(n_sequences,)."""
        return np.asarray(np.add.reduceat(by_piece, np.cumsum(self.n_pieces) - self.n_pieces))


def _run(
    step: Step,
    states: FloatArray,
    densities: FloatArray,
    packed: Packed,
    visited: FloatArray | None = None,
    *,
    backward: bool = False,
) -> FloatArray:
    """Run all pieces through: at each step keep the first vector, multiply by the densities, and step on.

    Args:
        step: The step.
        states: Log vectors of each piece, longest piece first, changed into those after its last step,
            shape=(n_pieces, n_vectors, n_states).
        densities: Log densities by packed place, shape=(n_rows, n_states).
        packed: The order.
        visited: Where the first vector before each step goes, shape=(n_rows, n_states).
        backward: Whether from the last step of each to its first.

    Returns:
        What to add to the vectors after the last step, shape=(n_pieces, n_vectors).
    """
    n_vectors, n_states = states.shape[1:]
    tops = np.zeros(states.shape[:2])
    for first, last in reversed(packed.steps) if backward else packed.steps:
        active = states[: last - first]
        if visited is not None:
            visited[first:last] = active[:, 0]
        after, top = step((active + densities[first:last, None, :]).reshape(-1, n_states))
        active[...] = after.reshape(-1, n_vectors, n_states)
        tops[: last - first] += top.reshape(-1, n_vectors)
    return tops


def _chain(products: FloatArray, n_pieces: IntArray, step: Step, entering: FloatArray, following: FloatArray) -> None:
    """From piece to piece: fill in what enters and what follows each.

    Args:
        products: Log of the product of the matrices b_t(i) A_ij of each piece, shape=(n_pieces, n_states, n_states).
        n_pieces: Number of pieces of each sequence, shape=(n_sequences,).
        step: The transition.
        entering: Holds the start of a sequence; gets what enters each piece.
        following: Holds zeros; gets what follows each piece.
    """
    order = Packed.of(n_pieces)
    states = entering[np.cumsum(n_pieces) - n_pieces][order.by_length]
    for first, last in order.steps:
        rows, active = order.rows[first:last], states[: last - first]
        entering[rows] = active
        active[...] = log_sum(active[:, :, None] + products[rows], axis=1)
        active -= _largest(active)
    # Each becomes a distribution, so that the likelihood of a piece is that given the pieces before it.
    entering -= np.maximum(log_sum(entering, axis=1), _LOWEST)[:, None]
    states[...] = 0.0
    for first, last in reversed(order.steps):
        rows, active = order.rows[first:last], states[: last - first]
        following[rows] = active
        active[...] = log_sum(products[rows] + active[:, None, :], axis=2)
        active -= _largest(active)
    # So far what follows is given by the state of the next piece. After the last piece nothing follows.
    is_last = np.zeros(len(following), dtype=bool)
    is_last[np.cumsum(n_pieces) - 1] = True
    following[~is_last] = Step.of(step.matrix.T)(following[~is_last])[0]


def log_sum(logs: FloatArray, axis: int) -> FloatArray:
    """Logarithm of the sum of exponentials along an axis; -inf where all are.

    Args:
        logs: Logarithms, any shape.
        axis: The axis that is summed.

    Returns:
        Logarithms, without that axis.
    """
    tops = _largest(logs, axis)
    return np.asarray(np.log(np.exp(logs - tops).sum(axis=axis)) + tops.squeeze(axis))


def _largest(logs: FloatArray, axis: int = 1) -> FloatArray:
    """The largest entry along an axis, which stays with length 1; never -inf."""
    return np.asarray(np.maximum.reduce(logs, axis=axis, keepdims=True, initial=_LOWEST))
