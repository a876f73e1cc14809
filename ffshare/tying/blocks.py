"""Rank, null space and least squares of a sparse matrix, one independent block at a time.

The matrices of tyings fall apart: rows and columns that touch no others (the sites of one molecule, of one rule) form a
connected component of the graph of rows and columns. Each component is a small dense block; blocks of the same shape
are stacked and decomposed together,

    block = U · diag(s) · Vᵀ,

so that nothing of the size of the whole matrix is ever dense. A singular value counts as zero where

    s ≤ rtol · s_max,       rtol = machine epsilon · max(shape of the matrix),

with s_max either that of the whole matrix (as `numpy.linalg.matrix_rank` does: right for data, where rounding leaves a
little of everything) or that of the block itself (right for an exact structure, where each block may have its own
scale).
"""

from collections.abc import Iterator

import numpy as np
from numpy.typing import NDArray
from scipy import sparse

from ffshare.records import doc, record

Floats = NDArray[np.float64]
Integers = NDArray[np.int64]


@record
class Stack:
    """The blocks of one shape, stacked."""

    rows: Integers = doc("rows of the matrix, shape=(n_blocks, height)")
    columns: Integers = doc("columns of the matrix, shape=(n_blocks, width)")
    values: Floats = doc("the dense blocks, shape=(n_blocks, height, width)")


def default_rtol(shape: tuple[int, int], dtype: np.dtype[np.floating]) -> float:
    """The relative size below which a singular value counts as zero: machine epsilon times the longer side.

    Args:
        shape: Shape of the matrix.
        dtype: Type that its entries were computed in.

    Returns:
        The relative tolerance.

    Example:
        >>> default_rtol((4, 2), np.dtype(np.float64)) == 4 * 2.0**-52
        True
    """
    return float(np.finfo(dtype).eps) * max(shape)


def distinct_rows(matrix: sparse.csr_array) -> tuple[sparse.csr_array, Integers]:
    """The distinct rows of a sparse matrix, exactly.

    Sites that combine the same parameters in the same way share one row, so a million of them weigh no more than one.
    Rows are told apart by their first entry, those that are equal by their second, and so on. A matrix with no more
    rows than columns is returned as it is: there is little to gain.

    Args:
        matrix: A matrix in canonical form (sorted, no entry twice, no stored zeros), shape=(n_rows, n_columns).

    Returns:
        The distinct rows, and for each row the distinct row that it equals, shape=(n_rows,).
    """
    n_rows = matrix.shape[0]
    if n_rows <= matrix.shape[1]:
        return matrix, np.arange(n_rows)
    lengths = np.diff(matrix.indptr)
    value_codes = np.unique(matrix.data, return_inverse=True)[1]
    _, entry_codes = np.unique(matrix.indices * np.int64(len(value_codes) + 1) + value_codes, return_inverse=True)
    n_codes = int(entry_codes.max(initial=0)) + 1
    # Rows of different lengths differ. `groups` is dense: 0 to number of groups - 1.
    groups = np.unique(lengths, return_inverse=True)[1].astype(np.int64)
    for k in range(int(lengths.max(initial=0))):
        codes = np.zeros(n_rows, dtype=np.int64)
        longer = np.flatnonzero(lengths > k)
        codes[longer] = entry_codes[matrix.indptr[longer] + k]
        groups = np.unique(groups * n_codes + codes, return_inverse=True)[1].astype(np.int64)
        if groups.max(initial=-1) == n_rows - 1:
            break
    representatives = np.unique(groups, return_index=True)[1]
    return matrix[representatives], groups


def stacks(matrix: sparse.csr_array) -> Iterator[Stack]:
    """The independent blocks of a matrix, those of one shape together.

    Rows and columns without an entry are in no block.

    Args:
        matrix: Any sparse matrix without stored zeros.

    Yields:
        One stack for each shape of block.
    """
    n_rows, n_columns = matrix.shape
    if matrix.nnz == 0:
        return
    entries = matrix.tocoo()
    graph = sparse.coo_array(
        (np.ones(entries.nnz, dtype=np.int8), (entries.row, entries.col.astype(np.int64) + n_rows)),
        shape=(n_rows + n_columns,) * 2,
    )
    n_blocks, block_of = sparse.csgraph.connected_components(graph, directed=False)
    row_block, column_block = block_of[:n_rows].astype(np.int64), block_of[n_rows:].astype(np.int64)
    height, row_place, rows = _places(row_block, n_blocks)
    width, column_place, columns = _places(column_block, n_blocks)
    shapes, shape_of = np.unique(np.column_stack((height, width)), axis=0, return_inverse=True)
    first_row, first_column = np.cumsum(height) - height, np.cumsum(width) - width
    place_in_stack = _places(shape_of.astype(np.int64), len(shapes))[1]
    n_entries, _, by_shape = _places(shape_of[row_block[entries.row]].astype(np.int64), len(shapes))
    last = np.cumsum(n_entries)
    for number, (n_high, n_wide) in enumerate(shapes.tolist()):
        if not n_high or not n_wide:
            continue
        blocks = np.flatnonzero(shape_of == number)
        inside = by_shape[last[number] - n_entries[number] : last[number]]
        row, column = entries.row[inside], entries.col[inside]
        values = np.zeros((len(blocks), n_high, n_wide))
        values[place_in_stack[row_block[row]], row_place[row], column_place[column]] = entries.data[inside]
        yield Stack(
            rows=rows[first_row[blocks, None] + np.arange(n_high)],
            columns=columns[first_column[blocks, None] + np.arange(n_wide)],
            values=values,
        )


def _places(group_of: Integers, n_groups: int) -> tuple[Integers, Integers, Integers]:
    """Sizes of the groups, the place of each member within its group, and the members sorted by group."""
    members = np.argsort(group_of, kind="stable")
    sizes = np.bincount(group_of, minlength=n_groups)
    places = np.empty_like(members)
    places[members] = np.arange(len(members)) - np.repeat(np.cumsum(sizes) - sizes, sizes)
    return sizes, places, members


def rank(matrix: sparse.csr_array, rtol: float, *, by_block: bool) -> int:
    """The rank of a matrix.

    Args:
        matrix: The matrix, without stored zeros.
        rtol: Relative tolerance of the singular values.
        by_block: Whether they are relative to the largest of their block, not of the matrix.

    Returns:
        The rank.

    Example:
        >>> rank(sparse.csr_array([[1.0, -1.0, 0.0], [-1.0, 1.0, 0.0]]), 1e-12, by_block=True)
        1
    """
    spectra = [np.asarray(np.linalg.svd(stack.values, compute_uv=False)) for stack in stacks(matrix)]
    counted = [s > cut for s, cut in zip(spectra, _cuts(spectra, rtol, by_block), strict=True)]
    return sum(int(mask.sum()) for mask in counted)


def null_space(matrix: sparse.csr_array, rtol: float, *, by_block: bool) -> sparse.csc_array:
    """An orthonormal basis of the vectors that a matrix maps to zero; each lives in one block.

    Args:
        matrix: The matrix, without stored zeros, shape=(n_rows, n_columns).
        rtol: Relative tolerance of the singular values.
        by_block: Whether they are relative to the largest of their block, not of the matrix.

    Returns:
        The basis, one column for each vector, shape=(n_columns, n_columns - rank).

    Example:
        >>> null_space(sparse.csr_array([[1.0, 0.0], [2.0, 0.0]]), 1e-12, by_block=True).toarray()
        array([[0.],
               [1.]])
    """
    n_columns = matrix.shape[1]
    spectra, vectors, columns = [], [], []
    for stack in stacks(matrix):
        _, s, vh = np.linalg.svd(stack.values, full_matrices=True)
        spectra.append(s)
        vectors.append(vh)
        columns.append(stack.columns)
    untouched = np.ones(n_columns, dtype=bool)
    untouched[matrix.indices] = False
    where, what = [np.flatnonzero(untouched)], [np.ones(int(untouched.sum()))]
    lengths = [np.ones(int(untouched.sum()), dtype=np.int64)]
    for s, cut, vh, cols in zip(spectra, _cuts(spectra, rtol, by_block), vectors, columns, strict=True):
        # Singular values fall: the rows of Vᵀ after the last that counts span the null space.
        block, number = np.nonzero(np.arange(vh.shape[1]) >= (s > cut).sum(axis=-1)[:, None])
        where.append(cols[block].ravel())
        what.append(vh[block, number].ravel())
        lengths.append(np.full(len(block), vh.shape[1], dtype=np.int64))
    indptr = np.concatenate(([0], np.cumsum(np.concatenate(lengths))))
    basis = sparse.csc_array(
        (np.concatenate(what), np.concatenate(where), indptr), shape=(n_columns, len(indptr) - 1), dtype=np.float64
    )
    basis.sort_indices()
    return basis


def least_squares(matrix: sparse.csr_array, values: Floats, rtol: float) -> Floats:
    """The shortest of the vectors x that minimise ‖matrix · x − values‖.

    Blocks do not know of each other: each has its own scale and its own tolerance.

    Args:
        matrix: The matrix, without stored zeros, shape=(n_rows, n_columns).
        values: Right-hand sides, shape=(n_rows, n_sides).
        rtol: Singular values below this times the largest of their block count as zero.

    Returns:
        Solutions, shape=(n_columns, n_sides); 0 for a column without an entry.

    Example:
        >>> least_squares(sparse.csr_array([[1.0, 1.0]]), np.array([[4.0]]), 1e-12)
        array([[2.],
               [2.]])
    """
    solution = np.zeros((matrix.shape[1], values.shape[1]))
    for stack in stacks(matrix):
        u, s, vh = np.linalg.svd(stack.values, full_matrices=False)
        inverse = np.divide(1.0, s, out=np.zeros_like(s), where=s > rtol * s.max(axis=-1, keepdims=True))
        projected = np.swapaxes(u, -1, -2) @ values[stack.rows]
        solution[stack.columns] = np.swapaxes(vh, -1, -2) @ (inverse[..., None] * projected)
    return solution


def _cuts(spectra: list[Floats], rtol: float, by_block: bool) -> list[Floats]:
    """The value at or below which each singular value counts as zero, one for each block of each stack."""
    if by_block:
        return [rtol * s.max(axis=-1, keepdims=True) for s in spectra]
    largest = max((float(s.max()) for s in spectra), default=0.0)
    return [np.full((len(s), 1), rtol * largest) for s in spectra]
