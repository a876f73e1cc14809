"""The tables of a force field: rules in file order, with their values.

A `RuleTable` holds one section (SMIRNOFF's name of it: ``Bonds``, ``ProperTorsions``, …). Its rules stand in file
order, several files appended, and the last rule that matches wins. Values are ragged: a bond has one ``k``, a proper
torsion one ``k`` a term, a library charge one ``charge`` a tagged atom. Each `Column` therefore names, for every
value, the rule and the term that it belongs to.
"""

from collections.abc import Mapping

import numpy as np
from numpy.typing import NDArray

from ffshare.records import doc, freeze_arrays, record

# The setting `values` of sections whose values say nothing by themselves: a fit is to start from them.
STARTING_VALUES = "starting values"


@record
class Column:
    """The values of one attribute of the rules of a section, one entry per (rule, term), rule-major."""

    name: str = doc("attribute without its index: k, length, angle, phase, epsilon, charge, …")
    unit: str = doc("unit of the values in ffshare's internal units: kcal/mol, Å, rad, e; '' for pure numbers")
    values: NDArray[np.float64] = doc("values [unit], shape=(n_entries,)")
    rule_idxs: NDArray[np.int64] = doc("rule of each entry, an index into the rules of the table, shape=(n_entries,)")
    terms: NDArray[np.int64] = doc("term of each entry within its rule, from 0, shape=(n_entries,)")
    free: bool = doc(
        "whether a fit could move these numbers; periodicity, phase and idivf are structure and are not free"
    )

    def __post_init__(self) -> None:
        freeze_arrays(self, values=np.float64, rule_idxs=np.int64, terms=np.int64)
        if not self.values.shape == self.rule_idxs.shape == self.terms.shape:
            raise ValueError(f"column {self.name}: values, rule_idxs and terms differ in length")


@record
class RuleTable:
    """The rules of one section of a force field, in the order in which later ones win."""

    section: str = doc("SMIRNOFF's name of the section")
    ids: tuple[str, ...] = doc(
        "rule ids, n_rules of them; the pattern where the file gives none; a file may repeat one"
    )
    patterns: tuple[str, ...] = doc("SMIRKS of the rules as written in the file")
    columns: Mapping[str, Column] = doc("values by attribute name")
    lines: tuple[int, ...] = doc("line of each rule in its file, from 1; 0 where it has none")
    sources: tuple[str, ...] = doc("file of each rule")
    attributes: tuple[Mapping[str, str], ...] = doc("every attribute of each rule as text, cosmetic ones included")
    settings: Mapping[str, str] = doc("attributes of the section itself: version, potential, default_idivf, …")
    names: tuple[str, ...] = doc(
        "name attribute of a rule where the section has one (virtual sites), else ''", default=()
    )
    n_added: int = doc("rules at the end that no file holds: made for the molecules at hand", default=0)
    n_effective: int | None = doc(
        "free numbers that no published formula gives, with the constants of the formula; None where there is none",
        default=None,
    )
    n_combinations: int | None = doc(
        "combinations of atom types that could need a rule; None where rules are not looked up by atom types",
        default=None,
    )

    def __post_init__(self) -> None:
        if not self.names:
            object.__setattr__(self, "names", ("",) * len(self.ids))
        lengths = {len(f) for f in (self.ids, self.patterns, self.lines, self.sources, self.attributes, self.names)}
        if lengths != {len(self.ids)}:
            raise ValueError(f"{self.section}: ids, patterns, lines, sources, attributes and names differ in length")

    def __len__(self) -> int:
        return len(self.ids)


@record
class ForceField:
    """Sections of rules that belong together, as loaded from one or several files."""

    name: str = doc("name it was asked for by")
    tables: Mapping[str, RuleTable] = doc("sections by SMIRNOFF name, in file order")
    checksums: Mapping[str, str] = doc("blake2b checksum of each file, by path")
    mode: str = doc("'compat': as openff-toolkit does; 'spec': as the SMIRNOFF specification says", default="compat")
