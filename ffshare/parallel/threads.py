"""One thread for linear algebra, where several processes share the cores and results must not depend on how many do.

Matrix products of many threads are summed in another order than those of one, and threads of several processes that
wait for the same cores are far slower than one thread each.
"""

from collections.abc import Iterator
from contextlib import contextmanager
from functools import cache

from threadpoolctl import ThreadpoolController


@contextmanager
def one_thread() -> Iterator[None]:
    """A context in which NumPy's and SciPy's linear algebra use one thread.

    Example:
        >>> import numpy as np
        >>> with one_thread():
        ...     product = np.ones((2, 2)) @ np.ones((2, 2))
    """
    with _controller().limit(limits=1):
        yield


@cache
def _controller() -> ThreadpoolController:
    return ThreadpoolController()
