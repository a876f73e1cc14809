"""How many numbers a scheme has, and how many of them some molecules use.

A parameter is a number that a fit could move: force constants, equilibrium lengths and angles, torsion barriers, vdW
radii and depths, charges. Periodicity, phase and idivf are structure. Of each section are counted the parameters
*defined*, those *exercised* (some site of these molecules uses their rule), those seen in few molecules, the sites,
and the sites without a rule. The ties of the same assignment (`ffshare.assign.ties`) say the same: *defined* is their
`n_free`, *exercised* their rank.
"""

import dataclasses
from collections.abc import Iterable, Iterator, Mapping
from typing import Any

import numpy as np
import pyarrow as pa
from numpy.typing import NDArray

from ffshare.assign.sites import Sites
from ffshare.errors import SchemeError
from ffshare.molecules.ragged import IntArray
from ffshare.records import doc, freeze_arrays, record
from ffshare.rules.table import RuleTable

# A parameter seen in fewer molecules than this is called rarely seen.
FEW_MOLECULES = 5

VALENCE_AND_VDW = ("Bonds", "Angles", "ProperTorsions", "ImproperTorsions", "vdW")
# Fixed by construction, never fitted with the rest: counted apart.
APART = ("Constraints",)


COUNT_SCHEMA = pa.schema(
    [
        ("scheme", pa.string()),
        ("section", pa.string()),
        ("defined", pa.int64()),
        ("exercised", pa.int64()),
        ("rarely_seen", pa.int64()),
        ("molecules_per_parameter", pa.float64()),
        ("sites", pa.int64()),
        ("unassigned", pa.int64()),
    ]
)


@record
class SectionTally:
    """How often the rules of one section are used. Tallies of batches add up."""

    n_sites: IntArray = doc("sites of each rule, shape=(n_rules,)")
    n_molecules: IntArray = doc("molecules in which each rule has a site, shape=(n_rules,)")
    n_unassigned: int = doc("sites without a rule")

    def __post_init__(self) -> None:
        freeze_arrays(self, n_sites=np.int64, n_molecules=np.int64)

    def __add__(self, other: "SectionTally") -> "SectionTally":
        return SectionTally(
            n_sites=self.n_sites + other.n_sites,
            n_molecules=self.n_molecules + other.n_molecules,
            n_unassigned=self.n_unassigned + other.n_unassigned,
        )


@record
class Tally:
    """How often every rule of a scheme is used by some molecules. Tallies of batches of one scheme add up."""

    n_molecules: int = doc("molecules looked at")
    sections: Mapping[str, SectionTally] = doc("use of the rules by section")

    def __add__(self, other: "Tally") -> "Tally":
        if self._rules() != other._rules():
            raise SchemeError("tallies of different schemes do not add up; add those of one scheme on several batches")
        return Tally(
            n_molecules=self.n_molecules + other.n_molecules,
            sections={name: tally + other.sections[name] for name, tally in self.sections.items()},
        )

    def _rules(self) -> dict[str, int]:
        return {name: len(tally.n_sites) for name, tally in self.sections.items()}


@record
class CountRow:
    """The count of one section, or of several together."""

    section: str = doc("section, or what the sum is over")
    defined: int = doc("parameters in the force field")
    exercised: int = doc("parameters that some site of the molecules uses")
    rarely_seen: int = doc(f"exercised parameters seen in fewer than {FEW_MOLECULES} molecules")
    molecules_per_parameter: float = doc(
        "median number of molecules that an exercised parameter is seen in; NaN without any"
    )
    sites: int = doc("places that need a parameter")
    unassigned: int = doc("of these, places without a rule")


@record
class Counts:
    """The count of a scheme on some molecules, section by section and in total."""

    scheme: str = doc("name of the scheme")
    n_molecules: int = doc("molecules counted over")
    rows: tuple[CountRow, ...] = doc("sections in file order, then the sums, then what is counted apart")

    def __getitem__(self, section: str) -> CountRow:
        """The row of a section or sum, by its name.

        Args:
            section: Bonds, …, 'valence and vdW' or 'all'.

        Returns:
            The row.

        Raises:
            SchemeError: There is no such row.

        Example:
            >>> import ffshare
            >>> labels = ffshare.load_scheme("openff-2.2.1").assign(ffshare.from_smiles("CCO"))
            >>> labels.count()["Bonds"].defined, labels.count()["Bonds"].exercised
            (180, 8)
        """
        for row in self.rows:
            if row.section == section:
                return row
        raise SchemeError(f"no count {section!r}; counts of {self.scheme}: {', '.join(row.section for row in self)}")

    def __iter__(self) -> Iterator[CountRow]:
        return iter(self.rows)

    def to_table(self) -> pa.Table:
        """The rows as an Arrow table of `COUNT_SCHEMA`: a column for the scheme, then those of `CountRow`."""
        return pa.Table.from_pylist(self.to_dicts(), schema=COUNT_SCHEMA)

    def to_dicts(self) -> list[dict[str, Any]]:
        """The rows as dictionaries, with the scheme; NaN becomes None, as JSON wants it."""
        rows = []
        for row in self:
            values = {"scheme": self.scheme, **dataclasses.asdict(row)}
            if np.isnan(row.molecules_per_parameter):
                values["molecules_per_parameter"] = None
            rows.append(values)
        return rows


def tally(n_molecules: int, sites: Mapping[str, Sites], tables: Mapping[str, RuleTable]) -> Tally:
    """How often each rule is used in an assignment.

    Args:
        n_molecules: Molecules of the batch.
        sites: Its sites by section.
        tables: Rules by section.

    Returns:
        Its tally. Tallies of batches of different molecules add up to that of all.
    """
    sections = {}
    for name, found in sites.items():
        n_rules = len(tables[name])
        used = found.rule_idxs >= 0
        rules = found.rule_idxs[used]
        # One number for each (molecule, rule) that has a site.
        pairs = np.unique(found.molecule_idxs[used] * max(n_rules, 1) + rules)
        sections[name] = SectionTally(
            n_sites=np.bincount(rules, minlength=n_rules),
            n_molecules=np.bincount(pairs % max(n_rules, 1), minlength=n_rules),
            n_unassigned=int(len(found) - used.sum()),
        )
    return Tally(n_molecules=n_molecules, sections=sections)


def counts(scheme: str, tables: Mapping[str, RuleTable], use: Tally) -> Counts:
    """The count table of a scheme.

    Args:
        scheme: Its name.
        tables: Its sections.
        use: How often its rules are used.

    Returns:
        Rows for every section, for valence and vdW together, for all, and for the sections counted apart.
    """
    summed = [name for name in tables if name not in APART]
    groups = {name: [name] for name in summed}
    groups["valence and vdW"] = [name for name in summed if name in VALENCE_AND_VDW]
    groups["all"] = summed
    groups |= {name: [name] for name in tables if name in APART}
    rows = tuple(_row(label, [(tables[name], use.sections[name]) for name in names]) for label, names in groups.items())
    return Counts(scheme=scheme, n_molecules=use.n_molecules, rows=rows)


def _row(label: str, parts: Iterable[tuple[RuleTable, SectionTally]]) -> CountRow:
    parts = list(parts)
    molecules = _joined([np.repeat(use.n_molecules, parameters_of_rules(table)) for table, use in parts])
    exercised = molecules[molecules > 0]
    return CountRow(
        section=label,
        defined=len(molecules),
        exercised=len(exercised),
        rarely_seen=int((exercised < FEW_MOLECULES).sum()),
        molecules_per_parameter=float(np.median(exercised)) if len(exercised) else float("nan"),
        sites=sum(int(use.n_sites.sum()) + use.n_unassigned for _, use in parts),
        unassigned=sum(use.n_unassigned for _, use in parts),
    )


def parameters_of_rules(table: RuleTable) -> IntArray:
    """How many free numbers each rule of a section holds, shape=(n_rules,)."""
    free = [column.rule_idxs for column in table.columns.values() if column.free]
    return np.bincount(_joined(free), minlength=len(table))


def _joined(parts: Iterable[NDArray[np.int64]]) -> IntArray:
    return np.concatenate([np.zeros(0, dtype=np.int64), *parts])
