"""Functional adaptation: what it leaves alone, what it computes, and how the meta-gradient flows."""

import copy
import pickle

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

torch = pytest.importorskip("torch")

from torch import nn  # noqa: E402
from torch.func import functional_call, grad, vmap  # noqa: E402

from ffshare.errors import TyingError  # noqa: E402
from ffshare.nn import Shared, free_parameters  # noqa: E402
from ffshare.nn.core_fast import CoreFast, WithContext  # noqa: E402
from ffshare.tying import LinearTying  # noqa: E402

FAST = {"all": "*", "head": "head.*", "one bias": ["head.bias"], "two patterns": ["first.weight", "head.*"]}


class Network(nn.Module):
    """Two layers of tanh units."""

    def __init__(self, n_inputs=2):
        super().__init__()
        self.first = nn.Linear(n_inputs, 4, dtype=torch.float64)
        self.head = nn.Linear(4, 1, dtype=torch.float64)

    def forward(self, x):
        return self.head(torch.tanh(self.first(x)))


def network(seed=0, n_inputs=2):
    with torch.random.fork_rng(devices=[]):
        torch.manual_seed(seed)
        return Network(n_inputs)


def context_network():
    return WithContext(network(n_inputs=4), 2, dtype=torch.float64)


def examples(seed=0, n_tasks=()):
    generator = torch.Generator().manual_seed(seed)
    x = torch.randn(*n_tasks, 6, 2, dtype=torch.float64, generator=generator)
    return x, torch.sin(x.sum(-1, keepdim=True)) + 0.5


def loss_on(x, y):
    return lambda net: (net(x) - y).square().mean()


@pytest.fixture(params=list(FAST), scope="module")
def fast(request):
    return FAST[request.param]


@pytest.mark.parametrize("create_graph", [False, True])
def test_adaptation_leaves_the_module_as_it_was(fast, create_graph):
    core = CoreFast(network(), fast)
    before = {name: (each, each.clone()) for name, each in core.named_parameters()}
    core.adapt(loss_on(*examples()), steps=3, lr=0.1, create_graph=create_graph)(examples()[0])
    for name, each in core.named_parameters():
        assert each is before[name][0]
        assert torch.equal(each, before[name][1])
        assert each.grad is None


@pytest.mark.parametrize("create_graph", [False, True])
def test_it_is_gradient_descent_in_the_fast_parameters_alone(fast, create_graph):
    core = CoreFast(network(), fast)
    x, y = examples()
    adapted = core.adapt(loss_on(x, y), steps=4, lr=0.1, create_graph=create_graph)
    plain = copy.deepcopy(core.module)
    optimizer = torch.optim.SGD([dict(plain.named_parameters())[name] for name in core.fast_names], lr=0.1)
    for _ in range(4):
        optimizer.zero_grad()
        loss_on(x, y)(plain).backward()
        optimizer.step()
    torch.testing.assert_close(adapted(x), plain(x), rtol=1e-12, atol=1e-12)
    assert sorted(adapted.fast) == sorted(core.fast_names)


def meta_loss(core, tasks, queries, **how):
    def one(x, y, xq, yq):
        return loss_on(xq, yq)(core.adapt(loss_on(x, y), create_graph=True, **how))

    return vmap(one)(*tasks, *queries).mean()


@pytest.mark.parametrize("make", [network, context_network])
def test_the_meta_gradient_passes_the_check_by_finite_differences_twice(make):
    core = CoreFast(make(), "context" if make is context_network else "*")
    names, values = zip(*((n, p) for n, p in core.named_parameters() if p.requires_grad), strict=True)

    class Loss(nn.Module):
        def __init__(self):
            super().__init__()
            self.core = core

        def forward(self):
            return meta_loss(self.core, examples(1, (2,)), examples(2, (2,)), steps=2, lr=0.3)

    whole = Loss()

    def at(*points):
        return functional_call(whole, {f"core.{name}": each for name, each in zip(names, points, strict=True)}, ())

    points = tuple(each.detach().clone().requires_grad_() for each in values)
    assert torch.autograd.gradcheck(at, points)
    assert torch.autograd.gradgradcheck(at, points)


def test_one_step_on_one_weight_has_the_meta_gradient_of_the_textbook():
    core = CoreFast(nn.Linear(1, 1, bias=False, dtype=torch.float64), "weight")
    (x, y), (xq, yq), rate = (torch.tensor([[2.0]]).double(), 1.0), (torch.tensor([[3.0]]).double(), -1.0), 0.05
    weight = float(core.module.weight.detach())
    stepped = weight - rate * 2 * 2.0 * (2.0 * weight - y)
    first = 2 * 3.0 * (3.0 * stepped - yq)
    for first_order, expected in ((True, first), (False, first * (1 - 2 * rate * 2.0**2))):
        adapted = core.adapt(loss_on(x, y), 1, rate, create_graph=True, first_order=first_order)
        (found,) = torch.autograd.grad(loss_on(xq, yq)(adapted), core.module.weight)
        assert float(found) == pytest.approx(expected, rel=1e-12)


def test_the_meta_gradient_of_the_core_is_pooled_over_tasks():
    core, n_tasks = CoreFast(network(), "head.*"), 5
    tasks, queries = examples(1, (n_tasks,)), examples(2, (n_tasks,))
    own = dict(core.module.named_parameters())
    shared = [own[name] for name in own if name not in core.fast_names]
    found = torch.autograd.grad(n_tasks * meta_loss(core, tasks, queries, steps=2, lr=0.1), shared)
    cores, fasts = [], []
    for number in range(n_tasks):
        one = [[each[number : number + 1] for each in pair] for pair in (tasks, queries)]
        slopes = torch.autograd.grad(meta_loss(core, *one, steps=2, lr=0.1), list(own.values()))
        cores += [slope.flatten() for name, slope in zip(own, slopes, strict=True) if name not in core.fast_names]
        fasts += [slope.flatten() for name, slope in zip(own, slopes, strict=True) if name in core.fast_names]
    pooled = core.tying(n_tasks).pool(torch.cat([*cores, *fasts]))
    torch.testing.assert_close(pooled[: core.n_core], torch.cat([each.flatten() for each in found]), rtol=1e-12, atol=0)
    torch.testing.assert_close(pooled[core.n_core :], torch.cat(fasts), rtol=0, atol=0)


def test_tasks_side_by_side_adapt_as_each_alone(fast):
    core = CoreFast(network(), fast)
    xs, ys = examples(3, (4,))
    together = vmap(lambda x, y: core.adapt(loss_on(x, y), 3, 0.1)(x))(xs, ys)
    alone = torch.stack([core.adapt(loss_on(x, y), 3, 0.1)(x) for x, y in zip(xs, ys, strict=True)])
    torch.testing.assert_close(together, alone, rtol=1e-12, atol=1e-12)


def test_without_a_graph_nothing_can_be_differentiated_and_the_numbers_are_the_same():
    core = CoreFast(network(), "*")
    x, y = examples()
    plain = core.adapt(loss_on(x, y), 2, 0.1)
    graph = core.adapt(loss_on(x, y), 2, 0.1, create_graph=True)
    first = core.adapt(loss_on(x, y), 2, 0.1, create_graph=True, first_order=True)
    assert not any(each.requires_grad for each in plain.fast.values())
    for name in core.fast_names:
        assert torch.equal(plain.fast[name], graph.fast[name])
        assert torch.equal(plain.fast[name], first.fast[name])
    outer = [torch.autograd.grad(loss_on(x, y)(each), core.module.first.weight)[0] for each in (graph, first)]
    assert not torch.allclose(*outer, rtol=1e-3)


def test_adaptation_works_where_gradients_are_off():
    core = CoreFast(network(), "head.*")
    x, y = examples()
    with torch.no_grad():
        inside = core.adapt(loss_on(x, y), 2, 0.1)
    assert torch.equal(inside.fast["head.weight"], core.adapt(loss_on(x, y), 2, 0.1).fast["head.weight"])


def test_no_step_gives_the_network_as_it_is_with_fast_parameters_of_its_own():
    core = CoreFast(network(), "head.*")
    x, y = examples()
    adapted = core.adapt(loss_on(x, y), steps=0)
    assert torch.equal(adapted(x), core(x))
    with torch.no_grad():
        core.module.head.bias += 1.0
    assert not torch.equal(adapted(x), core(x))


def test_steps_taken_on_are_steps_taken_at_once():
    core = CoreFast(network(), "*")
    x, y = examples()
    half = core.adapt(loss_on(x, y), 2, 0.1)
    on = core.adapt(loss_on(x, y), 3, 0.1, start=half.fast)
    assert torch.equal(on(x), core.adapt(loss_on(x, y), 5, 0.1)(x))


@pytest.mark.parametrize("pattern", ["head.bias", "head.*"])
def test_a_task_comes_back_bit_for_bit_with_its_fast_parameters(pattern):
    core = CoreFast(network(), pattern)
    x, y = examples()
    first = core.adapt(loss_on(x, y), 5, 0.1)
    expected = first(x)
    second = core.adapt(loss_on(*examples(7)), 5, 0.1, start=first.fast)
    assert not torch.equal(second(x), expected)
    assert torch.equal(core.with_fast(first.fast)(x), expected)


def test_the_length_of_a_step_can_be_learnt():
    core = CoreFast(network(), "head.*")
    rate = torch.tensor(0.1, dtype=torch.float64, requires_grad=True)

    def after(rate):
        x, y = examples()
        return loss_on(x, y)(core.adapt(loss_on(x, y), 2, rate, create_graph=True))

    assert torch.autograd.gradcheck(after, (rate,))


def test_a_parameter_of_two_names_is_fast_by_either_and_learns_at_both_places():
    module = nn.Sequential(nn.Linear(2, 2, bias=False), nn.Tanh(), nn.Linear(2, 2, bias=False))
    module[2].weight = module[0].weight
    core = CoreFast(module, "2.weight")
    assert core.fast_names == ("0.weight",)
    assert (core.n_fast, core.n_core) == (4, 0)
    x = torch.randn(5, 2, generator=torch.Generator().manual_seed(0))
    adapted = core.adapt(lambda net: net(x).square().sum(), 1, 0.1)
    (slope,) = torch.autograd.grad(module(x).square().sum(), module[0].weight)
    torch.testing.assert_close(adapted.fast["0.weight"], (module[0].weight - 0.1 * slope).detach())


def test_a_shared_weight_adapts_at_all_its_places():
    class Tied(nn.Module):
        def __init__(self):
            super().__init__()
            self.shared = Shared(LinearTying.groups([0, 1, 1, 0]), (2, 2))
            self.weight = self.shared.site()

        def forward(self, x):
            return x @ self.weight()

    core = CoreFast(Tied(), "shared.theta")
    x = torch.randn(3, 2, generator=torch.Generator().manual_seed(0))
    adapted = core.adapt(lambda net: net(x).square().sum(), 2, 0.05)
    weight = Shared(LinearTying.groups([0, 1, 1, 0]), (2, 2), theta=adapted.fast["shared.theta"])()
    torch.testing.assert_close(adapted(x), x @ weight)
    assert not torch.allclose(adapted(x), core(x))


def test_statistics_of_the_module_stay_as_they_were():
    module = nn.Sequential(nn.Linear(2, 3), nn.BatchNorm1d(3), nn.Linear(3, 1)).train()
    core = CoreFast(module, "2.*")
    before = {name: each.clone() for name, each in module.named_buffers()}
    x = torch.randn(8, 2, generator=torch.Generator().manual_seed(0))
    adapted = core.adapt(lambda net: net(x).square().mean(), 2, 0.1, create_graph=True)
    adapted(x).square().mean().backward()
    for name, each in module.named_buffers():
        assert torch.equal(each, before[name])
    assert core.module[0].weight.grad is not None


@given(st.integers(0, 30), st.sampled_from(list(FAST.values())))
@settings(max_examples=20, deadline=None)
def test_free_parameters_of_n_tasks_are_one_core_and_n_fast_sets(n_tasks, fast):
    core = CoreFast(network(), fast)
    counts = core.counts(n_tasks)
    expected = n_tasks * core.n_fast + core.n_core
    # Without a task nothing says what the core is.
    assert (counts.free, counts.rank) == (expected, expected if n_tasks else 0)
    assert counts.sites == n_tasks * sum(each.numel() for each in core.parameters())


def test_a_pattern_that_fits_nothing_is_an_error_that_lists_the_names():
    with pytest.raises(TyingError, match=r"no parameter is called 'tail\.\*'; there are first\.weight, first\.bias"):
        CoreFast(network(), ["head.*", "tail.*"])


def test_values_for_what_is_not_fast_are_an_error():
    core = CoreFast(network(), "head.*")
    message = r"'first\.bias' is not fast; fast are head\.weight, head\.bias"
    with pytest.raises(TyingError, match=message):
        core.with_fast({"first.bias": torch.zeros(4)})
    with pytest.raises(TyingError, match=message):
        core.adapt(loss_on(*examples()), start={"first.bias": torch.zeros(4)})


def test_a_context_is_a_shift_of_the_first_bias_along_its_columns():
    module = context_network()
    context = torch.tensor([0.3, -2.0], dtype=torch.float64)
    core = CoreFast(module, "context")
    first, head = module.module.first, module.module.head
    x = torch.randn(3, 5, 2, dtype=torch.float64, generator=torch.Generator().manual_seed(0))
    shifted = torch.tanh(x @ first.weight[:, :2].T + first.bias + first.weight[:, 2:] @ context)
    torch.testing.assert_close(core.with_fast({"context": context})(x), head(shifted), rtol=1e-12, atol=1e-12)
    assert (core.n_fast, core.n_core) == (2, 4 * 5 + 5)


def test_the_context_is_no_free_parameter_and_starts_at_zero():
    module = context_network()
    assert [id(each) for each in free_parameters(module)] == [id(each) for each in module.module.parameters()]
    with torch.no_grad():
        module.context += 1.0
    module.reset_parameters()
    assert torch.equal(module.context, torch.zeros(2, dtype=torch.float64))
    assert module.context.requires_grad is False


def test_copies_and_files_keep_what_is_fast():
    core = CoreFast(context_network(), "context")
    x, y = examples()
    expected = core.adapt(loss_on(x, y), 2, 0.5)(x)
    loaded = CoreFast(WithContext(network(9, 4), 2, dtype=torch.float64), "context")
    loaded.load_state_dict(core.state_dict())
    for again in (copy.deepcopy(core), pickle.loads(pickle.dumps(core)), loaded):
        assert torch.equal(again.adapt(loss_on(x, y), 2, 0.5)(x), expected)
        assert again.fast_names == ("context",)
    assert len(core.state_dict()) == 5


def test_types_and_devices_change_as_of_any_module():
    core = CoreFast(context_network(), "context")
    x, y = examples()
    narrow = copy.deepcopy(core).to(torch.float32).adapt(loss_on(x.float(), y.float()), 2, 0.5)
    assert narrow.fast["context"].dtype == torch.float32
    bare = copy.deepcopy(core).to("meta").to_empty(device="cpu")
    bare.load_state_dict(core.state_dict())
    torch.testing.assert_close(bare(x), core(x), rtol=0, atol=0)
    on_meta = WithContext(nn.Linear(4, 1, device="meta"), 2, device="meta", dtype=torch.float32)
    assert CoreFast(on_meta, "context").counts(3).free == 3 * 2 + 5


def test_parameters_passed_by_a_functional_call_are_those_adapted():
    class Loss(nn.Module):
        def __init__(self, core):
            super().__init__()
            self.core = core

        def forward(self, x, y):
            return loss_on(x, y)(self.core.adapt(loss_on(x, y), 2, 0.1, create_graph=True))

    whole, other = (Loss(CoreFast(network(seed), "head.*")) for seed in (0, 1))
    x, y = examples()
    parameters = dict(other.named_parameters())
    assert torch.equal(functional_call(whole, parameters, (x, y)), other(x, y))
    slopes = grad(lambda each: functional_call(whole, each, (x, y)))(parameters)
    expected = torch.autograd.grad(other(x, y), list(parameters.values()))
    for found, slope in zip(slopes.values(), expected, strict=True):
        torch.testing.assert_close(found, slope, rtol=1e-12, atol=1e-12)


def test_it_compiles_whole():
    core = CoreFast(network(), "head.*")
    x, y = examples()

    def adapted(x, y):
        return core.adapt(lambda net: (net(x) - y).square().mean(), 2, 0.1)(x)

    found = torch.compile(adapted, fullgraph=True, backend="eager")(x, y)
    torch.testing.assert_close(found, adapted(x, y), rtol=1e-12, atol=1e-12)


def test_it_shows_how_many_numbers_adapt():
    assert repr(CoreFast(network(), "head.*")).startswith("CoreFast(\n  fast=5, core=12\n")
    assert "n_context=2" in repr(context_network())
