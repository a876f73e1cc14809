"""Atoms of real molecules, what RDKit says of them, and random queries that are grown from them."""

from functools import cache

import numpy as np
from rdkit import Chem, rdBase

from ffshare.errors import PatternError
from ffshare.molecules import GraphBatch, molecule_from_smiles
from ffshare.smirks import parse_pattern
from ffshare.smirks.smarts_text import without_recursive_parts
from tests.smirks.diverse import DIVERSE
from tests.smirks.grow import grown

NAMES = tuple(name for name in DIVERSE if name != "ferrocene as ions")
BATCH = GraphBatch.from_molecules([molecule_from_smiles(DIVERSE[name]) for name in NAMES])
MOLECULES = tuple(BATCH.explicit_molecule(idx) for idx in range(BATCH.n_molecules))
ATOMS = tuple(atom for molecule in MOLECULES for atom in molecule.GetAtoms())

_COMPARISONS = {"=": np.equal, "<=": np.less_equal, ">=": np.greater_equal}
_FROM_RDKIT = {
    "element": lambda atom: atom.GetAtomicNum(),
    "aromatic": lambda atom: atom.GetIsAromatic(),
    "charge": lambda atom: atom.GetFormalCharge(),
    "degree": lambda atom: atom.GetDegree(),
    "n_heavy": lambda atom: _count(atom, lambda other: other.GetAtomicNum() != 1 or other.GetIsotope() > 1),
    "n_hydrogens": lambda atom: _count(atom, lambda other: other.GetAtomicNum() == 1),
    "n_implicit_hydrogens": lambda atom: 0,
    "valence": lambda atom: atom.GetTotalValence(),
    "min_ring_size": lambda atom: atom.GetOwningMol().GetRingInfo().MinAtomRingSize(atom.GetIdx()),
    "n_rings": lambda atom: atom.GetOwningMol().GetRingInfo().NumAtomRings(atom.GetIdx()),
    "n_ring_bonds": lambda atom: sum(bond.IsInRing() for bond in atom.GetBonds()),
    "isotope": lambda atom: atom.GetIsotope(),
    "hybridization": lambda atom: int(atom.GetHybridization()),
    "n_heteroatoms": lambda atom: _count(atom, _is_hetero),
    "n_aliphatic_heteroatoms": lambda atom: _count(atom, lambda other: _is_hetero(other) and not other.GetIsAromatic()),
}


def _count(atom, fits):
    return sum(map(fits, atom.GetNeighbors()))


def _is_hetero(atom):
    return atom.GetAtomicNum() not in (1, 6)


def values(field):
    """Value of a field for each of `ATOMS`, asked of RDKit."""
    return _values(field)


@cache
def _values(field):
    if field.startswith("$("):
        return matching(f"[{field}]")
    if field.startswith("ring of "):
        return matching(f"[k{field.removeprefix('ring of ')}]")
    return np.array([int(_FROM_RDKIT[field](atom)) for atom in ATOMS])


def truth(test):
    """Whether a test holds, for each of `ATOMS`."""
    return _COMPARISONS[test.relation](values(test.field), test.value)


def matching(atom):
    """Whether RDKit matches an atom query, for each of `ATOMS`."""
    query = Chem.MolFromSmarts(atom)
    found = []
    for molecule in MOLECULES:
        hits = {hit[0] for hit in molecule.GetSubstructMatches(query, maxMatches=2**31 - 1, useChirality=True)}
        found += [idx in hits for idx in range(molecule.GetNumAtoms())]
    return np.array(found)


def grown_pattern(rng):
    """A random pattern without tags."""
    while True:
        with rdBase.BlockLogs():
            smarts = grown(rng, rng.choice(MOLECULES))
        try:
            pattern = parse_pattern(smarts)
        except (PatternError, ValueError):  # RDKit cannot write every query that it can parse
            continue
        return pattern


def grown_atom(rng):
    """A random atom query as text, without chirality, which one atom does not have."""
    while True:
        text = rng.choice(grown_pattern(rng).texts)
        if "@" not in without_recursive_parts(text):
            return text
