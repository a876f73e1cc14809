"""One run at a time in a folder; a run that was killed does not stand in the way."""

import os
import re
import signal
import socket
import subprocess
import sys

import pytest

from ffshare import folder_lock
from ffshare.errors import OutputError
from ffshare.folder_lock import LOCK, locked

HOLDER = """
import sys, time
from pathlib import Path
from ffshare.folder_lock import locked
with locked(Path(sys.argv[1])):
    print("held", flush=True)
    time.sleep(60)
"""


@pytest.fixture
def holder(tmp_path):
    """Another process that holds the lock."""
    process = subprocess.Popen([sys.executable, "-c", HOLDER, tmp_path], stdout=subprocess.PIPE, text=True)
    assert process.stdout.readline() == "held\n"
    yield process
    process.kill()
    process.communicate()


def test_a_second_run_is_told_host_process_and_time_of_the_first(tmp_path, holder):
    wanted = (
        f"{re.escape(str(tmp_path))} is in use by a run on {re.escape(socket.gethostname())} since "
        rf"\d{{4}}-\d\d-\d\d \d\d:\d\d:\d\d UTC \(process {holder.pid}\)"
    )
    with pytest.raises(OutputError, match=wanted), locked(tmp_path):
        pytest.fail("the lock was given twice")
    assert (tmp_path / LOCK).exists()


@pytest.mark.parametrize("end", [signal.SIGKILL, signal.SIGTERM])
def test_a_run_that_was_killed_does_not_stand_in_the_way(tmp_path, holder, end):
    holder.send_signal(end)
    holder.wait()
    with locked(tmp_path):
        assert str(os.getpid()) in (tmp_path / LOCK).read_text()


def test_nothing_is_left_and_the_next_run_may_come(tmp_path):
    for _ in range(2):
        with locked(tmp_path):
            assert [each.name for each in tmp_path.iterdir()] == [LOCK]
    assert not list(tmp_path.iterdir())


def test_an_error_inside_lets_the_lock_go(tmp_path):
    with pytest.raises(ZeroDivisionError), locked(tmp_path):
        _ = 1 / 0
    with locked(tmp_path):
        pass


def test_a_lock_that_vanishes_while_it_is_taken_is_taken_again(tmp_path, monkeypatch):
    answers = iter([False, True])
    monkeypatch.setattr(folder_lock, "_is_at", lambda descriptor, path: next(answers))
    with locked(tmp_path):
        assert (tmp_path / LOCK).exists()
    assert next(answers, None) is None


def test_a_file_that_says_nothing_yet_is_another_run(tmp_path, holder):
    (tmp_path / LOCK).write_text("")
    with pytest.raises(OutputError, match="in use by another run"), locked(tmp_path):
        pytest.fail("the lock was given twice")


def test_a_folder_that_is_not_there_is_an_error_that_names_it(tmp_path):
    with pytest.raises(OutputError, match=r"cannot write to .*gone: No such file"), locked(tmp_path / "gone"):
        pytest.fail("there is no folder")
