"""A cluster of dask gives what a plain loop gives, and what is lost there is told here."""

import os

import pytest

from ffshare.errors import InputError, MoleculeError
from ffshare.parallel import HERE, Engine, WorkerError, cluster
from tests.parallel import work

distributed = pytest.importorskip("distributed")


@pytest.fixture(scope="module")
def address():
    """The scheduler of two worker processes on this machine, with two threads each."""
    with distributed.LocalCluster(n_workers=2, threads_per_worker=2, dashboard_address=":0") as made:
        yield made.scheduler_address


def test_results_stand_in_the_order_of_the_chunks_whichever_is_done_first(address):
    assert list(Engine(scheduler=address).map(work.late_if_even, range(30))) == list(range(30))


def test_no_chunks_have_no_results(address):
    assert list(Engine(scheduler=address).map(str, [])) == []


def test_the_function_travels_once_to_each_worker_and_is_called_for_one_chunk_at_a_time(address):
    results = list(Engine(scheduler=address).map(work.Counting(), range(40)))
    for process in {process for process, _ in results}:
        n_calls = sorted(number for worker, number in results if worker == process)
        assert n_calls == list(range(1, len(n_calls) + 1))


def test_the_work_is_done_in_other_processes(address):
    assert os.getpid() not in {process for _, process in Engine(scheduler=address).map(work.identify, range(4))}


def test_chunks_are_taken_as_they_are_needed(address):
    taken = []
    results = Engine(scheduler=address).map(str, (taken.append(number) or number for number in range(1000)))
    assert next(results) == "0"
    results.close()
    assert len(taken) <= 2 * cluster._CHUNKS_PER_WORKER + 1


def test_what_the_function_raises_is_raised_here(address):
    with pytest.raises(MoleculeError, match="dummy"):
        list(Engine(scheduler=address).map(work.raise_error, [None, MoleculeError("atom 0 is a dummy", "replace it")]))


def test_nothing_of_a_finished_run_stays_with_the_workers(address):
    list(Engine(scheduler=address).map(str, range(3)))
    with distributed.Client(address, set_as_default=False) as client:
        plugins = client.run(lambda dask_worker: [name for name in dask_worker.plugins if name.startswith("ffshare")])
    assert set(map(len, plugins.values())) == {0}


def test_a_worker_that_dies_once_is_replaced(address, tmp_path):
    chunks = [(tmp_path / str(number), number == 2) for number in range(6)]
    assert list(Engine(scheduler=address).map(work.die_once, chunks)) == [path.name for path, _ in chunks]


def test_a_chunk_that_kills_every_worker_ends_the_run_with_what_to_do(address):
    with pytest.raises(WorkerError, match=r"several workers were lost on the same chunk.*smaller chunks"):
        list(Engine(scheduler=address).map(work.die, [0, 1]))


def test_a_scheduler_that_is_not_there_is_an_error_that_says_how_to_start_one(monkeypatch):
    monkeypatch.setattr(cluster, "_PATIENCE", "1s")
    with pytest.raises(WorkerError, match=r"no scheduler of dask answers at tcp://127.0.0.1:9: .*`dask scheduler`"):
        list(Engine(scheduler="tcp://127.0.0.1:9").map(str, [1]))


def test_a_scheduler_that_is_lost_ends_the_run_with_what_to_do():
    with distributed.LocalCluster(n_workers=1, threads_per_worker=1, dashboard_address=":0") as made:
        results = Engine(scheduler=made.scheduler_address).map(str, iter(range(1000)))
        assert next(results) == "0"
    with pytest.raises(WorkerError, match="was lost"):
        list(results)


def test_workers_and_a_scheduler_exclude_each_other():
    with pytest.raises(InputError, match="give one of them"):
        Engine(workers=2, scheduler="tcp://127.0.0.1:9")


def test_less_than_one_worker_is_refused():
    with pytest.raises(InputError, match="1 or more"):
        Engine(workers=0)


def test_without_either_work_is_done_here():
    assert HERE.is_here
    assert list(HERE.map(work.identify, [1])) == [(1, os.getpid())]
