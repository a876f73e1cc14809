"""A function over a stream of chunks: in this process or in several, results in the order of the chunks.

The function travels to each worker once. Only a few chunks are under way at a time, so that neither a fast reader nor
a slow writer lets memory grow.

Each worker has a pipe of its own, and a thread here that sends it a chunk and waits for its answer. So a worker that is
killed is missed at once, in the middle of an answer too. `concurrent.futures` has one pipe for the answers of all
workers, and this process holds its writing end as well: half an answer of a dead worker is waited for without end, even
when no worker is left.
"""

import multiprocessing
import os
import pickle
import signal
import threading
from collections import deque
from collections.abc import Callable, Generator, Iterable, Iterator
from concurrent.futures import Future, ThreadPoolExecutor
from contextlib import contextmanager, suppress
from multiprocessing import resource_tracker
from multiprocessing.connection import Connection
from queue import SimpleQueue
from typing import Any, TypeVar

from ffshare.errors import FfshareError

Chunk = TypeVar("Chunk")
Result = TypeVar("Result")

# Chunks under way for each worker: one in work, one waiting, so that no worker idles while the next is read.
_CHUNKS_PER_WORKER = 2


class WorkerError(FfshareError):
    """A worker process ended without an answer."""


def map_chunks(
    function: Callable[[Chunk], Result], chunks: Iterable[Chunk], *, workers: int = 1
) -> Generator[Result, None, None]:
    """The results of a function for each chunk, in the order of the chunks.

    What the function raises is raised here, in place of the result.

    Args:
        function: Picklable, called once a chunk; it travels to each worker once and may keep caches.
        chunks: Picklable pieces of work, taken as they are needed.
        workers: Processes; 1 works in this one. A script that asks for more keeps its own work under
            ``if __name__ == "__main__":``, since workers import it.

    Returns:
        An iterator over the results. Closing it stops the workers.

    Raises:
        ValueError: Fewer than one worker.
        WorkerError: A worker process died, of lack of memory for instance.

    Example:
        >>> list(map_chunks(sum, [[1, 2], [3]]))
        [3, 3]
    """
    if workers < 1:
        raise ValueError(f"workers must be 1 or more, not {workers}")
    return _map_here(function, chunks) if workers == 1 else _map_in_processes(function, chunks, workers)


def _map_here(function: Callable[[Chunk], Result], chunks: Iterable[Chunk]) -> Generator[Result, None, None]:
    for chunk in chunks:
        yield function(chunk)


def _map_in_processes(
    function: Callable[[Chunk], Result], chunks: Iterable[Chunk], n_workers: int
) -> Generator[Result, None, None]:
    workers: list[_Worker] = []
    idle: SimpleQueue[_Worker] = SimpleQueue()

    def answer_of_next_idle(chunk: Chunk) -> Result:
        worker = idle.get()
        try:
            result: Result = worker.answer(chunk)
        finally:
            idle.put(worker)
        return result

    threads = ThreadPoolExecutor(n_workers)
    under_way: deque[Future[Result]] = deque()
    try:
        for chunk in chunks:
            if len(workers) < n_workers:
                workers.append(_Worker(function))
                idle.put(workers[-1])
            under_way.append(threads.submit(answer_of_next_idle, chunk))
            if len(under_way) >= n_workers * _CHUNKS_PER_WORKER:
                yield under_way.popleft().result()
        while under_way:
            yield under_way.popleft().result()
    finally:
        threads.shutdown(wait=False, cancel_futures=True)
        for worker in workers:
            worker.end()
        threads.shutdown()


class _Worker:
    """A process that answers chunks, one at a time."""

    def __init__(self, function: Callable[[Any], Any]) -> None:
        # 'spawn' is the one start method that is safe beside threads and the same on every system.
        context = multiprocessing.get_context("spawn")
        # Starting the tracker lets Ctrl-C through again, so it must stand before Ctrl-C is held.
        resource_tracker.ensure_running()
        self._connection, theirs = context.Pipe()
        self._process = context.Process(target=_work, args=(theirs, function), daemon=True)
        with theirs, _telling_of_death(), _interrupt_held():
            self._process.start()

    def answer(self, chunk: Any) -> Any:
        """What the function returns for a chunk; what it raises is raised."""
        with _telling_of_death():
            self._connection.send(chunk)
            packed = self._connection.recv_bytes()
        return unpacked(packed)

    def end(self) -> None:
        """End the process, whatever it is doing."""
        self._process.terminate()
        self._process.join()


@contextmanager
def _telling_of_death() -> Iterator[None]:
    """The end of a pipe as what it means; in the middle of an answer it is an OSError."""
    try:
        yield
    except (EOFError, OSError) as error:
        raise WorkerError(
            "a worker process died before it answered; standard error may say why. Most often memory ran out: use "
            "fewer workers. In a script, call from under 'if __name__ == \"__main__\":'"
        ) from error


@contextmanager
def _interrupt_held() -> Iterator[None]:
    """A context in which Ctrl-C waits. A process that starts in it has Ctrl-C held from its first moment."""
    held = signal.pthread_sigmask(signal.SIG_BLOCK, [signal.SIGINT])
    # Another thread may still take it, and Python would raise it here, so it is noted and raised again afterwards.
    in_main_thread = threading.current_thread() is threading.main_thread()
    pressed: list[int] = []
    handler = signal.signal(signal.SIGINT, lambda number, frame: pressed.append(number)) if in_main_thread else None
    try:
        yield
    finally:
        if in_main_thread:
            signal.signal(signal.SIGINT, handler)
        signal.pthread_sigmask(signal.SIG_SETMASK, held)
    if pressed:
        signal.raise_signal(signal.SIGINT)


def _work(connection: "Connection[Any, Any]", function: Callable[[Any], Any]) -> None:
    """Answer chunks until the process that sends them is gone."""
    # Ctrl-C reaches all processes of a terminal; the one that the user started ends the others.
    signal.signal(signal.SIGINT, signal.SIG_IGN)
    signal.pthread_sigmask(signal.SIG_UNBLOCK, [signal.SIGINT])
    threading.Thread(target=_end_with_parent, daemon=True).start()
    with suppress(EOFError, OSError):
        while True:
            chunk = connection.recv()
            connection.send_bytes(packed_answer(function, chunk))


def _end_with_parent() -> None:
    """End this process when the one that started it does, in the middle of a chunk too: nobody wants the answer."""
    parent = multiprocessing.parent_process()
    if parent is not None:
        parent.join()
        os._exit(1)


def packed_answer(function: Callable[[Any], Any], chunk: Any) -> bytes:
    """What a function returns for a chunk, or what it raises, as bytes for `unpacked`.

    Args:
        function: The function.
        chunk: A piece of work.

    Returns:
        The pickled answer.
    """
    try:
        return pickle.dumps((function(chunk), None), protocol=pickle.HIGHEST_PROTOCOL)
    except Exception as error:
        return pickle.dumps((None, error))


def unpacked(packed: bytes) -> Any:
    """The answer in bytes of `packed_answer`: what was returned is returned, what was raised is raised.

    Args:
        packed: The pickled answer, of a process of our own.

    Returns:
        The answer.
    """
    result, error = pickle.loads(packed)
    if error is not None:
        raise error
    return result
