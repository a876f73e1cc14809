"""Plasticity against stability: one core, adapted to a wave A and then to a wave B with fast sets of several sizes.

After B, the last layer that the network had for A is put back, as a system with a head for each task does. What else
has moved on the way to B is what A has lost.
"""

from collections.abc import Mapping, Sequence

import torch
from torch import Tensor, nn
from torch.func import vmap

from ffshare.nn.core_fast import Adapted, CoreFast
from ffshare.nn.reproduce.core_fast_sine import Examples, squared_error, waves
from ffshare.records import doc, record

HEAD = "head."
FAST_SETS: tuple[tuple[str, Sequence[str]], ...] = (
    ("bias of the head", ("head.bias",)),
    ("head", ("head.*",)),
    ("last two layers", ("second.*", "head.*")),
    ("all", ("*",)),
)
N_STEPS = 300
# Twice as long steps diverge on some waves.
RATE = 0.005


@record
class TradeOff:
    """Errors of one fast set on pairs of waves, on points that were not adapted to; shape=(n_cores, n_pairs)."""

    label: str = doc("what is fast")
    n_fast: int = doc("numbers that adapt")
    before: Tensor = doc("mean squared error on A after A: whether the fast set is plastic")
    other: Tensor = doc("mean squared error on B after B, which came after A")
    after: Tensor = doc("mean squared error on A after B, with the head of A put back")
    change: float = doc("largest difference of a prediction on A, after A and after B")

    @property
    def log_ratio(self) -> Tensor:
        """Logarithm of the error on A after B over that before, of each pair."""
        return (self.after / self.before).log()


@torch.no_grad()
def trade_off(
    networks: Sequence[nn.Module],
    label: str,
    fast: Sequence[str],
    n_pairs: int,
    n_steps: int = N_STEPS,
    restore: str = HEAD,
) -> TradeOff:
    """Adapt cores to A, then to B.

    Args:
        networks: The cores, meta-trained.
        label: What is fast, in words.
        fast: Patterns of the fast parameters.
        n_pairs: Pairs of waves for each core, the same for all fast sets.
        n_steps: Steps for each wave.
        restore: Beginning of the names of what is put back.

    Returns:
        What was found.
    """
    cores = [CoreFast(network, fast) for network in networks]
    found = [
        torch.stack(_pairs(core, torch.Generator().manual_seed(3 + number), n_pairs, n_steps, restore))
        for number, core in enumerate(cores)
    ]
    before, other, after, change = torch.stack(found, dim=1)
    return TradeOff(
        label=label, n_fast=cores[0].n_fast, before=before, other=other, after=after, change=float(change.max())
    )


def _pairs(core: CoreFast, generator: torch.Generator, n_pairs: int, n_steps: int, restore: str) -> tuple[Tensor, ...]:
    """Errors on A, on B, on A again, and the largest change of a prediction on A, of each pair."""

    def fitted(examples: Examples, start: Mapping[str, Tensor] | None = None) -> Adapted:
        return core.adapt(lambda network: squared_error(network, examples), n_steps, RATE, start=start)

    def pair(support_a: Examples, query_a: Examples, support_b: Examples, query_b: Examples) -> tuple[Tensor, ...]:
        at_a = fitted(support_a)
        at_b = fitted(support_b, at_a.fast)
        head = {name: values for name, values in at_a.fast.items() if name.startswith(restore)}
        back = core.with_fast({**at_b.fast, **head})
        change = (back(query_a[0]) - at_a(query_a[0])).abs().amax()
        return squared_error(at_a, query_a), squared_error(at_b, query_b), squared_error(back, query_a), change

    first, second = (waves(generator, (n_pairs,), n_query=100) for _ in range(2))
    found: tuple[Tensor, ...] = vmap(pair)(first.support, first.query, second.support, second.query)
    return found
