"""Output files that appear whole or not at all.

Every file is written under a temporary name beside its final one and renamed when all is done; after an error or
Ctrl-C nothing stands under a final name, and what stood there before is untouched.
"""

import csv
import errno
import io
import json
import os
import secrets
from collections.abc import Iterable, Iterator, Mapping, Sequence
from contextlib import ExitStack, contextmanager, suppress
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

    def __init__(self, stream: IO[bytes], schema: pa.Schema, metadata: Mapping[str, Any]) -> None:
        """Start the file.

        Args:
            stream: Open for bytes.
            schema: Columns of the tables.
            metadata: Kept in the file under the key ``ffshare``, as JSON.
        """
        self._schema = schema.with_metadata({"ffshare": json.dumps(metadata)})
        self._writer = pq.ParquetWriter(stream, self._schema, compression="zstd")

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


@contextmanager
def _naming(path: Path) -> Iterator[None]:
    """Refusals of the system as errors that name the file that was to be written."""
    try:
        yield
    except OSError as error:
        raise OutputError(
            f"cannot write {path}: {error.strerror or error}; "
            "choose another name, in a folder that exists, that you may write to and that has room"
        ) from error


class _Unfinished(io.FileIO):
    """A new file under a temporary name, whose errors name the file that it is to become."""

    def __init__(self, temporary: Path, final: Path) -> None:
        super().__init__(temporary, "x")
        self._final = final

    def write(self, data: Any) -> int:
        with _naming(self._final):
            return super().write(data)


class OutputFiles:
    """Several output files that get their final names together, when the block ends without an error."""

    def __init__(self, inputs: Iterable[str | Path] = ()) -> None:
        """No files yet.

        Args:
            inputs: Files that the outputs are made from. They are not overwritten.
        """
        self._inputs = frozenset(map(os.path.realpath, inputs))
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
                    with _naming(final):
                        os.replace(temporary, final)
        except OutputError:
            if kind is None:
                raise  # else the first error, which ended the block, tells more
        finally:
            for temporary, _ in self._files:
                with suppress(OSError):  # there is no file, or no folder
                    temporary.unlink()

    def table(self, path: Path, schema: pa.Schema, metadata: Mapping[str, Any]) -> TableWriter:
        """A table file, its format given by its suffix: .parquet, .csv or .json.

        Args:
            path: Its final name.
            schema: Columns of the tables.
            metadata: What made it; kept in a Parquet file itself, else beside it in ``NAME.metadata.json``.

        Returns:
            A writer; it is closed when the block ends.

        Raises:
            OutputError: The suffix is unknown, the folder cannot be written to, or the name is that of an input.
        """
        if path.suffix not in TABLE_SUFFIXES:
            raise OutputError(f"cannot write {path}: give a name that ends in {', '.join(TABLE_SUFFIXES)}")
        writer: TableWriter
        if path.suffix == ".parquet":
            writer = ParquetTables(self._open(path), schema, metadata)
        elif path.suffix == ".csv":
            writer = CsvTables(self.text(path), schema)
        else:
            writer = JsonTables(self.text(path))
        self._stack.callback(writer.close)
        if path.suffix != ".parquet":
            self.text(path.with_suffix(".metadata.json")).write(json.dumps(metadata, indent=1) + "\n")
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
        return self._stack.enter_context(io.TextIOWrapper(self._open(path), encoding="utf-8", newline=""))

    def _open(self, path: Path) -> io.BufferedWriter:
        if os.path.realpath(path) in self._inputs:
            raise OutputError(f"cannot write {path}: it is an input of this run; choose another name")
        # By chance and not by number of the process, since two containers may share a folder.
        temporary = path.with_name(f".{path.name}.{secrets.token_hex(4)}.part")
        self._files.append((temporary, path))
        with _naming(path):
            if path.is_dir():
                raise IsADirectoryError(errno.EISDIR, os.strerror(errno.EISDIR))
            # Buffered, since a file by itself may write less than it was given.
            return self._stack.enter_context(io.BufferedWriter(_Unfinished(temporary, path)))


TABLE_SUFFIXES = (".parquet", ".csv", ".json")
