"""Gather and segment sum, for NumPy arrays and torch tensors.

Everything that a tying does at run time is one formula,

    out[o] = sum over the entries e with to[e] = o of  coef[e] · values[from[e]],

read in one direction to expand free parameters to sites and, with `to` and `from` exchanged, in the other to pool
what the sites learned. Nobody writes an adjoint: the transpose is the same function. Repeated indices add up, as they
must (``out[to] += …`` would keep one of them).

This module is the only code of the package that knows of two kinds of arrays. It never imports torch: a tensor can only
come from a caller who has.

Sums are formed in float64 for NumPy and in at least float32 for torch, then rounded once to the type of the values:
the sum of many half-precision numbers formed in half precision is wrong by tens of percent. The derivative of a torch
gather is summed by torch, in the type of the values: keep parameters in float32 and cast what was expanded, not what
goes in.
"""

import math
import sys
from typing import Any

import numpy as np
from numpy.typing import NDArray

from ffshare.errors import TyingError

Array = Any
"""A NumPy array or a torch tensor. Results have the kind, and real numbers the type, of the values given."""


def namespace(values: Array) -> Any:
    """The module that computes with these values: torch for its tensors, NumPy for everything else.

    Args:
        values: A torch tensor, or anything NumPy makes an array of.

    Returns:
        The module.

    Example:
        >>> namespace([1.0, 2.0]).__name__
        'numpy'
    """
    torch = sys.modules.get("torch")
    return torch if torch is not None and isinstance(values, torch.Tensor) else np


def real_array(values: Array) -> Array:
    """The values as an array of real numbers; tensors and floating-point arrays as they are.

    Args:
        values: A torch tensor, or real numbers.

    Returns:
        The same tensor, or an array; integers become float64.

    Raises:
        TyingError: The values are not real numbers.
    """
    if namespace(values) is not np:
        return values
    array = np.asarray(values)
    if array.dtype.kind in "biu":
        array = array.astype(np.float64)
    if array.dtype.kind != "f":
        raise TyingError(f"expected real numbers, got an array of {array.dtype}")
    return array


def long_array(name: str, values: Array, n: int, *, flat: bool = False) -> Array:
    """The values as a real array, checked to be as long as they must be.

    Args:
        name: What they are, for the message.
        values: A torch tensor, or real numbers.
        n: Length of the first axis.
        flat: Whether there must be no further axis.

    Returns:
        The tensor or array.

    Raises:
        TyingError: The shape is another.
    """
    array = real_array(values)
    if array.ndim == 0 or array.shape[0] != n or (flat and array.ndim != 1):
        raise TyingError(f"{name} has shape {tuple(array.shape)}, expected ({n},{'' if flat else ' ...'})")
    return array


def segment_sum(values: Array, segments: Array, n_segments: int) -> Array:
    """The sum of the values of each segment.

        sums[s] = sum of values[e] over the entries e with segments[e] = s

    Args:
        values: What to add up, shape=(n_entries, ...).
        segments: Segment of each entry, in any order, 0 to n_segments - 1, shape=(n_entries,). For a tensor of values
            an index tensor on the same device saves a copy.
        n_segments: Number of segments; those without an entry sum to 0.

    Returns:
        Sums, shape=(n_segments, ...), of the kind and type of the values.

    Raises:
        TyingError: A segment is beyond the last (NumPy; torch raises its own IndexError).

    Example:
        >>> segment_sum([1.0, 2.0, 4.0], [1, 1, 0], 3)
        array([4., 3., 0.])
    """
    values = real_array(values)
    torch = namespace(values)
    if torch is not np:
        wide = torch.promote_types(values.dtype, torch.float32)
        zeros = values.new_zeros((n_segments, *values.shape[1:]), dtype=wide)
        return zeros.index_add(0, _like(values, segments), values.to(wide)).to(values.dtype)
    width = math.prod(values.shape[1:])
    bins = np.asarray(segments)
    if width != 1:
        bins = (bins[:, None] * width + np.arange(width)).ravel()
    sums = np.bincount(bins, weights=values.ravel(), minlength=n_segments * width)
    if len(sums) != n_segments * width:
        raise TyingError(f"a segment is numbered {np.max(segments)}, but there are {n_segments}, numbered from 0")
    return sums.reshape(n_segments, *values.shape[1:]).astype(values.dtype, copy=False)


def multiply_accumulate(
    to_idxs: Array | None, from_idxs: Array | None, coef: Array | None, values: Array, n_out: int
) -> Array:
    """The sparse product that expands and pools.

        out[o] = sum over the entries e with to_idxs[e] = o of  coef[e] · values[from_idxs[e]]

    Args:
        to_idxs: Where each entry adds to, shape=(n_entries,); None where entry i is output i (nothing to sum: a
            gather).
        from_idxs: Where each entry reads, shape=(n_entries,); None where entry i is value i.
        coef: Factor of each entry, shape=(n_entries,); None for ones.
        values: Values, shape=(n_in, ...). A tensor makes everything a tensor; the indices may then be tensors, too,
            which saves copying them at every call.
        n_out: Length of the output.

    Returns:
        Output, shape=(n_out, ...), of the kind and type of the values.

    Example:
        >>> multiply_accumulate([0, 0, 1], [2, 2, 0], None, np.array([1.0, 2.0, 4.0]), 2)
        array([8., 1.])
    """
    values = real_array(values)
    terms = values if from_idxs is None else _gather(values, from_idxs)
    if coef is not None:
        terms = terms * _like(terms, coef, terms.dtype).reshape(-1, *(1,) * (terms.ndim - 1))
    return terms if to_idxs is None else segment_sum(terms, to_idxs, n_out)


def add(values: Array, constant: NDArray[np.floating[Any]]) -> Array:
    """The values plus a constant for each row, in the type of the values.

    Args:
        values: Values, shape=(n, ...).
        constant: Constants, shape=(n,).

    Returns:
        Sums, shape=(n, ...).
    """
    return values + _like(values, constant, values.dtype).reshape(-1, *(1,) * (values.ndim - 1))


def _gather(values: Array, idxs: Array) -> Array:
    if namespace(values) is np:
        return values.take(np.asarray(idxs), axis=0)
    # Some ten times faster than values[idxs], forward and backward.
    return values.index_select(0, _like(values, idxs))


def _like(values: Array, array: Array, dtype: Any = None) -> Array:
    """The array as one of the kind, and on the device, of the values."""
    xp = namespace(values)
    if xp is np:
        return np.asarray(array, dtype=dtype)
    if namespace(array) is np:
        # A copy: torch warns of tensors that share memory with a read-only array.
        return xp.as_tensor(np.array(array), dtype=dtype, device=values.device)
    return array.to(device=values.device, dtype=dtype or array.dtype)
