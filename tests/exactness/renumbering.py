"""What changes when the atoms of a molecule are renumbered: parameters of terms, and energies at a fixed geometry."""

import random
from collections.abc import Iterable, Mapping

import numpy as np
from rdkit import Chem
from rdkit.Chem import rdDepictor, rdDistGeom

from ffshare.assign import Assignment, Scheme
from ffshare.molecules import GraphBatch
from ffshare.records import doc, record
from tests.assign.atom_types.energy import energies

# Molecules in which no rule can choose the signs of pair types: the bond between opposite signs joins equivalent atoms.
SYMMETRIC = {
    "hexatriene": "C=C/C=C/C=C",
    "o-terphenyl": "c1ccc(cc1)-c1ccccc1-c1ccccc1",
    "E-stilbene": "c1ccc(cc1)/C=C/c1ccccc1",
    "Z-stilbene": "c1ccc(cc1)/C=C\\c1ccccc1",
}
# Energies [kcal/mol] that differ by less are the same sum in another order.
SAME_ENERGY = 1e-8

Terms = Mapping[tuple[str, tuple[int, ...]], object]


@record
class Changes:
    """Molecules that renumbering changes."""

    n_molecules: int = doc("molecules looked at")
    parameters: tuple[str, ...] = doc("those in which a term gets another value, by name")
    energies: tuple[str, ...] = doc("those whose energy at a fixed geometry changes, by name")
    largest: float = doc("largest change of an energy [kcal/mol]")


def terms(assignment: Assignment) -> Terms:
    """The values of every term of the first molecule, by section and atoms in an order that names the term.

    An improper is named by its centre and its outer atoms in any order: which of them stands next to the centre decides
    the dihedral, so it shows in the energy.
    """
    found: dict[tuple[str, tuple[int, ...]], object] = {}
    for section, sites in assignment.sites.items():
        table, known = assignment.tables[section], {-1: None}
        for row, rule in zip(sites.atom_idxs.tolist(), sites.rule_idxs.tolist(), strict=True):
            if rule not in known:
                known[rule] = tuple(
                    (name, tuple(column.values[column.rule_idxs == rule].tolist()))
                    for name, column in table.columns.items()
                )
            found[section, _name(section, tuple(row))] = known[rule]
    return found


def _name(section: str, row: tuple[int, ...]) -> tuple[int, ...]:
    if section == "ImproperTorsions":
        return row[1], *sorted((row[0], row[2], row[3]))
    return min(row, row[::-1])


def renumbering_changes(
    scheme: Scheme, batch: GraphBatch, n_renumberings: int, seed: int, molecules: Iterable[int] | None = None
) -> Changes:
    """Renumber each molecule and compare the values of all terms, and the energy at one geometry.

    Args:
        scheme: An atom-typed scheme.
        batch: The molecules.
        n_renumberings: Random renumberings of each.
        seed: Seed of the renumberings and of the geometry.
        molecules: Indices of molecules to look at, by default all.
    """
    rng = random.Random(seed)
    changed_terms, changed_energies, largest, n_molecules = [], [], 0.0, 0
    for idx in range(batch.n_molecules) if molecules is None else molecules:
        n_molecules += 1
        molecule = batch.explicit_molecule(idx)
        positions = geometry(molecule, seed)
        first = scheme.assign(GraphBatch.from_molecules([molecule]))
        expected, energy = terms(first), sum(energies(first, positions).values())
        other_terms, change = False, 0.0
        for _ in range(n_renumberings):
            order = rng.sample(range(molecule.GetNumAtoms()), molecule.GetNumAtoms())
            again = scheme.assign(GraphBatch.from_molecules([Chem.RenumberAtoms(molecule, order)]))
            other_terms = other_terms or _renamed(terms(again), order) != expected
            change = max(change, abs(sum(energies(again, positions[order]).values()) - energy))
        largest = max(largest, change)
        changed_terms += [batch.names[idx]] if other_terms else []
        changed_energies += [batch.names[idx]] if change > SAME_ENERGY * max(1.0, abs(energy)) else []
    return Changes(
        n_molecules=n_molecules,
        parameters=tuple(changed_terms),
        energies=tuple(changed_energies),
        largest=largest,
    )


def _renamed(found: Terms, order: list[int]) -> Terms:
    """The terms with the atoms named as before the renumbering, which put atom order[i] at i."""
    renamed = {}
    for (section, row), values in found.items():
        own = (row[1], row[0], *row[2:]) if section == "ImproperTorsions" else row
        renamed[section, _name(section, tuple(order[atom] for atom in own))] = values
    return renamed


def geometry(molecule: Chem.Mol, seed: int) -> np.ndarray:
    """Positions [Å]: an embedded conformer, strained by a little noise; where none is found, a drawing with noise."""
    rng = np.random.default_rng(seed)
    embedded = Chem.Mol(molecule)
    settings = {"randomSeed": seed + 1, "maxAttempts": 5}
    found = any(rdDistGeom.EmbedMolecule(embedded, useRandomCoords=way, **settings) == 0 for way in (False, True))
    if not found:
        rdDepictor.Compute2DCoords(embedded)
    plain = embedded.GetConformer().GetPositions()
    return plain + rng.normal(scale=0.05, size=plain.shape)
