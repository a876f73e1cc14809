"""Parameters of typed atoms: every bond, angle, proper, improper and atom of a batch looked up in the tables.

Terms with the same types, and pair atoms in the same components, are one kind. A kind is decided once, by
`ffshare.assign.atom_types.search`, and remembered from batch to batch; the terms of a batch are numbered by kind and
the decisions handed out, all with array operations. What a batch gets does not depend on the batches before it: rules
that are not in the tables, and texts of fall-backs, are listed for each batch anew, sorted.
"""

from collections.abc import Callable, Mapping
from typing import Any

import numpy as np
from numpy.typing import NDArray

from ffshare.assign.atom_types.definition import AtomTypedForceField
from ffshare.assign.atom_types.impropers import Impropers, find_impropers
from ffshare.assign.atom_types.keys import PairTypes, TermCodes
from ffshare.assign.atom_types.kinds import Decided, Kinds
from ffshare.assign.atom_types.search import Search, Step
from ffshare.assign.atom_types.typed_atoms import TypedAtoms
from ffshare.assign.sites import Coded, Sites
from ffshare.molecules import GraphBatch, tuples
from ffshare.molecules.ragged import IntArray
from ffshare.records import doc, record
from ffshare.rules.table import RuleTable

CANONICAL, ANTECHAMBER = "canonical", "antechamber"

_ATOMS: Mapping[str, Callable[[GraphBatch], IntArray]] = {
    "Bonds": lambda batch: batch.bonds,
    "Angles": lambda batch: tuples.angle_atoms(batch, tuples.angle_edges(batch)),
    "ProperTorsions": lambda batch: tuples.proper_atoms(batch, tuples.proper_edges(batch)),
}
# Sections that are looked up by combinations of types.
LOOKED_UP = (*_ATOMS, "ImproperTorsions")


@record
class LookedUp:
    """The sites of a batch and the tables that they index."""

    sites: Mapping[str, Sites] = doc("sites by section, vdW last")
    tables: Mapping[str, RuleTable] = doc("tables by section; rules that were added for these molecules come last")


class Lookup:
    """Looks up the parameters of typed atoms.

    It pickles as its force field and learns again where it arrives.
    """

    def __init__(self, definition: AtomTypedForceField, partners: Mapping[str, str], mode: str = CANONICAL) -> None:
        """A look-up that has seen nothing.

        Args:
            definition: The force field.
            partners: Pair types: type of sign + to type of sign −.
            mode: ``canonical``: how atoms are numbered decides nothing; ``antechamber``: keys stand for themselves,
                and neighbours of one type in an improper by their numbers.
        """
        self.definition, self.partners, self.mode = definition, dict(partners), mode
        self._is_canonical = mode == CANONICAL
        self._names: tuple[str, ...] | None = None
        self._kinds: dict[str, Kinds] = {}
        self._vdw_rules, self._planar = np.zeros(0, dtype=np.int64), np.zeros(0, dtype=np.bool_)

    def __reduce__(self) -> tuple[Any, ...]:
        return type(self), (self.definition, self.partners, self.mode)

    def find(self, batch: GraphBatch, typed: TypedAtoms) -> LookedUp:
        """The parameters of a batch.

        Args:
            batch: The molecules.
            typed: Types of their atoms.

        Returns:
            Every bond, angle, proper and atom as a site, with rule −1 where neither the tables nor a fall-back give a
            parameter; impropers only where there is one.
        """
        self._know(typed.names)
        sites, tables = {}, {}
        for section in _ATOMS:
            atoms = _ATOMS[section](batch)
            decided = self._kinds[section].decide(typed, atoms)
            sites[section] = _sites(batch, atoms, decided.rules, decided.fallbacks)
            tables[section] = decided.table
        impropers, decided = self._impropers(batch, typed)
        texts = Coded(idxs=decided.fallbacks.idxs[impropers.centres], texts=decided.fallbacks.texts)
        weights = impropers.weights if self._is_canonical else None
        rules = decided.rules[impropers.centres]
        sites["ImproperTorsions"] = _sites(batch, impropers.sites, rules, texts, weights)
        tables["ImproperTorsions"] = decided.table
        sites["vdW"] = _sites(batch, np.arange(batch.n_atoms)[:, None], self._vdw_rules[typed.types])
        tables["vdW"] = self.definition.tables["vdW"]
        return LookedUp(sites=sites, tables=tables)

    def steps(self, batch: GraphBatch, typed: TypedAtoms, section: str) -> list[tuple[Step, ...]]:
        """The keys that are looked up for each site of a section.

        Args:
            batch: The molecules.
            typed: Types of their atoms.
            section: One of `LOOKED_UP`.

        Returns:
            For each site, in the order of `find`: keys in order, the one that gives the parameter last.
        """
        self._know(typed.names)
        if section in _ATOMS:
            return self._kinds[section].steps(typed, _ATOMS[section](batch))
        impropers, _ = self._impropers(batch, typed)
        steps = self._kinds[section].steps(typed, impropers.atoms)
        return [steps[centre] for centre in impropers.centres.tolist()]

    def _impropers(self, batch: GraphBatch, typed: TypedAtoms) -> tuple[Impropers, Decided]:
        """The impropers, without the sites of centres that have no parameter, and what each centre gets."""
        found = find_impropers(batch, typed, self._planar, self._is_canonical)
        decided = self._kinds["ImproperTorsions"].decide(typed, found.atoms)
        kept = decided.rules[found.centres] >= 0
        impropers = Impropers(
            atoms=found.atoms, sites=found.sites[kept], centres=found.centres[kept], weights=found.weights[kept]
        )
        return impropers, decided

    def _know(self, names: tuple[str, ...]) -> None:
        """Get ready for types of these names; what was learned counts for the same names only."""
        if names == self._names:
            return
        definition = self.definition
        codes = TermCodes(names, self._is_canonical)
        search = Search(definition, PairTypes(self.partners, self._is_canonical))
        self._kinds = {section: Kinds(definition.tables[section], codes, search) for section in LOOKED_UP}
        rule_of = {name: rule for rule, name in enumerate(definition.tables["vdW"].ids)}
        # The last entry is for atoms without a type, −1.
        self._vdw_rules = np.array([*(rule_of.get(name, -1) for name in names), -1])
        self._planar = np.array([*(name in definition.improper_centres for name in names), False])
        self._names = names


def _sites(
    batch: GraphBatch,
    atoms: IntArray,
    rules: IntArray,
    fallbacks: Coded | None = None,
    weights: NDArray[np.float64] | None = None,
) -> Sites:
    return Sites(
        atom_idxs=atoms,
        molecule_idxs=batch.atom_molecules[atoms[:, 0]],
        rule_idxs=rules,
        fallbacks=fallbacks if fallbacks is not None and fallbacks.texts else None,
        weights=weights,
    )
