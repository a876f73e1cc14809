"""A run that is killed at any of its steps, or finds the disk full, is completed by the next to the same bytes."""

import errno
import os
import shutil
import stat

import pytest

from ffshare.errors import OutputError
from tests.assign.library.folders import (
    KINDS,
    contents,
    inputs,
    make,
)


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

    def full(what, *arguments):
        nonlocal n_calls
        # Names in a folder that cannot be forced to disk are no reason to end.
        n_calls += name != "fsync" or stat.S_ISREG(os.fstat(what).st_mode)
        if n_calls == number:
            raise OSError(errno.ENOSPC, os.strerror(errno.ENOSPC))
        return original(what, *arguments)

    with monkeypatch.context() as patched:
        patched.setattr(os, name, full)
        with pytest.raises(OutputError, match="No space left on device"):
            make(out)
    assert n_calls >= number
    assert list(out.rglob("*.part")) == []
    make(out)
    assert contents(out) == undisturbed
