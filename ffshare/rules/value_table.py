"""Values of rules as a table of their own: a CSV file with a number a line.

Rules that are made for the molecules at hand, such as those of the schemes ``untied`` and ``hashed``, stand in no file
that could be edited. Their numbers go into a table that names the scheme that makes the rules again::

    # values for untied:openff-2.2.1
    section,rule_id,column,term,value,unit
    Bonds,80b13ba0fe370652:1-2,length,0,1.526,Å

Terms count from 0, units are ffshare's own, and ids are those of the keys of `Assignment.tying`.
"""

import csv
import io
import math
from collections.abc import Mapping
from dataclasses import replace
from pathlib import Path

import numpy as np

from ffshare.errors import Fault, RuleFileError
from ffshare.records import doc, record
from ffshare.rules.content import read_content
from ffshare.rules.rule_ids import distinct_ids
from ffshare.rules.table import RuleTable
from ffshare.whole_files import writing

_HEADER = ("section", "rule_id", "column", "term", "value", "unit")
_MARK = "# values for "

Key = tuple[str, str, str, int]
"""Section, id of the rule, column and term."""


@record
class ValueTable:
    """Values of the rules of a scheme."""

    scheme: str = doc("name of the scheme whose rules these are")
    values: Mapping[Key, float] = doc("values in internal units by section, rule id, column and term")
    units: Mapping[tuple[str, str], str] = doc("unit by section and column")


def values_of(scheme: str, tables: Mapping[str, RuleTable]) -> ValueTable:
    """The free numbers of some tables.

    Args:
        scheme: Name of the scheme that they belong to.
        tables: Rules by section.

    Returns:
        The values.
    """
    values: dict[Key, float] = {}
    units = {}
    for section, table in tables.items():
        ids = distinct_ids(table.ids)
        for name, column in table.columns.items():
            if column.free:
                units[section, name] = column.unit
                entries = zip(column.rule_idxs.tolist(), column.terms.tolist(), column.values.tolist(), strict=True)
                values |= {(section, ids[rule], name, term): value for rule, term, value in entries}
    return ValueTable(scheme=scheme, values=values, units=units)


def with_values(tables: Mapping[str, RuleTable], values: Mapping[Key, float]) -> dict[str, RuleTable]:
    """The tables with other values. Rules that the values do not name keep theirs.

    Args:
        tables: Rules by section.
        values: Values in internal units; those of rules that the tables do not hold do not matter.

    Returns:
        Tables with the same rules.
    """
    found = {}
    sections = {section for section, *_ in values}
    for section, table in tables.items():
        if section not in sections:
            found[section] = table
            continue
        ids = distinct_ids(table.ids)
        columns = {}
        for name, column in table.columns.items():
            entries = zip(column.rule_idxs.tolist(), column.terms.tolist(), column.values.tolist(), strict=True)
            new = [values.get((section, ids[rule], name, term), value) for rule, term, value in entries]
            columns[name] = replace(column, values=np.array(new, dtype=np.float64))
        found[section] = replace(table, columns=columns)
    return found


def write_values(path: str | Path, table: ValueTable) -> None:
    """Write values to a CSV file; it appears whole or not at all.

    Args:
        path: The file.
        table: The values.

    Raises:
        OutputError: The file cannot be written.
    """
    text = io.StringIO()
    text.write(f"{_MARK}{table.scheme}\n")
    writer = csv.writer(text, lineterminator="\n")
    writer.writerow(_HEADER)
    for (section, rule_id, column, term), value in table.values.items():
        writer.writerow((section, rule_id, column, term, repr(float(value)), table.units[section, column]))
    with writing(Path(path)) as unfinished:
        unfinished.write_text(text.getvalue(), encoding="utf-8", newline="")


def is_value_table(path: str | Path) -> bool:
    """Whether a path is that of a table of values.

    Args:
        path: A path, which need not exist.

    Returns:
        Whether its first line says so.
    """
    if Path(path).suffix != ".csv":
        return False
    try:
        with open(path, "rb") as stream:
            return stream.read(len(_MARK)) == _MARK.encode()
    except OSError:
        return False


def read_values(path: str | Path) -> ValueTable:
    """The values of a file.

    Args:
        path: As `write_values` makes it.

    Returns:
        The values.

    Raises:
        RuleFileError: It is no such file, or has faults; all are listed.
    """
    try:
        lines = read_content(path).decode("utf-8").split("\n")
    except UnicodeDecodeError as error:
        raise RuleFileError(str(path), [Fault(f"the file cannot be read: {error}")]) from error
    if not lines[0].startswith(_MARK) or len(lines) < 2 or tuple(lines[1].rstrip("\r").split(",")) != _HEADER:
        expected = f"expected '{_MARK}SCHEME' and then {','.join(_HEADER)}"
        raise RuleFileError(str(path), [Fault(f"no table of values: {expected}", 1)])
    values: dict[Key, float] = {}
    units: dict[tuple[str, str], str] = {}
    faults = []
    rows = csv.reader(lines[2:])
    for row in rows:
        if not row:
            continue
        line = rows.line_num + 2
        try:
            section, rule_id, column, term, number, unit = row
            key, value = (section, rule_id, column, int(term)), float(number)
        except ValueError:
            faults.append(Fault(f"{','.join(row)!r}: expected {','.join(_HEADER)}", line))
            continue
        if not math.isfinite(value):
            faults.append(Fault(f"{section} {rule_id} {column}: {number} is not a finite number", line))
        if key in values:
            faults.append(Fault(f"{section} {rule_id} {column}, term {term}: given twice", line))
        if units.setdefault((section, column), unit) != unit:
            faults.append(
                Fault(f"{section} {column}: has the unit {unit!r} here, {units[section, column]!r} above", line)
            )
        values[key] = value
    if faults:
        raise RuleFileError(str(path), faults)
    return ValueTable(scheme=lines[0].rstrip("\r").removeprefix(_MARK), values=values, units=units)
