"""Several tasks: a shared trunk, soft ties, a core with fast parameters."""

from collections.abc import Sequence
from itertools import pairwise

import numpy as np
import torch
from torch import Tensor, nn
from torch.func import functional_call, grad

from ffshare.nn import CoreFast, HardShared, WithContext, laplacian_penalty
from ffshare.tying import laplacian
from nn_bench.case import Action, Case, equal_pair, same, training_step


class OneByOne(nn.Module):
    """Several tasks in one output: inputs of the tasks along the first axis, or one for all."""

    def __init__(self, tasks: nn.Module, n_tasks: int, same_input: bool) -> None:
        super().__init__()
        self.tasks, self.n_tasks, self.same_input = tasks, n_tasks, same_input

    def forward(self, given: Tensor) -> Tensor:
        found = self.tasks(given if self.same_input else {str(t): given[t] for t in range(self.n_tasks)})
        return torch.stack(list(found.values()))


class TrunkAndHeads(nn.Module):
    """What anybody would write for tasks of one trunk."""

    def __init__(self, trunk: nn.Module, heads: Sequence[nn.Module]) -> None:
        super().__init__()
        self.trunk, self.heads = trunk, nn.ModuleList(heads)

    def forward(self, given: Tensor | dict[str, Tensor]) -> dict[str, Tensor]:
        if isinstance(given, dict):
            return {task: self.heads[int(task)](self.trunk(each)) for task, each in given.items()}
        features = self.trunk(given)
        return {str(task): head(features) for task, head in enumerate(self.heads)}


def _network(n_in: int, n_hidden: int, n_out: int) -> nn.Sequential:
    sizes = (n_in, n_hidden, n_hidden)
    layers = [each for pair in pairwise(sizes) for each in (nn.Linear(*pair), nn.ReLU())]
    return nn.Sequential(*layers, nn.Linear(n_hidden, n_out))


def _trunk(n_tasks: int, n_batch: int, same_input: bool) -> tuple[Action, Action]:
    trunk, heads = _network(64, 256, 128), [nn.Linear(128, 10) for _ in range(n_tasks)]
    contenders = (HardShared(trunk, heads), TrunkAndHeads(trunk, heads))
    given = torch.randn(n_batch, 64) if same_input else torch.randn(n_tasks, n_batch, 64)
    return equal_pair(*(OneByOne(each, n_tasks, same_input) for each in contenders), given)


def _penalty(n_tasks: int, n_edges: int, n_parameters: int, is_dense: bool) -> tuple[Action, Action]:
    """Soft ties between tasks at random, against the matrix of the ties or against a sum over them."""
    pairs = np.stack(np.triu_indices(n_tasks, 1), axis=1)
    edges = pairs[np.random.default_rng(0).choice(len(pairs), n_edges, replace=False)]
    thetas = torch.randn(n_tasks, n_parameters, requires_grad=True)
    dense = torch.tensor(laplacian(n_tasks, edges).toarray(), dtype=thetas.dtype)
    starts, stops = torch.tensor(edges).T

    def quadratic_form() -> Tensor:
        return (thetas * (dense @ thetas)).sum()

    def sum_over_edges() -> Tensor:
        return (thetas[starts] - thetas[stops]).square().sum()

    def ours() -> object:
        return torch.autograd.grad(laplacian_penalty(thetas, edges), thetas)

    def by_hand() -> object:
        return torch.autograd.grad(quadratic_form() if is_dense else sum_over_edges(), thetas)

    same(ours(), by_hand())
    return ours, by_hand


def _context(n_context: int) -> tuple[Action, Action]:
    """A network that is given a context, which starts at zero, against one that reads zeros from its input."""
    network = _network(16 + n_context, 256, 10)
    x = torch.randn(256, 16)
    padded = torch.cat((x, torch.zeros(256, n_context)), dim=1)
    contender = WithContext(network, n_context)
    same(contender(x), network(padded))
    return training_step(contender, x), training_step(network, padded)


def _core() -> tuple[Action, Action]:
    network = _network(16, 256, 10)
    return equal_pair(CoreFast(network, fast="4.*"), network, torch.randn(256, 16))


def _adaptation(n_hidden: int, steps: int, first_order: bool) -> tuple[Action, Action]:
    """Steps in the last layer, and the gradient of what the adapted network loses, by all parameters."""
    network = _network(16, n_hidden, 1)
    support, query = ((torch.randn(64, 16), torch.randn(64, 1)) for _ in range(2))
    core = CoreFast(network, fast="4.*")

    def mean_square(found: Tensor, wanted: Tensor) -> Tensor:
        return (found - wanted).square().mean()

    def ours() -> object:
        adapted = core.adapt(
            lambda net: mean_square(net(support[0]), support[1]), steps, 0.1, create_graph=True, first_order=first_order
        )
        return torch.autograd.grad(mean_square(adapted(query[0]), query[1]), list(network.parameters()))

    def by_hand() -> object:
        parameters = dict(network.named_parameters())
        fast = {name: each for name, each in parameters.items() if name.startswith("4.")}

        def loss(fast: dict[str, Tensor], x: Tensor, y: Tensor) -> Tensor:
            return mean_square(functional_call(network, {**parameters, **fast}, (x,)), y)

        for _ in range(steps):
            slopes = grad(loss)(fast, *support)
            fast = {
                name: each - 0.1 * (slopes[name].detach() if first_order else slopes[name])
                for name, each in fast.items()
            }
        return torch.autograd.grad(loss(fast, *query), list(network.parameters()))

    same(ours(), by_hand())
    return ours, by_hand


CASES: Sequence[Case] = (
    Case("HardShared, 4 tasks, one input, batch 256", "a trunk and heads", 1.15, lambda: _trunk(4, 256, True)),
    Case("HardShared, 8 tasks, inputs of their own, batch 64", "a trunk and heads", 1.15, lambda: _trunk(8, 64, False)),
    Case("HardShared, 8 tasks, inputs of their own, batch 32", "a trunk and heads", 1.15, lambda: _trunk(8, 32, False)),
    Case("laplacian_penalty, 16 tasks, 32 edges, 100,000 each", "a sum over edges by hand", 1.15,
         lambda: _penalty(16, 32, 100_000, False)),
    Case("laplacian_penalty, 16 tasks, 32 edges, 100,000 each", "a dense quadratic form", None,
         lambda: _penalty(16, 32, 100_000, True)),
    Case("laplacian_penalty, 256 tasks, 512 edges, 1,000 each", "a dense quadratic form", 1.15,
         lambda: _penalty(256, 512, 1_000, True)),
    Case("CoreFast, 16 → 256 → 256 → 10, batch 256", "the network", 1.15, _core),
    Case("WithContext, 16 + 4 → 256 → 256 → 10, batch 256", "the network", 1.15, lambda: _context(4)),
    Case("CoreFast.adapt, 40 hidden, 1 step, batch 64", "torch.func by hand", 1.15, lambda: _adaptation(40, 1, False)),
    Case("CoreFast.adapt, 256 hidden, 3 steps, batch 64", "torch.func by hand", 1.15,
         lambda: _adaptation(256, 3, False)),
    Case("CoreFast.adapt, 40 hidden, first order, 3 steps, batch 64", "torch.func by hand", 1.15,
         lambda: _adaptation(40, 3, True)),
)  # fmt: skip
