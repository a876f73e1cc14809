"""Force fields, loaded once for all tests of `assign`, and batches cut out of batches."""

from functools import cache

import ffshare
from ffshare.molecules import GraphBatch

# Schemes of every kind: all of them pass the same tests.
SMIRNOFF = ("openff-2.3.0", "openff-1.0.0", "openff_no_water-3.0.0-alpha0", "smirnoff99Frosst_experimental")
ATOM_TYPED = ("gaff", "gaff2", "alkethoh-types")
MMFF = ("mmff94", "mmff94s")
CONTROLS = ("untied", "untied:gaff2", "hashed:openff-2.3.0", "hashed:gaff?seed=1", "hashed-element:openff-2.2.1")
EVERY_KIND = (*SMIRNOFF, *ATOM_TYPED, *MMFF, *CONTROLS)


@cache
def scheme_of(*names, mode="compat"):
    """A scheme, compiled once for all tests."""
    return ffshare.load_scheme(*names, mode=mode)


def part(batch, molecules):
    """Some molecules of a batch as a batch, with their names and places in the input."""
    return GraphBatch.from_molecules(
        [batch.molecules[idx] for idx in molecules],
        names=[batch.names[idx] for idx in molecules],
        input_idxs=[int(batch.input_idxs[idx]) for idx in molecules],
    )
