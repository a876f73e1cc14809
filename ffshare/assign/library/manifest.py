"""The manifest of a folder of labels: what made it, each part with its numbers and checksums; and how runs compare."""

import json
from collections.abc import Iterator, Mapping
from pathlib import Path
from typing import Any

from ffshare.errors import InputError

MANIFEST, PROGRESS, MADE_FROM = "manifest.json", ".progress", "made_from.json"
"""Names of the manifest; of the folder with what is known of a run under way; and of what that is made from."""

_KIND = "ffshare labels"
FORMAT = f"{_KIND} 1"
"""Kind and version of a folder; another one where a run must not go on in folders of before."""


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
    found = of_labels(read_json(folder / MANIFEST))
    return found if found is not None and found["format"] == FORMAT else None


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


def differences_of(before: Mapping[str, Any], now: Mapping[str, Any]) -> Iterator[str]:
    """How a run differs from the one that made a folder.

    Args:
        before: What the folder was made from; more than this is not looked at.
        now: What the run is made from.

    Yields:
        A line for each thing.

    Example:
        >>> list(differences_of({"scheme": "gaff", "files": {"a": 1, "b": 2}}, {"scheme": "gaff", "files": {"a": 3}}))
        ['files: a: 3 here, 1 there', 'files: b: null here, 2 there']
    """
    for key, here in now.items():
        there = before.get(key)
        if isinstance(here, dict) and isinstance(there, dict):
            yield from (f"{key}: {line}" for line in differences_of(there, here | dict.fromkeys(there.keys() - here)))
        elif here != there:
            here_shown, there_shown = (json.dumps(value, ensure_ascii=False) for value in (here, there))
            yield f"{key}: {here_shown} here, {there_shown} there"


def of_labels(found: dict[str, Any] | None) -> dict[str, Any] | None:
    """An object of JSON if it says what made labels, whatever the version of the format.

    Args:
        found: The object; None where there is none.

    Returns:
        The same, or None.
    """
    return found if found is not None and str(found.get("format")).startswith(_KIND) else None


def read_json(path: Path) -> dict[str, Any] | None:
    """The object of JSON in a file.

    Args:
        path: Any path.

    Returns:
        The object; None where there is none, or only half of it.
    """
    try:
        found = json.loads(path.read_text(encoding="utf-8"))
    except (OSError, ValueError):
        return None
    return found if isinstance(found, dict) else None


def as_json(value: Mapping[str, Any]) -> str:
    """An object as text, the same for the same object.

    Args:
        value: Fit for JSON.

    Returns:
        Lines of JSON.
    """
    return json.dumps(value, indent=1, ensure_ascii=False) + "\n"
