"""Which rule wins which tuple: the last one that matches.

Most patterns are nothing but their tagged atoms and the bonds between them (the *skeleton* of the tuple's shape). They
are decided once for every combination of classes. Patterns with more (branches, rings, stereo) need their skeleton to
fit first, and are then confirmed for the few tuples that no later rule has taken. Patterns whose tagged atoms are not
bonded as the shape is are *loose*: they are matched by themselves and may bring tuples that are no bonded tuple at all.
"""

from collections.abc import Mapping, Sequence

import numpy as np
from numpy.typing import NDArray

from ffshare.assign.shapes import Combinations, Shape
from ffshare.molecules import GraphBatch
from ffshare.molecules.ragged import IntArray
from ffshare.records import doc, record
from ffshare.smirks import Classes, Interner, Pattern, holds, matches


@record
class Decision:
    """Tuples of one section and the rule that won each."""

    atoms: IntArray = doc("atoms of the batch, canonical order, shape=(n_tuples, n_tags)")
    rules: IntArray = doc("index of the winning rule, −1 where none matches, shape=(n_tuples,)")


class TupleRules:
    """The rules of one section that give parameters to atoms, bonds, angles or torsions."""

    def __init__(
        self,
        shape: Shape,
        patterns: Sequence[Pattern],
        atom_rows: Mapping[str, int],
        bond_rows: Mapping[str, int],
    ) -> None:
        """Rules in the order in which later ones win.

        Args:
            shape: What the section is about.
            patterns: A pattern for each rule, with as many tags as the shape has.
            atom_rows: Row of each atom query in the truth tables that `decide` will be given.
            bond_rows: Row of each bond query.
        """
        self._shape, self._patterns = shape, tuple(patterns)
        bonds = [_bonds_between_tags(pattern) for pattern in patterns]
        fitting = [rule for rule, found in enumerate(bonds) if all(frozenset(pair) in found for pair in shape.skeleton)]
        self._loose = [rule for rule in range(len(patterns)) if rule not in set(fitting)]
        self._fitting = np.array(fitting, dtype=np.int64)
        self._plain = np.array([_is_skeleton(patterns[rule], shape) for rule in fitting], dtype=bool)
        self._atom_rows = np.array(
            [[atom_rows.get(patterns[rule].atoms[atom].key, -1) for atom in patterns[rule].tagged] for rule in fitting],
            dtype=np.int64,
        ).reshape(len(fitting), shape.n_tags)
        self._bond_rows = np.array(
            [[bond_rows.get(bonds[rule][frozenset(pair)], -1) for pair in shape.skeleton] for rule in fitting],
            dtype=np.int64,
        ).reshape(len(fitting), len(shape.skeleton))
        self._interner = Interner()
        # Of each combination: the last plain rule that fits; the later rules with more than a skeleton that might, by
        # the order of its atoms.
        self._certain = np.zeros(0, dtype=np.int64)
        self._open = np.zeros((len(shape.orders), int((~self._plain).sum()), 0), dtype=bool)

    def decide(self, batch: GraphBatch, classes: Classes) -> Decision:
        """The winner of every tuple of a batch.

        Args:
            batch: The molecules.
            classes: Their classes.

        Returns:
            All tuples of the shape, and those that loose patterns bring, with their winners.
        """
        edges = self._tuple_edges(batch, classes)
        combinations = self._interner.ids(self._shape.keys(edges, classes))
        self._learn(classes)
        rules = self._certain[combinations]
        atoms = self._shape.atoms(batch, edges)
        undecided = np.flatnonzero(np.any(self._open, axis=(0, 1))[combinations])
        aligned = self._shape.aligned(edges[undecided], atoms[undecided], classes)
        kinds = combinations[undecided]
        for row, rule in reversed(list(enumerate(self._fitting[~self._plain].tolist()))):
            free = np.flatnonzero(rules[undecided] < rule)
            won = free[self._confirmed(rule, self._open[:, row, kinds[free]], batch, classes, aligned[free])]
            rules[undecided[won]] = rule
        return self._with_loose(Decision(atoms=atoms, rules=rules), batch, classes)

    def every_match(self, batch: GraphBatch, classes: Classes) -> tuple[IntArray, IntArray]:
        """All rules that match each tuple, winners and losers.

        Args:
            batch: The molecules.
            classes: Their classes.

        Returns:
            Tuples and rules of the matches, sorted by tuple and then rule: indices into the tuples of `decide`, in its
            order, and into the rules, shape=(n_matches,) each.
        """
        decision = self.decide(batch, classes)
        edges = self._tuple_edges(batch, classes)
        aligned = self._shape.aligned(edges, decision.atoms[: len(edges)], classes)
        distinct, inverse = np.unique(self._shape.keys(edges, classes), return_inverse=True)
        fits_in_order = self._fits(self._shape.combinations(distinct, classes.arm_table), classes)
        fits: NDArray[np.bool_] = np.any(fits_in_order, axis=0)
        found_tuples, found_rules = [np.zeros(0, dtype=np.int64)], [np.zeros(0, dtype=np.int64)]
        for row, rule in enumerate(self._fitting.tolist()):
            held = np.flatnonzero(fits[row, inverse])
            if not self._plain[row] and len(held):
                orders = fits_in_order[:, row, inverse[held]]
                held = held[self._confirmed(rule, orders, batch, classes, aligned[held])]
            found_tuples.append(held)
            found_rules.append(np.full(len(held), rule))
        places = {tuple(row): place for place, row in enumerate(decision.atoms.tolist())} if self._loose else {}
        for rule in self._loose:
            held = np.array([places[row] for row in self._loose_tuples(rule, batch, classes)], dtype=np.int64)
            found_tuples.append(held)
            found_rules.append(np.full(len(held), rule))
        tuples, rules = np.concatenate(found_tuples), np.concatenate(found_rules)
        order = np.lexsort((rules, tuples))
        return tuples[order], rules[order]

    def _tuple_edges(self, batch: GraphBatch, classes: Classes) -> IntArray:
        # Only impropers care: centres that no rule takes have none.
        possible = np.any(classes.atom_truth.matrix[self._atom_rows[:, min(1, self._shape.n_tags - 1)]], axis=0)
        return self._shape.edges(batch, np.flatnonzero(possible[classes.atoms]))

    def _learn(self, classes: Classes) -> None:
        n_known = len(self._certain)
        if len(self._interner) == n_known:
            return
        fits_in_order = self._fits(self._shape.combinations(self._interner.keys(n_known), classes.arm_table), classes)
        fits: NDArray[np.bool_] = np.any(fits_in_order, axis=0)
        plain = np.flatnonzero(self._plain)
        certain = np.full(fits.shape[1], -1, dtype=np.int64)
        if len(plain):
            last = len(plain) - 1 - np.argmax(fits[plain[::-1]], axis=0)
            certain = np.where(fits[plain].any(axis=0), self._fitting[plain[last]], -1)
        rest = np.flatnonzero(~self._plain)
        self._certain = np.concatenate([self._certain, certain])
        still_open = fits_in_order[:, rest] & (self._fitting[rest][:, None] > certain)
        self._open = np.concatenate([self._open, still_open], axis=2)

    def _fits(self, combinations: Combinations, classes: Classes) -> NDArray[np.bool_]:
        """Whether the skeleton of each rule fits each combination, shape=(n_orders, n_fitting, n_combinations)."""
        position_of = {frozenset(pair): place for place, pair in enumerate(self._shape.skeleton)}
        fits = np.ones((len(self._shape.orders), len(self._fitting), len(combinations.atoms)), dtype=bool)
        for fits_so, order in zip(fits, self._shape.orders, strict=True):
            for tag, rows in enumerate(self._atom_rows.T):
                fits_so &= classes.atom_truth.matrix[rows][:, combinations.atoms[:, order[tag]]]
            for pair, rows in zip(self._shape.skeleton, self._bond_rows.T, strict=True):
                position = position_of[frozenset(order[tag] for tag in pair)]
                fits_so &= classes.bond_truth.matrix[rows][:, combinations.bonds[:, position]]
        return fits

    def _confirmed(
        self, rule: int, orders: NDArray[np.bool_], batch: GraphBatch, classes: Classes, atoms: IntArray
    ) -> NDArray[np.bool_]:
        """Which tuples a pattern with more than a skeleton matches, of those whose skeleton fits in some orders."""
        held = np.zeros(len(atoms), dtype=bool)
        for fits, order in zip(orders, self._shape.orders, strict=True):
            rest = np.flatnonzero(fits & ~held)
            if len(rest):
                seeds = atoms[rest][:, order]
                held[rest] = holds(self._patterns[rule], batch, classes, seeds, self._shape.skeleton)
        return held

    def _loose_tuples(self, rule: int, batch: GraphBatch, classes: Classes) -> list[tuple[int, ...]]:
        pattern = self._patterns[rule]
        rows = np.unique(matches(pattern, batch, classes)[:, list(pattern.tagged)], axis=0)
        return sorted({self._canonical(row) for row in map(tuple, rows.tolist())})

    def _canonical(self, row: tuple[int, ...]) -> tuple[int, ...]:
        # The order of the tuple that sorts lowest is the canonical one of every shape.
        return min(tuple(row[place] for place in order) for order in self._shape.orders)

    def _with_loose(self, decision: Decision, batch: GraphBatch, classes: Classes) -> Decision:
        found = [(row, rule) for rule in self._loose for row in self._loose_tuples(rule, batch, classes)]
        if not found:
            return decision
        places = {tuple(row): place for place, row in enumerate(decision.atoms.tolist())}
        rules = decision.rules.tolist()
        extra: list[tuple[int, ...]] = []
        for row, rule in found:
            place = places.setdefault(row, len(places))
            if place == len(rules):
                extra.append(row)
                rules.append(rule)
            rules[place] = max(rules[place], rule)
        atoms = np.concatenate([decision.atoms, np.array(extra, dtype=np.int64).reshape(-1, self._shape.n_tags)])
        return Decision(atoms=atoms, rules=np.array(rules, dtype=np.int64))


def _bonds_between_tags(pattern: Pattern) -> dict[frozenset[int], str]:
    """Key of the query of each bond between two tagged atoms, by the pair of tags."""
    tag_of = {atom: tag for tag, atom in enumerate(pattern.tagged)}
    return {
        frozenset((tag_of[first], tag_of[second])): key
        for first, second, key in pattern.bonds
        if first in tag_of and second in tag_of
    }


def _is_skeleton(pattern: Pattern, shape: Shape) -> bool:
    return pattern.exact and len(pattern.atoms) == shape.n_tags and len(pattern.bonds) == len(shape.skeleton)
