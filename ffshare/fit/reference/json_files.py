"""JSON files, plain or compressed: one document, or one object a line.

A few kilobytes of compressed data may stand for gigabytes, so text comes in pieces of bounded length; and values that
nest without end are refused before anything walks through them.
"""

import bz2
import gzip
import json
import lzma
from collections.abc import Callable, Iterator, Mapping
from pathlib import Path
from typing import IO, Any

from ffshare.errors import InputError
from ffshare.fit.reference.raw import DamagedFileError
from ffshare.rules.nesting import nests_deeper

# Suffix to the opener of text.
_OPENERS: Mapping[str, Callable[..., IO[str]]] = {".gz": gzip.open, ".bz2": bz2.open, ".xz": lzma.open}
COMPRESSIONS = tuple(_OPENERS)

LONGEST_TEXT = 1 << 28
"""Characters that a document, or a line of JSON lines, may have."""

DEEPEST = 64
"""Lists and objects that may stand one in the other; results of QCSchema have ten."""


def json_objects(path: Path) -> Iterator[tuple[int, Any]]:
    """The values of a file of JSON lines, or the one value of a JSON document, each with its 1-based line.

    Args:
        path: The file; .gz, .bz2 and .xz are decompressed.

    Yields:
        Line and value; the value is None for a later line that is no JSON.

    Raises:
        InputError: The file cannot be opened, or its beginning is no JSON or too large.
        DamagedFileError: The compressed data end early or are damaged, or a later line is too large.
    """
    number = 0
    try:
        with _OPENERS.get(path.suffix.lower(), open)(path, mode="rt", encoding="utf-8") as stream:
            first = _bounded(stream.readline(LONGEST_TEXT + 1))
            try:
                value = _parsed(first)
            except json.JSONDecodeError:  # a document of several lines
                yield 1, _parsed(_bounded(first + stream.read(LONGEST_TEXT + 1 - len(first))))
                return
            yield 1, value
            while line := _bounded(stream.readline(LONGEST_TEXT + 1)):
                number = max(2, number + 1)
                if line.strip():
                    yield number, _value(line)
    except (OSError, EOFError, lzma.LZMAError, ValueError) as error:
        if not number:
            raise InputError(f"{path}: cannot be read as JSON: {error}") from error
        raise DamagedFileError(
            f"the file ends early after line {number}: {error}", "get it again", number + 1
        ) from error


def _bounded(text: str) -> str:
    if len(text) > LONGEST_TEXT:
        raise ValueError(f"more than {LONGEST_TEXT:,} characters in one piece; write one object a line")
    return text


def _parsed(text: str) -> Any:
    try:
        value = json.loads(text)
    except RecursionError:
        value = None
        is_deep = True
    else:
        is_deep = nests_deeper(value, DEEPEST)
    if is_deep:
        raise ValueError(f"lists and objects nest deeper than {DEEPEST}")
    return value


def _value(line: str) -> Any:
    try:
        return _parsed(line)
    except ValueError:
        return None
