"""The experiment of the shared core passes, and fails where it should."""

import pytest

torch = pytest.importorskip("torch")

from ffshare.nn.core_fast import CoreFast  # noqa: E402
from ffshare.nn.reproduce import core_fast  # noqa: E402
from ffshare.nn.reproduce.core_fast_gradient import slopes  # noqa: E402
from ffshare.nn.reproduce.core_fast_sine import (  # noqa: E402
    ANIL,
    CAVIA_2,
    CAVIA_5,
    JOINT,
    MAML,
    losses,
    meta_train,
    sine_network,
    squared_error,
    waves,
)
from ffshare.nn.reproduce.core_fast_stability import FAST_SETS, trade_off  # noqa: E402


@pytest.fixture(scope="module")
def outcome():
    return core_fast.run(quick=True)


def failed(checks):
    return [number for number, check in enumerate(checks) if not check.passed]


def test_every_claim_holds(outcome):
    assert [check.claim for check in outcome.checks if not check.passed] == []


def test_what_is_random_has_a_standard_error(outcome):
    exact = (4, 8, 9)
    for number, check in enumerate(outcome.checks):
        assert (check.error is None) == (number in exact)


def test_the_panels_show_what_was_measured(outcome):
    steps, wave, stability = outcome.panels
    assert [series.label for series in steps.series][-1] == "CAVIA, 2 numbers: 2 fast"
    at_one = {series.label.split(":")[0]: series.y[1] for series in steps.series}
    assert at_one["joint training"] == outcome.checks[0].measured
    assert [len(series.x) for series in wave.series] == [100, 10, 100, 100, 100]
    assert list(stability.series[0].x) == [1, 41, 1681, 1761]
    after, before = stability.series[2].y, stability.series[0].y
    assert list(after[:2]) == list(before[:2])
    assert after[2] > before[2]


def test_the_networks_have_the_sizes_that_are_claimed():
    cores = {each.name: CoreFast(sine_network(each.n_context), each.fast) for each in (MAML, ANIL, CAVIA_2, CAVIA_5)}
    sizes = {name: (core.n_fast, core.n_core) for name, core in cores.items()}
    assert sizes == {
        "MAML": (1761, 0),
        "ANIL": (41, 1720),
        "CAVIA, 2 numbers": (2, 1841),
        "CAVIA, 5 numbers": (5, 1961),
    }


def test_support_and_query_lie_on_one_wave_and_share_no_point():
    drawn = waves(torch.Generator().manual_seed(0), (50,))
    (x, y), (x_query, y_query) = drawn.support, drawn.query
    for number in range(50):
        columns = torch.cat([torch.sin(x[number]), torch.cos(x[number])], dim=1)
        wave = torch.linalg.lstsq(columns, y[number]).solution
        found = torch.cat([torch.sin(x_query[number]), torch.cos(x_query[number])], dim=1) @ wave
        torch.testing.assert_close(found, y_query[number], rtol=1e-2, atol=1e-2)
        assert float(wave.norm()) < 5.0 + 1e-2
    assert not torch.isin(x_query, x).any()


def test_waves_to_test_on_are_none_of_those_trained_on():
    seen = waves(torch.Generator().manual_seed(1), (25,)).support[1]
    new = waves(torch.Generator().manual_seed(0), (500,), n_query=100).support[1]
    assert not torch.isin(new, seen).any()


def test_losses_are_those_of_each_wave_alone():
    core, tasks = CoreFast(sine_network(), "head.*"), waves(torch.Generator().manual_seed(5), (3,))
    found = losses(core, tasks, 2, 0.01).detach()
    for number in range(3):
        support, query = ((x[number], y[number]) for x, y in (tasks.support, tasks.query))
        adapted = core.adapt(lambda net, support=support: squared_error(net, support), 2, 0.01)
        torch.testing.assert_close(found[number], squared_error(adapted, query).detach())


def test_joint_training_passed_off_as_meta_learning_is_found_out():
    joint = meta_train(JOINT, 1, 30, n_waves=100)
    checks = core_fast.sine_checks(dict.fromkeys([each.name for each in (JOINT, MAML, CAVIA_2)], joint), quick=True)
    assert failed(checks) == [1, 2, 3]


def test_a_core_that_moves_is_found_out():
    networks = [sine_network()]
    kept = [trade_off(networks, *each, n_pairs=5, n_steps=5) for each in FAST_SETS]
    assert 0 not in failed(core_fast.stability_checks(kept, quick=True))
    moved = [trade_off(networks, *each, n_pairs=5, n_steps=5, restore="nothing") for each in FAST_SETS]
    assert 0 in failed(core_fast.stability_checks(moved, quick=True))


def test_the_first_order_variant_passed_off_as_the_meta_gradient_is_found_out():
    assert failed(core_fast.gradient_checks([slopes(MAML, first_order=True)])) == [0, 1]
