"""Entries one chunk at a time: the work on molecules that commands hand to an engine, and how they wait for it."""

import os
import signal
from collections.abc import Callable, Generator, Iterable, Iterator, Sequence
from contextlib import closing
from typing import Annotated, TypeVar

from cyclopts import Parameter
from cyclopts.validators import Number

from ffshare.assign import Scheme, SmirnoffScheme, Tally, load_scheme, observe, tally
from ffshare.assign.growth import Growth, growth
from ffshare.assign.library import Labelled
from ffshare.cli.console import note, progress_bar
from ffshare.errors import MoleculeError, SchemeError
from ffshare.molecules import STANDARD_INPUT, Entry, Failure, batch_of_entries, chunked, read_entries
from ffshare.parallel import HERE, Engine
from ffshare.records import doc, record
from ffshare.rules import Mode, Observations


def _refuse_options(kind: type[str], given: str) -> None:
    if given.startswith("-") and given != STANDARD_INPUT:
        raise ValueError(f"No option {given}. A file whose name starts with a hyphen is given as ./{given}.")


Input = Annotated[str, Parameter(allow_leading_hyphen=True, validator=_refuse_options)]
"""Type of an argument that names an input: '-' alone is standard input and no option."""

positive = Number(gte=1)
"""Validator of numbers of things."""

Workers = Annotated[int, Parameter(validator=positive)]
"""Type of the option for processes: a call with none is refused."""

Scheduler = Annotated[str | None, Parameter(allow_leading_hyphen=False)]
"""Type of the option for the address of a scheduler of dask.distributed."""


@record
class TalliedChunk:
    """How often the rules of several schemes are used in one chunk."""

    tallies: tuple[Tally, ...] = doc("a tally for each scheme")
    growths: tuple[Growth, ...] = doc("how the use of each scheme grows, where that was asked for")
    failures: tuple[Failure, ...] = doc("entries that gave no molecule")

    @property
    def n_read(self) -> int:
        """Entries of the chunk."""
        return self.tallies[0].n_molecules + len(self.failures)


@record
class Tallier:
    """Counts the use of rules by several schemes in a chunk of entries. Picklable."""

    schemes: tuple[Scheme, ...] = doc("the schemes")
    with_growth: bool = doc("whether to watch how their use grows", default=False)

    def __call__(self, entries: Sequence[Entry | Failure]) -> TalliedChunk:
        """The tallies of some entries."""
        batch = batch_of_entries(entries)
        assignments = [scheme.assign(batch) for scheme in self.schemes]
        return TalliedChunk(
            tallies=tuple(tally(batch.n_molecules, one.sites, one.tables) for one in assignments),
            growths=tuple(map(growth, assignments)) if self.with_growth else (),
            failures=batch.failures,
        )


@record
class ObservedChunk:
    """What the rules of a scheme do in one chunk."""

    observations: Observations = doc("which rules matched, which won")
    failures: tuple[Failure, ...] = doc("entries that gave no molecule")

    @property
    def n_read(self) -> int:
        """Entries of the chunk."""
        return self.observations.n_molecules + len(self.failures)


@record
class Observer:
    """Watches the rules of a scheme on a chunk of entries. Picklable."""

    scheme: SmirnoffScheme = doc("the scheme")
    molecules: str = doc("what the molecules are, for messages")

    def __call__(self, entries: Sequence[Entry | Failure]) -> ObservedChunk:
        """What the rules do on some entries."""
        batch = batch_of_entries(entries)
        return ObservedChunk(observations=observe(self.scheme, batch, self.molecules), failures=batch.failures)


Done = TypeVar("Done", bound=Labelled | TalliedChunk | ObservedChunk)
Chunk = TypeVar("Chunk")


def scheme_of(name: str, mode: Mode = "compat") -> Scheme:
    """The scheme that a command was asked for.

    Args:
        name: A name or path, or several with commas between, of which later ones are appended.
        mode: ``compat`` or ``spec``.

    Returns:
        The scheme.
    """
    return load_scheme(*([name] if os.path.exists(name) else name.split(",")), mode=mode)


def smirnoff_scheme_of(name: str) -> SmirnoffScheme:
    """The scheme that a command was asked for, which must be one of SMIRKS rules.

    Args:
        name: As for `scheme_of`.

    Returns:
        The scheme.

    Raises:
        SchemeError: It is not a SMIRNOFF force field.
    """
    scheme = scheme_of(name)
    if not isinstance(scheme, SmirnoffScheme):
        raise SchemeError(
            f"{scheme.name} has no SMIRKS rules; name a SMIRNOFF force field or give an .offxml or .toml file"
        )
    return scheme


def in_chunks(
    work: Callable[[Sequence[Entry | Failure]], Done],
    inputs: Sequence[str],
    *,
    engine: Engine,
    strict: bool,
    smiles_column: str | None,
    name_column: str | None,
) -> Iterator[Done]:
    """The results of some work for the molecules of files, chunk after chunk in order, with a bar on a terminal.

    Args:
        work: What to do with a chunk of entries.
        inputs: Paths, or '-'.
        engine: Where the work is done.
        strict: Whether the first molecule that cannot be used ends the run.
        smiles_column: Heading of the SMILES column of tables.
        name_column: Heading of the name column of tables.

    Returns:
        An iterator over the results.

    Raises:
        InputError: Here, for what is wrong with the inputs as far as their first molecule; while iterating, when a
            file can no longer be read.
        MoleculeError: While iterating: `strict`, and a molecule cannot be used.
    """
    entries = read_entries(inputs, smiles_column=smiles_column, name_column=name_column)
    return _with_bar(engine.map(work, interruptible(chunked(entries), engine)), strict)


def interruptible(chunks: Iterable[Chunk], engine: Engine = HERE) -> Generator[Chunk, None, None]:
    """The same chunks; Ctrl-C ends the wait for one, and waits itself while one is worked on.

    To be closed where work may raise: until then Ctrl-C waits. A cluster works elsewhere and may be long in coming, so
    that Ctrl-C does not wait for it.

    Args:
        chunks: Pieces of work.
        engine: Where they are worked on.

    Yields:
        Each of them.
    """
    if engine.scheduler is not None:
        yield from chunks
        return
    signal.siginterrupt(signal.SIGINT, True)
    for chunk in chunks:
        # While RDKit matches patterns it takes Ctrl-C for itself, and a run would go on as if nothing had been pressed.
        held = signal.pthread_sigmask(signal.SIG_BLOCK, [signal.SIGINT])
        try:
            yield chunk
        finally:
            # RDKit leaves it so that a read goes on after Ctrl-C.
            signal.siginterrupt(signal.SIGINT, True)
            signal.pthread_sigmask(signal.SIG_SETMASK, held)


def _with_bar(chunks: Generator[Done, None, None], strict: bool) -> Iterator[Done]:
    with closing(chunks), progress_bar("labelling") as bar:
        for done in chunks:
            if strict and done.failures:
                first = done.failures[0]
                raise MoleculeError(f"{first.place}: {first.reason}", first.advice)
            yield done
            bar.advance(bar.task_ids[0], done.n_read)


def note_failures(failures: Iterable[Failure]) -> None:
    """Write a line to standard error for each molecule that could not be used, where no file tells of it.

    Args:
        failures: The molecules.
    """
    for one in failures:
        note(f"{one.place}: {one.reason}; {one.advice}")
