"""The molecules that come with ffshare are what their names and the README of their folder say."""

import csv
import importlib.util
from pathlib import Path

import pytest
from rdkit import Chem
from rdkit.Chem import rdCIPLabeler
from rdkit.Chem.EnumerateStereoisomers import EnumerateStereoisomers
from rdkit.Chem.rdMolDescriptors import CalcMolFormula

from ffshare.data_files import data_directory

FOLDER = data_directory("molecules")
FILES = sorted(FOLDER.glob("*.smi"))


def molecules(path: Path) -> dict[str, Chem.Mol]:
    """Name to molecule; a line that is not SMILES, tab, name is an error."""
    pairs = [line.split("\t") for line in path.read_text(encoding="utf-8").splitlines()]
    return {name: Chem.MolFromSmiles(smiles) for smiles, name in pairs}


# Their bridgeheads could be set either way on paper; in space there is one form.
CAGES = {"amantadine"}
DRUGS = molecules(FOLDER / "drugs.smi")
ALKETHOH = molecules(FOLDER / "alkethoh.smi")
with (Path(__file__).parent / "drug_references.csv").open(encoding="utf-8", newline="") as _file:
    REFERENCES = {row["name"]: row for row in csv.DictReader(_file)}


@pytest.mark.parametrize("path", FILES, ids=lambda path: path.name)
def test_every_line_is_a_molecule_that_occurs_once_and_has_a_name_of_its_own(path):
    found = molecules(path)
    assert len(found) == len(path.read_text(encoding="utf-8").splitlines())
    assert [name for name, mol in found.items() if mol is None] == []
    assert len({Chem.MolToSmiles(mol) for mol in found.values()}) == len(found)


@pytest.mark.parametrize("path", FILES, ids=lambda path: path.name)
def test_every_molecule_is_one_component_with_no_isotope_radical_or_dummy_atom(path):
    for name, mol in molecules(path).items():
        assert len(Chem.GetMolFrags(mol)) == 1, name
        for atom in mol.GetAtoms():
            assert (atom.GetIsotope(), atom.GetNumRadicalElectrons()) == (0, 0), name
            assert atom.GetAtomicNum() > 0, name


def test_there_are_at_least_120_drugs_and_a_reference_for_each():
    assert len(DRUGS) >= 120
    assert list(DRUGS) == list(REFERENCES)


@pytest.mark.parametrize("name", DRUGS)
def test_a_drug_has_the_formula_stereochemistry_and_inchikey_of_the_literature(name):
    mol, reference = DRUGS[name], REFERENCES[name]
    assert CalcMolFormula(mol) == reference["formula"]
    rdCIPLabeler.AssignCIPLabels(mol)
    places = [*mol.GetAtoms(), *mol.GetBonds()]
    labels = sorted(place.GetProp("_CIPCode") for place in places if place.HasProp("_CIPCode"))
    assert "".join(labels) == reference["stereo"]
    if reference["inchikey"]:
        # A second, unmarked copy: InChI warns of what RDKit's labels leave behind.
        assert Chem.MolToInchiKey(Chem.MolFromSmiles(Chem.MolToSmiles(mol))) == reference["inchikey"]


@pytest.mark.parametrize("path", FILES, ids=lambda path: path.name)
def test_no_line_leaves_a_stereoisomer_open(path):
    choices = {name: len(list(EnumerateStereoisomers(mol))) for name, mol in molecules(path).items()}
    assert {name for name, n_isomers in choices.items() if n_isomers > 1} <= CAGES


def test_the_drugs_cover_the_chemistry_of_drugs():
    groups = {
        "fluorine": "[F]",
        "chlorine": "[Cl]",
        "bromine": "[Br]",
        "iodine": "[I]",
        "sulfonamide": "[#7]S(=O)(=O)[#6]",
        "sulfoxide": "[#6][S;X3](=O)[#6]",
        "thiol": "[SX2H]",
        "disulfide": "SS",
        "thiourea or thioamide": "[#7][#6]=[SX1]",
        "nitro": "[#6][N+](=O)[O-]",
        "nitrate": "O[N+](=O)[O-]",
        "nitroso": "[#7]N=O",
        "phosphate or phosphoramidate": "P(=O)(O)(O)[O,N]",
        "phosphonate": "[#6]P(=O)(O)O",
        "tetrazole": "c1nnn[nH]1",
        "nitrile": "C#N",
        "alkyne": "C#[CH]",
        "azide": "N=[N+]=[N-]",
        "quaternary ammonium": "[N+X4](C)(C)C",
        "zwitterion": "[N+X4].[O-]C=O",
        "N-oxide": "[n+][O-]",
        "beta-lactam": "O=C1CCN1",
        "steroid": "[#6]1~[#6]~[#6]~[#6]2~[#6](~[#6]1)~[#6]~[#6]~[#6]1~[#6]~2~[#6]~[#6]~[#6]2~[#6]~1~[#6]~[#6]~[#6]~2",
        "macrolide": "[r14]C(=O)O[r14]",
        "nucleoside": "[#7;r6]1~[#6]~[#7]~[#6]~[#6]~[#6]1",
        "peroxide": "COOC",
        "epoxide": "C1CO1",
    }
    queries = {group: Chem.MolFromSmarts(smarts) for group, smarts in groups.items()}
    covered = {group for group, query in queries.items() if any(mol.HasSubstructMatch(query) for mol in DRUGS.values())}
    assert covered == set(groups)


def test_the_alkethoh_set_is_what_its_script_prints():
    path = Path(__file__).parents[2] / "scripts" / "make_alkethoh.py"
    spec = importlib.util.spec_from_file_location("make_alkethoh", path)
    script = importlib.util.module_from_spec(spec)
    spec.loader.exec_module(script)
    # Canonical forms may change between releases of RDKit, so both sides are written by the same one.
    assert sorted(map(Chem.MolToSmiles, ALKETHOH.values())) == sorted(script.alkethoh())


def test_the_alkethoh_set_holds_alkanes_ethers_and_alcohols_only():
    peroxide, geminal = Chem.MolFromSmarts("OO"), Chem.MolFromSmarts("[OX2H1]CO")
    for name, mol in ALKETHOH.items():
        assert {atom.GetSymbol() for atom in mol.GetAtoms()} <= {"C", "O"}, name
        assert {bond.GetBondType() for bond in mol.GetBonds()} <= {Chem.BondType.SINGLE}, name
        assert mol.GetNumAtoms() <= 7, name
        assert mol.GetRingInfo().NumRings() <= 1, name
        assert not mol.HasSubstructMatch(peroxide), name
        assert not mol.HasSubstructMatch(geminal), name


@pytest.mark.parametrize(
    ("kind", "smarts", "alkanes"), [("alkane", None, [1, 1, 1, 2, 3, 5, 9]), ("alkanol", "[OX2H]", [1, 1, 2, 4, 8, 17])]
)
def test_the_acyclic_alkanes_and_alkanols_are_as_many_as_cayley_counted(kind, smarts, alkanes):
    """Constitutional isomers by number of carbons: methane 1 … heptane 9; methanol 1 … hexanol 17."""
    n_oxygens = 0 if smarts is None else 1
    counts = [0] * len(alkanes)
    for mol in ALKETHOH.values():
        n_carbons = len(mol.GetSubstructMatches(Chem.MolFromSmarts("C")))
        is_kind = smarts is None or mol.HasSubstructMatch(Chem.MolFromSmarts(smarts))
        acyclic = mol.GetRingInfo().NumRings() == 0
        if acyclic and is_kind and mol.GetNumAtoms() - n_carbons == n_oxygens:
            counts[n_carbons - 1] += 1
    assert counts == alkanes
