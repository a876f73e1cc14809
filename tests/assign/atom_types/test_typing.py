"""Types are those of the first rule that a plain loop over RDKit's matcher finds, and those of AmberTools."""

import csv
import json
import lzma
import pickle
from pathlib import Path

import numpy as np
import pytest
from hypothesis import assume, given, settings
from hypothesis import strategies as st
from rdkit import Chem, rdBase

from ffshare.assign.atom_types.annotate import annotate
from ffshare.assign.atom_types.typing import Typer
from ffshare.assign.atom_types.typing_rules import TypingRule, TypingRules, load_typing_rules
from ffshare.data_files import data_directory
from ffshare.errors import MoleculeError
from ffshare.molecules import GraphBatch, from_smiles, molecule_from_molblock, molecule_from_smiles, read
from ffshare.smirks import Annotations
from tests.assign.samples import part
from tests.smirks.diverse import DIVERSE, assembled
from tests.smirks.grow import grown_rule
from tests.smirks.test_conditions import expected, random_annotations, random_condition

# AmberTools 26: antechamber -at gaff or gaff2 -dr no, on molecules in the order of atoms of the SMILES, hydrogens last.
FROZEN = list(csv.DictReader((Path(__file__).parent / "antechamber_types.csv").read_text().splitlines()))
FORCE_FIELDS = ("gaff", "gaff2")


def typer_of(name):
    return Typer(load_typing_rules(data_directory("rules") / name / "typing.toml"))


@pytest.fixture(scope="module")
def typers():
    return {name: typer_of(name) for name in (*FORCE_FIELDS, "alkethoh-types")}


def types_of(typer, batch, mode="canonical"):
    """Type of each atom of a batch, '?' where no rule matches."""
    found = annotate(batch)
    typed = typer.typed_atoms(batch, found.annotations, found.bond_types, mode)
    return [*typed.names, "?"], typed.types


def names_of(typer, batch, mode="canonical"):
    names, types = types_of(typer, batch, mode)
    return [names[idx] for idx in types.tolist()]


def rules_of(*rules):
    rules = tuple(
        TypingRule(name=f"t{idx}", smarts=smarts, conditions=asked) for idx, (smarts, asked) in enumerate(rules)
    )
    return TypingRules(name="", source="", license="", path="", checksum="", rules=rules, pairs=())


def every_match_by_rdkit(rules, batch, annotations):
    """Atom and rule of every match, by RDKit's matcher and a plain look at every condition."""
    found = set()
    for idx, rule in enumerate(rules.rules):
        pattern = rule.pattern()
        found |= {(row[pattern.tagged[0]], idx) for row in expected(pattern, rule.conditions, batch, annotations)}
    return sorted(found)


def assert_as_by_rdkit(rules, batch, annotations, typer):
    matches = every_match_by_rdkit(rules, batch, annotations)
    assert list(zip(*map(np.ndarray.tolist, typer.every_match(batch, annotations)), strict=True)) == matches
    first = dict(reversed(matches))
    assert typer.type_atoms(batch, annotations).tolist() == [first.get(atom, -1) for atom in range(batch.n_atoms)]


@st.composite
def batches(draw):
    smiles = draw(st.lists(st.sampled_from(list(DIVERSE.values())), min_size=1, max_size=2))
    try:
        with rdBase.BlockLogs():
            molecules = [molecule_from_smiles(text) for text in smiles]
            return GraphBatch.from_molecules([*molecules, molecule_from_smiles(assembled(draw(st.randoms())))])
    except MoleculeError:
        assume(False)


@settings(max_examples=40)
@given(batch=batches(), later=batches(), rng=st.randoms(use_true_random=False))
def test_the_first_rule_wins_whatever_the_rules(batch, later, rng):
    rules = []
    for _ in range(6):
        smarts = grown_rule(rng, batch.explicit_molecule(rng.randrange(batch.n_molecules)), 1)
        rules.append((smarts, {"1": random_condition(rng, 3)} if rng.random() < 0.5 else {}))
    plain = all(rule.pattern().exact for rule in rules_of(*((smarts, {}) for smarts, _ in rules)).rules)
    rules = rules_of(*(rules if plain else [(smarts, {}) for smarts, _ in rules]))
    typer = Typer(rules)
    for each in (batch, later, batch):
        assert_as_by_rdkit(rules, each, random_annotations(rng, each), typer)


@pytest.mark.parametrize("name", FORCE_FIELDS)
def test_shipped_rules_give_what_a_plain_loop_gives(name, typers, drugs):
    batch = part(drugs, range(5, drugs.n_molecules, 60))
    assert_as_by_rdkit(typers[name].rules, batch, annotate(batch).annotations, typers[name])


@pytest.mark.parametrize("name", FORCE_FIELDS)
def test_types_are_those_of_ambertools(name, typers):
    batch = from_smiles(*(row["smiles"] for row in FROZEN))
    got = names_of(typers[name], batch, "antechamber")
    for idx, row in enumerate(FROZEN):
        atoms = slice(*batch.atom_offsets[idx : idx + 2].tolist())
        assert " ".join(got[atoms]) == row[name], row["smiles"]


@pytest.mark.parametrize("name", FORCE_FIELDS)
def test_ambertools_was_asked_for_every_type(name, typers):
    seen = {text for row in FROZEN for text in row[name].split()}
    elements = {rule.name for rule in typers[name].rules.rules if rule.line is None}
    assert set(typers[name].rules.names) - elements == seen - elements


# Spelled out by hand, heavy atoms only.
BY_HAND = [
    ("gaff", "O", "oh"),  # water is a hydroxyl
    ("gaff2", "C1CN1", "cx cx n5"),
    ("gaff2", "C1CO1", "cx cx op"),
    ("gaff2", "CC(=O)N", "c3 c o nt"),
    ("gaff", "CC(=O)N", "c3 c o n"),
    ("gaff", "C=CC1=CC1", "c2 ce ce cu cx"),  # conjugation comes before small rings
    ("gaff", "CC(=S)C", "c3 c s c3"),
    ("gaff2", "CC(=S)C", "c3 cs s c3"),
    ("gaff", "C=CC=C", "c2 ce ce c2"),
    ("gaff", "c1cc[nH]c1", "cc cc cd na cd"),
]


@pytest.mark.parametrize(("name", "smiles", "types"), BY_HAND)
def test_types_are_those_of_the_definitions(name, smiles, types, typers):
    batch = from_smiles(smiles)
    got = names_of(typers[name], batch, "antechamber")
    assert " ".join(np.array(got)[batch.elements > 1]) == types


def test_the_hydrogen_of_an_aldehyde_is_h4_and_that_of_a_formate_h5(typers):
    batch = from_smiles("CC=O", "COC=O")
    got = np.array(names_of(typers["gaff"], batch))
    hydrogens = (batch.elements == 1) & (np.roll(batch.elements, 1) >= 1)
    assert "h4" in got[hydrogens & (batch.atom_molecules == 0)]
    assert "h5" in got[hydrogens & (batch.atom_molecules == 1)]


def test_the_bare_nitrogens_of_tetrazolate_are_all_alike_in_gaff(typers):
    batch = from_smiles("Cc1nn[n-]n1")
    annotations = annotate(batch).annotations
    rules = typers["gaff"].rules.rules
    found = typers["gaff"].type_atoms(batch, annotations)[batch.elements == 7]
    assert {rules[idx].name for idx in found.tolist()} == {"nc"}


def test_atoms_that_no_rule_matches_have_none(typers):
    batch = from_smiles("CO", "CN")
    names = names_of(typers["alkethoh-types"], batch)
    assert [names[idx] for idx in np.flatnonzero(batch.elements == 7)] == ["?"]
    assert "?" not in names[: batch.atom_offsets[1]]
    typed = typers["alkethoh-types"].typed_atoms(batch, Annotations(atoms={}, edges={}), batch.orders)
    assert (typed.rules[typed.types < 0] == -1).all()


def test_elements_without_rules_are_types_by_their_symbols(typers):
    batch = from_smiles("C[Si](C)(C)C", "CB(O)O", "[Na+].[Cl-]")
    got = np.array(names_of(typers["gaff2"], batch))
    assert got[np.isin(batch.elements, [5, 11, 14, 17])].tolist() == ["Si", "B", "Na", "cl"]


@pytest.mark.parametrize("name", FORCE_FIELDS)
def test_a_typer_remembers_and_travels_without_changing_its_answers(name, drugs, typers):
    batches_ = [part(drugs, range(start, start + 20)) for start in (0, 100, 200)]
    fresh = [names_of(typer_of(name), batch) for batch in batches_]
    copy = pickle.loads(pickle.dumps(typers[name]))
    for typer in (typers[name], copy):
        for idx in (2, 0, 1, 0):
            assert names_of(typer, batches_[idx]) == fresh[idx]


@pytest.mark.parametrize("name", FORCE_FIELDS)
def test_types_do_not_depend_on_the_batch(name, some_drugs, typers):
    whole = names_of(typers[name], some_drugs)
    alone = [text for idx in range(some_drugs.n_molecules) for text in names_of(typers[name], part(some_drugs, [idx]))]
    assert whole == alone


def test_every_drug_is_typed(drugs, typers):
    for name in FORCE_FIELDS:
        assert "?" not in names_of(typers[name], drugs)


def test_every_alkane_ether_and_alcohol_is_typed(typers):
    batch = read(data_directory("molecules") / "alkethoh.smi")
    assert "?" not in names_of(typers["alkethoh-types"], batch)


def test_types_of_alkanes_ethers_and_alcohols_are_those_of_parm_at_frosst(typers):
    utils = pytest.importorskip("openff.toolkit.utils", reason="openff-toolkit is not installed")
    blocks = (
        Path(utils.get_data_file_path("molecules/AlkEthOH_test_filt1_ff.mol2")).read_text().split("@<TRIPOS>MOLECULE")
    )
    n_atoms = 0
    for block in blocks[1:]:
        rows = [line.split() for line in block.split("@<TRIPOS>ATOM\n")[1].split("@<TRIPOS>")[0].splitlines() if line]
        bonds = [line.split() for line in block.split("@<TRIPOS>BOND\n")[1].split("@<TRIPOS>")[0].splitlines() if line]
        molecule = Chem.RWMol()
        for row in rows:
            atom = Chem.Atom(row[5][0])
            atom.SetNoImplicit(True)
            molecule.AddAtom(atom)
        for _, first, second, _order, *_ in bonds:
            molecule.AddBond(int(first) - 1, int(second) - 1, Chem.BondType.SINGLE)
        batch = GraphBatch.from_molecules([molecule_from_molblock(Chem.MolToMolBlock(molecule))])
        assert names_of(typers["alkethoh-types"], batch) == [row[5] for row in rows]
        n_atoms += len(rows)
    assert n_atoms == 803


def typed_by_ambertools(test_data):
    """Records of typed drugs, and the molecules as AmberTools read them: bonds in the order of the mapped SMILES."""
    with lzma.open(test_data / "gaff" / "minidrugbank_antechamber_types.jsonl.xz", "rt") as stream:
        records = list(map(json.loads, stream))
    parser = Chem.SmilesParserParams()
    parser.removeHs = False
    molecules = []
    for record in records:
        molecule = Chem.MolFromSmiles(record["mapped_smiles"], parser)
        order = np.argsort([atom.GetAtomMapNum() for atom in molecule.GetAtoms()]).tolist()
        molecule = Chem.RenumberAtoms(molecule, order)
        for atom in molecule.GetAtoms():
            atom.SetAtomMapNum(0)
        molecules.append(molecule_from_molblock(Chem.MolToMolBlock(molecule)))
    return records, GraphBatch.from_molecules(molecules)


@pytest.mark.parametrize("name", FORCE_FIELDS)
def test_nearly_all_types_of_drugs_are_those_of_ambertools(name, typers, test_data):
    records, batch = typed_by_ambertools(test_data)
    wanted = np.array([text for record in records for text in record[name].split()])
    differs = np.array(names_of(typers[name], batch, "antechamber")) != wanted
    assert differs.mean() < 0.002
    # A sulfone that is drawn as S(OH)2: AmberTools moves bonds of rings far from it.
    molecules = np.unique(batch.atom_molecules[differs]).tolist()
    assert [records[idx]["name"] for idx in molecules] == ["DrugBank_2543"]
