"""Arms: edges told apart by the classes of their source, their bond and their target.

Drug-like molecules show some thousand arms. What a pattern asks of two neighbouring atoms and the bond between them is
answered once an arm, and a bonded tuple is, as far as its atoms and bonds go, a combination of arms.
"""

import numpy as np

from ffshare.molecules import GraphBatch
from ffshare.molecules.ragged import IntArray
from ffshare.records import doc, record
from ffshare.smirks.interner import Interner

# Bits of an arm or of an atom class, and of a bond class, in a key.
ARM_BITS = 21
BOND_BITS = 8


@record
class ArmTable:
    """The arms known so far. An arm is an index into these arrays."""

    sources: IntArray = doc("class of the source, shape=(n_arms,)")
    bonds: IntArray = doc("class of the bond, shape=(n_arms,)")
    targets: IntArray = doc("class of the target, shape=(n_arms,)")


class Arms:
    """Numbers for the arms of batches, kept from batch to batch."""

    def __init__(self) -> None:
        """Knows no arm yet."""
        self._interner = Interner()
        self._table = _table(np.zeros(0, dtype=np.int64))

    def __len__(self) -> int:
        return len(self._interner)

    def of(self, batch: GraphBatch, atoms: IntArray, edges: IntArray) -> tuple[IntArray, ArmTable]:
        """The arm of each edge of a batch.

        Args:
            batch: The molecules.
            atoms: Class of each atom, shape=(n_atoms,).
            edges: Class of each edge, shape=(n_edges,).

        Returns:
            Arms, shape=(n_edges,), and the table of all arms known.
        """
        keys = (((atoms[batch.sources] << BOND_BITS) | edges) << ARM_BITS) | atoms[batch.targets]
        ids = self._interner.ids(keys)
        if len(self._table.sources) < len(self._interner):
            self._table = _table(self._interner.keys())
        return ids, self._table


def _table(keys: IntArray) -> ArmTable:
    return ArmTable(
        sources=keys >> (ARM_BITS + BOND_BITS),
        bonds=(keys >> ARM_BITS) & ((1 << BOND_BITS) - 1),
        targets=keys & ((1 << ARM_BITS) - 1),
    )
