"""Molecules are read as openff-toolkit reads them, step for step, and refused with a reason."""

import lzma
import random

import pytest
from hypothesis import given
from hypothesis import strategies as st
from rdkit import Chem, rdBase

from ffshare.errors import MoleculeError
from ffshare.molecules import GraphBatch, molecule_from_molblock, molecule_from_smiles, silenced
from tests.smirks.diverse import DIVERSE

MULTI = pytest.mark.filterwarnings("ignore:RDKit Molecule passed to from_rdkit consists of more than one")


@pytest.fixture(scope="module")
def toolkit():
    return pytest.importorskip("openff.toolkit", reason="openff-toolkit is not installed")


def explicit(molecule):
    return GraphBatch.from_molecules([molecule]).explicit_molecule(0)


def described(molecule):
    """What labelling can see of a molecule: atoms in their order, bonds, stereochemistry."""
    return {
        "atoms": [(atom.GetAtomicNum(), atom.GetFormalCharge(), atom.GetIsAromatic()) for atom in molecule.GetAtoms()],
        "bonds": sorted(
            (*sorted((bond.GetBeginAtomIdx(), bond.GetEndAtomIdx())), bond.GetBondTypeAsDouble(), str(bond.GetStereo()))
            for bond in molecule.GetBonds()
        ),
        "centres": [atom.GetPropsAsDict().get("_CIPCode", "") for atom in molecule.GetAtoms()],
    }


@MULTI
@pytest.mark.parametrize("name", DIVERSE)
def test_a_smiles_is_read_as_openff_toolkit_reads_it(name, toolkit):
    theirs = toolkit.Molecule.from_smiles(DIVERSE[name], allow_undefined_stereo=True).to_rdkit()
    assert described(explicit(molecule_from_smiles(DIVERSE[name]))) == described(theirs)


def test_centres_that_are_only_relative_to_each_other_are_kept(toolkit):
    smiles = DIVERSE["4-methylcyclohexanol, trans"]
    ours = explicit(molecule_from_smiles(smiles))
    # openff-toolkit keeps a centre by its R or S, and these have none.
    theirs = toolkit.Molecule.from_smiles(smiles, allow_undefined_stereo=True).to_rdkit()
    pattern = Chem.MolFromSmarts("[#6][C@H]1CC[C@@H](O)CC1")
    assert ours.HasSubstructMatch(pattern, useChirality=True)
    assert not theirs.HasSubstructMatch(pattern, useChirality=True)


def records_of(path):
    with lzma.open(path, "rt") as file:
        return [f"{text}$$$$\n" for text in file.read().split("$$$$\n")[:-1]]


def check_records(toolkit, records, path):
    path.write_text("".join(records))
    theirs = toolkit.Molecule.from_file(str(path), file_format="SDF", allow_undefined_stereo=True)
    assert len(theirs) == len(records)
    for text, molecule in zip(records, theirs, strict=True):
        assert described(explicit(molecule_from_molblock(text))) == described(molecule.to_rdkit()), text.split("\n")[0]


def test_records_of_an_sd_file_are_read_as_openff_toolkit_reads_them(toolkit, tmp_path, test_data):
    records = records_of(test_data / "molecules" / "minidrugbank.sdf.xz")
    check_records(toolkit, random.Random(0).sample(records, 20), tmp_path / "sample.sdf")


@pytest.mark.full
def test_all_drugs_are_read_as_openff_toolkit_reads_them(toolkit, tmp_path, test_data):
    check_records(toolkit, records_of(test_data / "molecules" / "minidrugbank.sdf.xz"), tmp_path / "all.sdf")


@pytest.mark.full
def test_smiles_of_a_large_library_are_read_as_openff_toolkit_reads_them(toolkit, test_data):
    with lzma.open(test_data / "molecules" / "pubchem_5k.smi.xz", "rt") as file:
        library = [line.split()[0] for line in file]
    for smiles in random.Random(0).sample(library, 500):
        try:
            ours = explicit(molecule_from_smiles(smiles))
        except MoleculeError:
            with pytest.raises(Exception, match=r"."):
                toolkit.Molecule.from_smiles(smiles, allow_undefined_stereo=True)
            continue
        theirs = toolkit.Molecule.from_smiles(smiles, allow_undefined_stereo=True).to_rdkit()
        assert described(ours) == described(theirs), smiles


def mapped(smiles, rng):
    """A SMILES with every atom, hydrogens included, numbered at random, and the molecule in that order."""
    molecule = explicit(molecule_from_smiles(smiles))
    numbers = list(range(1, molecule.GetNumAtoms() + 1))
    rng.shuffle(numbers)
    numbered = Chem.Mol(molecule)
    for atom, number in zip(numbered.GetAtoms(), numbers, strict=True):
        atom.SetAtomMapNum(number)
    order = sorted(range(len(numbers)), key=numbers.__getitem__)
    return Chem.MolToSmiles(numbered, doRandom=True), Chem.RenumberAtoms(molecule, order)


# RDKit writes the hydrogen molecule, the proton and the hydride without the numbers of some atoms.
NUMBERED = [smiles for name, smiles in DIVERSE.items() if name not in ("proton", "hydride")]


@given(smiles=st.sampled_from(NUMBERED), rng=st.randoms(use_true_random=False))
def test_atoms_that_all_carry_map_numbers_stand_in_that_order(smiles, rng):
    text, expected = mapped(smiles, rng)
    found = explicit(molecule_from_smiles(text))
    assert described(found) == described(explicit(expected))
    assert not any(atom.GetAtomMapNum() for atom in found.GetAtoms())


def test_mapped_smiles_are_read_as_openff_toolkit_reads_them(toolkit):
    rng = random.Random(0)
    for name in ("penicillin G", "threonine with one undefined centre", "diene", "nitro, charge-separated", "cubane"):
        text, _ = mapped(DIVERSE[name], rng)
        theirs = toolkit.Molecule.from_mapped_smiles(text, allow_undefined_stereo=True).to_rdkit()
        assert described(explicit(molecule_from_smiles(text))) == described(theirs)


@pytest.mark.parametrize(
    ("smiles", "elements"),
    [
        ("[H:3][O:1][H:2]", [8, 1, 1]),
        ("[H:1][O:3][H:2]", [1, 1, 8]),
        ("[OH2:1]", [8, 1, 1]),
        # Not all atoms are numbered, or not from 1 on without gaps: the order of the text stays.
        ("[CH3:2][OH:1]", [6, 8, 1, 1, 1, 1]),
        ("[H:1][O:3]C", [1, 8, 6, 1, 1, 1]),
        ("[H:4][O:2][H:1]", [1, 8, 1]),
        ("[H:1][O:1][H:2]", [1, 8, 1]),
        ("[Cl-:2].[Na+:1]", [11, 17]),
    ],
)
def test_map_numbers_give_the_order_only_where_they_number_every_atom(smiles, elements):
    assert [atom.GetAtomicNum() for atom in explicit(molecule_from_smiles(smiles)).GetAtoms()] == elements


@pytest.mark.parametrize("smiles", ["CN(=O)=O", "C[N+](=O)[O-]", "CN(=O)(=O)"])
def test_nitro_groups_are_charge_separated(smiles):
    molecule = molecule_from_smiles(smiles)
    assert [atom.GetFormalCharge() for atom in molecule.GetAtoms()] in ([0, 1, 0, -1], [0, 1, -1, 0])
    assert Chem.MolToSmiles(molecule) == "C[N+](=O)[O-]"


def test_zwitterions_and_charges_stay_as_they_are_given():
    assert [atom.GetFormalCharge() for atom in molecule_from_smiles("[NH3+]CC(=O)[O-]").GetAtoms()] == [1, 0, 0, 0, -1]
    assert [atom.GetFormalCharge() for atom in molecule_from_smiles("NCC(=O)O").GetAtoms()] == [0, 0, 0, 0, 0]


def test_stereochemistry_does_not_depend_on_map_numbers():
    plain, numbered = molecule_from_smiles("F[C@H](Cl)Br"), molecule_from_smiles("[F:1][C@H:7](Cl)[Br:3]")
    assert Chem.MolToSmiles(plain) == Chem.MolToSmiles(numbered)


def molblock(smiles):
    molecule = Chem.AddHs(Chem.MolFromSmiles(smiles))
    conformer = Chem.Conformer(molecule.GetNumAtoms())
    for idx in range(molecule.GetNumAtoms()):
        conformer.SetAtomPosition(idx, (1.1 * idx, 0.3 * (idx % 3), 0.2 * (idx % 5)))
    conformer.Set3D(True)
    molecule.AddConformer(conformer)
    return Chem.MolToMolBlock(molecule)


def test_stereochemistry_of_a_record_comes_from_its_coordinates():
    text = molblock("FC(Cl)Br").split("\n")
    places = [(0, 0, 0), (1, 0, 0), (1, 1, 0), (1, 0, 1)]

    def record(mirror):
        lines = text[:]
        for row, (x, y, z) in zip((5, 4, 6, 7), [(0, 0, 0), *places[1:]], strict=True):
            lines[row] = f"{x:10.4f}{y:10.4f}{mirror * z:10.4f}{lines[row][30:]}"
        lines[8] = f"{-1:10.4f}{-1:10.4f}{-mirror:10.4f}{lines[8][30:]}"
        return "\n".join(lines)

    codes = [described(explicit(molecule_from_molblock(record(mirror))))["centres"][1] for mirror in (1, -1)]
    assert sorted(codes) == ["R", "S"]


@pytest.mark.parametrize(
    ("smiles", "message"),
    [
        ("C1CC", "SMILES does not parse: unclosed ring for input: 'C1CC'; correct the SMILES"),
        ("C(", "SMILES does not parse: .*; correct the SMILES"),
        ("hello", "SMILES does not parse: .*; correct the SMILES"),
        ("C\N{EN DASH}C", "SMILES does not parse: .* is no character of a SMILES; correct the SMILES"),
        (
            "C(C)(C)(C)(C)C",
            "not a valid molecule: Explicit valence for atom # 0 C, 5, is greater than permitted; correct",
        ),
        ("c1cccc1", "not a valid molecule: Can't kekulize mol.*; correct the valences, charges or aromatic atoms"),
        ("c1ccccc1c", "not a valid molecule: non-ring atom 6 marked aromatic; correct"),
        ("", "no atoms; remove the empty record"),
    ],
)
def test_a_smiles_that_is_no_molecule_is_refused_with_the_reason(smiles, message):
    with rdBase.BlockLogs(), pytest.raises(MoleculeError, match=message):
        molecule_from_smiles(smiles)


@pytest.mark.parametrize(
    ("change", "message"),
    [
        (lambda text: "", "SD record does not parse; correct or re-export the record"),
        (lambda text: "\n".join(text.split("\n")[:6]), "SD record does not parse: .*; correct or re-export the record"),
        (lambda text: text.replace("V2000", "V9000"), "SD record does not parse: .*; correct or re-export the record"),
        (lambda text: "\n\n\n  0  0  0  0  0  0  0  0  0  0999 V2000\nM  END\n", "no atoms; remove the empty record"),
        (
            lambda text: text.replace(" F ", " Cl").replace("  1  2  1", "  1  2  3"),
            "not a valid molecule: .*; correct the valences",
        ),
    ],
)
def test_a_record_that_is_no_molecule_is_refused_with_the_reason(change, message):
    text = molblock("FC")
    assert molecule_from_molblock(text).GetNumAtoms() == 5
    with rdBase.BlockLogs(), pytest.raises(MoleculeError, match=message):
        molecule_from_molblock(change(text))


def test_the_log_stays_silent_after_a_molecule_that_fails(capfd):
    with silenced():
        for smiles in ("C1CC", "C(", "C1CC"):
            with pytest.raises(MoleculeError):
                molecule_from_smiles(smiles)
    assert capfd.readouterr() == ("", "")


def test_an_unknown_element_of_a_record_is_named():
    with pytest.raises(MoleculeError, match=r"SD record does not parse: .*Xx.*; correct or re-export the record"):
        molecule_from_molblock(molblock("FC").replace(" F ", " Xx"))


def test_a_smiles_that_is_not_ascii_is_refused():
    # RDKit strips such characters from the ends: these would be methane.
    for smiles in ("C\N{GREEK SMALL LETTER ALPHA}", "\N{GREEK SMALL LETTER ALPHA}C"):
        with pytest.raises(MoleculeError, match="does not parse"):
            molecule_from_smiles(smiles)


def test_an_aromatic_bond_outside_a_ring_is_refused():
    with pytest.raises(MoleculeError, match="aromatic outside a ring; write it as a single or double bond"):
        GraphBatch.from_molecules([molecule_from_smiles("C:C")])


def test_a_molecule_of_too_many_atoms_is_refused_before_anything_slow_is_done():
    assert molecule_from_smiles("C" * 3000).GetNumAtoms() == 3000
    with pytest.raises(MoleculeError, match="10,505 atoms, hydrogens included; at most 10,000 are taken; cut it"):
        molecule_from_smiles("C" * 3501)
