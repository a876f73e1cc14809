"""Fit valence parameters to reference data: the data, the solvers, and what the data can identify."""

from ffshare.fit.reference import ReferenceData, ReferenceMolecule, read_reference, stream_reference, write_reference

__all__ = [
    "ReferenceData",
    "ReferenceMolecule",
    "read_reference",
    "stream_reference",
    "write_reference",
]
