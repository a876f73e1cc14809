"""`ffshare count --reference`: the identifiable number beside the others."""

import dataclasses

import pytest

from ffshare.fit import ReferenceData, identifiable, write_reference
from ffshare.molecules import mapped_smiles
from tests.fit.synthetic import SMALL, exact
from tests.fit.test_identifiable import water
from tests.model.samples import scheme_of

BONDED = ("Bonds", "Angles", "ProperTorsions", "ImproperTorsions")


@pytest.fixture(scope="module")
def molecules():
    """Some molecules with energies and forces, under their real names."""
    assignment, reference = exact("openff-2.2.1", SMALL[:4])
    return [
        dataclasses.replace(one, smiles=mapped_smiles(assignment.batch, idx).smiles)
        for idx, one in enumerate(reference)
    ]


@pytest.fixture
def data(tmp_path, molecules):
    """Writes molecules to a file of reference data and gives its path."""

    def write(chosen=tuple(range(4)), name="data.parquet"):
        path = tmp_path / name
        write_reference(ReferenceData(molecules=tuple(molecules[idx] for idx in chosen), level="synthetic"), path)
        return path

    return write


def by_section(done, scheme):
    return {row["section"]: row for row in done.json["counts"] if row["scheme"] == scheme}


def test_the_identifiable_number_stands_beside_the_others(cli, data, molecules):
    path = data()
    done = cli("count", "--scheme", "openff-2.2.1", "--reference", path, "--json")
    rows = by_section(done, "openff-2.2.1")
    whole = ReferenceData(molecules=tuple(molecules), level="synthetic")
    expected = identifiable(scheme_of("openff-2.2.1").assign(whole.batch()), molecules)
    assert {name: rows[name]["identifiable"] for name in BONDED} == expected.sections
    assert rows["all"]["identifiable"] == rows["valence and vdW"]["identifiable"] == expected.total > 0
    assert [rows[name]["identifiable"] for name in ("vdW", "LibraryCharges", "Constraints")] == [None] * 3
    assert all(0 < rows[name]["identifiable"] <= rows[name]["exercised"] for name in BONDED[:3])
    assert done.json["molecules"] == 4
    assert done.json["reference"] == {"entries": 4, "conformers": 48, "level": "synthetic", "failed": 0}
    (of,) = done.json["identifiable"]
    assert (of["scheme"], of["total"], of["skipped"]) == ("openff-2.2.1", expected.total, 0)


def test_without_other_input_the_molecules_are_those_of_the_data_each_once(cli, data, write):
    path = data((0, 1, 1), "twice.parquet")
    twice = cli("count", "--scheme", "openff-2.2.1", "--reference", path, "--json")
    plain = cli("count", write("\n".join(SMALL[:2]) + "\n"), "--scheme", "openff-2.2.1", "--json")
    assert twice.json["molecules"] == plain.json["molecules"] == 2
    rows = [{key: row[key] for key in row if key != "identifiable"} for row in twice.json["counts"]]
    assert rows == plain.json["counts"]
    shown = cli("count", "--scheme", "openff-2.2.1", "--reference", path)
    assert shown.err == "reference data: 3 entries with 36 conformers read, 0 records or parts of them failed\n"


def test_with_other_input_only_the_identifiable_number_is_of_the_data(cli, data, write):
    source, path = write("O\nCC\n"), data()
    both = cli("count", source, "--scheme", "openff-2.2.1", "--reference", path, "--json")
    of_data = cli("count", "--scheme", "openff-2.2.1", "--reference", path, "--json")
    of_file = cli("count", source, "--scheme", "openff-2.2.1", "--json")
    for row, one, other in zip(*(done.json["counts"] for done in (both, of_data, of_file)), strict=True):
        assert row == {**other, "identifiable": one["identifiable"]}
    shown = cli("count", source, "--scheme", "openff-2.2.1", "--reference", path)
    assert "parameters and sites on 2 molecules, identifiable by 48 conformers of synthetic" in shown.out
    assert "2 molecules read = 2 counted + 0 failed\n" in shown.err


def test_without_reference_data_there_is_no_such_column(cli, write):
    done = cli("count", write("CCO\n"), "--scheme", "openff-2.2.1")
    assert "identifiable" not in done.out


def test_a_scheme_of_other_potentials_is_counted_and_says_why_it_has_no_number(cli, data):
    done = cli("count", "--scheme", "mmff94", "--scheme", "gaff2", "--reference", data(), "--json")
    assert done.status == 0
    assert {row["identifiable"] for row in by_section(done, "mmff94").values()} == {None}
    assert by_section(done, "gaff2")["all"]["identifiable"] > 0
    reasons = {one["scheme"]: one.get("reason") for one in done.json["identifiable"]}
    assert reasons["mmff94"].startswith("only springs and cosines are counted, and section Bonds has the potential")
    assert reasons["gaff2"] is None
    shown = cli("count", "--scheme", "mmff94", "--reference", data())
    assert "mmff94: no identifiable number: only springs and cosines are counted" in shown.err


def test_what_is_determined_only_together_is_said(cli, tmp_path):
    path = tmp_path / "water.parquet"
    both = water([0.94, 0.96, 0.98], [103.0, 105.0, 106.5])  # bond and angle move together
    write_reference(ReferenceData(molecules=(both,)), path)
    done = cli("count", "--scheme", "openff-2.2.1", "--reference", path, "--json")
    (of,) = done.json["identifiable"]
    assert (of["total"], of["touched"], of["entries"]) == (2, 4, 1)
    (sentence,) = of["not_alone"]
    assert by_section(done, "openff-2.2.1")["all"]["identifiable"] == 2
    shown = cli("count", "--scheme", "openff-2.2.1", "--reference", path)
    assert f"openff-2.2.1: {sentence}\n" in shown.err


def test_molecules_that_the_rules_do_not_cover_identify_nothing_and_that_is_said(cli, data, rules):
    # The rules have no angle C-O-H: ethanol takes no part.
    done = cli("count", "--scheme", rules, "--reference", data((0,)))
    assert f"{rules}: 1 of 1 entries have a term without a rule and identify nothing" in done.err
    found = cli("count", "--scheme", rules, "--reference", data((0,)), "--json")
    assert by_section(found, str(rules))["all"]["identifiable"] == 0


def test_a_picture_of_reference_data_is_drawn(cli, data, tmp_path):
    pytest.importorskip("matplotlib")
    picture = tmp_path / "growth.svg"
    done = cli("count", "--scheme", "openff-2.2.1", "--reference", data(), "--plot", picture)
    assert done.err.endswith(f"drawn: {picture}\n")
    assert picture.stat().st_size > 1000


def test_without_any_input_it_is_said_what_is_missing(cli):
    cli("count", "--scheme", "gaff").fails("no input given; name a file or a directory")


def test_data_that_cannot_be_used_are_told_and_end_a_strict_run(cli, write):
    line = '{"mapped_smiles": "[O:1]([H:2])[H:3]", "coords": [], "energies_kcal": [], "theory": "x"}\n'
    path = write(line, "bad.jsonl")
    done = cli("count", "--scheme", "openff-2.2.1", "--reference", path)
    assert "bad.jsonl, line 1" in done.err
    cli("count", "--scheme", "openff-2.2.1", "--reference", path, "--strict").fails("bad.jsonl, line 1")
