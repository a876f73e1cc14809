"""Types are those that RDKit gives to a molecule that it has read itself, and the batch stays as it was."""

import numpy as np
from rdkit import Chem
from rdkit.Chem import rdForceFieldHelpers

import ffshare
from ffshare.assign.mmff.typing import type_batch
from ffshare.data_files import data_directory
from ffshare.molecules import GraphBatch, molecule_from_smiles
from tests.smirks.diverse import DIVERSE


def types_of_smiles(smiles):
    """Types of a molecule as RDKit reads it, with its own aromaticity, hydrogens last."""
    molecule = Chem.AddHs(Chem.MolFromSmiles(smiles))
    properties = rdForceFieldHelpers.MMFFGetMoleculeProperties(molecule)
    n_atoms = molecule.GetNumAtoms()
    return [0] * n_atoms if properties is None else [properties.GetMMFFAtomType(idx) for idx in range(n_atoms)]


def test_types_are_those_of_molecules_that_rdkit_has_read_itself():
    smiles = [
        line.split("\t")[0]
        for name in ("drugs", "fragments")
        for line in (data_directory("molecules") / f"{name}.smi").read_text().splitlines()[::4]
    ]
    smiles += [one for one in DIVERSE.values() if "[H]" not in one]
    batch = ffshare.from_smiles(*smiles)
    found = np.split(type_batch(batch, "MMFF94").types, batch.atom_offsets[1:-1])
    assert [types.tolist() for types in found] == [types_of_smiles(one) for one in smiles]


def test_molecules_of_the_batch_are_left_as_they_are(hard):
    explicit = [hard.explicit_molecule(idx) for idx in range(hard.n_molecules)]
    before = [Chem.MolToCXSmiles(molecule) for molecule in (*hard.molecules, *explicit)]
    type_batch(hard, "MMFF94")
    assert [Chem.MolToCXSmiles(molecule) for molecule in (*hard.molecules, *explicit)] == before
    assert not any(molecule.HasProp("_MMFFSanitized") for molecule in (*hard.molecules, *explicit))


def test_bond_orders_are_those_of_the_molecule_that_was_typed(hard):
    typed = type_batch(hard, "MMFF94")
    local = hard.local_idxs(np.stack([hard.sources, hard.targets], axis=1)).tolist()
    for edge, molecule in enumerate(hard.atom_molecules[hard.sources].tolist()):
        found = typed.molecules[molecule]
        if found is None:
            assert typed.orders[edge] == hard.orders[edge]
        else:
            bond = found.molecule.GetBondBetweenAtoms(*found.atoms(local[edge]))
            assert typed.orders[edge] == 2 * bond.GetBondTypeAsDouble()


def test_a_molecule_that_cannot_be_typed_has_no_types_at_all(hard):
    typed = type_batch(hard, "MMFF94")
    is_typed = typed.is_typed[hard.atom_molecules]
    assert np.array_equal(typed.types > 0, is_typed)
    assert not is_typed.all()


def test_a_molecule_whose_rings_were_never_looked_for_is_typed():
    known, forgotten = molecule_from_smiles("CCO"), molecule_from_smiles("CCO")
    forgotten.ClearComputedProps(includeRings=True)
    first, second = (type_batch(GraphBatch.from_molecules([one]), "MMFF94") for one in (known, forgotten))
    assert first.types.tolist() == second.types.tolist()
