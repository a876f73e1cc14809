#!/usr/bin/env python3
"""Print molecules/alkethoh.smi: alkanes, ethers and alcohols, enumerated.

    python scripts/make_alkethoh.py > molecules/alkethoh.smi

The rule: all molecules of one component that consist of

* 1 to 7 atoms of carbon and oxygen, at least one of them carbon, joined by single bonds, and hydrogen;
* no ring, or one ring of 3 to 6 atoms;
* no bond between two oxygens, and no hydroxyl group on a carbon that bears another oxygen (such geminal diols and
  hemiacetals fall apart to carbonyl compounds; acetals and orthoesters stay in).

Trees grow atom by atom; a ring is a tree with one more bond. Each constitution appears once, with one of its
stereoisomers: the one whose canonical SMILES comes first. Nothing is random. Lines are sorted by the number of heavy
atoms, then by SMILES, and numbered.
"""

import sys
from collections.abc import Iterator

from rdkit import Chem
from rdkit.Chem.EnumerateStereoisomers import EnumerateStereoisomers

MOST_ATOMS = 7
LARGEST_RING = 6
CARBON, OXYGEN = 6, 8
HYDROXYL_BESIDE_OXYGEN = Chem.MolFromSmarts("[OX2H1][CX4][OX2]")


def bonded(mol: Chem.Mol, first: int, second: int) -> Chem.Mol:
    """A copy of the molecule with one more single bond."""
    editable = Chem.RWMol(mol)
    editable.AddBond(first, second, Chem.BondType.SINGLE)
    result = editable.GetMol()
    Chem.SanitizeMol(result)
    return result


def larger_trees(mol: Chem.Mol) -> Iterator[Chem.Mol]:
    """All molecules with one more carbon or oxygen on one of the atoms."""
    for atom in mol.GetAtoms():
        for element in (CARBON, OXYGEN):
            if atom.GetTotalNumHs() and not element == atom.GetAtomicNum() == OXYGEN:
                editable = Chem.RWMol(mol)
                added = editable.AddAtom(Chem.Atom(element))
                yield bonded(editable.GetMol(), atom.GetIdx(), added)


def rings(mol: Chem.Mol) -> Iterator[Chem.Mol]:
    """All molecules with one ring, made by one more bond."""
    distances = Chem.GetDistanceMatrix(mol)
    for second in mol.GetAtoms():
        for first in list(mol.GetAtoms())[: second.GetIdx()]:
            size = distances[first.GetIdx(), second.GetIdx()] + 1
            free = first.GetTotalNumHs() and second.GetTotalNumHs()
            peroxide = first.GetAtomicNum() == second.GetAtomicNum() == OXYGEN
            if free and not peroxide and 3 <= size <= LARGEST_RING:
                yield bonded(mol, first.GetIdx(), second.GetIdx())


def alkethoh() -> list[str]:
    """Canonical SMILES of all molecules of the rule, by number of heavy atoms, then by text."""
    found = []
    level = {"C", "O"}
    for _ in range(MOST_ATOMS):
        trees = [Chem.MolFromSmiles(smiles) for smiles in level]
        closed = [ring for tree in trees for ring in rings(tree)]
        constitutions = {
            Chem.MolToSmiles(mol)
            for mol in [*trees, *closed]
            if not mol.HasSubstructMatch(HYDROXYL_BESIDE_OXYGEN)
            and any(atom.GetAtomicNum() == CARBON for atom in mol.GetAtoms())
        }
        isomers = [EnumerateStereoisomers(Chem.MolFromSmiles(smiles)) for smiles in constitutions]
        found += sorted(min(map(Chem.MolToSmiles, alternatives)) for alternatives in isomers)
        level = {Chem.MolToSmiles(larger) for tree in trees for larger in larger_trees(tree)}
    return found


def main() -> None:
    for number, smiles in enumerate(alkethoh(), start=1):
        sys.stdout.write(f"{smiles}\talkethoh-{number:03d}\n")


if __name__ == "__main__":
    main()
