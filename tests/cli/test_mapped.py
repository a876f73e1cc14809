"""The mapped SMILES beside the labels: openff-toolkit reads each back with the atoms in the order of the labels."""

import pyarrow.parquet as pq
import pytest
from rdkit import Chem

from ffshare.data_files import data_directory

toolkit = pytest.importorskip("openff.toolkit", reason="compares with openff-toolkit")

STEREO = [
    "F[C@H](Cl)Br",
    "C/C=C\\C",
    "C/C=C/C=C\\C",
    "CC(F)Cl",
    "FC=CF",
    "O[C@@H]1CC[C@H](N)CC1",
    "C[S@](=O)c1ccccc1",
    "C[N+](=O)[O-]",
    "[2H]C([2H])O",
    "[Na+].[Cl-]",
    "c1ccc2[nH]ccc2c1",
    "[H][H]",
]


def atoms(molecule):
    return [
        (atom.atomic_number, atom.formal_charge.m, atom.is_aromatic, atom.stereochemistry) for atom in molecule.atoms
    ]


def bonds(molecule):
    return {
        (*sorted((bond.atom1_index, bond.atom2_index)), bond.bond_order, bond.is_aromatic, bond.stereochemistry)
        for bond in molecule.bonds
    }


def labelled(cli, rules, write, results, smiles):
    done = cli("assign", write("\n".join(smiles)), "--scheme", rules, "--out", results / "labels.parquet")
    assert f"{len(smiles)} labelled + 0 failed" in done.out
    return pq.read_table(results / "labels.molecules.parquet")["mapped_smiles"].to_pylist()


@pytest.mark.filterwarnings("ignore:RDKit Molecule passed to from_rdkit consists of more than one molecule")
def test_mapped_smiles_read_back_as_the_same_molecule_in_the_same_order(cli, rules, write, results):
    drugs = [line.split("\t")[0] for line in (data_directory("molecules") / "drugs.smi").read_text().splitlines()]
    smiles = [*STEREO, *drugs[::5]]
    for given, mapped in zip(smiles, labelled(cli, rules, write, results, smiles), strict=True):
        expected = toolkit.Molecule.from_smiles(given, allow_undefined_stereo=True)
        found = toolkit.Molecule.from_mapped_smiles(mapped, allow_undefined_stereo=True)
        assert atoms(found) == atoms(expected)
        assert bonds(found) == bonds(expected)


def test_atom_i_carries_map_number_i_plus_one_and_a_smiles_keeps_the_order_of_its_atoms(cli, rules, write, results):
    mapped = labelled(cli, rules, write, results, ["OCC"])
    molecule = toolkit.Molecule.from_mapped_smiles(mapped[0])
    assert [atom.atomic_number for atom in molecule.atoms] == [8, 6, 6, 1, 1, 1, 1, 1, 1]
    assert sorted(atom.GetAtomMapNum() for atom in Chem.MolFromSmiles(mapped[0], sanitize=False).GetAtoms()) == list(
        range(1, 10)
    )


MAPPED = [
    "[C:3]([H:1])([H:2])([H:4])[O:6][H:5]",
    "[H:1][C@:5]([F:2])([Cl:4])[Br:3]",
    "[F:6]/[C:1]([H:3])=[C:2]([H:4])/[F:5]",
]


def test_a_mapped_input_keeps_its_numbering(cli, rules, write, results):
    for given, mapped in zip(MAPPED, labelled(cli, rules, write, results, MAPPED), strict=True):
        expected, found = (toolkit.Molecule.from_mapped_smiles(smiles) for smiles in (given, mapped))
        assert atoms(found) == atoms(expected)
        assert bonds(found) == bonds(expected)
    rows = pq.read_table(results / "labels.parquet").to_pylist()
    b2 = {tuple(row["atoms"]) for row in rows if row["molecule_idx"] == 0 and row["rule_id"] == "b2"}
    assert b2 == {(0, 2), (1, 2), (2, 3)}


@pytest.mark.parametrize("smiles", ["[CH3:2][OH:1]", "[C:1]([H:2])([H:3])([H:4])[H:4]", "[CH3:7]C"])
def test_map_numbers_that_do_not_number_all_atoms_are_left_out(cli, rules, write, results, smiles):
    bare = Chem.MolFromSmiles(smiles, sanitize=False)
    for atom in bare.GetAtoms():
        atom.SetAtomMapNum(0)
    mapped = labelled(cli, rules, write, results, [smiles, Chem.MolToSmiles(bare, canonical=False)])
    assert mapped[0] == mapped[1]


def test_labelled_molecules_can_be_labelled_again_from_their_mapped_smiles(cli, rules, write, results):
    labelled(cli, rules, write, results, STEREO)
    arguments = ["--smiles-column", "mapped_smiles", "--out", results / "again.parquet"]
    cli("assign", results / "labels.molecules.parquet", "--scheme", rules, *arguments)
    for end in (".parquet", ".molecules.parquet"):
        assert pq.read_table(results / f"again{end}").to_pylist() == pq.read_table(results / f"labels{end}").to_pylist()
