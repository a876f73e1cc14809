"""Map a function over chunks of work, here or in other processes, results in order."""

from ffshare.parallel.processes import WorkerError, map_chunks
from ffshare.parallel.threads import one_thread

__all__ = ["WorkerError", "map_chunks", "one_thread"]
