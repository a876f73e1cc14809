"""Input that cannot be used, as a whole or in part: a clear message, and nothing lost.

What cannot be used as a whole ends the run with its reason and leaves no file. What cannot be used in part goes to the
failures, and molecules in = labelled + failed.
"""

import csv
import gzip

import pyarrow as pa
import pyarrow.parquet as pq
import pytest
from rdkit import Chem

from tests.cli.conftest import names


def molblock(smiles, name):
    molecule = Chem.MolFromSmiles(smiles)
    molecule.SetProp("_Name", name)
    return Chem.MolToMolBlock(molecule)


def outcome(cli, rules, results, *inputs, stdin=b""):
    """How a run ended, and its failures as (line, name, reason)."""
    done = cli("assign", *inputs, "--scheme", rules, "--out", results / "labels.parquet", stdin=stdin)
    assert done.status == 0, done.err
    with open(results / "labels.failures.csv", encoding="utf-8", newline="") as stream:
        failures = list(csv.DictReader(stream))
    assert all(row["advice"] for row in failures)
    return done, [(int(row["line"]), row["name"], row["reason"]) for row in failures]


# Name of the file, its content, and what is said about it.
UNUSABLE = {
    "empty": ("a.smi", b"", "a.smi: is empty; expected molecules"),
    "blank": ("a.smi", b"\n\n# nothing\n", "a.smi: holds no molecule; check that it is the right file"),
    "utf-16": ("a.smi", "CCO ethanol\n".encode("utf-16"), "a.smi: is UTF-16 text; save it as UTF-8"),
    "binary": ("a.smi", bytes(range(128, 256)) * 4, "a.smi: is not UTF-8 text, but a binary file or another encoding"),
    "zip": ("a.smi", b"PK\x03\x04\x00\x01", "a.smi: is a zip archive or a spreadsheet; extract it"),
    "suffix": ("a.xyz", b"CCO\n", "a.xyz: unknown suffix '.xyz'; known are .smi"),
    "no gzip": ("a.smi.gz", b"CCO\n", "a.smi.gz: is not gzip data; compress it or take .gz off its name"),
    "no column": ("a.csv", b"name,structure\nethanol,CCO\n", "a.csv: no SMILES column 'smiles' or"),
    "no parquet": ("a.parquet", b"CCO\n", "a.parquet: is not a Parquet file, or was cut short"),
    "empty parquet": ("a.parquet", b"", "a.parquet: is not a Parquet file, or was cut short"),
    "empty sdf": ("a.sdf", b"", "a.sdf: is empty; expected molecules"),
}


@pytest.mark.parametrize(("name", "content", "message"), UNUSABLE.values(), ids=UNUSABLE)
def test_what_cannot_be_used_as_a_whole_ends_the_run_and_leaves_nothing(
    cli, rules, write, results, name, content, message
):
    good = write("CCO\n", "good.smi")
    arguments = ["--scheme", rules, "--out", results / "labels.parquet"]
    assert cli("assign", good, write(content, name), *arguments).fails(message)
    assert names(results) == []
    assert cli("count", good, write(content, name), "--scheme", rules).fails(message)


def test_all_inputs_that_cannot_be_used_are_named_at_once(cli, rules, tmp_path, write):
    first, second = tmp_path / "none.smi", write("", "empty.sdf")
    done = cli("assign", first, second, "--scheme", rules)
    assert done.fails("2 faults in the input")
    assert done.fails(f"{first}: no such file or directory; check the path")
    assert done.fails(f"{second}: is empty")


def test_empty_standard_input_is_an_error(cli, rules, results):
    assert cli("assign", "-", "--scheme", rules, "--out", results / "labels.csv").fails("-: is empty")
    assert names(results) == []


def test_a_table_without_the_named_column_lists_those_it_has(cli, rules, tmp_path, results):
    source = tmp_path / "in.parquet"
    pq.write_table(pa.table({"id": ["a"], "smiles": ["CCO"], "mass": [46.07]}), source)
    done = cli("assign", source, "--scheme", rules, "--smiles-column", "SMI", "--out", results / "labels.csv")
    assert done.fails("in.parquet: no SMILES column 'SMI'; its columns are 'id', 'smiles', 'mass'")
    done = cli("assign", source, "--scheme", rules, "--smiles-column", "mass", "--out", results / "labels.csv")
    assert done.fails("in.parquet: column 'mass' holds double and not text")
    assert names(results) == []


def test_a_name_longer_than_the_system_takes_is_an_error(cli, rules):
    assert cli("assign", "a" * 300 + ".smi", "--scheme", rules).fails(
        "aaa.smi: cannot be looked at: File name too long"
    )
    assert cli("assign", "a.smi", "--scheme", "a" * 300).fails("no file and no installed force field is called 'aaa")


# SMILES, and what is said about them.
REFUSED = {
    "C1CC": "SMILES does not parse: unclosed ring for input: 'C1CC'",
    "C(C": "SMILES does not parse: extra open parentheses while parsing: C(C",
    "CQ": "SMILES does not parse: syntax error while parsing: CQ",
    "C[CH5]": "not a valid molecule: Explicit valence for atom # 1 C, 6, is greater than permitted",
    "FC(F)(F)(F)F": "not a valid molecule: Explicit valence for atom # 1 C, 5, is greater than permitted",
    "c1cccc1": "not a valid molecule: Can't kekulize mol.  Unkekulized atoms: 0 1 2 3 4",
    "C*": "atom 1 is a dummy atom (*)",
    "[1*]CC": "atom 0 is a dummy atom (*)",
    "[CH3]": "atom 0 (C) has 1 unpaired electrons",
    "CC[O]": "atom 2 (O) has 1 unpaired electrons",
    "[O][O]": "atom 0 (O) has 1 unpaired electrons",
    "C~C": "the bond between atoms 0 and 1 has no order",
}


@pytest.mark.parametrize(("smiles", "reason"), REFUSED.items(), ids=REFUSED)
def test_a_molecule_that_cannot_be_labelled_is_a_failure_with_its_reason(cli, rules, write, results, smiles, reason):
    done, failures = outcome(cli, rules, results, write(f"C methane\n{smiles} odd\nO water\n"))
    assert done.out.startswith("3 molecules read = 2 labelled + 1 failed; ")
    assert failures[0][:2] == (2, "odd")
    assert failures[0][2].startswith(reason)
    assert cli("explain", smiles, "--scheme", rules).fails(reason)


def test_a_record_without_atoms_is_a_failure(cli, rules, write, results):
    source = write(molblock("", "nothing") + "$$$$\n" + molblock("C", "methane") + "$$$$\n", "in.sdf")
    _, failures = outcome(cli, rules, results, source)
    assert failures == [(1, "nothing", "no atoms")]
    assert cli("explain", "", "--scheme", rules).fails("no atoms")


def test_a_line_that_is_not_utf_8_is_a_failure(cli, rules, write, results):
    done, failures = outcome(cli, rules, results, write(b"C methane\nCC \xe9thane\nO water\n"))
    assert done.out.startswith("3 molecules read = 2 labelled + 1 failed; ")
    assert failures == [(2, "", "not UTF-8: byte 0xe9 at position 4")]


@pytest.mark.parametrize("line", ["C" * 100_000, "C" * 100_000 + " long", "C " + "x" * 100_000, " " * 100_000])
def test_a_line_of_100_000_characters_is_a_failure(cli, rules, write, results, line):
    done, failures = outcome(cli, rules, results, write(f"C methane\n{line}\nO water\n"))
    assert done.out.startswith("3 molecules read = 2 labelled + 1 failed; ")
    assert failures == [(2, "", "longer than 65,536 bytes")]
    assert (results / "labels.failures.csv").stat().st_size < 1000


def test_what_a_failure_quotes_is_short(cli, rules, write, results):
    smiles = "C" * 5000 + "("
    outcome(cli, rules, results, write(f"C methane\n{smiles} {'n' * 5000}\n"))
    assert (results / "labels.failures.csv").stat().st_size < 1000
    assert len(cli("explain", smiles, "--scheme", rules).err) < 1000


# SMILES that are accepted: atoms with hydrogens, and terms of the few rules that have none.
ACCEPTED = {
    "isotope": ("[13CH3][2H]", 5),
    "several components": ("[NH4+].[Cl-].O", 9),
    "metal": ("[Fe+2].[O-]C=O.[O-]C=O", 9),
    "bonded metal": ("N[Pt](N)(Cl)Cl", 9),
    "dative bond": ("CN->[Cu+2]", 8),
    "noble gas": ("[He]", 1),
    "proton": ("[H+]", 1),
    "hydrogen": ("[H][H]", 2),
    "carbene of a metal": ("[U]", 1),
}


@pytest.mark.parametrize(("smiles", "n_atoms"), ACCEPTED.values(), ids=ACCEPTED)
def test_unusual_molecules_are_labelled(cli, rules, write, results, smiles, n_atoms):
    done, failures = outcome(cli, rules, results, write(f"{smiles} odd\n"))
    assert failures == []
    assert done.out.startswith("1 molecules read = 1 labelled + 0 failed; ")
    sections = pq.read_table(results / "labels.parquet")["section"].to_pylist()
    assert sections.count("vdW") == n_atoms


def test_the_terms_of_a_metal_are_there_without_a_rule(cli, write, results):
    done, failures = outcome(cli, "openff-2.2.1", results, write("N[Pt](N)(Cl)Cl cisplatin\n"))
    assert failures == []
    assert "no rule: cisplatin: Bonds 0-1 (N-Pt)\n" in done.err
    rows = pq.read_table(results / "labels.parquet").to_pylist()
    platinum = [row for row in rows if row["section"] == "vdW" and row["atoms"] == [1]]
    assert [row["rule_id"] for row in platinum] == [None]


def test_a_molecule_of_a_thousand_atoms_is_labelled(cli, rules, write, results):
    # A PEG of n units and polyethylene of m carbons, terms counted by hand for their chains.
    n, m = 143, 333
    _, failures = outcome(cli, rules, results, write(f"{'OCC' * n}O peg\n{'C' * m} polyethylene\n"))
    assert failures == []
    table = pq.read_table(results / "labels.parquet")
    counts = {}
    for row in table.select(["molecule", "section"]).to_pylist():
        key = row["molecule"], row["section"]
        counts[key] = counts.get(key, 0) + 1
    peg = 7 * n + 3
    assert peg > 1000
    assert (counts["peg", "vdW"], counts["peg", "Bonds"]) == (peg, peg - 1)
    # Six angles at each carbon, one at each oxygen; nine torsions about C-C, three about each C-O.
    assert counts["peg", "Angles"] == 6 * 2 * n + n + 1
    assert counts["peg", "ProperTorsions"] == 9 * n + 3 * 2 * n
    assert counts["polyethylene", "vdW"] == 3 * m + 2
    assert counts["polyethylene", "Angles"] == 6 * m
    assert counts["polyethylene", "ProperTorsions"] == 9 * (m - 1)


SDF = "".join(molblock(smiles, name) + "$$$$\n" for smiles, name in [("CCO", "ethanol"), ("O", "water"), ("C", "last")])


def test_an_sd_file_cut_short_loses_the_last_molecule_only(cli, rules, write, results):
    done, failures = outcome(cli, rules, results, write(SDF[: SDF.rindex("M  END")], "cut.sdf"))
    assert done.out.startswith("3 molecules read = 2 labelled + 1 failed; ")
    assert [(name, reason) for _, name, reason in failures] == [("last", "SD record cut short: no 'M  END' line")]


@pytest.mark.parametrize("suffix", [".smi.gz", ".sdf.gz"])
def test_compressed_data_cut_short_are_labelled_as_far_as_they_go(cli, rules, write, results, suffix):
    lines = "".join(f"{'C' * (n % 7 + 1)}O number{n}\n" for n in range(400))
    whole = gzip.compress((lines if suffix == ".smi.gz" else SDF * 40).encode())
    done, failures = outcome(cli, rules, results, write(whole[: len(whole) * 3 // 4], f"cut{suffix}"))
    read, labelled, failed = (int(done.out.split()[place]) for place in (0, 4, 7))
    assert (read, failed) == (labelled + 1, 1)
    assert labelled > 20
    assert "the compressed data end early or are damaged here, so the rest of the file is lost" in failures[0][2]


def test_failures_are_counted_in_the_count_and_told(cli, rules, write):
    source = write("C methane\nC1CC open\n")
    done = cli("count", source, "--scheme", rules)
    assert done.status == 0
    assert f"{source}, line 2 (open): SMILES does not parse: unclosed ring" in done.err
    assert "2 molecules read = 1 counted + 1 failed\n" in done.err
    assert cli("count", source, "--scheme", rules, "--strict").fails(f"{source}, line 2 (open): SMILES does not")


BOMB = """<?xml version="1.0"?>
<!DOCTYPE bomb [<!ENTITY a "aaaaaaaaaa"><!ENTITY b "&a;&a;&a;&a;"><!ENTITY c "&b;&b;&b;&b;">]>
<SMIRNOFF version="0.3" aromaticity_model="OEAroModel_MDL"><Author>&c;</Author></SMIRNOFF>
"""
FAULTY = """<SMIRNOFF version="0.3" aromaticity_model="OEAroModel_MDL">
  <vdW version="0.3" scale14="0.5" cutoff="9 * angstrom">
    <Atom smirks="[#6:1]" id="n1" epsilon="0.1 * kilocalorie" sigma="3 * angstrom"/>
    <Atom smirks="[#6:1" id="n2" epsilon="0.1 * kilocalorie/mole" sigma="3"/>
    <Atom smirks="[#6]" id="n3" epsilon="0.1 * kilocalorie/mole" sigma="3 * angstrom"/>
  </vdW>
</SMIRNOFF>
"""
# Content of a force field, and what is said about it.
FORCE_FIELDS = {
    "no XML": ("force field\n", ["1 fault", "line 1: not XML: syntax error at column 1"]),
    "empty": ("", ["the file is empty; expected XML with the root <SMIRNOFF>"]),
    "cut short": (FAULTY[:120], ["the file ends too early"]),
    "bomb": (BOMB, ["line 2: document types and entities are refused: they can make a small file fill the memory"]),
    "bad units, bad patterns": (
        FAULTY,
        [
            "4 faults",
            "line 3: vdW rule 'n1': epsilon: '0.1 * kilocalorie' has the unit kcal; expected one like 'kcal/mol'",
            "line 4: vdW rule 'n2': sigma: '3' has no unit; expected one like 'Å'",
            "line 4: vdW rule 'n2': pattern '[#6:1': RDKit cannot parse it",
            "line 5: vdW rule 'n3': pattern '[#6]'",
        ],
    ),
    "not a force field": (
        "<html></html>",
        ["line 1: the root element is <html>; a SMIRNOFF force field has <SMIRNOFF"],
    ),
}


@pytest.mark.parametrize(("content", "messages"), FORCE_FIELDS.values(), ids=FORCE_FIELDS)
def test_a_force_field_that_cannot_be_used_is_refused_with_all_its_faults(cli, write, results, content, messages):
    source, scheme = write("CCO\n"), write(content, "bad.offxml")
    commands = [
        ("assign", source, "--scheme", scheme, "--out", results / "labels.csv"),
        ("count", source, "--scheme", scheme),
        ("explain", "CCO", "--scheme", scheme),
    ]
    for command in commands:
        done = cli(*command)
        assert all(done.fails(message) for message in messages)
        assert f"ffshare: {scheme}: " in done.err
    assert names(results) == []


def test_an_unknown_scheme_is_told_its_nearest(cli, write, results):
    source = write("CCO\n")
    message = "no file and no installed force field is called 'openff-2.2.11'; closest are openff-2.2.1"
    for command in (
        ["assign", source, "--out", results / "labels.csv"],
        ["count", source],
        ["explain", "CCO"],
    ):
        assert cli(*command, "--scheme", "openff-2.2.11").fails(message)
    assert names(results) == []
