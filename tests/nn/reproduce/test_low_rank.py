"""The experiment on generated weights passes, and fails where the decomposition is not that of the target."""

import pytest

torch = pytest.importorskip("torch")
pytest.importorskip("sklearn")

from ffshare.nn.reproduce import low_rank  # noqa: E402


@pytest.fixture(scope="module")
def outcome():
    return low_rank.run(True)


def test_every_claim_holds(outcome):
    assert [check.claim for check in outcome.checks if not check.passed] == []
    assert len(outcome.checks) == 9
    assert outcome.panels
    assert "no free lunch" in outcome.remarks[1]


def test_factors_trained_to_another_matrix_fail(monkeypatch):
    monkeypatch.setattr(low_rank, "_spectrum", lambda: low_rank.np.ones(low_rank.COLUMNS))
    target = low_rank._target()
    monkeypatch.undo()
    monkeypatch.setattr(low_rank, "_target", lambda: target)
    assert low_rank._excess(2) > 1.0
