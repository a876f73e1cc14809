"""SMILES files: a molecule a line, its SMILES first, then its name.

Blank lines and lines that start with ``#`` (no SMILES does) are skipped, and so is a header: a first line whose first
word is ``smiles`` or another usual heading. The name is what follows the blanks or tabulators after the SMILES, up to
the next tabulator, since what comes after that is data. A CXSMILES extension ``|...|`` belongs to the SMILES and not to
the name.
"""

import re
from collections.abc import Iterator

from ffshare.errors import MoleculeError
from ffshare.molecules.columns import SMILES_COLUMNS, Columns
from ffshare.molecules.entries import Entry, Failure
from ffshare.molecules.sources import LONGEST_LINE, Source, numbered_lines, shown_text, text_of

_LINE = re.compile(r" *(?P<smiles>[^ \t]+(?:[ \t]+\|[^|]*\|(?![^ \t]))?)[ \t]*(?P<name>[^\t]*)")


def read_smiles(source: Source, indices: Iterator[int], columns: Columns) -> Iterator[Entry | Failure]:
    """The molecules of a SMILES file.

    Args:
        source: The file.
        indices: Gives the next molecule its index.
        columns: Not used: a SMILES file has no named columns.

    Yields:
        An entry or a failure for every line that is neither blank, comment nor header.

    Raises:
        InputError: The file is empty or not text.
        DamageError: The compressed data end early or are damaged.
    """
    return smiles_entries(source.blocks(), source.shown, indices)


def smiles_entries(blocks: Iterator[bytes], shown: str, indices: Iterator[int]) -> Iterator[Entry | Failure]:
    r"""The molecules of a stream of SMILES lines.

    Args:
        blocks: The content, cut anywhere.
        shown: Path as the entries give it.
        indices: Gives the next molecule its index.

    Yields:
        An entry or a failure for every line that is neither blank, comment nor header.

    Example:
        >>> from itertools import count
        >>> content = b"# two\nC methane\n\nCCO\tethyl alcohol\t7\n"
        >>> [entry.name for entry in smiles_entries(iter([content]), "-", count())]
        ['methane', 'ethyl alcohol']
    """
    is_first = True
    for number, line in numbered_lines(blocks):
        # Blank as far as it is kept is not blank when it was cut.
        if line.lstrip().startswith(b"#") or (not line.strip() and len(line) <= LONGEST_LINE):
            continue
        may_be_header, is_first = is_first, False
        try:
            smiles, name = _smiles_and_name(text_of(line))
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
        if may_be_header and smiles.lower() in SMILES_COLUMNS:
            continue
        yield Entry(index=next(indices), path=shown, line=number, name=name, kind="smiles", text=smiles)


def _smiles_and_name(text: str) -> tuple[str, str]:
    parts = _LINE.match(text)
    if parts is None:
        raise MoleculeError("no SMILES at the start of the line", "write the SMILES first, then its name")
    smiles, name = parts.groups()
    return smiles, name.rstrip(" ")
