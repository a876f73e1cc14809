"""Tied hidden Markov models: laws of the fit, what ties mean, and what is refused."""

import copy
import itertools
import pickle

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

torch = pytest.importorskip("torch")

from ffshare.errors import InputError, TyingError  # noqa: E402
from ffshare.nn.hmm import TiedCategoricalHMM, TiedHMM  # noqa: E402
from ffshare.tying import LinearTying  # noqa: E402
from tests.nn.hmm_oracles import every_path  # noqa: E402

SECTIONS = ("startprob_", "transmat_", "means_", "covars_")


@st.composite
def problems(draw):
    """Ties of all kinds, and a few sequences of different lengths."""
    n_states = draw(st.integers(1, 4))
    classes = draw(st.lists(st.sampled_from("abc"), min_size=n_states, max_size=n_states))
    rows = draw(st.none() | st.lists(st.sampled_from("xy"), min_size=n_states, max_size=n_states))
    wide = draw(st.booleans())
    n_features = draw(st.integers(1, 2))
    rng = np.random.default_rng(draw(st.integers(0, 10**6)))
    lengths = draw(st.lists(st.integers(1, 12), min_size=1, max_size=4))
    model = TiedHMM(
        classes,
        transition_classes=rows,
        covariance_classes=[0] * n_states if wide else None,
        covariance=draw(st.sampled_from(["spherical", "diag", "full"])),
        min_covar=1e-2,
        n_iter=15,
        tol=-np.inf,
        random_state=int(rng.integers(100)),
    )
    observations = np.cumsum(rng.normal(size=(sum(lengths), n_features)), axis=0).round(draw(st.integers(0, 8)))
    return model, observations, lengths


def model_of(classes=(0, 1, 0), **settings):
    """A model with known values, one feature."""
    n_states, tying = len(classes), LinearTying.groups(classes)
    model = TiedHMM(classes, init_params="", **settings)
    rng = np.random.default_rng(n_states)
    model.startprob_ = rng.dirichlet(np.ones(n_states))
    model.transmat_ = rng.dirichlet(np.ones(n_states), size=n_states)
    model.means_ = tying.expand(2.0 * np.arange(tying.n_free))[:, None]
    model.covars_ = tying.expand(1.0 + np.arange(tying.n_free))[:, None]
    return model


def data_of(model, n_samples=60, n_sequences=4):
    return model.sample(n_samples, random_state=2, n_sequences=n_sequences)[0], [n_samples] * n_sequences


@settings(max_examples=50)
@given(problem=problems())
def test_the_likelihood_never_falls_and_ties_hold(problem):
    model, observations, lengths = problem
    model.fit(observations, lengths)
    history = np.array(model.monitor_.history)
    assert (np.diff(history) >= -1e-8 * np.abs(history[1:])).all()
    assert model.score(observations, lengths) >= history[-1] - 1e-8 * abs(history[-1])
    for section, ties in (("means_", model.classes), ("transmat_", model.transition_classes or [])):
        values = getattr(model, section)
        for a, b in itertools.combinations(range(len(ties)), 2):
            assert ties[a] != ties[b] or values[a].tolist() == values[b].tolist()
    np.testing.assert_allclose(model.transmat_.sum(axis=1), 1.0, rtol=1e-12)
    np.testing.assert_allclose(model.startprob_.sum(), 1.0, rtol=1e-12)


@settings(max_examples=25)
@given(problem=problems(), seed=st.integers(0, 100))
def test_the_order_of_sequences_does_not_matter(problem, seed):
    model, observations, lengths = problem
    order = np.random.default_rng(seed).permutation(len(lengths))
    parts = np.split(observations, np.cumsum(lengths)[:-1])
    posteriors = np.split(
        model.set_params(n_iter=3).fit(observations, lengths).predict_proba(observations, lengths),
        np.cumsum(lengths)[:-1],
    )
    shuffled = np.concatenate([parts[i] for i in order])
    sizes = [lengths[i] for i in order]
    assert model.score(shuffled, sizes) == pytest.approx(model.score(observations, lengths), rel=1e-11)
    expected = np.concatenate([posteriors[i] for i in order])
    np.testing.assert_allclose(model.predict_proba(shuffled, sizes), expected, atol=1e-10)


def test_renumbered_states_give_a_renumbered_model():
    order = np.array([2, 0, 1])
    model = model_of(("a", "b", "a"), n_iter=10, tol=-np.inf)
    observations, lengths = data_of(model)
    other = TiedHMM([model.classes[i] for i in order], init_params="", n_iter=10, tol=-np.inf)
    other.startprob_, other.transmat_ = model.startprob_[order], model.transmat_[np.ix_(order, order)]
    other.means_, other.covars_ = model.means_[order], model.covars_[order]
    model.fit(observations, lengths)
    other.fit(observations, lengths)
    np.testing.assert_allclose(other.means_, model.means_[order], rtol=1e-10)
    np.testing.assert_allclose(other.transmat_, model.transmat_[np.ix_(order, order)], atol=1e-10)
    np.testing.assert_allclose(other.startprob_, model.startprob_[order], atol=1e-10)


def test_a_state_split_in_two_of_one_class_with_equal_rows_says_the_same():
    one = model_of((0, 1))
    observations, lengths = data_of(one)
    start, matrix = one.startprob_, one.transmat_
    two = TiedHMM([0, 1, 1], transition_classes=[0, 1, 1])
    two.startprob_ = [start[0], 0.3 * start[1], 0.7 * start[1]]
    two.transmat_ = np.stack([matrix[i, [0, 1, 1]] * [1.0, 0.3, 0.7] for i in (0, 1, 1)])
    two.means_, two.covars_ = one.means_[[0, 1, 1]], one.covars_[[0, 1, 1]]
    assert two.score(observations, lengths) == pytest.approx(one.score(observations, lengths), rel=1e-12)
    posteriors = two.predict_proba(observations, lengths)
    np.testing.assert_allclose(
        np.stack((posteriors[:, 0], posteriors[:, 1:].sum(axis=1)), axis=1),
        one.predict_proba(observations, lengths),
        atol=1e-12,
    )


@pytest.mark.parametrize("rows", [None, ("x", "x", "y")])
def test_one_step_is_that_of_posteriors_from_all_paths_summed_by_class(rows):
    classes = ("a", "b", "a")
    model = TiedHMM(classes, transition_classes=rows, init_params="", n_iter=1)
    start, means, variances = np.array([0.5, 0.2, 0.3]), {"a": 0.0, "b": 2.0}, {"a": 1.0, "b": 0.5}
    matrix = np.array([[0.6, 0.3, 0.1], [0.6, 0.3, 0.1], [0.2, 0.2, 0.6]])
    model.startprob_, model.transmat_ = start, matrix
    model.means_ = [[means[c]] for c in classes]
    model.covars_ = [[variances[c]] for c in classes]
    sequences = [[0.1, 2.2, 1.9, -0.4, 0.3], [1.0], [2.5, 0.0, 0.2]]
    seen, pairs, starts = {"a": [], "b": []}, np.zeros((3, 3)), np.zeros(3)
    for sequence in sequences:
        densities = np.array(
            [
                [np.exp(-0.5 * (x - means[c]) ** 2 / variances[c]) / np.sqrt(variances[c]) for c in classes]
                for x in sequence
            ]
        )
        expected = every_path(start, matrix, densities)
        pairs += expected.transitions
        starts += expected.posteriors[0]
        for x, posteriors in zip(sequence, expected.posteriors, strict=True):
            for c, p in zip(classes, posteriors, strict=True):
                seen[c].append((p, x))
    model.fit(np.concatenate(sequences)[:, None], [5, 1, 3])
    for state, c in enumerate(classes):
        total = sum(p for p, _ in seen[c])
        mean = sum(p * x for p, x in seen[c]) / total
        assert model.means_[state, 0] == pytest.approx(mean, rel=1e-12)
        variance = sum(p * (x - mean) ** 2 for p, x in seen[c]) / total
        assert model.covars_[state, 0] == pytest.approx(variance, rel=1e-12)
    same = np.array([[a == b for b in rows or range(3)] for a in rows or range(3)])
    pooled = same @ pairs
    np.testing.assert_allclose(model.transmat_, pooled / pooled.sum(axis=1, keepdims=True), rtol=1e-11)
    np.testing.assert_allclose(model.startprob_, starts / len(sequences), rtol=1e-11)


@pytest.mark.parametrize("make", [TiedHMM, TiedCategoricalHMM])
def test_the_pooled_step_is_tie(make, monkeypatch):
    def refuse(*args, **kwargs):
        raise RuntimeError("tie was called")

    model = make([0, 1, 0])
    monkeypatch.setattr(LinearTying, "tie", refuse)
    with pytest.raises(RuntimeError, match="tie was called"):
        model.fit(np.arange(6).reshape(-1, 1))


def test_more_data_bring_the_estimates_to_the_truth():
    truth = model_of(("low", "high", "low"))
    truth.startprob_ = [1.0, 0.0, 0.0]
    truth.transmat_ = [[0.7, 0.3, 0.0], [0.0, 0.5, 0.5], [0.05, 0.0, 0.95]]
    truth.means_ = [[0.0], [3.0], [0.0]]
    observations, lengths = data_of(truth, 200, 60)
    # Nearer to this numbering of the two low states than to the other, all else as `fit` finds it.
    model = TiedHMM(["low", "high", "low"], n_iter=60, tol=1e-1, init_params="smc")
    model.transmat_ = [[0.6, 0.3, 0.1], [0.1, 0.6, 0.3], [0.1, 0.1, 0.8]]
    model.fit(observations, lengths)
    np.testing.assert_allclose(model.means_, truth.means_, atol=0.08)
    np.testing.assert_allclose(model.transmat_, truth.transmat_, atol=0.08)
    np.testing.assert_allclose(model.covars_, truth.covars_, rtol=0.08)


def test_the_best_of_several_starts_is_kept():
    observations, lengths = data_of(model_of((0, 1, 0, 1)), 30, 2)
    ends = [
        TiedHMM([0, 1, 0, 1], n_iter=30, n_init=n).fit(observations, lengths).monitor_.history[-1] for n in (1, 2, 4)
    ]
    # The first starts of more are those of fewer.
    assert ends[0] <= ends[1] <= ends[2]
    assert ends[0] < ends[2]


def test_the_same_seed_gives_the_same_fit():
    observations, lengths = data_of(model_of())
    first, second = (TiedHMM([0, 1, 0], random_state=5, n_iter=5).fit(observations, lengths) for _ in range(2))
    assert all(getattr(first, s).tolist() == getattr(second, s).tolist() for s in SECTIONS)
    assert first.fit(observations, lengths).means_.tolist() == second.means_.tolist()


def test_how_it_ended_is_said():
    observations, lengths = data_of(model_of())
    model = model_of(n_iter=2, tol=1e-12).fit(observations, lengths)
    assert (model.monitor_.status, model.monitor_.converged, model.monitor_.iter) == ("too many steps", False, 2)
    assert model.monitor_.advice.startswith("raise n_iter")
    model = model_of(n_iter=1000, tol=1e-1).fit(observations, lengths)
    assert (model.monitor_.status, model.monitor_.converged, model.monitor_.advice) == ("converged", True, "")
    gains = np.diff(model.monitor_.history)
    assert (gains[:-1] >= 0.1).all()
    assert gains[-1] < 0.1


def test_an_impossible_sequence_is_said_to_be_one():
    model = TiedCategoricalHMM([0, 1], init_params="", n_symbols=2)
    model.startprob_, model.transmat_ = [1.0, 0.0], [[1.0, 0.0], [0.0, 1.0]]
    model.emissionprob_ = [[1.0, 0.0], [0.0, 1.0]]
    assert model.score([[0], [1]]) == -np.inf
    model.fit([[0], [1]])
    assert (model.monitor_.status, model.monitor_.iter) == ("not finite", 0)
    assert "zeros in startprob_" in model.monitor_.advice
    assert model.emissionprob_.tolist() == [[1.0, 0.0], [0.0, 1.0]]


@pytest.mark.parametrize("covariance", ["spherical", "diag", "full"])
def test_a_class_that_shrinks_onto_a_point_stops_at_the_floor_and_is_named(covariance):
    observations = np.concatenate((np.zeros((20, 2)), np.random.default_rng(0).normal(5.0, 1.0, size=(20, 2))))
    model = TiedHMM(["point", "cloud"], covariance=covariance, min_covar=1e-3, n_iter=50).fit(observations)
    assert len(model.monitor_.at_floor) == 1
    assert "min_covar: fewer classes" in model.monitor_.advice
    assert (np.diff(model.monitor_.history) >= -1e-8).all()
    assert model.monitor_.converged


def test_three_numbers_are_counted_by_section():
    model = TiedHMM([0, 1, 0, 1], transition_classes=[0, 0, 0, 1], covariance="full", covariance_classes=[0] * 4)
    model.fit(np.random.default_rng(0).normal(size=(50, 3)))
    counts = {name: (one.free, one.sites, one.rank) for name, one in model.counts_.items()}
    assert counts == {"startprob": (4, 4, 3), "transmat": (8, 16, 6), "means": (6, 12, 6), "covars": (6, 24, 6)}
    assert model.n_parameters_ == 21
    assert repr(model) == "TiedHMM(4 states in 2 classes, free=24, sites=56, rank=21)"
    assert repr(TiedHMM([0, None])) == "TiedHMM(classes=[0, None], not fitted)"


def test_information_criteria_count_independent_parameters():
    model = model_of()
    observations, lengths = data_of(model)
    likelihood = model.score(observations, lengths)
    assert model.n_parameters_ == 2 + 6 + 2 + 2
    assert model.aic(observations, lengths) == pytest.approx(24 - 2 * likelihood)
    assert model.bic(observations, lengths) == pytest.approx(12 * np.log(240) - 2 * likelihood)


def test_samples_move_as_the_model_says():
    model = model_of()
    observations, states = model.sample(400, n_sequences=100, random_state=1)
    assert (observations.shape, states.shape) == ((40_000, 1), (40_000,))
    chains = states.reshape(100, 400)
    counts = np.zeros((3, 3))
    np.add.at(counts, (chains[:, :-1].ravel(), chains[:, 1:].ravel()), 1)
    np.testing.assert_allclose(counts / counts.sum(axis=1, keepdims=True), model.transmat_, atol=0.02)
    starts = np.bincount(model.sample(1, n_sequences=20_000)[1], minlength=3) / 20_000
    np.testing.assert_allclose(starts, model.startprob_, atol=0.02)
    assert (model.sample(3, currstate=2, n_sequences=4)[1].reshape(4, 3)[:, 0] == 2).all()
    again = model.sample(400, n_sequences=100, random_state=1)
    assert again[0].tolist() == observations.tolist()
    with pytest.raises(InputError, match="currstate is 3, expected 0 to 2"):
        model.sample(3, currstate=3)


def test_symbols_are_drawn_with_their_probabilities():
    model = TiedCategoricalHMM(["a", "b", "a"])
    model.startprob_, model.transmat_ = [0.2, 0.5, 0.3], np.full((3, 3), 1 / 3)
    model.emissionprob_ = [[0.1, 0.0, 0.9], [0.5, 0.5, 0.0], [0.1, 0.0, 0.9]]
    symbols, states = model.sample(20_000)
    for state in range(3):
        shares = np.bincount(symbols[states == state, 0], minlength=3) / (states == state).sum()
        np.testing.assert_allclose(shares, model.emissionprob_[state], atol=0.02)
    fitted = TiedCategoricalHMM(["a", "b", "a"], n_symbols=4, n_iter=5).fit(symbols)
    assert fitted.emissionprob_.shape == (3, 4)
    assert (fitted.emissionprob_[:, 3] == 0).all()


@pytest.mark.parametrize("duplicate", [copy.deepcopy, lambda model: pickle.loads(pickle.dumps(model))])
def test_copies_are_whole_and_apart(duplicate):
    model = model_of(n_iter=3)
    observations, lengths = data_of(model)
    model.fit(observations, lengths)
    other = duplicate(model)
    assert other.score(observations, lengths) == model.score(observations, lengths)
    assert other.monitor_.history == model.monitor_.history
    other.means_ = other.means_ + 1.0
    assert (model.means_ != other.means_).all()


def test_scikit_learn_clones_it_and_sets_its_parameters():
    base = pytest.importorskip("sklearn.base")
    model = model_of(n_iter=7, covariance="diag")
    clone = base.clone(model)
    assert clone.get_params() == model.get_params()
    assert not clone.theta_
    assert clone.set_params(n_iter=9).n_iter == 9
    with pytest.raises(InputError, match="TiedHMM has no parameter 'n_states': classes, transition_classes"):
        clone.set_params(n_states=3)


@pytest.mark.parametrize(
    ("observations", "message"),
    [
        ([0.0, 1.0], r"X has shape \(2,\), expected \(n_rows, n_features\).*X.reshape\(-1, 1\)"),
        (np.zeros((0, 1)), r"X has shape \(0, 1\)"),
        ([[0.0], [np.nan], [1.0]], "X holds a value that is not finite, or too large to be squared, first in row 1"),
        ([[0.0], [np.inf]], "X holds a value that is not finite"),
        ([[0.0], [1e200]], "or too large to be squared, first in row 1"),
        ([["a"], ["b"]], "X must hold real numbers"),
        ([[1j]], "X must hold real numbers, got complex128"),
    ],
)
def test_observations_that_cannot_be_used_are_refused(observations, message):
    for call in (TiedHMM([0, 1]).fit, model_of().score, model_of().decode):
        with pytest.raises(InputError, match=message):
            call(observations)


@pytest.mark.parametrize(
    ("symbols", "message"),
    [
        ([0, 1], r"X has shape \(2,\), expected \(n_rows, 1\)"),
        ([[0.5]], "symbols as whole numbers from 0 up"),
        ([[-1]], "symbols as whole numbers from 0 up"),
        ([[7]], "X holds symbol 7, but there are 3"),
    ],
)
def test_symbols_that_cannot_be_used_are_refused(symbols, message):
    with pytest.raises(InputError, match=message):
        TiedCategoricalHMM([0, 1], n_symbols=3).fit(symbols)


def test_a_symbol_that_a_fit_has_not_seen_is_named():
    model = TiedCategoricalHMM([0, 1]).fit([[0], [1], [0]])
    with pytest.raises(InputError, match="X holds symbol 2, but the model knows 2"):
        model.score([[2]])


def test_lengths_must_fit_the_rows():
    with pytest.raises(InputError, match="lengths sum to 3, but X has 4 rows"):
        TiedHMM([0, 1]).fit(np.zeros((4, 1)), [1, 2])


def test_other_features_than_those_of_the_fit_are_refused():
    with pytest.raises(InputError, match="X has 2 features, but means_ has 1"):
        model_of().score(np.zeros((4, 2)))


def test_what_is_not_known_yet_is_named():
    model = TiedHMM([0, 1])
    with pytest.raises(InputError, match="startprob_ is not known: call fit first, or set it"):
        model.score(np.zeros((4, 1)))
    with pytest.raises(AttributeError, match="means_ is not known: call fit first, or set it"):
        _ = model.means_
    assert not hasattr(model, "monitor_")


def test_values_that_were_set_are_not_silently_drawn_anew():
    model = TiedHMM([0, 1])
    model.means_ = [[0.0], [1.0]]
    with pytest.raises(InputError, match="means_ was set, but init_params='stmc' asks to draw it anew: leave out 'm'"):
        model.fit(np.zeros((4, 1)))
    model.set_params(init_params="stc", params="stc").fit(np.arange(8.0)[:, None])
    assert model.means_.tolist() == [[0.0], [1.0]]


@pytest.mark.parametrize(
    ("settings", "message"),
    [
        ({"params": "smx"}, r"params is 'smx': there is no 'x', only 's' \(startprob\)"),
        ({"init_params": "e"}, "init_params is 'e': there is no 'e'"),
        ({"n_iter": 0}, "n_iter is 0 and n_init 1, expected 1 or more"),
        ({"n_init": 0}, "n_init 0, expected 1 or more"),
        ({"min_covar": 0.0}, "min_covar is 0.0, expected a variance above 0"),
    ],
)
def test_settings_that_make_no_sense_are_refused(settings, message):
    with pytest.raises(InputError, match=message):
        TiedHMM([0, 1], **settings).fit(np.zeros((4, 1)))


@pytest.mark.parametrize(
    ("name", "value", "message"),
    [
        ("startprob_", [0.5, 0.4], "startprob_ must hold probabilities that sum to 1"),
        ("startprob_", [1.5, -0.5], "startprob_ must hold probabilities"),
        ("startprob_", [[0.5, 0.5], [0.5, 0.5]], r"startprob_ has shape \(2, 2\), expected \(2,\)"),
        ("transmat_", [[0.5, 0.5], [0.5, 0.6]], "transmat_ must hold probabilities that sum to 1"),
        ("transmat_", [0.5, 0.5], r"transmat_ has shape \(2,\), expected \(2, 2\)"),
        ("means_", [0.0, 1.0], r"means_ must have shape \(n_states, n_features\)"),
        ("means_", [[0.0], [np.nan]], "means_ holds a value that is not finite"),
        ("means_", [[0.0]], r"means_ has shape \(1, 1\), expected a value for each of 2 states"),
        ("covars_", [[1.0], [-1.0]], "covars_ has a variance of -1 along some direction, below min_covar=1e-06"),
        ("covars_", [1.0, 1.0], r"covars_ has values of shape \(\), expected \(1,\)"),
    ],
)
def test_values_that_make_no_sense_are_refused(name, value, message):
    model = TiedHMM([0, 1])
    with pytest.raises((InputError, TyingError), match=message):
        setattr(model, name, value)


def test_matrices_must_be_symmetric():
    model = TiedHMM([0, 0], covariance="full")
    with pytest.raises(InputError, match="covars_ holds a matrix that is not symmetric"):
        model.covars_ = [[[1.0, 0.5], [0.0, 1.0]]] * 2


@pytest.mark.parametrize("name", ["means_", "transmat_", "emissionprob_"])
def test_values_must_agree_with_the_ties(name):
    model = TiedCategoricalHMM([0, 0], transition_classes=[0, 0]) if name != "means_" else TiedHMM([0, 0])
    with pytest.raises(TyingError, match=f"{name} of state 1 is not that of the other states of class 0"):
        setattr(model, name, [[0.5, 0.5], [0.4, 0.6]])
