"""A convolution kernel is the shared weight of a Gaussian graphical model: its likelihood, its errors, and no tie.

Responses to a photograph are made by correlation with a known kernel and noise of standard deviation 0.1. Three ways to
find the kernel are compared: least squares over patches, a convolution trained by back-propagation, and the pooled
normal equations of the site weights. Errors of a natural image are judged after whitening,

    z = L⁻¹(ŵ - w₀),        L Lᵀ = cov(ŵ) as estimated from the residuals,

since neighbouring pixels are nearly equal and the plain error of ŵ says more of the image than of the estimate.
"""

from typing import Any

import numpy as np
import torch
from numpy.typing import NDArray
from scipy import signal
from torch import nn

from ffshare.nn.gaussian_field import TiedGaussianField, normal_matrix, patch_matrix, site_jacobian
from ffshare.nn.reproduce.data import photograph
from ffshare.nn.reproduce.outcome import Outcome, Panel, Series, at_least, at_most, near
from ffshare.nn.reproduce.seeds import mean_and_error, seeded
from ffshare.records import doc, record
from ffshare.tying import LinearTying
from ffshare.tying.blocks import default_rtol, least_squares

Floats = NDArray[np.float64]

KERNEL = (3, 3)
NOISE = 0.1
N_REPLICAS = 300


@record
class Scene:
    """An image, the kernel that made the responses, and what they are without noise."""

    image: Floats = doc("grey values, shape=(side, side)")
    kernel: Floats = doc("the kernel w₀, shape=(3, 3)")
    clean: Floats = doc("responses without noise, shape=(side - 2, side - 2)")

    def responses(self, rng: np.random.Generator) -> Floats:
        """Responses with new noise."""
        return self.clean + NOISE * rng.normal(size=self.clean.shape)

    @property
    def patches(self) -> Floats:
        """One row for each response."""
        return patch_matrix(self.image[None, None], KERNEL)


def run(quick: bool) -> Outcome:
    """Measure the claims: a smaller image in the quick run."""
    side = 30 if quick else 96
    rng = np.random.default_rng(1)
    scene = _scene(photograph()[:side, :side], rng)
    white = _scene(rng.normal(size=(side, side)), rng)
    responses = scene.responses(rng)
    solved = np.linalg.lstsq(scene.patches, responses.ravel(), rcond=None)[0]
    field = TiedGaussianField(KERNEL).fit(scene.image, responses)
    whitened, ratios = _replicas(scene, rng)
    variances = whitened.var(axis=0, ddof=1)
    worst = int(np.argmax(abs(variances - 1.0)))
    means = abs(whitened.mean(axis=0))
    noise, noise_error = mean_and_error(ratios)
    gram = scene.patches.T @ scene.patches
    jacobian = site_jacobian(scene.patches)
    pooled = normal_matrix(field.tying_, jacobian)
    by_pooling = np.linalg.lstsq(pooled, field.tying_.pool(jacobian.T @ responses.ravel()), rcond=None)[0]
    n_patches, n_sites = len(scene.patches), scene.patches.size
    untied = LinearTying.identity(n_sites)
    errors = _errors_by_size(rng, [8, 16, 30] if quick else [12, 24, 48, 96])
    tied_error, untied_error = _plain_errors(white, white.responses(rng))
    checks = (
        at_most(
            "Least squares over all patches and a convolution trained by back-propagation find the same kernel "
            "(relative difference).",
            1e-6,
            _relative(_trained(scene.image, responses), solved),
        ),
        at_most(
            "The pooled normal equations of the tied site weights find it, too, and so does the least squares of a tie "
            "(the larger relative difference).",
            1e-6,
            max(_relative(by_pooling, solved), _relative(field.weight_.ravel(), solved)),
        ),
        near(
            "Whitened by their estimated covariance, the errors of the kernel have the unit variance of an efficient "
            "estimate: the component of nine that is farthest from it.",
            1.0,
            float(variances[worst]),
            0.25,
            error=float(variances[worst] * np.sqrt(2.0 / (N_REPLICAS - 1))),
        ),
        at_most(
            "The whitened errors have mean zero, so the estimate has no bias: the largest mean of nine components, "
            "within four standard errors.",
            4.0 / np.sqrt(N_REPLICAS),
            float(means.max()),
            error=float(1.0 / np.sqrt(N_REPLICAS)),
        ),
        near(
            "The noise is estimated from the residuals without bias (estimated over true variance).",
            1.0,
            noise,
            0.01,
            error=noise_error,
        ),
        at_most(
            "Pooling the second derivatives of all site weights through the tie gives the normal equations of the "
            "patches (relative difference).",
            1e-12,
            float(abs(pooled - gram).max() / abs(gram).max()),
        ),
        near("The patches identify all nine weights of the tied kernel (rank).", 9, field.rank_, 0),
        near(
            f"Untied, {n_sites:,} site weights have only as many identified directions as there are responses (rank).",
            n_patches,
            untied.rank(site_jacobian(scene.patches)),
            0,
        ),
        near(
            "The shortest untied weights that explain the responses are as wrong as no weights at all, nearly "
            "(relative error, root mean square over sites).",
            0.94,
            _plain_errors(scene, responses)[1],
            0.02,
        ),
        at_least(
            "On an image of white noise, where the plain error is fair, that of the tied kernel is at least a hundred "
            "times smaller than that of the untied weights (ratio).",
            100.0,
            untied_error / tied_error,
        ),
    )
    remark = (
        f"Neighbouring pixels of the photograph are nearly equal (condition number of the patches "
        f"{np.linalg.cond(scene.patches):,.0f}): the plain relative error of the tied kernel is "
        f"{_relative(field.weight_.ravel(), scene.kernel.ravel()):.2f} there, although no unbiased estimate does "
        f"better. On white noise it is {tied_error:.4f}."
    )
    return Outcome(checks=checks, panels=_panels(variances, errors, field, scene), remarks=(remark,))


def _scene(image: Floats, rng: np.random.Generator) -> Scene:
    kernel = rng.normal(size=KERNEL)
    return Scene(image=image, kernel=kernel, clean=signal.correlate2d(image, kernel, mode="valid"))


def _relative(found: NDArray[Any], wanted: NDArray[Any]) -> float:
    return float(np.linalg.norm(found - wanted) / np.linalg.norm(wanted))


def _trained(image: Floats, responses: Floats, n_steps: int = 30) -> Floats:
    """The kernel of a convolution layer after conjugate gradients, each gradient from back-propagation.

    The loss is quadratic, so two gradients give the exact length of a step. A line search that looks at the loss would
    stop too early: next to the minimum it changes by less than its last digit.
    """
    pixels, wanted = torch.as_tensor(image.copy())[None, None], torch.as_tensor(responses)[None, None]
    with seeded(0):
        layer = nn.Conv2d(1, 1, KERNEL, bias=False, dtype=torch.float64)

    def gradient(weight: torch.Tensor) -> torch.Tensor:
        with torch.no_grad():
            layer.weight.copy_(weight)
        (found,) = torch.autograd.grad((layer(pixels) - wanted).square().sum(), layer.weight)
        return found

    weight = layer.weight.detach().clone()
    slope = gradient(weight)
    direction = -slope
    for _ in range(n_steps):
        curvature = (direction * (gradient(weight + direction) - slope)).sum()
        if curvature <= 0:
            break
        weight = weight - (slope * direction).sum() / curvature * direction
        before, slope = slope, gradient(weight)
        direction = -slope + (slope * (slope - before)).sum().clamp(min=0.0) / before.square().sum() * direction
    trained: Floats = weight.numpy().ravel()
    return trained


def _replicas(scene: Scene, rng: np.random.Generator) -> tuple[Floats, Floats]:
    """Whitened errors, shape=(n, 9), and estimated over true variance of the noise, shape=(n,), each with new noise."""
    whitened, ratios = [], []
    for _ in range(N_REPLICAS):
        field = TiedGaussianField(KERNEL).fit(scene.image, scene.responses(rng))
        root = np.linalg.cholesky(field.covariance_)
        whitened.append(np.linalg.solve(root, (field.weight_ - scene.kernel).ravel()))
        ratios.append(field.noise_variance_ / NOISE**2)
    return np.array(whitened), np.array(ratios)


def _plain_errors(scene: Scene, responses: Floats) -> tuple[float, float]:
    """Relative errors of the tied kernel, and of the shortest untied weights (root mean square over sites)."""
    tied = TiedGaussianField(KERNEL).fit(scene.image, responses).weight_
    jacobian = site_jacobian(scene.patches)
    shortest = least_squares(jacobian, responses.reshape(-1, 1), default_rtol(jacobian.shape, np.dtype(np.float64)))
    misses = shortest.reshape(scene.patches.shape) - scene.kernel.ravel()
    rms = np.sqrt((misses**2).sum(axis=1).mean()) / np.linalg.norm(scene.kernel)
    return _relative(tied.ravel(), scene.kernel.ravel()), float(rms)


def _errors_by_size(rng: np.random.Generator, sides: list[int], n_seeds: int = 8) -> dict[int, Floats]:
    """Errors of the tied and untied weights on images of white noise, by their side; shape=(n_seeds, 2)."""
    found = {}
    for side in sides:
        scenes = [_scene(rng.normal(size=(side, side)), rng) for _ in range(n_seeds)]
        found[side] = np.array([_plain_errors(scene, scene.responses(rng)) for scene in scenes])
    return found


def _panels(
    variances: Floats, errors: dict[int, Floats], field: TiedGaussianField, scene: Scene
) -> tuple[Panel, Panel, Panel]:
    places = [float(i) for i in range(1, len(variances) + 1)]
    pixels = [float((side - 2) ** 2) for side in errors]
    curves = [[mean_and_error(each[:, kind]) for each in errors.values()] for kind in (0, 1)]
    deviations = np.sqrt(np.diag(field.covariance_))
    return (
        Panel(
            title=f"Whitened errors, {N_REPLICAS} draws of the noise",
            x_label="component",
            y_label="variance",
            series=(
                Series(
                    label="measured",
                    x=places,
                    y=variances.tolist(),
                    error=(variances * np.sqrt(2.0 / (N_REPLICAS - 1))).tolist(),
                    style="points",
                ),
                Series(label="efficient estimate", x=[places[0], places[-1]], y=[1.0, 1.0], style="dashed"),
            ),
        ),
        Panel(
            title="What more pixels tell (white noise)",
            x_label="responses",
            y_label="relative error of the weights",
            x_scale="log",
            y_scale="log",
            series=tuple(
                Series(label=label, x=pixels, y=[mean for mean, _ in curve], error=[error for _, error in curve])
                for label, curve in zip(("tied", "untied, shortest"), curves, strict=True)
            ),
        ),
        Panel(
            title="The kernel from one photograph",
            x_label="weight",
            y_label="value",
            series=(
                Series(
                    label="estimate ± standard error",
                    x=places,
                    y=field.weight_.ravel().tolist(),
                    error=deviations.tolist(),
                    style="points",
                ),
                Series(label="true", x=places, y=scene.kernel.ravel().tolist(), style="points"),
            ),
        ),
    )
