"""A molecule as it stands in its file, and a molecule that could not be used.

Reading has two stages, so that only text travels to worker processes. The first cuts files into entries and knows no
chemistry; the second makes a molecule of each entry. What either stage cannot use becomes a row of the failures table,
and the run goes on: molecules in = molecules labelled + failures.
"""

from typing import Any

from ffshare.errors import MoleculeError
from ffshare.records import doc, record

LONGEST_SHOWN = 200


def plain_text(text: str, longest: int | None = LONGEST_SHOWN) -> str:
    r"""A text made fit for a table: no control characters, no invisible ones, no more than some length.

    Characters that do not print (control characters, bidirectional overrides, lone surrogates) become escapes such as
    ``\n`` or ``\u202e``. A backslash stays one backslash, since SMILES use it.

    Args:
        text: Any text.
        longest: Characters of the result at most; the last is ``…`` where something was cut off. None: no limit.

    Returns:
        The text in printable characters.

    Example:
        >>> print(plain_text("C\\C=C\\C\tbutene\x00"))
        C\C=C\C\tbutene\x00
        >>> plain_text("C" * 300, longest=5)
        'CCCC…'
    """
    # An escape is never shorter than its character, so what lies beyond the first `longest` + 1 cannot matter.
    start = text if longest is None else text[: longest + 1]
    if not start.isprintable():
        start = "".join(char if char.isprintable() else ascii(char)[1:-1] for char in start)
    return start if longest is None or len(start) <= longest else start[: longest - 1] + "…"


@record
class Entry:
    """One molecule as it stands in its file, before any chemistry."""

    index: int = doc("position in the whole input, from 0; unreadable molecules count too")
    path: str = doc("file; '-' for standard input")
    line: int = doc("1-based line where it starts; 1-based row of a Parquet file")
    name: str = doc("name; '' where the file gives none")
    kind: str = doc("'smiles' or 'molblock'")
    text: str = doc("SMILES or CXSMILES; or the connection table of an SD record, from its name line to 'M  END'")

    def __reduce__(self) -> tuple[Any, ...]:
        # Entries travel to workers by the million: a plain tuple pickles several times as fast as a record does.
        return _entry, (self.index, self.path, self.line, self.name, self.kind, self.text)


def _entry(index: int, path: str, line: int, name: str, kind: str, text: str) -> Entry:
    return Entry(index=index, path=path, line=line, name=name, kind=kind, text=text)


@record
class Failure:
    """One molecule that could not be read or labelled: a row of the failures table.

    Name and text are made printable and short by `plain_text` when the record is made.
    """

    index: int = doc("position in the whole input, from 0")
    path: str = doc("file; '-' for standard input")
    line: int = doc("1-based line where it starts; 1-based row of a Parquet file")
    name: str = doc("name; '' where the file gives none or it could not be read")
    text: str = doc("the input, shortened, control characters made visible")
    reason: str = doc("what is wrong")
    advice: str = doc("what the user can do")

    def __post_init__(self) -> None:
        object.__setattr__(self, "name", plain_text(self.name))
        object.__setattr__(self, "text", plain_text(self.text))

    @property
    def place(self) -> str:
        """File, line, and name or input, for messages."""
        return f"{self.path}, line {self.line} ({self.name or self.text})"


def failure_from(entry: Entry, error: MoleculeError) -> Failure:
    """The row of the failures table for an entry that a later stage cannot use.

    Args:
        entry: The molecule.
        error: Why it cannot be used.

    Returns:
        The row.

    Example:
        >>> entry = Entry(index=6, path="a.smi", line=9, name="x", kind="smiles", text="C1CC")
        >>> failure_from(entry, MoleculeError("ring 1 is not closed", "correct the SMILES")).reason
        'ring 1 is not closed'
    """
    return Failure(
        index=entry.index,
        path=entry.path,
        line=entry.line,
        name=entry.name,
        text=entry.text,
        reason=error.reason,
        advice=error.advice,
    )
