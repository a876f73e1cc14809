"""What is fitted to what: the columns of a linear fit, and what is subtracted from the data beforehand.

Reference energies and forces less the *background*, what the fit leaves alone (van der Waals, electrostatics, bonded
sections that are not fitted), are fitted by the columns of a design: the slots of all bonded sites, or their sums by
the ties of a scheme.
"""

from collections.abc import Mapping, Sequence
from dataclasses import replace

import numpy as np
from numpy.typing import ArrayLike
from scipy import sparse

from ffshare.assign import Assignment
from ffshare.errors import SchemeError
from ffshare.fit.parameters import BONDED, Parameters
from ffshare.fit.parts import atoms_of, part_of, uncovered
from ffshare.fit.weights import Weights
from ffshare.model import Basis, Energies, Evaluation, Frames, Model, bonded_terms, linear_bases, rule_ties
from ffshare.model.coordinates import FloatArray
from ffshare.molecules.ragged import IntArray, offsets_of
from ffshare.records import doc, record
from ffshare.rules.table import RuleTable


@record
class Background:
    """The part of a force field that a fit leaves alone."""

    assignment: Assignment = doc("molecules with the rules of the background")
    charges: FloatArray | str | None = doc("charges of the atoms [e], shape=(n_atoms,), or a method, or None: none")
    sections: tuple[str, ...] | None = doc("sections that count; None: all that are not fitted", default=None)

    def evaluate(self, molecule_idxs: IntArray, frames: Frames, fitted: Sequence[str]) -> Evaluation:
        """What the background gives in some conformers.

        Args:
            molecule_idxs: Molecules of the batch, ascending.
            frames: Their conformers.
            fitted: Sections that are fitted.

        Returns:
            Energies and forces.
        """
        if self.sections == ():
            none = Energies(by_section={}, frame_offsets=frames.frame_offsets)
            return Evaluation(energies=none, forces=np.zeros_like(frames.coordinates))
        part = part_of(self.assignment, molecule_idxs)
        # Bonded sections that do not count are not even looked up.
        kept = [name for name in part.tables if name not in BONDED or self._counts(name, fitted)]
        part = replace(
            part,
            sites={name: part.sites[name] for name in kept},
            tables={name: part.tables[name] for name in kept},
        )
        charges = self.charges
        if isinstance(charges, np.ndarray):
            charges = charges[atoms_of(self.assignment.batch, molecule_idxs)]
        model = Model.of(part, charges)
        return model.only([name for name in model.interactions if self._counts(name, fitted)]).evaluate(frames)

    def _counts(self, section: str, fitted: Sequence[str]) -> bool:
        return section not in fitted if self.sections is None else section in self.sections


@record
class FitProblem:
    """Columns and background of a linear fit."""

    assignment: Assignment = doc("molecules with their sites")
    bases: Mapping[str, Basis] = doc("functions of the sites of each fitted section")
    ties: sparse.csr_array = doc("columns → slots of the sites of the bases, shape=(n_slots, n_columns)")
    background: Background = doc("what is subtracted from the data")
    weights: Weights = doc("errors allowed")
    skipped: IntArray = doc("molecules of the batch with a term that no rule matches: they do not take part")

    def __repr__(self) -> str:
        n_molecules = self.assignment.batch.n_molecules - len(self.skipped)
        return f"FitProblem({self.assignment.scheme}: {n_molecules} molecules, {self.n_columns} columns)"

    @classmethod
    def of(
        cls,
        assignment: Assignment,
        charges: ArrayLike | str | None = None,
        *,
        sections: Sequence[str] = BONDED,
        weights: Weights | None = None,
        background: Background | None = None,
        bases: Mapping[str, Basis] | None = None,
        tied: bool = True,
    ) -> "FitProblem":
        """The problem of fitting some bonded sections of a scheme.

        Args:
            assignment: Molecules with the rules of the scheme.
            charges: Charges of the atoms [e], or a method of `charges_by_name`, or None for no electrostatics; not used
                where a background is given.
            sections: Bonded sections to fit.
            weights: Errors allowed; by default those of `Weights`.
            background: What is subtracted from the data; by default the sections of the scheme that are not fitted.
            bases: Functions of the sites by section; by default those that the rules at the sites need.
            tied: Whether the columns are the free parameters of the scheme; else they are the slots of all sites, which
                every scheme shares.

        Returns:
            The problem.

        Raises:
            SchemeError: The scheme has none of the sections, or terms that the model does not know.

        Example:
            >>> import ffshare
            >>> butane = ffshare.load_scheme("openff-2.2.1").assign(ffshare.from_smiles("CCCC"))
            >>> FitProblem.of(butane, "gasteiger")
            FitProblem(openff-2.2.1: 1 molecules, 577 columns)
        """
        wanted = [section for section in BONDED if section in sections and section in assignment.sites]
        if not wanted or set(sections) - set(BONDED):
            raise SchemeError(
                f"{assignment.scheme}: cannot fit {', '.join(sections)}; sections are {', '.join(BONDED)}"
            )
        given = bases_in_use(assignment, wanted) if bases is None else bases
        ordered = {section: given[section] for section in wanted if section in given}
        slots = _slot_offsets(assignment, ordered)
        matrix = rule_ties(assignment, ordered).matrix if tied else sparse.eye_array(int(slots[-1]), format="csr")
        method = charges if isinstance(charges, str) or charges is None else np.asarray(charges, dtype=np.float64)
        behind = Background(assignment=assignment, charges=method) if background is None else background
        return cls(
            assignment=assignment,
            bases=ordered,
            ties=sparse.csr_array(matrix),
            background=behind,
            weights=Weights() if weights is None else weights,
            skipped=np.union1d(uncovered(assignment), uncovered(behind.assignment)),
        )

    @property
    def n_columns(self) -> int:
        """Number of columns, those that no site uses included."""
        return int(self.ties.shape[1])

    @property
    def sections(self) -> tuple[str, ...]:
        """The fitted sections, in the order of the columns."""
        return tuple(self.bases)

    @property
    def parameters(self) -> Parameters:
        """What the columns of a tied problem are."""
        found = Parameters.of(self.assignment, self.sections)
        if len(found) != self.n_columns:
            raise SchemeError("the columns of this problem are slots of sites; only tied ones are parameters")
        return found

    @property
    def slot_offsets(self) -> IntArray:
        """First slot of each section, and their number, shape=(n_sections + 1,)."""
        return _slot_offsets(self.assignment, self.bases)


def bases_in_use(assignment: Assignment, sections: Sequence[str] = BONDED) -> dict[str, Basis]:
    """The bases that hold the terms of the sites of an assignment.

    Args:
        assignment: Any assignment.
        sections: Bonded sections.

    Returns:
        A basis for each, with no function that no site needs.

    Example:
        >>> import ffshare
        >>> bases_in_use(ffshare.load_scheme("openff-2.2.1").assign(ffshare.from_smiles("CC")))["ProperTorsions"]
        Waves(cosines=(3,), sines=())
    """
    tables = {
        section: _used(assignment.tables[section], assignment.sites[section].rule_idxs)
        for section in sections
        if section in assignment.sites
    }
    bonded_terms(assignment)  # refuses potentials that are no springs and cosines
    return linear_bases(tables)


def _used(table: RuleTable, rule_idxs: IntArray) -> RuleTable:
    """A table whose periodicities and phases are those of some rules."""
    columns = dict(table.columns)
    for name in ("periodicity", "phase"):
        if name in columns:
            column = columns[name]
            kept = np.isin(column.rule_idxs, rule_idxs)
            columns[name] = replace(
                column, values=column.values[kept], rule_idxs=column.rule_idxs[kept], terms=column.terms[kept]
            )
    return replace(table, columns=columns)


def _slot_offsets(assignment: Assignment, bases: Mapping[str, Basis]) -> IntArray:
    counts = [len(assignment.sites[section]) * len(basis.names) for section, basis in bases.items()]
    return offsets_of(np.array(counts, dtype=np.int64))
