"""What sequences say of the hidden states: Baum's forward-backward recursions.

With what `Pieces` gives for each step, the forward f_t (states at t and observations before t) and the backward g_t
(observations after t, given the state at t),

    P(state i at t)             ∝ f_t(i) b_t(i) g_t(i)
    P(i at t, j at t + 1)       ∝ f_t(i) b_t(i) A_ij b_{t+1}(j) g_{t+1}(j),

and the likelihood is what the f_t b_t sum to at the end.

Reference:
    Rabiner, Proc. IEEE 77, 257 (1989), DOI 10.1109/5.18626.
"""

import numpy as np

from ffshare.nn.hmm.packed import IntArray
from ffshare.nn.hmm.recursions import FloatArray, Pieces, Step, log_sum
from ffshare.records import doc, freeze_arrays, record

# Posterior weights of pairs are exact by products where these sum to more than this.
_LEAST_SUM = 1e-200
# Entries of the pairs that are worked out at a time where they are not.
_MOST_ENTRIES = 1_000_000


@record
class Smoothed:
    """What the sequences say of the states."""

    log_likelihoods: FloatArray = doc("log-likelihood of each sequence, shape=(n_sequences,)")
    posteriors: FloatArray = doc("probability of each state at each row, shape=(n_rows, n_states)")
    starts: FloatArray = doc("expected number of sequences that start in each state, shape=(n_states,)")
    transitions: FloatArray = doc("expected number of transitions, shape=(n_states, n_states)")

    def __post_init__(self) -> None:
        freeze_arrays(
            self, log_likelihoods=np.float64, posteriors=np.float64, starts=np.float64, transitions=np.float64
        )


def smooth(start: FloatArray, matrix: FloatArray, log_densities: FloatArray, lengths: IntArray) -> Smoothed:
    """Posterior probabilities of states and transitions.

    Args:
        start: Start probabilities, shape=(n_states,).
        matrix: Transition probabilities, rows from, columns to, shape=(n_states, n_states).
        log_densities: Logarithm of the density of each row in each state, shape=(n_rows, n_states).
        lengths: Length of each sequence, shape=(n_sequences,).

    Returns:
        Posterior probabilities and expected counts. Those of a sequence that the model holds impossible are NaN.

    Example:
        >>> fair = np.full((2, 2), 0.5)
        >>> seen = smooth(np.array([0.5, 0.5]), fair, np.log([[0.9, 0.1], [0.2, 0.8]]), np.array([2]))
        >>> seen.posteriors.round(3).tolist(), seen.transitions.round(3).tolist()
        ([[0.9, 0.1], [0.2, 0.8]], [[0.18, 0.72], [0.02, 0.08]])
    """
    step = Step.of(matrix)
    with np.errstate(divide="ignore", invalid="ignore"):
        pieces = Pieces.of(np.log(start), step, log_densities, lengths)
        likelihoods, forward = pieces.run_forward()
        ahead = pieces.packed.flat(forward + pieces.packed_densities)
        behind = pieces.packed.flat(pieces.run_backward())
        logs = ahead + behind
        logs -= logs.max(axis=1, keepdims=True)
        posteriors = np.exp(logs, out=logs)
        posteriors /= posteriors.sum(axis=1, keepdims=True)
        ends = np.cumsum(lengths) - 1
        follows = np.ones(len(posteriors), dtype=bool)
        follows[ends] = False
        earlier = np.flatnonzero(follows)
        transitions = _pairs(step, ahead[earlier], (log_densities + behind)[earlier + 1])
    return Smoothed(
        log_likelihoods=pieces.summed(likelihoods),
        posteriors=posteriors,
        starts=posteriors[ends - lengths + 1].sum(axis=0),
        transitions=transitions,
    )


def log_likelihoods(start: FloatArray, matrix: FloatArray, log_densities: FloatArray, lengths: IntArray) -> FloatArray:
    """The log-likelihood of each sequence, with the arguments of `smooth`.

    Returns:
        Log-likelihoods, -inf for a sequence that the model holds impossible, shape=(n_sequences,).

    Example:
        >>> log_likelihoods(np.array([1.0]), np.array([[1.0]]), np.array([[-2.0], [-3.0], [-4.0]]), np.array([2, 1]))
        array([-5., -4.])
    """
    with np.errstate(divide="ignore", invalid="ignore"):
        pieces = Pieces.of(np.log(start), Step.of(matrix), log_densities, lengths)
        likelihoods = pieces.run_forward()[0]
    return pieces.summed(likelihoods)


def _pairs(step: Step, ahead: FloatArray, behind: FloatArray) -> FloatArray:
    """The sum over pairs of steps of the posterior probabilities of transitions.

    Args:
        step: The transition.
        ahead: Log of f_t b_t, up to a factor, shape=(n_pairs, n_states).
        behind: Log of b_{t+1} g_{t+1}, up to a factor, shape=(n_pairs, n_states).

    Returns:
        Expected counts, shape=(n_states, n_states).
    """
    left = np.exp(ahead - ahead.max(axis=1, keepdims=True))
    right = np.exp(behind - behind.max(axis=1, keepdims=True))
    sums = ((left @ step.matrix) * right).sum(axis=1)
    # Of two vectors without a large entry in common that much may be lost: add logarithms.
    far = ~(sums > _LEAST_SUM)
    left[far], sums[far] = 0.0, 1.0
    counts = step.matrix * ((left / sums[:, None]).T @ right)
    n_far, n_states = int(far.sum()), len(counts)
    for rows in np.array_split(np.flatnonzero(far), 1 + n_far * n_states**2 // _MOST_ENTRIES):
        logs = ahead[rows][:, :, None] + step.logs + behind[rows][:, None, :]
        sizes = log_sum(logs.reshape(len(rows), n_states**2), axis=1)
        counts += np.exp(logs - sizes[:, None, None]).sum(axis=0)
    return np.asarray(counts)
