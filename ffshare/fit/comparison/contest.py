"""The work of a comparison, one scheme and one fold at a time, so that it can be spread, interrupted and resumed."""

import hashlib
import json
from collections.abc import Mapping, Sequence
from dataclasses import asdict
from importlib.metadata import version
from pathlib import Path
from typing import Any

import numpy as np

from ffshare.assign import COMPLETE_SECTIONS
from ffshare.assign.parents import parent_edges
from ffshare.fit.comparison.choice import Candidates, choose
from ffshare.fit.comparison.contestants import Contestant
from ffshare.fit.comparison.scheme import Choice, SchemeProblem, SlotValues
from ffshare.fit.comparison.sites import CommonSites
from ffshare.fit.comparison.sums import SiteSums
from ffshare.fit.comparison.terms import TermsOf
from ffshare.fit.folds import Fold
from ffshare.fit.identifiability import identify
from ffshare.fit.parameters import BONDED
from ffshare.fit.shared_folder import SharedFolder
from ffshare.fit.solve import SolverSettings
from ffshare.model import Basis
from ffshare.model.coordinates import FloatArray
from ffshare.molecules.ragged import IntArray
from ffshare.parallel import one_thread
from ffshare.records import doc, record
from ffshare.whole_files import writing

WHOLE = -1

# A choice among a few candidates needs no fit to the last digit.
CHOOSING = SolverSettings(max_steps=8, tolerance=1e-5)
FITTING = SolverSettings(max_steps=60, tolerance=1e-8)

_BONDED_COMPLETE = tuple(section for section in BONDED if section in COMPLETE_SECTIONS)


@record
class FoldScores:
    """What became of one scheme in one fold."""

    molecules: tuple[int, ...] = doc("molecules that were held out")
    squares: tuple[tuple[float, float], ...] = doc("their squared errors of energies and forces, summed")
    counts: tuple[tuple[int, int], ...] = doc("their energies and force components")
    training_squares: tuple[float, float] = doc("of all training molecules")
    training_counts: tuple[int, int] = doc("of all training molecules")
    n_sites: int = doc("bonds, angles and propers of the molecules held out")
    n_without: int = doc("of these, sites whose parameter no training molecule had, or that have no rule")
    lacking: tuple[int, ...] = doc("molecules held out with such a site")
    choice: Mapping[str, float] = doc("what was chosen inside the training folds")
    status: str = doc("how the fit ended")


@record
class WholeScores:
    """What is to be said of one scheme and all of the data."""

    n_defined: int = doc("parameters of the four sections")
    n_exercised: int = doc("parameters that a site of the molecules takes")
    n_identifiable: int = doc("combinations of these that the data determine")
    uncovered: tuple[int, ...] = doc("molecules with a bond, angle or proper without a rule")
    status: str = doc("how the fit ended")


@record
class Task:
    """A scheme, and a fold or all of the data."""

    contestant: Contestant = doc("the scheme")
    fold: int = doc("number of the fold, or `WHOLE`")


class Contest:
    """All that the tasks of a comparison share. Picklable: it travels to each worker once, sums in a folder do not."""

    def __init__(
        self,
        terms: TermsOf,
        sites: CommonSites,
        bases: Mapping[str, Basis],
        sums: SiteSums,
        values: SlotValues,
        folds: Sequence[Fold],
        candidates: Candidates,
        folder: Path | None = None,
        mark: str = "",
        place: SharedFolder | None = None,
    ) -> None:
        """The contest.

        Args:
            terms: Which terms are fitted.
            sites: The common sites.
            bases: Functions of the sites by section.
            sums: Sums of the data by slot.
            values: What is known of slots before any fit.
            folds: Splits of the molecules.
            candidates: What is tried inside the training folds.
            folder: Where finished tasks are kept; None: nowhere.
            mark: What the sums and values are made of: tasks kept under another mark are not looked at.
            place: The folder in which workers find the sums and finished tasks; None: sums are in memory.
        """
        self._terms, self._sites, self._bases = terms, sites, bases
        self._sums, self._values, self._folds, self._candidates = sums, values, folds, candidates
        self._folder, self._mark, self._place = folder, mark, place
        self._last: tuple[Contestant, SchemeProblem] | None = None

    def __call__(self, task: Task) -> FoldScores | WholeScores:
        """Do a task, unless it was done before.

        Raises:
            OutputError: This process does not see the folder.
        """
        if self._place is not None:
            self._place.check()
        kind = WholeScores if task.fold == WHOLE else FoldScores
        path = None if self._folder is None else self._folder / f"{self._digest(task)}.json"
        if path is not None and path.exists():
            return kind(**_tuples(json.loads(path.read_text(encoding="utf-8"))))
        with one_thread():
            problem = self._problem(task.contestant)
            scores = self._whole(problem) if task.fold == WHOLE else self._fold(problem, task)
        if path is not None:
            with writing(path) as unfinished:
                unfinished.write_text(json.dumps(asdict(scores)), encoding="utf-8")
        return scores

    def _digest(self, task: Task) -> str:
        solvers = [asdict(each) for each in (CHOOSING, FITTING)]
        text = json.dumps(
            [version("ffshare"), self._mark, asdict(task), asdict(self._candidates), str(self._terms), solvers]
        )
        return hashlib.blake2b(text.encode(), digest_size=12).hexdigest()

    def _problem(self, contestant: Contestant) -> SchemeProblem:
        if (
            self._last is None
            or self._last[0].scheme != contestant.scheme
            or self._last[0].is_soft != contestant.is_soft
        ):
            scheme = contestant.load()
            labelled = self._terms.labelled(scheme.assign(self._sites.batch), self._sites)
            edges = None
            if contestant.is_soft:
                # Their free columns are numbered as the parameters are.
                tables = {section: labelled.tables[section] for section in self._bases}
                edges = parent_edges(tables, contestant.parents())
            problem = SchemeProblem.of(labelled, self._sites, self._bases, self._sums, self._values, edges)
            self._last = contestant, problem
        return self._last[1]

    def _fold(self, problem: SchemeProblem, task: Task) -> FoldScores:
        fold = self._folds[task.fold]
        validation = self._sums.of_molecules(fold.validation)

        # Each fit starts where the last one ended: only priors have changed.
        last: FloatArray | None = None

        def loss(choice: Choice) -> float:
            nonlocal last
            fitted = problem.fit(fold.inner, choice, CHOOSING, last)
            last = fitted.values
            energies, forces = validation.errors(fitted.amplitudes).squares.sum(axis=0)
            return float(energies / self._sums.energy_error**2 + forces / self._sums.force_error**2)

        choice = choose(loss, self._candidates, task.contestant.is_soft)
        fitted = problem.fit(fold.training, choice, FITTING, last)
        errors = self._sums.errors(fitted.amplitudes)
        molecules, given, first = [], [], 0
        for section in self._bases:
            of = self._sites.molecule_idxs(section)
            if section in _BONDED_COMPLETE:
                molecules.append(of)
                given.append(fitted.given[first : first + len(of)])
            first += len(of)
        every, is_given = np.concatenate(molecules), np.concatenate(given)
        held_out = np.isin(every, fold.held_out)
        return FoldScores(
            molecules=tuple(fold.held_out.tolist()),
            squares=_pairs(errors.squares[fold.held_out]),
            counts=_pairs(errors.counts[fold.held_out]),
            training_squares=tuple(errors.squares[fold.training].sum(axis=0).tolist()),
            training_counts=tuple(errors.counts[fold.training].sum(axis=0).tolist()),
            n_sites=int(held_out.sum()),
            n_without=int((held_out & ~is_given).sum()),
            lacking=tuple(np.unique(every[held_out & ~is_given]).tolist()),
            choice=asdict(choice),
            status=fitted.solution.status,
        )

    def _whole(self, problem: SchemeProblem) -> WholeScores:
        molecules = np.arange(self._sites.batch.n_molecules)
        fitted = problem.fit(molecules, Choice(), FITTING)
        known = identify(fitted.objective, fitted.solution.values)
        return WholeScores(
            n_defined=len(problem.parameters),
            n_exercised=len(fitted.parameters),
            n_identifiable=known.rank,
            uncovered=tuple(np.flatnonzero(~problem.covered(_BONDED_COMPLETE)).tolist()),
            status=fitted.solution.status,
        )


def _pairs(values: FloatArray | IntArray) -> tuple[tuple[Any, Any], ...]:
    return tuple((first, second) for first, second in values.tolist())


def _tuples(value: Any) -> Any:
    """Lists of a JSON file as the tuples that they were."""
    if isinstance(value, dict):
        return {key: _tuples(each) for key, each in value.items()}
    return tuple(map(_tuples, value)) if isinstance(value, list) else value
