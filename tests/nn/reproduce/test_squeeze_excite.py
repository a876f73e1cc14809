"""The experiment on recalibration passes, and fails where what is called tied is not."""

import pytest

torch = pytest.importorskip("torch")
pytest.importorskip("sklearn")

from ffshare.nn.reproduce import squeeze_excite  # noqa: E402
from ffshare.tying import LinearTying  # noqa: E402


@pytest.fixture(scope="module")
def outcome():
    return squeeze_excite.run(True)


def failed(checks):
    return [check.claim for check in checks if not check.passed]


def test_every_claim_holds(outcome):
    assert failed(outcome.checks) == []
    assert len(outcome.checks) == 11
    assert [len(panel.series) for panel in outcome.panels] == [2, 2, 2]


def test_what_is_random_has_a_standard_error(outcome):
    assert [check.claim[:7] for check in outcome.checks if check.error is None] == ["The map", "One blo"]


def test_separate_maps_passed_off_as_shared_fail(monkeypatch):
    monkeypatch.setattr(LinearTying, "repeat", LinearTying.identity)
    ratios = {(n_depths, 0.0): squeeze_excite._ratio(n_depths, 0.0, 5) for n_depths in squeeze_excite.DEPTHS}
    assert len(failed(squeeze_excite._pooling_checks(ratios))) == 5


def test_the_mean_of_separate_maps_is_not_the_shared_one(monkeypatch):
    def averaged(tying, grams, moments):
        return tying.expand(tying.tie(squeeze_excite.np.linalg.solve(grams, moments)))

    monkeypatch.setattr(squeeze_excite, "_estimate", averaged)
    ratios = {(n_depths, 0.0): squeeze_excite._ratio(n_depths, 0.0, 50) for n_depths in squeeze_excite.DEPTHS}
    assert len(failed(squeeze_excite._pooling_checks(ratios))) == 5
