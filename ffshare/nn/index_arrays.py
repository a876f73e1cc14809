"""The arrays that a module expands a linear tying with, as tensors beside its parameters.

They follow from the tying, so no checkpoint holds them and none is ever the only copy: where a module is moved, given
another type, or filled after an empty start, they are made again from the tying, exactly.
"""

from collections.abc import Iterable
from itertools import pairwise
from typing import Any

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor

from ffshare.tying import LinearTying, Parametrization

NAMES = ("rows", "free", "coef", "offset")
"""Site of each entry (None: entry i is all that site i has), its free parameter (None: site i is parameter i), its
factor (None: all 1), and the constant of each site (None: all 0)."""


def index_arrays(tying: LinearTying | Parametrization) -> dict[str, NDArray[Any] | None]:
    """The arrays by name: those of a linear tying that it needs, none for other maps.

    Args:
        tying: Any map from free parameters to sites.

    Returns:
        An array or None for each of `NAMES`.

    Example:
        >>> index_arrays(LinearTying.groups([0, 1, 0]))
        {'rows': None, 'free': array([0, 1, 0]), 'coef': None, 'offset': None}
    """
    if not isinstance(tying, LinearTying):
        return dict.fromkeys(NAMES)
    is_identity = tying.rows is None and tying.coef is None and np.array_equal(tying.free, np.arange(tying.n_free))
    arrays = (tying.rows, None if is_identity else tying.free, tying.coef, tying.offset)
    return dict(zip(NAMES, arrays, strict=True))


def as_tensor(values: NDArray[Any] | None, device: torch.device, dtype: torch.dtype) -> Tensor | None:
    """An array as a tensor.

    Args:
        values: The array; None stays None.
        device: Device of the result.
        dtype: Type of real numbers; whole numbers stay such.

    Returns:
        A copy, without memory on the device "meta".
    """
    if values is None:
        return None
    kind = torch.int64 if values.dtype.kind == "i" else dtype
    if device.type == "meta":
        return torch.empty(values.shape, dtype=kind, device=device)
    # A copy: torch warns of tensors that share memory with a read-only array.
    return torch.as_tensor(np.array(values), dtype=kind, device=device)


def consecutive(tying: LinearTying | Parametrization, sizes: Iterable[int]) -> list[tuple[slice, slice]]:
    """Where places that follow each other lie.

    Args:
        tying: Any map from free parameters to sites.
        sizes: Number of sites of each place.

    Returns:
        The sites of each place, and the entries that these have: entries are sorted by site.

    Example:
        >>> consecutive(LinearTying.neutral([0, 0, 1]), [2, 1])
        [(slice(0, 2, None), slice(0, 4, None)), (slice(2, 3, None), slice(4, 5, None))]
    """
    ends = np.cumsum([0, *sizes])
    rows = tying.rows if isinstance(tying, LinearTying) else None
    bounds = ends if rows is None else np.searchsorted(rows, ends)
    sites, entries = ([slice(*pair) for pair in pairwise(each.tolist())] for each in (ends, bounds))
    return list(zip(sites, entries, strict=True))
