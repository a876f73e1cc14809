"""A folder of labels is the same to the last byte, whoever makes it and however the input is cut."""

from pathlib import Path

import pytest

from ffshare.assign.library import missing_parts, read_manifest
from ffshare.assign.library.manifest import MANIFEST
from ffshare.errors import InputError
from ffshare.parallel import Engine
from tests.assign.library.folders import KINDS, SETTINGS, contents, cut, entry, inputs, make, table


def test_a_finished_folder_holds_every_entry_once(finished):
    labels, molecules, failures = (table(finished, kind) for kind in KINDS)
    idxs = [*molecules["molecule_idx"].to_pylist(), *failures["molecule_idx"].to_pylist()]
    assert sorted(idxs) == list(range(44))
    assert failures["molecule_idx"].to_pylist() == [12, 20]
    assert set(labels["molecule_idx"].to_pylist()) == set(molecules["molecule_idx"].to_pylist())
    manifest = read_manifest(finished)
    assert {key: manifest[key] for key in SETTINGS} == SETTINGS
    assert {key: manifest["numbers"][key] for key in ("read", "labelled", "failed", "terms")} == {
        "read": 44,
        "labelled": 42,
        "failed": 2,
        "terms": len(labels),
    }
    assert [part["numbers"]["read"] for part in manifest["parts"]] == [10, 10, 10, 10, 4]
    assert missing_parts(finished, manifest) == []
    assert set(manifest) | set(contents(finished)) >= {*KINDS, MANIFEST}
    assert [path.name for path in finished.iterdir() if path.name.startswith(".")] == []


def test_processes_make_the_same_bytes(tmp_path, undisturbed):
    make(tmp_path / "out", engine=Engine(workers=2))
    assert contents(tmp_path / "out") == undisturbed


def test_a_cluster_makes_the_same_bytes_though_its_workers_stand_elsewhere(tmp_path, undisturbed, monkeypatch):
    distributed = pytest.importorskip("distributed", reason="distributed is not installed")
    with distributed.LocalCluster(n_workers=2, threads_per_worker=2, dashboard_address=":0") as cluster:
        monkeypatch.chdir(tmp_path)
        make(Path("out"), engine=Engine(scheduler=cluster.scheduler_address))
    assert contents(tmp_path / "out") == undisturbed


@pytest.mark.parametrize("size", [1, 7, 44, 1000])
def test_the_size_of_partitions_changes_only_where_rows_are_cut(tmp_path, finished, size):
    make(tmp_path / "out", size=size)
    for kind in KINDS:
        assert table(tmp_path / "out", kind).equals(table(finished, kind))
        assert len(list((tmp_path / "out" / kind).iterdir())) == -(-44 // size)
    assert read_manifest(tmp_path / "out")["numbers"] == read_manifest(finished)["numbers"]


def test_no_entries_become_a_folder_without_parts(tmp_path):
    make(tmp_path / "out", [])
    assert read_manifest(tmp_path / "out")["parts"] == []


def test_a_finished_folder_is_looked_at_and_left_alone(copied, finished, undisturbed):
    out = copied(finished)
    times = {path: path.stat().st_mtime_ns for path in out.rglob("*.parquet")}
    assert make(out).n_kept == 44
    assert contents(out) == undisturbed
    assert {path: path.stat().st_mtime_ns for path in out.rglob("*.parquet")} == times


@pytest.mark.parametrize("stop_after", range(1, 6))
def test_a_run_goes_on_where_one_stopped(tmp_path, undisturbed, stop_after):
    out = tmp_path / "out"
    make(out, stop_after=stop_after)
    with pytest.raises(InputError, match=r"out: its run has not ended; start the same command again"):
        read_manifest(out)
    assert make(out).n_kept == min(44, 10 * stop_after)
    assert contents(out) == undisturbed


def test_missing_parts_are_named(copied, finished):
    out = copied(finished)
    (out / "failures" / "part-000002.parquet").unlink()
    cut(out / "labels" / "part-000000.parquet")
    manifest = read_manifest(out)
    assert missing_parts(out, manifest) == ["labels/part-000000.parquet", "failures/part-000002.parquet"]


def test_a_finished_folder_that_is_being_changed_is_not_finished_until_it_is(copied, finished, tmp_path):
    # Standard input has no checksum, so that only the parts tell that it was another one.
    others = inputs(first=60)
    make(tmp_path / "others", others)
    out = copied(finished)
    make(out, others, stop_after=2)
    with pytest.raises(InputError, match="its run has not ended"):
        read_manifest(out)
    assert make(out, others).n_kept == 20
    assert contents(out) == contents(tmp_path / "others")


def test_parts_of_the_same_entries_are_kept_when_the_input_grows(copied, finished):
    out = copied(finished)
    more = [*inputs(), entry(44, "CCO", "ethanol")]
    assert make(out, more).n_kept == 40
    assert read_manifest(out)["numbers"]["read"] == 45
