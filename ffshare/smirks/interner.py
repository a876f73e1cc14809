"""64-bit keys → small consecutive ids that last: the memory of an engine from batch to batch."""

import numpy as np
from numpy.typing import NDArray

from ffshare.molecules.ragged import IntArray

_SLOT_BITS = 18
_MULTIPLIER = np.uint64(0x9E3779B97F4A7C15)


class Interner:
    """Gives each distinct key an id: 0, 1, 2, … in the order of first sight.

    Sorting is the slow part of telling thousands of keys apart, and the same few thousand come in every batch. So keys
    are first looked up in a direct-mapped table, one multiplication and one read each; only keys that miss it are
    sorted.
    """

    def __init__(self) -> None:
        """An interner that knows no key."""
        self._ids: dict[int, int] = {}
        self._slot_keys = np.full(1 << _SLOT_BITS, -1, dtype=np.int64)
        self._slot_ids = np.zeros(1 << _SLOT_BITS, dtype=np.int64)

    def __len__(self) -> int:
        return len(self._ids)

    def keys(self, first: int = 0) -> IntArray:
        """Keys in the order of their ids.

        Args:
            first: Id to start at.

        Returns:
            Keys of the ids from `first` on.
        """
        return np.array(list(self._ids)[first:], dtype=np.int64)

    def ids(self, keys: IntArray) -> IntArray:
        """The ids of keys; new keys get new ids.

        Args:
            keys: Keys, none negative, shape=(n,).

        Returns:
            Ids, shape=(n,).

        Example:
            >>> Interner().ids(np.array([30, 10, 30]))
            array([0, 1, 0])
        """
        slots = ((keys.view(np.uint64) * _MULTIPLIER) >> np.uint64(64 - _SLOT_BITS)).view(np.int64)
        ids: NDArray[np.int64] = self._slot_ids[slots]
        missing = np.flatnonzero(self._slot_keys[slots] != keys)
        if len(missing):
            distinct, first_seen, inverse = np.unique(keys[missing], return_index=True, return_inverse=True)
            distinct_ids = np.empty(len(distinct), dtype=np.int64)
            known = self._ids
            for place in np.argsort(first_seen).tolist():
                distinct_ids[place] = known.setdefault(int(distinct[place]), len(known))
            ids[missing] = distinct_ids[inverse]
            chosen = slots[missing[first_seen]]
            self._slot_keys[chosen], self._slot_ids[chosen] = distinct, distinct_ids
        return ids
