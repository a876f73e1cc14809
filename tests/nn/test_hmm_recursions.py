"""Forward, backward and best path: against every path written out, and where products of numbers would fail."""

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

torch = pytest.importorskip("torch")

from ffshare.errors import InputError  # noqa: E402
from ffshare.nn.hmm import recursions, viterbi  # noqa: E402
from ffshare.nn.hmm.packed import Packed, checked_lengths, cut, piece_length  # noqa: E402
from ffshare.nn.hmm.recursions import Step  # noqa: E402
from ffshare.nn.hmm.smooth import log_likelihoods, smooth  # noqa: E402
from ffshare.nn.hmm.viterbi import most_likely_path  # noqa: E402
from tests.nn.hmm_oracles import every_path, in_logarithms, in_scaled_numbers  # noqa: E402

lengths_lists = st.lists(st.integers(1, 9), min_size=1, max_size=5)


def distribution(rng, shape, n_zeros):
    """Random distributions of which some entries are zero, though not all of one."""
    values = rng.dirichlet(np.ones(shape[-1]), size=shape[:-1])
    for _ in range(n_zeros):
        place = tuple(rng.integers(n) for n in shape)
        if (values[place[:-1]] > 0).sum() > 1:
            values[place] = 0.0
    return values / values.sum(axis=-1, keepdims=True)


@st.composite
def models(draw, most_states=3):
    """Start, transitions, log densities and lengths, with and without zeros."""
    n_states = draw(st.integers(1, most_states))
    lengths = np.array(draw(st.lists(st.integers(1, 4), min_size=1, max_size=4)))
    rng = np.random.default_rng(draw(st.integers(0, 10**6)))
    start = distribution(rng, (n_states,), draw(st.integers(0, 1)))
    matrix = distribution(rng, (n_states, n_states), draw(st.integers(0, 3)))
    return start, matrix, rng.normal(scale=draw(st.sampled_from([0.1, 3.0])), size=(lengths.sum(), n_states)), lengths


def set_piece_length(monkeypatch, length):
    for module in (recursions, viterbi):
        monkeypatch.setattr(module, "piece_length", length)


@pytest.fixture(params=["whole", "in pieces"])
def cutting(request, monkeypatch):
    """Sequences as they are, and cut into pieces of two steps."""
    length = {"whole": lambda lengths, n: int(lengths.max()), "in pieces": lambda lengths, n: 2}[request.param]
    set_piece_length(monkeypatch, length)
    return request.param


@given(lengths=lengths_lists)
def test_each_row_is_visited_once_at_its_step_with_the_longest_sequences_first(lengths):
    packed = Packed.of(np.array(lengths))
    starts = np.cumsum(lengths) - lengths
    assert sorted(packed.rows.tolist()) == list(range(sum(lengths)))
    assert len(packed.steps) == max(lengths)
    for step, (first, last) in enumerate(packed.steps):
        active = packed.by_length[: last - first]
        assert packed.rows[first:last].tolist() == (starts[active] + step).tolist()
        assert sorted(active.tolist()) == [i for i, length in enumerate(lengths) if length > step]
    values = np.arange(sum(lengths))
    assert packed.flat(values[packed.rows]).tolist() == values.tolist()
    numbers = np.arange(len(lengths))
    assert packed.unsorted(numbers[packed.by_length]).tolist() == numbers.tolist()


@given(lengths=lengths_lists, longest=st.integers(1, 10))
def test_pieces_add_up_to_their_sequences(lengths, longest):
    pieces, n_pieces = cut(np.array(lengths), longest)
    ends = np.cumsum(n_pieces)
    assert [pieces[end - n : end].sum() for end, n in zip(ends, n_pieces, strict=True)] == lengths
    assert 1 <= pieces.min() <= pieces.max() <= longest
    assert all((pieces[end - n : end - 1] == longest).all() for end, n in zip(ends, n_pieces, strict=True))


@settings(max_examples=40)
@given(model=models())
def test_what_sequences_say_is_the_sum_over_all_paths(model):
    _compare_with_every_path(*model)


@settings(max_examples=40)
@given(model=models())
def test_cut_into_pieces_it_is_the_same(model):
    with pytest.MonkeyPatch.context() as patch:
        set_piece_length(patch, lambda lengths, n: 2)
        _compare_with_every_path(*model)


def _compare_with_every_path(start, matrix, logs, lengths):
    seen = smooth(start, matrix, logs, lengths)
    path = most_likely_path(start, matrix, logs, lengths)
    pairs, starts, ends = np.zeros_like(matrix), np.zeros(len(start)), np.cumsum(lengths)
    for number, (end, length) in enumerate(zip(ends, lengths, strict=True)):
        rows = slice(end - length, end)
        expected = every_path(start, matrix, np.exp(logs[rows]))
        assert seen.log_likelihoods[number] == pytest.approx(expected.log_likelihood, abs=1e-11)
        np.testing.assert_allclose(seen.posteriors[rows], expected.posteriors, atol=1e-12)
        assert path.log_probabilities[number] == pytest.approx(expected.best_log_probability, abs=1e-11)
        assert path.states[rows].tolist() in expected.best_paths
        pairs += expected.transitions
        starts += expected.posteriors[0]
    np.testing.assert_allclose(seen.transitions, pairs, atol=1e-12)
    np.testing.assert_allclose(seen.starts, starts, atol=1e-12)
    np.testing.assert_allclose(log_likelihoods(start, matrix, logs, lengths), seen.log_likelihoods, atol=1e-11)


@pytest.mark.parametrize("scale", [1.0, 400.0, 2000.0, 1e5])
def test_densities_however_far_apart_lose_nothing(scale, cutting):
    rng = np.random.default_rng(int(scale))
    for _ in range(15):
        # Much that is unlikely now is all that is possible later.
        start, matrix = distribution(rng, (4,), 2), distribution(rng, (4, 4), 8)
        logs = scale * rng.normal(size=(9, 4))
        total, posteriors, transitions = in_logarithms(start, matrix, logs)
        seen = smooth(start, matrix, logs, np.array([9]))
        assert seen.log_likelihoods[0] == pytest.approx(total, rel=1e-13)
        np.testing.assert_allclose(seen.posteriors, posteriors, rtol=1e-13 * scale, atol=1e-13 * scale)
        np.testing.assert_allclose(seen.transitions, transitions, rtol=1e-13 * scale, atol=1e-13 * scale)


def test_transitions_near_the_smallest_float_lose_nothing(cutting):
    start, matrix = np.array([1.0, 0.0]), np.array([[1.0, 1e-300], [0.0, 1.0]])
    # Only the second state explains the end, and the way there is all but closed.
    logs = np.array([[0.0, 0.0], [0.0, -600.0], [0.0, 0.0], [-2000.0, 0.0]])
    total, posteriors, transitions = in_logarithms(start, matrix, logs)
    seen = smooth(start, matrix, logs, np.array([4]))
    assert seen.log_likelihoods[0] == pytest.approx(total, rel=1e-14)
    np.testing.assert_allclose(seen.posteriors, posteriors, rtol=1e-12)
    np.testing.assert_allclose(seen.transitions, transitions, rtol=1e-12)


def test_a_small_transition_from_an_unlikely_state_loses_nothing(cutting):
    # Neither number is far from 1 as a float goes, but their product is no float.
    start = np.array([1.0, 1e-130, 0.0])
    matrix = np.array([[1.0, 0.0, 0.0], [0.0, 1.0, 1e-250], [0.0, 0.0, 1.0]])
    logs = np.array([[0.0, 0.0, 0.0], [-5000.0, -5000.0, 0.0], [0.0, 0.0, 0.0]])
    total, posteriors, transitions = in_logarithms(start, matrix, logs)
    seen = smooth(start, matrix, logs, np.array([3]))
    assert seen.log_likelihoods[0] == pytest.approx(total, rel=1e-14)
    np.testing.assert_allclose(seen.posteriors, posteriors, atol=1e-12)
    np.testing.assert_allclose(seen.transitions, transitions, atol=1e-12)


def test_ten_thousand_steps_are_those_of_plain_numbers_scaled_at_each_step():
    rng = np.random.default_rng(1)
    start, matrix, logs = np.array([0.3, 0.7]), rng.dirichlet(np.ones(2), size=2), 5 * rng.normal(size=(10_000, 2)) - 9
    assert piece_length(np.array([10_000]), 4) < 200
    total, posteriors, transitions = in_scaled_numbers(start, matrix, np.exp(logs))
    seen = smooth(start, matrix, logs, np.array([10_000]))
    # No product of 10,000 densities is a float.
    assert total < 50 * np.log(np.finfo(np.float64).tiny)
    assert seen.log_likelihoods[0] == pytest.approx(total, rel=1e-13)
    np.testing.assert_allclose(seen.posteriors, posteriors, atol=1e-13)
    np.testing.assert_allclose(seen.transitions, transitions, rtol=1e-13)
    np.testing.assert_allclose(seen.posteriors.sum(axis=1), 1.0, rtol=1e-14)
    assert seen.transitions.sum() == pytest.approx(9_999, rel=1e-13)


def test_more_steps_than_a_loop_over_them_could_take_in_a_test_run_through():
    rng = np.random.default_rng(2)
    logs = rng.normal(size=(200_000, 2))
    stays = np.array([[0.9, 0.1], [0.2, 0.8]])
    lengths = np.array([120_000, 79_999, 1])
    seen = smooth(np.array([0.5, 0.5]), stays, logs, lengths)
    assert np.isfinite(seen.log_likelihoods).all()
    assert seen.transitions.sum() == pytest.approx(200_000 - 3, rel=1e-13)


def test_an_impossible_sequence_has_likelihood_zero_and_leaves_the_others_alone(cutting):
    start, matrix = np.array([1.0, 0.0]), np.array([[1.0, 0.0], [0.5, 0.5]])
    with np.errstate(divide="ignore"):
        logs = np.log([[0.5, 0.5], [0.0, 0.5], [0.5, 0.5], [0.5, 0.5], [0.25, 0.5], [0.5, 0.5], [0.5, 0.5]])
    lengths = np.array([4, 3])
    assert log_likelihoods(start, matrix, logs, lengths).tolist() == [-np.inf, pytest.approx(np.log(1 / 16))]
    assert most_likely_path(start, matrix, logs, lengths).log_probabilities[0] == -np.inf
    seen = smooth(start, matrix, logs, lengths)
    assert np.isnan(seen.posteriors[1]).all()
    assert seen.posteriors[4:, 0].tolist() == [1.0] * 3


def test_a_step_of_zeros_stays_zeros():
    with np.errstate(divide="ignore"):
        after, tops = Step.of(np.full((2, 2), 0.5))(np.full((1, 2), -np.inf))
    assert (after + tops).tolist() == [[-np.inf, -np.inf]]


def test_the_best_path_of_pieces_is_that_of_whole_sequences():
    rng = np.random.default_rng(5)
    start, matrix, lengths = rng.dirichlet(np.ones(3)), distribution(rng, (3, 3), 2), np.array([400, 1, 1200, 37])
    logs = rng.normal(size=(lengths.sum(), 3))
    in_pieces = most_likely_path(start, matrix, logs, lengths)
    assert piece_length(lengths, 27) < 50
    with pytest.MonkeyPatch.context() as patch:
        set_piece_length(patch, lambda lengths, n: int(lengths.max()))
        whole = most_likely_path(start, matrix, logs, lengths)
    assert in_pieces.states.tolist() == whole.states.tolist()
    np.testing.assert_allclose(in_pieces.log_probabilities, whole.log_probabilities, atol=1e-11)


def test_of_equally_likely_paths_one_is_taken(cutting):
    ring = np.array([[0.0, 0.5, 0.5], [0.5, 0.0, 0.5], [0.5, 0.5, 0.0]])
    states = most_likely_path(np.full(3, 1 / 3), ring, np.zeros((7, 3)), np.array([7])).states
    assert (states[1:] != states[:-1]).all()


@pytest.mark.parametrize("lengths", [[2, 2], [5, 1]])
def test_lengths_must_sum_to_the_rows(lengths):
    with pytest.raises(InputError, match=rf"lengths sum to {sum(lengths)}, but X has 5 rows"):
        checked_lengths(lengths, 5)


@pytest.mark.parametrize("lengths", [[5, 0], [6, -1], [2.5, 2.5], [[5]], 5])
def test_lengths_must_be_whole_numbers_from_one_up(lengths):
    with pytest.raises(InputError, match="whole numbers from 1 up"):
        checked_lengths(lengths, 5)
