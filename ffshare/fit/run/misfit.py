"""How far a force field is from the reference data before a fit and after it, molecule by molecule.

Errors are as `ffshare.fit.evaluate` has them, of the conformers that take part in the fit: those left out as clashes
(`ffshare.fit.weights`) count here neither. A sample of the numbers themselves is kept for plots.
"""

from collections.abc import Mapping, Sequence
from contextlib import closing
from dataclasses import replace
from functools import reduce
from operator import add

import numpy as np

from ffshare.fit.evaluate import ErrorSums, molecule_errors
from ffshare.fit.parts import part_of
from ffshare.fit.problem import FitProblem
from ffshare.fit.reference import ReferenceMolecule
from ffshare.model import Frames, Model
from ffshare.model.coordinates import FloatArray
from ffshare.molecules.ragged import IntArray
from ffshare.parallel import HERE, Engine, one_thread
from ffshare.records import doc, freeze_arrays, record
from ffshare.rules.table import RuleTable

_MOLECULES_AT_ONCE = 32
# Numbers that a plot can show.
_MOST_SHOWN = 50_000


@record
class Parity:
    """Numbers of the reference beside those of the force field."""

    reference: FloatArray = doc("of the reference, shape=(n,)")
    before: FloatArray = doc("of the force field before the fit, shape=(n,)")
    after: FloatArray = doc("of the fitted force field, shape=(n,)")

    def __post_init__(self) -> None:
        freeze_arrays(self, reference=np.float64, before=np.float64, after=np.float64)


@record
class MoleculeMisfit:
    """Errors of one molecule."""

    molecule_idx: int = doc("molecule of the reference data")
    n_used: int = doc("its conformers that take part")
    energies: tuple[ErrorSums, ErrorSums] = doc("errors of energies before and after [kcal/mol]")
    forces: tuple[ErrorSums, ErrorSums] = doc("errors of components of forces before and after [kcal/mol/Å]")


@record
class Misfit:
    """Errors before a fit and after it."""

    molecules: tuple[MoleculeMisfit, ...] = doc("errors of each molecule that takes part")
    energy_parity: Parity = doc("energies from the mean of their molecule [kcal/mol]")
    force_parity: Parity = doc("components of forces [kcal/mol/Å], a sample of them where they are many")

    @property
    def energies(self) -> tuple[ErrorSums, ErrorSums]:
        """Errors of all energies before and after."""
        return _summed([each.energies for each in self.molecules])

    @property
    def forces(self) -> tuple[ErrorSums, ErrorSums]:
        """Errors of all components of forces before and after."""
        return _summed([each.forces for each in self.molecules])

    @property
    def n_conformers(self) -> int:
        """Conformers that take part."""
        return sum(each.n_used for each in self.molecules)


def misfit(
    problem: FitProblem,
    tables: Mapping[str, RuleTable],
    molecules: Sequence[ReferenceMolecule],
    engine: Engine = HERE,
) -> Misfit:
    """The errors of a fit.

    Args:
        problem: What was fitted, its tables those before.
        tables: The tables after.
        molecules: Reference data of the molecules of its batch.
        engine: Where the work is done.

    Returns:
        The errors of the molecules that take part.
    """
    used = np.setdiff1d(np.arange(len(molecules)), problem.skipped)
    n_components = sum(3 * molecules[idx].n_conformers * molecules[idx].n_atoms for idx in used.tolist())
    work = _Comparer(problem=problem, tables=tables, share=_MOST_SHOWN / max(n_components, 1))
    chunks = (used[first : first + _MOLECULES_AT_ONCE] for first in range(0, len(used), _MOLECULES_AT_ONCE))
    parts = ((idxs, tuple(molecules[idx] for idx in idxs.tolist())) for idxs in chunks)
    with closing(engine.map(work, parts)) as results:
        found = [each for result in results for each in result]
    return Misfit(
        molecules=tuple(each.errors for each in found),
        energy_parity=_parity([each.energies for each in found]),
        force_parity=_parity([each.forces for each in found]),
    )


@record
class _Compared:
    """A molecule before and after a fit."""

    errors: MoleculeMisfit = doc("its errors")
    energies: FloatArray = doc("of the reference, before and after, from their means [kcal/mol], shape=(3, n)")
    forces: FloatArray = doc("components likewise, those that are shown [kcal/mol/Å], shape=(3, n)")


@record
class _Comparer:
    """Computes the errors of some molecules before and after a fit. Picklable."""

    problem: FitProblem = doc("what was fitted, its tables those before")
    tables: Mapping[str, RuleTable] = doc("the tables after")
    share: float = doc("which part of the components of forces is shown")

    def __call__(self, part: tuple[IntArray, tuple[ReferenceMolecule, ...]]) -> list[_Compared]:
        """The errors of molecules of the batch, with their reference data."""
        idxs, molecules = part
        with one_thread():
            computed = _of_chunk(self.problem, self.tables, idxs, molecules)
        return [
            self._compared(idx, before, after) for idx, (before, after) in zip(idxs.tolist(), computed, strict=True)
        ]

    def _compared(self, idx: int, before: "_Computed", after: "_Computed") -> _Compared:
        molecule = before.reference
        found = [molecule_errors(molecule, each.energies, each.forces) for each in (before, after)]
        energies, forces = np.zeros((3, 0)), np.zeros((3, 0))
        if molecule.n_conformers > 1:
            shown = np.array([molecule.energies, before.energies, after.energies])
            energies = shown - shown.mean(axis=1, keepdims=True)
        if molecule.forces is not None:
            forces = np.array([each.ravel() for each in (molecule.forces, before.forces, after.forces)])
            if self.share < 1.0:
                # Seeded by the molecule, so that the choice does not depend on who makes it.
                forces = forces[:, np.random.default_rng([0, idx]).random(forces.shape[1]) < self.share]
        errors = MoleculeMisfit(
            molecule_idx=idx,
            n_used=molecule.n_conformers,
            energies=(found[0].energies, found[1].energies),
            forces=(found[0].forces, found[1].forces),
        )
        return _Compared(errors=errors, energies=energies, forces=forces)


@record
class _Computed:
    """What a force field gives for the conformers of a molecule that count."""

    reference: ReferenceMolecule = doc("these conformers")
    energies: FloatArray = doc("energies [kcal/mol], shape=(n_conformers,)")
    forces: FloatArray = doc("forces [kcal/mol/Å], shape=(n_conformers, n_atoms, 3)")


def _of_chunk(
    problem: FitProblem, tables: Mapping[str, RuleTable], idxs: IntArray, molecules: Sequence[ReferenceMolecule]
) -> list[tuple[_Computed, _Computed]]:
    """What the force fields before and after give for some molecules."""
    start = part_of(problem.assignment, idxs)
    frames = Frames.from_conformers(start.batch, [molecule.coords for molecule in molecules])
    behind = problem.background.evaluate(idxs, frames, problem.sections)
    # None for the electrostatics, which are behind what is fitted.
    fitted = [
        Model.of(part, None).only(problem.sections).evaluate(frames) for part in (start, replace(start, tables=tables))
    ]
    forces = [frames.by_molecule(behind.forces + each.forces) for each in fitted]
    found = []
    for number, molecule in enumerate(molecules):
        below = behind.energies.of_molecule(number)
        counted = problem.weights.of(molecule, below).counted
        reference = molecule.part(counted)
        before, after = (
            _Computed(
                reference=reference,
                energies=(below + each.energies.of_molecule(number))[counted],
                forces=of[number][counted],
            )
            for each, of in zip(fitted, forces, strict=True)
        )
        found.append((before, after))
    return found


def _parity(parts: Sequence[FloatArray]) -> Parity:
    numbers = np.concatenate([np.zeros((3, 0)), *parts], axis=1)
    return Parity(reference=numbers[0], before=numbers[1], after=numbers[2])


def _summed(pairs: Sequence[tuple[ErrorSums, ErrorSums]]) -> tuple[ErrorSums, ErrorSums]:
    before, after = (reduce(add, (pair[place] for pair in pairs), ErrorSums()) for place in (0, 1))
    return before, after
