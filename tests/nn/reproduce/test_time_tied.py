"""The experiment of the tie over time passes, and fails where it should."""

import numpy as np
import pytest

torch = pytest.importorskip("torch")

from torch import nn  # noqa: E402

from ffshare.nn.reproduce import time_tied  # noqa: E402
from ffshare.nn.reproduce.time_tied_linear import design, least_squares, linear_systems, trajectory  # noqa: E402
from ffshare.nn.reproduce.time_tied_tanh import tanh_network  # noqa: E402
from ffshare.nn.time_tied import TimeTied  # noqa: E402
from ffshare.tying import LinearTying  # noqa: E402


@pytest.fixture(scope="module")
def outcome():
    return time_tied.run(quick=True)


def test_every_claim_holds(outcome):
    assert [check.claim for check in outcome.checks if not check.passed] == []


def test_what_is_random_has_a_standard_error(outcome):
    slope, untied, mean = outcome.checks[:3]
    assert all(0.0 < check.error < 0.1 for check in (slope, untied, mean))


def test_the_panels_show_what_was_measured(outcome):
    errors, ranks, predictions = outcome.panels
    assert [series.label for series in errors.series][:2] == ["tied", "untied"]
    assert list(ranks.series[1].y) == [200, 800, 3200]
    assert np.allclose(predictions.series[0].y, predictions.series[1].y, atol=1e-6)
    assert not np.allclose(predictions.series[0].y, predictions.series[2].y, atol=1e-1)


def observed(n_steps, d, seed=0):
    rng = np.random.default_rng(seed)
    matrix = 0.5 * rng.normal(size=(d, d))
    return matrix, trajectory(matrix, rng.normal(size=d), rng.normal(size=(n_steps, d)))


class LinearCell(nn.Module):
    def __init__(self, d):
        super().__init__()
        self.weight = nn.Parameter(torch.zeros(d, d, dtype=torch.float64))

    def forward(self, x, state):
        return state @ self.weight.T


def test_the_design_is_the_derivative_of_the_unrolled_linear_cell():
    _, states = observed(6, 3)
    network = TimeTied(LinearCell(3), 6)
    found = network.jacobian(torch.zeros(6, 1), states=torch.from_numpy(states[:-1]))
    np.testing.assert_array_equal(design(states[:-1]).toarray(), found)


def test_least_squares_is_that_of_each_matrix():
    _, states = observed(30, 3)
    jacobian, responses = design(states[:-1]), states[1:].ravel()
    tied = least_squares(LinearTying.repeat(30, 9), jacobian, responses).reshape(30, 3, 3)
    expected = np.linalg.lstsq(states[:-1], states[1:], rcond=None)[0].T
    np.testing.assert_allclose(tied, np.broadcast_to(expected, (30, 3, 3)), rtol=1e-10)
    untied = least_squares(LinearTying.identity(270), jacobian, responses).reshape(30, 3, 3)
    shortest = states[1:, :, None] * states[:-1, None, :] / (states[:-1] ** 2).sum(axis=1)[:, None, None]
    np.testing.assert_allclose(untied, shortest, rtol=1e-10)


def mean_over_steps(tying, jacobian, responses):
    """What is not the tied estimator: the untied one, averaged."""
    untied = least_squares(LinearTying.identity(tying.n_site), jacobian, responses)
    return tying.expand(tying.tie(untied))


def test_averaged_untied_estimates_passed_off_as_tied_are_found_out():
    slope = time_tied.linear_checks(linear_systems(5, estimate=mean_over_steps))[0]
    assert not slope.passed
    assert abs(slope.measured) < 0.1


def test_an_untied_network_passed_off_as_tied_is_found_out():
    failed = [check.claim for check in time_tied.tanh_checks([tanh_network(0, 16, tied=False)]) if not check.passed]
    assert len(failed) == 3
    assert failed[0].startswith("A tied tanh network")
    assert failed[1].startswith("Tied training recovers the weights")
    assert failed[2].startswith("The tied network predicts")
