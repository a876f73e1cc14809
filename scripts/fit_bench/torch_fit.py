"""Gauss-Newton steps and a Levenberg-Marquardt fit whose rows torch autograd makes, batched by molecule."""

from collections.abc import Sequence
from typing import NamedTuple

import numpy as np
import torch
from torch import Tensor

from ffshare.fit import FitProblem, LeftOut, Objective, ReferenceMolecule
from fit_bench.torch_energies import as_tensor, coordinates, energies, places_of
from fit_bench.torch_rows import FEEDS, MODES, Rows, TorchMolecule, molecule_of


class WeightedRows(NamedTuple):
    """Residuals of a molecule over their errors, energies less their weighted mean, and their derivatives."""

    residuals: Tensor
    """What is asked for less what the model gives, shape=(n_rows,): forces, then energies."""
    jacobian: Tensor
    """Derivatives of what the model gives, shape=(n_own, n_rows)."""


class Fit(NamedTuple):
    """Where a fit by torch ended."""

    values: np.ndarray
    objective: float
    n_passes: int


def molecules_of(
    problem: FitProblem, objective: Objective, molecules: Sequence[ReferenceMolecule], left_out: Sequence[LeftOut]
) -> list[TorchMolecule]:
    """The molecules of a problem whose background is nothing, with weights as ffshare has them."""
    return [
        molecule_of(
            places_of(problem.assignment, objective.parameters, left_out, idx),
            each,
            problem.weights.of(each, np.zeros(each.n_conformers)),
        )
        for idx, each in enumerate(molecules)
    ]


def weighted(one: TorchMolecule, rows: Rows) -> WeightedRows:
    """The rows over their errors."""
    shares = one.energy_weights / one.energy_weights.sum()
    misfit, energy_roots, force_roots = (
        one.energies - rows.energies,
        one.energy_weights.sqrt(),
        one.force_weights.sqrt(),
    )
    mean = rows.energy_jacobian @ shares
    return WeightedRows(
        torch.cat([((one.forces - rows.forces) * force_roots).ravel(), (misfit - misfit @ shares) * energy_roots]),
        torch.cat(
            [
                (rows.force_jacobian * force_roots).flatten(1),
                (rows.energy_jacobian - mean[:, None]) * energy_roots,
            ],
            dim=1,
        ),
    )


def equations(
    molecules: Sequence[TorchMolecule], objective: Objective, values: Tensor, feed: str, mode: str
) -> tuple[Tensor, Tensor]:
    """JᵀJ and Jᵀr of all molecules, priors included: half the curvature and minus half the slope."""
    scales, means = as_tensor(objective.scales), as_tensor(objective.means)
    matrix = torch.diag(objective.strength / scales**2)
    vector = objective.strength * (means - values) / scales**2
    for one in molecules:
        own = as_tensor(one.own)
        rows = weighted(one, MODES[mode](one, values[own], feed))
        matrix[own[:, None], own] += rows.jacobian @ rows.jacobian.T
        vector[own] += rows.jacobian @ rows.residuals
    return matrix, vector


def step(molecules: Sequence[TorchMolecule], objective: Objective, values: Tensor, feed: str, mode: str) -> Tensor:
    """The parameters after one full Gauss-Newton step."""
    matrix, vector = equations(molecules, objective, values, feed, mode)
    return values + torch.cholesky_solve(vector[:, None], torch.linalg.cholesky(matrix))[:, 0]


def value(molecules: Sequence[TorchMolecule], objective: Objective, values: Tensor, feed: str) -> float:
    """The objective, priors included."""
    scales, means = as_tensor(objective.scales), as_tensor(objective.means)
    total = objective.strength * float((((values - means) / scales) ** 2).sum())
    for one in molecules:
        x = one.x.clone().requires_grad_()
        fed = FEEDS[feed](one, values[as_tensor(one.own)][:, None])
        found = energies(one.places, coordinates(one.places, x), fed)
        (slopes,) = torch.autograd.grad(found.sum(), x)
        empty = Rows(found.detach(), -slopes, x.new_zeros(0, x.shape[2]), x.new_zeros(0, *x.shape))
        total += float((weighted(one, empty).residuals ** 2).sum())
    return total


def fit(
    molecules: Sequence[TorchMolecule], objective: Objective, start: np.ndarray, feed: str, mode: str, most: int = 50
) -> Fit:
    """Levenberg-Marquardt within the bounds, until a step that is not damped gains less than a part in 10¹⁰."""
    lower, upper = (as_tensor(bound) for bound in (objective.lower, objective.upper))
    values = torch.clamp(as_tensor(start), lower, upper)
    current, damping, n_passes = value(molecules, objective, values, feed), 0.0, 0
    while n_passes < most:
        matrix, vector = equations(molecules, objective, values, feed, mode)
        n_passes += 1
        held = ((values <= lower) & (vector <= 0.0)) | ((values >= upper) & (vector >= 0.0))
        free = torch.nonzero(~held)[:, 0]
        while damping < 1e10:
            damped = matrix[free[:, None], free]
            damped = damped + damping * torch.diag(torch.diagonal(damped))
            proposed = values.clone()
            proposed[free] += torch.linalg.solve(damped, vector[free])
            proposed = torch.clamp(proposed, lower, upper)
            after = value(molecules, objective, proposed, feed)
            if after <= current:
                break
            damping = max(10.0 * damping, 1e-6)
        if after > current:
            break
        gain, current, values = current - after, after, proposed
        done = gain <= 1e-10 * (1.0 + current) and damping <= 1e-6
        damping = damping / 10.0 if damping > 1e-6 else 0.0
        if done:
            break
    return Fit(values.numpy(), current, n_passes)
