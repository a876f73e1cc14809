"""TOML files as text: their content, and the lines of their headers, which tomllib does not keep."""

import re
import tomllib
from collections.abc import Mapping
from pathlib import Path
from typing import Any

from ffshare.errors import Fault, RuleFileError
from ffshare.records import doc, record
from ffshare.rules.nesting import nests_deeper

# tomllib says where a fault is only in the text of its message.
_POSITION = re.compile(r" \(at (?:line (\d+), column \d+|end of document)\)$")
# Without blanks round the name, which are stripped: a pattern that allows them takes time as the cube of their number.
_HEADER = re.compile(r"\[\[?([^\[\]#]+)\]\]?[ \t]*(?:#.*)?")
# Tables in tables; rule files have two levels.
DEEPEST = 32


@record
class TomlText:
    """A TOML file, read."""

    content: Mapping[str, Any] = doc("what tomllib makes of it")
    headers: Mapping[str, tuple[int, ...]] = doc("lines of the headers of tables, by name: ``Bonds``, ``Bonds.Bond``")

    def lines_of(self, name: str, n_tables: int) -> tuple[int | None, ...]:
        """Line of each table of an array; None for all where some are written in line and have no headers.

        Args:
            name: Name of the array.
            n_tables: How many tables it holds.

        Returns:
            A 1-based line for each table.
        """
        lines = self.headers.get(name, ())
        return lines if len(lines) == n_tables else (None,) * n_tables


def read_toml_text(data: bytes, path: str | Path) -> TomlText:
    r"""The content of a TOML file and where its tables begin.

    Args:
        data: The file.
        path: Its path, for messages.

    Returns:
        Content and header lines.

    Raises:
        RuleFileError: The file is no UTF-8 text or no TOML.

    Example:
        >>> text = read_toml_text(b'name = "a"\n[[rule]]\nid = 1\n[[rule]]\nid = 2\n', "a.toml")
        >>> text.lines_of("rule", 2)
        (2, 4)
    """
    try:
        text = data.decode("utf-8-sig")
    except UnicodeDecodeError as error:
        line = data.count(b"\n", 0, error.start) + 1
        message = f"the file is not UTF-8 text: byte 0x{data[error.start]:02x}; save it as UTF-8"
        raise RuleFileError(str(path), [Fault(message, line)]) from None
    try:
        content = tomllib.loads(text)
    except (ValueError, RecursionError) as error:
        message = f"not TOML: {_POSITION.sub('', str(error))}"
        position = _POSITION.search(str(error))
        last_line = len(text.splitlines())
        fault = Fault(message, int(position[1] or last_line) if position else None)
        raise RuleFileError(str(path), [fault]) from None
    if nests_deeper(content, DEEPEST):
        raise RuleFileError(str(path), [Fault(f"tables and lists nest deeper than {DEEPEST}; is it a rule file?")])
    headers: dict[str, list[int]] = {}
    for line, row in enumerate(text.split("\n"), start=1):
        match = _HEADER.fullmatch(row.strip(" \t\r"))
        if match:
            name = ".".join(part.strip().strip("\"'") for part in match[1].split("."))
            headers.setdefault(name, []).append(line)
    return TomlText(content=content, headers={name: tuple(lines) for name, lines in headers.items()})
