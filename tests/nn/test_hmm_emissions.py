"""Emissions: densities, and pooled steps that no other values with the same ties improve on."""

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from scipy import stats

torch = pytest.importorskip("torch")

from ffshare.errors import InputError, TyingError  # noqa: E402
from ffshare.nn.hmm import TiedCategoricalHMM, TiedHMM  # noqa: E402
from ffshare.nn.hmm.covariances import COVARIANCES  # noqa: E402
from ffshare.nn.hmm.starts import k_means  # noqa: E402
from ffshare.nn.hmm.ties import of_classes, pooled, states_in_classes  # noqa: E402
from ffshare.tying import LinearTying  # noqa: E402

# Class of mean and class of covariance of each state.
MAPS = {
    "untied": ((0, 1, 2), None),
    "tied": ((0, 1, 0), None),
    "all alike": ((0, 0, 0), None),
    "one covariance": ((0, 1, 2), (0, 0, 0)),
    "fewer covariances than means": (("a", "b", "a", "c"), ("x", "y", "x", "y")),
}


def random_covariances(rng, n, n_features):
    factors = rng.normal(size=(n, n_features, n_features))
    return factors @ factors.mT + 0.1 * np.eye(n_features)


def as_kind(name, matrices):
    """Covariance matrices that a kind can hold, as the kind has them."""
    variances = np.diagonal(matrices, axis1=1, axis2=2)
    return {"full": matrices, "diag": variances, "spherical": variances.mean(axis=1)}[name]


def as_matrices(name, covariances, n_features):
    ones = np.eye(n_features)
    return {
        "full": lambda: covariances,
        "diag": lambda: covariances[:, :, None] * ones,
        "spherical": lambda: covariances[:, None, None] * ones,
    }[name]()


@pytest.mark.parametrize("name", COVARIANCES)
@pytest.mark.parametrize("n_features", [1, 3])
def test_densities_are_those_of_scipy(name, n_features):
    rng = np.random.default_rng(n_features)
    deviations = rng.normal(size=(20, n_features))
    covariances = as_kind(name, random_covariances(rng, 4, n_features))
    for one, matrix in zip(covariances, as_matrices(name, covariances, n_features), strict=True):
        expected = stats.multivariate_normal(np.zeros(n_features), matrix).logpdf(deviations)
        np.testing.assert_allclose(COVARIANCES[name].log_densities(deviations, one), expected, rtol=1e-12)


@pytest.mark.parametrize("name", COVARIANCES)
@pytest.mark.parametrize("ties", MAPS)
def test_at_the_values_of_a_step_no_derivative_of_the_expected_log_likelihood_is_left(name, ties):
    classes, covariance_classes = MAPS[ties]
    rng = np.random.default_rng(3)
    observations, posteriors = (
        rng.normal(size=(40, 2)) @ [[1.0, 0.7], [0.0, 0.4]],
        rng.dirichlet(np.ones(len(classes)), size=40),
    )
    emission = TiedHMM(classes, covariance_classes=covariance_classes, covariance=name).ties.emission
    theta = emission.start(observations, rng)
    new = emission.maximised(observations, posteriors, theta, frozenset({"means", "covars"}))
    means = torch.tensor(new["means"], requires_grad=True)
    covars = torch.tensor(new["covars"], requires_grad=True)
    matrices = {
        "full": lambda: (covars + covars.mT) / 2,
        "diag": lambda: torch.diag_embed(covars),
        "spherical": lambda: covars[:, None, None] * torch.eye(2),
    }[name]()
    normal = torch.distributions.MultivariateNormal(
        emission.ties["means"].expand(means), emission.ties["covars"].expand(matrices)
    )
    expected = (torch.tensor(posteriors) * normal.log_prob(torch.tensor(observations)[:, None])).sum()
    for gradient in torch.autograd.grad(expected, [means, covars]):
        assert gradient.abs().max() < 1e-10


@pytest.mark.parametrize("name", COVARIANCES)
def test_a_step_changes_only_what_it_is_asked_to(name):
    rng = np.random.default_rng(4)
    observations, posteriors = rng.normal(size=(30, 2)), rng.dirichlet(np.ones(3), size=30)
    emission = TiedHMM([0, 1, 0], covariance=name).ties.emission
    theta = emission.start(observations, rng)
    means = emission.maximised(observations, posteriors, theta, frozenset({"means"}))
    covars = emission.maximised(observations, posteriors, theta, frozenset({"covars"}))
    assert (means["covars"] is theta["covars"], covars["means"] is theta["means"]) == (True, True)
    # About means that are not the best, the scatter is wider.
    both = emission.maximised(observations, posteriors, theta, frozenset({"means", "covars"}))
    kind = COVARIANCES[name]
    assert (kind.least_variances(covars["covars"] - both["covars"]) > -1e-12).all()


@pytest.mark.parametrize("name", COVARIANCES)
def test_the_floor_has_the_greatest_likelihood_of_all_that_are_above_it(name):
    rng = np.random.default_rng(5)
    matrices = random_covariances(rng, 6, 3)
    kind, floor = COVARIANCES[name], 1.0
    scatter = as_kind(name, matrices)
    held = kind.floored(scatter, floor)
    assert kind.least_variances(held).min() >= floor * (1 - 1e-12)
    assert (kind.floored(held * 1.01, floor) == held * 1.01).all()

    def value(covariances):
        full, targets = as_matrices(name, covariances, 3), as_matrices(name, scatter, 3)
        return -np.linalg.slogdet(full)[1] - np.trace(np.linalg.solve(full, targets), axis1=1, axis2=2)

    best = value(held)
    for _ in range(50):
        other = kind.floored(
            as_kind(name, as_matrices(name, held, 3) + 0.3 * random_covariances(rng, 6, 3) - 0.2), floor
        )
        assert (value(other) <= best + 1e-12).all()


@given(labels=st.lists(st.sampled_from("abc"), min_size=1, max_size=6), seed=st.integers(0, 1000))
def test_pooling_is_the_mean_of_all_that_a_class_has_seen(labels, seed):
    rng = np.random.default_rng(seed)
    posteriors, observations = rng.random((9, len(labels))), rng.normal(size=9)
    weights = posteriors.sum(axis=0)
    tying = states_in_classes("classes", labels)
    found = pooled(tying, posteriors.T @ observations / weights, weights, np.zeros(tying.n_free))
    for key, value in zip(tying.keys, found, strict=True):
        of_class = posteriors[:, [i for i, label in enumerate(labels) if label == key]].sum(axis=1)
        assert value == pytest.approx(of_class @ observations / of_class.sum(), rel=1e-12, abs=1e-12)


def test_a_class_that_was_not_seen_keeps_what_it_had():
    emission = TiedHMM([0, 1, 1]).ties.emission
    theta = {"means": np.array([[1.0], [7.0]]), "covars": np.array([[2.0], [3.0]])}
    posteriors = np.array([[1.0, 0.0, 0.0]] * 3)
    both = frozenset({"means", "covars"})
    new = emission.maximised(np.array([[0.0], [3.0], [6.0]]), posteriors, theta, both)
    assert (new["means"].tolist(), new["covars"].tolist()) == ([[3.0], [7.0]], [[6.0], [3.0]])


def test_frequencies_of_symbols_are_pooled_with_the_posteriors():
    emission = TiedCategoricalHMM([0, 1, 0], n_symbols=3).ties.emission
    posteriors = np.array([[0.5, 0.5, 0.0], [0.25, 0.5, 0.25], [0.0, 1.0, 0.0]])
    theta = {"emissionprob": np.full((2, 3), 1 / 3)}
    new = emission.maximised(np.array([[0], [1], [1]]), posteriors, theta, frozenset({"emissionprob"}))
    assert new["emissionprob"].tolist() == [[0.5, 0.5, 0.0], [0.25, 0.75, 0.0]]


def test_means_start_where_observations_lie_together():
    rng = np.random.default_rng(6)
    centres = np.array([[-9.0, 1.0], [0.0, 5.0], [7.0, -3.0]])
    rows = centres[rng.integers(3, size=300)] + 0.1 * rng.normal(size=(300, 2))
    np.testing.assert_allclose(k_means(rows, 3, rng), centres, atol=0.05)
    many = np.tile(rows, (50, 1))
    np.testing.assert_allclose(k_means(many, 3, rng), centres, atol=0.05)


def test_more_classes_than_different_observations_start_somewhere():
    means = k_means(np.array([[2.0], [2.0], [5.0]]), 4, np.random.default_rng(0))
    assert set(means.ravel().tolist()) == {2.0, 5.0}


@pytest.mark.parametrize("name", COVARIANCES)
def test_samples_have_the_means_and_covariances_of_their_states(name):
    rng = np.random.default_rng(7)
    covariances = as_kind(name, random_covariances(rng, 2, 2))
    emission = TiedHMM(["a", "b", "a"], covariance=name).ties.emission
    theta = {"means": np.array([[1.0, 2.0], [-3.0, 0.0]]), "covars": covariances}
    states = np.repeat([0, 1, 2], 20_000)
    drawn = emission.sample(states, theta, rng)
    for state, c in ((0, 0), (1, 1), (2, 0)):
        rows = drawn[states == state]
        np.testing.assert_allclose(rows.mean(axis=0), theta["means"][c], atol=0.1)
        np.testing.assert_allclose(np.cov(rows.T), as_matrices(name, covariances, 2)[c], rtol=0.06, atol=0.06)


def test_states_that_share_a_mean_must_share_its_covariance():
    with pytest.raises(TyingError, match="covariance_classes splits class 'a'"):
        TiedHMM(["a", "b", "a"], covariance_classes=[0, 0, 1]).fit(np.zeros((4, 1)))


def test_unknown_covariances_are_named_and_hmmlearns_tied_is_explained():
    with pytest.raises(InputError, match="covariance is 'round', expected one of 'spherical', 'diag', 'full'"):
        TiedHMM([0], covariance="round").fit(np.zeros((4, 1)))
    with pytest.raises(InputError, match=r"covariance='full' with covariance_classes=\[0\]"):
        TiedHMM([0], covariance="tied").fit(np.zeros((4, 1)))


@pytest.mark.parametrize(
    ("classes", "message"),
    [
        ([], "classes is empty"),
        ([0, None, 1], "classes: state 1 has no class"),
        ([0, 2], "classes: no state is in class 1; number classes from 0 without a gap"),
    ],
)
def test_every_state_needs_a_class_and_every_class_a_state(classes, message):
    with pytest.raises(TyingError, match=message):
        TiedHMM(classes).fit(np.zeros((4, 1)))


def test_maps_of_different_length_are_refused():
    with pytest.raises(TyingError, match="transition_classes has 3 entries, but there are 2 states"):
        TiedHMM([0, 1], transition_classes=[0, 0, 1]).fit(np.zeros((4, 1)))


def test_values_of_a_class_must_agree():
    tying = LinearTying.groups(["a", "b", "a"])
    assert of_classes("means_", tying, [1.0, 2.0, 1.0 + 1e-12]).tolist() == [1.0, 2.0]
    with pytest.raises(TyingError, match="means_ of state 2 is not that of the other states of class 'a'"):
        of_classes("means_", tying, [1.0, 2.0, 1.1])
    with pytest.raises(TyingError, match=r"means_ has shape \(2,\), expected a value for each of 3 states"):
        of_classes("means_", tying, [1.0, 2.0])


@settings(max_examples=20)
@given(seed=st.integers(0, 1000), shift=st.sampled_from([0.0, 1e6]))
def test_a_mean_far_from_zero_does_not_blur_the_variance(seed, shift):
    rng = np.random.default_rng(seed)
    observations, posteriors = rng.normal(size=(30, 2)), rng.dirichlet(np.ones(2), size=30)
    emission = TiedHMM([0, 0], covariance="full").ties.emission
    both = frozenset({"means", "covars"})
    theta = emission.start(observations, rng)
    near = emission.maximised(observations, posteriors, theta, both)["covars"]
    far = emission.maximised(observations + shift, posteriors, theta, both)["covars"]
    np.testing.assert_allclose(far, near, rtol=1e-8, atol=1e-8)
