"""Parquet files with a SMILES column, read in batches of rows, only the columns that are needed.

Text stays as the dictionary that it is written as: of a long text that a small file gives to millions of rows there is
one copy in memory, cut at the length that a SMILES may have.
"""

from collections.abc import Iterator, Sequence
from typing import Any

import pyarrow as pa
import pyarrow.parquet as pq

from ffshare.errors import InputError, MoleculeError
from ffshare.molecules.columns import Columns
from ffshare.molecules.entries import Entry, Failure
from ffshare.molecules.sources import LONGEST_LINE, DamageError, Source, shown_text, text_of

BATCH_ROWS = 8192

_BUFFER_BYTES = 1 << 20


def read_parquet(source: Source, indices: Iterator[int], columns: Columns) -> Iterator[Entry | Failure]:
    """The molecules of a Parquet file.

    Args:
        source: The file.
        indices: Gives the next molecule its index.
        columns: Columns that the user asked for.

    Yields:
        An entry or a failure for every row. An empty SMILES is a failure.

    Raises:
        InputError: It is not a Parquet file, lacks a column, or holds no text there.
        DamageError: A part of its rows cannot be decoded.
    """
    with _opened(source) as described:
        schema = described.schema_arrow
        smiles_at, name_at = columns.find(schema.names, source.shown)
        smiles_column, name_column = schema.names[smiles_at], None if name_at is None else schema.names[name_at]
        for name in {smiles_column, name_column} - {None}:
            if schema.names.count(name) > 1:
                raise InputError(f"{source.shown}: has {schema.names.count(name)} columns {name!r}; keep one of them")
        if not _is_text(schema.field(smiles_at).type):
            raise InputError(
                f"{source.shown}: column {smiles_column!r} holds {schema.field(smiles_at).type} and not text; "
                "say which one holds the SMILES"
            )
        wanted = [smiles_column] if name_column is None else [smiles_column, name_column]
        texts = [name for name in wanted if _is_text(schema.field(name).type)]
    with _opened(source, texts) as file:
        row = 0
        try:
            for batch in file.iter_batches(batch_size=BATCH_ROWS, columns=wanted, use_threads=False):
                names = [b""] * len(batch) if name_column is None else _cells(batch.column(name_column))
                for smiles, name in zip(_cells(batch.column(smiles_column)), names, strict=True):
                    row += 1
                    yield _entry(smiles, name, next(indices), source.shown, row)
        except (pa.ArrowException, OSError, UnicodeDecodeError) as error:
            raise DamageError(
                f"rows {row + 1} to {file.metadata.num_rows} cannot be decoded, so they are lost: {error}",
                "write the file again",
                row + 1,
            ) from error


def _opened(source: Source, as_dictionaries: Sequence[str] = ()) -> pq.ParquetFile:
    try:
        # A buffer makes it stream; without one it reads the whole column of a row group at once.
        file = pq.ParquetFile(source.path, buffer_size=_BUFFER_BYTES, read_dictionary=list(as_dictionaries))
        _ = file.schema_arrow.names  # which need not be UTF-8
    except (pa.ArrowException, OSError, UnicodeDecodeError) as error:
        if getattr(error, "errno", None) is not None:  # the system's own; what Arrow finds wrong has no number
            raise
        reason = " ".join(str(error).split()).rstrip(".")
        raise InputError(
            f"{source.shown}: is not a Parquet file, or was cut short: {reason}; write it again"
        ) from error
    return file


def _is_text(kind: Any) -> bool:
    value = str(getattr(kind, "value_type", kind) if str(kind).startswith("dictionary") else kind)
    return value in {"string", "large_string", "string_view", "binary", "large_binary", "binary_view"}


def _cells(column: Any) -> list[bytes | None]:
    """The cells as bytes: text in Parquet need not be UTF-8, and numbers may serve as names."""
    if not _is_text(column.type):
        return [None if value is None else str(value).encode() for value in column.to_pylist()]
    if not str(column.type).startswith("dictionary"):
        cells: list[bytes | None] = column.cast("large_binary").to_pylist()
        return cells
    # Of each text one copy, however many rows have it.
    texts = [None if text is None else text[: LONGEST_LINE + 1] for text in _cells(column.dictionary)]
    return [None if place is None else texts[place] for place in column.indices.to_pylist()]


def _entry(smiles: bytes | None, name: bytes | None, index: int, shown: str, row: int) -> Entry | Failure:
    try:
        text = text_of(smiles or b"").strip()
        if not text:
            raise MoleculeError("no SMILES in the row", "fill the cell or remove the row")
        return Entry(index=index, path=shown, line=row, name=text_of(name or b"").strip(), kind="smiles", text=text)
    except MoleculeError as error:
        return Failure(
            index=index,
            path=shown,
            line=row,
            name=shown_text(name or b""),
            text=shown_text(smiles or b""),
            reason=error.reason,
            advice=error.advice,
        )
