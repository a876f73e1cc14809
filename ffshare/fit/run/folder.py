"""The folder of a run: whose it is, what is done, and results that appear only when all of them are written.

    .lock            held while a run is under way
    settings.yaml    what the run was told, byte for byte; written first, and the mark of such a folder
    statistics/      charges and sums over the data, kept as they are made
    …                results, written elsewhere and moved here when all are there
    fit.json         moved last: a folder that has it is finished

A run that is killed leaves at most hidden leftovers, which the next run removes.
"""

import json
import os
import secrets
import shutil
from collections.abc import Iterator, Mapping
from contextlib import contextmanager, suppress
from importlib.metadata import version
from pathlib import Path
from typing import Any, Self

from ffshare.errors import InputError, OutputError
from ffshare.fit.run.force_field import NAMES as FORCE_FIELDS
from ffshare.fit.run.settings import RunSettings
from ffshare.fit.run.settings_file import parse_settings
from ffshare.folder_lock import locked
from ffshare.records import doc, record
from ffshare.whole_files import UNFINISHED, naming_folder, replacing, to_disk

SETTINGS, STATISTICS, REPORT = "settings.yaml", "statistics", "fit.json"
TABLES = ("parameters.csv", "identifiability.csv", "molecules.csv", "failures.csv")
PLOTS = tuple(f"{name}.{kind}" for name in ("energies", "forces", "parameters", "spectrum") for kind in ("png", "svg"))


@record
class RunFolder:
    """The folder of a run."""

    path: Path = doc("the folder")
    report: Mapping[str, Any] | None = doc("of a run with these settings and inputs that has ended: its fit.json")
    notes: tuple[str, ...] = doc("what was found there that a user should know")

    @classmethod
    @contextmanager
    def claim(
        cls,
        path: str | Path,
        text: bytes,
        settings: RunSettings,
        checksums: Mapping[str, str],
        *,
        overwrite: bool = False,
    ) -> Iterator[Self]:
        """Take a folder for a run, and keep others out of it while the block lasts.

        The run is a new one, one that goes on there, or one that has ended; nothing is changed of the last, so that
        it may lie where nobody may write.

        Args:
            path: The folder; made where it does not exist.
            text: The settings file.
            settings: What it says.
            checksums: Checksums of what the fit is made from, by path.
            overwrite: Whether results of other settings or inputs are replaced.

        Yields:
            The folder.

        Raises:
            OutputError: The folder holds other things, or results of other settings or inputs, or cannot be written,
                or another run is under way there.
        """
        folder = Path(path)
        with naming_folder(folder):
            folder.mkdir(parents=True, exist_ok=True)
        report = _report(folder)
        if report is not None and not _changes(folder, settings, checksums):
            yield cls(path=folder, report=report, notes=())
            return
        with locked(folder):
            yield cls._taken(folder, text, settings, checksums, overwrite=overwrite)

    @classmethod
    def _taken(
        cls, folder: Path, text: bytes, settings: RunSettings, checksums: Mapping[str, str], *, overwrite: bool
    ) -> Self:
        """A folder that nobody else works in, made ready."""
        with naming_folder(folder):
            there = [each.name for each in folder.iterdir() if not each.name.startswith(".")]
        if there and SETTINGS not in there:
            raise OutputError(
                f"{folder} holds files that are not of a fit ({min(there)}); name a new or an empty folder"
            )
        changes = _changes(folder, settings, checksums) if there else []
        report = _report(folder)
        if report is not None and not changes:
            return cls(path=folder, report=report, notes=())
        if report is not None and not overwrite:
            raise OutputError(
                "\n  ".join(
                    [
                        f"{folder} holds a fit that was made otherwise; here is this run, there what made it:",
                        *changes,
                        "name another folder, or replace its results with --overwrite (sums over the data that still "
                        "apply are used again)",
                    ]
                )
            )
        notes = []
        if changes:
            what = "\n  ".join(changes)
            notes.append(f"{folder}: not as before; sums over the data that still apply are used again:\n  {what}")
        elif there:
            notes.append(f"{folder}: going on with a run that was stopped")
        with naming_folder(folder):
            for name in (REPORT, *TABLES, *PLOTS, *FORCE_FIELDS):
                _remove(folder / name)
            for each in (*folder.iterdir(), *(folder / STATISTICS).glob("*")):
                if _is_leftover(each.name):
                    _remove(each)
            _write(folder / SETTINGS, text)
        return cls(path=folder, report=None, notes=tuple(notes))

    @property
    def statistics(self) -> Path:
        """Where charges and sums are kept."""
        return self.path / STATISTICS

    @contextmanager
    def staged(self) -> Iterator[Path]:
        """A folder to write results to; they move to their places when the block ends without an error.

        Yields:
            An empty folder.

        Raises:
            OutputError: Something cannot be written.
        """
        stage = self.path / f".{secrets.token_hex(4)}{UNFINISHED}"
        try:
            with naming_folder(self.path):
                stage.mkdir()
                yield stage
                names = sorted(each.name for each in stage.iterdir())
                for each in stage.rglob("*"):
                    if each.is_file():
                        to_disk(each)
                for name in sorted(names, key=lambda name: name == REPORT):
                    os.replace(stage / name, self.path / name)
        finally:
            with suppress(OSError):
                shutil.rmtree(stage)


def _changes(folder: Path, settings: RunSettings, checksums: Mapping[str, str]) -> list[str]:
    """How a run differs from the one that a folder is of, in words."""
    try:
        before = parse_settings((folder / SETTINGS).read_text(encoding="utf-8"), str(folder / SETTINGS))
    except (InputError, OSError, UnicodeDecodeError):
        return [f"{SETTINGS}: cannot be read by this version of ffshare"]
    found = settings.differences(before)
    report = _report(folder) or {}
    here_version, there_version = version("ffshare"), report.get("versions", {}).get("ffshare")
    if report and here_version != there_version:
        found.append(f"version of ffshare: {here_version} here, {there_version} there")
    known = report.get("checksums", checksums)
    # By their names alone, since an environment or a folder may have moved.
    here, there = (sorted((Path(path).name, mark) for path, mark in files.items()) for files in (checksums, known))
    found += [f"{name}: is another file, or has changed" for name, mark in here if (name, mark) not in there]
    found += [f"{name}: was used there, not here" for name, _ in there if name not in dict(here)]
    return found


def _report(folder: Path) -> dict[str, Any] | None:
    try:
        found = json.loads((folder / REPORT).read_text(encoding="utf-8"))
    except (OSError, ValueError):
        return None
    return found if isinstance(found, dict) else None


def _is_leftover(name: str) -> bool:
    return name.endswith(UNFINISHED)


def _remove(path: Path) -> None:
    if path.is_dir() and not path.is_symlink():
        shutil.rmtree(path)
    else:
        path.unlink(missing_ok=True)


def _write(path: Path, data: bytes) -> None:
    with replacing(path) as unfinished:
        unfinished.write_bytes(data)
