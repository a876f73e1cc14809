"""One pass over the reference data: from coordinates to the sums that every later step works on.

Molecules are taken some at a time, so that memory does not grow with the data, and each chunk goes to the folder of
statistics, if there is one, before the next is begun.
"""

from collections.abc import Callable, Iterable, Iterator, Mapping
from dataclasses import replace
from itertools import islice
from pathlib import Path

import numpy as np
from scipy import sparse

from ffshare.errors import InputError, TyingError
from ffshare.fit.problem import FitProblem
from ffshare.fit.reference import ReferenceMolecule
from ffshare.fit.reference.data import only_level
from ffshare.fit.residuals import Chunk
from ffshare.fit.statistics import MoleculeStatistics, NormalEquations, molecule_statistics
from ffshare.fit.store import ChunkStatistics, StatisticsFolder, checksum
from ffshare.fit.straight import LeftOut
from ffshare.molecules.ragged import IntArray
from ffshare.parallel import one_thread
from ffshare.records import doc, record

MOLECULES_AT_ONCE = 32


@record
class Gathered:
    """The sums of the molecules of a problem, each for itself."""

    molecules: Iterable[MoleculeStatistics] = doc("sums molecule by molecule, in memory or on disk")
    n_columns: int = doc("number of columns")
    left_out: tuple[LeftOut, ...] = doc("torsions that are left out", default=())
    skipped: IntArray = doc("molecules of the batch with a term that no rule matches: they did not take part")
    clashes: Mapping[int, int] = doc("conformers left out by molecule, see `ffshare.fit.weights`", default_factory=dict)
    level: str = doc("level of theory of the data", default="")

    def __repr__(self) -> str:
        return f"Gathered({self.n_columns} columns, {len(self.left_out)} torsions left out)"

    def summed(self) -> "Accumulated":
        """These, and their sum over all molecules."""
        fields = {name: getattr(self, name) for name in Gathered.__dataclass_fields__}
        return Accumulated(equations=NormalEquations.of(self.molecules, self.n_columns), **fields)

    def tied(self, ties: sparse.csr_array) -> "Accumulated":
        """The sums by the free parameters of a tying, without another pass over the data.

        Args:
            ties: Free parameters → columns, shape=(n_columns, n_free).

        Returns:
            The pooled sums.

        Raises:
            TyingError: The ties are those of another number of columns.
        """
        if ties.shape[0] != self.n_columns:
            raise TyingError(f"the ties have {ties.shape[0]} sites; these sums have {self.n_columns} columns")
        pooled: Iterable[MoleculeStatistics] = _Pooled(molecules=self.molecules, ties=sparse.csr_array(ties))
        if isinstance(self.molecules, StatisticsFolder) and self.molecules.folder is None:
            # Sums that are in memory are several times as large as these: they are kept, too, and not pooled anew.
            pooled = tuple(pooled)
        return replace(self, molecules=pooled, n_columns=int(ties.shape[1])).summed()

    def of_molecules(self, chosen: Callable[[MoleculeStatistics], bool]) -> "Gathered":
        """Some of the molecules, such as those of a training fold.

        Args:
            chosen: Whether a molecule takes part.

        Returns:
            These, summed if all were.
        """
        return replace(self, molecules=_Chosen(molecules=self.molecules, chosen=chosen))


@record
class Accumulated(Gathered):
    """The sums of a problem over its reference data."""

    equations: NormalEquations = doc("sums of all molecules")

    def __repr__(self) -> str:
        return f"Accumulated({self.equations!r}, {len(self.left_out)} torsions left out)"

    def of_molecules(self, chosen: Callable[[MoleculeStatistics], bool]) -> "Accumulated":
        """The sums of some of the molecules; see `Gathered.of_molecules`."""
        return Gathered.of_molecules(self, chosen).summed()


@one_thread()
def gather(
    problem: FitProblem,
    reference: Iterable[ReferenceMolecule],
    folder: str | Path | None = None,
    molecules_at_once: int = MOLECULES_AT_ONCE,
    progress: Callable[[int], None] | None = None,
) -> Gathered:
    """The sums of every molecule of a problem, for columns that are tied later or for many schemes.

    Args:
        problem: The problem.
        reference: Reference data of the molecules of its batch, in their order, one after the other.
        folder: Where statistics are kept; what is there of the same problem is not computed again. By default they
            are kept in memory.
        molecules_at_once: Molecules that are worked on together.
        progress: Called with the number of molecules that are done.

    Returns:
        The sums of each molecule.

    Raises:
        InputError: The data are not those of the molecules of the batch, or are of several levels of theory.
    """
    store = StatisticsFolder(None if folder is None else Path(folder))
    skipped, n_molecules = set(problem.skipped.tolist()), problem.assignment.batch.n_molecules
    left_out: list[LeftOut] = []
    clashes: dict[int, int] = {}
    levels: list[str] = []
    n_done = 0
    for number, given in enumerate(_chunked(reference, molecules_at_once)):
        levels = [only_level([*levels[:1], *(molecule.level for molecule in given)])]
        kept = [i for i in range(len(given)) if n_done + i not in skipped]
        n_done += len(given)
        if n_done > n_molecules:
            raise InputError(f"reference data go on after the {n_molecules} molecules of the batch")
        idxs = np.array(kept, dtype=np.int64) + n_done - len(given)
        found = _of_chunk(Chunk.of(problem, idxs, [given[i] for i in kept]), number, store)
        left_out += found.left_out
        clashes.update({each.molecule_idx: each.n_clashes for each in found.molecules if each.n_clashes})
        if progress is not None:
            progress(n_done)
    if n_done != n_molecules:
        raise InputError(f"reference data of {n_done} molecules for a batch of {n_molecules}")
    return Gathered(
        molecules=store,
        n_columns=problem.n_columns,
        left_out=tuple(left_out),
        skipped=problem.skipped,
        clashes=clashes,
        level=levels[0] if levels else "",
    )


def accumulate(
    problem: FitProblem,
    reference: Iterable[ReferenceMolecule],
    folder: str | Path | None = None,
    molecules_at_once: int = MOLECULES_AT_ONCE,
    progress: Callable[[int], None] | None = None,
) -> Accumulated:
    """The sums of a problem over reference data: `gather`, then added up.

    Args:
        problem: The problem, as a rule a tied one: the sum over untied columns is as large as all molecules together.
        reference: As for `gather`.
        folder: As for `gather`.
        molecules_at_once: As for `gather`.
        progress: As for `gather`.

    Returns:
        The sums.

    Raises:
        InputError: As for `gather`.
    """
    return gather(problem, reference, folder, molecules_at_once, progress).summed()


def _of_chunk(chunk: Chunk, number: int, store: StatisticsFolder) -> ChunkStatistics:
    """The statistics of a chunk, from the store if it has them."""
    mark = "" if store.folder is None else checksum(chunk)
    found = store.get(number, mark)
    if found is None:
        straight = chunk.straight()
        found = ChunkStatistics(
            molecules=tuple(molecule_statistics(chunk, straight)), left_out=chunk.left_out(straight)
        )
        store.put(number, found, mark)
    return found


def _chunked(reference: Iterable[ReferenceMolecule], size: int) -> Iterator[list[ReferenceMolecule]]:
    iterator = iter(reference)
    while chunk := list(islice(iterator, size)):
        yield chunk


@record
class _Pooled:
    """Statistics pooled one after the other, as they are asked for."""

    molecules: Iterable[MoleculeStatistics] = doc("the statistics")
    ties: sparse.csr_array = doc("free parameters → their columns")

    def __iter__(self) -> Iterator[MoleculeStatistics]:
        return (each.tied(self.ties) for each in self.molecules)


@record
class _Chosen:
    """Some of the statistics, as they are asked for."""

    molecules: Iterable[MoleculeStatistics] = doc("the statistics")
    chosen: Callable[[MoleculeStatistics], bool] = doc("whether one takes part")

    def __iter__(self) -> Iterator[MoleculeStatistics]:
        return filter(self.chosen, self.molecules)
