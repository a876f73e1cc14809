"""The molecules that reference data are made for: small, ordinary, each rule of openff-2.2.1 in several of them."""

from collections import Counter

import pytest
from rdkit import Chem
from rdkit.Chem.EnumerateStereoisomers import EnumerateStereoisomers, StereoEnumerationOptions

import ffshare
from ffshare.data_files import data_directory
from tests.fit.reference.scripts import script

FILE = data_directory("molecules") / "reference.smi"
LINES = [tuple(line.split("\t")) for line in FILE.read_text(encoding="utf-8").splitlines()]
make = script("make_reference_molecules")


@pytest.fixture(scope="module")
def molecules_of_rules():
    """(section, rule) to the number of molecules in which it wins, counted from the table of labels."""
    labels = ffshare.load_scheme("openff-2.2.1").assign(ffshare.read(FILE)).to_table().to_pylist()
    valence = {"Bonds", "Angles", "ProperTorsions", "ImproperTorsions"}
    found = {(term["section"], term["rule_id"], term["molecule"]) for term in labels if term["section"] in valence}
    return Counter((section, rule) for section, rule, _ in found if rule is not None)


def test_four_fifths_of_the_exercised_rules_are_in_five_molecules_or_more(molecules_of_rules):
    counts = list(molecules_of_rules.values())
    assert len(counts) >= 290
    assert sum(count >= 5 for count in counts) >= 0.8 * len(counts)
    # As measured and as the folder's README says.
    assert (len(counts), sum(count >= 5 for count in counts), min(counts)) == (296, 262, 2)


def test_the_script_prints_the_coverage_that_the_labels_have(molecules_of_rules):
    scheme = ffshare.load_scheme("openff-2.2.1")
    lines = list(make.coverage(make.uses([smiles for smiles, _ in LINES], scheme), scheme))
    often = sum(count >= 5 for count in molecules_of_rules.values())
    total = lines[-1].split()
    assert total[:4] == ["all", "321", str(len(molecules_of_rules)), str(often)]


def test_the_molecules_are_small_and_of_few_elements():
    assert len(LINES) >= 300
    mols = [Chem.AddHs(Chem.MolFromSmiles(smiles)) for smiles, _ in LINES]
    assert max(mol.GetNumHeavyAtoms() for mol in mols) <= 12
    assert {atom.GetSymbol() for mol in mols for atom in mol.GetAtoms()} == {
        *("H", "C", "N", "O", "S", "P", "F", "Cl", "Br"),
    }
    assert {Chem.GetFormalCharge(mol) for mol in mols} == {-1, 0, 1}
    assert all(atom.GetNumRadicalElectrons() == 0 for mol in mols for atom in mol.GetAtoms())


def test_no_molecule_and_no_name_occurs_twice():
    twice = Counter(Chem.CanonSmiles(smiles) for smiles, _ in LINES) + Counter(name for _, name in LINES)
    assert [key for key, n in twice.items() if n > 1] == []


def test_every_molecule_is_read_and_its_stereochemistry_is_defined():
    assert ffshare.read(FILE).failures == ()
    # Among heavy atoms: which way the hydrogen of an imine points is a matter of conformation here.
    options = StereoEnumerationOptions(unique=True, onlyUnassigned=True)
    isomers = [list(EnumerateStereoisomers(Chem.MolFromSmiles(smiles), options=options)) for smiles, _ in LINES]
    assert [name for (_, name), found in zip(LINES, isomers, strict=True) if len(found) > 1] == []


def test_every_term_has_a_rule():
    counts = ffshare.load_scheme("openff-2.2.1").assign(ffshare.read(FILE)).unassigned()
    assert counts.num_rows == 0


def test_pieces_of_a_drug_are_connected_unions_with_closed_cuts():
    # Aspirin is cut at its ester.
    found = {Chem.MolToSmiles(piece) for piece in make.pieces(Chem.MolFromSmiles("CC(=O)Oc1ccccc1C(=O)O"))}
    assert {"CC=O", "CC(C)=O", "Oc1ccccc1", "COC(C)=O", "O=C(O)c1ccccc1", "CC(=O)Oc1ccccc1"} <= found
    assert all("*" not in smiles and "." not in smiles for smiles in found)


def test_substitution_replaces_one_hydrogen_of_each_kind():
    found = Counter(Chem.MolToSmiles(new) for new in make.substituted(Chem.MolFromSmiles("CCO")))
    assert {"CCOC", "CC(C)O", "CCCO", "CC(O)F", "OCCF", "OCCCl"} <= set(found)
    assert max(found.values()) <= 2
    assert all(Chem.MolFromSmiles(smiles).GetNumHeavyAtoms() > 3 for smiles in found)


@pytest.mark.parametrize("smiles", ["OC(C)O", "CC(F)O", "C=CO", "NC(C)Cl"])
def test_what_falls_apart_is_not_made(smiles):
    assert not make.is_stable(Chem.MolFromSmiles(smiles))


@pytest.mark.parametrize(
    "smiles", ["C", "[NH3+]CC(=O)[O-]", "COOC", "CN(C)Cl", "C[Si](C)(C)C", "CCCCCCCCCCCCC", "[NH3+]CC[NH3+]", "[CH3]"]
)
def test_what_is_not_wanted_is_no_candidate(smiles):
    assert not make.is_candidate(Chem.MolFromSmiles(smiles))


@pytest.mark.parametrize("smiles", ["CC", "C[N+](=O)[O-]", "CC(=O)[O-]", "c1cc[nH+]cc1", "CS(=O)(=O)F", "CN=[N+]=[N-]"])
def test_what_is_wanted_is_a_candidate(smiles):
    assert make.is_candidate(Chem.MolFromSmiles(smiles))


@pytest.mark.full
def test_the_file_is_what_its_script_prints():
    rows = make.named(make.chosen(make.candidates(), ffshare.load_scheme("openff-2.2.1")))
    assert [(Chem.CanonSmiles(smiles), name) for smiles, name in LINES] == rows
