"""(11) Weights made from a shared core: low rank, what of it is identifiable, and a network of generated layers.

The best matrix of rank h is the truncated singular value decomposition (Eckart, Young, Mirsky), and gradient descent on
the factors finds its error without ever seeing a decomposition. The factors themselves it cannot find: of h(m + n)
numbers only h(m + n - h) are determined.
"""

import copy
from collections.abc import Sequence
from itertools import pairwise

import numpy as np
import torch
from torch import Tensor, nn
from torch.nn import functional

from ffshare.nn.hyper_linear import HyperLinear
from ffshare.nn.hyper_network import HyperNetwork
from ffshare.nn.reproduce.data import digits
from ffshare.nn.reproduce.outcome import Check, Outcome, Panel, Series, at_least, at_most, near
from ffshare.nn.reproduce.seeds import mean_and_error, seeded
from ffshare.tying import LowRank

ROWS, COLUMNS = 60, 40
RANKS = (2, 5, 10, 20)
N_TRAINING = 1200
WIDTHS = (64, 64, 64, 64, 10)
CHUNK = 64
# Rank of all four layers → embedding and hidden length of a core with as many parameters (1,832 and 3,664, or fewer).
BUDGETS = {4: (4, 15), 8: (8, 28)}


N_WEIGHTS = sum(a * b for a, b in pairwise(WIDTHS))
_KINDS = ("dense", "truncated", "own factors", "shared core")


def run(quick: bool) -> Outcome:
    """Run the experiment.

    Args:
        quick: Two seeds of the trained networks, fewer steps, and no rank 20.

    Returns:
        The outcome.
    """
    ranks = RANKS[:-1] if quick else RANKS
    excesses = {rank: _excess(rank) for rank in ranks}
    checks = [
        at_most(
            f"factors of rank {rank} trained from random ones reach the sum of the squared singular values left out "
            "(relative excess)",
            1e-8,
            excess,
        )
        for rank, excess in excesses.items()
    ]
    checks += _identifiability(ranks)
    networks = _networks(n_seeds=2 if quick else 5, n_steps=400 if quick else 2000)
    checks += _compare(networks)
    spectrum = _spectrum() ** 2
    tails = [float(spectrum[rank:].sum()) for rank in range(1, COLUMNS)]
    panels = (
        Panel(
            title="Squared error of the best product",
            x_label="rank h",
            y_label="squared error",
            y_scale="log",
            series=(
                Series(label="singular values left out", x=list(range(1, COLUMNS)), y=tails, style="dashed"),
                Series(
                    label="trained factors",
                    x=list(excesses),
                    y=[float(spectrum[rank:].sum() * (1 + excess)) for rank, excess in excesses.items()],
                    style="points",
                ),
            ),
        ),
        Panel(
            title="Four layers from equally many numbers",
            x_label="",
            y_label="test error [%]",
            series=tuple(
                Series(
                    label=f"{_n_free(rank):,} numbers",
                    x=list(_KINDS),
                    y=[100 * float(np.mean(networks[kind, rank])) for kind in _KINDS],
                    error=[100 * mean_and_error(networks[kind, rank])[1] for kind in _KINDS],
                    style="bars",
                )
                for rank in BUDGETS
            ),
        ),
    )
    remarks = (
        "The product is found, the factors are not: UV = (UG)(G⁻¹V) for every invertible G, so counting h(m + n) "
        "overstates what a hypernetwork has by h².",
        "A shared core is no free lunch. Test errors from 1,832 and from 3,664 numbers: truncated weights "
        f"{_percent(networks['truncated', 4])} and {_percent(networks['truncated', 8])}, factors of each layer trained "
        f"{_percent(networks['own factors', 4])} and {_percent(networks['own factors', 8])}, shared core "
        f"{_percent(networks['shared core', 4])} and {_percent(networks['shared core', 8])}; all {N_WEIGHTS:,} weights "
        f"{_percent(networks['dense', 4])}.",
    )
    return Outcome(checks=tuple(checks), panels=panels, remarks=remarks)


def _spectrum() -> np.ndarray:
    return np.exp(-np.arange(COLUMNS) / 8.0)


def _target() -> np.ndarray:
    """A matrix with that spectrum and random singular vectors."""
    rng = np.random.default_rng(11)
    left = np.linalg.qr(rng.normal(size=(ROWS, COLUMNS)))[0]
    right = np.linalg.qr(rng.normal(size=(COLUMNS, COLUMNS)))[0]
    return np.asarray((left * _spectrum()) @ right.T)


def _excess(rank: int) -> float:
    """How far trained factors stay above the smallest error, relative to it."""
    target = torch.tensor(_target())
    with seeded(rank):
        layer = HyperLinear(COLUMNS, ROWS, bias=False, dtype=torch.float64, rank=rank)
    optimizer = torch.optim.LBFGS(
        layer.parameters(),
        max_iter=4000,
        max_eval=6000,
        history_size=50,
        tolerance_grad=1e-13,
        tolerance_change=0.0,
        line_search_fn="strong_wolfe",
    )

    def closure() -> Tensor:
        optimizer.zero_grad()
        loss = (layer.shared() - target).square().sum()
        loss.backward()
        return loss

    optimizer.step(closure)
    tail = float((_spectrum()[rank:] ** 2).sum())
    with torch.no_grad():
        return float((layer.shared() - target).square().sum()) / tail - 1.0


def _identifiability(ranks: Sequence[int]) -> list[Check]:
    found = []
    for rank in ranks:
        tying = LowRank(ROWS, COLUMNS, rank)
        theta = np.random.default_rng(rank).normal(size=tying.n_free)
        measured = np.linalg.matrix_rank(tying.jacobian(theta).toarray())
        found.append(
            near(
                f"of {tying.n_free:,} numbers in factors of rank {rank}, h(m + n - h) are identifiable",
                rank * (ROWS + COLUMNS - rank),
                measured,
                0,
            )
        )
    return found


def _dense() -> nn.Sequential:
    layers: list[nn.Module] = []
    for n_in, n_out in pairwise(WIDTHS):
        layers += [nn.Linear(n_in, n_out), nn.Tanh()]
    return nn.Sequential(*layers[:-1])


def _low_rank(dense: nn.Module, rank: int) -> nn.Sequential:
    """The network with every weight truncated to a rank."""
    layers = copy.deepcopy(dense).children()
    return nn.Sequential(*(HyperLinear.from_linear(x, rank) if isinstance(x, nn.Linear) else x for x in layers))


def _n_free(rank: int) -> int:
    """Numbers in the factors of all weights."""
    return rank * sum(a + b for a, b in pairwise(WIDTHS))


def _core(rank: int) -> HyperNetwork:
    """The network of generated layers with as many numbers as factors of a rank have."""
    embedding, hidden = BUDGETS[rank]
    return HyperNetwork(_dense(), embedding, hidden, CHUNK)


def _networks(n_seeds: int, n_steps: int) -> dict[tuple[str, int], list[float]]:
    """Test errors of networks by kind and rank, one a seed."""
    images = digits()
    found: dict[tuple[str, int], list[float]] = {(kind, rank): [] for rank in BUDGETS for kind in _KINDS}
    for seed in range(n_seeds):
        order = np.random.default_rng(seed).permutation(len(images.labels))
        pixels = torch.tensor(images.pixels.reshape(-1, 64)[order], dtype=torch.float32)
        labels = torch.tensor(images.labels[order])
        with seeded(seed):
            dense = _train(_dense(), pixels, labels, n_steps)
            for rank in BUDGETS:
                factors = _train(_low_rank(_dense(), rank), pixels, labels, n_steps)
                core = _train(_core(rank), pixels, labels, n_steps)
                for kind, network in zip(_KINDS, (dense, _low_rank(dense, rank), factors, core), strict=True):
                    found[kind, rank].append(_test_error(network, pixels, labels))
    return found


def _train(network: nn.Module, pixels: Tensor, labels: Tensor, n_steps: int) -> nn.Module:
    optimizer = torch.optim.Adam(network.parameters(), lr=3e-3)
    for step in range(n_steps):
        batch = torch.arange(step * 100, (step + 1) * 100) % N_TRAINING
        optimizer.zero_grad()
        functional.cross_entropy(network(pixels[batch]), labels[batch]).backward()
        optimizer.step()
    return network


@torch.no_grad()
def _test_error(network: nn.Module, pixels: Tensor, labels: Tensor) -> float:
    return float((network(pixels[N_TRAINING:]).argmax(1) != labels[N_TRAINING:]).double().mean())


def _percent(errors: list[float]) -> str:
    mean, error = mean_and_error(errors)
    return f"{100 * mean:.1f} ± {100 * error:.1f} %"


def _compare(networks: dict[tuple[str, int], list[float]]) -> list[Check]:
    gain, gain_error = mean_and_error(np.subtract(networks["truncated", 4], networks["shared core", 4]))
    return [
        *(
            near(
                f"a core with its embeddings has no more numbers than all weights truncated to rank {rank}, and less "
                "than 2 % fewer (ratio)",
                0.99,
                _core(rank).shared.counts.free / _n_free(rank),
                0.01,
            )
            for rank in BUDGETS
        ),
        at_least(
            f"trained through a core of 1,828 numbers, {N_WEIGHTS:,} generated weights err less on digits than trained "
            "weights truncated to 1,832 (difference of test errors)",
            0.1,
            gain,
            gain_error,
        ),
    ]
