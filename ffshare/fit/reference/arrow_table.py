"""The one table on disk: the columns of descent's energy data set, in Parquet or Arrow.

One row a molecule: `smiles` (mapped), `coords` [Å], `energy` [kcal/mol] and `forces` [kcal/mol/Å], the last three
lists flattened over conformers, atoms and x, y, z. Column names and types are descent's own, so that files travel both
ways: ``datasets.Dataset.from_parquet`` reads what is written here, and the Arrow files that its ``save_to_disk``
writes are read here, single precision too. What the columns do not hold stands in the metadata of the schema under the
key ``ffshare``, as JSON: level of theory, source and what made the file. Forces that are not known are null.

A fifth column is ours: `charges` [e], one partial charge an atom, there only where a molecule has them, and null for
molecules that have none. They are never rounded, since their sum is a whole number.

The sign of `forces` is that of forces. Versions of descent that compare them with plus the gradient are about, and so
are files made for them; the checks of a record tell the two apart.

Reference: descent, `descent.targets.energy.DATA_SCHEMA`.
"""

import json
from collections.abc import Iterable, Iterator, Mapping, Sequence
from contextlib import suppress
from pathlib import Path
from typing import Any

import numpy as np
import pyarrow as pa
import pyarrow.ipc
import pyarrow.parquet as pq
from numpy.typing import NDArray

from ffshare.errors import InputError, OutputError
from ffshare.fit.reference.data import UNKNOWN_LEVEL, ReferenceData, ReferenceMolecule
from ffshare.fit.reference.raw import DamagedFileError, RawRecord, ReadOptions
from ffshare.whole_files import writing

REFERENCE_SCHEMA = pa.schema(
    [
        ("smiles", pa.string()),
        ("coords", pa.list_(pa.float64())),
        ("energy", pa.list_(pa.float64())),
        ("forces", pa.list_(pa.float64())),
    ]
)
"""Columns and types of descent's energy data set."""

CHARGES = pa.field("charges", REFERENCE_SCHEMA.field("forces").type)
"""The column of partial charges, which files without charges do not have."""

METADATA_KEY = b"ffshare"
# Molecules read at once: their lists fit in memory even at thousands of conformers each.
_ROWS = 16
_IPC_FILE_START = b"ARROW1"


def reference_table(molecules: Iterable[ReferenceMolecule], decimals: int | None = None) -> pa.Table:
    """Molecules as a table of `REFERENCE_SCHEMA`, with the column of charges where a molecule has them.

    Args:
        molecules: The molecules.
        decimals: Digits after the point to round to, which makes files smaller; by default nothing is rounded.

    Returns:
        The table, without metadata.
    """

    def numbers(values: NDArray[np.float64] | None) -> NDArray[np.float64] | None:
        if values is None:
            return None
        flat = values.reshape(-1)
        # Adding 0 turns −0 into 0.
        return flat if decimals is None else np.round(flat, decimals) + 0.0

    rows = list(molecules)
    columns = [
        [molecule.smiles for molecule in rows],
        [numbers(molecule.coords) for molecule in rows],
        [numbers(molecule.energies) for molecule in rows],
        [numbers(molecule.forces) for molecule in rows],
    ]
    schema = REFERENCE_SCHEMA
    if any(molecule.charges is not None for molecule in rows):
        schema = schema.append(CHARGES)
        columns.append([molecule.charges for molecule in rows])
    arrays = [pa.array(column, type=field.type) for column, field in zip(columns, schema, strict=True)]
    return pa.Table.from_arrays(arrays, schema=schema)


def write_reference(
    data: ReferenceData,
    path: Path,
    *,
    decimals: int | None = None,
    details: Mapping[str, Any] | None = None,
) -> None:
    """Write reference data to a Parquet file; it appears whole or not at all.

    Args:
        data: The data. Failures are not written.
        path: A name that ends in .parquet.
        decimals: Digits after the point to round coordinates [Å], energies and forces [kcal/mol] to.
        details: What made the data (version of ffshare, inputs, settings, seeds); kept in the metadata as JSON.

    Raises:
        OutputError: The file cannot be written.
    """
    if path.suffix != ".parquet":
        raise OutputError(f"cannot write {path}: give a name that ends in .parquet")
    table = reference_table(data.molecules, decimals)
    stated = {"level": data.level, "source": data.source, "decimals": decimals}
    metadata = {METADATA_KEY: json.dumps({**stated, **(details or {})})}
    with writing(path) as unfinished:
        pq.write_table(table.replace_schema_metadata(metadata), unfinished, compression="zstd", compression_level=9)


def reference_metadata(path: Path) -> dict[str, Any]:
    """What a file says about its own data: level, source, settings and versions; empty where it says nothing.

    Args:
        path: A Parquet or Arrow file.

    Returns:
        The metadata.

    Raises:
        InputError: It is no such file.
    """
    return _stated(next(_batches(path)).schema)


def states_charges(path: Path) -> bool:
    """Whether every molecule of a file comes with partial charges; nothing else of it is read.

    Args:
        path: A Parquet or Arrow file.

    Returns:
        True where it has the column `charges` without nulls.

    Raises:
        InputError: It is no such file.
    """
    # Rows that cannot be decoded are no molecules; `read_arrow` reports them.
    with suppress(pa.ArrowException, OSError):
        for batch in _batches(path, (CHARGES.name,)):
            if CHARGES.name not in batch.schema.names or batch.column(CHARGES.name).null_count:
                return False
    return True


def read_arrow(path: Path, options: ReadOptions, indices: Iterator[int]) -> Iterator[RawRecord]:
    """The molecules of a Parquet or Arrow file with the columns of descent's energy data set.

    Args:
        path: The file: Parquet, or Arrow as a file or as a stream.
        options: What the user says.
        indices: Gives the next molecule its index.

    Yields:
        A record for every row.

    Raises:
        InputError: It is no such file, or lacks a column.
        DamagedFileError: A part of its rows cannot be decoded.
    """
    row = 0
    try:
        for batch in _batches(path):
            _check_columns(batch.schema, path)
            level = _stated(batch.schema).get("level", UNKNOWN_LEVEL)
            lists = {name: batch.column(name) for name in ("coords", "energy")}
            for place, smiles in enumerate(batch.column("smiles").to_pylist()):
                row += 1
                yield RawRecord(
                    index=next(indices),
                    path=str(path),
                    line=row,
                    name="",
                    smiles=smiles or options.smiles or "",
                    coords=_numbers(lists["coords"][place]),
                    energies=_numbers(lists["energy"][place]),
                    forces=_known(batch, "forces", place),
                    charges=_known(batch, CHARGES.name, place),
                    level=level,
                )
    except (pa.ArrowException, OSError) as error:
        raise DamagedFileError(
            f"rows after {row} cannot be decoded: {error}", "write the file again", row + 1
        ) from error


def _batches(path: Path, only: Sequence[str] | None = None) -> Iterator[pa.RecordBatch]:
    """Rows in batches, of Parquet perhaps only some columns; the first is there even where there are no rows."""
    try:
        with path.open("rb") as stream:
            start = stream.read(len(_IPC_FILE_START))
        if path.suffix.lower() in (".parquet", ".pq"):
            file = pq.ParquetFile(path)
            schema = file.schema_arrow
            columns = None if only is None else [name for name in only if name in schema.names]
            found = file.iter_batches(batch_size=_ROWS, use_threads=False, columns=columns)
        else:
            is_file = start == _IPC_FILE_START
            mapped = pa.memory_map(str(path))
            file = pa.ipc.open_file(mapped) if is_file else pa.ipc.open_stream(mapped)
            schema = file.schema
            found = map(file.get_batch, range(file.num_record_batches)) if is_file else iter(file)
    except (pa.ArrowException, OSError) as error:
        raise InputError(f"{path}: is no Parquet or Arrow file, or was cut short: {error}; write it again") from error
    yield pa.RecordBatch.from_pylist([], schema=schema)
    for batch in found:
        yield from (batch.slice(first, _ROWS) for first in range(0, len(batch), _ROWS))


def _check_columns(schema: pa.Schema, path: Path) -> None:
    missing = [name for name in REFERENCE_SCHEMA.names[:3] if name not in schema.names]
    if missing:
        raise InputError(
            f"{path}: lacks the columns {', '.join(missing)}; expected {', '.join(REFERENCE_SCHEMA.names)}, one row a "
            "molecule, as descent's energy data sets have them"
        )
    for name in (*REFERENCE_SCHEMA.names[1:], CHARGES.name):
        kind = schema.field(name).type if name in schema.names else CHARGES.type
        if not _is_list_of_numbers(kind):
            raise InputError(f"{path}: column {name!r} holds {kind}; expected a list of float64 a row")


def _is_list_of_numbers(kind: pa.DataType) -> bool:
    is_list: bool = pa.types.is_list(kind) or pa.types.is_large_list(kind) or pa.types.is_fixed_size_list(kind)
    return is_list and bool(pa.types.is_floating(kind.value_type) or pa.types.is_integer(kind.value_type))


def _known(batch: pa.RecordBatch, name: str, row: int) -> NDArray[np.float64] | None:
    """The list of a cell; None where there is no such column, or nothing in the cell."""
    values = _numbers(batch.column(name)[row]) if name in batch.schema.names else np.zeros(0)
    return values if len(values) else None


def _numbers(cell: pa.Scalar) -> NDArray[np.float64]:
    """The list of a cell; empty where it is null, NaN where an entry is null."""
    values = cell.values
    if values is None:
        return np.zeros(0)
    return np.asarray(values.cast(pa.float64()).to_numpy(zero_copy_only=False), dtype=np.float64)


def _stated(schema: pa.Schema) -> dict[str, Any]:
    text = (schema.metadata or {}).get(METADATA_KEY, b"{}")
    try:
        found = json.loads(text)
    except ValueError:
        return {}
    return found if isinstance(found, dict) else {}
