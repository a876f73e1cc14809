"""The experiment with hashed weights: its quick run passes, and what is not a tie does not."""

import dataclasses

import numpy as np
import pytest

torch = pytest.importorskip("torch")
pytest.importorskip("mlxtend")

from ffshare.nn.reproduce.hashed import (  # noqa: E402
    N_BUCKETS,
    SEED,
    averaging_checks,
    balanced_checks,
    least_squares_checks,
    run,
    training_checks,
)
from ffshare.nn.reproduce.hashed_networks import Averaged, Split, Trained, averaged, dense  # noqa: E402
from ffshare.nn.reproduce.hashed_report import analytic_loss  # noqa: E402
from ffshare.tying import LinearTying  # noqa: E402

WEIGHT = np.random.default_rng(0).normal(size=2560)


@pytest.fixture(scope="module")
def outcome():
    return run(quick=True)


def test_every_check_of_the_quick_run_passes(outcome):
    assert outcome.passed, [check for check in outcome.checks if not check.passed]
    assert len(outcome.checks) >= 13


def test_it_has_panels_and_remarks(outcome):
    assert [panel.title for panel in outcome.panels] == [
        "What averaging over buckets loses",
        "Averaged, or trained through the tie",
    ]
    assert all(len(series.x) == len(series.y) for panel in outcome.panels for series in panel.series)
    assert "1/e" in outcome.remarks[0]


def test_the_loss_of_averaging_is_the_mean_over_placings():
    # One weight of n that keeps 1/c of its square, where c - 1 others have come to its bucket.
    others = np.random.default_rng(0).binomial(10_000 - 1, 1 / 5_000, size=200_000)
    assert analytic_loss(0.5) == pytest.approx(1 - np.mean(1 / (1 + others)), abs=2e-3)
    assert (analytic_loss(1e-9), analytic_loss(1e9)) == pytest.approx((1.0, 0.0), abs=1e-8)


def test_averages_are_least_squares_and_nothing_else_is():
    assert all(check.passed for check in least_squares_checks(WEIGHT, hashed(LinearTying)))
    for broken in (FirstMember, Unweighted):
        assert not all(check.passed for check in least_squares_checks(WEIGHT, hashed(broken)))


def hashed(kind):
    return kind.hashed(len(WEIGHT), N_BUCKETS, SEED, signed=True)


class FirstMember(LinearTying):
    """Takes one weight of each bucket in place of their average."""

    __slots__ = ()

    def tie(self, phi, weight=None):
        theta = np.zeros(self.n_free)
        theta[self.free[::-1]] = (self.coef * phi)[::-1]
        return theta


class Unweighted(LinearTying):
    """Forgets the signs."""

    __slots__ = ()

    def tie(self, phi, weight=None):
        return self.pool(self.coef * phi) / np.maximum(self.counts, 1)


def test_a_network_that_is_not_tied_does_not_pass():
    curve = {ratio: [[Averaged(residual=0.0, error=5.0)] * 2] * 2 for ratio in (1.0, 1 / 8)}
    assert not any(check.passed for check in averaging_checks(curve)[:-1])
    lucky = {ratio: [[Averaged(residual=analytic_loss(ratio), error=ratio)] * 2] * 2 for ratio in (1.0, 1 / 8)}
    *losses, monotone = averaging_checks(lucky)
    assert all(check.passed for check in losses)
    assert not monotone.passed


def test_random_buckets_passed_off_as_balanced_do_not_pass():
    noise, labels = torch.randn(10, 784, generator=torch.Generator().manual_seed(0)), torch.arange(10)
    data = Split(train=noise, train_labels=labels, test=noise, test_labels=labels)
    random = averaged(dense(256, 0), 1.0, 0, data)
    assert not balanced_checks(random, random.error)[0].passed
    assert random.residual == pytest.approx(analytic_loss(1.0), rel=0.03)


def test_plain_networks_passed_off_as_hashed_do_not_pass():
    curve = {1 / 8: [[Averaged(residual=0.9, error=60.0)]] * 2}
    good = Trained(compression=1 / 8, n_hashed=25_674, n_dense=25_450, hashed=(5.0, 5.1), dense=(6.0, 6.1))
    best = Trained(compression=1 / 64, n_hashed=3_442, n_dense=3_190, hashed=(7.0, 7.7), dense=(20.0, 24.0))
    assert all(check.passed for check in training_checks([good, best], curve))
    for sabotage in ({"hashed": best.dense}, {"n_hashed": 3_190}):
        checks = training_checks([good, dataclasses.replace(best, **sabotage)], curve)
        assert not all(check.passed for check in checks)
    averaged_only = dataclasses.replace(good, hashed=(60.0, 60.0))
    assert not all(check.passed for check in training_checks([averaged_only, best], curve))
