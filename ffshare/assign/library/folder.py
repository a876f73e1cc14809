"""A folder of labels, made partition by partition: what is done stays done, whatever happens to a run.

    labels/part-000000.parquet      a row a term
    molecules/part-000000.parquet   a row a molecule
    failures/part-000000.parquet    a row an input that could not be used
    manifest.json                   what made them, and each part with its numbers and checksums; written last
    .progress/                      the same of the parts so far, while there is no manifest or it is no longer true
    .progress/run-…/                files that a run is writing

A part is written under another name, forced to disk and renamed, and recorded after that: a file under its final name
is whole, and a part without a record, or one that differs from its record, is made again. Partitions follow from the
input alone, so the folder is the same to the last byte whoever made which part, and when.

Workers may outlive their run: it was killed, or a cluster lost sight of them. A run first takes away the folder in
which those of earlier ones write, so that nothing of theirs appears any more.
"""

import hashlib
import json
import os
import secrets
import shutil
from collections.abc import Generator, Iterable, Iterator, Mapping
from contextlib import ExitStack, suppress
from pathlib import Path
from types import TracebackType
from typing import Any, Self

from ffshare.assign.library.manifest import (
    FORMAT,
    MADE_FROM,
    MANIFEST,
    PROGRESS,
    as_json,
    differences_of,
    of_labels,
    read_json,
)
from ffshare.assign.library.numbers import LabelNumbers
from ffshare.assign.library.part import FOLDERS, Part, Partition, PartWriter, metadata_of, names_of
from ffshare.errors import InputError, OutputError
from ffshare.folder_lock import locked
from ffshare.molecules import Entry, Failure, chunked
from ffshare.whole_files import naming_folder, writing

PARTITION_SIZE = 2_000
"""Entries of a partition: of drugs, a second of work and some 200 MB of memory while it is done."""

# Of what made a folder, what says nothing about a single part.
_OF_THE_WHOLE = ("input_checksums",)


class LabelFolder:
    """A folder of labels that is being made or completed, held by this process alone."""

    def __init__(
        self, path: Path, made_from: Mapping[str, Any], size: int = PARTITION_SIZE, *, strict: bool = False
    ) -> None:
        """A folder that is to be made of some input in some way.

        Args:
            path: The folder; made where it does not exist.
            made_from: Version, scheme, settings and checksums, fit for JSON; nothing that may differ between runs that
                give the same labels.
            size: Entries of a partition.
            strict: Whether an entry that cannot be used ends the run, in `take` and `waiting`.
        """
        self.path, self._size, self._strict = path, size, strict
        self._progress = path / PROGRESS
        self._unfinished = self._progress / f"run-{secrets.token_hex(8)}"
        # As it comes back from a file.
        self._made_from = json.loads(as_json({"format": FORMAT, **made_from, "partition": size}))
        self._parts: dict[int, Part] = {}
        self._known: dict[int, Part] = {}
        self._block = ExitStack()
        self.n_kept = 0
        """Entries whose parts were there already."""
        self.n_done = 0
        """Entries whose parts are there."""

    def __enter__(self) -> Self:
        """Take the folder.

        Raises:
            OutputError: Another run is under way there; it holds other things, or labels that were made otherwise; or
                it cannot be written to.
        """
        with naming_folder(self.path):
            self.path.mkdir(parents=True, exist_ok=True)
        with ExitStack() as block:
            block.enter_context(locked(self.path))
            block.callback(self._let_go)
            with naming_folder(self.path):
                self._claim()
            self._block = block.pop_all()
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self._block.close()

    def _let_go(self) -> None:
        """Leave nothing of this run but parts and their records."""
        with suppress(OSError):
            _take_away(self._unfinished)
        with suppress(OSError):  # it holds records
            self._progress.rmdir()

    def _claim(self) -> None:
        there = {each.name for each in self.path.iterdir() if not each.name.startswith(".")}
        before = of_labels(read_json(self.path / MANIFEST)) or of_labels(read_json(self._progress / MADE_FROM))
        if before is None and there <= {*FOLDERS, MANIFEST}:
            before = self._of_a_part()
        if before is None and there:
            raise OutputError(
                f"{self.path} holds files that are not labels of ffshare ({min(there)}); name a new or an empty folder"
            )
        differences = [] if before is None else list(differences_of(before, self._made_from))
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
        for earlier in self._progress.glob("run-*"):
            _take_away(earlier)
        self._unfinished.mkdir(parents=True)
        if before is None:  # the mark of such a folder comes first
            self._begin()
        for name in FOLDERS:
            (self.path / name).mkdir(exist_ok=True)
        self._known = {part.number: part for part in self._recorded(before or {})}

    def _of_a_part(self) -> dict[str, Any] | None:
        """What made the labels of a folder without a manifest, as far as its parts say."""
        for path in sorted((self.path / FOLDERS[0]).glob("part-*.parquet")):
            found = of_labels(metadata_of(path))
            if found is not None:
                return {**{name: self._made_from.get(name) for name in _OF_THE_WHOLE}, **found}
        return None

    def _begin(self) -> None:
        """Say that the folder is not, or no longer, what a manifest tells."""
        if read_json(self._progress / MADE_FROM) != self._made_from:
            with writing(self._progress / MADE_FROM, self._unfinished) as unfinished:
                unfinished.write_text(as_json(self._made_from), encoding="utf-8")

    def _recorded(self, before: Mapping[str, Any]) -> Iterator[Part]:
        """The parts that the manifest and, where they are newer, the records tell of."""
        records = [read_json(path) for path in sorted(self._progress.glob("part-*.json"))]
        parts = before.get("parts")
        for written in (*(parts if isinstance(parts, list) else ()), *records):
            with suppress(ValueError, TypeError, KeyError, AttributeError):  # it is damaged
                yield Part.from_json(written)

    def writer(self, labeller: Any) -> PartWriter:
        """What makes parts: to be called here or in another process that sees the folder.

        Args:
            labeller: Makes tables of entries.

        Returns:
            A picklable function of a partition.
        """
        # Relative paths are those of this process.
        folder, progress, unfinished = (path.resolve() for path in (self.path, self._progress, self._unfinished))
        return PartWriter(
            labeller=labeller, folder=folder, progress=progress, unfinished=unfinished, metadata=self._of_parts()
        )

    def _of_parts(self) -> dict[str, Any]:
        return {key: value for key, value in self._made_from.items() if key not in _OF_THE_WHOLE}

    def waiting(self, entries: Iterable[Entry | Failure]) -> Generator[Partition, None, None]:
        """The partitions of the input that are not there yet, or no longer as they were made.

        Args:
            entries: The whole input, in order.

        Yields:
            Partitions to be made.

        Raises:
            InputError: `strict`, and a part that is there tells of an entry that could not be used.
            OutputError: The folder cannot be written to.
        """
        salt = hashlib.blake2b(as_json(self._of_parts()).encode(), digest_size=16)
        for number, part_entries in enumerate(chunked(entries, self._size)):
            partition = Partition.of(number, part_entries, salt)
            known = self._known.get(number)
            if known is not None and known.input == partition.input and known.is_whole(self.path):
                self.n_kept += known.numbers.read
                self.take(known)
            else:
                self._begin()
                yield partition

    def take(self, part: Part) -> None:
        """Note a part that is there.

        Args:
            part: The part.

        Raises:
            InputError: `strict`, and it tells of an entry that could not be used.
        """
        self._parts[part.number] = part
        self.n_done += part.numbers.read
        if self._strict and part.numbers.failed:
            raise InputError(part.numbers.failures[0])

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
        with naming_folder(self.path):
            wanted = {name for number in self._parts for name in names_of(number).values()}
            for name in FOLDERS:
                for path in (self.path / name).glob("part-*.parquet"):
                    if f"{name}/{path.name}" not in wanted:
                        path.unlink()
            parts = [part.to_json() for _, part in sorted(self._parts.items())]
            manifest = {**self._made_from, "numbers": self.numbers.to_json(), "parts": parts}
            with writing(self.path / MANIFEST, self._unfinished) as unfinished:
                unfinished.write_text(as_json(manifest), encoding="utf-8")
            (self._progress / MADE_FROM).unlink(missing_ok=True)
            # First the folder that others may be writing in.
            _take_away(self._unfinished)
            shutil.rmtree(self._progress, ignore_errors=True)


def _take_away(folder: Path) -> None:
    """Remove a folder, if it is there, in which others may be writing: its name goes first, so that they find none."""
    gone = folder.with_name(f"{folder.name}-{secrets.token_hex(4)}")
    with suppress(FileNotFoundError):
        os.replace(folder, gone)
        shutil.rmtree(gone, ignore_errors=True)
