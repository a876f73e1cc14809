"""A function over a stream of chunks on the workers of a scheduler of dask, results in the order of the chunks.

The function travels once to each worker, those that join later included: it is a plugin of the workers, and a task
names it. A worker process calls it for one chunk at a time, whatever number of threads it has, since functions keep
caches. A chunk whose worker is lost goes to another one; dask gives up when several were lost on the same chunk.

Chunks and answers travel as bytes: dask would look through lists of a thousand molecules for its own futures.
"""

import pickle
import threading
import uuid
from collections import deque
from collections.abc import Callable, Generator, Iterable
from contextlib import suppress
from importlib.metadata import version
from typing import Any, TypeVar

from ffshare.errors import MissingDependencyError
from ffshare.parallel.processes import WorkerError, packed_answer, unpacked

Chunk = TypeVar("Chunk")
Result = TypeVar("Result")

# Chunks under way for each worker process: one in work, two waiting, since a new one takes a journey to arrive.
_CHUNKS_PER_WORKER = 3
# Until a scheduler has answered for the first time.
_PATIENCE = "10s"
# Packed chunks are large on purpose; dask warns of graphs from 10 MB on.
_SETTINGS = {"distributed.admin.large-graph-warning-threshold": "1GB"}


def map_on_cluster(
    function: Callable[[Chunk], Result], chunks: Iterable[Chunk], address: str
) -> Generator[Result, None, None]:
    """The results of a function for each chunk, in the order of the chunks; see `map_chunks`.

    Args:
        function: Picklable; it travels to each worker once.
        chunks: Picklable pieces of work, taken as they are needed.
        address: Address of a scheduler of dask.distributed, such as ``tcp://10.0.0.1:8786``.

    Returns:
        An iterator over the results. Closing it cancels what is under way.

    Raises:
        MissingDependencyError: dask.distributed is not installed.
        WorkerError: The scheduler cannot be reached, or is lost; or several workers were lost on one chunk.
    """
    try:
        import dask
        import distributed
    except ImportError as error:
        raise MissingDependencyError(
            "a scheduler is reached through dask.distributed: pip install 'ffshare[cluster]'"
        ) from error
    with dask.config.set(_SETTINGS):
        try:
            client = distributed.Client(address, timeout=_PATIENCE, set_as_default=False)
        except (OSError, ValueError) as error:
            raise WorkerError(
                f"no scheduler of dask answers at {address}: {error or type(error).__name__}; start one with "
                "`dask scheduler`, and give the address that it prints"
            ) from error
        name = f"ffshare-{uuid.uuid4().hex}"
        under_way: deque[Any] = deque()
        try:
            with client:
                client.register_plugin(_plugin_of(function), name=name)
                try:
                    for number, chunk in enumerate(chunks):
                        packed = pickle.dumps(chunk, protocol=pickle.HIGHEST_PROTOCOL)
                        under_way.append(client.submit(_answer, name, packed, key=f"{name}-{number}", pure=False))
                        while len(under_way) >= _CHUNKS_PER_WORKER * max(1, len(client.nthreads())):
                            yield unpacked(under_way.popleft().result())
                    while under_way:
                        yield unpacked(under_way.popleft().result())
                finally:
                    # A scheduler that is lost cannot be told.
                    with suppress(Exception):
                        client.cancel(list(under_way))
                        client.unregister_worker_plugin(name)
        except distributed.KilledWorker as error:
            raise WorkerError(
                f"several workers were lost on the same chunk: {error}. Most often memory ran out; give the workers "
                "more, or use smaller chunks"
            ) from error
        except (distributed.CancelledError, distributed.comm.CommClosedError, OSError) as error:
            raise WorkerError(f"the scheduler at {address} was lost; start it again, then the same command") from error


def _plugin_of(function: Callable[[Any], Any]) -> Any:
    """A plugin of dask's workers that holds a function."""
    import distributed

    class Function(distributed.WorkerPlugin):  # type: ignore[misc]
        def __init__(self, packed: bytes, made_by: str) -> None:
            self._packed, self._made_by = packed, made_by

        def setup(self, worker: Any) -> None:
            here = version("ffshare")
            if here != self._made_by:
                raise WorkerError(f"worker {worker.address} has ffshare {here}, not {self._made_by}: install the same")
            self._lock = threading.Lock()
            self._function: Callable[[Any], Any] | None = None

        def answer(self, packed: bytes) -> bytes:
            with self._lock:
                if self._function is None:
                    self._function = pickle.loads(self._packed)
                return packed_answer(self._function, pickle.loads(packed))

    return Function(pickle.dumps(function, protocol=pickle.HIGHEST_PROTOCOL), version("ffshare"))


def _answer(name: str, packed: bytes) -> bytes:
    """On a worker: the packed answer of the function of a name."""
    from distributed import get_worker

    answer: bytes = get_worker().plugins[name].answer(packed)
    return answer
