"""What is damaged of a folder of labels, finished or stopped half way, is made again to the same bytes."""

import json
import shutil
from pathlib import Path

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from ffshare.assign.library.manifest import MADE_FROM, MANIFEST, PROGRESS
from ffshare.folder_lock import LOCK
from tests.assign.library.folders import KINDS, contents, cut, flip, make


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
