"""From the user's labels to parameter numbers.

A label says which parameter feeds a site. Labels are either whole numbers, which number the parameters from 0 (-1 or
None: the site is fixed), or anything else that can be hashed, which names them (None: the site is fixed).
"""

from collections.abc import Hashable, Iterable, Sequence
from numbers import Integral

import numpy as np
from numpy.typing import NDArray

from ffshare.errors import TyingError

FIXED = -1


def codes(
    labels: Iterable[Hashable | None] | NDArray[np.integer], keys: Sequence[Hashable] | None = None
) -> tuple[NDArray[np.int64], Sequence[Hashable]]:
    """The number of the parameter of each site, and the keys of the parameters.

    Args:
        labels: A label for each site. An integer array is not looped over.
        keys: The parameters in their order, used or not. By default the labels in order of first appearance, or for
            whole numbers 0 to the largest.

    Returns:
        Numbers, -1 for a fixed site, shape=(n_sites,); and the keys.

    Raises:
        TyingError: A label that is not in the keys, is not a number from -1 up, or is not equal to itself (NaN).

    Example:
        >>> codes(["C-H", "C-C", None, "C-H"])
        (array([ 0,  1, -1,  0]), ('C-H', 'C-C'))
        >>> codes([2, -1, 0])
        (array([ 2, -1,  0]), range(0, 3))
    """
    if isinstance(labels, str):
        raise TyingError(f"expected a label for each site, got the one string {labels!r}: put it into a list")
    dtype = getattr(labels, "dtype", None)
    if dtype is not None and dtype.kind in "iu":
        return _numbered(np.array(labels, dtype=np.int64), keys)
    items = labels.tolist() if isinstance(labels, np.ndarray) else list(labels)
    if all(item is None or (isinstance(item, Integral) and not isinstance(item, bool)) for item in items):
        return _numbered(np.array([FIXED if item is None else item for item in items], dtype=np.int64), keys)
    return _named(items, keys)


def _numbered(
    numbers: NDArray[np.int64], keys: Sequence[Hashable] | None
) -> tuple[NDArray[np.int64], Sequence[Hashable]]:
    if numbers.ndim != 1:
        raise TyingError(f"labels have shape {numbers.shape}, expected one label for each site: flatten them")
    last = int(numbers.max(initial=FIXED))
    if int(numbers.min(initial=FIXED)) < FIXED:
        raise TyingError(f"label {numbers.min()}: labels that are numbers count from 0, and {FIXED} is a fixed site")
    if keys is None:
        return numbers, range(last + 1)
    if last >= len(keys):
        raise TyingError(f"label {last} is beyond the {len(keys)} keys, which are numbered from 0")
    return numbers, keys


def _named(
    items: list[Hashable | None], keys: Sequence[Hashable] | None
) -> tuple[NDArray[np.int64], Sequence[Hashable]]:
    numbers: dict[Hashable, int] = {key: i for i, key in enumerate(keys or ())}
    if keys is None:
        for item in items:
            if item is not None:
                numbers.setdefault(item, len(numbers))
    odd = [key for key in numbers if key != key]  # NaN
    if odd:
        raise TyingError(f"label {odd[0]!r} is not equal to itself: use None for a fixed site")
    unknown = [item for item in dict.fromkeys(items) if item is not None and item not in numbers]
    if unknown:
        raise TyingError(f"{len(unknown)} labels are not among the {len(numbers)} keys, the first is {unknown[0]!r}")
    found = np.fromiter((FIXED if item is None else numbers[item] for item in items), np.int64, len(items))
    return found, tuple(numbers) if keys is None else keys
