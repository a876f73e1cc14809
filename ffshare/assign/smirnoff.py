"""SMIRNOFF force fields as a scheme: direct chemical perception by ordered SMIRKS rules, the last match wins."""

from collections.abc import Iterator, Mapping
from typing import Any

import numpy as np

from ffshare.assign.assignment import Assignment
from ffshare.assign.charges import MATCHED_SECTIONS
from ffshare.assign.decide import TupleRules
from ffshare.assign.explain import Explanation, RuleMatch
from ffshare.assign.shapes import SHAPES
from ffshare.assign.sites import COMPLETE_SECTIONS, Sites
from ffshare.molecules import GraphBatch
from ffshare.molecules.ragged import IntArray
from ffshare.rules.table import ForceField, RuleTable
from ffshare.smirks import ARM_BITS, Classes, Classifier, Pattern, parse_pattern


class SmirnoffScheme:
    """A SMIRNOFF force field as a scheme.

    Compiled once, when it is made; what it learns about classes of atoms and combinations of them it keeps from batch
    to batch. It pickles as its force field and compiles again where it arrives.
    """

    def __init__(self, force_field: ForceField) -> None:
        """The scheme of a force field.

        Args:
            force_field: As loaded by `ffshare.rules`.

        Raises:
            PatternError: A pattern does not parse.
        """
        self.name = force_field.name
        self.force_field = force_field
        self.patterns: Mapping[str, tuple[Pattern, ...]] = {
            section: tuple(map(parse_pattern, table.patterns))
            for section, table in force_field.tables.items()
            if section in SHAPES or section in MATCHED_SECTIONS
        }
        self._compile()

    def _compile(self) -> None:
        self._classifier = Classifier(pattern for patterns in self.patterns.values() for pattern in patterns)
        rows = self._classifier.atom_rows, self._classifier.bond_rows
        self._rules = {
            section: TupleRules(SHAPES[section], patterns, *rows)
            for section, patterns in self.patterns.items()
            if section in SHAPES
        }

    def __reduce__(self) -> tuple[Any, ...]:
        return type(self), (self.force_field,)

    @property
    def checksums(self) -> Mapping[str, str]:
        """Checksum of every file of the force field, by path."""
        return self.force_field.checksums

    @property
    def tables(self) -> Mapping[str, RuleTable]:
        """The sections that hold rules, in file order."""
        return {section: self.force_field.tables[section] for section in self.patterns}

    def assign(self, batch: GraphBatch) -> Assignment:
        """The parameters of a batch.

        Args:
            batch: The molecules.

        Returns:
            Sites of every section with the rule of each. In Bonds, Angles, ProperTorsions and vdW every bonded tuple
            is a site, with rule −1 where nothing matches; in the other sections only matched sites are listed.
        """
        classes = self._perceive(batch)
        found = {}
        for section, patterns in self.patterns.items():
            if section in SHAPES:
                decision = self._rules[section].decide(batch, classes)
                atoms, rules = decision.atoms, decision.rules
            else:
                atoms, rules = MATCHED_SECTIONS[section](self.force_field.tables[section], patterns, batch, classes)
            found[section] = _sites(batch, atoms, rules, keep_all=section in COMPLETE_SECTIONS)
        return Assignment(scheme=self.name, batch=batch, sites=found, tables=self.tables)

    def every_match(self, batch: GraphBatch, section: str) -> tuple[IntArray, IntArray, IntArray]:
        """Every rule that matches each tuple of a section, the losers too.

        Args:
            batch: The molecules.
            section: Constraints, Bonds, Angles, ProperTorsions, ImproperTorsions or vdW.

        Returns:
            Atoms of the tuples, shape=(n_tuples, k), and, sorted, the tuple and the rule of every match,
            shape=(n_matches,).
        """
        classes = self._perceive(batch)
        rules = self._rules[section]
        return rules.decide(batch, classes).atoms, *rules.every_match(batch, classes)

    @property
    def explained(self) -> tuple[str, ...]:
        """Sections that it can explain."""
        return tuple(section for section in self.patterns if section in SHAPES)

    def explanations(self, batch: GraphBatch, section: str) -> Iterator[Explanation]:
        """Every rule that matches each term of a section, in file order: the last one wins.

        Args:
            batch: The molecules.
            section: One of `explained`.

        Yields:
            An explanation for each term that has or needs a rule, as the terms stand in the molecules.
        """
        table = self.force_field.tables[section]
        tuples, places, rules = self.every_match(batch, section)
        if not len(tuples):
            return
        starts = np.searchsorted(places, np.arange(len(tuples) + 1))
        molecules = batch.atom_molecules[tuples[:, 0]].tolist()
        for place, row in enumerate(map(tuple, batch.local_idxs(tuples).tolist())):
            matched = rules[starts[place] : starts[place + 1]].tolist()
            if matched or section in COMPLETE_SECTIONS:
                found = tuple(_match(table, rule, matched[-1]) for rule in matched)
                yield Explanation(molecule_idx=molecules[place], section=section, atoms=row, matches=found)

    def _perceive(self, batch: GraphBatch) -> Classes:
        if self._classifier.n_arms >= 1 << (ARM_BITS - 1):  # what was learned would soon not fit its keys: start afresh
            self._compile()
        return self._classifier.classify(batch)


def _match(table: RuleTable, rule: int, winner: int) -> RuleMatch:
    wins = rule == winner
    return RuleMatch(
        rule_idx=rule,
        rule_id=table.ids[rule],
        pattern=table.patterns[rule],
        line=table.lines[rule],
        wins=wins,
        reason="last rule that matches" if wins else f"{table.ids[winner]} comes later and matches too",
    )


def _sites(batch: GraphBatch, atoms: IntArray, rules: IntArray, keep_all: bool) -> Sites:
    if not keep_all:
        atoms, rules = atoms[rules >= 0], rules[rules >= 0]
    molecules = batch.atom_molecules[atoms[:, 0]]
    # Loose patterns append their tuples at the end; the sites of a molecule stay together.
    if np.any(np.diff(molecules) < 0):
        order = np.argsort(molecules, kind="stable")
        atoms, rules, molecules = atoms[order], rules[order], molecules[order]
    return Sites(atom_idxs=atoms, molecule_idxs=molecules, rule_idxs=rules)
