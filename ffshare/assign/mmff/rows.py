"""Rows of the MMFF94 files: integers that say what a row is for, and the numbers that it gives."""

import csv
from pathlib import Path

import numpy as np
from numpy.typing import NDArray

from ffshare.molecules.ragged import IntArray
from ffshare.records import doc, freeze_arrays, record

# In place of a class: the row is for rows of the periodic table, not for types; for any torsion about a linear atom.
BY_PERIOD = 15
LINEAR = 14

# The class of a stretch-bend, read from its other end: class 1 has its first bond of class 1, class 2 its second.
_FROM_THE_OTHER_END = np.arange(BY_PERIOD + 1)
_FROM_THE_OTHER_END[[1, 2, 6, 7, 9, 10]] = [2, 1, 7, 6, 10, 9]


@record
class Rows:
    """Rows of one or two files, in file order."""

    keys: IntArray = doc("class and types of each row, shape=(n_rows, width)")
    values: NDArray[np.float64] = doc("numbers of each row as published, shape=(n_rows, n_numbers)")
    words: tuple[dict[str, str], ...] = doc("the other columns of each row by name: symbol, source, …")
    lines: tuple[int, ...] = doc("line of each row in its file, from 1")
    sources: tuple[str, ...] = doc("file of each row")

    def __post_init__(self) -> None:
        freeze_arrays(self, keys=np.int64, values=np.float64)

    def __len__(self) -> int:
        return len(self.lines)


def read_rows(path: Path, width: int, n_numbers: int) -> Rows:
    """The rows of a file.

    Args:
        path: A CSV file; lines that begin with # are comments, the first other line names the columns.
        width: How many columns, from the left, make the key of a row.
        n_numbers: How many columns after them are numbers.

    Returns:
        Its rows.
    """
    with open(path, newline="", encoding="utf-8") as stream:
        numbered = [(number, line) for number, line in enumerate(stream, start=1) if not line.startswith("#")]
    names, *table = csv.reader(line for _, line in numbered)
    first_word = width + n_numbers
    return Rows(
        keys=np.array([row[:width] for row in table], dtype=np.int64).reshape(len(table), width),
        values=np.array([row[width:first_word] for row in table], dtype=np.float64).reshape(len(table), n_numbers),
        words=tuple(dict(zip(names[first_word:], row[first_word:], strict=True)) for row in table),
        lines=tuple(number for number, _ in numbered[1:]),
        sources=(str(path),) * len(table),
    )


def directed(rows: Rows) -> Rows:
    """Stretch-bend rows as one row for each of their two bonds.

    Args:
        rows: Rows with key class, i, j, k and two numbers: for bond i–j, and for bond k–j, with the angle i–j–k.

    Returns:
        Each row with its first number, and behind it, read from the other end, with its second. A row that reads the
        same from both ends stands once: its numbers are one.
    """
    reverse = np.column_stack([_FROM_THE_OTHER_END[rows.keys[:, 0]], rows.keys[:, :0:-1]])
    keys = np.stack([rows.keys, reverse], axis=1).reshape(-1, 4)
    kept = np.ones(len(keys), dtype=bool)
    kept[1::2] = np.any(rows.keys != reverse, axis=1)
    places = np.flatnonzero(kept)
    origins = (places // 2).tolist()
    return Rows(
        keys=keys[places],
        values=rows.values.reshape(-1, 1)[places],
        words=tuple(rows.words[origin] for origin in origins),
        lines=tuple(rows.lines[origin] for origin in origins),
        sources=tuple(rows.sources[origin] for origin in origins),
    )


def by_period(rows: Rows) -> Rows:
    """Rows for periods as rows with a class that says so, to stand beside rows for types."""
    return Rows(
        keys=np.column_stack([np.full(len(rows), BY_PERIOD), rows.keys]),
        values=rows.values,
        words=rows.words,
        lines=rows.lines,
        sources=rows.sources,
    )


def about_linear_atoms() -> Rows:
    """What MMFF94 says of torsions about linear atoms, in words and not in its files: they have no barrier."""
    return Rows(
        keys=np.array([[LINEAR, 0, 0, 0, 0]]),
        values=np.zeros((1, 3)),
        words=({"source": "rule (a)"},),
        lines=(0,),
        sources=("T. A. Halgren, J. Comput. Chem. 17, 616 (1996)",),
    )


def joined(first: Rows, second: Rows) -> Rows:
    """The rows of one file and then those of another."""
    return Rows(
        keys=np.concatenate([first.keys, second.keys]),
        values=np.concatenate([first.values, second.values]),
        words=first.words + second.words,
        lines=first.lines + second.lines,
        sources=first.sources + second.sources,
    )
