"""The experiment of the quarter turns passes, and fails where it should."""

import numpy as np
import pytest

torch = pytest.importorskip("torch")
pytest.importorskip("sklearn")
pytest.importorskip("mlxtend")

from ffshare.nn.reproduce import c4  # noqa: E402
from ffshare.nn.reproduce.c4_linear import TIED, UNTIED, Accuracies, fit, theorem, turned_at_random  # noqa: E402
from ffshare.nn.reproduce.c4_networks import Contest, tied_network, untied_network  # noqa: E402
from ffshare.nn.reproduce.seeds import seeded  # noqa: E402
from ffshare.tying import LinearTying  # noqa: E402


@pytest.fixture(scope="module")
def outcome():
    return c4.run(quick=True)


def failed(checks):
    return [check.claim for check in checks if not check.passed]


def test_every_claim_holds(outcome):
    assert failed(outcome.checks) == []


def test_what_is_random_has_a_standard_error(outcome):
    random = [check for check in outcome.checks if "digits" in check.claim or "After as many" in check.claim]
    assert len(random) == 3
    assert all(check.error > 0.0 for check in random)


def test_the_panels_show_what_was_measured(outcome):
    linear, networks, sizes = outcome.panels
    assert all(tied > untied for tied, untied in zip(linear.series[0].y, linear.series[1].y, strict=True))
    assert [series.x for series in networks.series] == [[500], [2000]]
    for series, exact in zip(sizes.series, ((12, 16, 20), (15, 19)), strict=True):
        assert tuple(x for x, y in zip(series.x, series.y, strict=True) if y < 1e-10) == exact


def test_turned_images_are_the_images_in_their_order():
    images = np.random.default_rng(0).random((20, 3, 3))
    turned = turned_at_random(images, np.random.default_rng(1))
    times = [[np.array_equal(np.rot90(a, k), b) for k in range(4)] for a, b in zip(images, turned, strict=True)]
    assert np.array_equal(np.sum(times, axis=1), np.ones(20))
    assert np.any(times, axis=0).all()


def test_the_gradient_of_a_fit_vanishes_where_it_ends():
    rng = np.random.default_rng(0)
    images, labels = rng.random((30, 8, 8)), rng.integers(10, size=30)
    for tying in (TIED, UNTIED):
        best = fit(tying, images, labels, 1.0, tolerance=1e-7)
        again = fit(tying, images, labels, 1.0, rng, tolerance=1e-7)
        np.testing.assert_allclose(best[:64], again[:64], atol=1e-5)


def test_another_symmetry_passed_off_as_the_turns_is_found_out():
    flips = LinearTying.orbit((8, 8), [np.fliplr]) | LinearTying.identity(1)
    assert failed(c4.theorem_checks(theorem(flips))) == [
        "They are the weights of the model tied over the orbits of the turns."
    ]


def test_an_untied_model_passed_off_as_tied_is_found_out():
    untied = np.linspace(0.4, 0.7, 4) + np.array([[0.0], [0.01]])
    same = Accuracies(sizes=(80, 160, 320, 640), tied=untied, untied=untied)
    assert len(failed(c4.linear_checks(same))) == 1
    missed = np.tile([[1.0, 0.0, 0.0, 0.0], [1.0, 1.0, 0.0, 0.0]], 5)
    worse = Contest(n=10, tied=missed, untied=0.5 * missed, networks=(None, None))
    assert len(failed(c4.network_checks([worse]))) == 1


def test_an_untied_network_passed_off_as_tied_is_found_out():
    with seeded(0):
        network, tied = untied_network(), tied_network()
    assert len(failed(c4.symmetry_checks(network, network, network))) == 4
    assert failed(c4.symmetry_checks(tied, tied, tied)) == [
        "The untied network, trained on images turned in all four ways, has not become invariant."
    ]
