"""A folder of labels is the same to the last byte, whoever makes it, however often it is stopped, whatever is damaged.

Damage is done to a copy of a folder, finished or stopped half way; then the same run is made again, and all files are
compared with those of a run that nothing disturbed.
"""

import errno
import json
import os
import shutil
import socket
from contextlib import closing
from dataclasses import replace
from functools import cache
from pathlib import Path

import pyarrow as pa
import pyarrow.parquet as pq
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from ffshare.assign import load_scheme
from ffshare.assign.library import LabelFolder, Labeller, missing_parts, read_manifest
from ffshare.assign.library.manifest import MADE_FROM, MANIFEST, PROGRESS
from ffshare.data_files import data_directory
from ffshare.errors import InputError, OutputError
from ffshare.folder_lock import LOCK, locked
from ffshare.molecules import Entry, Failure
from ffshare.parallel import HERE, Engine

SIZE = 10
SETTINGS = {"scheme": "alkethoh-smirks", "input_checksums": {"in.smi": "1234"}, "settings": {"mode": "compat"}}
KINDS = ("labels", "molecules", "failures")


def entry(index, text, name):
    return Entry(index=index, path="in.smi", line=index + 1, name=name, kind="smiles", text=text)


def inputs(first=0):
    """44 entries, five parts: some come twice, one is no molecule, one has no rules, one was lost in the reading."""
    lines = (data_directory("molecules") / "alkethoh.smi").read_text().splitlines()[first : first + 30]
    pairs = [tuple(line.split()) for line in (*lines[:12], "C1CC broken", *lines[12:], *lines[5:17], "[Xe] xenon")]
    found = [entry(index, *pair) for index, pair in enumerate(pairs)]
    found[20] = Failure(
        index=20, path="in.smi", line=21, name="", text="?", reason="not UTF-8", advice="save the file as UTF-8"
    )
    return found


@cache
def labeller():
    return Labeller(scheme=load_scheme("alkethoh-smirks"))


def make(path, entries=None, *, engine=HERE, size=SIZE, stop_after=None, made_from=SETTINGS, strict=False):
    """A run, which may stop when some parts are made."""
    with LabelFolder(path, made_from, size, strict=strict) as folder:
        waiting = folder.waiting(inputs() if entries is None else entries)
        with closing(waiting), closing(engine.map(folder.writer(labeller()), waiting)) as parts:
            for number, part in enumerate(parts, start=1):
                folder.take(part)
                if number == stop_after:
                    return folder
        folder.finish()
    return folder


def contents(folder):
    """All there is below a folder: bytes of files, None for folders."""
    return {
        str(path.relative_to(folder)): path.read_bytes() if path.is_file() else None
        for path in sorted(folder.rglob("*"))
    }


def table(folder, kind):
    paths = sorted((folder / kind).glob("*.parquet"))
    # Repeated text is written as a dictionary, each file with its own.
    return pa.Table.from_pylist([row for path in paths for row in pq.read_table(path).to_pylist()])


@pytest.fixture(scope="module")
def finished(tmp_path_factory):
    """A folder that nothing disturbed; copied, never touched."""
    path = tmp_path_factory.mktemp("finished") / "out"
    make(path)
    return path


@pytest.fixture(scope="module")
def undisturbed(finished):
    return contents(finished)


@pytest.fixture(scope="module")
def half_way(tmp_path_factory):
    """A folder whose run stopped after three of five parts."""
    path = tmp_path_factory.mktemp("half") / "out"
    make(path, stop_after=3)
    return path


@pytest.fixture
def copied(tmp_path):
    """Copies a folder, to be damaged."""
    return lambda folder: Path(shutil.copytree(folder, tmp_path / "out"))


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


class Snapshots:
    """Copies of a folder at each change of it: what a run leaves that is killed there."""

    CALLS = ("replace", "fsync", "unlink", "rmdir", "mkdir")

    def __init__(self, monkeypatch, folder, copies):
        self._folder, self._copies, self._busy = folder, copies, False
        for name in self.CALLS:
            monkeypatch.setattr(os, name, self._watched(getattr(os, name)))

    def _watched(self, call):
        def watched(*arguments, **options):
            self._take()
            done = call(*arguments, **options)
            self._take()
            return done

        return watched

    def _take(self):
        if not self._busy and self._folder.exists():
            self._busy = True
            shutil.copytree(self._folder, self._copies / f"{len(list(self._copies.iterdir())):04d}")
            self._busy = False


@pytest.mark.parametrize("damaged", [False, True], ids=["a first run", "a run that mends"])
def test_a_run_killed_at_any_of_its_steps_is_completed_by_the_next(tmp_path, monkeypatch, damaged):
    entries, out, copies = inputs()[:23], tmp_path / "out", tmp_path / "copies"
    copies.mkdir()
    make(out, entries)
    undisturbed = contents(out)
    if damaged:
        (out / "labels" / "part-000001.parquet").unlink()
        (out / "molecules" / "part-000002.parquet").write_bytes(b"")
    else:
        shutil.rmtree(out)
    with monkeypatch.context() as patched:
        Snapshots(patched, out, copies)
        make(out, entries)
    seen = set()
    for copy in sorted(copies.iterdir()):
        left = contents(copy)
        # The names of what is being written are by chance.
        state = frozenset((name.split("/run-")[0], data) for name, data in left.items())
        if state not in seen:
            seen.add(state)
            parts = {name: data for name, data in left.items() if name.startswith(KINDS) and data}
            assert parts.items() <= undisturbed.items(), "a half-written part under a final name"
            make(copy, entries)
            assert contents(copy) == undisturbed, copy.name
    assert len(seen) > 10


@pytest.mark.parametrize("name", Snapshots.CALLS[:2])
@pytest.mark.parametrize("number", [1, 2, 6, 11, 15, 21, 22])
def test_a_disk_that_is_full_is_an_error_and_the_next_run_goes_on(tmp_path, monkeypatch, undisturbed, name, number):
    out, original, n_calls = tmp_path / "out", getattr(os, name), 0

    def full(*arguments, **options):
        nonlocal n_calls
        n_calls += 1
        if n_calls == number:
            raise OSError(errno.ENOSPC, os.strerror(errno.ENOSPC))
        return original(*arguments, **options)

    with monkeypatch.context() as patched:
        patched.setattr(os, name, full)
        try:
            make(out)
        except OutputError as error:
            # Beside the error: names in a folder that cannot be forced to disk are no reason to end.
            assert "No space left on device" in str(error)  # noqa: PT017
    assert n_calls >= number
    assert list(out.rglob("*.part")) == []
    make(out)
    assert contents(out) == undisturbed


def cut(path):
    path.write_bytes(path.read_bytes()[:-7])


def flip(path, at=100):
    data = bytearray(path.read_bytes())
    data[at] ^= 1
    path.write_bytes(bytes(data))


def change_number(path):
    """Half as many molecules were read, says a record."""
    path.write_text(path.read_text().replace('"read": 10', '"read": 5'))


def swap(folder):
    """Two parts with each other's names."""
    first, second = (folder / "labels" / f"part-00000{number}.parquet" for number in (0, 1))
    first.rename(folder / "third")
    second.rename(first)
    (folder / "third").rename(second)


def add_leftovers(folder):
    """What runs leave that are killed."""
    (folder / LOCK).write_text("{}")
    run = folder / PROGRESS / "run-0123"
    run.mkdir(parents=True)
    (run / ".part-000001.parquet.0a0b.part").write_bytes(b"PAR1")


def add_parts(folder):
    """Parts of a larger input."""
    for kind in KINDS:
        shutil.copy(folder / kind / "part-000000.parquet", folder / kind / "part-000017.parquet")


def break_manifest(folder, **changes):
    manifest = json.loads((folder / MANIFEST).read_text())
    (folder / MANIFEST).write_text(json.dumps(manifest | changes))


DAMAGE_TO_ANY = {
    **{f"{kind} deleted": lambda out, kind=kind: (out / kind / "part-000001.parquet").unlink() for kind in KINDS},
    **{f"{kind} cut short": lambda out, kind=kind: cut(out / kind / "part-000001.parquet") for kind in KINDS},
    **{f"a bit of {kind} flipped": lambda out, kind=kind: flip(out / kind / "part-000001.parquet") for kind in KINDS},
    "a part emptied": lambda out: (out / "labels" / "part-000002.parquet").write_bytes(b""),
    "all labels deleted": lambda out: shutil.rmtree(out / "labels"),
    "parts swapped": swap,
    "leftovers of a killed run": add_leftovers,
    "surplus parts": add_parts,
}
DAMAGE_TO_FINISHED = {
    "manifest deleted": lambda out: (out / MANIFEST).unlink(),
    "manifest cut short": lambda out: cut(out / MANIFEST),
    "manifest emptied": lambda out: (out / MANIFEST).write_bytes(b""),
    "manifest with other numbers": lambda out: change_number(out / MANIFEST),
    "manifest without parts": lambda out: break_manifest(out, parts=None),
    "manifest of nonsense": lambda out: break_manifest(out, parts=[1, "x", {"number": "x", "checksum": ""}]),
    "manifest deleted, and a part": lambda out: [
        path.unlink() for path in (out / MANIFEST, out / "labels" / "part-000000.parquet")
    ],
    "empty progress": lambda out: (out / PROGRESS).mkdir(),
}
DAMAGE_TO_HALF = {
    "record deleted": lambda out: (out / PROGRESS / "part-000001.json").unlink(),
    "record cut short": lambda out: cut(out / PROGRESS / "part-000001.json"),
    "record flipped": lambda out: flip(out / PROGRESS / "part-000001.json", at=12),
    "record with other numbers": lambda out: change_number(out / PROGRESS / "part-000001.json"),
    "all records deleted": lambda out: [path.unlink() for path in (out / PROGRESS).glob("part-*")],
    "mark deleted": lambda out: (out / PROGRESS / MADE_FROM).unlink(),
    "mark cut short": lambda out: cut(out / PROGRESS / MADE_FROM),
    "progress deleted": lambda out: shutil.rmtree(out / PROGRESS),
}


@pytest.mark.parametrize(
    "damage", (DAMAGE_TO_ANY | DAMAGE_TO_FINISHED).values(), ids=DAMAGE_TO_ANY | DAMAGE_TO_FINISHED
)
def test_what_is_damaged_of_a_finished_folder_is_made_again(copied, finished, undisturbed, damage):
    out = copied(finished)
    damage(out)
    make(out)
    assert contents(out) == undisturbed


@pytest.mark.parametrize("damage", (DAMAGE_TO_ANY | DAMAGE_TO_HALF).values(), ids=DAMAGE_TO_ANY | DAMAGE_TO_HALF)
def test_what_is_damaged_of_a_stopped_run_is_made_again(copied, half_way, undisturbed, damage):
    out = copied(half_way)
    damage(out)
    make(out)
    assert contents(out) == undisturbed


@settings(max_examples=40)
@given(data=st.data())
def test_any_files_damaged_anywhere_are_made_again(finished, undisturbed, half_way, tmp_path_factory, data):
    out = Path(
        shutil.copytree(data.draw(st.sampled_from([finished, half_way])), tmp_path_factory.mktemp("any") / "out")
    )
    # A bit of a manifest may say that something else made the folder; that is refused.
    paths = sorted(path for path in out.rglob("*-*") if path.is_file())
    for path in data.draw(st.lists(st.sampled_from(paths), min_size=1, max_size=6, unique=True)):
        content = path.read_bytes()
        place = data.draw(st.integers(0, len(content) - 1))
        how = data.draw(st.sampled_from(["delete", "cut", "flip", "append"]))
        if how == "delete":
            path.unlink()
        elif how == "flip":
            flip(path, place)
        else:
            path.write_bytes(content[:place] if how == "cut" else content + content[place:])
    make(out)
    assert contents(out) == undisturbed


def test_parts_that_are_whole_are_not_made_again(copied, finished):
    out = copied(finished)
    (out / "failures" / "part-000002.parquet").unlink()
    assert make(out).n_kept == 34


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
