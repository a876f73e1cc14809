"""Counting a folder of labels gives what counting the molecules gives, and says where it cannot."""

import json

import pytest

import ffshare

pytest.importorskip("duckdb")


@pytest.fixture(scope="module")
def molecules(tmp_path_factory):
    """Some drugs, alkanes, ethers and alcohols, nine of them twice, and two lines that are no molecules."""
    folder = ffshare.data_files.data_directory("molecules")
    lines = [folder.joinpath(name).read_text().splitlines()[:280:7] for name in ("drugs.smi", "alkethoh.smi")]
    path = tmp_path_factory.mktemp("molecules") / "some.smi"
    path.write_text("\n".join([*lines[0], "C1CC open", *lines[1], *lines[0][:9], "[CH3] radical"]))
    return path


@pytest.fixture
def labels(cli, molecules, results):
    def made(scheme):
        assert cli("assign", molecules, "--scheme", scheme, "--out", results / "labels", "--partition", 17).status == 0
        return results / "labels"

    return made


@pytest.mark.parametrize("scheme", ["openff-2.2.1", "alkethoh-types", "alkethoh-smirks"])
def test_the_count_is_that_of_the_molecules(cli, molecules, labels, scheme):
    of_labels = cli("count", labels(scheme), "--json")
    of_molecules = cli("count", molecules, "--scheme", scheme, "--json")
    assert of_labels.json == of_molecules.json
    assert of_labels.json["failed"] == 2
    by_section = {row["section"]: row for row in of_labels.json["counts"]}
    if scheme != "openff-2.2.1":  # drugs have terms that it does not know
        assert by_section["all"]["incomplete_molecules"] > 0


def test_the_scheme_may_be_named_and_must_be_the_one_of_the_labels(cli, labels):
    folder = labels("alkethoh-smirks")
    assert cli("count", folder, "--scheme", "alkethoh-smirks", "--json").json == cli("count", folder, "--json").json
    done = cli("count", folder, "--scheme", "openff-2.2.1")
    assert done.fails(f"{folder} holds labels of alkethoh-smirks; leave --scheme out, or count the molecules")


def test_rules_that_were_made_for_the_molecules_are_told(cli, labels):
    assert cli("count", labels("untied")).fails("is not one of the scheme by itself")


def test_a_part_that_is_gone_or_cut_short_is_told_with_what_makes_it_anew(cli, labels):
    folder = labels("alkethoh-smirks")
    part = folder / "labels" / "part-000001.parquet"
    part.write_bytes(part.read_bytes()[:-9])
    again = "run the same ffshare assign again, it makes them anew"
    assert cli("count", folder).fails(f"{folder}: 1 files are gone or cut short (labels/part-000001.parquet); {again}")


def test_a_force_field_that_has_changed_since_is_told(cli, rules, molecules, results):
    folder = results / "labels"
    assert cli("assign", molecules, "--scheme", rules, "--out", folder).status == 0
    rules.write_text(rules.read_text().replace("1.5 * angstrom", "1.6 * angstrom"))
    assert cli("count", folder).fails(f"{rules} is not what it was when it made {folder}; label the molecules again")


def test_a_run_that_has_not_ended_is_told(cli, labels):
    folder = labels("alkethoh-smirks")
    (folder / ".progress").mkdir()
    (folder / ".progress" / "made_from.json").write_text("{}")
    assert cli("count", folder).fails(f"{folder}: its run has not ended; start the same command again")


def test_labels_are_counted_by_themselves(cli, labels, molecules, results):
    folder = labels("alkethoh-smirks")
    assert cli("count", folder, molecules).fails(f"{folder} is a folder of labels: count it by itself")
    assert cli("count", folder, "--plot", results / "growth.svg").fails("give the molecules instead")


def test_molecules_without_a_scheme_are_told_to_name_one(cli, molecules):
    assert cli("count", molecules).fails("no scheme given; name one with --scheme")


def test_the_manifest_names_its_parts_in_order(labels):
    manifest = json.loads((labels("alkethoh-smirks") / "manifest.json").read_text())
    assert [part["number"] for part in manifest["parts"]] == list(range(len(manifest["parts"])))
    assert sum(part["numbers"]["read"] for part in manifest["parts"]) == manifest["numbers"]["read"] == 89
