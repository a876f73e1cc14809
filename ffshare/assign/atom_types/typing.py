"""Atom types of a batch: ordered typing rules, of which the first match wins, then the signs of pair types.

The rules run on the engine of the SMIRKS force fields, in which the last match wins; so they are handed over in
reverse. Most ask about the atom alone and are decided once for every class of atoms; the rest look at neighbours.
"""

from dataclasses import replace
from typing import Any

import numpy as np

from ffshare.assign.atom_types.pair_types import pair_signs
from ffshare.assign.atom_types.typed_atoms import TypedAtoms
from ffshare.assign.atom_types.typing_rules import TypingRules
from ffshare.assign.decide import TupleRules
from ffshare.assign.shapes import SHAPES
from ffshare.molecules import GraphBatch
from ffshare.molecules.ragged import IntArray
from ffshare.smirks import ARM_BITS, Annotations, Classes, Classifier


class Typer:
    """Typing rules, compiled once; what is learned about kinds of atoms is kept from batch to batch.

    It pickles as its rules and compiles again where it arrives.
    """

    def __init__(self, rules: TypingRules) -> None:
        """Compile typing rules.

        Args:
            rules: As loaded by `load_typing_rules`.
        """
        self.rules = rules
        patterns = [rule.pattern() for rule in rules.rules]
        self._patterns = [replace(pattern, tagged=pattern.tagged[:1]) for pattern in reversed(patterns)]
        self._compile()
        # The tables below have a last entry for atoms that no rule matches.
        place = {name: idx for idx, name in enumerate(rules.names)}
        partners = {name: partner for pair in rules.pairs for name, partner in pair.partners.items()}
        group_of = {name: idx for idx, pair in enumerate(rules.pairs) for name in pair.partners}
        self._base_of_rule = np.array([*(place[rule.name] for rule in rules.rules), -1])
        self._partner_of = np.array([*(place[partners.get(name, name)] for name in rules.names), -1])
        self._group_of = np.array([*(group_of.get(name, -1) for name in rules.names), -1])

    def _compile(self) -> None:
        self._classifier = Classifier(self._patterns)
        self._rules = TupleRules(SHAPES["vdW"], self._patterns, self._classifier.atom_rows, self._classifier.bond_rows)

    def __reduce__(self) -> tuple[Any, ...]:
        return type(self), (self.rules,)

    def type_atoms(self, batch: GraphBatch, annotations: Annotations) -> IntArray:
        """The rule that gives each atom its type.

        Args:
            batch: The molecules.
            annotations: What the conditions of the rules ask about.

        Returns:
            Index into the rules, −1 where none matches, shape=(n_atoms,).
        """
        found = self._rules.decide(batch, self._perceive(batch, annotations)).rules
        rules: IntArray = (found >= 0) * (len(self._patterns) - found) - 1
        return rules

    def typed_atoms(
        self, batch: GraphBatch, annotations: Annotations, bond_types: IntArray, mode: str = "canonical"
    ) -> TypedAtoms:
        """The type of each atom, pair types resolved.

        Args:
            batch: The molecules.
            annotations: What the conditions of the rules ask about.
            bond_types: AMBER type of each edge, shape=(n_edges,).
            mode: How the signs of pair types are chosen, see `ffshare.assign.atom_types.pair_types`.

        Returns:
            Types before and after signs, the rules that gave them, and the signs.
        """
        rules = self.type_atoms(batch, annotations)
        base_types = self._base_of_rule[rules]
        pairs = pair_signs(batch, self._group_of[base_types], self.rules.pairs, bond_types, mode)
        return TypedAtoms(
            names=self.rules.names,
            types=np.where(pairs.signs < 0, self._partner_of[base_types], base_types),
            base_types=base_types,
            rules=rules,
            signs=pairs.signs,
            components=pairs.components,
            frustrated=pairs.frustrated,
        )

    def every_match(self, batch: GraphBatch, annotations: Annotations) -> tuple[IntArray, IntArray]:
        """Every rule that matches each atom, the losers too.

        Args:
            batch: The molecules.
            annotations: What the conditions of the rules ask about.

        Returns:
            Atoms and rules of the matches, sorted by atom and then rule, so winners first, shape=(n_matches,) each.
        """
        atoms, found = self._rules.every_match(batch, self._perceive(batch, annotations))
        # Sorted by atom and falling rule: turn the matches of each atom round.
        order = (atoms * len(self._patterns) + (len(self._patterns) - 1 - found)).argsort()
        return atoms[order], (len(self._patterns) - 1 - found)[order]

    def _perceive(self, batch: GraphBatch, annotations: Annotations) -> Classes:
        if self._classifier.n_arms >= 1 << (ARM_BITS - 1):  # what was learned would soon not fit its keys
            self._compile()
        return self._classifier.classify(batch, annotations)
