"""Hessians on disk: one row a molecule, mapped SMILES, the minimum and the second derivatives there.

The columns are `smiles`, `coords` [Å] and `hessian` [kcal/mol/Å²], the last two flattened, atoms before x, y, z.
"""

from collections.abc import Mapping
from pathlib import Path
from typing import NamedTuple

import numpy as np
import pyarrow as pa
import pyarrow.parquet as pq

from ffshare.data_files import data_directory
from ffshare.errors import InputError
from ffshare.model.coordinates import FloatArray
from ffshare.records import frozen_array

_COLUMNS = ("smiles", "coords", "hessian")


class MinimumHessian(NamedTuple):
    """A minimum of a molecule and the second derivatives of the energy there."""

    coords: FloatArray
    """Positions [Å], shape=(n_atoms, 3)."""
    hessian: FloatArray
    """Second derivatives [kcal/mol/Å²], shape=(3 n_atoms, 3 n_atoms)."""


def read_hessians(path: str | Path) -> Mapping[str, MinimumHessian]:
    """The minima and Hessians of a Parquet file.

    Args:
        path: The file; the bare name of one that ffshare brings along, such as ``gfn2-hessians``, will do.

    Returns:
        Mapped SMILES to minimum and Hessian, atom i of which carries map number i + 1, in the order of the file.

    Raises:
        InputError: The file cannot be read, lacks a column, names a molecule twice, or holds numbers that are not a
            geometry with its Hessian.

    Example:
        >>> hessians = read_hessians("gfn2-hessians")
        >>> coords, hessian = next(iter(hessians.values()))
        >>> hessian.shape == (coords.size, coords.size)
        True
    """
    file = _found(Path(path))
    try:
        table = pq.read_table(file, columns=list(_COLUMNS))
    except (pa.ArrowException, OSError) as error:
        advice = f"expected Parquet with the columns {', '.join(_COLUMNS)}"
        raise InputError(f"{file}: cannot be read as Hessians: {error}; {advice}") from error
    if table.num_columns < len(_COLUMNS):
        lacking = [name for name in _COLUMNS if name not in table.column_names]
        raise InputError(f"{file}: lacks the column {lacking[0]!r}; Hessians have {', '.join(_COLUMNS)}")
    found: dict[str, MinimumHessian] = {}
    rows = zip(*(table[name] for name in _COLUMNS), strict=True)
    for row, (smiles, coords, hessian) in enumerate(rows, start=1):
        name = smiles.as_py()
        if name is None or not coords.is_valid or not hessian.is_valid:
            raise InputError(f"{file}: row {row} has an empty cell; every row needs {', '.join(_COLUMNS)}")
        if name in found:
            raise InputError(f"{file}: row {row} names {name} again; give one minimum a molecule")
        positions, derivatives = (np.array(cell.values, dtype=np.float64) for cell in (coords, hessian))
        n = len(positions)
        if n % 3 or len(derivatives) != n * n or not (np.isfinite(positions).all() and np.isfinite(derivatives).all()):
            raise InputError(
                f"{file}: row {row} has {n} coordinates and {len(derivatives)} second derivatives; expected finite "
                f"numbers, 3 n_atoms and their square"
            )
        found[name] = MinimumHessian(
            coords=frozen_array(positions.reshape(-1, 3)), hessian=frozen_array(derivatives.reshape(n, n))
        )
    return found


def _found(path: Path) -> Path:
    if path.exists() or path.parent != Path() or path.suffix:
        return path
    shipped = data_directory("reference") / f"{path.name}.parquet"
    return shipped if shipped.exists() else path
