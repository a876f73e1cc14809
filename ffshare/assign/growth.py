"""How what a scheme uses grows as molecules are added.

Two things are watched: the parameters that some molecule has used so far, and, of schemes that look rules up by atom
types, the *gaps*: combinations of types that some molecule has shown and that no rule of the scheme names, so that a
wildcard or a fall-back stood in or the value is missing. New molecules bring new combinations long after they have
stopped to bring new chemistry: the combinatorial explosion of atom types.
"""

from collections.abc import Mapping

import numpy as np

from ffshare.assign.assignment import Assignment
from ffshare.assign.count import parameters_of_rules
from ffshare.assign.sites import Sites
from ffshare.assign.tally import APART
from ffshare.molecules.ragged import IntArray
from ffshare.records import doc, record
from ffshare.rules.table import RuleTable

# How ids of looked-up rules write "any type": X in GAFF, 0 in MMFF94.
_ANY_TYPE = frozenset({"X", "0"})
_TYPE_BITS = 12

Gap = tuple[str, tuple[str, ...]]
"""A section and a combination of types in it."""


@record
class Growth:
    """The first molecule that uses each rule, and that shows each gap. Those of batches in order add up."""

    n_molecules: int = doc("molecules looked at")
    first_uses: Mapping[tuple[str, str], tuple[int, int]] = doc(
        "by section and rule id: the first molecule, from 0, that uses the rule, and the parameters it holds"
    )
    first_gaps: Mapping[Gap, int] = doc("by section and combination of types: the first molecule that shows it")

    def __add__(self, other: "Growth") -> "Growth":
        moved = self.n_molecules
        uses = {key: (first + moved, number) for key, (first, number) in other.first_uses.items()}
        gaps = {key: first + moved for key, first in other.first_gaps.items()}
        return Growth(
            n_molecules=moved + other.n_molecules,
            first_uses=uses | dict(self.first_uses),
            first_gaps=gaps | dict(self.first_gaps),
        )

    def parameters(self) -> IntArray:
        """Parameters used by the first 0, 1, …, n molecules, shape=(n_molecules + 1,)."""
        return self._summed(list(self.first_uses.values()))

    def gaps(self) -> IntArray:
        """Gaps shown by the first 0, 1, …, n molecules, shape=(n_molecules + 1,)."""
        return self._summed([(first, 1) for first in self.first_gaps.values()])

    def _summed(self, firsts: list[tuple[int, int]]) -> IntArray:
        added = np.zeros(self.n_molecules + 1, dtype=np.int64)
        for first, number in firsts:
            added[first + 1] += number
        return np.cumsum(added)


def growth(assignment: Assignment) -> Growth:
    """How the parameters and the gaps of a scheme grow over the molecules of a batch.

    Args:
        assignment: What the scheme gave to the batch. Constraints and values made by a fall-back are left out.

    Returns:
        The growth in the order of the batch.

    Example:
        >>> import ffshare
        >>> scheme = ffshare.load_scheme("openff-2.2.1")
        >>> growth(scheme.assign(ffshare.from_smiles("CC", "CCC", "CCO"))).parameters().tolist()[:3]
        [0, 13, 14]
    """
    uses: dict[tuple[str, str], tuple[int, int]] = {}
    gaps: dict[Gap, int] = {}
    for section, table in assignment.tables.items():
        sites = assignment.sites[section]
        if section in APART:
            continue
        made = sites.guessed & (sites.rule_idxs >= len(table) - table.n_added)
        own = np.flatnonzero((sites.rule_idxs >= 0) & ~made)
        parameters = parameters_of_rules(table).tolist()
        rules, firsts = _first_of_each(sites.rule_idxs[own], sites.molecule_idxs[own])
        uses |= {
            (section, table.ids[rule]): (first, parameters[rule])
            for rule, first in zip(rules.tolist(), firsts.tolist(), strict=True)
        }
        if table.n_combinations is not None and sites.atom_idxs.shape[1] > 1:
            gaps |= _gaps(section, sites, table, assignment)
    return Growth(n_molecules=assignment.batch.n_molecules, first_uses=uses, first_gaps=gaps)


def _gaps(section: str, sites: Sites, table: RuleTable, assignment: Assignment) -> dict[Gap, int]:
    named = np.array([_ANY_TYPE.isdisjoint(rule_id.split(":")[-1].split("-")) for rule_id in (*table.ids, "X")])
    lacking = np.flatnonzero(~named[sites.rule_idxs] | sites.guessed)
    names = assignment.tables["vdW"].ids
    type_of_atom = np.full(assignment.batch.n_atoms, len(names), dtype=np.int64)
    typed = assignment.sites["vdW"]
    type_of_atom[typed.atom_idxs[:, 0]] = np.where(typed.rule_idxs < 0, len(names), typed.rule_idxs)
    types = type_of_atom[sites.atom_idxs[lacking]]
    if section == "ImproperTorsions":
        types = np.column_stack([np.sort(types[:, [0, 2, 3]], axis=1), types[:, 1]])
        keys = _packed(types)
    else:
        keys = np.minimum(_packed(types), _packed(types[:, ::-1]))
    found, firsts = _first_of_each(keys, sites.molecule_idxs[lacking])
    shifts = _TYPE_BITS * np.arange(types.shape[1])[::-1]
    combinations = (found[:, None] >> shifts) & ((1 << _TYPE_BITS) - 1)
    texts = (*names, "?")
    return {
        (section, tuple(texts[one] for one in row)): first
        for row, first in zip(combinations.tolist(), firsts.tolist(), strict=True)
    }


def _packed(types: IntArray) -> IntArray:
    packed = np.zeros(len(types), dtype=np.int64)
    for column in types.T:
        packed = (packed << _TYPE_BITS) | column
    return packed


def _first_of_each(keys: IntArray, molecules: IntArray) -> tuple[IntArray, IntArray]:
    """The distinct keys, and the lowest molecule of each; molecules ascend."""
    distinct, places = np.unique(keys, return_index=True)
    return distinct, molecules[places]
