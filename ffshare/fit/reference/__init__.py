"""Reference data: one record, one table on disk, and readers of the field's formats."""

from ffshare.fit.reference.arrow_table import REFERENCE_SCHEMA, reference_metadata, reference_table, write_reference
from ffshare.fit.reference.charges import reference_charges
from ffshare.fit.reference.check import Checked, check
from ffshare.fit.reference.checker import Checker, chunked_records
from ffshare.fit.reference.data import ReferenceData, ReferenceMolecule
from ffshare.fit.reference.identity import canonical_smiles
from ffshare.fit.reference.raw import RawRecord
from ffshare.fit.reference.read import (
    KINDS,
    READERS,
    all_have_charges,
    read_reference,
    stream_records,
    stream_reference,
)

__all__ = [
    "KINDS",
    "READERS",
    "REFERENCE_SCHEMA",
    "Checked",
    "Checker",
    "RawRecord",
    "ReferenceData",
    "ReferenceMolecule",
    "all_have_charges",
    "canonical_smiles",
    "check",
    "chunked_records",
    "read_reference",
    "reference_charges",
    "reference_metadata",
    "reference_table",
    "stream_records",
    "stream_reference",
    "write_reference",
]
