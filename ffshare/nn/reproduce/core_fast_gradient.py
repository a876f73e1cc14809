"""Whether the meta-gradient is that of the meta-loss: against finite differences, and against the first-order variant.

With tanh units: a step of adaptation jumps where a rectified unit turns on, and the meta-loss with it.
"""

import torch
from torch import Tensor, nn
from torch.nn.utils import parameters_to_vector, vector_to_parameters

from ffshare.nn.core_fast import CoreFast
from ffshare.nn.counts import free_parameters
from ffshare.nn.reproduce.core_fast_sine import Method, Waves, losses, sine_network, waves
from ffshare.nn.reproduce.seeds import seeded
from ffshare.records import doc, record

N_DIRECTIONS = 20
N_STEPS = 3
DISPLACEMENT = 1e-5


@record
class Slopes:
    """The meta-loss along random directions of all meta-learnt parameters, shape=(N_DIRECTIONS,)."""

    finite: Tensor = doc("central finite differences")
    second: Tensor = doc("by the meta-gradient through the steps of adaptation")
    first: Tensor = doc("by the first-order variant, which takes these steps for constant")

    @property
    def error(self) -> float:
        """Relative error of the meta-gradient."""
        return float((self.second - self.finite).norm() / self.finite.norm())

    @property
    def left_out(self) -> float:
        """What the first-order variant misses, relative to the meta-gradient."""
        return float((self.first - self.second).norm() / self.second.norm())


def slopes(method: Method, first_order: bool = False) -> Slopes:
    """Slopes of the meta-loss of a random network in double precision.

    Args:
        method: What is fast, and how far it steps.
        first_order: Whether what is called the meta-gradient is the first-order variant.

    Returns:
        The slopes.
    """
    with seeded(4):
        core = CoreFast(sine_network(method.n_context, nn.Tanh, dtype=torch.float64), method.fast)
        learnt = list(free_parameters(core))
        at = parameters_to_vector(learnt).detach().clone()
        directions = torch.randn(N_DIRECTIONS, len(at), dtype=at.dtype)
    drawn = waves(torch.Generator().manual_seed(4), (5,))
    support, query = ((x.double(), y.double()) for x, y in (drawn.support, drawn.query))
    tasks = Waves(support=support, query=query)

    def along(first_order: bool) -> Tensor:
        loss = losses(core, tasks, N_STEPS, method.rate, create_graph=True, first_order=first_order).mean()
        return directions @ parameters_to_vector(torch.autograd.grad(loss, learnt))

    @torch.no_grad()
    def moved(by: Tensor) -> float:
        vector_to_parameters(at + by, learnt)
        return float(losses(core, tasks, N_STEPS, method.rate).mean())

    second, first = along(first_order), along(True)
    finite = [(moved(DISPLACEMENT * each) - moved(-DISPLACEMENT * each)) / (2 * DISPLACEMENT) for each in directions]
    return Slopes(finite=torch.tensor(finite, dtype=at.dtype), second=second, first=first)
