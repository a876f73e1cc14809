"""Entries → batches: the second stage of reading, text becomes molecules and what cannot be used a failure."""

from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from itertools import islice
from pathlib import Path
from typing import BinaryIO, TypeVar

from rdkit import Chem

from ffshare.errors import MoleculeError
from ffshare.molecules.entries import Entry, Failure, failure_from
from ffshare.molecules.files import read_entries
from ffshare.molecules.graph import GraphBatch
from ffshare.molecules.prepare import mend, molecule_from_molblock, molecule_from_smiles
from ffshare.molecules.rdkit_log import silenced

# Molecules of a batch: enough that array work outweighs its overhead, few enough to stay in the cache of a core.
BATCH_SIZE = 1000

Item = TypeVar("Item", bound=Entry | Failure)

_PARSERS: Mapping[str, Callable[[str], Chem.Mol]] = {"smiles": molecule_from_smiles, "molblock": molecule_from_molblock}


def batch_of_entries(entries: Iterable[Entry | Failure]) -> GraphBatch:
    r"""The molecules of some entries; what cannot be used is in its `failures`.

    Args:
        entries: Entries, and failures of the first stage, which are passed on.

    Returns:
        The batch. Molecules and failures together are as many as the entries.

    Example:
        >>> batch = batch_of_entries(read_entries(["-"], stdin=__import__("io").BytesIO(b"CCO\nC1CC\n")))
        >>> batch.n_molecules, batch.failures[0].reason
        (1, "SMILES does not parse: unclosed ring for input: 'C1CC'")
    """
    read: list[tuple[Entry, Chem.Mol]] = []
    failures: list[Failure] = []
    with silenced():
        for entry in entries:
            if isinstance(entry, Failure):
                failures.append(entry)
                continue
            try:
                read.append((entry, _PARSERS[entry.kind](entry.text)))
            except MoleculeError as error:
                failures.append(failure_from(entry, error))
        try:
            return _batch(read, failures)
        except MoleculeError:  # some molecule cannot be labelled: find it among the rest
            usable = []
            for entry, molecule in read:
                try:
                    usable.append((entry, mend(molecule)))
                except MoleculeError as error:
                    failures.append(failure_from(entry, error))
            return _batch(usable, sorted(failures, key=lambda failure: failure.index))


def _batch(read: Sequence[tuple[Entry, Chem.Mol]], failures: Sequence[Failure]) -> GraphBatch:
    return GraphBatch.from_molecules(
        [molecule for _, molecule in read],
        names=[entry.name for entry, _ in read],
        input_idxs=[entry.index for entry, _ in read],
        failures=failures,
    )


def chunked(entries: Iterable[Item], size: int = BATCH_SIZE) -> Iterator[list[Item]]:
    """Entries in lists of a size.

    Args:
        entries: Entries and failures.
        size: Length of the lists; the last may be shorter.

    Returns:
        An iterator over the lists.
    """
    stream = iter(entries)
    return iter(lambda: list(islice(stream, size)), [])


def read_batches(
    *inputs: str | Path,
    batch_size: int = BATCH_SIZE,
    smiles_column: str | None = None,
    name_column: str | None = None,
    stdin: BinaryIO | None = None,
) -> Iterator[GraphBatch]:
    """The molecules of files as a stream of batches; memory does not grow with the input.

    Args:
        *inputs: Paths, or '-' for standard input.
        batch_size: Molecules of a batch.
        smiles_column: Heading of the SMILES column of tables.
        name_column: Heading of the name column of tables.
        stdin: What '-' reads; standard input by default.

    Returns:
        An iterator over batches.

    Raises:
        InputError: An input as a whole cannot be used.
    """
    entries = read_entries(inputs, smiles_column=smiles_column, name_column=name_column, stdin=stdin)
    return map(batch_of_entries, chunked(entries, batch_size))


def read(
    *inputs: str | Path,
    smiles_column: str | None = None,
    name_column: str | None = None,
    stdin: BinaryIO | None = None,
) -> GraphBatch:
    """All molecules of some files as one batch. For large files see `read_batches`.

    Args:
        *inputs: Paths, or '-' for standard input.
        smiles_column: Heading of the SMILES column of tables.
        name_column: Heading of the name column of tables.
        stdin: What '-' reads; standard input by default.

    Returns:
        The batch; inputs that gave no molecule are in its `failures`.

    Raises:
        InputError: An input as a whole cannot be used.
    """
    return batch_of_entries(read_entries(inputs, smiles_column=smiles_column, name_column=name_column, stdin=stdin))


def from_smiles(*smiles: str) -> GraphBatch:
    """The batch of some SMILES.

    Args:
        *smiles: SMILES or CXSMILES.

    Returns:
        The batch.

    Raises:
        MoleculeError: One of them cannot be used; the message says which.

    Example:
        >>> from_smiles("CCO", "c1ccccc1").n_molecules
        2
    """
    with silenced():
        try:
            return GraphBatch.from_molecules([molecule_from_smiles(text) for text in smiles])
        except MoleculeError:
            entries = (
                Entry(index=index, path="", line=index + 1, name="", kind="smiles", text=text)
                for index, text in enumerate(smiles)
            )
            first = batch_of_entries(entries).failures[0]
            raise MoleculeError(f"{first.text!r}: {first.reason}", first.advice) from None
