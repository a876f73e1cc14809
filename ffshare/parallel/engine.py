"""Where work is done: in this process, in processes of this machine, or on a cluster. One object, handed down."""

from collections.abc import Callable, Generator, Iterable
from typing import TypeVar

from ffshare.errors import InputError
from ffshare.parallel.cluster import map_on_cluster
from ffshare.parallel.processes import map_chunks
from ffshare.records import doc, record

Chunk = TypeVar("Chunk")
Result = TypeVar("Result")


@record
class Engine:
    """Where chunks of work are done.

    Example:
        >>> list(Engine().map(sum, [[1, 2], [3]]))
        [3, 3]
    """

    workers: int = doc("processes of this machine; 1: in this process", default=1)
    scheduler: str | None = doc("address of a scheduler of dask.distributed, instead of processes", default=None)

    def __post_init__(self) -> None:
        if self.workers < 1:
            raise InputError(f"workers must be 1 or more, not {self.workers}")
        if self.scheduler is not None and self.workers != 1:
            raise InputError(
                f"{self.workers} workers and the scheduler {self.scheduler}: give one of them; a scheduler has its own"
            )

    @property
    def is_here(self) -> bool:
        """Whether all work is done in this process."""
        return self.workers == 1 and self.scheduler is None

    def map(self, function: Callable[[Chunk], Result], chunks: Iterable[Chunk]) -> Generator[Result, None, None]:
        """The results of a function for each chunk, in the order of the chunks.

        What the function raises is raised here, in place of the result.

        Args:
            function: Picklable, called once a chunk; it travels to each worker once and may keep caches.
            chunks: Picklable pieces of work, taken as they are needed.

        Returns:
            An iterator over the results, to be closed where it is not used up.

        Raises:
            WorkerError: A worker process died, or the scheduler cannot be reached or is lost.
            MissingDependencyError: There is a scheduler, and dask.distributed is not installed.
        """
        if self.scheduler is not None:
            return map_on_cluster(function, chunks, self.scheduler)
        return map_chunks(function, chunks, workers=self.workers)


HERE = Engine()
"""All work in this process."""
