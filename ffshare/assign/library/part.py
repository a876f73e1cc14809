"""One partition of a library: its entries, the files that they become, and the record of these."""

import hashlib
import json
import socket
from collections.abc import Callable, Mapping, Sequence
from pathlib import Path
from typing import Any, Self

import pyarrow as pa
import pyarrow.parquet as pq

from ffshare.assign.library.labeller import Labelled
from ffshare.assign.library.numbers import LabelNumbers
from ffshare.data_files import checksum
from ffshare.errors import OutputError
from ffshare.molecules import Entry, Failure
from ffshare.records import doc, record
from ffshare.whole_files import writing

FOLDERS = ("labels", "molecules", "failures")
# Rows that a reader must take at once.
_ROW_GROUP = 1 << 18
# Of the metadata of a Parquet file.
_KEY = b"ffshare"


def names_of(number: int) -> dict[str, str]:
    """The files of a part, below the folder of the library, by kind."""
    return {kind: f"{kind}/part-{number:06d}.parquet" for kind in FOLDERS}


@record
class Partition:
    """Some entries of an input, cut at places that depend on the input alone."""

    number: int = doc("place among the partitions, from 0")
    entries: tuple[Entry | Failure, ...] = doc("the entries")
    input: str = doc("checksum of the entries and of all that decides what they become")

    @classmethod
    def of(cls, number: int, entries: Sequence[Entry | Failure], salt: Any) -> Self:
        """A partition with its checksum.

        Args:
            number: Its place.
            entries: Its entries.
            salt: Checksum of what else decides, as an object of `hashlib`; it is not changed.

        Returns:
            The partition.
        """
        digest = salt.copy()
        for entry in entries:
            reason = entry.reason if isinstance(entry, Failure) else ""
            fields = (entry.index, entry.path, entry.line, entry.name, entry.text, reason)
            digest.update(repr(fields).encode("utf-8", "backslashreplace"))
        return cls(number=number, entries=tuple(entries), input=digest.hexdigest())


@record
class Part:
    """The record of a part that was made."""

    number: int = doc("place among the parts, from 0")
    input: str = doc("checksum of what it was made of")
    numbers: LabelNumbers = doc("what was found")
    files: Mapping[str, Mapping[str, Any]] = doc("bytes and checksum of each file, by its name below the folder")

    def is_whole(self, folder: Path) -> bool:
        """Whether the files are as they were made.

        Args:
            folder: The folder of the library.

        Returns:
            False where one is gone, cut short or changed.
        """
        return all(_as_made(folder / name, kept) for name, kept in self.files.items())

    def to_json(self) -> dict[str, Any]:
        """The record as an object of JSON, with a checksum of its own."""
        written = {"number": self.number, "input": self.input, "numbers": self.numbers.to_json(), "files": self.files}
        return {**written, "checksum": _checksum_of(written)}

    @classmethod
    def from_json(cls, written: Mapping[str, Any]) -> Self:
        """The record that `to_json` wrote.

        Args:
            written: An object of JSON.

        Returns:
            The record.

        Raises:
            ValueError, TypeError, KeyError, AttributeError: It is another object, or has changed since.
        """
        if written["checksum"] != _checksum_of({key: value for key, value in written.items() if key != "checksum"}):
            raise ValueError("the record has changed since it was written")
        number = int(written["number"])
        # Names follow from the number: a record names no other files.
        files = {name: dict(written["files"][name]) for name in names_of(number).values()}
        numbers = LabelNumbers.from_json(written["numbers"])
        return cls(number=number, input=str(written["input"]), numbers=numbers, files=files)


@record
class PartWriter:
    """Labels a partition and writes its files and its record. Picklable.

    Law: once the folder for unfinished files is gone, nothing of this writer appears under a final name any more,
    wherever it still runs.
    """

    labeller: Callable[[Sequence[Entry | Failure]], Labelled] = doc("makes tables of entries")
    folder: Path = doc("the folder of the library, which every worker must see")
    progress: Path = doc("the folder for records")
    unfinished: Path = doc("the folder of this run for files that are being written")
    metadata: Mapping[str, Any] = doc("what made the files, kept in each of them")

    def __call__(self, partition: Partition) -> Part:
        """Make a part.

        Args:
            partition: The entries.

        Returns:
            Its record.

        Raises:
            OutputError: A file cannot be written, or the run has ended, or this machine does not share the folder.
        """
        if not self.unfinished.is_dir():
            raise OutputError(
                f"{socket.gethostname()} does not see {self.unfinished}: either this run has ended, or the workers do "
                "not share the folder for labels; name one on a file system that all of them see"
            )
        found = self.labeller(partition.entries)
        tables = {"labels": found.labels, "molecules": found.molecules, "failures": found.failure_table()}
        names = names_of(partition.number)
        for kind, table in tables.items():
            self._write(self.folder / names[kind], table)
        files = {name: _file_record(self.folder / name) for name in names.values()}
        part = Part(number=partition.number, input=partition.input, numbers=found.numbers, files=files)
        with writing(self.progress / f"part-{partition.number:06d}.json", self.unfinished) as unfinished:
            unfinished.write_text(json.dumps(part.to_json(), ensure_ascii=False), encoding="utf-8")
        return part

    def _write(self, path: Path, table: pa.Table) -> None:
        schema = table.schema.with_metadata({_KEY: json.dumps(self.metadata)})
        with (
            writing(path, self.unfinished) as unfinished,
            pq.ParquetWriter(unfinished, schema, compression="zstd") as writer,
        ):
            writer.write_table(table.replace_schema_metadata(schema.metadata), row_group_size=_ROW_GROUP)


def metadata_of(path: Path) -> dict[str, Any] | None:
    """What made a file of a part, as the file itself says.

    Args:
        path: Any file.

    Returns:
        The metadata of its writer; None where it is no such file, or damaged.
    """
    try:
        found = json.loads((pq.read_schema(path).metadata or {})[_KEY])
    except (pa.ArrowException, OSError, ValueError, KeyError):
        return None
    return found if isinstance(found, dict) else None


def _checksum_of(written: Mapping[str, Any]) -> str:
    # As JSON has it: tuples are lists there.
    return hashlib.blake2b(json.dumps(written, sort_keys=True).encode(), digest_size=16).hexdigest()


def _file_record(path: Path) -> dict[str, Any]:
    return {"bytes": path.stat().st_size, "checksum": checksum(path)}


def _as_made(path: Path, kept: Mapping[str, Any]) -> bool:
    try:
        return path.stat().st_size == kept.get("bytes") and checksum(path) == kept.get("checksum")
    except OSError:
        return False
