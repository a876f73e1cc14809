"""A folder belongs to one run at a time, and to one way of making labels."""

import shutil
import socket
from dataclasses import replace

import pyarrow as pa
import pyarrow.parquet as pq
import pytest

from ffshare.assign.library import LabelFolder, read_manifest
from ffshare.assign.library.manifest import MANIFEST
from ffshare.errors import InputError, OutputError
from ffshare.folder_lock import locked
from ffshare.parallel import HERE, Engine
from tests.assign.library.folders import SETTINGS, SIZE, contents, inputs, labeller, make


def test_another_folder_is_refused_and_left_alone(tmp_path):
    (tmp_path / "thesis.tex").write_text("…")
    with pytest.raises(OutputError, match=r"holds files that are not labels of ffshare \(thesis.tex\)"):
        make(tmp_path)
    assert contents(tmp_path) == {"thesis.tex": "…".encode()}


@pytest.mark.parametrize("manifest", ['{"name": "a web page"}', "[1]", '{"format": 3}', "labels"])
def test_the_manifest_of_something_else_is_refused_and_left_alone(tmp_path, manifest):
    (tmp_path / MANIFEST).write_text(manifest)
    (tmp_path / "labels").mkdir()
    pq.write_table(pa.table({"x": [1]}), tmp_path / "labels" / "part-000000.parquet")
    before = contents(tmp_path)
    with pytest.raises(OutputError, match="holds files that are not labels of ffshare"):
        make(tmp_path)
    assert read_manifest(tmp_path) is None
    assert contents(tmp_path) == before


def test_hidden_files_of_others_do_not_stand_in_the_way_and_stay(tmp_path):
    (tmp_path / ".gitkeep").write_text("")
    make(tmp_path)
    (tmp_path / "labels" / "notes.txt").write_text("mine")
    make(tmp_path)
    assert (tmp_path / ".gitkeep").exists()
    assert (tmp_path / "labels" / "notes.txt").read_text() == "mine"


CHANGES = {
    "scheme": ({"scheme": "gaff2"}, 'scheme: "gaff2" here, "alkethoh-smirks" there'),
    "setting": ({"settings": {"mode": "spec"}}, 'settings: mode: "spec" here, "compat" there'),
    "file": ({"input_checksums": {"in.smi": "4321"}}, 'input_checksums: in.smi: "4321" here, "1234" there'),
    "name of a file": ({"input_checksums": {"b.smi": "1"}}, 'input_checksums: b.smi: "1" here, null there'),
}


@pytest.mark.parametrize(("changes", "message"), CHANGES.values(), ids=CHANGES)
@pytest.mark.parametrize("ended", [True, False], ids=["finished", "stopped"])
def test_labels_made_otherwise_are_refused_with_what_differs(
    copied, finished, half_way, undisturbed, changes, message, ended
):
    out = copied(finished if ended else half_way)
    with pytest.raises(OutputError, match="made otherwise; here is this run, there what made them") as raised:
        make(out, made_from=SETTINGS | changes)
    assert message in str(raised.value).split("\n  ")
    assert str(raised.value).endswith("name another folder, or remove this one")
    make(out)
    assert contents(out) == undisturbed


def test_another_size_of_partitions_is_refused(copied, finished):
    with pytest.raises(OutputError, match="partition: 20 here, 10 there"):
        make(copied(finished), size=20)


def test_labels_made_otherwise_are_known_by_their_parts_when_the_manifest_is_gone(copied, finished, undisturbed):
    out = copied(finished)
    (out / MANIFEST).unlink()
    with pytest.raises(OutputError, match='scheme: "gaff2" here, "alkethoh-smirks" there'):
        make(out, made_from=SETTINGS | {"scheme": "gaff2"})
    # Parts do not say of which files they are.
    make(out, made_from=SETTINGS | {"input_checksums": {"in.smi": "4321"}})
    assert {name: data for name, data in contents(out).items() if name != MANIFEST} == {
        name: data for name, data in undisturbed.items() if name != MANIFEST
    }


def test_a_second_run_is_refused_and_takes_nothing_away(tmp_path, undisturbed):
    out = tmp_path / "out"
    make(out, stop_after=2)
    before = contents(out)
    with locked(out), pytest.raises(OutputError, match=f"in use by a run on {socket.gethostname()} since .* UTC"):
        make(out)
    assert contents(out) == before
    make(out)
    assert contents(out) == undisturbed


class Outlived:
    """A labeller in whose call the run ends, another one takes the folder, and that ends too."""

    def __init__(self, then):
        self._then = then

    def __call__(self, entries):
        self._then()
        return labeller()(entries)


def test_a_worker_that_outlives_its_run_changes_nothing(tmp_path):
    killed, others = tmp_path / "killed", inputs(first=60)
    with LabelFolder(tmp_path / "out", SETTINGS, SIZE) as folder:
        first, second, *_ = folder.waiting(inputs())
        shutil.copytree(folder.path, killed)
        writer = folder.writer(Outlived(lambda: make(killed, others)))
    moved = {name: killed / path.relative_to(tmp_path / "out") for name, path in _folders_of(writer).items()}
    orphan = replace(writer, **moved)
    with pytest.raises(OutputError, match="cannot write"):
        orphan(first)
    make(tmp_path / "others", others)
    assert contents(killed) == contents(tmp_path / "others")
    with pytest.raises(OutputError, match=r"does not see .*: either this run has ended, or"):
        orphan(second)
    assert contents(killed) == contents(tmp_path / "others")


def _folders_of(writer):
    return {"folder": writer.folder, "progress": writer.progress, "unfinished": writer.unfinished}


@pytest.mark.parametrize("engine", [HERE, Engine(workers=2)], ids=["here", "processes"])
def test_strict_ends_at_the_first_that_cannot_be_used_and_again_when_it_is_started_again(tmp_path, undisturbed, engine):
    for _ in range(2):
        with pytest.raises(InputError, match=r"in.smi, line 13 \(broken\): SMILES does not parse"):
            make(tmp_path, engine=engine, strict=True)
        assert not (tmp_path / MANIFEST).exists()
    assert make(tmp_path).n_kept >= 20
    assert contents(tmp_path) == undisturbed


def test_strict_over_a_finished_folder_ends_in_the_error_and_leaves_it(copied, finished, undisturbed):
    out = copied(finished)
    with pytest.raises(InputError, match="line 13"):
        make(out, strict=True)
    assert contents(out) == undisturbed


def test_parts_with_a_gap_between_them_are_not_finished(tmp_path):
    with LabelFolder(tmp_path, SETTINGS, SIZE) as folder:
        writer = folder.writer(labeller())
        for partition in folder.waiting(inputs()):
            if partition.number != 1:
                folder.take(writer(partition))
        with pytest.raises(InputError, match="4 parts with gaps between"):
            folder.finish()
