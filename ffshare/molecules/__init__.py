"""Files → molecules → `GraphBatch`: the flat arrays on which everything else works."""

from ffshare.molecules.entries import Entry, Failure
from ffshare.molecules.files import STANDARD_INPUT, read_entries
from ffshare.molecules.graph import GraphBatch
from ffshare.molecules.mapped import MappedSmiles, mapped_smiles
from ffshare.molecules.prepare import molecule_from_molblock, molecule_from_smiles
from ffshare.molecules.rdkit_log import silenced
from ffshare.molecules.read import batch_of_entries, chunked, from_smiles, read, read_batches

__all__ = [
    "STANDARD_INPUT",
    "Entry",
    "Failure",
    "GraphBatch",
    "MappedSmiles",
    "batch_of_entries",
    "chunked",
    "from_smiles",
    "mapped_smiles",
    "molecule_from_molblock",
    "molecule_from_smiles",
    "read",
    "read_batches",
    "read_entries",
    "silenced",
]
