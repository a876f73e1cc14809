"""Folds by molecule.

Stereoisomers, and several records of one molecule, are in one fold: what tells them apart hardly any rule looks at. Of
each outer fold, the others train, and one of them, the one after the fold that is held out, may choose.
"""

from collections.abc import Hashable, Sequence

import numpy as np
from rdkit import Chem

from ffshare.errors import InputError
from ffshare.molecules.ragged import IntArray
from ffshare.records import doc, record


@record
class Fold:
    """One split of the molecules."""

    training: IntArray = doc("molecules to fit to, ascending")
    held_out: IntArray = doc("molecules to test on, ascending")
    inner: IntArray = doc("training molecules without those of one fold, ascending")
    validation: IntArray = doc("that fold, ascending")


def folds(names: Sequence[Hashable], n_folds: int, seed: int) -> tuple[Fold, ...]:
    """Splits into folds of like size.

    Args:
        names: What each molecule is called; those of one name are in one fold.
        n_folds: Number of folds, 3 or more.
        seed: Another seed gives another split.

    Returns:
        As many splits; each molecule is held out once.

    Raises:
        InputError: There are fewer than three folds, or fewer molecules than folds.

    Example:
        >>> [fold.held_out.tolist() for fold in folds("abcdea", 3, seed=1)]
        [[0, 4, 5], [1, 2], [3]]
    """
    numbers = np.unique(np.array([str(name) for name in names], dtype=np.str_), return_inverse=True)[1].ravel()
    n_names = int(numbers.max(initial=-1)) + 1
    if n_folds < 3:
        raise InputError(f"{n_folds} folds: one is held out and one chooses, so give 3 or more")
    if n_names < n_folds:
        raise InputError(
            f"{n_names} molecules cannot be split into {n_folds} folds; give more molecules or fewer folds"
        )
    places = np.empty(n_names, dtype=np.int64)
    places[np.random.default_rng(seed).permutation(n_names)] = np.arange(n_names) * n_folds // n_names
    of_molecule = places[numbers]
    found = []
    for number in range(n_folds):
        chooser = (number + 1) % n_folds
        held_out, validation = of_molecule == number, of_molecule == chooser
        found.append(
            Fold(
                training=np.flatnonzero(~held_out),
                held_out=np.flatnonzero(held_out),
                inner=np.flatnonzero(~held_out & ~validation),
                validation=np.flatnonzero(validation),
            )
        )
    return tuple(found)


def constitution(molecule: Chem.Mol) -> str:
    """What a molecule is but for its stereochemistry: stereoisomers must not be on both sides of a split.

    Args:
        molecule: The molecule, with or without explicit hydrogens.

    Returns:
        Canonical SMILES without stereochemistry, isotopes and map numbers.

    Example:
        >>> constitution(Chem.MolFromSmiles("F/C=C/F")) == constitution(Chem.MolFromSmiles(r"FC=CF"))
        True
    """
    plain = Chem.Mol(molecule)
    # Before the hydrogens go: those that carry an isotope or tell a double bond's stereochemistry would stay.
    Chem.RemoveStereochemistry(plain)
    for atom in plain.GetAtoms():
        atom.SetIsotope(0)
        atom.SetAtomMapNum(0)
    return Chem.MolToSmiles(Chem.RemoveHs(plain))
