"""Which row a term takes: keys of rows in the order in which MMFF94 tries them.

A look-up begins with the types themselves and steps down: each outer type is replaced by what stands for it at levels 3
and 4 of the table of types, last by 0, any type. Inner types are never replaced.

* Bonds: the types.
* Angles i–j–k: levels 2-2-2, 3-2-3, 4-2-4, 5-2-5 (level 1 is level 2).
* ProperTorsions i–j–k–l: levels 2-2-2-2, 3-2-2-5, 5-2-2-3, 5-2-2-5; then the same with the second class. A torsion of
  class 5 that has a second class tries that before it is content with 5-2-2-5.
* ImproperTorsions: levels 2, 3, 4, 5 of the three outer types, sorted.
* StretchBends: the types, then the rows of the periodic table.

The first key that the table holds wins. Where none is held, or the row lacks a number, an empirical rule follows.

Reference: T. A. Halgren, J. Comput. Chem. 17, 490 (1996), note 68; 17, 553 (1996). The order for second classes is
RDKit's.
"""

from collections.abc import Callable, Mapping

import numpy as np

from ffshare.assign.mmff.atom_types import AtomTypes
from ffshare.assign.mmff.keys import packed
from ffshare.assign.mmff.rows import BY_PERIOD
from ffshare.molecules.ragged import IntArray

# In place of a class: this step is not taken.
NO_STEP = 127
_RING_OF_FIVE = 5
# Class of a stretch-bend by class of the angle, where the first bond is of class 1, and where it is not.
_STRETCH_BEND_CLASSES = np.array([[0, 1, 3, 5, 4, 6, 8, 9, 11], [0, 2, 3, 5, 4, 7, 8, 10, 11]])


class Ladder:
    """The rows of a section, found by stepping down."""

    def __init__(self, section: str, keys: IntArray, types: AtomTypes) -> None:
        """The ladder of a section.

        Args:
            section: Its name.
            keys: Key of each row, shape=(n_rows, width).
            types: The atom types.
        """
        self._steps, self._types = _STEPS[section], types
        integers = packed(keys)
        self._order = np.argsort(integers)
        self._sorted = integers[self._order]

    def steps(self, fields: IntArray) -> IntArray:
        """The keys to try for each term, in order.

        Args:
            fields: Fields of the terms, as `ffshare.assign.mmff.keys` has them, shape=(n, n_fields).

        Returns:
            Keys of rows, shape=(n_steps, n, width). Those that begin with 127 are not tried.
        """
        return np.stack(self._steps(fields, self._types))

    def rows(self, keys: IntArray) -> IntArray:
        """The rows that have some keys.

        Args:
            keys: Keys, shape=(…, width).

        Returns:
            Index of each row, −1 where there is none, shape=(…).
        """
        integers = packed(keys.reshape(-1, keys.shape[-1]))
        places = np.minimum(np.searchsorted(self._sorted, integers), len(self._sorted) - 1)
        rows: IntArray = np.where(self._sorted[places] == integers, self._order[places], -1)
        return rows.reshape(keys.shape[:-1])

    def first_rows(self, fields: IntArray) -> IntArray:
        """The row that each term takes.

        Args:
            fields: Fields of the terms, shape=(n, n_fields).

        Returns:
            Index of the first row that is there, −1 where none is, shape=(n,).
        """
        rows = self.rows(self.steps(fields))
        first: IntArray = np.take_along_axis(rows, np.argmax(rows >= 0, axis=0)[None], axis=0)[0]
        return first


def _bonds(fields: IntArray, types: AtomTypes) -> list[IntArray]:
    return [fields]


def _angles(fields: IntArray, types: AtomTypes) -> list[IntArray]:
    classes, (i, j, k) = fields[:, 0], fields[:, 3:].T
    outer = [np.sort(types.levels[np.stack([i, k], axis=1), level], axis=1) for level in range(4)]
    return [np.column_stack([classes, first, j, last]) for first, last in (pair.T for pair in outer)]


def _stretch_bends(fields: IntArray, types: AtomTypes) -> list[IntArray]:
    classes, of_first_bond, of_types = fields[:, 0], fields[:, 1], fields[:, 3:]
    own = np.where(of_first_bond == 1, *_STRETCH_BEND_CLASSES[:, classes])
    return [
        np.column_stack([own, of_types]),
        np.column_stack([np.full(len(fields), BY_PERIOD), types.periods[of_types]]),
    ]


def _propers(fields: IntArray, types: AtomTypes) -> list[IntArray]:
    classes, second, (i, j, k, l) = fields[:, 0], fields[:, 1], fields[:, 3:].T

    def step(tried: IntArray, of_i: int, of_l: int) -> IntArray:
        first, last = types.levels[i, of_i], types.levels[l, of_l]
        is_turned = (j == k) & (first > last)
        ends = np.where(is_turned, last, first), np.where(is_turned, first, last)
        return np.column_stack([tried, ends[0], j, k, ends[1]])

    levels = ((0, 0), (1, 3), (3, 1), (3, 3))
    at_last = (classes == _RING_OF_FIVE) & (second > 0)
    return [
        *(step(classes, *pair) for pair in levels[:3]),
        step(np.where(at_last, NO_STEP, classes), *levels[3]),
        *(step(second, *pair) for pair in levels),
        step(np.where(at_last, classes, NO_STEP), *levels[3]),
    ]


def _impropers(fields: IntArray, types: AtomTypes) -> list[IntArray]:
    outer = [np.sort(types.levels[fields[:, [0, 2, 3]], level], axis=1) for level in range(4)]
    return [np.column_stack([three[:, 0], fields[:, 1], three[:, 1:]]) for three in outer]


_STEPS: Mapping[str, Callable[[IntArray, AtomTypes], list[IntArray]]] = {
    "Bonds": _bonds,
    "Angles": _angles,
    "StretchBends": _stretch_bends,
    "ProperTorsions": _propers,
    "ImproperTorsions": _impropers,
    "vdW": _bonds,
}
