"""How far a force field is from reference data: errors of its energies and forces, molecule by molecule.

With E and F of the force field and E° and F° of the reference, for the conformers i of a molecule,

    e_i = (E_i - E°_i) - mean_j (E_j - E°_j),        f_iak = F_iak - F°_iak,

so that the two zeros of energy do not matter. A molecule with one conformer says nothing of energies and counts in none
of their numbers. Errors are kept as sums, which add up over molecules: RMSE = √(Σe²/n) and MAE = Σ|e|/n. The
root mean square of the reference itself, its energies from their mean, is the error of a model that is 0 everywhere.

A molecule that the force field cannot compute is left out with the reason: it is no error and no success.
"""

from collections.abc import Sequence

import numpy as np
from numpy.typing import NDArray

from ffshare.assign import COMPLETE_SECTIONS, Assignment, Scheme
from ffshare.errors import MoleculeError, SchemeError
from ffshare.fit.reference import ReferenceMolecule, reference_charges
from ffshare.model import Model
from ffshare.molecules import GraphBatch, molecule_from_smiles
from ffshare.records import doc, record

REFERENCE_CHARGES = "reference"
"""Method for charges: those that come with the reference data."""


@record
class ErrorSums:
    """Errors added up, and what they are errors of."""

    count: int = doc("errors: conformers, or components of forces", default=0)
    absolute: float = doc("sum of their sizes", default=0.0)
    squares: float = doc("sum of their squares", default=0.0)
    reference_squares: float = doc("sum of the squares of the reference, of energies from their mean", default=0.0)

    def __add__(self, other: "ErrorSums") -> "ErrorSums":
        return ErrorSums(
            count=self.count + other.count,
            absolute=self.absolute + other.absolute,
            squares=self.squares + other.squares,
            reference_squares=self.reference_squares + other.reference_squares,
        )

    @property
    def rmse(self) -> float | None:
        """Root mean square error; None where there is none."""
        return float(np.sqrt(self.squares / self.count)) if self.count else None

    @property
    def mae(self) -> float | None:
        """Mean absolute error; None where there is none."""
        return self.absolute / self.count if self.count else None

    @property
    def reference_rms(self) -> float | None:
        """Root mean square of the reference; None where there is none."""
        return float(np.sqrt(self.reference_squares / self.count)) if self.count else None


@record
class MoleculeErrors:
    """What became of one molecule of the reference data."""

    smiles: str = doc("its mapped SMILES")
    n_conformers: int = doc("its conformers")
    energies: ErrorSums = doc("errors of energies [kcal/mol]; none where it has one conformer or was left out")
    forces: ErrorSums = doc("errors of the components of forces [kcal/mol/Å]; none without reference forces")
    skipped: str | None = doc("why it was left out; None: it was computed", default=None)


def evaluate(scheme: Scheme, molecules: Sequence[ReferenceMolecule], charges: str | None) -> tuple[MoleculeErrors, ...]:
    """The errors of a force field on some molecules.

    Law: they do not change when a constant is added to the energies of a molecule, when atoms are renumbered or
    conformers shuffled, or when the molecules are cut into other groups.

    Args:
        scheme: The force field.
        molecules: The reference; entries of the same mapped SMILES and charges are typed and charged once, and keep
            their zeros.
        charges: ``reference``: those that come with the molecules; or the name of a method of
            `ffshare.model.charges_by_name`; None: no electrostatics.

    Returns:
        Errors of each molecule, in order.

    Raises:
        MissingDependencyError: The method for charges needs a package that is not installed.
        SchemeError: There is no such method.
        InputError: ``reference`` is asked for, and a molecule comes without charges.

    Example:
        >>> import ffshare
        >>> water = ReferenceMolecule(
        ...     smiles="[O:1]([H:2])[H:3]",
        ...     coords=[[[0, 0, 0], [0.96, 0, 0], [-0.24, 0.93, 0]], [[0, 0, 0], [1.00, 0, 0], [-0.24, 0.93, 0]]],
        ...     energies=[0.0, 1.0],
        ... )
        >>> (found,) = evaluate(ffshare.load_scheme("openff-2.2.1"), [water], "library")
        >>> found.energies.count, round(found.energies.reference_rms, 3), found.forces.rmse
        (2, 0.5, None)
    """
    if charges == REFERENCE_CHARGES:
        reference_charges(molecules)  # raises for all molecules that have none, at once
    places: dict[tuple[str, bytes], list[int]] = {}
    for place, molecule in enumerate(molecules):
        own = molecule.charges.tobytes() if charges == REFERENCE_CHARGES and molecule.charges is not None else b""
        places.setdefault((molecule.smiles, own), []).append(place)
    found: dict[int, MoleculeErrors] = {}
    _evaluate(scheme, list(places.values()), molecules, charges, found)
    return tuple(found[place] for place in range(len(molecules)))


def _evaluate(
    scheme: Scheme,
    groups: Sequence[list[int]],
    molecules: Sequence[ReferenceMolecule],
    charges: str | None,
    found: dict[int, MoleculeErrors],
) -> None:
    """Add the errors of groups of one molecule each; where they fail together, of those that can be computed alone."""
    if not groups:
        return
    firsts = [molecules[of[0]] for of in groups]
    batch = GraphBatch.from_molecules([molecule_from_smiles(molecule.smiles) for molecule in firsts])
    assignment = scheme.assign(batch)
    uncovered = uncovered_molecules(assignment)
    if uncovered:
        for idx, reason in uncovered.items():
            found |= {place: _skipped(molecules[place], reason) for place in groups[idx]}
        left = [group for idx, group in enumerate(groups) if idx not in uncovered]
        _evaluate(scheme, left, molecules, charges, found)
        return
    try:
        model = Model.of(assignment, reference_charges(firsts) if charges == REFERENCE_CHARGES else charges)
    except (SchemeError, MoleculeError) as error:
        if len(groups) == 1:
            found |= {place: _skipped(molecules[place], str(error)) for place in groups[0]}
            return
        half = len(groups) // 2
        for part in (groups[:half], groups[half:]):
            _evaluate(scheme, part, molecules, charges, found)
        return
    frames = model.frames([np.concatenate([molecules[place].coords for place in of]) for of in groups])
    evaluation = model.evaluate(frames)
    energies, forces = evaluation.energies.total, frames.by_molecule(evaluation.forces)
    for idx, of in enumerate(groups):
        first, start = int(frames.frame_offsets[idx]), 0
        for place in of:
            stop = start + molecules[place].n_conformers
            of_place = slice(first + start, first + stop)
            found[place] = molecule_errors(molecules[place], energies[of_place], forces[idx][start:stop])
            start = stop


def uncovered_molecules(assignment: Assignment) -> dict[int, str]:
    """Molecules with a bonded term or an atom that no rule gives a parameter.

    Args:
        assignment: Molecules and their rules.

    Returns:
        Molecule of the batch → sections that lack rules, in words; in ascending order.

    Example:
        >>> import ffshare
        >>> uncovered_molecules(ffshare.load_scheme("openff-2.2.1").assign(ffshare.from_smiles("CC", "C[SiH3]")))
        {1: 'no rule for terms of Bonds, Angles, ProperTorsions, vdW'}
    """
    lacking: dict[int, list[str]] = {}
    for section in COMPLETE_SECTIONS:
        if section in assignment.sites:
            sites = assignment.sites[section]
            for molecule in np.unique(sites.molecule_idxs[sites.rule_idxs < 0]).tolist():
                lacking.setdefault(molecule, []).append(section)
    return {idx: f"no rule for terms of {', '.join(sections)}" for idx, sections in sorted(lacking.items())}


def _skipped(molecule: ReferenceMolecule, reason: str) -> MoleculeErrors:
    return MoleculeErrors(
        smiles=molecule.smiles,
        n_conformers=molecule.n_conformers,
        energies=ErrorSums(),
        forces=ErrorSums(),
        skipped=reason,
    )


def molecule_errors(
    molecule: ReferenceMolecule, energies: NDArray[np.float64], forces: NDArray[np.float64]
) -> MoleculeErrors:
    """The errors of what was computed for a molecule.

    Args:
        molecule: Its reference.
        energies: Computed energies of its conformers [kcal/mol], shape=(n_conformers,).
        forces: Computed forces [kcal/mol/Å], shape=(n_conformers, n_atoms, 3).

    Returns:
        The errors.
    """
    of_energies, of_forces = ErrorSums(), ErrorSums()
    if molecule.n_conformers > 1:
        reference = molecule.energies - molecule.energies.mean()
        of_energies = _sums(energies - energies.mean() - reference, reference)
    if molecule.forces is not None:
        of_forces = _sums(forces - molecule.forces, molecule.forces)
    return MoleculeErrors(
        smiles=molecule.smiles, n_conformers=molecule.n_conformers, energies=of_energies, forces=of_forces
    )


def _sums(errors: NDArray[np.float64], reference: NDArray[np.float64]) -> ErrorSums:
    return ErrorSums(
        count=errors.size,
        absolute=float(np.abs(errors).sum()),
        squares=float(np.square(errors).sum()),
        reference_squares=float(np.square(reference).sum()),
    )
