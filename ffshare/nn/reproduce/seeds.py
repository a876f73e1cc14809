"""Fixed seeds: the same run of an experiment draws the same numbers, and leaves the caller's generator alone."""

from collections.abc import Iterator
from contextlib import contextmanager

import numpy as np
import torch
from numpy.typing import ArrayLike


@contextmanager
def seeded(seed: int) -> Iterator[None]:
    """Draw what torch draws (starting values, dropout) from a generator with this seed, within the block.

    Args:
        seed: Any whole number.

    Example:
        >>> with seeded(3):
        ...     first = torch.rand(2)
        >>> with seeded(3):
        ...     print(bool((first == torch.rand(2)).all()))
        True
    """
    with torch.random.fork_rng(devices=[]):
        torch.manual_seed(seed)
        yield


def mean_and_error(values: ArrayLike) -> tuple[float, float]:
    """The mean of independent repetitions and its standard error.

    Args:
        values: A number a repetition, shape=(n,).

    Returns:
        Mean and s/√n; the error of a single repetition is NaN, since nothing tells it.

    Example:
        >>> mean_and_error([1.0, 2.0, 3.0])
        (2.0, 0.5773502691896258)
    """
    numbers = np.asarray(values, dtype=np.float64)
    n = len(numbers)
    return float(numbers.mean()), float(numbers.std(ddof=1) / np.sqrt(n)) if n > 1 else float("nan")
