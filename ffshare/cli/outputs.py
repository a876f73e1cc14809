"""Output files that appear whole or not at all.

Every file is written under a temporary name beside its final one and renamed when all is done; after an error or
Ctrl-C nothing stands under a final name, and what stood there before is untouched.
"""

import csv
import json
import os
from collections.abc import Iterable, Mapping, Sequence
from contextlib import ExitStack
from pathlib import Path
from types import TracebackType
from typing import IO, Any, Protocol, Self

import pyarrow as pa
import pyarrow.parquet as pq

from ffshare.errors import OutputError


class TableWriter(Protocol):
    """Takes a stream of tables of one schema."""

    def write(self, table: pa.Table) -> None:
        """Append the rows of a table."""

    def close(self) -> None:
        """Finish the file."""


class ParquetTables:
    """Tables into a Parquet file, a row group each."""

    def __init__(self, path: Path, schema: pa.Schema, metadata: Mapping[str, Any]) -> None:
        """Open a file.

        Args:
            path: Where to write.
            schema: Columns of the tables.
            metadata: Kept in the file under the key ``ffshare``, as JSON.
        """
        self._schema = schema.with_metadata({"ffshare": json.dumps(metadata)})
        self._writer = pq.ParquetWriter(path, self._schema, compression="zstd")

    def write(self, table: pa.Table) -> None:
        """Append a table as a row group."""
        self._writer.write_table(table.replace_schema_metadata(self._schema.metadata))

    def close(self) -> None:
        """Write the footer."""
        self._writer.close()


class CsvTables:
    """Tables into CSV; lists of atoms become ``0-1-2-3``, nulls stay empty."""

    def __init__(self, stream: IO[str], schema: pa.Schema) -> None:
        """Start with the heading.

        Args:
            stream: Open for text.
            schema: Columns of the tables.
        """
        self._stream, self._writer = stream, csv.writer(stream, lineterminator="\n")
        self._writer.writerow(schema.names)

    def write(self, table: pa.Table) -> None:
        """Append the rows of a table."""
        columns = [_csv_column(column) for column in table.columns]
        self._writer.writerows(zip(*columns, strict=True))

    def close(self) -> None:
        """Leave the stream to its owner."""
        self._stream.flush()


class JsonTables:
    """Tables into one JSON array of rows."""

    def __init__(self, stream: IO[str]) -> None:
        """Start the array.

        Args:
            stream: Open for text.
        """
        self._stream, self._separator = stream, "[\n"

    def write(self, table: pa.Table) -> None:
        """Append the rows of a table."""
        for row in table.to_pylist():
            self._stream.write(self._separator + json.dumps(row, ensure_ascii=False))
            self._separator = ",\n"

    def close(self) -> None:
        """End the array."""
        self._stream.write("]\n" if self._separator != "[\n" else "[]\n")
        self._stream.flush()


def _csv_column(column: pa.ChunkedArray) -> Iterable[Any]:
    values = column.to_pylist()
    return ["-".join(map(str, value)) for value in values] if pa.types.is_list(column.type) else values


class OutputFiles:
    """Several output files that get their final names together, when the block ends without an error."""

    def __init__(self) -> None:
        """No files yet."""
        self._files: list[tuple[Path, Path]] = []
        self._stack = ExitStack()

    def __enter__(self) -> Self:
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        try:
            self._stack.close()
            if kind is None:
                for temporary, final in self._files:
                    os.replace(temporary, final)
        finally:
            for temporary, _ in self._files:
                temporary.unlink(missing_ok=True)

    def table(self, path: Path, schema: pa.Schema, metadata: Mapping[str, Any]) -> TableWriter:
        """A table file, its format given by its suffix: .parquet, .csv or .json.

        Args:
            path: Its final name.
            schema: Columns of the tables.
            metadata: What made it; kept in a Parquet file itself, else beside it in ``NAME.metadata.json``.

        Returns:
            A writer; it is closed when the block ends.

        Raises:
            OutputError: The suffix is unknown or the folder cannot be written to.
        """
        if path.suffix not in TABLE_SUFFIXES:
            raise OutputError(f"cannot write {path}: give a name that ends in {', '.join(TABLE_SUFFIXES)}")
        if path.suffix != ".parquet":
            stream = self.text(path.with_suffix(".metadata.json"))
            stream.write(json.dumps(metadata, indent=1) + "\n")
        writer: TableWriter
        if path.suffix == ".parquet":
            writer = ParquetTables(self._temporary(path), schema, metadata)
        elif path.suffix == ".csv":
            writer = CsvTables(self.text(path), schema)
        else:
            writer = JsonTables(self.text(path))
        self._stack.callback(writer.close)
        return writer

    def rows(self, path: Path, heads: Sequence[str]) -> Any:
        """A CSV file with a heading, as a writer of the csv module.

        Args:
            path: Its final name.
            heads: Column names.

        Returns:
            An object with ``writerow``.
        """
        writer = csv.writer(self.text(path), lineterminator="\n")
        writer.writerow(heads)
        return writer

    def text(self, path: Path) -> IO[str]:
        """A text file in UTF-8, closed when the block ends."""
        return self._stack.enter_context(open(self._temporary(path), "w", encoding="utf-8", newline=""))

    def _temporary(self, path: Path) -> Path:
        temporary = path.with_name(f".{path.name}.{os.getpid()}.part")
        try:
            temporary.touch(exist_ok=False)
        except OSError as error:
            raise OutputError(
                f"cannot write {path}: {error.strerror or error}; choose a folder that exists and that you may write to"
            ) from error
        self._files.append((temporary, path))
        return temporary


TABLE_SUFFIXES = (".parquet", ".csv", ".json")
