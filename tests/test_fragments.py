"""The fragments that come with ffshare exercise the rules of openff-2.2.1 and are what their names say."""

import csv
import importlib.util
import json
import sys
from collections import Counter
from pathlib import Path

import pytest
from rdkit import Chem

import ffshare
from ffshare.data_files import data_directory

ROOT = Path(__file__).resolve().parents[1]
FRAGMENTS = data_directory("molecules") / "fragments.smi"
LINES = [tuple(line.split("\t")) for line in FRAGMENTS.read_text(encoding="utf-8").splitlines()]
# Names to structures as OPSIN 2.9.0 understands them, made without a look at the SMILES of the file.
with (Path(__file__).parent / "fragment_references.csv").open(encoding="utf-8", newline="") as _file:
    REFERENCES = {row["name"]: row["smiles"] for row in csv.DictReader(_file)}


def script(name):
    spec = importlib.util.spec_from_file_location(name, ROOT / "scripts" / f"{name}.py")
    module = importlib.util.module_from_spec(spec)
    spec.loader.exec_module(module)
    return module


check_fragments, make_fragments = script("check_fragments"), script("make_fragments")


@pytest.fixture(scope="module")
def scheme():
    return ffshare.load_scheme("openff-2.2.1")


@pytest.fixture(scope="module")
def measured(scheme):
    return check_fragments.measured(FRAGMENTS, scheme)


@pytest.fixture(scope="module")
def molecules_of_rules(scheme):
    """(section, rule) to the names of the molecules in which it wins, from the table of labels."""
    batch = ffshare.read(FRAGMENTS)
    found = {(section, rule): set() for section, table in scheme.tables.items() for rule in table.ids}
    for term in scheme.assign(batch).to_table().to_pylist():
        if term["rule_id"] is not None:
            found[term["section"], term["rule_id"]].add(term["molecule"])
    return found


@pytest.mark.parametrize(
    ("section", "least"),
    [("Bonds", 0.95), ("Angles", 0.95), ("ProperTorsions", 0.8), ("ImproperTorsions", 0.95), ("vdW", 0.95)],
)
def test_the_fragments_exercise_the_rules_of_a_section(molecules_of_rules, section, least):
    exercised = [bool(molecules) for (where, _), molecules in molecules_of_rules.items() if where == section]
    assert sum(exercised) / len(exercised) >= least


def test_the_script_measures_what_the_table_of_labels_says(measured, molecules_of_rules):
    for section in measured["sections"]:
        counts = {
            rule: len(names) for (where, rule), names in molecules_of_rules.items() if where == section["section"]
        }
        assert [rule["id"] for rule in section["not_exercised"]] == [rule for rule, n in counts.items() if n == 0]
        assert section["in_one_molecule"] == list(counts.values()).count(1)
        assert section["rules"] == len(counts) == section["exercised"] + len(section["not_exercised"])
        assert section["share"] == section["exercised"] / section["rules"]


def test_a_bonded_rule_that_is_exercised_is_so_in_two_molecules_at_least(molecules_of_rules):
    bonded = ("Bonds", "Angles", "ProperTorsions", "ImproperTorsions")
    once = [key for key, names in molecules_of_rules.items() if key[0] in bonded and len(names) == 1]
    assert once == []


def test_every_fragment_is_read_and_every_term_gets_a_rule(measured):
    assert measured["failures"] == []
    assert measured["molecules"] == len(LINES)
    assert {
        section["section"]: section["unassigned"] for section in measured["sections"] if section["unassigned"]
    } == {}


def test_no_fragment_and_no_name_occurs_twice():
    twice = Counter(Chem.CanonSmiles(smiles) for smiles, _ in LINES) + Counter(name for _, name in LINES)
    assert [key for key, n in twice.items() if n > 1] == []


def test_fragments_are_small_and_carry_one_charge_at_most():
    mols = [Chem.MolFromSmiles(smiles) for smiles, _ in LINES]
    sizes = [mol.GetNumHeavyAtoms() for mol in mols]
    assert sizes == sorted(sizes)
    assert max(sizes) <= 12
    assert sum(size < 10 for size in sizes) > 0.9 * len(sizes)
    assert {Chem.GetFormalCharge(mol) for mol in mols} == {-1, 0, 1}


def test_the_file_is_what_its_script_prints():
    # Canonical forms may change between releases of RDKit, so both sides are written by the same one.
    assert [(Chem.CanonSmiles(smiles), name) for smiles, name in LINES] == make_fragments.fragments()


def test_a_fragment_has_the_structure_of_its_name():
    assert set(REFERENCES) == {name for _, name in LINES}
    others = [name for smiles, name in LINES if Chem.CanonSmiles(smiles) != Chem.CanonSmiles(REFERENCES[name])]
    assert others == []


def test_a_rule_that_only_matches_is_listed_as_not_exercised(scheme, tmp_path):
    path = tmp_path / "ethane.smi"
    path.write_text("CC\n")
    found = check_fragments.measured(path, scheme)
    bonds = next(section for section in found["sections"] if section["section"] == "Bonds")
    assert (bonds["rules"], bonds["exercised"], bonds["share"]) == (90, 2, 2 / 90)
    assert {"id": "b2", "pattern": "[#6X4:1]-[#6X3:2]"} in bonds["not_exercised"]
    angles = next(section for section in found["sections"] if section["section"] == "Angles")
    # H-C-H matches a1 too, but a2 comes later; a1 wins at H-C-C.
    assert angles["exercised"] == 2
    methane = tmp_path / "methane.smi"
    methane.write_text("C\n")
    angles = next(one for one in check_fragments.measured(methane, scheme)["sections"] if one["section"] == "Angles")
    assert "a1" in [rule["id"] for rule in angles["not_exercised"]]


def test_the_script_prints_a_table_or_json_and_fails_on_what_it_cannot_use(tmp_path, monkeypatch, capsys):
    path = tmp_path / "some.smi"
    path.write_text("C\nC1CC\n")
    monkeypatch.setattr(sys, "argv", ["check_fragments.py", str(path)])
    assert check_fragments.main() == 1
    table, faults = capsys.readouterr()
    assert table.startswith("openff-2.2.1 on 1 molecules\n")
    assert "\nAngles: not exercised\n    a1       [*:1]~[#6X4:2]-[*:3]\n" in table
    assert faults == f"{path}:2: SMILES does not parse: unclosed ring for input: 'C1CC'\n"
    path.write_text("C\n")
    monkeypatch.setattr(sys, "argv", ["check_fragments.py", str(path), "--scheme", "openff-2.3.0", "--json"])
    assert check_fragments.main() == 0
    found = json.loads(capsys.readouterr().out)
    assert (found["scheme"], found["molecules"], found["failures"]) == ("openff-2.3.0", 1, [])
