"""`ffshare assign`: what it writes, and that nothing shows how the work was cut."""

import csv
import functools
import hashlib
import json

import pyarrow as pa
import pyarrow.parquet as pq
import pytest

import ffshare
from ffshare.cli import labelling
from tests.cli.conftest import names

FORCE_FIELD = "openff-2.2.1"
MIXED = "CCO ethanol\nC1CC open\nO water\n[CH3] radical\n\nCC(F)Cl mixed\n"


@pytest.fixture(scope="module")
def drugs(tmp_path_factory):
    """Thirty drugs, among them ones with stereocentres."""
    lines = ffshare.data_files.data_directory("molecules").joinpath("drugs.smi").read_text().splitlines()[::9]
    path = tmp_path_factory.mktemp("drugs") / "some.smi"
    path.write_text("\n".join([*lines, "C/C=C/C butene", "F[C@H](Cl)Br chiral", "[NH4+].[O-][N+](=O)c1ccccc1 salt"]))
    return path


def rows_of_csv(path):
    with open(path, encoding="utf-8", newline="") as stream:
        rows = list(csv.DictReader(stream))
    return [
        {
            "molecule_idx": int(row["molecule_idx"]),
            "molecule": row["molecule"],
            "section": row["section"],
            "atoms": [int(atom) for atom in row["atoms"].split("-")],
            "rule_id": row["rule_id"] or None,
            "pattern": row["pattern"] or None,
            "fallback": row["fallback"] or None,
        }
        for row in rows
    ]


READERS = {
    ".parquet": lambda path: pq.read_table(path).to_pylist(),
    ".csv": rows_of_csv,
    ".json": lambda path: json.loads(path.read_text()),
}


def test_the_three_formats_hold_the_same_rows(cli, rules, write, results):
    source = write(MIXED)
    found = {}
    for suffix, read in READERS.items():
        assert cli("assign", source, "--scheme", rules, "--out", results / f"labels{suffix}").status == 0
        found[suffix] = read(results / f"labels{suffix}")
    assert found[".parquet"] == found[".csv"] == found[".json"]
    assert list(found[".parquet"][0]) == [
        "molecule_idx",
        "molecule",
        "section",
        "atoms",
        "rule_id",
        "pattern",
        "fallback",
    ]


def test_the_labels_of_ethanol_are_those_found_by_hand(cli, rules, write, results):
    done = cli("assign", write("CCO ethanol\n"), "--scheme", rules, "--out", results / "labels.json")
    assert done.out.startswith("1 molecules read = 1 labelled + 0 failed; 42 terms, 4 without a rule")
    rows = json.loads((results / "labels.json").read_text())
    assert rows[0] == {
        "molecule_idx": 0,
        "molecule": "ethanol",
        "section": "Bonds",
        "atoms": [0, 1],
        "rule_id": "b1",
        "pattern": "[*:1]~[*:2]",
        "fallback": None,
    }
    rule_ids = {tuple(row["atoms"]): row["rule_id"] for row in rows if row["section"] == "Bonds"}
    carbon_hydrogen = [(0, 3), (0, 4), (0, 5), (1, 6), (1, 7)]
    assert rule_ids == {(0, 1): "b1", (1, 2): "b1", (2, 8): "b1"} | dict.fromkeys(carbon_hydrogen, "b2")
    missing = [(row["section"], row["atoms"]) for row in rows if row["rule_id"] is None]
    assert missing == [
        ("Angles", [1, 2, 8]),
        ("ProperTorsions", [0, 1, 2, 8]),
        ("ProperTorsions", [6, 1, 2, 8]),
        ("ProperTorsions", [7, 1, 2, 8]),
    ]
    assert all(row["pattern"] is None for row in rows if row["rule_id"] is None)


def test_terms_without_a_rule_are_named_with_their_atoms_and_elements(cli, rules, write, results):
    done = cli("assign", write("CCO ethanol\nO\n"), "--scheme", rules, "--out", results / "labels.csv")
    assert "no rule: ethanol: Angles 1-2-8 (C-O-H)\n" in done.err
    assert "no rule: ethanol: ProperTorsions 0-1-2-8 (C-C-O-H)\n" in done.err
    assert "no rule: molecule 1: Angles 1-0-2 (H-O-H)\n" in done.err


def test_of_many_terms_without_a_rule_ten_are_named_and_all_are_counted(cli, rules, write, results):
    done = cli("assign", write("O w\n" * 25), "--scheme", rules, "--out", results / "labels.csv")
    assert done.err.count("no rule: w: Angles") == 10
    assert "no rule: 15 more terms, all in the labels\n" in done.err
    assert "25 without a rule" in done.out


def test_molecules_in_are_those_labelled_and_those_failed(cli, rules, write, results):
    done = cli("assign", write(MIXED), "--scheme", rules, "--out", results / "labels.parquet")
    assert done.status == 0
    assert done.out.startswith("5 molecules read = 3 labelled + 2 failed; ")
    assert f"what failed, and why: {results / 'labels.failures.csv'}\n" in done.err
    molecules = pq.read_table(results / "labels.molecules.parquet")
    assert molecules["molecule_idx"].to_pylist() == [0, 2, 4]
    assert molecules["molecule"].to_pylist() == ["ethanol", "water", "mixed"]
    with open(results / "labels.failures.csv", encoding="utf-8", newline="") as stream:
        failures = list(csv.DictReader(stream))
    assert [(row["molecule_idx"], row["line"], row["name"], row["input"]) for row in failures] == [
        ("1", "2", "open", "C1CC"),
        ("3", "4", "radical", "[CH3]"),
    ]
    assert failures[0]["reason"] == "SMILES does not parse: unclosed ring for input: 'C1CC'"
    assert failures[0]["advice"] == "correct the SMILES"
    assert set(pq.read_table(results / "labels.parquet")["molecule_idx"].to_pylist()) == {0, 2, 4}


def test_where_every_molecule_fails_the_files_are_there_and_empty(cli, rules, write, results):
    done = cli("assign", write("C1CC\n[CH3]\n"), "--scheme", rules, "--out", results / "labels.parquet")
    assert (done.status, done.out[:56]) == (0, "2 molecules read = 0 labelled + 2 failed; 0 terms, 0 wit")
    assert len(pq.read_table(results / "labels.parquet")) == 0
    assert len(pq.read_table(results / "labels.molecules.parquet")) == 0


def test_the_summary_as_json_has_the_numbers_and_nothing_else_on_standard_output(cli, rules, write, results):
    out = results / "labels.csv"
    done = cli("assign", write(MIXED), "--scheme", rules, "--out", out, "--json")
    assert done.json == {
        "scheme": str(rules),
        "read": 5,
        "labelled": 3,
        "failed": 2,
        "terms": 42 + 6 + 36,
        "unassigned": 4 + 1,
        "guessed": 0,
        "undefined_stereo": 1,
        "n_frustrated": 0,
        "n_arbitrary": 0,
        "frustrated": [],
        "arbitrary": [],
        "out": str(out),
    }


def test_undefined_stereochemistry_is_one_line_whatever_the_output(cli, rules, write, results):
    source = write("CC(F)Cl\nFC=CF\nF[C@H](Cl)Br\nF/C=C/F\nCCO\n")
    line = "molecules with undefined stereochemistry, labelled as given: 2\n"
    for output in ([], ["--out", results / "labels.csv"], ["--out", results / "labels.csv", "--json"]):
        assert cli("assign", source, "--scheme", rules, *output).err.count(line) == 1
    assert "undefined stereochemistry" not in cli("assign", write("CCO\n"), "--scheme", rules).err
    counts = pq.read_table(results / "labels.molecules.parquet")["n_undefined_stereo"].to_pylist()
    assert counts == [1, 1, 0, 0, 0]


def test_without_out_the_labels_go_to_standard_output_as_csv_and_the_rest_to_standard_error(
    cli, rules, write, results, tmp_path
):
    source = write(MIXED)
    cli("assign", source, "--scheme", rules, "--out", results / "labels.csv")
    before = names(tmp_path)
    done = cli("assign", source, "--scheme", rules)
    assert done.status == 0
    assert done.out == (results / "labels.csv").read_text()
    assert "5 molecules read = 3 labelled + 2 failed" in done.err
    assert f"{source}, line 2 (open): SMILES does not parse: unclosed ring for input: 'C1CC'; correct the" in done.err
    assert names(tmp_path) == before


def test_without_out_json_gives_the_labels_as_json(cli, rules, write, results):
    source = write(MIXED)
    cli("assign", source, "--scheme", rules, "--out", results / "labels.json")
    assert cli("assign", source, "--scheme", rules, "--json").out == (results / "labels.json").read_text()
    assert cli("assign", write("C1CC\n"), "--scheme", rules, "--json").json == []


@pytest.mark.parametrize("arguments", [["-", "--scheme", "RULES"], ["--scheme", "RULES", "-"]])
def test_a_hyphen_is_standard_input_wherever_it_stands(cli, rules, arguments):
    done = cli("assign", *[rules if word == "RULES" else word for word in arguments], stdin=b"CCO ethanol\nC1CC\n")
    assert done.status == 0
    assert "0,ethanol,Bonds,0-1,b1,[*:1]~[*:2],\n" in done.out
    assert "-, line 2 (C1CC): SMILES does not parse" in done.err


def test_an_option_that_is_none_is_not_taken_for_a_file(cli, rules, write):
    done = cli("assign", write("CCO\n"), "--scheme", rules, "--worker", "2")
    assert done.status == 2
    assert done.out == ""
    assert "No option --worker." in done.err


def test_several_inputs_are_numbered_through(cli, rules, write, results):
    first, second = write("C\nC1CC\n", "one.smi"), write("id,smiles\nw,O\nx,X\n", "two.csv")
    cli("assign", first, second, "--scheme", rules, "--out", results / "labels.parquet")
    molecules = pq.read_table(results / "labels.molecules.parquet").to_pylist()
    assert [(row["molecule_idx"], row["molecule"]) for row in molecules] == [(0, ""), (2, "w")]
    with open(results / "labels.failures.csv", encoding="utf-8", newline="") as stream:
        failures = [(row["molecule_idx"], row["file"], row["line"]) for row in csv.DictReader(stream)]
    assert failures == [("1", str(first), "2"), ("3", str(second), "3")]


@pytest.mark.parametrize("suffix", [".csv", ".parquet"])
def test_the_columns_of_a_table_can_be_named(cli, rules, tmp_path, results, suffix):
    table = pa.table({"mol": ["CCO", "O"], "smiles": ["?", "?"], "key": ["first", "second"], "name": ["?", "?"]})
    source = tmp_path / f"in{suffix}"
    if suffix == ".parquet":
        pq.write_table(table, source)
    else:
        source.write_text("mol,smiles,key,name\nCCO,?,first,?\nO,?,second,?\n")
    arguments = ["--smiles-column", "mol", "--name-column", "key", "--out", results / "labels.parquet"]
    assert "2 labelled + 0 failed" in cli("assign", source, "--scheme", rules, *arguments).out
    molecules = pq.read_table(results / "labels.molecules.parquet")["molecule"].to_pylist()
    assert molecules == ["first", "second"]


def test_strict_ends_at_the_first_failure_and_writes_nothing(cli, rules, write, results):
    source = write(MIXED)
    done = cli("assign", source, "--scheme", rules, "--out", results / "labels.parquet", "--strict")
    assert done.fails(f"ffshare: {source}, line 2 (open): SMILES does not parse: unclosed ring")
    assert names(results) == []
    good = cli("assign", write("CCO\n"), "--scheme", rules, "--out", results / "labels.parquet", "--strict")
    assert good.status == 0


def test_a_failing_run_leaves_the_files_of_the_last_one_as_they_were(cli, rules, write, results):
    cli("assign", write("CCO\n"), "--scheme", rules, "--out", results / "labels.csv")
    before = {path.name: path.read_bytes() for path in results.iterdir()}
    assert cli("assign", write(MIXED), "--scheme", rules, "--out", results / "labels.csv", "--strict").status == 1
    assert {path.name: path.read_bytes() for path in results.iterdir()} == before
    assert cli("assign", write("O\n"), "--scheme", rules, "--out", results / "labels.csv").status == 0
    assert len(rows_of_csv(results / "labels.csv")) == 6
    assert names(results) == sorted(before)


@pytest.mark.parametrize("suffix", [".parquet", ".csv"])
def test_the_files_say_what_made_them(cli, rules, write, results, suffix):
    source = write("CCO\n")
    arguments = ["--out", results / f"labels{suffix}", "--mode", "spec"]
    cli("assign", source, "-", "--scheme", rules, *arguments, stdin=b"C\n")
    kept = [pq.read_metadata(results / "labels.molecules.parquet").metadata[b"ffshare"]]
    if suffix == ".parquet":
        kept.append(pq.read_metadata(results / "labels.parquet").metadata[b"ffshare"])
    else:
        kept.append((results / "labels.metadata.json").read_bytes())
    expected = {
        "ffshare": ffshare.__version__,
        "scheme": str(rules),
        "force_field_checksums": {rules.name: hashlib.blake2b(rules.read_bytes(), digest_size=16).hexdigest()},
        "input_checksums": {str(source): hashlib.blake2b(b"CCO\n", digest_size=16).hexdigest(), "-": None},
        "settings": {
            "strict": False,
            "smiles_column": None,
            "name_column": None,
            "mode": "spec",
        },
    }
    assert [json.loads(one) for one in kept] == [expected, expected]


def test_of_two_force_fields_with_a_comma_between_the_later_one_wins(cli, rules, write, tmp_path):
    later = tmp_path / "later.offxml"
    text = rules.read_text()
    begin, end = text.index("    <Bond "), text.index("  </Bonds>")
    rule = text[begin : text.index("\n", begin) + 1].replace("[*:1]~[*:2]", "[#6:1]-[#8:2]").replace("b1", "late")
    later.write_text(f"{text[:begin]}{rule}{text[end : text.index('  <Angles')]}</SMIRNOFF>")
    bonds = {"0-1": "b1", "1-2": "late", "0-3": "b2"}
    done = cli("assign", write("CCO\n"), "--scheme", f"{rules},{later}")
    assert all(f",Bonds,{atoms},{rule_id}," in done.out for atoms, rule_id in bonds.items())
    assert ",Angles,0-1-2,a1," in done.out


def test_workers_do_not_show_in_the_files(cli, drugs, results):
    for workers in ("1", "2"):
        arguments = ["--workers", workers, "--out", results / f"{workers}.parquet"]
        assert cli("assign", drugs, "--scheme", FORCE_FIELD, *arguments).status == 0
    for end in (".parquet", ".molecules.parquet"):
        one, two = (pq.read_table(results / f"{workers}{end}") for workers in ("1", "2"))
        assert one.equals(two)
    assert (results / "1.failures.csv").read_bytes() == (results / "2.failures.csv").read_bytes()


def test_how_the_input_was_cut_does_not_show_in_the_files(cli, drugs, results, monkeypatch):
    outcomes = []
    for size in (500, 7):
        monkeypatch.setattr(labelling, "chunked", functools.partial(ffshare.molecules.chunked, size=size))
        for suffix in (".parquet", ".csv", ".json"):
            done = cli("assign", drugs, "--scheme", FORCE_FIELD, "--out", results / f"{size}{suffix}")
            outcomes.append(done.out.replace(f"{size}{suffix}", ""))
    assert len(set(outcomes)) == 1
    for end in (".parquet", ".molecules.parquet"):
        whole, cut = (pq.read_table(results / f"{size}{end}") for size in (500, 7))
        assert whole.schema == cut.schema
        assert whole.to_pylist() == cut.to_pylist()
    for end in (".csv", ".json", ".failures.csv"):
        assert (results / f"500{end}").read_bytes() == (results / f"7{end}").read_bytes()


def test_workers_must_be_one_or_more(cli, rules, write):
    done = cli("assign", write("CCO\n"), "--scheme", rules, "--workers", "0")
    assert (done.status, done.out) == (2, "")
    assert "Must be >= 1" in done.err


def test_a_call_without_a_scheme_or_without_inputs_says_what_is_missing(cli, rules, write):
    done = cli("assign", write("CCO\n"))
    assert (done.status, done.out) == (2, "")
    assert "--scheme requires an argument" in done.err
    assert cli("assign", "--scheme", rules).fails("no input given; name a file or a directory, or '-'")


def test_an_atom_typed_scheme_gives_types_keys_and_fallbacks(cli, write, results):
    source = write("C=CC=C butadiene\nc1cc2cccc2cc1 odd\n")
    done = cli("assign", source, "--scheme", "gaff2", "--out", results / "labels.json")
    assert done.status == 0
    rows = [row for row in json.loads((results / "labels.json").read_text()) if row["molecule"] == "butadiene"]
    types = {row["atoms"][0]: row for row in rows if row["section"] == "vdW"}
    assert [types[atom]["rule_id"] for atom in range(5)] == ["c2", "ce", "ce", "c2", "ha"]
    assert types[0]["pattern"] == "[#6X3:1]"
    keys = {tuple(row["atoms"]): row for row in rows if row["section"] == "ProperTorsions"}
    assert keys[0, 1, 2, 3]["rule_id"] == "c2-ce-ce-c2"
    assert (keys[4, 0, 1, 6]["rule_id"], keys[4, 0, 1, 6]["pattern"]) == ("X-c2-ce-X", "X-c2-ce-X")
    assert keys[4, 0, 1, 6]["fallback"] is None
    guessed = [row for row in rows if row["fallback"] is not None]
    assert {row["section"] for row in guessed} == {"ImproperTorsions"}
    assert "values that a named fall-back gave: " in done.err


def test_several_schemes_that_are_no_smirnoff_rules_cannot_be_appended(cli, write):
    cli("assign", write("C\n"), "--scheme", "gaff2,openff-2.2.1").fails("only SMIRNOFF rules can be appended to others")


def test_molecules_with_a_choice_between_equivalent_places_are_named(cli, write, results):
    source = write("CC(=O)[CH-]C(C)=O acetylacetonate\nCCO ethanol\n")
    done = cli("assign", source, "--scheme", "gaff2", "--out", results / "labels.csv", "--json")
    assert done.json["arbitrary"] == ["acetylacetonate"]
    assert "one of several equivalent places chosen for a charge or double bonds: acetylacetonate\n" in done.err
