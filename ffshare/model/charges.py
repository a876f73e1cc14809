"""Charges of the atoms of a batch by the name of a method.

============= ======================================================================================
library       the LibraryCharges of the force field, which must cover every molecule
nagl          the neural network of OpenFF that imitates AM1-BCC (needs the extra ``nagl``)
openff        library charges for the molecules that they cover, NAGL for the others, as OpenFF does
gasteiger     RDKit's Gasteiger charges: quick, rough, for tests
============= ======================================================================================

Charges that come with reference data are an array: `ffshare.fit.reference.reference_charges`.
"""

from collections.abc import Callable, Mapping

import numpy as np
from rdkit.Chem import rdPartialCharges

from ffshare.assign import Assignment
from ffshare.errors import MoleculeError, SchemeError
from ffshare.model.coordinates import FloatArray
from ffshare.model.nagl import nagl_charges
from ffshare.molecules import GraphBatch
from ffshare.molecules.ragged import IntArray

# As in OpenFF's programs: charges may miss the formal charge of a molecule by this much [e].
MOST_EXCESS = 0.01


def charges_by_name(assignment: Assignment, method: str) -> FloatArray:
    """Charges of the atoms of a batch.

    Args:
        assignment: The molecules and, for library charges, their sites.
        method: ``library``, ``nagl``, ``openff`` or ``gasteiger``.

    Returns:
        Charges [e], shape=(n_atoms,).

    Raises:
        SchemeError: There is no such method.
        MoleculeError: The method gives no charges for a molecule, or they do not add up to its formal charge.
        MissingDependencyError: The method needs a package that is not installed.

    Example:
        >>> import ffshare
        >>> water = ffshare.load_scheme("openff-2.2.1").assign(ffshare.from_smiles("O"))
        >>> charges_by_name(water, "library").tolist()
        [-0.834, 0.417, 0.417]
    """
    if method not in METHODS:
        raise SchemeError(f"there is no method {method!r} for charges; methods are {', '.join(METHODS)}")
    charges = METHODS[method](assignment)
    batch = assignment.batch
    sums, formal = (
        np.bincount(batch.atom_molecules, weights=values, minlength=batch.n_molecules)
        for values in (charges, batch.charges)
    )
    bad = np.flatnonzero(~(np.abs(sums - formal) <= MOST_EXCESS))
    if len(bad):
        which = _shown(batch, bad)
        reason = f"{method} charges of {which} add up to {sums[bad[0]]:.4f} e, not to {formal[bad[0]]:.0f} e"
        raise MoleculeError(reason, "choose another method, or give the charges as an array")
    return charges


def library_charges(assignment: Assignment) -> FloatArray:
    """The charges that the section LibraryCharges gives, NaN for atoms that it does not reach.

    Args:
        assignment: An assignment; without the section nothing is reached.

    Returns:
        Charges [e], shape=(n_atoms,). Where several rules reach an atom the last one counts.
    """
    charges = np.full(assignment.batch.n_atoms, np.nan)
    if "LibraryCharges" in assignment.sites:
        sites, column = assignment.sites["LibraryCharges"], assignment.tables["LibraryCharges"].columns["charge"]
        by_rule = np.full((len(assignment.tables["LibraryCharges"]), int(column.terms.max(initial=0)) + 1), np.nan)
        by_rule[column.rule_idxs, column.terms] = column.values
        values = by_rule[sites.rule_idxs, : sites.atom_idxs.shape[1]]
        # Sites in the order of their rules, so that later ones stay.
        order = np.argsort(sites.rule_idxs, kind="stable")
        atoms, values = sites.atom_idxs[order], values[order]
        charges[atoms[atoms >= 0]] = values[atoms[:, : values.shape[1]] >= 0]
    return charges


def _library(assignment: Assignment) -> FloatArray:
    charges = library_charges(assignment)
    bad = _uncovered(assignment.batch, charges)
    if len(bad):
        reason = f"the library charges of {assignment.scheme} do not cover {_shown(assignment.batch, bad)}"
        raise MoleculeError(reason, "take the method 'openff', or give the charges as an array")
    return charges


def _nagl(assignment: Assignment) -> FloatArray:
    return nagl_charges(assignment.batch, np.arange(assignment.batch.n_molecules))


def _openff(assignment: Assignment) -> FloatArray:
    charges, batch = library_charges(assignment), assignment.batch
    left = _uncovered(batch, charges)
    atoms = np.isin(batch.atom_molecules, left)
    charges[atoms] = nagl_charges(batch, left)[atoms] if len(left) else 0.0
    return charges


def _gasteiger(assignment: Assignment) -> FloatArray:
    batch = assignment.batch
    found = []
    for idx in range(batch.n_molecules):
        molecule = batch.explicit_molecule(idx)
        rdPartialCharges.ComputeGasteigerCharges(molecule)
        found += [atom.GetDoubleProp("_GasteigerCharge") for atom in molecule.GetAtoms()]
    charges = np.array(found, dtype=np.float64)
    bad = _uncovered(batch, charges)
    if len(bad):
        reason = f"RDKit has no Gasteiger parameters for an atom of {_shown(batch, bad)}"
        raise MoleculeError(reason, "choose another method, or give the charges as an array")
    return charges


METHODS: Mapping[str, Callable[[Assignment], FloatArray]] = {
    "library": _library,
    "nagl": _nagl,
    "openff": _openff,
    "gasteiger": _gasteiger,
}


def _uncovered(batch: GraphBatch, charges: FloatArray) -> IntArray:
    """Molecules with an atom that has no charge."""
    return np.unique(batch.atom_molecules[~np.isfinite(charges)])


def _shown(batch: GraphBatch, molecules: IntArray) -> str:
    first = int(molecules[0])
    return f"molecule {first} {batch.names[first]}".rstrip()
