"""`ffshare fit`: the folder of results, what is printed, and what is refused."""

import json
import socket
import sys

import numpy as np
import pytest
import yaml

from ffshare.folder_lock import LOCK, locked
from ffshare.parallel import HERE
from tests.cli.conftest import names, options_of
from tests.fit.run_samples import write_data

FILES = [
    *("failures.csv", "fit.json", "fitted.offxml", "identifiability.csv", "molecules.csv", "parameters.csv"),
    *("settings.yaml", "statistics"),
]
PLOTS = sorted(f"{name}.{kind}" for name in ("energies", "forces", "parameters", "spectrum") for kind in ("png", "svg"))


@pytest.fixture
def told(tmp_path):
    """Writes settings beside data of a few molecules and gives the path."""
    write_data(tmp_path / "data.parquet", n=12)

    def write(name="run.yaml", **settings):
        path = tmp_path / name
        path.write_text(yaml.safe_dump({"reference": "data.parquet", "charges": "gasteiger", **settings}))
        return path

    return write


@pytest.fixture
def without_plots(monkeypatch):
    """As if matplotlib were not installed: quicker."""
    monkeypatch.setattr("ffshare.report.fit_plots.find_spec", lambda name: None)


def test_a_fit_leaves_a_folder_with_everything(cli, told, tmp_path):
    pytest.importorskip("matplotlib", reason="matplotlib is not installed")
    path = told()
    done = cli("fit", path)
    assert (done.status, done.err) == (0, "")
    assert names(tmp_path / "fit") == sorted([*FILES, *PLOTS])
    assert (tmp_path / "fit" / "settings.yaml").read_bytes() == path.read_bytes()
    assert (tmp_path / "fit" / "energies.png").read_bytes().startswith(b"\x89PNG")
    assert b"<svg" in (tmp_path / "fit" / "spectrum.svg").read_bytes()
    assert "openff-2.2.1 fitted to 12 molecules, " in done.out
    assert f"numbers changed → {tmp_path / 'fit' / 'fitted.offxml'}" in done.out
    for text in ("RMSE before", "kcal/mol/Å", "combinations of them that the data determine"):
        assert text in done.out


@pytest.mark.usefixtures("without_plots")
def test_without_matplotlib_there_are_no_plots_and_a_note(cli, told, tmp_path):
    done = cli("fit", told())
    assert names(tmp_path / "fit") == FILES
    assert done.err == 'no plots: matplotlib is not installed; run: pip install "ffshare[plot]"\n'


@pytest.mark.usefixtures("without_plots")
def test_json_is_the_summary_of_the_report(cli, told, tmp_path):
    found = cli("fit", told(), "--out", tmp_path / "elsewhere", "--json").json
    report = json.loads((tmp_path / "elsewhere" / "fit.json").read_text(encoding="utf-8"))
    assert found == {**report["summary"], "advice": "", "folder": str(tmp_path / "elsewhere")}
    assert found["n_molecules"] == 12
    assert found["force_field"] == ["fitted.offxml"]


@pytest.mark.usefixtures("without_plots")
def test_evaluate_finds_the_errors_that_the_fit_says(cli, told, tmp_path):
    errors = cli("fit", told(), "--json").json["errors"]
    scheme, data = tmp_path / "fit" / "fitted.offxml", tmp_path / "data.parquet"
    done = cli("evaluate", "--scheme", scheme, "--reference", data, "--charges", "gasteiger", "--json")
    assert [each["rmse"] for each in done.json["totals"]] == pytest.approx([each["rmse_after"] for each in errors])


@pytest.mark.usefixtures("without_plots")
def test_a_fit_that_has_been_made_is_shown_again_and_not_repeated(cli, told, tmp_path):
    path = told()
    first = cli("fit", path)
    stamps = {each: each.stat().st_mtime_ns for each in (tmp_path / "fit").rglob("*")}
    # A comment changes nothing.
    path.write_text("# the same\n" + path.read_text())
    second = cli("fit", path)
    assert second.out == first.out
    assert second.err == f"{tmp_path / 'fit'}: this fit has been made already; nothing was done\n"
    assert {each: each.stat().st_mtime_ns for each in (tmp_path / "fit").rglob("*")} == stamps


@pytest.mark.usefixtures("without_plots")
def test_results_of_other_settings_are_replaced_only_when_that_is_asked_for(cli, told, tmp_path):
    cli("fit", told())
    before = (tmp_path / "fit" / "fit.json").read_bytes()
    sums = {each: each.stat().st_mtime_ns for each in (tmp_path / "fit" / "statistics").iterdir()}
    path = told(priors={"strength": 0.01}, scheme="openff-2.2.1")
    refused = cli("fit", path)
    assert refused.fails("holds a fit that was made otherwise")
    assert refused.fails("priors.strength: 0.01 here, 1.0 there")
    assert (tmp_path / "fit" / "fit.json").read_bytes() == before
    done = cli("fit", path, "--overwrite")
    assert done.status == 0
    assert "sums over the data that still apply are used again:\n  priors.strength: 0.01 here" in done.err
    assert {each: each.stat().st_mtime_ns for each in (tmp_path / "fit" / "statistics").iterdir()} == sums
    assert (tmp_path / "fit" / "fit.json").read_bytes() != before


@pytest.mark.usefixtures("without_plots")
def test_settings_that_change_before_the_end_are_told_and_taken(cli, told, tmp_path):
    cli("fit", told())
    (tmp_path / "fit" / "fit.json").unlink()  # what an end before the end leaves
    path = told(priors={"strength": 0.1})
    done = cli("fit", path)
    assert done.status == 0
    assert "priors.strength: 0.1 here, 1.0 there" in done.err
    report = json.loads((tmp_path / "fit" / "fit.json").read_text(encoding="utf-8"))
    assert report["settings"]["priors"]["strength"] == 0.1
    assert (tmp_path / "fit" / "settings.yaml").read_bytes() == path.read_bytes()


@pytest.mark.usefixtures("without_plots")
def test_what_another_scheme_left_goes_away(cli, told, tmp_path):
    cli("fit", told())
    cli("fit", told(scheme="gaff2"), "--overwrite")
    assert {"fitted", "fitted.csv"} <= set(names(tmp_path / "fit"))
    assert "fitted.offxml" not in names(tmp_path / "fit")


@pytest.mark.usefixtures("without_plots")
def test_data_that_have_changed_are_another_fit(cli, told, tmp_path):
    path = told()
    cli("fit", path)
    write_data(tmp_path / "data.parquet", n=11)
    assert cli("fit", path).fails("data.parquet: is another file, or has changed")
    assert "12 molecules" not in cli("fit", path, "--overwrite").out


@pytest.mark.usefixtures("without_plots")
def test_a_fit_that_does_not_converge_has_a_status_of_its_own_and_all_results(cli, told, tmp_path):
    path = told(solver={"max_steps": 1})
    for done in (cli("fit", path), cli("fit", path)):
        assert done.status == 3
        assert "too many steps after 1 steps" in done.out
        assert "too many steps: give more steps, or narrower priors" in done.err
    assert names(tmp_path / "fit") == FILES


def test_a_folder_with_other_things_is_left_alone(cli, told, tmp_path):
    (tmp_path / "fit").mkdir()
    (tmp_path / "fit" / "thesis.tex").write_text("mine")
    assert cli("fit", told(), "--overwrite").fails("holds files that are not of a fit (thesis.tex); name a new or an")
    assert names(tmp_path / "fit") == ["thesis.tex"]


def test_an_output_that_is_a_file_is_refused(cli, told, tmp_path):
    (tmp_path / "fit").write_text("mine")
    assert cli("fit", told()).fails(f"cannot write to {tmp_path / 'fit'}: ")


@pytest.mark.parametrize(
    ("settings", "message"),
    [
        ({"scheme": "gaff3"}, "no scheme is called 'gaff3'; did you mean gaff"),
        ({"reference": "none.parquet"}, "none.parquet: no such file or folder; data that ship are b3lyp, gfn2"),
        ({"weight": 1}, "line 3: weight: there is no such setting; did you mean weights?"),
    ],
)
def test_faults_of_settings_end_the_run_before_anything_is_written(cli, told, tmp_path, settings, message):
    assert cli("fit", told(**settings)).fails(message)
    assert not (tmp_path / "fit").exists()


@pytest.mark.usefixtures("without_plots")
def test_paths_count_from_the_folder_of_the_settings(cli, told, tmp_path, monkeypatch):
    path = told(output="sub/results")
    (tmp_path / "other").mkdir()
    monkeypatch.chdir(tmp_path / "other")
    assert cli("fit", "../run.yaml").status == 0
    assert "fit.json" in names(tmp_path / "sub" / "results")
    assert path.exists()


def test_the_programs_of_the_charges_that_are_missing_are_said(cli, told, monkeypatch):
    monkeypatch.setitem(sys.modules, "openff.nagl", None)
    from ffshare.model import nagl

    nagl._loaded.cache_clear()
    done = cli("fit", told(charges="nagl"))
    assert done.fails("NAGL charges need what is not installed")
    assert done.fails("or take charges that need nothing more: reference, if the data have them, library or gasteiger")


@pytest.mark.usefixtures("without_plots")
def test_bad_records_and_molecules_without_rules_are_counted_and_listed(cli, told, tmp_path):
    from dataclasses import replace

    from tests.fit.run_samples import some_molecules
    from tests.fit.test_run import SILANE

    bad = some_molecules().molecules[5]
    broken = replace(bad, coords=np.full(bad.coords.shape, np.nan))
    write_data(tmp_path / "data.parquet", n=8, more=(SILANE, broken))
    done = cli("fit", told())
    assert done.status == 0
    assert "records of reference data could not be used, see" in done.err
    assert "1 molecules did not take part: no rule or no charges, see" in done.err
    lines = (tmp_path / "fit" / "failures.csv").read_text().splitlines()
    assert lines[0] == "stage,index,file,line,molecule,reason,advice"
    assert {line.split(",")[0] for line in lines[1:]} == {"reading", "assigning"}


@pytest.mark.usefixtures("without_plots")
def test_a_fit_by_other_workers_is_the_same_to_the_last_bit(cli, told, tmp_path, elsewhere):
    path = told()
    for name, engine in (("here", HERE), ("there", elsewhere)):
        assert cli("fit", path, "--out", tmp_path / name, *options_of(engine)).status == 0
    assert names(tmp_path / "here") == names(tmp_path / "there") == FILES
    for name in FILES[:-1]:
        assert (tmp_path / "here" / name).read_bytes() == (tmp_path / "there" / name).read_bytes()
    sums = "statistics/statistics-000000.npz"
    with np.load(tmp_path / "here" / sums) as here, np.load(tmp_path / "there" / sums) as there:
        assert set(here) == set(there)
        assert all(here[name].tobytes() == there[name].tobytes() for name in here)


def test_workers_and_a_scheduler_exclude_each_other(cli, told, tmp_path):
    done = cli("fit", told(), "--workers", 2, "--scheduler", "tcp://127.0.0.1:9")
    assert done.fails("give one of them")
    assert not (tmp_path / "fit").exists()


@pytest.mark.usefixtures("without_plots")
def test_a_second_fit_in_a_folder_is_refused_until_the_first_has_ended(cli, told, tmp_path):
    path, folder = told(), tmp_path / "fit"
    folder.mkdir()
    with locked(folder):
        refused = cli("fit", path)
        assert refused.fails(f"{folder} is in use by a run on {socket.gethostname()} since ")
        assert refused.fails("; wait for it, or name another")
        assert names(folder) == [LOCK]
    assert cli("fit", path).status == 0
    assert names(folder) == FILES
    # What has ended is only shown, which disturbs nobody.
    with locked(folder):
        assert cli("fit", path).status == 0


@pytest.mark.usefixtures("without_plots")
def test_a_fit_that_has_been_made_is_shown_where_nobody_may_write(cli, told, tmp_path):
    path, folder = told(), tmp_path / "fit"
    first = cli("fit", path)
    folder.chmod(0o555)
    try:
        assert cli("fit", path).out == first.out
    finally:
        folder.chmod(0o755)
