"""Labelling of libraries: entries to tables, part by part, into a folder that survives what happens to a run."""

from ffshare.assign.library.cache import LabelCache
from ffshare.assign.library.folder import PARTITION_SIZE, LabelFolder
from ffshare.assign.library.labeller import FAILURE_SCHEMA, Labelled, Labeller
from ffshare.assign.library.manifest import missing_parts, read_manifest
from ffshare.assign.library.numbers import LabelNumbers

__all__ = [
    "FAILURE_SCHEMA",
    "PARTITION_SIZE",
    "LabelCache",
    "LabelFolder",
    "LabelNumbers",
    "Labelled",
    "Labeller",
    "missing_parts",
    "read_manifest",
]
