"""The experiment with the tied Gaussian field: its quick run passes, and a broken tie or estimate does not."""

import numpy as np
import pytest

torch = pytest.importorskip("torch")
pytest.importorskip("sklearn")
pytest.importorskip("PIL")

from ffshare.nn.reproduce import gaussian_field  # noqa: E402
from ffshare.tying import LinearTying  # noqa: E402


@pytest.fixture(scope="module")
def outcome():
    return gaussian_field.run(quick=True)


def failed(outcome):
    return [number for number, check in enumerate(outcome.checks) if not check.passed]


def test_every_check_of_the_quick_run_passes(outcome):
    assert outcome.passed, [check for check in outcome.checks if not check.passed]
    assert len(outcome.checks) == 10


def test_it_has_panels_and_tells_of_the_plain_error(outcome):
    assert [len(panel.series) for panel in outcome.panels] == [2, 2, 2]
    assert all(len(series.x) == len(series.y) for panel in outcome.panels for series in panel.series)
    tied, untied = outcome.panels[1].series
    assert tied.y[-1] < 0.2 * tied.y[0]
    assert min(untied.y) > 0.8
    assert "condition number of the patches" in outcome.remarks[0]


@pytest.fixture
def briefly(monkeypatch):
    """Fewer replicas: enough to fail."""
    monkeypatch.setattr(gaussian_field, "N_REPLICAS", 60)
    monkeypatch.setattr(gaussian_field, "_errors_by_size", lambda rng, sides: {})
    return monkeypatch


def test_weights_tied_in_a_wrong_order_do_not_pass(briefly):
    def muddled(times, n_free=1):
        return LinearTying.index(np.repeat(np.arange(n_free), times))

    briefly.setattr(LinearTying, "repeat", muddled)
    assert {0, 1, 5} & set(failed(gaussian_field.run(quick=True))) == {1, 5}


def test_a_covariance_of_the_wrong_size_does_not_pass(briefly):
    field = gaussian_field.TiedGaussianField

    class Confident(field):
        """Takes the covariance of a patch of four weights for that of nine: twice too small."""

        def fit(self, X, y):
            super().fit(X, y)
            self.covariance_ = 0.5 * self.covariance_
            return self

    briefly.setattr(gaussian_field, "TiedGaussianField", Confident)
    assert 2 in failed(gaussian_field.run(quick=True))


def test_noise_that_takes_in_the_signal_does_not_pass(briefly):
    field = gaussian_field.TiedGaussianField

    class Noisy(field):
        """Takes the mean square of the responses for that of the residuals."""

        def fit(self, X, y):
            super().fit(X, y)
            self.noise_variance_ = float(np.mean(np.square(y)))
            return self

    briefly.setattr(gaussian_field, "TiedGaussianField", Noisy)
    assert 4 in failed(gaussian_field.run(quick=True))
