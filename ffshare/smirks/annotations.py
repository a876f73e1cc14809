"""What a scheme knows of atoms and bonds beyond SMARTS: counts and flags with names."""

from collections.abc import Mapping

import numpy as np

from ffshare.molecules.ragged import IntArray
from ffshare.records import doc, frozen_array, record


@record
class Annotations:
    """Named counts of the atoms and named flags of the edges of one batch.

    Law: the flag of an edge is that of its reverse.
    """

    atoms: Mapping[str, IntArray] = doc("counts ≥ 0 by name, each of shape=(n_atoms,)")
    edges: Mapping[str, IntArray] = doc("0 or 1 by name, each of shape=(n_edges,)")

    def __post_init__(self) -> None:
        for name in ("atoms", "edges"):
            arrays = {key: frozen_array(values, np.int64) for key, values in getattr(self, name).items()}
            if len({array.shape for array in arrays.values()}) > 1:
                shapes = ", ".join(f"{key} {array.shape}" for key, array in arrays.items())
                raise ValueError(f"annotations: arrays of {name} differ in shape: {shapes}")
            object.__setattr__(self, name, arrays)
