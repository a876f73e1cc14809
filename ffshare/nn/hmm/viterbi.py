"""The most likely path through the hidden states: the Viterbi recursion in log space.

    δ_1(j) = log π_j + log b_1(j),    δ_{t+1}(j) = max_i (δ_t(i) + log A_ij) + log b_{t+1}(j)

A long sequence is cut into pieces, all of which are stepped through at once, from each state that they may start in.
With K(i, j) the best way through a piece from state i at its first step to j at its last, the best to the end of the
sequence from state i at the first step of a piece is

    h(i) = max_j (K(i, j) + max_k (log A_jk + h_next(k))),

and the states where the pieces of the best path begin and end follow from the first piece to the last.

Reference:
    Viterbi, IEEE Trans. Inf. Theory 13, 260 (1967), DOI 10.1109/TIT.1967.1054010.
"""

import numpy as np
from numpy.typing import NDArray

from ffshare.nn.hmm.packed import IntArray, Packed, cut, piece_length
from ffshare.nn.hmm.recursions import FloatArray
from ffshare.records import doc, freeze_arrays, record


@record
class Path:
    """The most likely states of sequences."""

    log_probabilities: FloatArray = doc("log density of each sequence along its path, shape=(n_sequences,)")
    states: IntArray = doc("state at each row, shape=(n_rows,)")

    def __post_init__(self) -> None:
        freeze_arrays(self, log_probabilities=np.float64, states=np.int64)


def most_likely_path(start: FloatArray, matrix: FloatArray, log_densities: FloatArray, lengths: IntArray) -> Path:
    """The most likely path of each sequence.

    Args:
        start: Start probabilities, shape=(n_states,).
        matrix: Transition probabilities, rows from, columns to, shape=(n_states, n_states).
        log_densities: Logarithm of the density of each row in each state, shape=(n_rows, n_states).
        lengths: Length of each sequence, shape=(n_sequences,).

    Returns:
        The paths; of several that are equally likely one. A sequence that the model holds impossible has log density
        -inf and no meaningful path.

    Example:
        >>> stays = np.array([[0.9, 0.1], [0.1, 0.9]])
        >>> path = most_likely_path(np.array([0.5, 0.5]), stays, np.log([[0.9, 0.1], [0.4, 0.6]]), np.array([2]))
        >>> path.states
        array([0, 0])
    """
    n_states = len(start)
    with np.errstate(divide="ignore"):
        log_start, log_matrix, log_ones = np.log(start), np.log(matrix), np.log(np.eye(n_states))
    pieces, n_pieces = cut(lengths, piece_length(lengths, n_states**3))
    packed = Packed.of(pieces)
    is_cut = len(pieces) > len(lengths)
    # Whole sequences have one start, pieces as many as there are states.
    starts = log_ones if is_cut else log_start[None]
    ways, came_from = _ways(np.tile(starts, (len(pieces), 1, 1)), log_matrix, log_densities[packed.rows], packed)
    if is_cut:
        likeliest, begins, ends = _joined(packed.unsorted(ways), n_pieces, log_start, log_matrix)
        begins, ends = begins[packed.by_length], ends[packed.by_length]
    else:
        likeliest = packed.unsorted(ways[:, 0].max(axis=1))
        begins, ends = np.zeros(len(pieces), dtype=np.int64), ways[:, 0].argmax(axis=1)
    return Path(log_probabilities=likeliest, states=packed.flat(_traced(came_from, begins, ends, packed)))


def _ways(
    ways: FloatArray, log_matrix: FloatArray, densities: FloatArray, packed: Packed
) -> tuple[FloatArray, NDArray[np.unsignedinteger]]:
    """The best ways through each piece.

    Args:
        ways: Log weights of the starts of each piece, longest piece first, shape=(n_pieces, n_starts, n_states).
        log_matrix: Log transition probabilities, shape=(n_states, n_states).
        densities: Log densities by packed place, shape=(n_rows, n_states).
        packed: The order.

    Returns:
        Log weight of the best way from each start to each state at the last step, of the shape of `ways`; state before,
        by packed place, start and state, shape=(n_rows, n_starts, n_states).
    """
    n_states = len(log_matrix)
    came_from = np.zeros((len(densities), *ways.shape[1:]), dtype=np.min_scalar_type(n_states))
    ways = ways + densities[: packed.steps[0][1], None, :]
    for first, last in packed.steps[1:]:
        active = ways[: last - first]
        reached = active[..., None] + log_matrix
        came_from[first:last] = reached.argmax(axis=2)
        active[...] = reached.max(axis=2) + densities[first:last, None, :]
    return ways, came_from


def _joined(
    ways: FloatArray, n_pieces: IntArray, log_start: FloatArray, log_matrix: FloatArray
) -> tuple[FloatArray, IntArray, IntArray]:
    """The best path from piece to piece.

    Args:
        ways: K of each piece, shape=(n_pieces, n_states, n_states).
        n_pieces: Number of pieces of each sequence, shape=(n_sequences,).
        log_start: Log start probabilities, shape=(n_states,).
        log_matrix: Log transition probabilities, shape=(n_states, n_states).

    Returns:
        Log weight of each sequence along its path, shape=(n_sequences,); states at the first and at the last step of
        each piece, shape=(n_pieces,).
    """
    order = Packed.of(n_pieces)
    n_states = len(log_start)
    # From each state at the end of a piece: the best to the end of the sequence, and the state that comes next.
    onward, comes_next = np.zeros((len(ways), n_states)), np.zeros((len(ways), n_states), dtype=np.int64)
    best = np.zeros((len(n_pieces), n_states))
    after = np.zeros((len(n_pieces), n_states))
    for first, last in reversed(order.steps):
        rows, n = order.rows[first:last], last - first
        onward[rows] = after[:n]
        best[:n] = (ways[rows] + after[:n, None, :]).max(axis=2)
        if first:
            # The piece before, of the same sequences.
            before = rows - 1
            reached = log_matrix + best[:n, None, :]
            comes_next[before] = reached.argmax(axis=2)
            after[:n] = reached.max(axis=2)
    best += log_start
    begins, ends = np.empty(len(ways), dtype=np.int64), np.empty(len(ways), dtype=np.int64)
    at = best.argmax(axis=1)
    for first, last in order.steps:
        rows, active = order.rows[first:last], at[: last - first]
        begins[rows] = active
        ends[rows] = (ways[rows, active] + onward[rows]).argmax(axis=1)
        active[...] = comes_next[rows, ends[rows]]
    return order.unsorted(best.max(axis=1)), begins, ends


def _traced(
    came_from: NDArray[np.unsignedinteger], begins: IntArray, ends: IntArray, packed: Packed
) -> NDArray[np.int64]:
    """The states along the ways from given starts to given states at the last step, by packed place."""
    at = ends.astype(np.int64)
    states = np.empty(len(came_from), dtype=np.int64)
    for first, last in reversed(packed.steps):
        active = at[: last - first]
        states[first:last] = active
        # What came before the first step is not asked for: the zeros there do not matter.
        active[...] = came_from[np.arange(first, last), begins[: last - first], active]
    return states
