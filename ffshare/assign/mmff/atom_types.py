"""The atom types of MMFF94: their symbols, their properties, and what stands for them when a look-up steps down."""

from collections.abc import Mapping
from pathlib import Path

import numpy as np
from numpy.typing import NDArray

from ffshare.assign.mmff.rows import read_rows
from ffshare.molecules.ragged import IntArray
from ffshare.records import doc, freeze_arrays, record

# Types are numbered 1 to 99, with gaps.
_SIZE = 100
_LEVELS = ("level2", "level3", "level4", "level5")


@record
class AtomTypes:
    """What look-ups ask of a type. Arrays are indexed by its number; 0 is no type."""

    symbols: Mapping[int, str] = doc("symbol by number: 37 is CB")
    levels: IntArray = doc("what stands for a type at levels 2 to 5 of a look-up; 0: any, shape=(100, 4)")
    periods: IntArray = doc("row of the periodic table, 0 for hydrogen, shape=(100,)")
    aromatic: NDArray[np.bool_] = doc("types of aromatic atoms, shape=(100,)")
    linear: NDArray[np.bool_] = doc("types whose two neighbours stand in a line with them, shape=(100,)")
    sbmb: NDArray[np.bool_] = doc("sp² types that make single bonds to each other as well as double, shape=(100,)")

    def __post_init__(self) -> None:
        freeze_arrays(self, levels=np.int64, periods=np.int64, aromatic=np.bool_, linear=np.bool_, sbmb=np.bool_)

    def __len__(self) -> int:
        return len(self.symbols)


def read_atom_types(path: Path) -> AtomTypes:
    """The types of a file.

    Args:
        path: ``types.csv``.

    Returns:
        Its types.
    """
    rows = read_rows(path, width=1, n_numbers=0)
    numbers = rows.keys[:, 0]

    def column(name: str) -> IntArray:
        filled = np.zeros(_SIZE, dtype=np.int64)
        filled[numbers] = [int(words[name]) for words in rows.words]
        return filled

    return AtomTypes(
        symbols={number: words["symbol"] for number, words in zip(numbers.tolist(), rows.words, strict=True)},
        levels=np.stack([column(name) for name in _LEVELS], axis=1),
        # The last element before each new row: hydrogen and helium, neon, argon, krypton, xenon.
        periods=np.searchsorted([2, 10, 18, 36, 54], column("element")),
        aromatic=column("aromatic") > 0,
        linear=column("linear") > 0,
        sbmb=column("sbmb") > 0,
    )
