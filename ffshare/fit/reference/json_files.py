"""JSON files, plain or compressed: one document, or one object a line."""

import bz2
import gzip
import json
import lzma
from collections.abc import Callable, Iterator, Mapping
from pathlib import Path
from typing import IO, Any

from ffshare.errors import InputError
from ffshare.fit.reference.raw import DamagedFileError

# Suffix to the opener of text.
_OPENERS: Mapping[str, Callable[..., IO[str]]] = {".gz": gzip.open, ".bz2": bz2.open, ".xz": lzma.open}
COMPRESSIONS = tuple(_OPENERS)


def json_objects(path: Path) -> Iterator[tuple[int, Any]]:
    """The values of a file of JSON lines, or the one value of a JSON document, each with its 1-based line.

    Args:
        path: The file; .gz, .bz2 and .xz are decompressed.

    Yields:
        Line and value; the value is None for a later line that is no JSON.

    Raises:
        InputError: The file cannot be opened, or its beginning is no JSON.
        DamagedFileError: The compressed data end early or are damaged.
    """
    number = 0
    try:
        with _OPENERS.get(path.suffix.lower(), open)(path, mode="rt", encoding="utf-8") as stream:
            first = stream.readline()
            try:
                value = json.loads(first)
            except ValueError:  # a document of several lines
                yield 1, json.loads(first + stream.read())
                return
            yield 1, value
            for number, line in enumerate(stream, start=2):
                if line.strip():
                    yield number, _value(line)
    except (OSError, EOFError, lzma.LZMAError, ValueError) as error:
        if not number:
            raise InputError(f"{path}: cannot be read as JSON: {error}") from error
        raise DamagedFileError(
            f"the file ends early after line {number}: {error}", "get it again", number + 1
        ) from error


def _value(line: str) -> Any:
    try:
        return json.loads(line)
    except ValueError:
        return None
