"""Three numbers: what is free, what it feeds, and in how many directions that can move."""

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

torch = pytest.importorskip("torch")

from torch import nn  # noqa: E402
from torch.nn.utils import parametrize, prune  # noqa: E402

from ffshare.errors import TyingError  # noqa: E402
from ffshare.nn import Counts, Shared, count, counts_of, free_parameters  # noqa: E402
from ffshare.tying import Compose, Exp, LinearTying, LowRank  # noqa: E402
from tests.tying.conftest import CASES, SMOOTH  # noqa: E402


def three(counts):
    return counts.free, counts.sites, counts.rank


@pytest.fixture(params=[*CASES, *SMOOTH], scope="module")
def maps(request):
    return {**CASES, **SMOOTH}[request.param]


@settings(max_examples=8)
@given(data=st.data())
def test_the_rank_is_that_of_the_dense_derivative(maps, data):
    tying = data.draw(maps)
    derivative = tying.jacobian(np.random.default_rng(1).normal(size=tying.n_free)).toarray()
    rank = np.linalg.matrix_rank(derivative) if derivative.size else 0
    assert three(counts_of(tying)) == (tying.n_free, tying.n_site, rank)


def test_a_smooth_map_of_many_sites_is_counted_without_a_dense_matrix():
    n = 200_000
    assert three(counts_of(Compose(LinearTying.repeat(n // 2, 2), Exp(2)))) == (2, n, 2)


def test_a_product_has_fewer_directions_than_parameters():
    assert three(counts_of(LowRank(60, 40, 5))) == (500, 2400, 475)


def test_counts_add_up_and_are_readable():
    total = Counts(free=1000, sites=2, rank=3) + Counts(free=1, sites=10, rank=0)
    assert three(total) == (1001, 12, 3)
    assert three(total * 2) == (2002, 24, 6)
    assert repr(total) == "free=1,001, sites=12, rank=3"


class Reader(nn.Module):
    """A layer that shows the counts of its weight, as layers do, and has a bias of its own."""

    def __init__(self, weight, n_bias):
        super().__init__()
        self.weight = weight
        self.bias = nn.Parameter(torch.zeros(n_bias))

    @property
    def counts(self):
        return Counts(free=n, sites=n, rank=n) if (n := self.bias.numel()) else None


def two_readers(tying):
    model = nn.Module()
    model.shared = Shared(tying, {"a": (2, 3), "b": (2, 3)})
    model.readers = nn.ModuleList([Reader(model.shared.site("a"), 3), Reader([model.shared.site("b").T], 2)])
    return model


def test_a_model_counts_each_tie_once_and_other_parameters_as_they_are():
    model = two_readers(LinearTying.shared_plus_deviation(np.arange(12) % 4))
    assert three(count(model)) == (5 + 5, 12 + 5, 4 + 5)
    assert count(model).free == sum(each.numel() for each in free_parameters(model))


def test_a_module_that_appears_twice_counts_once():
    layer = nn.Linear(2, 1)
    assert three(count(nn.Sequential(layer, layer))) == (3, 3, 3)
    shared = Shared(LinearTying.repeat(3, 2))
    assert three(count(nn.ModuleList([shared, shared]))) == (2, 6, 2)


def test_pruned_and_parametrized_parameters_count_once():
    pruned, positive = Shared(LinearTying.repeat(3, 2), (3, 2)), Shared(LinearTying.repeat(3, 2), (3, 2))
    prune.l1_unstructured(pruned, "theta", amount=0.5)
    parametrize.register_parametrization(positive, "theta", nn.Softplus())
    assert three(count(nn.ModuleList([pruned, positive]))) == (4, 12, 4)


def test_free_parameters_are_those_that_want_a_gradient_once_each():
    model = two_readers(LinearTying.repeat(2, 6))
    model.readers[0].bias.requires_grad_(False)
    again = nn.Sequential(model, model.readers)
    assert [id(each) for each in free_parameters(again)] == [id(model.shared.theta), id(model.readers[1].bias)]


@pytest.mark.parametrize("ask", [count, lambda model: list(free_parameters(model))], ids=["count", "free_parameters"])
def test_parameters_that_no_module_registers_are_missed_by_nobody(ask):
    model = two_readers(LinearTying.repeat(2, 6))
    shared = model.shared
    del model.shared
    with pytest.raises(TyingError, match=r"readers.0.weight reads a Shared .* make it an attribute of the model"):
        ask(model)
    model.readers[0].owned = shared
    ask(model)
