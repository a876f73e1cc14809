"""`ffshare explain`: every rule that matches a term, in order, and what beat each."""

import pytest

from ffshare.molecules import from_smiles
from ffshare.rules import load_force_field
from tests.assign.oracle import every_match

SECTIONS = ("Constraints", "Bonds", "Angles", "ProperTorsions", "ImproperTorsions", "vdW")


@pytest.fixture(scope="module")
def force_field():
    return load_force_field("openff-2.2.1")


def test_the_rules_of_a_term_stand_in_the_order_of_the_file_and_the_last_wins(cli, rules):
    done = cli("explain", "CCO", "--scheme", rules, "--section", "Bonds", "--atoms", "0,3", "--json")
    first, last = done.json[0]["matches"]
    assert done.json == [{"section": "Bonds", "atoms": [0, 3], "rule_id": "b2", "matches": [first, last]}]
    assert first == {
        "rule_id": "b1",
        "pattern": "[*:1]~[*:2]",
        "line": 4,
        "wins": False,
        "reason": "b2 comes later and matches too",
    }
    assert last == {
        "rule_id": "b2",
        "pattern": "[#6:1]-[#1:2]",
        "line": 5,
        "wins": True,
        "reason": "last rule that matches",
    }


def test_the_table_shows_what_the_json_says(cli, rules):
    done = cli("explain", "CCO", "--scheme", rules, "--section", "Bonds", "--atoms", "0,3")
    lines = [line.split("  ") for line in done.out.splitlines()]
    cells = [[cell.strip() for cell in line if cell.strip()] for line in lines]
    assert cells[0] == [f"Bonds of CCO by {rules}"]
    assert [row for row in cells if "b1" in row or "b2" in row] == [
        ["0-3", "b1", "[*:1]~[*:2]", "b2 comes later and matches too"],
        ["b2", "wins", "[#6:1]-[#1:2]", "last rule that matches"],
    ]
    assert done.err == ""


@pytest.mark.parametrize("smiles", ["CC(=O)Nc1ccc(O)cc1", "C[N+](C)(C)CC(=O)[O-]", "[Na+].OP(=O)([O-])OC"])
def test_every_match_of_a_plain_loop_over_rdkit_is_there_and_no_other(cli, force_field, smiles):
    done = cli("explain", smiles, "--scheme", "openff-2.2.1", "--json")
    for section in SECTIONS:
        table = force_field.tables[section]
        found = {
            tuple(term["atoms"]): [match["rule_id"] for match in term["matches"]]
            for term in done.json
            if term["section"] == section and term["matches"]
        }
        expected = every_match(table, from_smiles(smiles))
        assert found == {atoms: [table.ids[rule] for rule in rules] for atoms, rules in expected.items()}


def test_the_winner_of_each_term_is_the_rule_that_assign_gives(cli, rules, write, results):
    smiles = "CC(=O)Nc1ccc(O)cc1"
    rows = cli("assign", write(smiles), "--scheme", "openff-2.2.1", "--json").json
    given = {(row["section"], *row["atoms"]): row["rule_id"] for row in rows if row["section"] in SECTIONS}
    terms = cli("explain", smiles, "--scheme", "openff-2.2.1", "--json").json
    assert {(term["section"], *term["atoms"]): term["rule_id"] for term in terms} == given


@pytest.mark.parametrize("atoms", ["0,1,2", "2,1,0", "0-1-2", " 2, 1 ,0"])
def test_a_term_is_found_from_either_end(cli, rules, atoms):
    done = cli("explain", "CCO", "--scheme", rules, "--atoms", atoms, "--json")
    assert [(term["section"], term["atoms"]) for term in done.json] == [("Angles", [0, 1, 2])]


@pytest.mark.parametrize("atoms", ["1,0,2,3", "3,0,2,1", "2,0,1,3"])
def test_an_improper_is_found_from_any_order_of_its_outer_atoms(cli, atoms):
    done = cli(
        "explain", "C(O)=O", "--scheme", "openff-2.2.1", "--section", "ImproperTorsions", "--atoms", atoms, "--json"
    )
    assert [term["atoms"] for term in done.json] == [[1, 0, 2, 3]]


def test_sections_can_be_chosen(cli, rules):
    done = cli("explain", "CCO", "--scheme", rules, "--section", "vdW", "--section", "Angles", "--json")
    assert {term["section"] for term in done.json} == {"vdW", "Angles"}


def test_a_term_that_no_rule_matches_is_shown(cli, rules):
    done = cli("explain", "CCO", "--scheme", rules, "--section", "Angles", "--atoms", "1,2,8")
    assert "no rule matches" in done.out
    done = cli("explain", "CCO", "--scheme", rules, "--section", "Angles", "--atoms", "1,2,8", "--json")
    assert done.json == [{"section": "Angles", "atoms": [1, 2, 8], "rule_id": None, "matches": []}]


def test_a_section_that_is_none_is_told_with_those_that_are(cli, rules):
    for section in ("Bond", "LibraryCharges", ""):
        done = cli("explain", "CCO", "--scheme", rules, "--section", section)
        assert done.fails(
            f"cannot explain {section}; sections of {rules} to explain: Bonds, Angles, ProperTorsions, vdW"
        )


@pytest.mark.parametrize("atoms", ["0,2", "0,0", "0,99", "0,1,2,3,4"])
def test_atoms_that_are_no_term_are_told(cli, rules, atoms):
    done = cli("explain", "CCO", "--scheme", rules, "--atoms", atoms)
    assert done.fails(f"on atoms {atoms.replace(',', '-')} ")
    assert done.fails("indices are 0-based")


@pytest.mark.parametrize("atoms", ["a,b", "", "0,,1", "0.5,1", "0;1"])
def test_what_is_no_list_of_indices_is_told(cli, rules, atoms):
    done = cli("explain", "CCO", "--scheme", rules, "--atoms", atoms)
    assert done.fails(f"--atoms takes 0-based indices with commas between, such as 0,1,2,3; it was {atoms!r}")


def test_a_smiles_that_cannot_be_used_is_told(cli, rules):
    assert cli("explain", "C1CC", "--scheme", rules).fails("SMILES does not parse: unclosed ring for input: 'C1CC'")
