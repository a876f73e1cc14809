"""The experiment of starting values passes, and fails where it should."""

import numpy as np
import pytest

torch = pytest.importorskip("torch")

from ffshare.nn.reproduce import starting_values  # noqa: E402
from ffshare.nn.reproduce.starting_values_fans import RULES, convolution, recurrent_layer  # noqa: E402
from ffshare.nn.reproduce.starting_values_growth import RADII, growth_of, log_norms, with_radius  # noqa: E402
from ffshare.nn.reproduce.starting_values_ties import row_ratio, tied_ratio  # noqa: E402
from ffshare.tying import LinearTying  # noqa: E402


@pytest.fixture(scope="module")
def outcome():
    return starting_values.run(quick=True)


def generator(seed):
    return torch.Generator().manual_seed(seed)


def test_every_claim_holds(outcome):
    assert [check.claim for check in outcome.checks if not check.passed] == []


def test_what_is_random_has_a_standard_error_well_below_its_tolerance(outcome):
    ratios = [check for check in outcome.checks if check.claim.endswith("(ratio of variances).")]
    assert len(ratios) == len(RULES) + 1 + 2 * len(starting_values.MULTIPLICITIES) + 3
    assert all(0.0 < 2 * check.error < check.tolerance for check in ratios)


def test_the_panels_show_what_was_measured(outcome):
    fans, drawing, growth = outcome.panels
    assert [len(series.x) for series in fans.series] == [3, 3]
    assert drawing.series[0].y[0] / drawing.series[1].y[0] == pytest.approx(4.0, rel=0.05)
    assert growth.series[0].y[-1] < growth.series[0].y[0] < growth.series[1].y[-1]


def test_a_fan_that_counts_reuse_is_found_out():
    wrong = [np.array([layer(generator(seed), 0.5) for seed in range(4)]) for layer in (convolution, recurrent_layer)]
    checks = starting_values.fan_checks([wrong[0]] * 3 + [wrong[1]] * 3)
    assert not any(check.passed for check in checks)


def test_averaged_sites_passed_off_as_drawn_are_found_out():
    ties = [LinearTying.hashed(256**2, 256**2 // c, balanced=True) for c in starting_values.MULTIPLICITIES]
    averaged = np.array([[tied_ratio(generator(seed), tying, average=True) for tying in ties] for seed in range(3)])
    assert [check.passed for check in starting_values.drawing_checks(averaged, averaged)] == [False] * 3 + [True] * 3


def test_rows_of_norm_one_need_no_regard():
    turned = LinearTying.orbit((32, 32), [np.rot90])
    by_norms, as_sites = ([row_ratio(generator(seed), turned, each) for seed in range(40)] for each in (True, False))
    assert np.mean(by_norms) == pytest.approx(1.0, abs=0.1)
    assert np.mean(as_sites) == pytest.approx(1.0, abs=0.1)


@pytest.mark.parametrize("radius", RADII)
def test_the_radius_is_changed_and_the_size_is_not(radius):
    matrix = np.random.default_rng(0).normal(size=(20, 20)) / 20**0.5
    changed = with_radius(matrix, radius)
    assert abs(np.linalg.eigvals(changed)).max() == pytest.approx(radius, abs=1e-10)
    assert np.square(changed).sum() == pytest.approx(np.square(matrix).sum(), rel=1e-12)


def test_norms_are_those_of_the_powers():
    matrix, state = np.random.default_rng(1).normal(size=(2, 4, 4))
    state = state[0]
    expected = [np.log(np.linalg.norm(np.linalg.matrix_power(matrix, k) @ state)) for k in range(6)]
    np.testing.assert_allclose(log_norms(matrix, state, 5), expected, rtol=1e-10)


def test_a_matrix_of_another_radius_is_found_out():
    grows = growth_of(RADII[1], quick=True)
    assert [check.passed for check in starting_values.growth_checks([grows, grows])] == [True, True, False, True]
