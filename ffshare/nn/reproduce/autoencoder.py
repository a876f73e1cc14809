"""A linear autoencoder with tied weights finds the principal components by gradient descent, and is the better posed.

The digits of scikit-learn, centred, are coded in k numbers by two models trained with the same optimiser: one whose
decoder is the transpose of its encoder, and one with two free matrices. Both are compared with principal component
analysis, from the singular values of the data, which the training never sees. What the parameters can say is the rank
of the derivative of the product decoder · encoder by them.
"""

from collections.abc import Sequence

import numpy as np
import torch
from numpy.typing import NDArray
from scipy import linalg
from torch import nn

from ffshare.nn.autoencoder import Descent, TiedAutoencoder, descend
from ffshare.nn.reproduce.data import digits
from ffshare.nn.reproduce.outcome import Check, Outcome, Panel, Series, at_most, near
from ffshare.nn.reproduce.seeds import seeded
from ffshare.records import doc, record
from ffshare.tying import LinearTying, LowRank

Floats = NDArray[np.float64]


@record
class Centred:
    """Data and their principal components."""

    rows: Floats = doc("data of mean zero, shape=(n, width)")
    variances: Floats = doc("mean square along each component, falling, shape=(width,)")
    components: Floats = doc("the components, shape=(width, width)")


@record
class Trained:
    """A trained autoencoder beside the principal components of the same number."""

    encoder: Floats = doc("shape=(k, width)")
    decoder: Floats = doc("shape=(width, k)")
    descent: Descent = doc("how the training went")
    error: float = doc("error of its reconstructions: squares summed over pixels, averaged over images")
    best: float = doc("the same of the principal components")
    angle: float = doc("largest angle between the column space of the decoder and the principal components [rad]")

    @property
    def excess(self) -> float:
        """Error above that of the principal components, relative to it."""
        return self.error / self.best - 1.0


def run(quick: bool) -> Outcome:
    """Measure the claims: fewer images, codes and seeds in the quick run."""
    n_images, codes, seeds, max_iter = (500, (2, 8), range(2), 700) if quick else (1797, (2, 8, 16), range(3), 2000)
    data = centred(digits().pixels.reshape(-1, 64)[:n_images])
    tied = {k: _best_of(data, k, seeds, max_iter, tied=True) for k in codes}
    untied = {k: _best_of(data, k, seeds, max_iter, tied=False) for k in codes}
    ranked = codes[0] if quick else codes[1]
    pace = "; ".join(
        f"for k = {k} it takes {_evaluations(untied[k])} evaluations of the gradient against {_evaluations(tied[k])}"
        for k in codes
    )
    remarks = (
        "Equal error is a property of the optimum. On the way there the untied model is the slower one. To within "
        f"1e-5, in the best runs, {pace}.",
        "Without the tie the encoder and decoder are known up to an invertible k × k matrix only, so it is the untied "
        "model that is less well posed.",
    )
    return Outcome(
        checks=(*_optimum(tied, untied), *_posedness(tied[ranked], untied[ranked]), _gradient(data, codes[-1])),
        panels=_panels(data, tied, untied),
        remarks=remarks,
    )


def centred(rows: Floats) -> Centred:
    """The data less their mean, and their principal components.

    Args:
        rows: Data, shape=(n, width), with n at least the width.

    Returns:
        The centred data.
    """
    data = rows - rows.mean(axis=0)
    _, values, components = np.linalg.svd(data, full_matrices=False)
    return Centred(rows=data, variances=values**2 / len(data), components=components)


def _optimum(tied: dict[int, Trained], untied: dict[int, Trained]) -> tuple[Check, ...]:
    listed = ", ".join(map(str, tied))
    return (
        at_most(
            f"Gradient descent on the tied autoencoder reaches the error of principal component analysis "
            f"(relative excess, the worst of k = {listed}).",
            1e-8,
            max(abs(each.excess) for each in tied.values()),
        ),
        at_most(
            "The tied encoder spans the space of the principal components (largest principal angle in radians).",
            1e-3,
            max(each.angle for each in tied.values()),
        ),
        at_most(
            "The rows of the tied weight become orthonormal although nothing asks for it (largest entry of WWᵀ - I).",
            1e-5,
            max(float(abs(each.encoder @ each.encoder.T - np.eye(k)).max()) for k, each in tied.items()),
        ),
        at_most(
            "Two free matrices reach the same error, no lower one: the tie costs nothing (relative excess).",
            1e-5,
            max(abs(each.excess) for each in untied.values()),
        ),
        at_most(
            "The untied decoder spans the same space (largest principal angle in radians).",
            1e-3,
            max(each.angle for each in untied.values()),
        ),
    )


def _posedness(tied: Trained, untied: Trained) -> tuple[Check, ...]:
    """Ranks of the derivative of decoder · encoder by the free parameters."""
    k, width = tied.encoder.shape
    pair = TiedAutoencoder(width, k).tying
    n_untied = 2 * k * width
    return (
        near(
            f"Untied, only k(2d - k) of the {n_untied:,} parameters are identified, the rest is a change of basis of "
            f"the code (rank of the Jacobian at the optimum, k = {k}).",
            k * (2 * width - k),
            _rank(LinearTying.identity(n_untied), untied),
            0,
        ),
        near(
            f"Tied, all of the {k * width:,} parameters are identified but the k(k - 1)/2 rotations of the code (rank "
            f"of the Jacobian through the tie, k = {k}).",
            k * width - k * (k - 1) // 2,
            _rank(pair, tied),
            0,
        ),
    )


def _rank(tying: LinearTying, model: Trained) -> int:
    """How many parameters the product of decoder and encoder identifies."""
    k, width = model.encoder.shape
    factors = np.concatenate((model.decoder.ravel(), model.encoder.ravel()))
    # Looser than rounding: the factors are those of a descent, not of a formula.
    return tying.rank(LowRank(width, width, k).jacobian(factors), rtol=1e-9)


def _gradient(data: Centred, k: int) -> Check:
    """The shared matrix learns what both places learn."""
    width = data.rows.shape[1]
    images = torch.as_tensor(data.rows)
    with seeded(0):
        tied = TiedAutoencoder(width, k, dtype=torch.float64)
    untied = _untied(width, k)
    with torch.no_grad():
        untied[0].weight.copy_(tied.encoder.weight)
        untied[1].weight.copy_(tied.encoder.weight.mT)
    slopes = {}
    for name, model in (("tied", tied), ("untied", untied)):
        loss = (model(images) - images).square().sum() / len(images)
        grads = torch.autograd.grad(loss, list(model.parameters()))
        slopes[name] = [grad.numpy().ravel() for grad in grads]
    encoder, decoder = slopes["untied"]
    pooled = tied.tying.pool(np.concatenate((decoder, encoder)))
    return at_most(
        "The gradient of the shared matrix is the sum of what encoder and decoder learn (relative difference from the "
        "pooled gradients of the two free matrices).",
        1e-12,
        float(abs(slopes["tied"][0] - pooled).max() / abs(pooled).max()),
    )


def _untied(width: int, k: int) -> nn.Sequential:
    """Two free matrices."""
    wide = torch.float64
    return nn.Sequential(nn.Linear(width, k, bias=False, dtype=wide), nn.Linear(k, width, bias=False, dtype=wide))


def _best_of(data: Centred, k: int, seeds: Sequence[int], max_iter: int, *, tied: bool) -> Trained:
    """The run with the least error, each from another start."""
    return min((_trained(data, k, seed, max_iter, tied) for seed in seeds), key=lambda each: each.error)


def _trained(data: Centred, k: int, seed: int, max_iter: int, tied: bool) -> Trained:
    rows, width = data.rows, data.rows.shape[1]
    with seeded(seed):
        model = TiedAutoencoder(width, k, dtype=torch.float64) if tied else _untied(width, k)
    if tied:
        descent = model.fit(rows, max_iter)
        layers = (model.encoder, model.decoder)
    else:
        descent = descend(model, torch.as_tensor(rows), max_iter)
        layers = (model[0], model[1])
    encoder, decoder = (layer.weight.detach().numpy().copy() for layer in layers)
    return Trained(
        encoder=encoder,
        decoder=decoder,
        descent=descent,
        error=float(((rows - rows @ encoder.T @ decoder.T) ** 2).sum() / len(rows)),
        best=float(data.variances[k:].sum()),
        angle=float(linalg.subspace_angles(decoder, data.components[:k].T)[0]),
    )


def _evaluations(model: Trained, excess: float = 1e-5) -> int:
    """Evaluations until the error was within this of the best."""
    near_best = np.array(model.descent.losses) <= model.best * (1.0 + excess)
    return int(np.argmax(near_best)) + 1 if near_best.any() else len(near_best)


def _panels(data: Centred, tied: dict[int, Trained], untied: dict[int, Trained]) -> tuple[Panel, Panel]:
    """Errors against the length of the code, and how the excess falls for the longest."""
    lengths = list(range(1, max(tied) + 5))
    last = max(tied)
    falls = []
    for label, model in (("tied", tied[last]), ("untied", untied[last])):
        # What the best error so far is above that of the components; rounding is as far as it goes.
        excess = np.maximum(np.minimum.accumulate(model.descent.losses) / model.best - 1.0, 1e-16)
        shown = np.unique(np.geomspace(1, len(excess), 60).round().astype(int))
        falls.append(Series(label=label, x=shown.astype(float).tolist(), y=excess[shown - 1].tolist()))
    return (
        Panel(
            title="Error of the reconstruction",
            x_label="length of the code k",
            y_label="squared error of an image",
            series=(
                Series(
                    label="principal components",
                    x=[float(k) for k in lengths],
                    y=[float(data.variances[k:].sum()) for k in lengths],
                    style="dashed",
                ),
                *(
                    Series(
                        label=label,
                        x=[float(k) for k in found],
                        y=[each.error for each in found.values()],
                        style="points",
                    )
                    for label, found in (("tied", tied), ("untied, on top of it", untied))
                ),
            ),
        ),
        Panel(
            title=f"Gradient descent towards the components, k = {last}",
            x_label="evaluations of the gradient",
            y_label="relative excess of the error",
            x_scale="log",
            y_scale="log",
            series=tuple(falls),
        ),
    )
