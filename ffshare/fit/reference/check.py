"""From what a file gives to a molecule that a fit can use, and the failures on the way.

A conformer that cannot be used is left out, and the others of its molecule stay. A mistake that concerns the whole
record (its SMILES, its units, the sign of its forces) leaves the record out. Nothing here raises.
"""

from collections.abc import Callable, Iterator
from dataclasses import replace

import numpy as np
from numpy.typing import NDArray

from ffshare.errors import MoleculeError
from ffshare.fit.reference.charges import charge_mistake
from ffshare.fit.reference.data import ReferenceMolecule
from ffshare.fit.reference.energy_checks import (
    FARTHEST_ENERGY,
    LARGEST_FORCE,
    energy_mistake,
    force_mistake,
    odd_energies,
)
from ffshare.fit.reference.geometry_checks import Unusable, broken_geometries, length_mistake, repeated
from ffshare.fit.reference.identity import identify
from ffshare.fit.reference.raw import MOST_ATOMS, RawRecord, as_numbers
from ffshare.molecules import Failure, GraphBatch
from ffshare.molecules.entries import plain_text
from ffshare.records import doc, record

_UNIT_ADVICE = "convert the file to Å, kcal/mol and kcal/mol/Å, or say its units where the reader takes them"
_SIGN_ADVICE = "change the sign of the forces in the file: a force is minus the gradient of the energy"
_CHARGE_ADVICE = "correct the charges, or leave them out and choose a method that gives them"
_MOST_NAMED = 8


@record
class Checked:
    """What has become of a record."""

    molecule: ReferenceMolecule | None = doc("the molecule with its usable conformers; None where there are none")
    failures: tuple[Failure, ...] = doc("what could not be used, and why")
    absolute: bool = doc(
        "whether its energies may be compared with those of other records of the molecule", default=False
    )


def check(raw: RawRecord) -> Checked:
    """The molecule of a record, without what cannot be used of it.

    Args:
        raw: What a reader gives.

    Returns:
        The molecule and the failures.
    """
    try:
        return _checked(raw)
    except MoleculeError as error:
        return Checked(molecule=None, failures=(raw.failure(error.reason, error.advice),))


def _checked(raw: RawRecord) -> Checked:
    if not raw.smiles:
        raise MoleculeError("no SMILES", "write a mapped SMILES into the record, or say it with smiles")
    given = _given(raw)
    finite = np.isfinite(given.coords).all(axis=(1, 2))
    example = given.coords[finite][0] if finite.any() else np.zeros((given.n_atoms, 3))
    found = identify(raw.smiles, raw.elements, example)
    if found.graph.n_atoms != given.n_atoms:
        raise MoleculeError(
            f"the SMILES has {found.graph.n_atoms} atoms, the coordinates are those of {given.n_atoms}",
            "give coordinates of all atoms, hydrogens included, in the order of the map numbers",
        )
    mistake = charge_mistake(found.graph, given.charges)
    if mistake is not None:
        raise MoleculeError(mistake, _CHARGE_ADVICE)
    failures: list[Failure] = []
    usable = np.arange(given.n_conformers)
    for stage in _STAGES:
        molecule = given.part(usable)
        out = np.zeros(len(usable), dtype=bool)
        for unusable in stage(found.graph, molecule) if len(usable) else ():
            if unusable.conformers.any():
                count = _count(usable[unusable.conformers], given.n_conformers)
                failures.append(raw.failure(count + unusable.reason, unusable.advice))
                out |= unusable.conformers
        usable = usable[~out]
    if not len(usable):
        return Checked(molecule=None, failures=tuple(failures))
    molecule = replace(given.part(usable), smiles=found.smiles)
    _check_forces(found.graph, molecule)
    return Checked(molecule=molecule, failures=tuple(failures), absolute=raw.absolute)


def _count(left_out: NDArray[np.int64], n_conformers: int) -> str:
    """How many conformers are left out, and which."""
    if n_conformers == 1:
        return ""
    numbers = [str(number + 1) for number in left_out[:_MOST_NAMED].tolist()]
    named = ", ".join([*numbers, "…"] if len(left_out) > _MOST_NAMED else numbers)
    return f"{len(left_out)} of {n_conformers} conformers left out ({named}): "


def _given(raw: RawRecord) -> ReferenceMolecule:
    """Coordinates, energies and forces in their shapes."""
    energies, coords = as_numbers(raw.energies, "energies"), as_numbers(raw.coords, "coordinates")
    if not len(energies):
        raise MoleculeError("no conformers", "remove the record")
    n_atoms = len(coords) // (3 * len(energies))
    if not n_atoms or 3 * len(energies) * n_atoms != len(coords):
        raise MoleculeError(
            f"{len(coords)} coordinates are not three for each atom of {len(energies)} conformers",
            "give one energy a conformer, and x, y, z of every atom",
        )
    if n_atoms > MOST_ATOMS:
        raise MoleculeError(f"{n_atoms:,} atoms; at most {MOST_ATOMS:,} are taken", "cut it into smaller molecules")
    if raw.elements is not None and len(raw.elements) != n_atoms:
        raise MoleculeError(f"{len(raw.elements)} elements for {n_atoms} atoms", "give one element an atom")
    if raw.elements is not None and not np.isin(raw.elements, np.arange(1, 119)).all():
        raise MoleculeError("an atomic number is not one of 1 to 118", "correct or remove the record")
    forces = None if raw.forces is None else as_numbers(raw.forces, "forces")
    if forces is not None and len(forces) != len(coords):
        raise MoleculeError(
            f"{len(forces)} components of forces for {len(coords)} coordinates", "give forces for every atom, or none"
        )
    charges = None if raw.charges is None else as_numbers(raw.charges, "charges")
    if charges is not None and len(charges) != n_atoms:
        raise MoleculeError(f"{len(charges)} charges for {n_atoms} atoms", "give one partial charge an atom, or none")
    # Files that must hold a number where none is known hold NaN.
    known = forces is not None and not np.isnan(forces).all()
    shape = (len(energies), n_atoms, 3)
    return ReferenceMolecule(
        smiles=raw.smiles,
        coords=coords.reshape(shape),
        energies=energies,
        forces=forces.reshape(shape) if forces is not None and known else None,
        level=plain_text(raw.level),
        charges=charges,
    )


def _not_finite(graph: GraphBatch, molecule: ReferenceMolecule) -> Iterator[Unusable]:
    bad = ~(np.isfinite(molecule.coords).all(axis=(1, 2)) & np.isfinite(molecule.energies))
    if molecule.forces is not None:
        bad |= ~np.isfinite(molecule.forces).all(axis=(1, 2))
    yield Unusable(
        conformers=bad,
        reason="a coordinate, energy or force is no finite number",
        advice="repeat the calculation or leave it out; energies without forces need a record of their own",
    )


def _geometry(graph: GraphBatch, molecule: ReferenceMolecule) -> Iterator[Unusable]:
    mistake = length_mistake(graph, molecule.coords)
    if mistake is not None:
        raise MoleculeError(mistake, _UNIT_ADVICE)
    yield from broken_geometries(graph, molecule.coords)


def _range(graph: GraphBatch, molecule: ReferenceMolecule) -> Iterator[Unusable]:
    advice = "repeat the calculation or leave it out; check the unit"
    far = f"the energy is more than {FARTHEST_ENERGY:.0f} kcal/mol from the median of its molecule"
    yield Unusable(conformers=odd_energies(molecule.energies), reason=far, advice=advice)
    if molecule.forces is not None:
        large = np.abs(molecule.forces).max(axis=(1, 2)) > LARGEST_FORCE
        yield Unusable(conformers=large, reason=f"a force above {LARGEST_FORCE:.0f} kcal/mol/Å", advice=advice)


def _repeats(graph: GraphBatch, molecule: ReferenceMolecule) -> Iterator[Unusable]:
    yield Unusable(
        conformers=repeated(molecule.coords),
        reason="the geometry is that of an earlier conformer",
        advice="nothing need be done: the earlier one is kept",
    )


# Each sees the conformers that the ones before have left.
_STAGES: tuple[Callable[[GraphBatch, ReferenceMolecule], Iterator[Unusable]], ...] = (
    _not_finite,
    _geometry,
    _range,
    _repeats,
)


def _check_forces(graph: GraphBatch, molecule: ReferenceMolecule) -> None:
    if molecule.forces is None:
        return
    mistake = force_mistake(graph, molecule.coords, molecule.forces) or energy_mistake(
        molecule.coords, molecule.energies, molecule.forces
    )
    if mistake is not None:
        raise MoleculeError(mistake, _SIGN_ADVICE if "sign" in mistake else _UNIT_ADVICE)
