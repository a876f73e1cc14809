"""Sine waves from ten points: networks meta-trained with fast sets of several sizes, and what they lose on new waves.

A task is a wave of random amplitude and phase; its support is ten points, its query are others. The waves of a
meta-step are adapted to side by side.
"""

import math
from collections.abc import Sequence

import torch
from torch import Tensor, nn
from torch.func import vmap

from ffshare.nn.core_fast import Adapted, CoreFast, WithContext
from ffshare.nn.counts import free_parameters
from ffshare.nn.reproduce.seeds import seeded
from ffshare.records import doc, record

Examples = tuple[Tensor, Tensor]

N_UNITS = 40
N_SHOTS = 10
N_TASKS_A_STEP = 25
META_RATE = 1e-3
# Numbers of steps after which adapted networks are tested.
STEPS = (0, 1, 2, 3, 5, 10)


@record
class Method:
    """A way to meta-train."""

    name: str = doc("its name")
    fast: str = doc("pattern of the fast parameters")
    rate: float = doc("length of a step of adaptation")
    n_context: int = doc("numbers beside the input", default=0)
    n_steps: int = doc("steps of adaptation in training; 0: one network for all tasks", default=1)


JOINT = Method(name="joint training", fast="*", rate=0.01, n_steps=0)
MAML = Method(name="MAML", fast="*", rate=0.01)
ANIL = Method(name="ANIL", fast="head.*", rate=0.01)
CAVIA_2 = Method(name="CAVIA, 2 numbers", fast="context", rate=1.0, n_context=2)
CAVIA_5 = Method(name="CAVIA, 5 numbers", fast="context", rate=1.0, n_context=5)


@record
class Waves:
    """Tasks: the examples to adapt to, and others of the same waves to be tested on."""

    support: Examples = doc("abscissas and ordinates, shape=(..., N_SHOTS, 1)")
    query: Examples = doc("abscissas and ordinates, shape=(..., n_query, 1)")


@record
class Trained:
    """Networks of one method, meta-trained from several starts."""

    method: Method = doc("the method")
    networks: tuple[nn.Module, ...] = doc("the network of each start")
    n_fast: int = doc("numbers that adapt")
    errors: Tensor = doc("mean squared error on new waves after each of STEPS, shape=(n_starts, n_steps, n_waves)")


def squared_error(network: Adapted | nn.Module, examples: Examples) -> Tensor:
    """The mean squared error of a network."""
    x, y = examples
    error: Tensor = (network(x) - y).square().mean()
    return error


def sine_network(n_context: int = 0, unit: type[nn.Module] = nn.ReLU, dtype: torch.dtype | None = None) -> nn.Module:
    """A random network of two hidden layers; its layers are called first, second and head."""
    layers = nn.Sequential()
    layers.add_module("first", nn.Linear(1 + n_context, N_UNITS, dtype=dtype))
    layers.add_module("first_units", unit())
    layers.add_module("second", nn.Linear(N_UNITS, N_UNITS, dtype=dtype))
    layers.add_module("second_units", unit())
    layers.add_module("head", nn.Linear(N_UNITS, 1, dtype=dtype))
    return WithContext(layers, n_context, dtype=dtype) if n_context else layers


def waves(generator: torch.Generator, shape: Sequence[int], n_query: int | None = None) -> Waves:
    """Random waves of amplitude 0.1 to 5 and phase 0 to π, seen at random points between -5 and 5.

    Args:
        generator: Source of random numbers.
        shape: How many, along how many axes.
        n_query: Number of points of the query, equally spaced; by default, as many random ones as the support has.

    Returns:
        The waves.
    """
    amplitude = 0.1 + 4.9 * torch.rand(*shape, 1, 1, generator=generator)
    phase = math.pi * torch.rand(*shape, 1, 1, generator=generator)

    def seen(x: Tensor) -> Examples:
        return x, amplitude * torch.sin(x - phase)

    support = 10.0 * torch.rand(*shape, N_SHOTS, 1, generator=generator) - 5.0
    if n_query is None:
        return Waves(support=seen(support), query=seen(10.0 * torch.rand(support.shape, generator=generator) - 5.0))
    grid = torch.linspace(-5.0, 5.0, n_query).reshape(-1, 1).expand(*shape, -1, -1)
    return Waves(support=seen(support), query=seen(grid))


def losses(
    core: CoreFast, tasks: Waves, n_steps: int, rate: float, create_graph: bool = False, first_order: bool = False
) -> Tensor:
    """What a network loses on the query of each wave after it has adapted to the support, shape=(n_waves,).

    Args:
        core: The network.
        tasks: The waves.
        n_steps: Steps of adaptation.
        rate: Their length.
        create_graph: Whether the losses can be differentiated.
        first_order: Whether the gradients of the steps are taken for constants.

    Returns:
        Mean squared errors.
    """

    def one(support: Examples, query: Examples) -> Tensor:
        adapted = core.adapt(lambda network: squared_error(network, support), n_steps, rate, create_graph, first_order)
        return squared_error(adapted, query)

    found: Tensor = vmap(one)(tasks.support, tasks.query)
    return found


def meta_train(method: Method, n_starts: int, n_iterations: int, n_waves: int = 500) -> Trained:
    """Meta-train networks, and test them on waves that none has seen.

    Args:
        method: How.
        n_starts: Networks, each from random weights and with waves of its own.
        n_iterations: Steps of Adam, each on `N_TASKS_A_STEP` waves.
        n_waves: Waves to test on, the same for all networks and methods.

    Returns:
        The networks and their errors.
    """
    new = waves(torch.Generator().manual_seed(0), (n_waves,), n_query=100)
    cores = [_trained(method, seed, n_iterations) for seed in range(1, n_starts + 1)]
    with torch.no_grad():
        errors = [torch.stack([losses(core, new, n_steps, method.rate) for n_steps in STEPS]) for core in cores]
    return Trained(
        method=method,
        networks=tuple(core.module for core in cores),
        n_fast=cores[0].n_fast,
        errors=torch.stack(errors),
    )


def _trained(method: Method, seed: int, n_iterations: int) -> CoreFast:
    with seeded(seed):
        core = CoreFast(sine_network(method.n_context), method.fast)
    optimizer = torch.optim.Adam(free_parameters(core), META_RATE)
    drawn = torch.Generator().manual_seed(seed)
    for _ in range(n_iterations):
        optimizer.zero_grad()
        tasks = waves(drawn, (N_TASKS_A_STEP,))
        losses(core, tasks, method.n_steps, method.rate, create_graph=True).mean().backward()
        optimizer.step()
    return core
