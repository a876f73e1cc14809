"""The Jacobian of the residuals by central differences, as codes do that only ask an engine for energies and forces.

Every parameter is moved up and down, and energies and forces of all conformers are computed anew by `ffshare.model`.
The other variant knows which molecules have the parameter and computes only those.
"""

from collections.abc import Mapping, Sequence
from dataclasses import replace

import numpy as np

from ffshare.assign import Assignment
from ffshare.fit import FitProblem, Objective, ReferenceMolecule
from ffshare.fit.parts import part_of
from ffshare.model import Frames, Model
from ffshare.model.coordinates import FloatArray
from ffshare.model.interactions import Interaction
from ffshare.model.potentials import Cosines, Harmonic

STEP = 1e-4
"""By how much a parameter is moved, in prior widths."""


class Engine:
    """Energies and forces of the bonded terms of some molecules, as rows, for any parameters."""

    def __init__(
        self, problem: FitProblem, objective: Objective, molecules: Sequence[ReferenceMolecule], idxs: Sequence[int]
    ) -> None:
        self._assignment = part_of(problem.assignment, np.array(idxs))
        self._model = Model.of(self._assignment, None).only(problem.sections)
        self._molecules = [molecules[idx] for idx in idxs]
        self._frames = Frames.from_conformers(self._assignment.batch, [each.coords for each in self._molecules])
        self._precisions = [problem.weights.of(each, np.zeros(each.n_conformers)) for each in self._molecules]
        self._numbers = {key: idx for idx, key in enumerate(objective.parameters.keys)}
        self._ties = {
            (section, column): assignment_values(self._assignment, section, column, self._numbers)
            for section in problem.sections
            for column in _COLUMNS[section]
        }

    def rows(self, values: FloatArray) -> FloatArray:
        """Forces, then energies less their mean, molecule by molecule, over their errors, shape=(n_rows,)."""
        found = replace(self._model, interactions=self._interactions(values)).evaluate(self._frames)
        rows = []
        for idx, forces in enumerate(self._frames.by_molecule(found.forces)):
            precisions, energies = self._precisions[idx], found.energies.of_molecule(idx)
            shares = precisions.energies / precisions.energies.sum()
            roots = np.sqrt(precisions.forces)[:, None, None]
            # In the order of ffshare's rows: components, atoms, conformers.
            rows.append((forces * roots).transpose(2, 1, 0).ravel())
            rows.append((energies - energies @ shares) * np.sqrt(precisions.energies))
        return np.concatenate(rows)

    def jacobian(self, values: FloatArray, scales: FloatArray, chosen: Sequence[int]) -> FloatArray:
        """Derivatives of the rows by some of the parameters, shape=(n_rows, n)."""
        columns = []
        for idx in chosen:
            step = STEP * scales[idx]
            ahead, back = np.array(values), np.array(values)
            ahead[idx] += step
            back[idx] -= step
            columns.append((self.rows(ahead) - self.rows(back)) / (2.0 * step))
        return np.stack(columns, axis=1)

    @property
    def exercised(self) -> list[int]:
        """The parameters that the molecules have, ascending."""
        touched = [idxs[np.abs(matrix).sum(axis=0) > 0] for matrix, idxs in self._ties.values()]
        return [idx for idx in np.unique(np.concatenate(touched)).tolist() if idx >= 0]

    def _interactions(self, values: FloatArray) -> Mapping[str, Interaction]:
        found = {}
        known = np.append(values, 0.0)
        for section, interaction in self._model.interactions.items():
            numbers = [self._ties[section, column] for column in _COLUMNS[section]]
            fed = [matrix @ known[idxs] for matrix, idxs in numbers]
            potential = interaction.potential
            if isinstance(potential, Cosines):
                barriers = np.zeros(potential.periodicities.shape)
                barriers[potential.periodicities > 0] = fed[0]
                potential = Cosines(barriers=barriers, periodicities=potential.periodicities, phases=potential.phases)
            else:
                # A rest value is shared by as many sites as it is written for: it is fed as it stands.
                potential = Harmonic(force_constants=fed[0], rest_values=fed[1])
            found[section] = replace(interaction, potential=potential)
        return found


_COLUMNS = {"Bonds": ("k", "length"), "Angles": ("k", "angle"), "ProperTorsions": ("k",), "ImproperTorsions": ("k",)}


def assignment_values(
    assignment: Assignment, section: str, column: str, numbers: Mapping[object, int]
) -> tuple[object, np.ndarray]:
    """The matrix that feeds the sites of a section, and which of the fitted parameters its columns are (-1: none)."""
    ties = assignment.tying(section, column)
    return ties.matrix.tocsr(), np.array([numbers.get(key, -1) for key in ties.keys])


def plain(
    problem: FitProblem, objective: Objective, molecules: Sequence[ReferenceMolecule], values: FloatArray
) -> FloatArray:
    """The whole Jacobian with everything computed for every parameter, shape=(n_rows, n)."""
    engine = Engine(problem, objective, molecules, range(len(molecules)))
    return engine.jacobian(values, objective.scales, range(len(values)))


def by_molecule(
    problem: FitProblem, objective: Objective, molecules: Sequence[ReferenceMolecule], values: FloatArray
) -> list[FloatArray]:
    """The Jacobians of the molecules by the parameters that each has."""
    found = []
    for idx in range(len(molecules)):
        engine = Engine(problem, objective, molecules, [idx])
        found.append(engine.jacobian(values, objective.scales, engine.exercised))
    return found
