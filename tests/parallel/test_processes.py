"""Results come in the order of the chunks, few chunks are under way, and what goes wrong in a worker is told here."""

import itertools
import multiprocessing
import os
import pickle
import subprocess
import sys
import time
from contextlib import closing
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

from ffshare.errors import (
    Fault,
    FfshareError,
    InputError,
    MissingDependencyError,
    MoleculeError,
    OutputError,
    PatternError,
    RuleFileError,
    SchemeError,
    TyingError,
    UnitError,
)
from ffshare.parallel import WorkerError, map_chunks
from tests.parallel import work

REPOSITORY = Path(__file__).parents[2]
ERRORS = [
    InputError("no such file"),
    MissingDependencyError("install it"),
    MoleculeError("atom 0 is a dummy atom", "replace it"),
    OutputError("disk full"),
    PatternError("[#6", "does not parse"),
    RuleFileError("a.offxml", [Fault("k is missing", 3), Fault("id is missing")]),
    SchemeError("no such scheme"),
    TyingError("wrong shape"),
    UnitError("1 * parsec", "is no angle"),
    WorkerError("died"),
]


def counted(n_taken):
    """Endless chunks, and in the list how many were taken."""
    for number in itertools.count():
        n_taken[0] += 1
        yield number


@given(chunks=st.lists(st.integers()))
def test_one_worker_is_a_plain_loop_in_this_process(chunks):
    assert list(map_chunks(str, chunks)) == list(map(str, chunks))


@pytest.mark.parametrize("workers", [2, 3])
def test_results_stand_in_the_order_of_the_chunks_whichever_is_done_first(workers):
    assert list(map_chunks(work.late_if_even, range(12), workers=workers)) == list(range(12))


def test_several_workers_are_other_processes_that_work_side_by_side(tmp_path):
    processes = set(map_chunks(work.meet, [(tmp_path, 2)] * 6, workers=2))
    assert len(processes) == 2
    assert os.getpid() not in processes


def test_the_function_travels_once_to_each_worker_and_keeps_what_it_learned():
    results = list(map_chunks(work.Counting(), range(10), workers=2))
    for process in {process for process, _ in results}:
        n_calls = [number for worker, number in results if worker == process]
        assert n_calls == list(range(1, len(n_calls) + 1))


def test_no_chunks_have_no_results():
    assert list(map_chunks(str, [], workers=2)) == []


@pytest.mark.parametrize("workers", [1, 2])
def test_chunks_are_taken_only_when_results_are_asked_for(workers):
    n_taken = [0]
    with closing(map_chunks(work.late_if_even, counted(n_taken), workers=workers)) as results:
        assert n_taken == [0]
        for n_given in range(1, 6):
            next(results)
            # Those under way: at most two a worker.
            assert n_given <= n_taken[0] <= n_given + 2 * workers - 1
    assert n_taken[0] <= 5 + 2 * workers


def test_closing_it_stops_the_workers():
    before = set(multiprocessing.active_children())
    results = map_chunks(work.identify, itertools.count(), workers=2)
    _, process = next(results)
    assert process in {child.pid for child in multiprocessing.active_children()}
    results.close()
    assert set(multiprocessing.active_children()) <= before


def test_every_error_survives_the_way_between_processes():
    known = {type(error) for error in ERRORS}
    assert {cls for cls in FfshareError.__subclasses__() if cls.__module__ == "ffshare.errors"} <= known
    for error in ERRORS:
        copy = pickle.loads(pickle.dumps(error))
        assert type(copy) is type(error)
        assert str(copy) == str(error)
        assert vars(copy) == vars(error)


@pytest.mark.parametrize("workers", [1, 2])
@pytest.mark.parametrize("error", [ERRORS[5], KeyError("no such key")], ids=["of ffshare", "of Python"])
def test_what_a_worker_raises_is_raised_here_in_place_of_its_result(workers, error):
    results = map_chunks(work.raise_error, [None, None, error, None], workers=workers)
    assert [next(results), next(results)] == [None, None]
    with pytest.raises(type(error)) as caught:
        next(results)
    assert str(caught.value) == str(error)
    assert vars(caught.value) == vars(error)
    assert list(results) == []


def test_an_error_of_the_reader_ends_the_workers_too():
    def reader():
        yield from range(3)
        raise InputError("cut short")

    before = set(multiprocessing.active_children())
    with pytest.raises(InputError, match="cut short"):
        list(map_chunks(work.identify, reader(), workers=2))
    assert set(multiprocessing.active_children()) <= before


@pytest.mark.parametrize("function", [work.die, work.LostOnTheWay()], ids=["at work", "before it began"])
def test_a_worker_that_dies_is_an_error_that_says_what_to_do(function):
    with pytest.raises(WorkerError, match=r"a worker process died before it answered; .* use fewer workers"):
        list(map_chunks(function, [0, 1, 0, 0], workers=2))


@pytest.mark.parametrize("delay", [0.02, 0.03, 0.04, 0.06])
def test_a_worker_that_dies_in_the_middle_of_its_answer_is_missed_while_the_others_live(delay):
    with pytest.raises(WorkerError, match="a worker process died before it answered"):
        list(map_chunks(work.die_while_answering, [0, delay, 0, 0, 0, 0], workers=2))


def test_a_connection_that_the_function_loses_is_its_own_error():
    results = map_chunks(work.raise_error, [ConnectionResetError("by peer")], workers=2)
    with pytest.raises(ConnectionResetError, match="by peer"):
        list(results)


def test_an_answer_that_cannot_travel_is_an_error_and_not_a_hang():
    with pytest.raises(TypeError, match="it stays where it is"):
        list(map_chunks(work.answer_that_cannot_travel, [1], workers=2))


@pytest.mark.parametrize("workers", [0, -1])
def test_fewer_than_one_worker_is_refused_at_once(workers):
    with pytest.raises(ValueError, match=f"workers must be 1 or more, not {workers}"):
        map_chunks(str, [1], workers=workers)


def test_a_function_that_cannot_travel_is_an_error_and_not_a_hang():
    with pytest.raises((pickle.PicklingError, AttributeError), match="lambda"):
        list(map_chunks(lambda chunk: chunk, [1], workers=2))


SCRIPT = """
from ffshare.parallel import map_chunks
from tests.parallel import work
if __name__ == "__main__":
    for chunk, process in map_chunks(work.identify, iter(int, 1), workers=2):
        print(process, flush=True)
"""


def is_running(process):
    try:
        os.kill(process, 0)
    except ProcessLookupError:
        return False
    # A process that has ended stays listed until its parent asks.
    stat = Path(f"/proc/{process}/stat")
    return not stat.exists() or stat.read_text().rpartition(")")[2].split()[0] != "Z"


@pytest.mark.skipif(os.name != "posix", reason="kills a process by its number")
def test_workers_end_when_the_process_that_started_them_is_killed(tmp_path):
    script = tmp_path / "script.py"
    script.write_text(SCRIPT)
    environment = {**os.environ, "PYTHONPATH": str(REPOSITORY)}
    with subprocess.Popen([sys.executable, script], stdout=subprocess.PIPE, env=environment, text=True) as parent:
        workers = {int(parent.stdout.readline()) for _ in range(20)}
        parent.kill()
    assert workers
    deadline = time.monotonic() + 20
    while any(map(is_running, workers)) and time.monotonic() < deadline:
        time.sleep(0.05)
    assert not [process for process in workers if is_running(process)]
