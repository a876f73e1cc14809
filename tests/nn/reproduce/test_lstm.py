"""The experiment with tied gates, and that it can fail."""

import dataclasses
import math

import numpy as np
import pytest

torch = pytest.importorskip("torch")
pytest.importorskip("sklearn")

from ffshare.nn import lstm as layer  # noqa: E402
from ffshare.nn.reproduce import lstm as experiment  # noqa: E402
from ffshare.nn.reproduce.lstm_tasks import OVERWRITE, SINGLE, latch, latch_errors  # noqa: E402
from ffshare.nn.reproduce.lstm_training import Ensemble, Reader  # noqa: E402
from ffshare.nn.reproduce.seeds import seeded  # noqa: E402
from ffshare.tying import LinearTying  # noqa: E402


@pytest.fixture(scope="module")
def outcome():
    return experiment.run(quick=True)


def test_every_claim_holds_but_perhaps_that_a_single_write_shows_no_harm(outcome):
    # With more networks and longer training that claim fails for 2 and 8 hidden units, so nothing is asserted of it.
    failed = [check.claim for check in outcome.checks if not check.passed and "written once" not in check.claim]
    assert failed == []
    assert len(outcome.checks) == 9


def test_what_is_random_has_an_error(outcome):
    errors = [check.error for check in outcome.checks]
    assert errors[:6] == [None] * 6
    assert all(error > 0 for error in errors[6:])


def test_the_panels_show_every_network(outcome):
    reading, latches = outcome.panels
    assert [len(series.x) for series in reading.series] == [1, 1]
    assert [len(series.y) for series in latches.series] == [16] * 4
    assert all(math.isfinite(y) for series in latches.series for y in series.y)


def test_the_remarks_give_the_errors_of_the_latch_that_is_written_once(outcome):
    assert "with 8." in outcome.remarks[0]


@pytest.mark.parametrize(
    "wrong", [LinearTying.groups([0, 1, 2, 0]), LinearTying.groups([0, 0, 0, 0]), LinearTying.identity(4)]
)
def test_another_tie_fails_the_checks_of_exactness_or_of_counts(monkeypatch, wrong):
    monkeypatch.setitem(layer.TIES, "input", {"weight_ih": wrong})
    checks = (*experiment.exactness(), *experiment.counts())
    assert not all(check.passed for check in checks)


def test_a_tie_that_ties_nothing_does_no_harm_and_fails(monkeypatch):
    monkeypatch.setitem(layer.TIES, "input", {})
    errors = latch_errors(8, 2, n_updates=3, learning_rate=0.1)
    np.testing.assert_allclose(errors[OVERWRITE, "input"], errors[OVERWRITE, "none"], rtol=1e-6)
    harm, *_ = experiment.latch_checks({8: errors})
    assert harm.measured == pytest.approx(1.0)
    assert not harm.passed


def test_harm_where_nothing_need_be_erased_fails():
    good, bad = np.linspace(1.0, 1.2, 9), np.linspace(3.0, 3.6, 9)
    errors = {(OVERWRITE, "none"): good, (OVERWRITE, "input"): bad, (SINGLE, "none"): good, (SINGLE, "input"): bad}
    harm, single = experiment.latch_checks({8: errors})
    assert harm.passed
    assert single.measured == pytest.approx(3.0)
    assert not single.passed


def test_a_loss_of_accuracy_fails():
    (check,) = experiment.digit_checks({100: {"none": np.array([0.8, 0.9]), "input": np.array([0.7, 0.8])}})
    assert check.measured == pytest.approx(-0.1)
    assert not check.passed


def test_networks_that_run_together_give_what_each_gives_alone():
    with seeded(0):
        readers = [Reader(2, 3, 4, tie) for tie in ("none", "none", "input", "cifg")]
        steps = torch.randn(4, 6, 5, 2)
    together = Ensemble(readers)(steps)
    for found, reader, each in zip(together, readers, steps, strict=True):
        torch.testing.assert_close(found, reader(each))


def test_networks_that_are_trained_together_become_what_each_becomes_alone():
    with seeded(1):
        readers = [Reader(2, 3, 1, tie) for tie in ("none", "input", "input")]
        steps, targets = torch.randn(3, 6, 5, 2), torch.randn(3, 5, 1)
    with seeded(1):
        alone = [Reader(2, 3, 1, tie) for tie in ("none", "input", "input")]
    Ensemble(readers).train(
        lambda: (steps, targets), lambda out, y: (out - y).square().mean(dim=(1, 2)), n_updates=4, learning_rate=0.02
    )
    for k, reader in enumerate(alone):
        optimizer = torch.optim.Adam(reader.parameters(), lr=0.02)
        schedule = torch.optim.lr_scheduler.CosineAnnealingLR(optimizer, 4)
        for _ in range(4):
            optimizer.zero_grad()
            (reader(steps[k]) - targets[k]).square().mean().backward()
            optimizer.step()
            schedule.step()
        for found, expected in zip(readers[k].parameters(), reader.parameters(), strict=True):
            torch.testing.assert_close(found, expected, rtol=1e-4, atol=1e-5)


@pytest.mark.parametrize("overwrites", [True, False])
def test_a_latch_is_told_the_number_of_the_last_write(overwrites):
    steps, targets = latch(50, torch.Generator().manual_seed(0), overwrites=overwrites)
    numbers, flags = steps.unbind(-1)
    writes = flags.sum(dim=0)
    assert (flags[0] == 1).all() if overwrites else (writes == 1).all()
    if overwrites:
        assert writes.mean().item() == pytest.approx(1 + 9 / 4, rel=0.2)
    for n in range(50):
        last = max(t for t in range(10) if flags[t, n])
        assert targets[n] == numbers[last, n]


def test_more_is_computed_in_full():
    quick, full = (dataclasses.asdict(plan) for plan in (experiment.QUICK, experiment.FULL))
    assert set(full["latches"]) == {1, 2, 8}
    assert full["digits"] == (100, 400, 1200)
    assert quick["latch_updates"] < full["latch_updates"]
