"""Writing a force field as a TOML rule file, in the form that `ffshare.rules.toml` reads.

Numbers are written as the file that they came from had them, in its units. Where a value of a column no longer is
what the text of its attribute says, the column counts, in the unit of the text. Defaults that were filled in on
loading are left out.
"""

import json
import re
from collections import Counter
from collections.abc import Iterator, Mapping
from pathlib import Path
from typing import NamedTuple

from ffshare.errors import UnitError
from ffshare.rules.sections import SECTIONS, value_key
from ffshare.rules.table import ForceField, RuleTable
from ffshare.units import in_unit, split_quantity


class _Value(NamedTuple):
    """One value as it will be written."""

    attribute: str
    key: str
    is_term: bool
    number: str
    unit: str


def write_toml(
    force_field: ForceField, path: str | Path, header: str = "", metadata: Mapping[str, str] | None = None
) -> None:
    """Write a force field as one TOML file.

    Args:
        force_field: What to write. Rules from several files stand one after the other.
        path: The file; an existing one is replaced.
        header: Comment for the top of the file, without ``#``.
        metadata: Plain entries for the top of the file, such as its source; the name by default.

    Example:
        >>> import tempfile
        >>> from ffshare.rules import load_force_field
        >>> with tempfile.TemporaryDirectory() as folder:
        ...     write_toml(load_force_field("alkethoh-smirks"), f"{folder}/copy.toml")
        ...     len(load_force_field(f"{folder}/copy.toml").tables["vdW"])
        11
    """
    entries = {"name": force_field.name} if metadata is None else dict(metadata)
    entries["aromaticity_model"] = "OEAroModel_MDL"
    lines = [f"# {line}".rstrip() for line in header.splitlines()]
    lines += [f"{_key(key)} = {_string(value)}" for key, value in entries.items()]
    for table in force_field.tables.values():
        lines += ["", *_section_lines(table)]
    Path(path).write_text("\n".join(lines) + "\n", encoding="utf-8")


def _section_lines(table: RuleTable) -> Iterator[str]:
    values = _values(table)
    units = _common_units(values)
    yield f"[{_key(table.section)}]"
    yield from (f"{_key(key)} = {_string(text)}" for key, text in table.settings.items())
    if units:
        yield f"units = {{ {', '.join(f'{name} = {_string(unit)}' for name, unit in units.items())} }}"
    element = SECTIONS[table.section].element if table.section in SECTIONS else "Rule"
    for rule, attributes in enumerate(table.attributes):
        texts = {key: text for key, text in attributes.items() if value_key(table.section, key) is None}
        yield f"\n[[{_key(table.section)}.{element}]]"
        yield from (f"{key} = {_string(texts.pop(key))}" for key in ("id", "smirks") if key in texts)
        yield from _value_lines(values[rule], units)
        yield from (f"{_key(key)} = {_string(text)}" for key, text in texts.items())


def _values(table: RuleTable) -> list[list[_Value]]:
    """The values of each rule, as its file wrote them or, where a column has changed, as the column has them."""
    current = {
        (column.name, int(rule), int(term)): float(value)
        for column in table.columns.values()
        for rule, term, value in zip(column.rule_idxs, column.terms, column.values, strict=True)
    }
    values: list[list[_Value]] = []
    for rule, attributes in enumerate(table.attributes):
        values.append([])
        for key, text in attributes.items():
            found = value_key(table.section, key)
            if found is None:
                continue
            number, unit = _number_and_unit(text, found.attribute.unit, current.get((found.column, rule, found.term)))
            is_term = found.attribute.form == "terms"
            values[-1].append(_Value(found.attribute.name, found.column if is_term else key, is_term, number, unit))
    return values


def _number_and_unit(text: str, internal_unit: str, value: float | None) -> tuple[str, str]:
    try:
        number, unit = split_quantity(text)
        if value is not None and in_unit(text, internal_unit) != value:
            number = repr(in_unit(f"{value!r} * {internal_unit}" if internal_unit else repr(value), unit))
    except UnitError:
        return _string(text), ""  # no quantity: "auto", "None"
    return number if number.lstrip("-").isdigit() else repr(float(number)), unit


def _common_units(values: list[list[_Value]]) -> dict[str, str]:
    """The unit that most values of each attribute have."""
    units: dict[str, Counter[str]] = {}
    for rule in values:
        for value in rule:
            if value.unit:
                units.setdefault(value.attribute, Counter())[value.unit] += 1
    return {attribute: found.most_common(1)[0][0] for attribute, found in units.items()}


def _value_lines(values: list[_Value], units: Mapping[str, str]) -> Iterator[str]:
    lists: dict[str, list[str]] = {}
    for value in values:
        own_unit = value.unit and value.unit != units[value.attribute]
        text = _string(f"{value.number} * {value.unit}") if own_unit else value.number
        if value.is_term:
            lists.setdefault(value.key, []).append(text)
        else:
            yield f"{_key(value.key)} = {text}"
    yield from (f"{_key(key)} = [{', '.join(texts)}]" for key, texts in lists.items())


def _key(text: str) -> str:
    return text if re.fullmatch(r"[A-Za-z0-9_-]+", text) else json.dumps(text, ensure_ascii=False)


def _string(text: str) -> str:
    """A TOML string, without escapes where that can be: SMIRKS hold backslashes."""
    return f"'{text}'" if text.isprintable() and "'" not in text else json.dumps(text, ensure_ascii=False)
