"""A folder of labels, made partition by partition: what is done stays done, whatever happens to a run.

    labels/part-000000.parquet      a row a term
    molecules/part-000000.parquet   a row a molecule
    failures/part-000000.parquet    a row an input that could not be used
    manifest.json                   what made them, and each part with its numbers and checksums; written last
    .progress/                      the same of the parts so far, while there is no manifest

A part is written under another name, forced to disk and renamed, and recorded after that: a file under its final name
is whole, and a part without a record, or one that differs from its record, is made again. Partitions follow from the
input alone, so the folder is the same to the last byte whoever made which part, and when.
"""

import hashlib
import json
import shutil
from collections.abc import Generator, Iterable, Iterator, Mapping
from contextlib import ExitStack, contextmanager, suppress
from functools import partial
from pathlib import Path
from types import TracebackType
from typing import Any, Self

from ffshare.assign.library.numbers import LabelNumbers
from ffshare.assign.library.part import FOLDERS, Part, Partition, PartWriter, names_of
from ffshare.errors import InputError, OutputError
from ffshare.folder_lock import LOCK, locked
from ffshare.molecules import Entry, Failure, chunked
from ffshare.whole_files import UNFINISHED, writing

MANIFEST, PROGRESS, MADE_FROM = "manifest.json", ".progress", "made_from.json"
PARTITION_SIZE = 2_000
"""Entries of a partition: of drugs, a second of work and some 200 MB of memory while it is done."""

_FORMAT = "ffshare labels 1"
# Of what made a folder, what says nothing about a single part.
_OF_THE_WHOLE = ("input_checksums",)


class LabelFolder:
    """A folder of labels that is being made or completed, held by this process alone."""

    def __init__(self, path: Path, made_from: Mapping[str, Any], size: int = PARTITION_SIZE) -> None:
        """A folder that is to be made of some input in some way.

        Args:
            path: The folder; made where it does not exist.
            made_from: Version, scheme, settings and checksums, fit for JSON; nothing that may differ between runs that
                give the same labels.
            size: Entries of a partition.
        """
        self.path, self._size = path, size
        # As it comes back from a file.
        self._made_from = json.loads(_json({"format": _FORMAT, **made_from, "partition": size}))
        self._parts: dict[int, Part] = {}
        self._known: dict[int, Part] = {}
        self._block = ExitStack()
        self.n_kept = 0
        """Entries whose parts were there already."""

    def __enter__(self) -> Self:
        """Take the folder.

        Raises:
            OutputError: Another run is under way there; it holds other things, or labels that were made otherwise; or
                it cannot be written to.
        """
        with _naming(self.path):
            self.path.mkdir(parents=True, exist_ok=True)
        with ExitStack() as block:
            block.enter_context(locked(self.path))
            with _naming(self.path):
                self._claim()
            self._block = block.pop_all()
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self._block.close()

    def _claim(self) -> None:
        there = {each.name for each in self.path.iterdir()} - {LOCK}
        before = _read(self.path / MANIFEST) or _read(self.path / PROGRESS / MADE_FROM)
        if before is None and there - {PROGRESS}:
            raise OutputError(
                f"{self.path} holds files that are not labels of ffshare ({min(there)}); name a new or an empty folder"
            )
        differences = [] if before is None else _differences(before, self._made_from)
        if differences:
            raise OutputError(
                "\n  ".join(
                    [
                        f"{self.path} holds labels that were made otherwise; here is this run, there what made them:",
                        *differences,
                        "name another folder, or remove this one",
                    ]
                )
            )
        for leftover in self.path.glob(f"*/.*{UNFINISHED}"):
            leftover.unlink(missing_ok=True)
        (self.path / PROGRESS).mkdir(exist_ok=True)
        if before is None:  # the mark of such a folder comes first
            with writing(self.path / PROGRESS / MADE_FROM) as unfinished:
                unfinished.write_text(_json(self._made_from), encoding="utf-8")
        for name in FOLDERS:
            (self.path / name).mkdir(exist_ok=True)
        self._known = {part.number: part for part in self._recorded(before or {})}

    def _recorded(self, before: Mapping[str, Any]) -> Iterator[Part]:
        """The parts that the manifest and, where they are newer, the records tell of."""
        records = [_read(path) for path in sorted((self.path / PROGRESS).glob("part-*.json"))]
        for written in (*before.get("parts", ()), *records):
            with suppress(TypeError, KeyError, AttributeError):
                yield Part.from_json(written)

    def writer(self, labeller: Any) -> PartWriter:
        """What makes parts: to be called here or in another process that sees the folder.

        Args:
            labeller: Makes tables of entries.

        Returns:
            A picklable function of a partition.
        """
        # Relative paths are those of this process.
        return PartWriter(labeller=labeller, folder=self.path.resolve(), progress=PROGRESS, metadata=self._of_parts())

    def _of_parts(self) -> dict[str, Any]:
        return {key: value for key, value in self._made_from.items() if key not in _OF_THE_WHOLE}

    def waiting(self, entries: Iterable[Entry | Failure]) -> Generator[Partition, None, None]:
        """The partitions of the input that are not there yet, or no longer as they were made.

        Args:
            entries: The whole input, in order.

        Yields:
            Partitions to be made.
        """
        salt = hashlib.blake2b(_json(self._of_parts()).encode(), digest_size=16)
        for number, part_entries in enumerate(chunked(entries, self._size)):
            partition = Partition.of(number, part_entries, salt)
            known = self._known.get(number)
            if known is not None and known.input == partition.input and known.is_whole(self.path):
                self.n_kept += known.numbers.read
                self.take(known)
            else:
                yield partition

    def take(self, part: Part) -> None:
        """Note a part that is there.

        Args:
            part: The part.
        """
        self._parts[part.number] = part

    @property
    def n_done(self) -> int:
        """Entries whose parts are there."""
        return sum(part.numbers.read for part in self._parts.values())

    @property
    def numbers(self) -> LabelNumbers:
        """Those of all parts so far."""
        total = LabelNumbers()
        for _, part in sorted(self._parts.items()):
            total += part.numbers
        return total

    def finish(self) -> None:
        """Write the manifest, once all parts are there.

        Raises:
            OutputError: It cannot be written.
            InputError: Parts are missing: what was waiting was not all made.
        """
        if sorted(self._parts) != list(range(len(self._parts))):
            raise InputError(f"{self.path}: {len(self._parts)} parts with gaps between; run the same command again")
        with _naming(self.path):
            wanted = {name for number in self._parts for name in names_of(number).values()}
            for name in FOLDERS:
                for path in (self.path / name).iterdir():
                    if f"{name}/{path.name}" not in wanted:
                        path.unlink()
            parts = [part.to_json() for _, part in sorted(self._parts.items())]
            manifest = {**self._made_from, "numbers": self.numbers.to_json(), "parts": parts}
            with writing(self.path / MANIFEST) as unfinished:
                unfinished.write_text(_json(manifest), encoding="utf-8")
            shutil.rmtree(self.path / PROGRESS)


def read_manifest(folder: Path) -> dict[str, Any] | None:
    """The manifest of a finished folder of labels.

    Args:
        folder: Any path.

    Returns:
        The manifest; None where the path is no such folder.

    Raises:
        InputError: The folder is of a run that has not ended.
    """
    if (folder / PROGRESS / MADE_FROM).is_file():
        raise InputError(f"{folder}: its run has not ended; start the same command again, it goes on there")
    found = _read(folder / MANIFEST)
    return found if found is not None and found.get("format") == _FORMAT else None


def missing_parts(folder: Path, manifest: Mapping[str, Any]) -> list[str]:
    """The files of a finished folder that are gone or of another size than they were made with.

    Args:
        folder: The folder.
        manifest: Its manifest.

    Returns:
        Their names.
    """
    return [
        name
        for part in manifest["parts"]
        for name, kept in part["files"].items()
        if not (folder / name).is_file() or (folder / name).stat().st_size != kept["bytes"]
    ]


def _differences(before: Mapping[str, Any], now: Mapping[str, Any]) -> list[str]:
    shown = partial(json.dumps, ensure_ascii=False)
    return [
        f"{key}: {shown(now[key])} here, {shown(before.get(key))} there" for key in now if before.get(key) != now[key]
    ]


def _read(path: Path) -> dict[str, Any] | None:
    try:
        found = json.loads(path.read_text(encoding="utf-8"))
    except (OSError, ValueError):
        return None
    return found if isinstance(found, dict) else None


def _json(value: Mapping[str, Any]) -> str:
    return json.dumps(value, indent=1, ensure_ascii=False) + "\n"


@contextmanager
def _naming(folder: Path) -> Iterator[None]:
    """Refusals of the system as errors that name the folder."""
    try:
        yield
    except OSError as error:
        raise OutputError(
            f"cannot write to {folder}: {error.strerror or error}; name one that you may write to, with room"
        ) from error
