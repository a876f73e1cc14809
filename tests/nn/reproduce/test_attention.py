"""The experiment on shared values passes, and fails where what it measures is not what it says."""

import numpy as np
import pytest

torch = pytest.importorskip("torch")

from ffshare.nn.attention import SharedValueAttention  # noqa: E402
from ffshare.nn.reproduce import attention  # noqa: E402
from ffshare.tying import LinearTying  # noqa: E402


@pytest.fixture(scope="module")
def outcome():
    return attention.run(True)


def test_every_claim_holds(outcome):
    assert [check.claim for check in outcome.checks if not check.passed] == []
    assert len(outcome.checks) == 14
    assert len(outcome.panels) == 2
    assert all(len(series.x) == len(series.y) for panel in outcome.panels for series in panel.series)


def test_the_closed_form_is_not_beaten_by_any_of_many_projections():
    rng = np.random.default_rng(0)
    wanted = [rng.normal(size=(attention.HEAD_WIDTH, attention.WIDTH)) for _ in range(attention.HEADS)]
    root = np.diag(attention.DEVIATIONS)
    total = sum(np.sum((each @ root) ** 2) for each in wanted)
    bound = attention.floor(wanted)

    def left(values):
        """What is left where each head takes the best of what one projection hands out."""
        seen = values @ root
        return sum(
            np.sum((each @ root @ (np.eye(attention.WIDTH) - np.linalg.pinv(seen) @ seen)) ** 2) for each in wanted
        )

    drawn = [left(rng.normal(size=(attention.HEAD_WIDTH, attention.WIDTH))) / total for _ in range(200)]
    assert min(drawn) > bound
    axes = np.linalg.svd(np.vstack(wanted) @ root)[2][: attention.HEAD_WIDTH]
    assert left(axes @ np.linalg.inv(root)) / total == pytest.approx(bound, rel=1e-10)


def test_an_untied_layer_passed_off_as_tied_leaves_no_floor():
    situation = attention.ONE_TOKEN, attention._wanted(1.0)
    assert attention._population_error((), *situation) < 0.002
    assert attention._population_error(("v",), *situation) == pytest.approx(0.4508, abs=0.002)


def test_a_gradient_that_is_not_pooled_fails_the_parity(monkeypatch):
    pool = LinearTying.pool
    monkeypatch.setattr(LinearTying, "pool", lambda tying, gradient: pool(tying, gradient) / tying.counts.max())
    assert [check.passed for check in attention._parity()] == [True, False]


def test_weights_expanded_to_other_heads_fail_the_parity(monkeypatch):
    weights = SharedValueAttention.weights
    monkeypatch.setattr(
        SharedValueAttention,
        "weights",
        lambda layer: {
            name: each.flip(0) if name == "in_proj_weight" else each for name, each in weights(layer).items()
        },
    )
    assert not attention._parity()[0].passed


def test_a_layer_that_shares_keys_as_well_fails_the_count(monkeypatch):
    class SharesMore(SharedValueAttention):
        def __init__(self, *args, **kwargs):
            super().__init__(*args, **kwargs, share=("k", "v"))

    assert attention._count().passed
    monkeypatch.setattr(attention, "SharedValueAttention", SharesMore)
    assert not attention._count().passed
