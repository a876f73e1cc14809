"""What all schemes of a comparison share of the data: sums of every molecule at the slots of the common sites.

Energies and forces are summed apart and without weights, so that from the amplitudes φ of the slots alone follow the
weighted objective of a fit and, without another look at the data, the errors of energies and of forces:

    Σ e² = c - 2 bᵀφ + φᵀGφ.

They are by far the largest thing in a comparison. In a folder they are written once, and every process passes over them
there, molecule by molecule.
"""

from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import replace
from pathlib import Path

import numpy as np
from scipy import sparse

from ffshare.assign import Assignment
from ffshare.errors import InputError
from ffshare.fit.accumulate import Gathered, gather
from ffshare.fit.problem import Background, FitProblem
from ffshare.fit.reference import ReferenceMolecule
from ffshare.fit.statistics import MoleculeStatistics
from ffshare.fit.weights import Weights
from ffshare.model import Basis
from ffshare.model.coordinates import FloatArray
from ffshare.molecules.ragged import IntArray
from ffshare.parallel import HERE, Engine
from ffshare.records import doc, freeze_arrays, record
from ffshare.tying import LinearTying

NEVER = float("inf")


@record
class Errors:
    """Squared errors of molecules, as sums."""

    squares: FloatArray = doc("squared errors of energies and of force components, summed, shape=(n_molecules, 2)")
    counts: IntArray = doc("energies and force components, shape=(n_molecules, 2)")

    def __post_init__(self) -> None:
        freeze_arrays(self, squares=np.float64, counts=np.int64)

    def rmse(self, chosen: IntArray | None = None) -> FloatArray:
        """Root mean square errors of energies [kcal/mol] and force components [kcal/mol/Å].

        Args:
            chosen: Molecules; by default all. One may be named several times.

        Returns:
            Both, NaN where there is nothing to compare, shape=(2,).
        """
        of = slice(None) if chosen is None else chosen
        counts = self.counts[of].sum(axis=0)
        sums = self.squares[of].sum(axis=0)
        found: FloatArray = np.sqrt(np.divide(sums, counts, out=np.full(2, np.nan), where=counts > 0))
        return found


@record
class _EachOnce:
    """The sums of every molecule as they are asked for, empty ones where there is nothing to be summed."""

    molecules: Iterable[MoleculeStatistics] = doc("sums, none of a molecule without forces, for instance, ascending")
    names: tuple[str, ...] = doc("what the molecules are called")

    def __iter__(self) -> Iterator[MoleculeStatistics]:
        found = iter(self.molecules)
        following = next(found, None)
        for idx, name in enumerate(self.names):
            if following is not None and following.molecule_idx == idx:
                yield following
                following = next(found, None)
            else:
                yield MoleculeStatistics(
                    molecule_idx=idx,
                    cluster=name,
                    columns=np.zeros(0, dtype=np.int64),
                    matrix=np.zeros((0, 0)),
                    vector=np.zeros(0),
                    sum_squares=0.0,
                    n_residuals=0,
                )


@record
class SiteSums:
    """Sums of every molecule by the slots of the common sites."""

    energies: Gathered = doc("of energies, in units of 1 kcal/mol")
    forces: Gathered = doc("of forces, in units of 1 kcal/mol/Å")
    energy_error: float = doc("σ_E of the objective [kcal/mol]")
    force_error: float = doc("σ_F of the objective [kcal/mol/Å]")

    @classmethod
    def of(
        cls,
        labelled: Assignment,
        bases: Mapping[str, Basis],
        reference: Sequence[ReferenceMolecule],
        background: Background,
        weights: Weights,
        folder: Path | None = None,
        engine: Engine = HERE,
    ) -> "SiteSums":
        """The sums of some reference data.

        Args:
            labelled: The molecules with the common sites, the rules of any scheme.
            bases: Functions of the sites by section.
            reference: Reference data of the molecules of its batch, in their order.
            background: What is subtracted from the data.
            weights: Errors allowed; one error for all energies, and one for all forces.
            folder: Where they are kept, see `ffshare.fit.gather`; None: in memory.
            engine: Where the work is done.

        Returns:
            The sums.

        Raises:
            InputError: The weights depend on the energy or on the molecule.
        """
        if weights.energy_per != "molecule" or np.isfinite(weights.softening):
            raise InputError(
                "a comparison takes one error for all energies: leave energy_per and softening as they are"
            )
        found = []
        for kind, energy, force in (("energies", 1.0, NEVER), ("forces", NEVER, 1.0)):
            problem = FitProblem.of(
                labelled,
                sections=tuple(bases),
                weights=replace(weights, energy=energy, force=force),
                background=background,
                bases=bases,
                tied=False,
            )
            # Sites without a rule take part: the amplitudes of their slots come from elsewhere.
            problem = replace(problem, skipped=np.zeros(0, dtype=np.int64))
            gathered = gather(problem, reference, None if folder is None else folder / kind, engine=engine)
            every = _EachOnce(molecules=gathered.molecules, names=tuple(each.smiles for each in reference))
            found.append(replace(gathered, molecules=every))
        return cls(
            energies=found[0], forces=found[1], energy_error=float(weights.energy), force_error=float(weights.force)
        )

    def of_molecules(self, molecules: IntArray) -> "SiteSums":
        """The sums of some of the molecules.

        Args:
            molecules: Molecules, ascending.

        Returns:
            Their sums; those of the others are not looked at.
        """
        chosen = frozenset(molecules.tolist())

        def is_chosen(statistics: MoleculeStatistics) -> bool:
            return statistics.molecule_idx in chosen

        return replace(self, energies=self.energies.of_molecules(is_chosen), forces=self.forces.of_molecules(is_chosen))

    def tied(self, ties: LinearTying) -> tuple[MoleculeStatistics, ...]:
        """The sums of the objective by the free parameters of a tying, molecule by molecule.

        Args:
            ties: Free parameters → slots. Its offset is what the slots have without them.

        Returns:
            Sums over energies and forces, each over its error.
        """
        matrix, offset = sparse.csr_array(ties.matrix), ties.dense_offset
        found = []
        for energies, forces in zip(self.energies.molecules, self.forces.molecules, strict=True):
            both = _added(_scaled(energies, self.energy_error), _scaled(forces, self.force_error))
            found.append(shifted(both, offset).tied(matrix))
        return tuple(found)

    def errors(self, amplitudes: FloatArray) -> Errors:
        """The errors of every molecule.

        Args:
            amplitudes: Of all slots, shape=(n_slots,).

        Returns:
            Sums of squared errors; energies of a molecule are compared from their mean.
        """
        squares, counts = [], []
        for energies, forces in zip(self.energies.molecules, self.forces.molecules, strict=True):
            squares.append([max(shifted(each, amplitudes).sum_squares, 0.0) for each in (energies, forces)])
            # The energies of one conformer say nothing.
            n_energies = energies.n_residuals + 1 if energies.n_residuals > 0 else 0
            counts.append([n_energies, forces.n_residuals])
        return Errors(
            squares=np.array(squares, dtype=np.float64).reshape(-1, 2),
            counts=np.array(counts, dtype=np.int64).reshape(-1, 2),
        )


def shifted(statistics: MoleculeStatistics, amplitudes: FloatArray) -> MoleculeStatistics:
    """The sums of a molecule for what is to be added to given amplitudes.

    With u = o + v, |Ju - t|² = |Jv - (t - Jo)|²: b becomes b - Go, and c becomes c - 2 bᵀo + oᵀGo.

    Args:
        statistics: The sums.
        amplitudes: o, of all columns, shape=(n_columns,).

    Returns:
        The sums for v.
    """
    own = amplitudes[statistics.columns]
    moved = statistics.matrix @ own
    return replace(
        statistics,
        vector=statistics.vector - moved,
        sum_squares=float(statistics.sum_squares - 2.0 * statistics.vector @ own + own @ moved),
    )


def _scaled(statistics: MoleculeStatistics, error: float) -> MoleculeStatistics:
    """The sums of residuals over an error."""
    factor = 1.0 / error**2
    return replace(
        statistics,
        matrix=statistics.matrix * factor,
        vector=statistics.vector * factor,
        sum_squares=statistics.sum_squares * factor,
        n_residuals=statistics.n_residuals if factor else 0,
    )


def _added(first: MoleculeStatistics, second: MoleculeStatistics) -> MoleculeStatistics:
    """The sums of two kinds of residuals of one molecule."""
    if not len(first.columns) or not len(second.columns):
        longer, other = (first, second) if len(first.columns) else (second, first)
        sums = longer.sum_squares + other.sum_squares
        return replace(longer, sum_squares=sums, n_residuals=longer.n_residuals + max(other.n_residuals, 0))
    return replace(
        first,
        matrix=first.matrix + second.matrix,
        vector=first.vector + second.vector,
        sum_squares=first.sum_squares + second.sum_squares,
        n_residuals=first.n_residuals + second.n_residuals,
    )
