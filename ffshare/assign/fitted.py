"""A scheme with other values: the sharing of one scheme, the numbers of a table.

This is what a fit makes of a scheme whose rules stand in no file: which sites share is decided as before, and the rules
that the table names have its values.
"""

from collections.abc import Callable, Iterable, Mapping, Sequence
from dataclasses import replace
from pathlib import Path

from ffshare.assign.assignment import Assignment
from ffshare.assign.contract import Scheme
from ffshare.assign.explain import Explanation
from ffshare.data_files import checksum
from ffshare.errors import Fault, RuleFileError
from ffshare.molecules import GraphBatch
from ffshare.rules.table import RuleTable
from ffshare.rules.value_table import Key, is_value_table, read_values, values_of, with_values


class FittedScheme:
    """A scheme whose rules have the values of a table; rules that the table does not name keep theirs."""

    def __init__(self, name: str, base: Scheme, values: Mapping[Key, float], checksums: Mapping[str, str]) -> None:
        """The scheme with other values.

        Args:
            name: What it is asked for by.
            base: The scheme that shares.
            values: Values in internal units by section, rule id, column and term.
            checksums: Checksum of the table's file, by path.
        """
        self.name, self.base, self.values = name, base, values
        self._checksums = dict(checksums)
        self._tables = with_values(base.tables, values)

    @classmethod
    def load(cls, path: str | Path, load: Callable[[str], Scheme]) -> "FittedScheme":
        """The scheme of a table of values.

        Args:
            path: As `ffshare.rules.value_table.write_values` makes it.
            load: From the name of a scheme to the scheme.

        Returns:
            The scheme.

        Raises:
            RuleFileError: The file is faulty, or its units are not those of the scheme.
        """
        table = read_values(path)
        if is_value_table(table.scheme):
            raise RuleFileError(str(path), [Fault(f"{table.scheme} is a table of values too; expected a scheme", 1)])
        base = load(table.scheme)
        units = values_of(base.name, base.tables).units
        faults = []
        for (section, column), unit in table.units.items():
            expected = units.get((section, column), "no such column")
            if unit != expected:
                faults.append(Fault(f"{section} {column}: has the unit {unit!r}; expected {expected!r}"))
        if faults:
            raise RuleFileError(str(path), faults)
        return cls(str(path), base, table.values, {str(path): checksum(Path(path))})

    @property
    def tables(self) -> Mapping[str, RuleTable]:
        """Rules by section."""
        return self._tables

    @property
    def checksums(self) -> Mapping[str, str]:
        """Checksum of every file that the scheme was made from, by path."""
        return {**self.base.checksums, **self._checksums}

    @property
    def explained(self) -> Sequence[str]:
        """Sections that it can explain."""
        return self.base.explained

    def assign(self, batch: GraphBatch) -> Assignment:
        """The sites of a batch and the rule of each, as the base has them, with the values of the table.

        Args:
            batch: The molecules.

        Returns:
            The assignment.
        """
        given = self.base.assign(batch)
        known = self.base.tables
        made = {name: table for name, table in given.tables.items() if table is not known.get(name)}
        tables = {name: self._tables[name] for name in given.tables if name not in made} | with_values(
            made, self.values
        )
        return replace(given, scheme=self.name, tables={name: tables[name] for name in given.tables})

    def explanations(self, batch: GraphBatch, section: str) -> Iterable[Explanation]:
        """Why each term of a section got its rule, as the base says."""
        return self.base.explanations(batch, section)
