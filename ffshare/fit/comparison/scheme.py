"""One scheme of a comparison: its ties, where a fit to some molecules starts, and what it says of all others.

The prior means are guesses for the sites of the training molecules, tied as the scheme ties them: the mean over the
sites that share a parameter. A site whose parameter no training molecule feeds, and one for which the scheme has no
rule, takes a fixed value of a table that is the same for every scheme. Nothing is ever computed from a molecule that is
held out but its labels.

Where soft ties draw rules towards their parents, a parameter that no training molecule feeds takes the value of its
nearest ancestor that one feeds.
"""

from collections.abc import Mapping, Sequence
from dataclasses import replace

import numpy as np
from numpy.typing import NDArray

from ffshare.assign import Assignment
from ffshare.fit.comparison.sites import CommonSites
from ffshare.fit.comparison.sums import SiteSums
from ffshare.fit.objective import Objective
from ffshare.fit.parameters import KINDS, Parameters
from ffshare.fit.priors import PRIOR_WIDTHS, Priors, SoftTies
from ffshare.fit.solve import Solution, SolverSettings, solve
from ffshare.fit.statistics import MoleculeStatistics, NormalEquations
from ffshare.model import Basis, rule_ties
from ffshare.model.coordinates import FloatArray
from ffshare.molecules.ragged import IntArray
from ffshare.records import doc, freeze_arrays, record
from ffshare.tying import LinearTying

BARRIER = KINDS.index("barrier")


@record
class Choice:
    """What is chosen inside the training folds."""

    strength: float = doc("factor of all prior terms", default=1.0)
    barrier_width: float = doc("prior width of barriers over the usual one", default=1.0)
    soft: float = doc("strength of soft ties, in prior widths; 0: none", default=0.0)

    @property
    def priors(self) -> Priors:
        """The priors."""
        widths = {"barrier": PRIOR_WIDTHS["barrier"] * self.barrier_width}
        return Priors(widths=widths, strength=self.strength)


@record
class SlotValues:
    """Amplitudes of all slots that are known without a fit."""

    guess: FloatArray = doc("guesses from the molecule itself; used of training molecules only, shape=(n_slots,)")
    table: FloatArray = doc("values of the fixed table, shape=(n_slots,)")

    def __post_init__(self) -> None:
        freeze_arrays(self, guess=np.float64, table=np.float64)


@record
class Fitted:
    """A fit to some molecules."""

    parameters: Parameters = doc("parameters that the training data feed")
    objective: Objective = doc("its objective")
    solution: Solution = doc("where it ended")
    values: FloatArray = doc("values of all parameters of the scheme, NaN for those that take no part, shape=(n,)")
    amplitudes: FloatArray = doc("of the slots of all molecules, shape=(n_slots,)")
    given: NDArray[np.bool_] = doc("sites that take a fitted parameter, their own or an ancestor's, shape=(n_sites,)")


@record
class SchemeProblem:
    """The fits of one scheme to parts of the data."""

    labelled: Assignment = doc("the common sites with the rules of the scheme")
    parameters: Parameters = doc("its parameters")
    ties: LinearTying = doc("parameters → slots")
    values: SlotValues = doc("amplitudes of slots before any fit")
    slot_sites: IntArray = doc("site of each slot, counted over all sections, shape=(n_slots,)")
    slot_molecules: IntArray = doc("molecule of each slot, shape=(n_slots,)")
    rules: IntArray = doc("rule of each site, counted over all sections, −1 where there is none, shape=(n_sites,)")
    statistics: tuple[MoleculeStatistics, ...] = doc("sums of the objective by parameter, molecule by molecule")
    edges: IntArray = doc("parameters that soft ties draw together, child and parent, shape=(n_edges, 2)")

    @classmethod
    def of(
        cls,
        labelled: Assignment,
        sites: CommonSites,
        bases: Mapping[str, Basis],
        sums: SiteSums,
        values: SlotValues,
        edges: IntArray | None = None,
    ) -> "SchemeProblem":
        """The problem of a scheme.

        Args:
            labelled: The common sites with its rules.
            sites: The common sites.
            bases: Functions of the sites by section.
            sums: Sums by slot.
            values: Amplitudes of slots before any fit.
            edges: Parameters that soft ties draw together, child and parent, each child once; by default none.

        Returns:
            The problem.
        """
        slot_sites, _ = sites.slot_sites(bases)
        rules, n_before = [], 0
        for section in bases:
            own = labelled.sites[section].rule_idxs
            rules.append(np.where(own < 0, -1, own + n_before))
            n_before += len(labelled.tables[section])
        every_rule = np.concatenate(rules)
        molecules = np.concatenate([sites.molecule_idxs(section) for section in bases])
        plain = rule_ties(labelled, bases)
        # What no rule feeds has the value of the table, in training, too.
        offset = np.where(every_rule[slot_sites] < 0, values.table, 0.0)
        ties = replace(plain, offset=offset)
        return cls(
            labelled=labelled,
            parameters=Parameters.of(labelled, tuple(bases)),
            ties=ties,
            values=values,
            slot_sites=slot_sites,
            slot_molecules=molecules[slot_sites],
            rules=every_rule,
            statistics=sums.tied(ties),
            edges=np.zeros((0, 2), dtype=np.int64) if edges is None else edges,
        )

    def fit(
        self,
        molecules: IntArray,
        choice: Choice,
        solver: SolverSettings | None = None,
        start: FloatArray | None = None,
    ) -> Fitted:
        """Fit to some molecules.

        Args:
            molecules: Training molecules, ascending.
            choice: Priors and soft ties.
            solver: When to stop.
            start: Where to start, such as the values of a fit with other priors, NaN where the prior means are to be
                taken; by default these, shape=(n,).

        Returns:
            The fit, and what it says of the slots of all molecules.
        """
        training = np.zeros(len(self.statistics), dtype=bool)
        training[molecules] = True
        equations = NormalEquations.of((self.statistics[idx] for idx in molecules.tolist()), len(self.parameters))
        means, fed = self._means(training)
        heirs, edges = _ancestry(self.edges if choice.soft else self.edges[:0], fed)
        chosen = np.flatnonzero(fed)
        mine = self.parameters.part(chosen)
        soft = SoftTies(edges=np.searchsorted(chosen, edges), strengths=np.full(len(edges), choice.soft))
        objective = Objective.of(mine, equations.part(chosen), means[chosen], choice.priors, soft)
        begin = means if start is None else np.where(np.isnan(start), means, start)
        solution = solve(objective, begin[chosen], solver)
        every = np.zeros(len(self.parameters))
        every[chosen] = mine.unknowns(solution.values)
        every[heirs[:, 0]] = every[heirs[:, 1]]
        takes_part = fed.copy()
        takes_part[heirs[:, 0]] = True
        given = self._given(takes_part)
        amplitudes = np.where(given[self.slot_sites], self.ties.expand(every), self.values.table)
        values = np.full(len(self.parameters), np.nan)
        values[chosen] = solution.values
        return Fitted(
            parameters=mine, objective=objective, solution=solution, values=values, amplitudes=amplitudes, given=given
        )

    def _means(self, training: NDArray[np.bool_]) -> tuple[FloatArray, NDArray[np.bool_]]:
        """Prior means from the sites of training molecules, and which parameters these feed, shape=(n,) each."""
        weights = training[self.slot_molecules].astype(np.float64)
        unknowns = self.ties.tie(self.values.guess, weights)
        entries = self.ties.matrix.tocoo()
        rows, columns = entries.coords
        fed = np.bincount(columns, weights=weights[rows], minlength=len(self.parameters)) > 0
        means = np.array(unknowns, dtype=np.float64)
        rest = np.flatnonzero(self.parameters.partners >= 0)
        stiff = unknowns[self.parameters.partners[rest]]
        means[rest] = np.divide(unknowns[rest], stiff, out=np.zeros(len(rest)), where=stiff > 0.0)
        return means, fed

    def _given(self, takes_part: NDArray[np.bool_]) -> NDArray[np.bool_]:
        """Sites that have a rule all of whose parameters take part, shape=(n_sites,)."""
        entries = self.ties.matrix.tocoo()
        rows, columns = entries.coords
        lacking = np.zeros(len(self.rules), dtype=bool)
        lacking[self.slot_sites[rows[~takes_part[columns]]]] = True
        found: NDArray[np.bool_] = (self.rules >= 0) & ~lacking
        return found

    def covered(self, sections: Sequence[str]) -> NDArray[np.bool_]:
        """Molecules whose sites of some sections all have a rule, shape=(n_molecules,)."""
        found = np.ones(len(self.statistics), dtype=bool)
        for section in sections:
            sites = self.labelled.sites[section]
            found[sites.molecule_idxs[sites.rule_idxs < 0]] = False
        return found


def _ancestry(edges: IntArray, fed: NDArray[np.bool_]) -> tuple[IntArray, IntArray]:
    """Who takes the value of whom, and who is drawn to whom: in both the ancestor is the nearest that data feed.

    A rule that no data feed is as if it were not there: it would only be a second prior of its parent.

    Args:
        edges: Parameters, child and parent, each child once, shape=(n_edges, 2).
        fed: Whether data feed each parameter, shape=(n,).

    Returns:
        Pairs of a parameter and its ancestor, first of those that no data feed, then of the others, shape=(n, 2) each.
    """
    parents = np.full(len(fed), -1)
    parents[edges[:, 0]] = edges[:, 1]
    ancestors = parents.copy()
    while len(further := np.flatnonzero((ancestors >= 0) & ~fed[ancestors])):
        ancestors[further] = parents[ancestors[further]]
    children = np.flatnonzero(ancestors >= 0)
    pairs = np.column_stack([children, ancestors[children]])
    return pairs[~fed[children]], pairs[fed[children]]
