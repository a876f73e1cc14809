"""A function over a stream of chunks: in this process or in several, results in the order of the chunks.

The function travels to each worker once. Only a few chunks are under way at a time, so that neither a fast reader nor
a slow writer lets memory grow.
"""

import multiprocessing
import os
import signal
import threading
from collections import deque
from collections.abc import Callable, Generator, Iterable, Iterator
from concurrent.futures import Future, ProcessPoolExecutor
from concurrent.futures.process import BrokenProcessPool
from contextlib import contextmanager
from typing import Any, TypeVar

from ffshare.errors import FfshareError

Chunk = TypeVar("Chunk")
Result = TypeVar("Result")

# Chunks under way for each worker: one in work, one waiting, so that no worker idles while results are taken.
_CHUNKS_PER_WORKER = 2

_installed: Callable[[Any], Any] | None = None


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
    function: Callable[[Chunk], Result], chunks: Iterable[Chunk], workers: int
) -> Generator[Result, None, None]:
    # 'spawn' is the one start method that is safe beside threads and the same on every system.
    pool = ProcessPoolExecutor(
        workers, mp_context=multiprocessing.get_context("spawn"), initializer=_install, initargs=(function,)
    )
    under_way: deque[Future[Result]] = deque()
    try:
        for chunk in chunks:
            with _interrupt_held():
                under_way.append(pool.submit(_call, chunk))
            if len(under_way) >= workers * _CHUNKS_PER_WORKER:
                yield under_way.popleft().result()
        while under_way:
            yield under_way.popleft().result()
    except BrokenProcessPool as error:
        raise WorkerError(
            "a worker process died before it answered; standard error may say why. Most often memory ran out: use "
            "fewer workers. In a script, call from under 'if __name__ == \"__main__\":'"
        ) from error
    finally:
        pool.shutdown(wait=True, cancel_futures=True)


@contextmanager
def _interrupt_held() -> Iterator[None]:
    """A context in which Ctrl-C waits. A process that starts in it has Ctrl-C held from its first moment."""
    held = signal.pthread_sigmask(signal.SIG_BLOCK, [signal.SIGINT])
    try:
        yield
    finally:
        signal.pthread_sigmask(signal.SIG_SETMASK, held)


def _install(function: Callable[[Any], Any]) -> None:
    global _installed  # the one thing that a worker process holds
    _installed = function
    # Ctrl-C reaches all processes of a terminal; the one that the user started ends the others.
    signal.signal(signal.SIGINT, signal.SIG_IGN)
    signal.pthread_sigmask(signal.SIG_UNBLOCK, [signal.SIGINT])
    threading.Thread(target=_end_with_parent, daemon=True).start()


def _end_with_parent() -> None:
    """End this process when the one that started it is gone, killed perhaps: nothing else would tell it."""
    parent = multiprocessing.parent_process()
    if parent is not None:
        parent.join()
        os._exit(1)


def _call(chunk: Any) -> Any:
    assert _installed is not None
    return _installed(chunk)
