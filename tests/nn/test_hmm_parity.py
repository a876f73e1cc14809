"""Without ties and priors: the numbers of hmmlearn."""

import numpy as np
import pytest

torch = pytest.importorskip("torch")
hmmlearn = pytest.importorskip("hmmlearn.hmm")

from ffshare.nn.hmm import TiedCategoricalHMM, TiedHMM  # noqa: E402

N_STATES = 4
LENGTHS = [70, 1, 33, 120, 33]
NO_PRIORS = {"covars_prior": 0.0, "covars_weight": 1.0, "means_weight": 0.0}


@pytest.fixture(autouse=True)
def quiet(caplog):
    """It logs that likelihoods fall, which they do by rounding."""
    caplog.set_level("CRITICAL")


def start_values(rng, n_features):
    return {
        "startprob_": rng.dirichlet(np.ones(N_STATES)),
        "transmat_": rng.dirichlet(np.ones(N_STATES), size=N_STATES),
        "means_": rng.normal(size=(N_STATES, n_features)),
    }


def start_covariances(rng, kind, n_features):
    factors = rng.normal(size=(N_STATES, n_features, n_features))
    matrices = factors @ factors.mT + np.eye(n_features)
    variances = np.diagonal(matrices, axis1=1, axis2=2)
    return {"full": matrices, "diag": variances, "spherical": variances[:, 0], "tied": matrices[0]}[kind]


def both_gaussian(kind, n_features, seed=0, **settings):
    """The same model here and there, and data."""
    rng = np.random.default_rng(seed)
    values, covars = start_values(rng, n_features), start_covariances(rng, kind, n_features)
    theirs = hmmlearn.GaussianHMM(N_STATES, kind, init_params="", **NO_PRIORS, **settings)
    tied = kind == "tied"
    ours = TiedHMM(
        range(N_STATES),
        covariance="full" if tied else kind,
        covariance_classes=[0] * N_STATES if tied else None,
        init_params="",
        min_covar=1e-12,
        **settings,
    )
    for model in (theirs, ours):
        for name, value in values.items():
            setattr(model, name, value)
    theirs.covars_, theirs.n_features = covars, n_features
    ours.covars_ = np.tile(covars, (N_STATES, 1, 1)) if tied else covars
    data = np.cumsum(rng.normal(size=(sum(LENGTHS), n_features)), axis=0) / 4
    return ours, theirs, data


def assert_same(ours, theirs, names=("startprob_", "transmat_", "means_")):
    for name in names:
        np.testing.assert_allclose(getattr(ours, name), getattr(theirs, name), rtol=0, atol=1e-10, err_msg=name)
    if "means_" in names:
        # Its covars_ shows other shapes, and fails for spherical ones after a fit: these are what it computes with.
        covars, expected = ours.covars_, theirs._covars_
        if ours.covariance == "spherical":
            expected = expected.reshape(N_STATES, -1)[:, 0]
        np.testing.assert_allclose(covars, np.broadcast_to(expected, covars.shape), rtol=0, atol=1e-10)
    np.testing.assert_allclose(ours.monitor_.history, theirs.monitor_.history, rtol=1e-12)


@pytest.mark.parametrize("kind", ["spherical", "diag", "full", "tied"])
@pytest.mark.parametrize("n_features", [1, 3])
def test_a_fit_is_that_of_hmmlearn(kind, n_features):
    ours, theirs, data = both_gaussian(kind, n_features, n_iter=12, tol=-np.inf)
    ours.fit(data, LENGTHS)
    theirs.fit(data, LENGTHS)
    assert_same(ours, theirs)


def test_it_stops_where_hmmlearn_stops():
    ours, theirs, data = both_gaussian("diag", 2, n_iter=400, tol=1e-2)
    ours.fit(data, LENGTHS)
    theirs.fit(data, LENGTHS)
    assert ours.monitor_.iter == theirs.monitor_.iter < 400
    assert_same(ours, theirs)


@pytest.mark.parametrize("kind", ["spherical", "diag", "full", "tied"])
def test_what_it_says_of_data_is_what_hmmlearn_says(kind):
    ours, theirs, data = both_gaussian(kind, 2)
    assert ours.score(data, LENGTHS) == pytest.approx(theirs.score(data, LENGTHS), rel=1e-12)
    total, posteriors = ours.score_samples(data, LENGTHS)
    expected_total, expected = theirs.score_samples(data, LENGTHS)
    assert total == pytest.approx(expected_total, rel=1e-12)
    np.testing.assert_allclose(posteriors, expected, atol=1e-10)
    np.testing.assert_allclose(ours.predict_proba(data, LENGTHS), expected, atol=1e-10)
    total, states = ours.decode(data, LENGTHS)
    expected_total, expected = theirs.decode(data, LENGTHS)
    assert total == pytest.approx(expected_total, rel=1e-12)
    assert states.tolist() == expected.tolist() == ours.predict(data, LENGTHS).tolist()


@pytest.mark.parametrize("kind", ["spherical", "diag", "full", "tied"])
def test_parameters_are_counted_as_hmmlearn_counts_them(kind):
    ours, theirs, data = both_gaussian(kind, 2)
    assert ours.aic(data, LENGTHS) == pytest.approx(theirs.aic(data, LENGTHS), rel=1e-12)
    assert ours.bic(data, LENGTHS) == pytest.approx(theirs.bic(data, LENGTHS), rel=1e-12)


# Without "m" in them it forms no sums for covariances, and its "c" is wrong.
@pytest.mark.parametrize("letters", ["s", "t", "m", "tm", "mc"])
def test_what_is_not_to_change_stays_as_it_is_in_hmmlearn(letters):
    ours, theirs, data = both_gaussian("diag", 2, n_iter=4, tol=-np.inf, params=letters)
    ours.fit(data, LENGTHS)
    theirs.fit(data, LENGTHS)
    assert_same(ours, theirs)


def test_a_left_to_right_model_keeps_its_zeros_as_in_hmmlearn():
    ours, theirs, data = both_gaussian("diag", 1, n_iter=8, tol=-np.inf)
    start, matrix = np.eye(4)[0], np.triu(np.full((4, 4), 0.3))
    matrix /= matrix.sum(axis=1, keepdims=True)
    for model in (ours, theirs):
        model.startprob_, model.transmat_ = start, matrix
    lengths = [84, 90, 83]
    ours.fit(data, lengths)
    theirs.fit(data, lengths)
    assert_same(ours, theirs)
    assert (ours.transmat_[np.tril_indices(4, -1)] == 0).all()


def test_ten_thousand_steps_are_those_of_hmmlearn():
    ours, theirs, _ = both_gaussian("diag", 1, n_iter=2, tol=-np.inf)
    # Its logarithms of 10,000 steps are rounded at 1e-11, so that 1e-10 of a count is beyond them; its scaled numbers
    # are not.
    theirs.implementation = "scaling"
    data = np.random.default_rng(8).normal(size=(10_000, 1))
    ours.fit(data)
    theirs.fit(data)
    assert_same(ours, theirs)


def test_a_fit_to_symbols_is_that_of_hmmlearn():
    rng = np.random.default_rng(9)
    symbols = rng.integers(5, size=(sum(LENGTHS), 1))
    theirs = hmmlearn.CategoricalHMM(N_STATES, init_params="", n_iter=15, tol=-np.inf)
    ours = TiedCategoricalHMM(range(N_STATES), init_params="", n_iter=15, tol=-np.inf)
    values = start_values(rng, 1)
    values["emissionprob_"] = rng.dirichlet(np.ones(5), size=N_STATES)
    del values["means_"]
    for model in (theirs, ours):
        for name, value in values.items():
            setattr(model, name, value)
        model.fit(symbols, LENGTHS)
    assert_same(ours, theirs, ["startprob_", "transmat_", "emissionprob_"])
    assert ours.predict(symbols, LENGTHS).tolist() == theirs.predict(symbols, LENGTHS).tolist()
    assert ours.bic(symbols, LENGTHS) == pytest.approx(theirs.bic(symbols, LENGTHS), rel=1e-12)
