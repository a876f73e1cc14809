"""Hard and soft sharing between tasks: what is shared, what is penalised, and what stays apart."""

import copy
import math
import pickle

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

torch = pytest.importorskip("torch")
from torch import nn  # noqa: E402
from torch.func import functional_call, vmap  # noqa: E402

from ffshare.errors import TyingError  # noqa: E402
from ffshare.nn import count, free_parameters, multi_task  # noqa: E402
from ffshare.nn.multi_task import HardShared, laplacian_penalty  # noqa: E402
from ffshare.nn.task_graph import TaskGraph  # noqa: E402
from ffshare.tying import laplacian  # noqa: E402

DOUBLE = {"dtype": torch.float64}
NAMES = ("a", "b", "c")


def tasks_of(groups=None, seed=0):
    torch.manual_seed(seed)
    trunk = nn.Sequential(nn.Linear(4, 6, **DOUBLE), nn.Tanh(), nn.Linear(6, 5, **DOUBLE))
    heads = {name: nn.Linear(5, width, **DOUBLE) for name, width in zip(NAMES, (1, 2, 3), strict=True)}
    return trunk, HardShared(trunk, heads, groups)


def batch(n=7):
    return torch.linspace(-2.0, 2.0, 4 * n, **DOUBLE).sin().reshape(n, 4)


def linear_tasks(n_tasks=5, n_inputs=3, n_rows=6, seed=0):
    rng = np.random.default_rng(seed)
    inputs = rng.normal(size=(n_tasks, n_rows, n_inputs))
    return inputs, np.einsum("tni,ti->tn", inputs, rng.normal(size=(n_tasks, n_inputs))) + rng.normal(
        size=(n_tasks, n_rows)
    )


PATH = TaskGraph(n_tasks=5, edges=[(0, 1), (2, 1), (3, 4)], weights=[1.0, 2.0, 0.5])


def test_each_task_computes_trunk_then_head():
    trunk, tasks = tasks_of()
    outputs = tasks(batch())
    for name in NAMES:
        torch.testing.assert_close(outputs[name], tasks.heads[name](trunk(batch())), rtol=0, atol=1e-15)
        assert torch.equal(tasks(batch(), name), outputs[name])
        torch.testing.assert_close(tasks.module_of(name)(batch()), outputs[name], rtol=0, atol=1e-15)
    own = tasks({"c": batch(2), "a": batch(3)})
    assert {name: tuple(each.shape) for name, each in own.items()} == {"c": (2, 3), "a": (3, 1)}


@pytest.mark.parametrize("groups", [None, [0, 1, 0], ["x", "y", "z"]])
def test_the_gradient_of_a_group_is_the_sum_over_its_tasks(groups):
    _, tasks = tasks_of(groups)
    sum(each.square().sum() for each in tasks(batch()).values()).backward()
    apart = torch.zeros(3, tasks.trunk.n_parameters, **DOUBLE)
    for number, name in enumerate(NAMES):
        network = tasks.module_of(name)
        network(batch()).square().sum().backward()
        apart[number] = torch.cat([parameter.grad.reshape(-1) for parameter in network[0].parameters()])
    torch.testing.assert_close(tasks.shared.theta.grad, tasks.tying.pool(apart), rtol=1e-13, atol=1e-14)


def test_the_trunk_runs_once_for_each_group():
    _, tasks = tasks_of([0, 1, 0])
    calls = []
    tasks.trunk.module.register_forward_hook(lambda *_: calls.append(1))
    tasks(batch())
    assert len(calls) == 2


def test_counts_tell_free_parameters_from_those_of_separate_networks():
    _, tasks = tasks_of()
    n = 4 * 6 + 6 + 6 * 5 + 5
    heads = (5 + 1) * (1 + 2 + 3)
    assert (count(tasks).free, count(tasks).sites) == (n + heads, 3 * n + heads)
    assert count(tasks_of(NAMES)[1]).free == 3 * n + heads
    assert len(list(free_parameters(tasks))) == 7
    assert [key for key in tasks.state_dict() if "heads" not in key] == ["shared.theta"]
    assert "tasks=3, groups=1, free=" in repr(tasks)


@pytest.mark.parametrize("copied", [copy.deepcopy, lambda tasks: pickle.loads(pickle.dumps(tasks))])
def test_a_copy_computes_the_same_with_parameters_of_its_own(copied):
    _, tasks = tasks_of([0, 1, 0])
    twin = copied(tasks)
    expected = tasks(batch(), "a")
    assert torch.equal(twin(batch(), "a"), expected)
    with torch.no_grad():
        twin.shared.theta.add_(1.0)
    assert torch.equal(tasks(batch(), "a"), expected)


def test_it_comes_back_from_meta_from_a_checkpoint_and_in_another_type():
    _, tasks = tasks_of()
    moved = copy.deepcopy(tasks).to("meta").to_empty(device="cpu")
    moved.load_state_dict(tasks.state_dict())
    assert torch.equal(moved(batch(), "b"), tasks(batch(), "b"))
    single = copy.deepcopy(tasks).float()
    torch.testing.assert_close(single(batch().float(), "b").double(), tasks(batch(), "b"), rtol=1e-5, atol=1e-6)


def test_buffers_of_the_trunk_are_kept_and_parameters_are_drawn_anew():
    tasks = HardShared(nn.Sequential(nn.Linear(4, 3), nn.BatchNorm1d(3)), [nn.Linear(3, 1)] * 2, ["x", "y"])
    tasks(torch.randn(6, 4))
    assert int(tasks.trunk.module[1].num_batches_tracked) == 2
    before = tasks.shared.theta.detach().clone()
    tasks.reset_parameters()
    after = tasks.shared.theta.detach()
    assert (after[:, :12] != before[:, :12]).all()
    assert (after[0, :12] != after[1, :12]).all()
    assert (after[:, 15:18] == 1.0).all()


def test_it_compiles_and_works_in_functional_calls_and_twice_derived():
    _, tasks = tasks_of()
    compiled = torch.compile(tasks, fullgraph=True, backend="eager")
    torch.testing.assert_close(compiled(batch())["c"], tasks(batch())["c"])
    theta = tasks.shared.theta.detach()
    many = torch.stack((theta, 2 * theta))
    outputs = vmap(lambda each: functional_call(tasks, {"shared.theta": each}, (batch(), "a")))(many)
    torch.testing.assert_close(outputs[0], tasks(batch(), "a"))
    assert torch.autograd.gradgradcheck(
        lambda each: functional_call(tasks, {"shared.theta": each}, (batch(2), "a")).sum(), theta.requires_grad_()
    )


def test_wrong_tasks_are_refused():
    _, tasks = tasks_of()
    with pytest.raises(TyingError, match="there is no task 'd'; there are 'a', 'b', 'c'"):
        tasks(batch(), "d")
    with pytest.raises(TyingError, match="no task 'd'"):
        tasks({"d": batch()})
    with pytest.raises(TyingError, match="a group for each, got 1 tasks"):
        HardShared(nn.Linear(2, 2), [nn.Linear(2, 2)], [0, 1])
    with pytest.raises(TyingError, match="got 0 tasks"):
        HardShared(nn.Linear(2, 2), [])
    with pytest.raises(TyingError, match="parameters of one type, got none"):
        HardShared(nn.ReLU(), [nn.Linear(2, 2)])


def random_graph(n, seed):
    rng = np.random.default_rng(seed)
    pairs = np.array([(i, j) for i in range(n) for j in range(i)], dtype=np.int64).reshape(-1, 2)
    chosen = pairs[rng.random(len(pairs)) < 0.5]
    return chosen, rng.random(len(chosen)) * (rng.random(len(chosen)) < 0.9)


@given(n=st.integers(1, 7), width=st.integers(0, 3), seed=st.integers(0, 99))
@settings(max_examples=40, deadline=None)
def test_the_penalty_counts_each_edge_once_and_is_the_form_of_the_laplacian(n, width, seed):
    edges, weights = random_graph(n, seed)
    thetas = torch.tensor(np.random.default_rng(seed).normal(size=(n, width)), requires_grad=True)
    by_hand = sum(
        float(w) * (thetas[i] - thetas[j]).square().sum().item() for (i, j), w in zip(edges, weights, strict=True)
    )
    penalty = laplacian_penalty(thetas, edges, weights)
    assert penalty.item() == pytest.approx(by_hand, abs=1e-12)
    penalty.backward()
    form = 2 * laplacian(n, edges, weights) @ thetas.detach().numpy()
    np.testing.assert_allclose(thetas.grad.numpy(), form, rtol=0, atol=1e-12)
    assert laplacian_penalty(list(thetas), edges, weights).item() == penalty.item()


def test_the_penalty_of_equal_tasks_is_exactly_zero_and_keeps_the_type():
    thetas = torch.full((3, 4), 1e4 / 3)
    penalty = laplacian_penalty(thetas, [(0, 1), (1, 2)])
    assert float(penalty) == 0.0
    assert penalty.dtype == torch.float32


def test_the_penalty_comes_from_the_laplacian_of_the_ties(monkeypatch):
    monkeypatch.setattr(multi_task, "laplacian", lambda n, edges, weights: 3.0 * laplacian(n, edges, weights))
    assert float(laplacian_penalty(torch.tensor([[0.0], [2.0]]), [(0, 1)])) == 12.0


def test_an_edge_given_twice_is_refused():
    with pytest.raises(TyingError, match="is given twice"):
        laplacian_penalty(torch.zeros(2, 1), [(0, 1), (1, 0)])
    with pytest.raises(TyingError, match="leaves the range"):
        TaskGraph(n_tasks=2, edges=[(0, 2)])


@pytest.mark.parametrize("strength", [0.3, 20.0])
def test_the_fit_is_where_the_gradient_of_the_objective_vanishes(strength):
    inputs, outputs = linear_tasks()
    thetas = torch.tensor(PATH.fit(inputs, outputs, strength, ridge=0.1), requires_grad=True)
    residuals = torch.tensor(outputs) - torch.einsum("tni,ti->tn", torch.tensor(inputs), thetas)
    penalty = laplacian_penalty(thetas, PATH.edges, strength * PATH.weights)
    (residuals.square().sum() + penalty + 0.1 * thetas.square().sum()).backward()
    assert float(thetas.grad.abs().max()) < 1e-12


def test_the_ends_are_separate_fits_and_one_fit_for_each_component():
    inputs, outputs = linear_tasks()
    separate = [np.linalg.lstsq(x, y, rcond=None)[0] for x, y in zip(inputs, outputs, strict=True)]
    np.testing.assert_allclose(PATH.fit(inputs, outputs, 0.0), separate, rtol=0, atol=1e-12)
    hard = PATH.fit(inputs, outputs, math.inf)
    for part in ([0, 1, 2], [3, 4]):
        together = np.linalg.lstsq(inputs[part].reshape(-1, 3), outputs[part].ravel(), rcond=None)[0]
        np.testing.assert_allclose(hard[part], np.tile(together, (len(part), 1)), rtol=0, atol=1e-12)
    np.testing.assert_allclose(PATH.fit(inputs, outputs, 1e7), hard, rtol=0, atol=1e-5)
    np.testing.assert_allclose(PATH.fit(inputs, outputs, 1e16), hard, rtol=0, atol=1e-6)
    assert PATH.hard.n_free == 2


def test_what_the_data_leave_open_gets_the_shortest_coefficients():
    inputs, outputs = linear_tasks(n_rows=2)
    separate = [np.linalg.pinv(x) @ y for x, y in zip(inputs, outputs, strict=True)]
    np.testing.assert_allclose(PATH.fit(inputs, outputs, 0.0), separate, rtol=0, atol=1e-10)
    inputs[..., 2] = 0.0
    assert np.abs(PATH.fit(inputs, outputs, 1.0)[:, 2]).max() < 1e-12


def test_components_do_not_leak_and_edges_without_weight_join_nothing():
    inputs, outputs = linear_tasks()
    graph = TaskGraph(n_tasks=5, edges=[(0, 2), (1, 3), (2, 3)], weights=[1.0, 1.0, 0.0])
    assert graph.components.tolist() == [0, 1, 0, 1, 2]
    other = outputs.copy()
    other[[1, 3, 4]] += 5.0
    for strength in (1.0, math.inf):
        before, after = (graph.fit(inputs, each, strength) for each in (outputs, other))
        assert (before[[0, 2]] == after[[0, 2]]).all()
        assert (before[[1, 3, 4]] != after[[1, 3, 4]]).any()


def test_cross_validation_leaves_each_row_out_once_and_finds_the_best():
    inputs, outputs = linear_tasks(n_rows=5)
    # As many folds as rows: whichever row a fold leaves out, its errors are those of a fit to the others.
    tried = [0.0, 0.5, math.inf]
    found = PATH.choose_strength(inputs, outputs, tried, rng=np.random.default_rng(3), folds=5, ridge=0.2)
    rng = np.random.default_rng(3)
    fold_of = [rng.permutation(5)[rng.permutation(5) % 5] for _ in range(5)]
    for number, strength in enumerate(tried):
        squares = []
        for fold in range(5):
            kept = [each != fold for each in fold_of]
            thetas = PATH.fit(
                [x[rows] for x, rows in zip(inputs, kept, strict=True)],
                [y[rows] for y, rows in zip(outputs, kept, strict=True)],
                strength,
                ridge=0.2,
            )
            squares += [
                ((y[~rows] - x[~rows] @ theta) ** 2).item()
                for x, y, rows, theta in zip(inputs, outputs, kept, thetas, strict=True)
            ]
        assert found.errors[number] == pytest.approx(np.mean(squares), rel=1e-10)
    assert found.strength == tried[int(found.errors.argmin())]
    assert (found.standard_errors > 0).all()


def test_cross_validation_takes_tasks_of_different_lengths():
    rng = np.random.default_rng(0)
    inputs = [rng.normal(size=(n, 2)) for n in (1, 4, 9, 2, 3)]
    outputs = [x @ np.array([1.0, -1.0]) for x in inputs]
    found = PATH.choose_strength(inputs, outputs, [0.0, 1.0, 100.0], rng=rng, folds=3)
    assert found.strength > 0.0
    assert found.errors[0] > 1e-3
    assert (found.errors[1:] < 1e-20).all()


def test_wrong_data_are_refused():
    inputs, outputs = linear_tasks()
    with pytest.raises(TyingError, match="expected inputs and outputs of 5 tasks, got 4, 5"):
        PATH.fit(inputs[:4], outputs, 1.0)
    with pytest.raises(TyingError, match=r"task 0 has inputs of shape \(6, 3\) and outputs of shape \(5,\)"):
        PATH.fit(inputs, outputs[:, :5], 1.0)
    with pytest.raises(TyingError, match="must be 0 or more, got -1"):
        PATH.fit(inputs, outputs, -1.0)
    with pytest.raises(TyingError, match="2 to 6 folds"):
        PATH.choose_strength(inputs, outputs, [1.0], rng=np.random.default_rng(0), folds=7)
