"""A tanh network observed once: its weights by gradients through the free-running network, tied over time or not."""

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor, nn

from ffshare.nn.reproduce.seeds import seeded
from ffshare.nn.time_tied import TimeTied
from ffshare.records import doc, record

Floats = NDArray[np.float64]

N_UNITS = 4
N_INPUTS = 2
N_WEIGHTS = N_UNITS * (N_UNITS + N_INPUTS)
SPECTRAL_RADIUS = 0.95
N_AFTER = 100


@record
class Trained:
    """A tanh network fitted to one sequence, tied and untied; and how well each predicts what came after."""

    length: int = doc("steps of the sequence")
    matrix_error: float = doc("relative error of the tied weights")
    losses: tuple[float, float] = doc("mean squared residual of the sequence, tied and untied")
    later: tuple[float, float] = doc("error of one-step predictions after it relative to the variance, tied and untied")
    ranks: tuple[int, int] = doc("parameters identified, tied and untied")
    paths: tuple[Floats, Floats, Floats] = doc("after the sequence: one unit, its tied and its untied prediction")


def tanh_network(seed: int, length: int, tied: bool = True) -> Trained:
    """Train a free-running network on one sequence of a network like it, from random weights.

    Args:
        seed: Seed of the system, its inputs, and the starting weights.
        length: Number of steps observed.
        tied: Whether what is called tied is.

    Returns:
        What was found.
    """
    with seeded(seed):
        system = _random_cell()
        inputs = torch.randn(length + N_AFTER, N_INPUTS, dtype=torch.float64)
        states = TimeTied(system, length + N_AFTER)(inputs)[0].detach()
        start = nn.RNNCell(N_INPUTS, N_UNITS, bias=False, dtype=torch.float64)
    networks = [TimeTied(start, length, tied), TimeTied(start, length, tied=False)]
    before, observed = inputs[:length], states[:length]
    losses = [_train(network, before, observed) for network in networks]
    # What an untied network would do after its last step is nowhere said: it is given the better of two ways.
    cells = [[network.cell_at(length - 1), network.unroll(tied=True).cell_at(0)] for network in networks]
    ahead = [[_one_step(cell, inputs[length:], states[length - 1 :]) for cell in each] for each in cells]
    later = states[length:]
    errors = [[float((found - later).square().mean() / later.var()) for found in each] for each in ahead]
    truth = torch.cat([parameter.detach().reshape(-1) for parameter in system.parameters()])
    off = networks[0].sites().detach() - truth
    return Trained(
        length=length,
        matrix_error=float(off.square().sum(dim=1).mean().sqrt() / truth.norm()),
        losses=(losses[0], losses[1]),
        later=(min(errors[0]), min(errors[1])),
        ranks=(networks[0].rank(before), networks[1].rank(before)),
        paths=(later[:, 0].numpy(), ahead[0][0][:, 0].numpy(), ahead[1][0][:, 0].numpy()),
    )


def _random_cell() -> nn.RNNCell:
    cell = nn.RNNCell(N_INPUTS, N_UNITS, bias=False, dtype=torch.float64)
    with torch.no_grad():
        cell.weight_ih.normal_(0.0, 0.25)
        cell.weight_hh.normal_()
        cell.weight_hh.mul_(SPECTRAL_RADIUS / torch.linalg.eigvals(cell.weight_hh).abs().max())
    return cell


def _train(network: TimeTied, inputs: Tensor, observed: Tensor) -> float:
    """The loss at the end of a fit to a sequence, from its inputs alone."""
    optimizer = torch.optim.LBFGS(
        network.parameters(),
        max_iter=1000,
        max_eval=3000,
        history_size=50,
        tolerance_grad=1e-10,
        tolerance_change=0.0,
        line_search_fn="strong_wolfe",
    )

    def loss() -> Tensor:
        optimizer.zero_grad()
        value = (network(inputs)[0] - observed).square().mean()
        value.backward()
        return value.detach()

    optimizer.step(loss)
    return float(loss())


def _one_step(cell: nn.Module, inputs: Tensor, states: Tensor) -> Tensor:
    """The next state by one cell, from each state that was observed."""
    found: Tensor = cell(inputs, states[:-1]).detach()
    return found
