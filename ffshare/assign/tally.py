"""How often every rule of a scheme is used by some molecules, and where values are missing or guessed.

Tallies of batches of different molecules add up to that of all. Rules that a scheme adds for the molecules at hand
(see `RuleTable.n_added`) are told apart by their ids, so that it does not matter which batch met them first.
"""

from collections.abc import Mapping, Sequence
from dataclasses import replace

import numpy as np

from ffshare.assign.sites import Sites
from ffshare.errors import SchemeError
from ffshare.molecules.ragged import IntArray
from ffshare.records import doc, freeze_arrays, record
from ffshare.rules.append import appended, rows_of
from ffshare.rules.table import RuleTable

VALENCE_AND_VDW = ("Bonds", "Angles", "StretchBends", "ProperTorsions", "ImproperTorsions", "vdW")
# Fixed by construction, never fitted with the rest: counted apart.
APART = ("Constraints",)


def groups_of(sections: Sequence[str]) -> dict[str, list[str]]:
    """The sums that a count shows, and what each is over.

    Args:
        sections: Sections of a scheme in file order.

    Returns:
        Sections, then valence and vdW together, then all, then the sections that are counted apart.

    Example:
        >>> groups_of(["Constraints", "Bonds"])
        {'Bonds': ['Bonds'], 'valence and vdW': ['Bonds'], 'all': ['Bonds'], 'Constraints': ['Constraints']}
    """
    summed = [name for name in sections if name not in APART]
    groups = {name: [name] for name in summed}
    groups["valence and vdW"] = [name for name in summed if name in VALENCE_AND_VDW]
    groups["all"] = summed
    return groups | {name: [name] for name in sections if name in APART}


@record
class SectionTally:
    """How often the rules of one section are used."""

    n_sites: IntArray = doc("sites of each rule, shape=(n_rules,)")
    n_molecules: IntArray = doc("molecules in which each rule has a site, shape=(n_rules,)")
    n_guessed: IntArray = doc("sites of each rule whose value a fall-back gave, shape=(n_rules,)")
    n_unassigned: int = doc("sites without a rule")
    added: RuleTable | None = doc("the last of the rules, which were added for these molecules", default=None)

    def __post_init__(self) -> None:
        freeze_arrays(self, n_sites=np.int64, n_molecules=np.int64, n_guessed=np.int64)

    @property
    def n_defined_rules(self) -> int:
        """Rules that the scheme has whatever the molecules."""
        return len(self.n_sites) - (0 if self.added is None else len(self.added))

    def __add__(self, other: "SectionTally") -> "SectionTally":
        added, places = _union(self.added, other.added)
        n_rules = self.n_defined_rules + (0 if added is None else len(added))
        moved = np.concatenate([np.arange(self.n_defined_rules), self.n_defined_rules + places])

        def total(first: IntArray, second: IntArray) -> IntArray:
            summed = np.zeros(n_rules, dtype=np.int64)
            summed[: len(first)] = first
            summed[moved] += second
            return summed

        return SectionTally(
            n_sites=total(self.n_sites, other.n_sites),
            n_molecules=total(self.n_molecules, other.n_molecules),
            n_guessed=total(self.n_guessed, other.n_guessed),
            n_unassigned=self.n_unassigned + other.n_unassigned,
            added=added,
        )


@record
class Tally:
    """How often every rule of a scheme is used by some molecules. Tallies of batches of one scheme add up."""

    n_molecules: int = doc("molecules looked at")
    sections: Mapping[str, SectionTally] = doc("use of the rules by section")
    incomplete: Mapping[str, int] = doc("molecules with a site without a rule or with a guessed value, by sum")

    def __add__(self, other: "Tally") -> "Tally":
        if self._rules() != other._rules():
            raise SchemeError("tallies of different schemes do not add up; add those of one scheme on several batches")
        return Tally(
            n_molecules=self.n_molecules + other.n_molecules,
            sections={name: tally + other.sections[name] for name, tally in self.sections.items()},
            incomplete={name: number + other.incomplete[name] for name, number in self.incomplete.items()},
        )

    def _rules(self) -> dict[str, int]:
        return {name: tally.n_defined_rules for name, tally in self.sections.items()}


def tally(n_molecules: int, sites: Mapping[str, Sites], tables: Mapping[str, RuleTable]) -> Tally:
    """How often each rule is used in an assignment.

    Args:
        n_molecules: Molecules of the batch.
        sites: Its sites by section.
        tables: Rules by section.

    Returns:
        Its tally.
    """
    lacking = {
        name: np.unique(found.molecule_idxs[(found.rule_idxs < 0) | found.guessed]) for name, found in sites.items()
    }
    return Tally(
        n_molecules=n_molecules,
        sections={name: _of_section(found, tables[name]) for name, found in sites.items()},
        incomplete={
            label: len(np.unique(np.concatenate([np.zeros(0, dtype=np.int64), *(lacking[name] for name in names)])))
            for label, names in groups_of(list(sites)).items()
        },
    )


def _of_section(found: Sites, table: RuleTable) -> SectionTally:
    n_rules = len(table)
    used = found.rule_idxs >= 0
    rules = found.rule_idxs[used]
    # One number for each (molecule, rule) that has a site.
    pairs = np.unique(found.molecule_idxs[used] * max(n_rules, 1) + rules)
    first_added = n_rules - table.n_added
    return SectionTally(
        n_sites=np.bincount(rules, minlength=n_rules),
        n_molecules=np.bincount(pairs % max(n_rules, 1), minlength=n_rules),
        n_guessed=np.bincount(found.rule_idxs[used & found.guessed], minlength=n_rules),
        n_unassigned=int(len(found) - used.sum()),
        added=rows_of(table, np.arange(first_added, n_rules)) if table.n_added else None,
    )


def _union(first: RuleTable | None, second: RuleTable | None) -> tuple[RuleTable | None, IntArray]:
    """The added rules of both, and where those of the second stand among them."""
    if second is None:
        return first, np.zeros(0, dtype=np.int64)
    if first is None:
        return second, np.arange(len(second))
    place_of = {rule_id: place for place, rule_id in enumerate(first.ids)}
    new = [row for row, rule_id in enumerate(second.ids) if rule_id not in place_of]
    place_of |= {second.ids[row]: len(first) + place for place, row in enumerate(new)}
    both = appended(first, rows_of(second, np.array(new, dtype=np.int64)))
    return replace(both, n_added=len(both)), np.array([place_of[rule_id] for rule_id in second.ids], dtype=np.int64)
