"""One pass over the reference data: from coordinates to the sums that every later step works on.

Molecules are taken some at a time, so that memory does not grow with the data, and each chunk goes to the folder of
statistics, if there is one, as soon as it is made, by whoever made it.
"""

from collections.abc import Callable, Iterable, Iterator, Mapping
from contextlib import closing, nullcontext
from dataclasses import replace
from pathlib import Path

from scipy import sparse

from ffshare.errors import TyingError
from ffshare.fit.gatherer import Gatherer, Parts
from ffshare.fit.problem import FitProblem
from ffshare.fit.reference import ReferenceMolecule
from ffshare.fit.shared_folder import shared
from ffshare.fit.statistics import MoleculeStatistics, NormalEquations
from ffshare.fit.store import StatisticsFolder
from ffshare.fit.straight import LeftOut
from ffshare.molecules.ragged import IntArray
from ffshare.parallel import HERE, Engine, one_thread
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


def gather(
    problem: FitProblem,
    reference: Iterable[ReferenceMolecule],
    folder: str | Path | None = None,
    molecules_at_once: int = MOLECULES_AT_ONCE,
    progress: Callable[[int], None] | None = None,
    engine: Engine = HERE,
) -> Gathered:
    """The sums of every molecule of a problem, for columns that are tied later or for many schemes.

    Law: they are the same to the last bit wherever the work is done, and to rounding whatever is worked on together.

    Args:
        problem: The problem. It travels once to each worker; reference data travel with the work.
        reference: Reference data of the molecules of its batch, in their order, one after the other.
        folder: Where statistics are kept; what is there of the same problem is not computed again. By default they
            are kept in memory. Workers write to it themselves, so those of a scheduler must share it.
        molecules_at_once: Molecules that are worked on together.
        progress: Called with the number of molecules that are done.
        engine: Where the work is done.

    Returns:
        The sums of each molecule.

    Raises:
        InputError: The data are not those of the molecules of the batch, or are of several levels of theory.
        OutputError: A worker does not see the folder.
    """
    store = StatisticsFolder(None if folder is None else Path(folder).absolute())
    parts = Parts(problem, reference, molecules_at_once)
    left_out: list[LeftOut] = []
    clashes: dict[int, int] = {}
    with nullcontext() if store.folder is None else shared(store.folder, engine) as place:
        work = Gatherer(problem=problem, store=store, place=place)
        with closing(engine.map(work, parts)) as results:
            for number, found in enumerate(results):
                if found.statistics is None:
                    store.register(number, found.mark)
                else:
                    store.put(number, found.statistics, found.mark)
                left_out += found.left_out
                clashes |= found.clashes
                if progress is not None:
                    progress(found.n_done)
    return Gathered(
        molecules=store,
        n_columns=problem.n_columns,
        left_out=tuple(left_out),
        skipped=problem.skipped,
        clashes=clashes,
        level=parts.level,
    )


def accumulate(
    problem: FitProblem,
    reference: Iterable[ReferenceMolecule],
    folder: str | Path | None = None,
    molecules_at_once: int = MOLECULES_AT_ONCE,
    progress: Callable[[int], None] | None = None,
    engine: Engine = HERE,
) -> Accumulated:
    """The sums of a problem over reference data: `gather`, then added up in the order of the molecules.

    Args:
        problem: The problem, as a rule a tied one: the sum over untied columns is as large as all molecules together.
        reference: As for `gather`.
        folder: As for `gather`.
        molecules_at_once: As for `gather`.
        progress: As for `gather`.
        engine: As for `gather`.

    Returns:
        The sums.

    Raises:
        InputError: As for `gather`.
        OutputError: As for `gather`.
    """
    with one_thread():
        return gather(problem, reference, folder, molecules_at_once, progress, engine).summed()


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
