"""The experiment with tied emissions: what it claims holds, and does not hold of something else."""

import numpy as np
import pytest

torch = pytest.importorskip("torch")

from ffshare.nn.reproduce.hmm import experiment, run  # noqa: E402
from ffshare.nn.reproduce.hmm.oracles import most_likely, scaled_log_likelihood  # noqa: E402
from ffshare.nn.reproduce.hmm.truth import CLASSES, sequences, truth  # noqa: E402
from ffshare.tying import LinearTying  # noqa: E402


@pytest.fixture(scope="module")
def outcome():
    return run(quick=True)


def test_every_claim_holds(outcome):
    assert [check.claim for check in outcome.checks if not check.passed] == []
    assert len(outcome.checks) == 7


def test_what_is_random_has_an_error(outcome):
    (ratio,) = [check for check in outcome.checks if check.error is not None]
    assert "the tie brings the error of the means down" in ratio.claim
    assert 0 < ratio.error < 0.2 * ratio.measured


def test_panels_have_points(outcome):
    errors, steps = outcome.panels
    assert [series.label for series in errors.series] == ["tied", "untied"]
    assert all(0 < y < 1 for series in errors.series for y in series.y)
    assert list(steps.series[0].y) == sorted(steps.series[0].y, reverse=True)


def test_the_remark_says_what_averaging_costs(outcome):
    (remark,) = outcome.remarks
    assert "lowers the log-likelihood" in remark


def average(tie):
    """A tie that averages without weights, which is what the pooled step is not."""
    return lambda self, phi, weight=None: tie(self, phi, None if weight is None else (np.asarray(weight) > 0) * 1.0)


def test_a_tie_that_averages_fails_the_claims(monkeypatch):
    monkeypatch.setattr(LinearTying, "tie", average(LinearTying.tie))
    assert not experiment._pooled_step().passed
    checks, _ = experiment._against_gradients(2)
    assert [check.passed for check in checks] == [False, False]


def test_untied_states_passed_off_as_tied_fail_the_claim():
    errors = experiment._errors(75, 4, 30, 1e-1, classes=(0, 1, 2, 3))
    check = experiment._gain_of_tie(errors)
    assert (check.measured, check.passed) == (1.0, False)


def test_the_oracles_agree_with_each_other():
    observations, lengths = sequences(40, 1, seed=3)
    assert truth().score(observations, lengths) == pytest.approx(scaled_log_likelihood(observations), rel=1e-13)
    means, value = most_likely(torch.as_tensor(observations).reshape(1, 40))
    assert len(means) == len(set(CLASSES))
    assert value > scaled_log_likelihood(observations)
