"""Mapped SMILES give back the same atoms in the same order, and say what openff-toolkit says of stereochemistry."""

import random

import numpy as np
import pytest
from hypothesis import assume, example, given, settings
from hypothesis import strategies as st
from rdkit import Chem, rdBase

import ffshare
from ffshare.data_files import data_directory
from ffshare.errors import MoleculeError
from ffshare.molecules import mapped_smiles
from tests.smirks.diverse import DIVERSE, assembled

ARRAYS = ("elements", "charges", "aromatic", "n_rings", "targets", "in_ring", "row_offsets")
# A meso aziridine: RDKit may take its nitrogen for a centre, too.
AZIRIDINE = "C1C[C@@H]2N[C@@H]2C1"


@pytest.fixture(scope="module")
def drugs():
    return ffshare.read(data_directory("molecules") / "drugs.smi")


@pytest.fixture(scope="module")
def toolkit():
    return pytest.importorskip("openff.toolkit", reason="openff-toolkit is not installed")


@st.composite
def smiles(draw):
    """SMILES of molecules kept for tests, or of random ones, some of their stereochemistry taken away."""
    rng = draw(st.randoms(use_true_random=False))
    with rdBase.BlockLogs():
        molecule = Chem.MolFromSmiles(rng.choice([*DIVERSE.values(), assembled(rng)]))
    assume(molecule is not None)
    return blurred(molecule, rng)


def blurred(molecule, rng):
    """A SMILES of the molecule without some of its stereochemistry."""
    molecule = Chem.Mol(molecule)
    for atom in molecule.GetAtoms():
        if rng.random() < 0.4:
            atom.SetChiralTag(Chem.ChiralType.CHI_UNSPECIFIED)
    for bond in molecule.GetBonds():
        if bond.GetBondType() == Chem.BondType.DOUBLE and rng.random() < 0.4:
            bond.SetStereo(Chem.BondStereo.STEREONONE)
    return Chem.MolToSmiles(molecule)


def stereo_of(molecule):
    """CIP labels of atoms, configurations of double bonds by their atoms."""
    centres = {atom.GetIdx(): atom.GetProp("_CIPCode") for atom in molecule.GetAtoms() if atom.HasProp("_CIPCode")}
    bonds = {
        tuple(sorted((bond.GetBeginAtomIdx(), bond.GetEndAtomIdx()))): bond.GetStereo()
        for bond in molecule.GetBonds()
        if bond.GetStereo() in (Chem.BondStereo.STEREOE, Chem.BondStereo.STEREOZ)
    }
    return centres, bonds


@settings(max_examples=150)
@given(smiles=smiles())
@example(smiles=AZIRIDINE)
def test_reading_it_back_gives_the_same_atoms_bonds_and_stereochemistry(smiles):
    try:
        batch = ffshare.from_smiles(smiles)
    except MoleculeError:
        assume(False)
    mapped = mapped_smiles(batch, 0)
    back = ffshare.from_smiles(mapped.smiles)
    for name in ARRAYS:
        assert np.array_equal(getattr(back, name), getattr(batch, name)), name
    # Which of its two Kekulé forms an aromatic ring is read in is of no account.
    localized = ~(batch.aromatic[batch.sources] & batch.aromatic[batch.targets])
    assert np.array_equal(back.orders[localized], batch.orders[localized])
    assert stereo_of(back.explicit_molecule(0)) == stereo_of(batch.explicit_molecule(0))
    assert mapped_smiles(back, 0).n_undefined_stereo == mapped.n_undefined_stereo


def test_every_atom_of_a_drug_carries_its_number(drugs):
    for idx in range(drugs.n_molecules):
        parsed = Chem.MolFromSmiles(mapped_smiles(drugs, idx).smiles, sanitize=False)
        atoms = sorted((atom.GetAtomMapNum(), atom.GetAtomicNum()) for atom in parsed.GetAtoms())
        start, end = drugs.atom_offsets[idx : idx + 2].tolist()
        assert atoms == list(enumerate(drugs.elements[start:end].tolist(), start=1))


def described(molecule):
    """Atoms in their order and bonds by their atoms, as openff-toolkit has them; aromatic bonds have no order."""
    atoms = [
        (atom.atomic_number, atom.formal_charge.m, atom.is_aromatic, atom.stereochemistry) for atom in molecule.atoms
    ]
    bonds = {
        (*sorted((bond.atom1_index, bond.atom2_index)), bond.is_aromatic or bond.bond_order, bond.stereochemistry)
        for bond in molecule.bonds
    }
    return atoms, bonds


@pytest.mark.filterwarnings("ignore:RDKit Molecule passed to from_rdkit consists of more than one")
def test_openff_toolkit_reads_the_same_molecule_from_it(toolkit, drugs):
    diverse = ffshare.from_smiles(*DIVERSE.values(), AZIRIDINE)
    for batch, step in ((drugs, 4), (diverse, 1)):
        for idx in range(0, batch.n_molecules, step):
            ours = toolkit.Molecule.from_rdkit(batch.explicit_molecule(idx), allow_undefined_stereo=True)
            text = mapped_smiles(batch, idx).smiles
            theirs = toolkit.Molecule.from_mapped_smiles(text, allow_undefined_stereo=True)
            assert described(theirs) == described(ours), text


def undefined_by_openff_toolkit(molecule):
    from openff.toolkit.utils.rdkit_wrapper import RDKitToolkitWrapper as Wrapper

    return len(Wrapper._find_undefined_stereo_atoms(molecule)) + len(Wrapper._find_undefined_stereo_bonds(molecule))


def test_undefined_stereochemistry_is_what_openff_toolkit_finds(toolkit, drugs):
    rng = random.Random(0)
    texts = [AZIRIDINE, *DIVERSE.values(), *(blurred(molecule, rng) for molecule in drugs.molecules)]
    blurry = ffshare.from_smiles(*texts)
    numbers = []
    for batch in (drugs, blurry):
        for idx in range(batch.n_molecules):
            found = mapped_smiles(batch, idx).n_undefined_stereo
            assert found == undefined_by_openff_toolkit(batch.explicit_molecule(idx)), batch.molecules[idx]
            numbers.append(found)
    # The comparison has seen molecules with none, one and several.
    assert {0, 1, 2, 3} <= set(numbers)


@pytest.mark.parametrize(
    ("smiles", "n_undefined"),
    [
        ("FC(Cl)Br", 1),
        ("F[C@H](Cl)Br", 0),
        ("CC=CC", 1),
        ("C/C=C/C", 0),
        ("CC(O)C(O)C", 2),
        ("C[C@H](O)C(O)C", 1),
        # Neither two equal ends nor a nitrogen that inverts leave a choice; no double bond in a ring is looked at.
        ("C1CC=CC1", 0),
        ("CC=C(C)C", 0),
        ("CN(CC)C(C)C", 0),
        ("CC=NO", 1),
        ("CS(=O)CC", 1),
        ("C1CCCC=CCC1", 0),
        (AZIRIDINE, 0),
        ("C1CC2NC2C1", 2),
    ],
)
def test_what_is_left_open_is_counted(smiles, n_undefined):
    assert mapped_smiles(ffshare.from_smiles(smiles), 0).n_undefined_stereo == n_undefined


def test_making_it_leaves_the_batch_as_it_was():
    batch = ffshare.from_smiles("C[C@H](O)C=CC")
    before = Chem.MolToSmiles(batch.molecules[0]), Chem.MolToSmiles(batch.explicit_molecule(0))
    assert mapped_smiles(batch, 0).smiles == mapped_smiles(batch, 0).smiles
    assert (Chem.MolToSmiles(batch.molecules[0]), Chem.MolToSmiles(batch.explicit_molecule(0))) == before
    assert [atom.GetAtomMapNum() for atom in batch.molecules[0].GetAtoms()] == [0] * 6
