"""Map a function over chunks of work, here, in other processes or on a cluster, results in order."""

from ffshare.parallel.engine import HERE, Engine
from ffshare.parallel.processes import WorkerError, map_chunks
from ffshare.parallel.threads import one_thread
from ffshare.parallel.tree import tree_sum

__all__ = ["HERE", "Engine", "WorkerError", "map_chunks", "one_thread", "tree_sum"]
