"""The experiment on tasks passes, and fails where edges count twice or the soft ties reach across components."""

import numpy as np
import pytest

torch = pytest.importorskip("torch")

from ffshare.nn import multi_task as layers  # noqa: E402
from ffshare.nn.reproduce import multi_task, multi_task_limits  # noqa: E402
from ffshare.nn.task_graph import TaskGraph  # noqa: E402
from ffshare.tying import laplacian  # noqa: E402


@pytest.fixture(scope="module")
def outcome():
    return multi_task.run(True)


def failed(checks):
    return [check.claim for check in checks if not check.passed]


def test_every_claim_holds(outcome):
    assert failed(outcome.checks) == []
    assert len(outcome.checks) == 14
    assert [len(panel.series) for panel in outcome.panels] == [4, 3, 3]


def test_the_strength_is_chosen_between_the_ends(outcome):
    chosen = outcome.panels[1].series[1]
    assert chosen.x == multi_task.ROWS
    assert all(np.isfinite(chosen.error))


def test_a_penalty_that_counts_edges_twice_fails(monkeypatch):
    monkeypatch.setattr(layers, "laplacian", lambda n, edges, weights: 2.0 * laplacian(n, edges, weights))
    assert [claim[:16] for claim in failed(multi_task_limits.exact_checks())] == ["Gradient descent"]


def test_an_edge_between_the_components_fails(monkeypatch):
    joined = np.vstack((multi_task_limits.TWO_RINGS.edges, [(0, 1)]))
    graph = TaskGraph(n_tasks=len(joined) - 1, edges=joined)
    monkeypatch.setattr(multi_task_limits, "TWO_RINGS", graph)
    claims = failed(multi_task_limits.exact_checks())
    assert len(claims) == 2
    assert claims[0].startswith("On a graph in two parts")
