"""Ctrl-C, SIGTERM and dead workers: the run ends at once and says so, and no file is left."""

import os
import signal
from pathlib import Path

import pytest

from ffshare.molecules.read import BATCH_SIZE
from tests.cli.conftest import names, wait_until

# More than one chunk, so that the first is written while the rest is waited for.
LINES = b"CCO ethanol\n" * (BATCH_SIZE + 100)
FINAL = "labels.csv"

ENDS = {
    "Ctrl-C": (lambda process: process.interrupt(), 130, "ffshare: interrupted; no output file was written\n"),
    "SIGTERM": (lambda process: process.popen.terminate(), 143, ""),
}


def temporary(folder):
    """Size of the labels so far, None where there is no such file."""
    return next((path.stat().st_size for path in folder.glob(f".{FINAL}.*.part")), None)


def wait_for_rest(folder):
    """Wait until some labels are written and no more come, so that the process waits for its input."""
    sizes = []

    def at_rest():
        sizes.append(temporary(folder) or 0)
        return len(sizes) > 10 and sizes[-11] == sizes[-1] > 0

    wait_until(at_rest)


@pytest.mark.parametrize("workers", ["1", "2"])
@pytest.mark.parametrize(("end", "status", "message"), ENDS.values(), ids=ENDS)
def test_an_end_while_waiting_for_input_is_prompt_and_leaves_no_file(
    start, rules, results, workers, end, status, message
):
    process = start("assign", "-", "--scheme", rules, "--out", results / FINAL, "--workers", workers)
    # With two workers four chunks are under way before the first result is awaited.
    process.feed(LINES if workers == "1" else LINES * 5)
    wait_for_rest(results)
    end(process)
    done = process.end()
    assert (done.status, done.out, done.err) == (status, "", message)
    assert names(results) == []


@pytest.mark.parametrize("workers", ["1", "2"])
def test_ctrl_c_at_the_start_of_the_work_leaves_no_file_and_what_stood_there(start, rules, results, workers):
    (results / FINAL).write_text("from the last run")
    process = start("assign", "-", "--scheme", rules, "--out", results / FINAL, "--workers", workers)
    process.feed(LINES)
    wait_until(lambda: temporary(results) is not None)
    process.interrupt()
    done = process.end()
    assert (done.status, done.out, done.err) == (130, "", "ffshare: interrupted; no output file was written\n")
    assert names(results) == [FINAL]
    assert (results / FINAL).read_text() == "from the last run"


def workers_of(process):
    """Processes that a process has started to work for it."""
    found = []
    for task in Path(f"/proc/{process.popen.pid}/task").iterdir():
        for child in map(int, (task / "children").read_text().split()):
            if b"spawn_main" in Path(f"/proc/{child}/cmdline").read_bytes():
                found.append(child)
    return found


def test_workers_that_are_killed_end_the_run_with_a_message(start, rules, results):
    if not Path(f"/proc/{os.getpid()}/task/{os.getpid()}/children").exists():
        pytest.skip("this system does not list the children of a process")
    process = start("assign", "-", "--scheme", rules, "--out", results / FINAL, "--workers", "2")
    process.feed(LINES * 5)
    wait_for_rest(results)
    for worker in workers_of(process):
        os.kill(worker, signal.SIGKILL)
    process.popen.stdin.close()
    done = process.end()
    assert done.fails("ffshare: a worker process died before it answered")
    assert done.fails("Most often memory ran out: use fewer workers")
    assert names(results) == []
