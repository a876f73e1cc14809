"""A fit that is killed, wherever it is, goes on when it is started again and ends in the same bits."""

import os
import signal

import pytest
import yaml

from tests.cli.conftest import names, wait_until
from tests.fit.run_samples import write_data

SAME = ("fit.json", "parameters.csv", "identifiability.csv", "molecules.csv", "failures.csv", "fitted.offxml")


@pytest.fixture
def folder(tmp_path, monkeypatch):
    """A folder with settings and data: 34 molecules, more than are worked on at once."""
    write_data(tmp_path / "data.parquet", n=34)
    (tmp_path / "run.yaml").write_text(yaml.safe_dump({"reference": "data.parquet", "charges": "gasteiger"}))
    monkeypatch.chdir(tmp_path)
    return tmp_path


@pytest.fixture
def undisturbed(cli, folder):
    """What a run leaves that nothing stops, done in this process."""
    assert cli("fit", "run.yaml", "--out", "undisturbed").status == 0
    return {name: (folder / "undisturbed" / name).read_bytes() for name in SAME}


@pytest.fixture
def fit(start):
    """Starts a fit, with some options."""
    return lambda *options: start("fit", "run.yaml", *options, OMP_NUM_THREADS="1")


def results(folder):
    return {name: (folder / "fit" / name).read_bytes() for name in SAME}


def statistics(folder, kind):
    return len(list((folder / "fit" / "statistics").glob(f"{kind}-*.npz")))


# Where the run is when it is killed: each is reached after what the one before left.
POINTS = {
    "charges": lambda folder: statistics(folder, "charges") >= 1,
    "sums": lambda folder: statistics(folder, "statistics") >= 1,
    "writing": lambda folder: list((folder / "fit").glob(".*.part")),
    "written": lambda folder: list((folder / "fit").glob(".*.part/fit.json")) or (folder / "fit" / "fit.json").exists(),
}


@pytest.mark.parametrize(("workers", "points"), [("1", tuple(POINTS)), ("2", ("charges", "sums"))])
def test_a_fit_that_is_killed_again_and_again_ends_in_the_same_bits(fit, folder, undisturbed, workers, points):
    for name in points:
        reached, process = POINTS[name], fit("--workers", workers)
        wait_until(lambda reached=reached, process=process: reached(folder) or process.popen.poll() is not None)
        os.killpg(process.popen.pid, signal.SIGKILL)
        assert process.popen.wait() == -signal.SIGKILL, name
        # The report stands in its place only when all else does.
        assert "fit.json" not in names(folder / "fit") or set(SAME) <= set(names(folder / "fit"))
    last = fit().end()
    assert last.status == 0
    assert "going on with a run that was stopped" in last.err or "has been made already" in last.err
    assert results(folder) == undisturbed
    assert [name for name in names(folder / "fit") if name.startswith(".")] == []


@pytest.mark.parametrize("workers", ["1", "2"])
def test_ctrl_c_says_that_the_run_can_go_on_and_it_does(cli, fit, folder, undisturbed, workers):
    process = fit("--workers", workers)
    wait_until(lambda: statistics(folder, "charges") >= 1)
    process.interrupt()
    done = process.end()
    assert (done.status, done.out) == (130, "")
    assert done.err == "ffshare: interrupted; what is done is kept in fit: the same command goes on there\n"
    assert set(names(folder / "fit")) == {"settings.yaml", "statistics"}
    assert cli("fit", "run.yaml").status == 0
    assert results(folder) == undisturbed
