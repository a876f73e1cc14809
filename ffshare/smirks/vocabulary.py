"""What the atom primitives of SMARTS ask about, and where a batch holds the answer.

RDKit describes a parsed atom query as a tree of named tests. Each name below is answered by some fields of an atom;
two atoms with equal fields cannot be told apart by the test. A query with a name that is not listed here is left to
RDKit's matcher.
"""

import re
from collections.abc import Callable, Mapping
from functools import cache

import numpy as np
from numpy.typing import NDArray

from ffshare.molecules import GraphBatch
from ffshare.molecules.ragged import IntArray

# Tests of bond queries, all decided by order and ring membership.
_BOND_TESTS = frozenset(
    [
        "BondNull",
        "BondAnd",
        "BondOr",
        "BondXor",
        "BondOrder",
        "BondInRing",
        "SingleOrAromaticBond",
        "DoubleOrAromaticBond",
        "SingleOrDoubleBond",
        "SingleOrDoubleOrAromaticBond",
        "TripleOrAromaticBond",
    ]
)

_NAME = re.compile(r"^\s*(?:range_|less_|greater_)?(\w+)")

# Test names of RDKit's `Atom.DescribeQuery` → fields of FIELDS that decide them.
_FIELDS_OF_TEST: Mapping[str, tuple[str, ...]] = {
    "AtomNull": (),
    "AtomAnd": (),
    "AtomOr": (),
    "AtomXor": (),
    "RecursiveStructure": (),
    "AtomAtomicNum": ("element",),
    "AtomType": ("element", "aromatic"),
    "AtomIsAromatic": ("aromatic",),
    "AtomIsAliphatic": ("aromatic",),
    "AtomFormalCharge": ("charge",),
    "AtomNegativeFormalCharge": ("charge",),
    "AtomExplicitDegree": ("degree",),
    "AtomTotalDegree": ("degree",),
    "AtomNonHydrogenDegree": ("n_non_hydrogens",),
    "AtomHCount": ("n_hydrogens",),
    "AtomImplicitHCount": (),  # all hydrogens are atoms
    "AtomHasImplicitH": (),
    "AtomTotalValence": ("valence",),
    "AtomInNRings": ("n_rings",),
    "AtomInRing": ("n_ring_bonds",),
    "AtomMinRingSize": ("min_ring_size",),
    "AtomRingBondCount": ("n_ring_bonds",),
    "AtomHasRingBond": ("n_ring_bonds",),
    "AtomIsotope": ("isotope",),
    "AtomHybridization": ("hybridization",),
    "AtomNumHeteroatomNeighbors": ("n_heteroatoms",),
    "AtomHasHeteroatomNeighbors": ("n_heteroatoms",),
    "AtomNumAliphaticHeteroatomNeighbors": ("n_aliphatic_heteroatoms",),
    "AtomHasAliphaticHeteroatomNeighbors": ("n_aliphatic_heteroatoms",),
}


def _from_rdkit(method: str) -> Callable[[GraphBatch], IntArray]:
    """A field that the batch does not hold: asked of RDKit's atoms, slowly, only where a pattern needs it."""

    def values(batch: GraphBatch) -> IntArray:
        found = [
            int(getattr(atom, method)())
            for idx in range(batch.n_molecules)
            for atom in batch.explicit_molecule(idx).GetAtoms()
        ]
        return np.array(found, dtype=np.int64)

    return values


def _heteroatom_neighbors(batch: GraphBatch, counted: NDArray[np.bool_]) -> IntArray:
    is_hetero = counted & (batch.elements != 6) & (batch.elements != 1)
    return np.bincount(batch.sources[is_hetero[batch.targets]], minlength=batch.n_atoms)


def _non_hydrogens(batch: GraphBatch) -> IntArray:
    """Neighbours that are no hydrogens, as RDKit counts them: deuterium and tritium are none."""
    plain_hydrogen = (batch.elements == 1) & (FIELDS["isotope"](batch) < 2)
    return np.bincount(batch.sources[~plain_hydrogen[batch.targets]], minlength=batch.n_atoms)


# Field → its values for all atoms of a batch.
FIELDS: Mapping[str, Callable[[GraphBatch], IntArray]] = {
    "element": lambda batch: batch.elements,
    "charge": lambda batch: batch.charges + 128,  # fields are not negative
    "aromatic": lambda batch: batch.aromatic.astype(np.int64),
    "degree": lambda batch: batch.degrees,
    "n_hydrogens": lambda batch: batch.n_hydrogens,
    "n_rings": lambda batch: batch.n_rings,
    "min_ring_size": lambda batch: batch.min_ring_sizes,
    "n_ring_bonds": lambda batch: batch.n_ring_bonds,
    "n_non_hydrogens": _non_hydrogens,
    "n_heteroatoms": lambda batch: _heteroatom_neighbors(batch, np.ones(batch.n_atoms, dtype=bool)),
    "n_aliphatic_heteroatoms": lambda batch: _heteroatom_neighbors(batch, ~batch.aromatic),
    "valence": _from_rdkit("GetTotalValence"),
    "isotope": _from_rdkit("GetIsotope"),
    "hybridization": _from_rdkit("GetHybridization"),
}


# Bits that a value of a field takes in a packed key.
WIDTHS: Mapping[str, int] = {
    "element": 7,
    "degree": 7,
    "aromatic": 1,
    "min_ring_size": 15,
    "n_rings": 15,
    "isotope": 15,
}
DEFAULT_WIDTH = 8


@cache
def is_decidable_bond(description: str) -> bool:
    """Whether order and ring membership decide a bond query.

    Args:
        description: RDKit's `Bond.DescribeQuery()`.

    Returns:
        True if every test in it is known.

    Example:
        >>> from rdkit import Chem
        >>> is_decidable_bond(Chem.MolFromSmarts("C-;@C").GetBondWithIdx(0).DescribeQuery())
        True
    """
    names = (_NAME.match(line) for line in description.splitlines())
    return all(found[1] in _BOND_TESTS for found in names if found is not None)


def fields_of_query(description: str) -> frozenset[str] | None:
    """Fields that decide an atom query.

    Args:
        description: RDKit's `Atom.DescribeQuery()`.

    Returns:
        Names of `FIELDS`, or None where the query holds a test that no field decides.

    Example:
        >>> from rdkit import Chem
        >>> sorted(fields_of_query(Chem.MolFromSmarts("[#6X4;r5]").GetAtomWithIdx(0).DescribeQuery()))
        ['degree', 'element', 'min_ring_size']
    """
    fields: set[str] = set()
    for line in description.splitlines():
        found = _NAME.match(line)
        if found is None:
            continue
        decided_by = _FIELDS_OF_TEST.get(found[1])
        if decided_by is None:
            return None
        fields.update(decided_by)
    return frozenset(fields)
