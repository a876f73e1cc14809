"""`ffshare evaluate`: what it prints and writes, on data made by force fields."""

import csv
import dataclasses
import signal
import sys

import numpy as np
import pyarrow.parquet as pq
import pytest

from ffshare.fit import ReferenceData, ReferenceMolecule, write_reference
from ffshare.parallel import HERE
from tests.cli.conftest import options_of
from tests.fit.test_evaluate import SMILES, made_by
from tests.model.samples import scheme_of

SILANE = ReferenceMolecule(
    smiles="[Si:1]([H:2])([H:3])([H:4])[H:5]",
    coords=[[[0, 0, 0], [a, a, a], [-a, -a, a], [-a, a, -a], [a, -a, -a]] for a in (0.86, 0.87)],
    energies=[0.0, 0.1],
)
CHARGES = ("--charges", "gasteiger")


@pytest.fixture(scope="module")
def molecules():
    return [made_by(scheme_of("gaff"), smiles) for smiles in SMILES[:3]]


@pytest.fixture
def data(tmp_path):
    """Writes molecules to a file of reference data and gives its path."""

    def write(molecules, name="data.parquet"):
        path = tmp_path / name
        write_reference(ReferenceData(molecules=tuple(molecules)), path)
        return path

    return write


def test_the_force_field_that_made_the_data_has_no_error(cli, data, molecules):
    done = cli("evaluate", "--scheme", "gaff", "--reference", data(molecules), *CHARGES, "--json")
    assert done.status == 0
    assert done.json["molecules"] == {"read": 3, "evaluated": 3, "skipped": 0, "failed": 0}
    for total in done.json["totals"]:
        assert total["molecules"] == 3
        assert total["rmse"] == pytest.approx(0.0, abs=1e-9)
        assert total["reference_rms"] > 0.1


def test_totals_are_those_of_all_molecules_together(cli, data, molecules):
    found = cli("evaluate", "--scheme", "openff-2.2.1", "--reference", data(molecules), *CHARGES, "--json").json
    energies, forces = found["totals"]
    rows = found["by_molecule"]
    assert [row["molecule"] for row in rows] == ["CCO", "CNC(C)=O", "c1ccncc1"]
    assert energies["n"] == sum(row["n_energies"] for row in rows) == 12
    assert forces["n"] == sum(row["n_forces"] for row in rows)
    pooled = sum(row["n_forces"] * row["force_rmse"] ** 2 for row in rows) / forces["n"]
    assert forces["rmse"] == pytest.approx(np.sqrt(pooled))
    assert (energies["unit"], forces["unit"]) == ("kcal/mol", "kcal/mol/Å")


def test_the_table_lists_the_worst_molecules_first_and_at_most_ten(cli, data, molecules):
    doubled = [dataclasses.replace(one, energies=one.energies * 2) for one in molecules]
    done = cli("evaluate", "--scheme", "openff-2.2.1", "--reference", data(molecules + doubled * 4), *CHARGES)
    lines = [
        line.split() for line in done.out.splitlines() if line.split()[:1] in (["CCO"], ["CNC(C)=O"], ["c1ccncc1"])
    ]
    assert len(lines) == 10
    shown = [float(line[2]) for line in lines]
    assert shown == sorted(shown, reverse=True)
    assert done.err == "15 molecules read = 15 evaluated + 0 left out + 0 failed\n"


def test_molecules_left_out_are_told_with_the_reason(cli, data, molecules):
    path = data([molecules[0], SILANE])
    done = cli("evaluate", "--scheme", "openff-2.2.1", "--reference", path, *CHARGES)
    assert "no rule for terms of Bonds, Angles, vdW" in done.out
    assert done.err == "2 molecules read = 1 evaluated + 1 left out + 0 failed\n"
    found = cli("evaluate", "--scheme", "openff-2.2.1", "--reference", path, *CHARGES, "--json").json
    assert [row["skipped"] for row in found["by_molecule"]] == [None, "no rule for terms of Bonds, Angles, vdW"]


def test_a_scheme_that_the_model_cannot_compute_evaluates_nothing_and_says_why(cli, data, molecules):
    done = cli("evaluate", "--scheme", "mmff94", "--reference", data(molecules), *CHARGES)
    assert done.status == 1
    assert "the model computes harmonic" in done.out
    assert done.err == "ffshare: none of 3 molecules could be evaluated; the reasons are above\n"


def test_a_row_a_molecule_is_written_with_what_made_it(cli, data, molecules, results):
    path = data([*molecules, SILANE])
    done = cli(
        *("evaluate", "--scheme", "openff-2.2.1", "--reference", path, "--out", results / "errors.csv"),
        *(*CHARGES, "--json"),
    )
    with open(results / "errors.csv", encoding="utf-8", newline="") as stream:
        rows = list(csv.DictReader(stream))
    assert [row["molecule"] for row in rows] == ["CCO", "CNC(C)=O", "c1ccncc1", "[SiH4]"]
    assert [float(row["energy_rmse"]) for row in rows[:3]] == [
        row["energy_rmse"] for row in done.json["by_molecule"][:3]
    ]
    assert (rows[3]["energy_rmse"], rows[3]["skipped"]) == ("", "no rule for terms of Bonds, Angles, vdW")
    assert '"charges": "gasteiger"' in (results / "errors.metadata.json").read_text()
    cli("evaluate", "--scheme", "openff-2.2.1", "--reference", path, "--out", results / "errors.parquet", *CHARGES)
    assert pq.read_table(results / "errors.parquet").num_rows == 4


def test_the_reference_is_not_written_over(cli, data, molecules):
    path = data(molecules)
    done = cli("evaluate", "--scheme", "gaff", "--reference", path, "--out", path, *CHARGES)
    assert done.fails("it is an input of this run")


def test_workers_do_not_show_in_what_is_printed_and_written(cli, data, molecules, monkeypatch, results, elsewhere):
    monkeypatch.setattr("ffshare.fit.reference.checker._MOST_NUMBERS", 100)
    files = [data([one], f"{place}.parquet") for place, one in enumerate(molecules)]
    words = ("evaluate", "--scheme", "openff-2.2.1", *CHARGES, "--json", "--out", results / "errors.csv")
    words += tuple(word for path in files for word in ("--reference", path))
    found = []
    for engine in (HERE, elsewhere):
        done = cli(*words, *options_of(engine))
        assert done.status == 0
        found.append((done, *((results / f"errors.{kind}").read_bytes() for kind in ("csv", "metadata.json"))))
    assert found[0] == found[1]


def test_what_is_worked_on_together_changes_no_more_than_rounding(cli, data, molecules, monkeypatch):
    path = data([*molecules, SILANE] * 3)
    found = []
    for most in (1, 7, 32):
        monkeypatch.setattr("ffshare.fit.reference.checker._MOST_RECORDS", most)
        found.append(cli("evaluate", "--scheme", "openff-2.2.1", "--reference", path, *CHARGES, "--json").json)
    for other in found[1:]:
        for key in ("totals", "by_molecule"):
            for mine, theirs in zip(found[0][key], other[key], strict=True):
                numbers = {name for name, value in mine.items() if isinstance(value, float)}
                assert {name: mine[name] for name in numbers} == pytest.approx(
                    {name: theirs[name] for name in numbers}, rel=1e-12
                )
                assert {**mine, **dict.fromkeys(numbers)} == {**theirs, **dict.fromkeys(numbers)}


def test_workers_and_a_scheduler_exclude_each_other(cli, data, molecules):
    words = ("evaluate", "--scheme", "gaff", "--reference", data(molecules), "--workers", 2)
    assert cli(*words, "--scheduler", "tcp://127.0.0.1:9").fails("give one of them")


def test_tables_of_two_levels_of_theory_are_refused(cli, molecules, tmp_path):
    words = []
    for level in ("A", "B"):
        path, one = tmp_path / f"{level}.parquet", dataclasses.replace(molecules[0], level=level)
        write_reference(ReferenceData(molecules=(one,), level=level), path)
        words += ["--reference", path]
    done = cli("evaluate", "--scheme", "gaff", *words, *CHARGES)
    assert done.fails("reference data of 2 levels of theory: ")


def test_conformers_of_a_scan_in_records_of_their_own_are_joined(cli, molecules, tmp_path):
    """Frames of extended XYZ are records of one conformer; alone they would say nothing of energies."""
    one, path = molecules[0], tmp_path / "scan.xyz"
    symbols = ["C", "C", "O", *"HHHHHH"]
    path.write_text(
        "".join(
            f'{one.n_atoms}\nsmiles="{one.smiles}" energy={energy!r} Properties=species:S:1:pos:R:3\n'
            + "".join(f"{symbol} {x!r} {y!r} {z!r}\n" for symbol, (x, y, z) in zip(symbols, coords, strict=True))
            for energy, coords in zip(one.energies.tolist(), one.coords.tolist(), strict=True)
        )
    )
    pytest.importorskip("ase")
    done = cli(
        *("evaluate", "--scheme", "gaff", "--reference", path, "--energy-unit", "kcal/mol"), *(*CHARGES, "--json")
    )
    assert done.json["totals"][0]["n"] == 4
    assert done.json["totals"][0]["rmse"] == pytest.approx(0.0, abs=1e-6)


def test_without_nagl_the_message_names_charges_that_need_nothing(cli, data, molecules, monkeypatch):
    monkeypatch.setitem(sys.modules, "openff.nagl", None)
    done = cli("evaluate", "--scheme", "gaff", "--reference", data(molecules))
    assert done.fails("--charges gasteiger")
    # Ctrl-C, which waits during the work, is let through again.
    assert signal.SIGINT not in signal.pthread_sigmask(signal.SIG_BLOCK, [])


def test_charges_of_the_data_are_the_default_where_every_molecule_has_them(cli, data, molecules, monkeypatch):
    monkeypatch.setitem(sys.modules, "openff.nagl", None)
    charged = [dataclasses.replace(one, charges=np.zeros(one.n_atoms)) for one in molecules]
    words = ("evaluate", "--scheme", "gaff", "--json", "--reference")
    found = cli(*words, data(charged)).json
    assert found["charges"] == "reference"
    none = cli(*words, data(charged), "--charges", "none").json
    assert none["charges"] == "none"
    assert [one["rmse"] for one in none["totals"]] == pytest.approx([one["rmse"] for one in found["totals"]])
    # One without: openff's charges, which need what is not installed.
    assert cli(*words, data([*charged, molecules[0]])).fails("--charges gasteiger")


def test_charges_that_the_data_do_not_have_are_an_error_that_says_what_to_do(cli, data, molecules):
    done = cli("evaluate", "--scheme", "gaff", "--reference", data(molecules), "--charges", "reference")
    assert done.fails("no charges for CCO and 2 others; add a column 'charges'")
    assert "another method: openff" in done.err


def test_data_without_an_input_or_of_no_known_format_are_told(cli, tmp_path):
    done = cli("evaluate", "--scheme", "gaff", "--reference", tmp_path / "none.parquet", *CHARGES)
    assert done.fails("no such file or folder")
    (tmp_path / "notes.txt").write_text("x")
    done = cli("evaluate", "--scheme", "gaff", "--reference", tmp_path / "notes.txt", *CHARGES)
    assert done.fails("unknown format")
