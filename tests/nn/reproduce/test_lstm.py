"""The experiment on tied gates passes, and fails where the tie is not pooled."""

import pytest

torch = pytest.importorskip("torch")
pytest.importorskip("sklearn")

from ffshare.nn.reproduce import lstm  # noqa: E402


@pytest.fixture(scope="module")
def outcome():
    return lstm.run(True)


def test_every_claim_holds(outcome):
    assert [check.claim for check in outcome.checks if not check.passed] == []
    assert len(outcome.checks) == 10


def test_what_is_trained_has_a_standard_error(outcome):
    assert sum(check.error is not None for check in outcome.checks) == 4
    assert outcome.panels
