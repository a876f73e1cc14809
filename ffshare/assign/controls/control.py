"""Controls: schemes that keep everything of another scheme but which sites share a parameter.

Sites, the terms of each rule and values to start a fit from come from the *base*, any other scheme. A site that the
base leaves without a rule stays without one, and the share of a barrier that a site takes stays as it is.
"""

from abc import ABC, abstractmethod
from collections.abc import Callable, Iterator, Mapping
from dataclasses import replace

from ffshare.assign.assignment import Assignment
from ffshare.assign.contract import Scheme
from ffshare.assign.controls.orient import SECTIONS, centre_second
from ffshare.assign.explain import Explanation, RuleMatch
from ffshare.assign.sites import COMPLETE_SECTIONS, Coded
from ffshare.molecules import GraphBatch
from ffshare.molecules.ragged import IntArray
from ffshare.records import doc, record
from ffshare.rules.table import RuleTable


@record
class Shared:
    """The rules that the sites of one section get."""

    rule_idxs: IntArray = doc("rule of each site; those of sites without a rule do not matter, shape=(n_sites,)")
    table: RuleTable = doc("the rules")
    fallbacks: Coded | None = doc("where values come from that the scheme has none of its own for", default=None)


# From the section, the atoms of its sites (of an improper the centre second), their rules and the table of these.
Sharing = Callable[[str, IntArray, IntArray, RuleTable], Shared]


class Control(ABC):
    """A scheme that shares the sites of a base scheme in its own way.

    Law: the parameters of a molecule do not change when its atoms are renumbered, when molecules are shuffled, when the
    batch is cut differently, or with the number of workers, if those of the base do not.
    """

    # Why a site has its parameter, for `explanations`.
    _reason: str

    def __init__(self, name: str, base: Scheme) -> None:
        self.name = name
        self.base = base

    @property
    @abstractmethod
    def tables(self) -> Mapping[str, RuleTable]:
        """Rules by section, those that are made for the molecules at hand left out."""

    @property
    def checksums(self) -> Mapping[str, str]:
        """Checksum of every file that the scheme was made from, by path."""
        return self.base.checksums

    @property
    def explained(self) -> tuple[str, ...]:
        """Sections that it can explain."""
        return tuple(self.tables)

    @abstractmethod
    def _sharing(self, batch: GraphBatch) -> Sharing:
        """What gives the sites of a section of this batch their rules, given those of the base."""

    def assign(self, batch: GraphBatch) -> Assignment:
        """The parameters of a batch.

        Args:
            batch: The molecules.

        Returns:
            The sites that the base has in Bonds, Angles, ProperTorsions, ImproperTorsions and vdW.
        """
        return self._assigned(batch, self.base.assign(batch))

    def explanations(self, batch: GraphBatch, section: str) -> Iterator[Explanation]:
        """What each term of a section shares its parameter by.

        Args:
            batch: The molecules.
            section: One of `explained`.

        Yields:
            An explanation for each term that has or needs a rule, as the terms stand in the molecules.
        """
        given = self.base.assign(batch)
        found = self._assigned(batch, given)
        sites, table, base_ids = found.sites[section], found.tables[section], given.tables[section].ids
        rows = zip(
            sites.molecule_idxs.tolist(),
            batch.local_idxs(sites.atom_idxs).tolist(),
            sites.rule_idxs.tolist(),
            given.sites[section].rule_idxs.tolist(),
            strict=True,
        )
        for molecule, atoms, rule, base_rule in rows:
            if rule < 0 and section not in COMPLETE_SECTIONS:
                continue
            matches = () if rule < 0 else (self._match(table, rule, base_ids[base_rule]),)
            yield Explanation(molecule_idx=molecule, section=section, atoms=tuple(atoms), matches=matches)

    def _match(self, table: RuleTable, rule: int, base_id: str) -> RuleMatch:
        return RuleMatch(
            rule_idx=rule,
            rule_id=table.ids[rule],
            pattern=table.patterns[rule],
            line=0,
            wins=True,
            reason=f"{self._reason}; {self.base.name} has {base_id} here",
        )

    def _assigned(self, batch: GraphBatch, given: Assignment) -> Assignment:
        share = self._sharing(batch)
        sites, tables = {}, {}
        for section in self.tables:
            old = given.sites[section]
            atoms = centre_second(batch, old.atom_idxs, section)
            shared = share(section, atoms, old.rule_idxs, given.tables[section])
            missing = old.rule_idxs < 0
            rules = shared.rule_idxs.copy()
            rules[missing] = -1
            sites[section] = replace(old, rule_idxs=rules, patterns=None, fallbacks=shared.fallbacks)
            tables[section] = shared.table
        return Assignment(scheme=self.name, batch=batch, sites=sites, tables=tables)


def shared_sections(base: Scheme) -> dict[str, RuleTable]:
    """The sections of a base that a control shares anew, in the order of the base."""
    return {section: table for section, table in base.tables.items() if section in SECTIONS}
