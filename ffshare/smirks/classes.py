"""Atom classes: each query atom is evaluated once per kind of atom, by RDKit itself.

All atoms of a batch that agree in the fields that the patterns ask about (see `vocabulary`) fall into one *class*;
drug-like molecules show a few hundred. A query is true or false of a class, so it is put to one representative and the
answer is kept for all batches to come. Recursive parts are answered by array matching and become further bits of the
class: level 0 knows fields only, level n + 1 adds the recursive parts of nesting depth n. Bonds have classes too:
order and ring membership. Conditions on annotations are answered by arrays at once; the answers are bits of the class.
"""

from collections.abc import Callable, Iterable, Mapping, Sequence

import numpy as np
from numpy.typing import NDArray
from rdkit import Chem

from ffshare.molecules import GraphBatch
from ffshare.molecules.ragged import IntArray
from ffshare.smirks.annotations import Annotations
from ffshare.smirks.arms import Arms
from ffshare.smirks.conditions import Condition, Requirement, answers_of
from ffshare.smirks.interner import Interner
from ffshare.smirks.join import Classes, Truth, join
from ffshare.smirks.pattern import AtomQuery, Pattern
from ffshare.smirks.vocabulary import DEFAULT_WIDTH, FIELDS, WIDTHS

# Bits of order and ring membership in the word that tells bonds apart.
_PLAIN_BOND_BITS = 8

# What requirements of annotations come to of all atoms, or all edges, of a batch.
Answers = Mapping[Requirement, NDArray[np.bool_]]


class Classifier:
    """Classes for a set of patterns; remembers them from batch to batch."""

    def __init__(self, patterns: Iterable[Pattern]) -> None:
        """A classifier for all queries of some patterns.

        Args:
            patterns: Parsed patterns; those of their recursive parts are found by themselves.
        """
        every = _with_recursive_parts(patterns)
        parts = {part.smarts: part for pattern in every for part in pattern.recursive if part.exact}
        queries = {atom.key: atom for pattern in every for atom in pattern.atoms if atom.fields is not None}
        self._fields = sorted(set().union(*(atom.fields or () for atom in queries.values())))
        n_levels = 1 + max((atom.depth for atom in queries.values()), default=0)
        self._parts = [[part for part in parts.values() if part.depth == level] for level in range(n_levels)]
        self._levels = [
            _AtomLevel([atom for atom in queries.values() if atom.depth <= level]) for level in range(n_levels)
        ]
        self._arms = [Arms() for _ in range(n_levels)]
        self._requirements = _requirements(atom.condition for atom in queries.values())
        self._bonds = _BondLevel(every)

    @property
    def n_arms(self) -> int:
        """Arms seen so far; their keys hold 2**`ARM_BITS` of them."""
        return len(self._arms[-1])

    @property
    def atom_rows(self) -> Mapping[str, int]:
        """Row of each atom query in the truth table of `classify`, by its key; queries without one are undecided."""
        return self._levels[-1].rows

    @property
    def bond_rows(self) -> Mapping[str, int]:
        """Row of each bond query in the truth table of `classify`, by its key."""
        return self._bonds.rows

    def classify(self, batch: GraphBatch, annotations: Annotations | None = None) -> Classes:
        """The classes of a batch.

        Args:
            batch: The molecules.
            annotations: What the conditions of the patterns ask about, where they have any.

        Returns:
            Class of each atom and edge, with what the queries say of the classes.

        Raises:
            ValueError: The annotations lack a name that a condition asks about.
        """
        annotations = annotations or Annotations(atoms={}, edges={})
        edges, bond_truth = self._bonds.classify(batch, annotations)
        answered = answers_of(self._requirements, annotations.atoms, "atoms")
        fields = [(FIELDS[field](batch), WIDTHS.get(field, DEFAULT_WIDTH)) for field in self._fields]
        fields += [(answer.astype(np.int64), 1) for answer in answered.values()]
        classes = self._at_level(0, batch, edges, bond_truth, answered, _packed(fields, batch.n_atoms))
        for level, parts in enumerate(self._parts[:-1], start=1):
            bits = [(_roots_of_matches(part, batch, classes), 1) for part in parts]
            words = [classes.atoms, *_packed(bits, batch.n_atoms)]
            classes = self._at_level(level, batch, edges, bond_truth, answered, words)
        return classes

    def _at_level(
        self,
        level: int,
        batch: GraphBatch,
        edges: IntArray,
        bond_truth: Truth,
        answered: Answers,
        words: Sequence[IntArray],
    ) -> Classes:
        atoms, atom_truth = self._levels[level].classify(batch, words, answered)
        arms, arm_table = self._arms[level].of(batch, atoms, edges)
        return Classes(
            atoms=atoms,
            edges=edges,
            arms=arms,
            arm_table=arm_table,
            arm_counts=np.bincount(arms, minlength=len(arm_table.sources)),
            atom_truth=atom_truth,
            bond_truth=bond_truth,
        )


def _requirements(conditions: Iterable[Condition | None]) -> list[Requirement]:
    return list(
        dict.fromkeys(
            requirement for condition in conditions if condition is not None for requirement in condition.requirements
        )
    )


def _roots_of_matches(part: Pattern, batch: GraphBatch, classes: Classes) -> IntArray:
    found = np.zeros(batch.n_atoms, dtype=np.int64)
    found[join(part, batch, classes)[:, 0]] = 1
    return found


def _with_recursive_parts(patterns: Iterable[Pattern]) -> list[Pattern]:
    found: dict[str, Pattern] = {}
    waiting = list(patterns)
    while waiting:
        pattern = waiting.pop()
        if pattern.smarts not in found:
            found[pattern.smarts] = pattern
            waiting.extend(pattern.recursive)
    return list(found.values())


def _packed(columns: Sequence[tuple[IntArray, int]], n_atoms: int) -> list[IntArray]:
    """Columns of small numbers, each with its width in bits, as few columns of 63-bit words."""
    words = [np.zeros(n_atoms, dtype=np.int64)]
    used = 0
    for values, width in columns:
        if used + width > 63:
            words.append(np.zeros(n_atoms, dtype=np.int64))
            used = 0
        words[-1] |= np.clip(values, 0, (1 << width) - 1) << used
        used += width
    return words


class _Level:
    """Ids for kinds of atoms (or bonds) and the answers of some queries for each kind."""

    def __init__(self, keys: Iterable[str]) -> None:
        self.rows = {key: row for row, key in enumerate(keys)}
        self._interners: list[Interner] = []
        # One column a class; the last row is for queries that no class decides: they may hold of any atom.
        self._matrix = np.ones((len(self.rows) + 1, 0), dtype=bool)

    def ids(self, words: Sequence[IntArray]) -> IntArray:
        """Class ids from the words that tell kinds apart."""
        while len(self._interners) < 2 * len(words):
            self._interners.append(Interner())
        ids = self._interners[0].ids(words[0])
        for place, word in enumerate(words[1:], start=1):
            others = self._interners[2 * place - 1].ids(word)
            ids = self._interners[2 * place].ids((ids << 31) | others)
        return ids

    def learn(self, ids: IntArray, answers: Callable[[IntArray], NDArray[np.bool_]]) -> Truth:
        """Put the queries to one representative of each class not seen before."""
        n_known = self._matrix.shape[1]
        new = np.flatnonzero(ids >= n_known)
        if len(new):
            _, first_seen = np.unique(ids[new], return_index=True)
            self._matrix = np.concatenate([self._matrix, answers(new[first_seen])], axis=1)
        return Truth(rows=self.rows, matrix=self._matrix)


class _AtomLevel(_Level):
    def __init__(self, queries: Sequence[AtomQuery]) -> None:
        super().__init__(query.key for query in queries)
        self._queries = tuple(queries)

    def classify(self, batch: GraphBatch, words: Sequence[IntArray], answered: Answers) -> tuple[IntArray, Truth]:
        ids = self.ids(words)
        return ids, self.learn(ids, lambda atoms: self._answers(batch, atoms, answered))

    def _answers(self, batch: GraphBatch, atoms: IntArray, answered: Answers) -> NDArray[np.bool_]:
        answers = np.ones((len(self._queries) + 1, len(atoms)), dtype=bool)
        molecules = batch.atom_molecules[atoms]
        local_idxs = batch.local_idxs(atoms)
        for molecule_idx in np.unique(molecules).tolist():
            molecule = batch.explicit_molecule(molecule_idx)
            columns = np.flatnonzero(molecules == molecule_idx)
            kinds = [molecule.GetAtomWithIdx(idx) for idx in local_idxs[columns].tolist()]
            for row, query in enumerate(self._queries):
                if query.depth:
                    hits = {match[0] for match in molecule.GetSubstructMatches(query.single, maxMatches=2**31 - 1)}
                    answers[row, columns] = [atom.GetIdx() in hits for atom in kinds]
                else:
                    asked = query.single.GetAtomWithIdx(0)
                    answers[row, columns] = [asked.Match(atom) for atom in kinds]
        for row, query in enumerate(self._queries):
            if query.condition is not None:
                answers[row] &= query.condition.holds(lambda requirement: answered[requirement][atoms])
        return answers


class _BondLevel(_Level):
    def __init__(self, patterns: Sequence[Pattern]) -> None:
        queries: Mapping[str, Chem.Bond] = {
            key: bond
            for pattern in patterns
            for (_, _, key), bond in zip(pattern.bonds, pattern.query.GetBonds(), strict=True)
        }
        super().__init__(queries)
        self._queries = tuple(queries.values())
        conditions = {key: condition for pattern in patterns for key, condition in pattern.bond_conditions.items()}
        self._conditions = {self.rows[key]: condition for key, condition in conditions.items()}
        self._requirements = _requirements(conditions.values())

    def classify(self, batch: GraphBatch, annotations: Annotations) -> tuple[IntArray, Truth]:
        answered = answers_of(self._requirements, annotations.edges, "edges")
        word = batch.orders * 2 + batch.in_ring
        for place, answer in enumerate(answered.values()):
            word = word | (answer.astype(np.int64) << (_PLAIN_BOND_BITS + place))
        ids = self.ids([word])
        return ids, self.learn(ids, lambda edges: self._answers(batch, edges, answered))

    def _answers(self, batch: GraphBatch, edges: IntArray, answered: Answers) -> NDArray[np.bool_]:
        answers = np.ones((len(self._queries) + 1, len(edges)), dtype=bool)
        for column, edge in enumerate(edges.tolist()):
            source, target = batch.sources[edge], batch.targets[edge]
            molecule = batch.explicit_molecule(int(batch.atom_molecules[source]))
            ends = batch.local_idxs(np.array([source, target])).tolist()
            bond = molecule.GetBondBetweenAtoms(*ends)
            answers[:-1, column] = [query.Match(bond) for query in self._queries]
        for row, condition in self._conditions.items():
            answers[row] &= condition.holds(lambda requirement: answered[requirement][edges])
        return answers
