"""Force fields, loaded once for all tests of `assign`, and batches cut out of batches."""

from functools import cache

import ffshare
from ffshare.molecules import GraphBatch


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
