"""Outputs that cannot be written: a clear message, and no file under a final or a temporary name."""

import resource
from contextlib import contextmanager
from pathlib import Path

import pyarrow as pa
import pytest

from ffshare.cli.outputs import OutputFiles
from ffshare.errors import OutputError
from tests.cli.conftest import names

SCHEMA = pa.schema([("atoms", pa.list_(pa.int32())), ("rule_id", pa.string())])
ROWS = pa.table({"atoms": [[0, 1], [2]], "rule_id": ["b1", None]}, schema=SCHEMA)


@contextmanager
def largest_file(n_bytes):
    """No file of this process may grow beyond some bytes: a disk that is full."""
    soft, hard = resource.getrlimit(resource.RLIMIT_FSIZE)
    resource.setrlimit(resource.RLIMIT_FSIZE, (n_bytes, hard))
    try:
        yield
    finally:
        resource.setrlimit(resource.RLIMIT_FSIZE, (soft, hard))


@pytest.mark.parametrize("folder", ["absent", "in.smi", "/proc"])
@pytest.mark.parametrize("suffix", [".parquet", ".csv", ".json"])
def test_a_folder_that_cannot_be_written_to_is_told(cli, rules, write, results, tmp_path, folder, suffix):
    source = write("CCO\n")
    out = tmp_path / folder / f"labels{suffix}"
    done = cli("assign", source, "--scheme", rules, "--out", out)
    assert done.fails(f"ffshare: cannot write {out}: ")
    assert done.fails("choose another name, in a folder that exists, that you may write to and that has room")
    assert names(tmp_path) == ["in.smi", "results", "rules"]
    assert not Path("/proc", f"labels{suffix}").exists()


@pytest.mark.parametrize("name", ["labels.txt", "labels.v1", "labels.csv.gz", ".csv"])
def test_an_unknown_suffix_is_told_with_those_that_are_known(cli, rules, write, results, name):
    done = cli("assign", write("CCO\n"), "--scheme", rules, "--out", results / name)
    assert done.fails(f"cannot write {results / name}: give a name that ends in .parquet, .csv, .json")
    assert names(results) == []


@pytest.mark.parametrize(
    "name", ["labels.csv", "labels.metadata.json", "labels.molecules.parquet", "labels.failures.csv"]
)
def test_a_folder_under_the_name_of_an_output_is_told_before_any_work(cli, rules, write, results, name):
    (results / name).mkdir()
    done = cli("assign", write("CCO\n"), "--scheme", rules, "--out", results / "labels.csv")
    assert done.fails(f"cannot write {results / name}: Is a directory")
    assert names(results) == [name]


@pytest.mark.parametrize("name", ["labels.csv", "labels.molecules.parquet", "labels.failures.csv"])
def test_no_output_overwrites_an_input(cli, rules, results, name):
    source = results / name
    if name.endswith(".csv"):
        source.write_text("smiles\nCCO\n")
    else:
        pa.parquet.write_table(pa.table({"smiles": ["CCO"]}), source)
    before = source.read_bytes()
    link = results / "link"
    link.symlink_to(results)
    for out in (results / "labels.csv", link / "labels.csv"):
        done = cli("assign", source, "--scheme", rules, "--out", out)
        assert done.fails(f"cannot write {out.parent / name}: it is an input of this run; choose another name")
    assert source.read_bytes() == before
    assert names(results) == sorted(["link", name])


@pytest.mark.parametrize("suffix", [".parquet", ".csv", ".json"])
@pytest.mark.parametrize("n_bytes", [0, 3000])
def test_a_full_disk_is_told_and_what_stood_there_stays(cli, rules, write, results, suffix, n_bytes):
    source, out = write("CCO ethanol\n" * 700), results / f"labels{suffix}"
    cli("assign", write("O\n", "water.smi"), "--scheme", rules, "--out", out)
    before = {path.name: path.read_bytes() for path in results.iterdir()}
    with largest_file(n_bytes):
        done = cli("assign", source, "--scheme", rules, "--out", out)
    assert done.fails("ffshare: cannot write ")
    assert done.fails(": File too large; choose another name, in a folder that exists")
    assert {path.name: path.read_bytes() for path in results.iterdir()} == before


def test_a_full_standard_output_is_told(start, rules, write):
    if not Path("/dev/full").exists():
        pytest.skip("no /dev/full on this system")
    source = write("CCO ethanol\n" * 700)
    for command in (["assign", source, "--scheme", rules], ["explain", "C", "--scheme", rules, "--json"]):
        with open("/dev/full", "wb") as full:
            done = start(*command, stdout=full).end()
        assert done.status == 1
        assert done.err.endswith("ffshare: No space left on device\n")
        assert "Traceback" not in done.err
        assert "Exception ignored" not in done.err


def test_a_reader_that_goes_away_ends_the_run_quietly(start, rules, write):
    process = start("assign", write("CCO ethanol\n" * 1500), "--scheme", rules)
    assert process.popen.stdout.readline() == b"molecule_idx,molecule,section,atoms,rule_id,pattern,fallback\n"
    process.popen.stdout.close()
    assert process.popen.wait(60) == 141
    assert process.popen.stderr.read() == b""


def test_a_short_output_to_a_reader_that_is_gone_ends_quietly(start, rules):
    process = start("explain", "C", "--scheme", rules, "--json")
    process.popen.stdout.close()
    assert process.popen.wait(60) == 141
    assert process.popen.stderr.read() == b""


@pytest.mark.parametrize("suffix", [".parquet", ".csv", ".json"])
def test_files_have_no_final_name_before_the_end(results, suffix):
    final = results / f"labels{suffix}"
    with OutputFiles() as files:
        files.table(final, SCHEMA, {}).write(ROWS)
        assert not final.exists()
        assert all(name.startswith(".") and name.endswith(".part") for name in names(results))
    assert final.exists()
    assert not any(name.endswith(".part") for name in names(results))


def write_files(folder, error=None):
    """Some files of one group; with an error the block ends by it."""
    with OutputFiles() as files:
        files.table(folder / "labels.parquet", SCHEMA, {}).write(ROWS)
        files.table(folder / "labels.csv", SCHEMA, {}).write(ROWS)
        files.rows(folder / "more.csv", ["a"]).writerow(["b"])
        if error is not None:
            raise error


@pytest.mark.parametrize("error", [ValueError, KeyboardInterrupt, SystemExit])
def test_after_any_error_there_is_no_file(results, error):
    with pytest.raises(error):
        write_files(results, error)
    assert names(results) == []


def test_a_disk_that_is_full_at_the_last_moment_is_an_error(results):
    with largest_file(0), pytest.raises(OutputError, match=r"cannot write .*: File too large"):
        write_files(results)
    assert names(results) == []


def test_of_two_errors_the_first_is_told(results):
    with largest_file(0), pytest.raises(ValueError, match="the first"):
        write_files(results, ValueError("the first"))
    assert names(results) == []
