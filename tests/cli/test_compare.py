"""`ffshare compare`: what it prints and writes, on little data made by a force field."""

import dataclasses
import json
import socket

import pyarrow as pa
import pyarrow.parquet as pq
import pytest

from ffshare.fit import ReferenceData, write_reference
from ffshare.folder_lock import locked
from ffshare.parallel import HERE
from tests.cli.conftest import options_of
from tests.fit.comparison.samples import data, hessian_of

SMILES = ("CCO", "CC=O", "COC", "CN", "CC#N", "CCC")
QUICK = ("--folds", "3", "--charges", "gasteiger")
COLUMNS = {
    "scheme",
    "n_draws",
    "defined",
    "exercised",
    "identifiable",
    "share_without_parameter",
    "training",
    "held_out",
    "covered",
    "seen",
    "choices",
    "statuses",
}


@pytest.fixture(scope="module")
def molecules():
    return data(SMILES, n_conformers=3)


@pytest.fixture
def reference(tmp_path, molecules):
    path = tmp_path / "data.parquet"
    write_reference(ReferenceData(molecules=molecules), path)
    return path


def test_json_has_a_row_a_scheme_and_one_for_the_table(cli, reference):
    done = cli("compare", "--reference", reference, "--scheme", "gaff", "--scheme", "untied", *QUICK, "--json")
    assert done.status == 0
    found = done.json
    assert [row["scheme"] for row in found["schemes"]] == ["gaff", "untied", "table alone"]
    assert (found["n_molecules"], found["n_conformers"]) == (6, 18)
    assert found["units"] == {"energy": "kcal/mol", "force": "kcal/mol/Å"}
    assert found["terms"] == "n = 1 to 3, phase 0"
    for row in found["schemes"]:
        assert set(row) == COLUMNS
        for subset in ("held_out", "covered", "seen"):
            assert set(row[subset]) == {"energy", "force"}
            assert set(row[subset]["energy"]) == {"rmse", "interval", "less_first", "range_of_draws"}
        low, high = row["held_out"]["force"]["interval"]
        assert low <= row["held_out"]["force"]["rmse"] <= high


def test_tables_show_numbers_and_errors_of_each_scheme(cli, reference):
    done = cli("compare", "--reference", reference, "--scheme", "gaff", *QUICK)
    assert done.status == 0
    lines = [line for line in done.out.splitlines() if line.strip().startswith("gaff")]
    assert len(lines) == 3
    assert sum(line.strip().startswith("table alone") for line in done.out.splitlines()) == 3
    for word in ("exercised", "identifiable", "held out", "95 %", "RMSE of energies [kcal/mol]", "100.00 %"):
        assert word in done.out
    assert "covered by all: " in done.err


def test_terms_change_the_numbers_of_parameters(cli, reference):
    counts = {}
    for terms in ("common", "wide", "own"):
        done = cli("compare", "--reference", reference, "--scheme", "gaff", "--terms", terms, *QUICK, "--json")
        counts[terms] = done.json["schemes"][0]["exercised"]
    assert counts["own"] < counts["common"] < counts["wide"]


def test_a_folder_keeps_finished_fits_and_the_result(cli, reference, results, molecules):
    arguments = ("compare", "--reference", reference, "--scheme", "gaff", *QUICK, "--out", results / "new", "--json")
    first = cli(*arguments)
    assert sorted(path.name for path in (results / "new").iterdir()) == ["comparison.json", "fits", "sums"]
    assert json.loads((results / "new" / "comparison.json").read_text(encoding="utf-8")) == first.json
    fits = sorted((results / "new" / "fits").iterdir())
    assert len(fits) == 4
    fits[0].unlink()
    marked = {path: path.stat().st_mtime_ns for path in fits[1:]}
    assert cli(*arguments).out == first.out
    assert {path: path.stat().st_mtime_ns for path in marked} == marked
    assert sorted((results / "new" / "fits").iterdir()) == fits


def test_other_workers_print_and_keep_the_same(cli, reference, results, elsewhere):
    found = []
    for name, engine in (("here", HERE), ("there", elsewhere)):
        folder = results / name
        words = ("compare", "--reference", reference, "--scheme", "gaff", *QUICK, "--out", folder, "--json")
        done = cli(*words, *options_of(engine))
        assert done.status == 0
        kept = {path.name: path.read_bytes() for path in (*(folder / "fits").iterdir(), folder / "comparison.json")}
        found.append((done.out, kept))
    assert len(found[0][1]) == 5
    assert found[0] == found[1]


def test_a_second_comparison_in_a_folder_is_refused(cli, reference, results):
    words = ("compare", "--reference", reference, "--scheme", "gaff", *QUICK, "--out", results)
    with locked(results):
        assert cli(*words).fails(f"{results} is in use by a run on {socket.gethostname()} since ")
    assert not list(results.iterdir())


def test_workers_and_a_scheduler_exclude_each_other(cli, reference):
    words = ("compare", "--reference", reference, "--workers", 2, "--scheduler", "tcp://127.0.0.1:9")
    assert cli(*words).fails("give one of them")


def test_hessians_change_where_fits_start(cli, reference, molecules, tmp_path):
    path = tmp_path / "hessians.parquet"
    found = [hessian_of(each) for each in molecules]
    table = {
        "smiles": [each.smiles for each in molecules],
        "coords": [each.coords.ravel() for each in found],
        "hessian": [each.hessian.ravel() for each in found],
    }
    pq.write_table(pa.table(table), path)
    common = ("compare", "--reference", reference, "--scheme", "gaff", *QUICK, "--json")
    plain, none, given = (cli(*common, *more).json for more in ((), ("--hessians", "none"), ("--hessians", path)))
    assert plain == none
    assert given["schemes"][0]["training"] != none["schemes"][0]["training"]
    # The table of elements knows no Hessians.
    assert given["schemes"][1]["held_out"]["force"]["rmse"] == none["schemes"][1]["held_out"]["force"]["rmse"]


def test_charges_come_with_the_data_or_the_message_says_what_to_do(cli, reference):
    done = cli("compare", "--reference", reference, "--scheme", "gaff", "--folds", "3")
    assert done.fails("the reference data give no charges for CCO and 5 others; add a column 'charges'")


def test_charges_of_the_data_are_taken_by_default(cli, molecules, tmp_path):
    path = tmp_path / "charged.parquet"
    charged = [dataclasses.replace(each, charges=[0.0] * each.n_atoms) for each in molecules]
    write_reference(ReferenceData(molecules=tuple(charged)), path)
    found = [
        cli("compare", "--reference", path, "--scheme", "gaff", "--folds", "3", *more, "--json").json
        for more in ((), ("--charges", "gasteiger"))
    ]
    assert found[0]["schemes"][1]["training"] != found[1]["schemes"][1]["training"]


def test_a_plot_is_drawn(cli, reference, tmp_path):
    pytest.importorskip("matplotlib", reason="matplotlib draws the picture")
    path = tmp_path / "picture.png"
    assert cli("compare", "--reference", reference, "--scheme", "gaff", *QUICK, "--plot", path).status == 0
    assert path.read_bytes().startswith(b"\x89PNG")


@pytest.mark.parametrize(
    ("arguments", "message"),
    [
        (("--scheme", "no-such-scheme"), "no-such-scheme"),
        (("--scheme", "gaff+soft"), "are not SMIRKS"),
        (("--scheme", "gaff", "--folds", "2"), "2 folds: one is held out and one chooses, so give 3 or more"),
        (("--scheme", "gaff", "--folds", "7"), "6 molecules cannot be split into 7 folds"),
        (("--scheme", "gaff", "--plot", "picture.txt"), "picture.txt"),
        (("--scheme", "gaff", "--energy-error", "0"), "weights: energy is 0"),
        (("--scheme", "gaff", "--draws", "0"), "0 draws of a control that shares at random; give 1 or more"),
        (("--scheme", "gaff", "--scheme", "gaff"), "gaff is named twice; name each scheme once"),
    ],
)
def test_what_cannot_be_compared_is_told(cli, reference, arguments, message):
    usual = () if "--folds" in arguments else QUICK
    done = cli("compare", "--reference", reference, *usual, *arguments)
    assert done.fails(message)


def test_unknown_terms_are_refused_by_the_command_line(cli, reference):
    done = cli("compare", "--reference", reference, "--terms", "some")
    assert done.status != 0
    assert "some" in done.err
    assert "common" in done.err


def test_there_must_be_reference_data(cli):
    assert cli("compare", "--reference", "nowhere").fails("nowhere: no such file or folder")
    done = cli("compare")
    assert done.status != 0
    assert "--reference" in done.err
