"""One thread for linear algebra, where several processes share the cores and results must not depend on how many do.

Matrix products of many threads are summed in another order than those of one, and threads of several processes that
wait for the same cores are far slower than one thread each.
"""

import sys
from collections.abc import Iterator
from contextlib import contextmanager
from functools import lru_cache

from threadpoolctl import ThreadpoolController


@contextmanager
def one_thread() -> Iterator[None]:
    """A context in which NumPy's, SciPy's and PyTorch's linear algebra use one thread.

    Libraries that are loaded inside do as they like: load them before.

    Example:
        >>> import numpy as np
        >>> with one_thread():
        ...     product = np.ones((2, 2)) @ np.ones((2, 2))
    """
    with _controller(len(sys.modules)).limit(limits=1):
        yield


# Looking for libraries takes some milliseconds, and only an import can have brought another one.
@lru_cache(maxsize=1)
def _controller(n_modules: int) -> ThreadpoolController:
    return ThreadpoolController()
