"""Labels of single molecules on disk, for inputs that come again in another run.

One SQLite file, which several processes of one machine may use at once. What is in it is found by a checksum of the
text of the input and of all that decides its labels; what is damaged is not found. It grows to a bound; then the
oldest entries make room.
"""

import hashlib
import sqlite3
import struct
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from pathlib import Path

import numpy as np
import pyarrow as pa

from ffshare.errors import OutputError
from ffshare.molecules import Entry
from ffshare.molecules.ragged import offsets_of
from ffshare.records import doc, record

_FILE = "labels-1.sqlite"
_PATIENCE = 60.0
# One of so many entries goes when room is needed, the oldest first.
_AWAY = 4
_LENGTH = struct.Struct("<q")
_CHECKSUM_SIZE = 16
# Columns that an entry has from its place in an input, and not from its text.
_OF_THE_PLACE = ("molecule_idx", "molecule")

Tables = tuple[pa.Table, ...]


@record
class LabelCache:
    """A folder with tables by text of input. Picklable: every process opens it for itself."""

    folder: Path = doc("the folder, made where it does not exist")
    salt: str = doc("all that decides the labels of a text: version, scheme, checksums, mode")
    most_bytes: int = doc("size that the file may reach, nearly")

    def find(self, entries: Sequence[Entry], schemas: Sequence[pa.Schema]) -> tuple[list[Entry], Tables]:
        """What is known of some entries.

        Args:
            entries: The entries, of ascending index.
            schemas: Columns of the tables that were kept.

        Returns:
            The entries that are not known; and tables of the others, `molecule_idx` the index of each, names empty.

        Raises:
            OutputError: The cache cannot be used.
        """
        keys = [self._key(entry) for entry in entries]
        with self._opened() as connection:
            connection.execute("CREATE TEMP TABLE wanted (key BLOB PRIMARY KEY)")
            connection.executemany("INSERT INTO wanted VALUES (?)", ((key,) for key in keys))
            values = dict(connection.execute("SELECT key, CAST(value AS BLOB) FROM known JOIN wanted USING (key)"))
        unknown: list[Entry] = []
        indices: list[int] = []
        pieces: list[Tables] = []
        for key, entry in zip(keys, entries, strict=True):
            tables = _unpacked(values[key], len(schemas)) if key in values else None
            if tables is None:
                unknown.append(entry)
            else:
                indices.append(entry.index)
                pieces.append(tables)
        by_kind = zip(*pieces, strict=True) if pieces else [()] * len(schemas)
        joined = (_in_place(kind, indices, schema) for kind, schema in zip(by_kind, schemas, strict=True))
        return unknown, tuple(joined)

    def keep(self, entries: Sequence[Entry], tables: Sequence[pa.Table]) -> None:
        """Keep what entries became; what is kept already stays.

        Args:
            entries: The entries, of ascending index.
            tables: Rows with the `molecule_idx` of the entries, ascending. An entry without a row in the second table,
                that of molecules, is not kept.

        Raises:
            OutputError: The cache cannot be used.
        """
        indices = np.array([entry.index for entry in entries], dtype=np.int64)
        plain, bounds = [_of_text(table) for table in tables], []
        for table in tables:
            places = np.searchsorted(indices, table["molecule_idx"].to_numpy())
            bounds.append(offsets_of(np.bincount(places, minlength=len(entries))).tolist())
        rows = []
        for place, entry in enumerate(entries):
            pieces = [t.slice(b[place], b[place + 1] - b[place]) for t, b in zip(plain, bounds, strict=True)]
            if len(pieces[1]):
                rows.append((self._key(entry), _packed(pieces)))
        with self._opened() as connection:
            connection.executemany("INSERT OR IGNORE INTO known (key, value) VALUES (?, ?)", rows)
            if _n_bytes(connection) > self.most_bytes:
                oldest = "SELECT number FROM known ORDER BY number LIMIT (SELECT 1 + count(*) / ? FROM known)"
                connection.execute(f"DELETE FROM known WHERE number IN ({oldest})", [_AWAY])

    def _key(self, entry: Entry) -> bytes:
        text = "\0".join((self.salt, entry.kind, entry.text))
        return hashlib.blake2b(text.encode("utf-8", "surrogatepass"), digest_size=16).digest()

    @contextmanager
    def _opened(self) -> Iterator[sqlite3.Connection]:
        path = self.folder / _FILE
        try:
            self.folder.mkdir(parents=True, exist_ok=True)
            connection = sqlite3.connect(path, timeout=_PATIENCE)
            try:
                connection.execute("PRAGMA journal_mode=WAL")
                # After a loss of power the last entries may be gone; the file is whole.
                connection.execute("PRAGMA synchronous=NORMAL")
                with connection:
                    connection.execute(
                        "CREATE TABLE IF NOT EXISTS known (number INTEGER PRIMARY KEY, key BLOB UNIQUE, value BLOB)"
                    )
                    yield connection
            finally:
                connection.close()
        except (sqlite3.Error, OSError) as error:
            raise OutputError(f"the cache {path} cannot be used: {error}; remove it, or name another folder") from error


def _n_bytes(connection: sqlite3.Connection) -> int:
    """What the entries take of the file; free pages are used again."""
    pages, free, size = (
        int(connection.execute(f"PRAGMA {name}").fetchone()[0])
        for name in ("page_count", "freelist_count", "page_size")
    )
    return (pages - free) * size


def _of_text(table: pa.Table) -> pa.Table:
    """The columns that follow from the text, without dictionaries: the rows of each molecule stand for themselves."""
    kept = table.drop_columns([name for name in _OF_THE_PLACE if name in table.column_names])
    types = [kind.value_type if pa.types.is_dictionary(kind) else kind for kind in kept.schema.types]
    return kept.cast(pa.schema(list(zip(kept.column_names, types, strict=True)))).combine_chunks()


def _in_place(pieces: Sequence[pa.Table], indices: Sequence[int], schema: pa.Schema) -> pa.Table:
    """Tables of `_of_text` one below the other, with the columns of the place."""
    if not pieces:
        return schema.empty_table()
    joined = pa.concat_tables(pieces)
    owners = np.repeat(np.array(indices, dtype=np.int64), [len(piece) for piece in pieces])
    place = {"molecule_idx": pa.array(owners), "molecule": pa.repeat("", len(owners))}
    columns = [place[name] if name in place else joined[name] for name in schema.names]
    return pa.Table.from_arrays(
        [
            column.dictionary_encode() if pa.types.is_dictionary(kind) else column
            for column, kind in zip(columns, schema.types, strict=True)
        ],
        schema=schema,
    )


def _packed(tables: Sequence[pa.Table]) -> bytes:
    """A checksum and a length, then the compressed tables, each as its length and its stream of Arrow."""
    parts = []
    for table in tables:
        sink = pa.BufferOutputStream()
        with pa.ipc.new_stream(sink, table.schema) as writer:
            writer.write_table(table)
        data = sink.getvalue().to_pybytes()
        parts += [_LENGTH.pack(len(data)), data]
    body = b"".join(parts)
    packed: bytes = _LENGTH.pack(len(body)) + pa.compress(body, codec="zstd", asbytes=True)
    return _checksum(packed) + packed


def _unpacked(value: bytes, n_tables: int) -> Tables | None:
    """The tables of an entry; None where they are damaged."""
    checksum, packed = value[:_CHECKSUM_SIZE], value[_CHECKSUM_SIZE:]
    if _checksum(packed) != checksum:
        return None
    (size,) = _LENGTH.unpack_from(packed)
    body = memoryview(pa.decompress(packed[_LENGTH.size :], decompressed_size=size, codec="zstd"))
    tables, start = [], 0
    for _ in range(n_tables):
        (length,) = _LENGTH.unpack_from(body, start)
        start += _LENGTH.size
        tables.append(pa.ipc.open_stream(body[start : start + length]).read_all())
        start += length
    return tuple(tables)


def _checksum(packed: bytes) -> bytes:
    return hashlib.blake2b(packed, digest_size=_CHECKSUM_SIZE).digest()
