"""How many numbers a scheme has, and how many of them some molecules use.

A parameter is a number that a fit could move: force constants, equilibrium lengths and angles, torsion barriers, vdW
radii and depths, charges. Periodicity, phase and idivf are structure. Of each section are counted the parameters
*defined*, those *exercised* (some site of these molecules uses their rule), those that are *effective* (no formula of
others), those seen in few molecules, the sites, and the sites without a rule or with a guessed value. Guessed values
are in no other number. The ties of the same assignment (`ffshare.assign.ties`) say the same of a scheme that guesses
nothing: *defined* is their `n_free`, *exercised* their rank.
"""

import dataclasses
from collections.abc import Iterable, Iterator, Mapping, Sequence
from typing import Any

import numpy as np
import pyarrow as pa
from numpy.typing import NDArray

from ffshare.assign.tally import SectionTally, Tally, groups_of
from ffshare.errors import SchemeError
from ffshare.molecules.ragged import IntArray
from ffshare.records import doc, record
from ffshare.rules.append import appended, rows_of
from ffshare.rules.table import STARTING_VALUES, RuleTable

# A parameter seen in fewer molecules than this is called rarely seen.
FEW_MOLECULES = 5

# How many of the defined parameters are effective is said by a published formula that gives the others, or else by
# their distinct values; where values are only there to start a fit from, all count.
BY_FORMULA = "formula"
BY_DISTINCT_VALUES = "distinct values"
# A sum is called after the first of these that some section in it has.
_KINDS = (BY_FORMULA, STARTING_VALUES, BY_DISTINCT_VALUES)

COUNT_SCHEMA = pa.schema(
    [
        ("scheme", pa.string()),
        ("section", pa.string()),
        ("defined", pa.int64()),
        ("exercised", pa.int64()),
        ("effective", pa.int64()),
        ("effective_by", pa.string()),
        ("rarely_seen", pa.int64()),
        ("molecules_per_parameter", pa.float64()),
        ("sites", pa.int64()),
        ("unassigned", pa.int64()),
        ("guessed", pa.int64()),
        ("incomplete_molecules", pa.int64()),
        ("combinations", pa.int64()),
    ]
)


@record
class CountRow:
    """The count of one section, or of several together."""

    section: str = doc("section, or what the sum is over")
    defined: int = doc("parameters in the force field")
    exercised: int = doc("parameters that some site of the molecules uses")
    effective: int = doc(
        "defined parameters but for those that a formula gives within 2 %, with the constants of the formula; without "
        "a formula, distinct values; of starting values, all"
    )
    effective_by: str = doc(
        f"what says which parameters are effective: {BY_FORMULA!r}, {BY_DISTINCT_VALUES!r} or {STARTING_VALUES!r}"
    )
    rarely_seen: int = doc(f"exercised parameters seen in fewer than {FEW_MOLECULES} molecules")
    molecules_per_parameter: float = doc(
        "median number of molecules that an exercised parameter is seen in; NaN without any"
    )
    sites: int = doc("places that need a parameter")
    unassigned: int = doc("of these, places without a rule")
    guessed: int = doc("of these, places whose value a named fall-back gave")
    incomplete_molecules: int = doc("molecules with a place without a rule or with a guessed value")
    combinations: int | None = doc("combinations of atom types that could need a rule; None without atom types")


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


def counts(scheme: str, tables: Mapping[str, RuleTable], use: Tally) -> Counts:
    """The count table of a scheme.

    Args:
        scheme: Its name.
        tables: Its sections; rules that were added for some molecules do not matter.
        use: How often its rules are used.

    Returns:
        Rows for every section, for valence and vdW together, for all, and for the sections counted apart.
    """
    parts = {name: _part(table, use.sections[name]) for name, table in tables.items()}
    rows = tuple(
        _row(label, [parts[name] for name in names], use.incomplete[label])
        for label, names in groups_of(list(tables)).items()
    )
    return Counts(scheme=scheme, n_molecules=use.n_molecules, rows=rows)


@record
class _Part:
    """What one section adds to a count."""

    n_molecules: IntArray = doc("molecules in which each defined parameter is used, shape=(n_parameters,)")
    n_effective: int = doc("defined parameters that no formula or other value gives")
    effective_by: str = doc("what says so")
    n_sites: int = doc("places that need a parameter")
    n_unassigned: int = doc("places without a rule")
    n_guessed: int = doc("places with a guessed value")
    n_combinations: int | None = doc("possible combinations of atom types")


def _part(table: RuleTable, use: SectionTally) -> _Part:
    defined = rows_of(table, np.arange(use.n_defined_rules)) if table.n_added else table
    whole = defined if use.added is None else appended(defined, use.added)
    # A rule that was made for some molecules and is no guess is what the scheme defines for them.
    is_defined = (np.arange(len(whole)) < use.n_defined_rules) | (use.n_guessed < use.n_sites)
    parameters = np.where(is_defined, parameters_of_rules(whole), 0)
    n_effective, effective_by = table.n_effective, BY_FORMULA
    if whole.settings.get("values") == STARTING_VALUES:
        n_effective, effective_by = int(parameters.sum()), STARTING_VALUES
    elif n_effective is None:
        n_effective, effective_by = _distinct_values(whole, is_defined), BY_DISTINCT_VALUES
    return _Part(
        n_molecules=np.repeat(use.n_molecules, parameters),
        n_effective=n_effective,
        effective_by=effective_by,
        n_sites=int(use.n_sites.sum()) + use.n_unassigned,
        n_unassigned=use.n_unassigned,
        n_guessed=int(use.n_guessed.sum()),
        n_combinations=table.n_combinations,
    )


def _row(label: str, parts: Sequence[_Part], incomplete_molecules: int) -> CountRow:
    molecules = _joined([part.n_molecules for part in parts])
    exercised = molecules[molecules > 0]
    possible = [part.n_combinations for part in parts if part.n_combinations is not None]
    return CountRow(
        section=label,
        defined=len(molecules),
        exercised=len(exercised),
        effective=sum(part.n_effective for part in parts),
        effective_by=next((kind for kind in _KINDS if kind in {part.effective_by for part in parts}), _KINDS[-1]),
        rarely_seen=int((exercised < FEW_MOLECULES).sum()),
        molecules_per_parameter=float(np.median(exercised)) if len(exercised) else float("nan"),
        sites=sum(part.n_sites for part in parts),
        unassigned=sum(part.n_unassigned for part in parts),
        guessed=sum(part.n_guessed for part in parts),
        incomplete_molecules=incomplete_molecules,
        combinations=sum(possible) if possible else None,
    )


def _distinct_values(table: RuleTable, chosen: NDArray[np.bool_]) -> int:
    """Distinct values of the free columns of some rules, column by column."""
    return sum(
        len(np.unique(column.values[chosen[column.rule_idxs]])) for column in table.columns.values() if column.free
    )


def parameters_of_rules(table: RuleTable) -> IntArray:
    """How many free numbers each rule of a section holds, shape=(n_rules,)."""
    free = [column.rule_idxs for column in table.columns.values() if column.free]
    return np.bincount(_joined(free), minlength=len(table))


def _joined(parts: Iterable[NDArray[np.int64]]) -> IntArray:
    return np.concatenate([np.zeros(0, dtype=np.int64), *parts])
