"""Tables of molecules as text: CSV and TSV with a heading line.

Each row is parsed on its own by the `csv` module. A row may go on over several lines inside quotation marks. A
quotation mark that never closes must not swallow the molecules after it: when a row that spans lines comes to nothing
(it is not closed within some lines, has another number of cells than the heading, or has a line end in its SMILES), its
first line alone is a failure and reading resumes at the second.
"""

import csv
from collections import deque
from collections.abc import Callable, Iterator, Sequence

from ffshare.errors import InputError, MoleculeError
from ffshare.molecules.columns import Columns
from ffshare.molecules.entries import Entry, Failure
from ffshare.molecules.sources import LONGEST_LINE, DamageError, Source, numbered_lines, shown_text, text_of

LONGEST_ROW = 100


class _Lines:
    """Numbered lines of which some can be given back. Where they end for damage, it waits in `damage`."""

    def __init__(self, lines: Iterator[tuple[int, bytes]]) -> None:
        self.damage: DamageError | None = None
        self._lines = lines
        self._returned: deque[tuple[int, bytes]] = deque()

    def __iter__(self) -> Iterator[tuple[int, bytes]]:
        return self

    def __next__(self) -> tuple[int, bytes]:
        try:
            return self._returned.popleft() if self._returned else next(self._lines)
        except DamageError as damage:
            self.damage = damage
            raise StopIteration from damage

    def give_back(self, lines: Sequence[tuple[int, bytes]]) -> None:
        self._returned.extendleft(reversed(lines))


def read_csv(source: Source, indices: Iterator[int], columns: Columns) -> Iterator[Entry | Failure]:
    """The molecules of a CSV file; where its heading has semicolons and no comma, they separate the cells.

    Args:
        source: The file.
        indices: Gives the next molecule its index.
        columns: Columns that the user asked for.

    Yields:
        An entry or a failure for every row that is not blank.

    Raises:
        InputError: The file is empty or not text, or lacks a column.
        DamageError: The compressed data end early or are damaged.
    """
    return table_entries(
        source.blocks(),
        source.shown,
        indices,
        columns,
        lambda heading: ";" if ";" in heading and "," not in heading else ",",
    )


def read_tsv(source: Source, indices: Iterator[int], columns: Columns) -> Iterator[Entry | Failure]:
    """The molecules of a table whose cells are separated by tabulators; otherwise as `read_csv`."""
    return table_entries(source.blocks(), source.shown, indices, columns, lambda heading: "\t")


def table_entries(
    blocks: Iterator[bytes], shown: str, indices: Iterator[int], columns: Columns, delimiter_of: Callable[[str], str]
) -> Iterator[Entry | Failure]:
    r"""The molecules of a table.

    Args:
        blocks: The content, cut anywhere.
        shown: Path as the entries give it.
        indices: Gives the next molecule its index.
        columns: Columns that the user asked for.
        delimiter_of: Heading line to the character between cells.

    Yields:
        An entry or a failure for every row that is not blank.

    Raises:
        InputError: The table lacks a column.

    Example:
        >>> from itertools import count
        >>> content = b'id,smiles\n"water, heavy",[2H]O[2H]\n'
        >>> [entry.name for entry in table_entries(iter([content]), "-", count(), Columns(), lambda heading: ",")]
        ['water, heavy']
    """
    lines = _Lines(
        (number, line) for number, line in numbered_lines(blocks) if line.strip() or len(line) > LONGEST_LINE
    )
    number, heading = next(lines, (0, b""))
    if number == 0:
        raise lines.damage or InputError(f"{shown}: has no heading line; expected one that names the columns")
    delimiter = delimiter_of(shown_text(heading))
    try:
        headings = _row(heading, lines, delimiter, lambda cells: None)
    except MoleculeError as error:
        raise InputError(f"{shown}: its heading line cannot be read: {error}") from error
    smiles_at, name_at = columns.find(headings, shown)

    def check(cells: list[str]) -> None:
        if len(cells) != len(headings):
            raise MoleculeError(
                f"the row has {len(cells)} cells and the heading {len(headings)}",
                "put cells that hold the separator in quotation marks",
            )
        if "\n" in cells[smiles_at]:
            raise MoleculeError("a line end within the SMILES", "look for a quotation mark that is not closed")
        if not cells[smiles_at].strip():
            raise MoleculeError(f"no SMILES in column {headings[smiles_at]!r}", "fill the cell or remove the row")

    for number, line in lines:
        try:
            cells = _row(line, lines, delimiter, check)
        except MoleculeError as error:
            yield Failure(
                index=next(indices),
                path=shown,
                line=number,
                name="",
                text=shown_text(line),
                reason=error.reason,
                advice=error.advice,
            )
            continue
        name = "" if name_at is None else cells[name_at].strip()
        smiles = cells[smiles_at].strip()
        yield Entry(index=next(indices), path=shown, line=number, name=name, kind="smiles", text=smiles)
    if lines.damage is not None:
        raise lines.damage


def _row(line: bytes, lines: _Lines, delimiter: str, check: Callable[[list[str]], None]) -> list[str]:
    """The cells of the row that starts with a line, taking further lines while a quotation mark is open."""
    text = text_of(line)
    cells = _cells(text, delimiter)
    ahead: list[tuple[int, bytes]] = []
    try:
        while cells is None:
            following = next(lines, None)
            if following is not None:
                ahead.append(following)
            if following is None or len(ahead) == LONGEST_ROW or len(text) + len(following[1]) > LONGEST_LINE:
                raise MoleculeError(
                    f"a quotation mark is not closed within {LONGEST_ROW} lines or {LONGEST_LINE:,} bytes",
                    "close it, or double it if it belongs to the text",
                )
            text += "\n" + text_of(following[1])
            cells = _cells(text, delimiter) if b'"' in following[1] else None
        check(cells)
    except MoleculeError:
        lines.give_back(ahead)
        raise
    return cells


def _cells(text: str, delimiter: str) -> list[str] | None:
    """The cells of a row; None while a quotation mark is open."""
    try:
        return next(csv.reader((text,), delimiter=delimiter, strict=True))
    except csv.Error as error:
        if text.count('"') % 2:
            return None
        raise MoleculeError(
            f"not a row of a table: {error}", "double quotation marks that belong to the text"
        ) from error
