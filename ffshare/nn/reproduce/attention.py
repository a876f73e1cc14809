"""(7) Heads that share the projection of values: what it saves, and the least error that it leaves.

With the patterns of attention fixed, a layer is linear, and what its heads retrieve can be weighed in closed form. Head
j reads token x_j of covariance S and should deliver P_j x_j; all together the squared error is measured against
Σ_j tr(P_j S P_jᵀ). If one projection V to d/h dimensions serves all heads, it explains tr(Π M) of tr(M), with

    M = S^½ (Σ_j P_jᵀ P_j) S^½      and Π the projector to the rows of V S^½,

so that the best V leaves the eigenvalues of M beyond the first d/h (Eckart and Young). Nothing is left where the heads
need the same d/h dimensions, and the tail of the spectrum of S where together they need all.

The layer is trained with an attention mask that shows each head its token alone. On samples it comes near the floor; on
the columns of S^½ as tokens, one at a time, its mean loss is the loss of the population, and it reaches it.
"""

import itertools
from collections.abc import Sequence

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor, nn

from ffshare.nn.attention import SharedValueAttention
from ffshare.nn.counts import count
from ffshare.nn.reproduce.outcome import Check, Outcome, Panel, Series, at_most, near
from ffshare.nn.reproduce.seeds import mean_and_error, seeded

WIDTH, HEADS = 16, 4
HEAD_WIDTH = WIDTH // HEADS
# Standard deviations of the features of a token.
DEVIATIONS = np.linspace(1.0, 0.1, WIDTH)
N_SAMPLES = 4000

# Which projections are shared. The first two have equally many parameters.
KINDS: dict[str, tuple[str, ...]] = {"values shared": ("v",), "keys shared": ("k",), "nothing shared": ()}
# Which token each head reads.
ONE_TOKEN, OWN_TOKEN = (0,) * HEADS, tuple(range(HEADS))


def run(quick: bool) -> Outcome:
    """Run the experiment.

    Args:
        quick: Two sets of samples and not ten, and fewer degrees of diversity.

    Returns:
        The outcome.
    """
    situations = {
        "one token": (ONE_TOKEN, _wanted(1.0)),
        "other tokens,\nsame subspace": (OWN_TOKEN, _wanted(0.0)),
        "other tokens,\nother subspaces": (OWN_TOKEN, _wanted(1.0)),
    }
    floors = {name: floor(wanted) for name, (_, wanted) in situations.items()}
    learned = {
        kind: [_population_error(share, *situation) for situation in situations.values()]
        for kind, share in KINDS.items()
    }
    n_sets = 2 if quick else 10
    sampled = [
        mean_and_error([_sample_error(("v",), *situation, seed) for seed in range(n_sets)])
        for situation in situations.values()
    ]
    diversity = [0.0, 0.5, 1.0] if quick else [0.0, 0.125, 0.25, 0.375, 0.5, 0.625, 0.75, 0.875, 1.0]
    between = [_population_error(("v",), OWN_TOKEN, _wanted(each)) for each in diversity]
    checks = [*_parity(), _count(), *_floors(floors, learned, sampled), _diversity(diversity, between)]
    names = list(situations)
    fine = np.linspace(0.0, 1.0, 65)
    panels = (
        Panel(
            title="Error that is left with fixed patterns",
            x_label="what the heads read",
            y_label="squared error / variance",
            series=(
                Series(label="closed form, values shared", x=names, y=list(floors.values()), style="bars"),
                Series(
                    label=f"trained on {N_SAMPLES:,} samples, values shared",
                    x=names,
                    y=[mean for mean, _ in sampled],
                    error=[error for _, error in sampled],
                    style="bars",
                ),
                *(
                    Series(label=f"trained, {kind}", x=names, y=errors, style="bars")
                    for kind, errors in learned.items()
                ),
            ),
        ),
        Panel(
            title="It depends on how diverse the needed information is",
            x_label="turn from one subspace for all heads (0) to one for each (1)",
            y_label="squared error / variance",
            series=(
                Series(label="closed form", x=list(fine), y=[floor(_wanted(each)) for each in fine], style="dashed"),
                Series(label="trained, values shared", x=diversity, y=between, style="points"),
            ),
        ),
    )
    remarks = (
        "Error comes with the rank of what all heads retrieve and not with the number of parameters: with keys shared "
        "there are as many, and no error is left.",
        "Sharing keys and values is multi-query attention, another layer; here values alone are shared.",
    )
    return Outcome(checks=tuple(checks), panels=panels, remarks=remarks)


def floor(wanted: Sequence[NDArray[np.float64]]) -> float:
    """The least squared error with one projection of values for all heads, over the variance of what is wanted.

    Args:
        wanted: What each head should deliver: matrices P_j, shape=(HEAD_WIDTH, WIDTH).

    Returns:
        The part of the trace of M that lies beyond its first HEAD_WIDTH eigenvalues.

    Example:
        >>> round(floor(np.split(np.eye(WIDTH), HEADS)), 4)
        0.4508
    """
    scaled = np.vstack(wanted) * DEVIATIONS
    eigenvalues = np.linalg.svd(scaled, compute_uv=False) ** 2
    return float(eigenvalues[HEAD_WIDTH:].sum() / eigenvalues.sum())


def _wanted(diversity: float) -> list[NDArray[np.float64]]:
    """P_j: from the features that the first head needs (0) turned to features of its own (1)."""
    angle = 0.5 * np.pi * diversity
    own = [np.eye(WIDTH)[head::HEADS] for head in range(HEADS)]
    return [own[0], *(np.cos(angle) * own[0] + np.sin(angle) * each for each in own[1:])]


def _population_error(share: tuple[str, ...], reads: tuple[int, ...], wanted: Sequence[NDArray[np.float64]]) -> float:
    """The error of a trained layer, tokens drawn from S."""
    # One token at a time holds one column of the root of its covariance: such rows have the second moments of all.
    return _trained_error(share, reads, wanted, np.diag(np.tile(DEVIATIONS, HEADS)))


def _sample_error(
    share: tuple[str, ...], reads: tuple[int, ...], wanted: Sequence[NDArray[np.float64]], seed: int
) -> float:
    """The error of a trained layer on the samples that it was trained on."""
    rng = np.random.default_rng(seed)
    rows: NDArray[np.float64] = rng.normal(scale=np.tile(DEVIATIONS, HEADS), size=(N_SAMPLES, HEADS * WIDTH))
    return _trained_error(share, reads, wanted, rows)


def _trained_error(
    share: tuple[str, ...],
    reads: tuple[int, ...],
    wanted: Sequence[NDArray[np.float64]],
    rows: NDArray[np.float64],
) -> float:
    """Squared error over variance after training, each row holding a token for each head."""
    tokens = torch.tensor(rows.reshape(-1, HEADS, WIDTH))
    read = tokens[:, list(reads)]
    target = torch.einsum("hod,nhd->nho", torch.tensor(np.array(wanted)), read).flatten(1)
    hidden = torch.ones(HEADS, 1, HEADS, dtype=torch.bool)
    hidden[range(HEADS), 0, reads] = False
    mask = hidden.repeat(len(tokens), 1, 1)
    query = torch.zeros(len(tokens), 1, WIDTH, dtype=torch.float64)
    with seeded(1):
        layer = SharedValueAttention(WIDTH, HEADS, bias=False, batch_first=True, dtype=torch.float64, share=share)
    optimizer = torch.optim.LBFGS(
        layer.parameters(), max_iter=500, tolerance_grad=1e-9, tolerance_change=1e-9, line_search_fn="strong_wolfe"
    )
    variance = target.square().sum()

    def error() -> Tensor:
        output, _ = layer(query, tokens, tokens, need_weights=False, attn_mask=mask)
        return (output[:, 0] - target).square().sum() / variance

    def closure() -> Tensor:
        optimizer.zero_grad()
        loss = error()
        loss.backward()
        return loss

    optimizer.step(closure)
    with torch.no_grad():
        return float(error())


def _parity() -> list[Check]:
    """The largest differences to the layer of torch whose heads have equal weights, over masks and shares."""
    with seeded(7):
        inputs = [torch.randn(5, 3, WIDTH, dtype=torch.float64) for _ in range(3)]
        causal = torch.ones(5, 5, dtype=torch.bool).triu(1)
        padding = torch.arange(5).expand(3, 5) >= torch.tensor([[5], [3], [1]])
        by_head = torch.randn(3 * HEADS, 5, 5, dtype=torch.float64)
        layers = [
            SharedValueAttention(WIDTH, HEADS, dtype=torch.float64, share=share)
            for share in (*KINDS.values(), ("k", "v"), ("q", "k", "v"))
        ]
    masks: list[dict[str, Tensor]] = [{}, {"attn_mask": causal}, {"key_padding_mask": padding}, {"attn_mask": by_head}]
    outputs, gradients = [], []
    for layer, mask, need_weights in itertools.product(layers, masks, (True, False)):
        untied = layer.to_multihead_attention()
        results = [_output_and_gradient(each, inputs, mask, need_weights) for each in (layer, untied)]
        outputs.append(float((results[0][0] - results[1][0]).abs().max()))
        tying, shape = layer.in_proj_weight.tying, (3 * HEADS, HEAD_WIDTH, WIDTH)
        gradients.append(float((results[0][1] - tying.pool(results[1][1].reshape(shape))).abs().max()))
    return [
        at_most(
            "attention with shared projections computes what torch's layer computes when the blocks of its heads are "
            "equal, with every mask, with and without weights (largest difference)",
            1e-12,
            max(outputs),
        ),
        at_most(
            "the gradient of a shared projection is the sum over the heads of the gradients of torch's layer (largest "
            "difference)",
            1e-12,
            max(gradients),
        ),
    ]


def _output_and_gradient(
    layer: nn.Module, inputs: Sequence[Tensor], mask: dict[str, Tensor], need_weights: bool
) -> tuple[Tensor, Tensor]:
    """The output, and the derivative of a sum of its sines by the projections."""
    layer.zero_grad()
    output, _ = layer(*inputs, **mask, need_weights=need_weights)
    output.sin().sum().backward()
    projections = getattr(layer.in_proj_weight, "theta", layer.in_proj_weight)
    return output.detach(), projections.grad


def _count() -> Check:
    shared = SharedValueAttention(WIDTH, HEADS, bias=False)
    untied = nn.MultiheadAttention(WIDTH, HEADS, bias=False)
    return near(
        f"with values shared, {HEADS} heads have (3 + 1/h)/4 of the weights of torch's layer",
        0.8125,
        count(shared).free / count(untied).free,
        0.0,
    )


def _floors(
    floors: dict[str, float], learned: dict[str, list[float]], sampled: Sequence[tuple[float, float]]
) -> list[Check]:
    tail = float((DEVIATIONS[HEAD_WIDTH:] ** 2).sum() / (DEVIATIONS**2).sum())
    expected = (0.4508, 0.0, 0.4508)
    told = (
        "where all heads read one token whole, shared values leave the tail of its spectrum beyond d/h",
        "where heads read different tokens but need the same d/h dimensions of each, shared values leave nothing",
        "where heads read different tokens and need different dimensions of each, shared values leave the tail again",
    )
    checks = [
        near("the spectrum chosen has this much of its variance beyond the first d/h features", 0.4508, tail, 5e-5),
        at_most(
            "the closed form has the three situations as special cases: the tail, nothing, the tail (largest "
            "difference)",
            1e-12,
            float(np.abs(np.subtract(list(floors.values()), (tail, 0.0, tail))).max()),
        ),
    ]
    for claim, floor_, measured, (mean, error) in zip(told, expected, learned["values shared"], sampled, strict=True):
        checks.append(near(f"{claim} (trained on the covariance)", floor_, measured, 0.002))
        checks.append(near(f"{claim} (trained on {N_SAMPLES:,} samples)", floor_, mean, 0.02, error))
    checks.append(
        near(
            "with nothing shared, no error is left in any of the three (largest)",
            0.0,
            max(learned["nothing shared"]),
            0.002,
        )
    )
    checks.append(
        near(
            "with keys shared in place of values, and so with equally many parameters, no error is left either "
            "(largest)",
            0.0,
            max(learned["keys shared"]),
            0.002,
        )
    )
    return checks


def _diversity(diversity: Sequence[float], between: Sequence[float]) -> Check:
    return at_most(
        "between the same and different dimensions, the error left is that of the closed form (largest difference)",
        0.002,
        max(abs(error - floor(_wanted(each))) for each, error in zip(diversity, between, strict=True)),
    )
