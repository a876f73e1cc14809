"""The sums of some molecules at a time, wherever the work is done.

What travels with a part is little: numbers of molecules and their reference data. The problem goes along once for all.
In a folder, a worker looks for the sums of its part and writes those that it makes; what comes back is their checksum.
"""

from collections.abc import Iterable, Iterator, Mapping
from itertools import islice

import numpy as np

from ffshare.errors import InputError
from ffshare.fit.problem import FitProblem
from ffshare.fit.reference import ReferenceMolecule
from ffshare.fit.reference.data import only_level
from ffshare.fit.residuals import Chunk
from ffshare.fit.shared_folder import SharedFolder
from ffshare.fit.statistics import molecule_statistics
from ffshare.fit.store import ChunkStatistics, StatisticsFolder, checksum
from ffshare.fit.straight import LeftOut
from ffshare.molecules.ragged import IntArray
from ffshare.parallel import one_thread
from ffshare.records import doc, record


@record
class Part:
    """Some molecules, as they travel to where the work is done."""

    number: int = doc("place among the parts")
    molecule_idxs: IntArray = doc("those of them that take part, ascending, shape=(n,)")
    molecules: tuple[ReferenceMolecule, ...] = doc("their reference data")
    n_done: int = doc("molecules of the data up to the last of these")


class Parts:
    """The molecules of some reference data in parts, of one level of theory and as many as the problem has."""

    def __init__(self, problem: FitProblem, reference: Iterable[ReferenceMolecule], size: int) -> None:
        """The parts.

        Args:
            problem: The problem.
            reference: Reference data of the molecules of its batch, in their order.
            size: Molecules of a part.
        """
        self._problem, self._reference, self._size = problem, reference, size
        self.level = ""
        """Level of theory of those that were taken."""

    def __iter__(self) -> Iterator[Part]:
        """The parts, in order.

        Raises:
            InputError: The data are of several levels of theory, or of more or fewer molecules than the batch has.
        """
        skipped, n_molecules = set(self._problem.skipped.tolist()), self._problem.assignment.batch.n_molecules
        levels: list[str] = []
        n_done = 0
        for number, given in enumerate(_chunked(self._reference, self._size)):
            levels = [only_level([*levels, *(molecule.level for molecule in given)])]
            self.level = levels[0]
            kept = [i for i in range(len(given)) if n_done + i not in skipped]
            idxs = np.array(kept, dtype=np.int64) + n_done
            n_done += len(given)
            if n_done > n_molecules:
                raise InputError(f"reference data go on after the {n_molecules} molecules of the batch")
            yield Part(number=number, molecule_idxs=idxs, molecules=tuple(given[i] for i in kept), n_done=n_done)
        if n_done != n_molecules:
            raise InputError(f"reference data of {n_done} molecules for a batch of {n_molecules}")


@record
class SumsOfPart:
    """What has become of a part."""

    statistics: ChunkStatistics | None = doc("its sums; None: they lie in the folder")
    mark: str = doc("their checksum there")
    left_out: tuple[LeftOut, ...] = doc("torsions that are left out")
    clashes: Mapping[int, int] = doc("conformers left out by molecule")
    n_done: int = doc("molecules of the data up to the last of these")


@record
class Gatherer:
    """Makes the sums of parts of the data. Picklable."""

    problem: FitProblem = doc("the problem")
    store: StatisticsFolder = doc("where sums are kept")
    place: SharedFolder | None = doc("the folder of the store, if it has one")

    def __call__(self, part: Part) -> SumsOfPart:
        """The sums of a part, from the folder if it has them."""
        chunk = Chunk.of(self.problem, part.molecule_idxs, part.molecules)
        mark, found = "", None
        if self.place is not None:
            self.place.check()
            mark = checksum(chunk)
            found = self.store.get(part.number, mark)
        if found is None:
            with one_thread():
                straight = chunk.straight()
                sums = tuple(molecule_statistics(chunk, straight))
            found = ChunkStatistics(molecules=sums, left_out=chunk.left_out(straight))
            if self.place is not None:
                self.store.put(part.number, found, mark)
        return SumsOfPart(
            statistics=found if self.place is None else None,
            mark=mark,
            left_out=found.left_out,
            clashes={each.molecule_idx: each.n_clashes for each in found.molecules if each.n_clashes},
            n_done=part.n_done,
        )


def _chunked(reference: Iterable[ReferenceMolecule], size: int) -> Iterator[list[ReferenceMolecule]]:
    iterator = iter(reference)
    while chunk := list(islice(iterator, size)):
        yield chunk
