"""From the text of a rule file to its tables, with every fault of the file at once."""

import difflib
from collections.abc import Iterator
from typing import NamedTuple

import numpy as np

from ffshare.errors import Fault, UnitError
from ffshare.rules.document import RawRule, RawSection, RuleDocument
from ffshare.rules.rule import Mode, default_divisor, read_rule
from ffshare.rules.sections import SECTIONS, ValueKey
from ffshare.rules.table import Column, RuleTable

_AROMATICITY_MODEL = "OEAroModel_MDL"


class Tables(NamedTuple):
    """What a file gives. The tables are only good where there is no fault."""

    tables: dict[str, RuleTable]
    """Tables by section, in file order."""
    faults: list[Fault]
    """What is wrong, by line."""


def build_tables(document: RuleDocument, mode: Mode) -> Tables:
    """The tables of a file of rules.

    Args:
        document: The file as written, in the form of SMIRNOFF 0.3.
        mode: ``compat`` or ``spec``, see `ffshare.rules.rule`.

    Returns:
        Tables and faults.

    Example:
        >>> bond = RawRule(element="Bond", attributes={"smirks": "[#6:1]-[#6:2]", "k": "1 * kcal/mol/Å²"}, line=3)
        >>> section = RawSection(name="Bonds", settings={"version": "0.3"}, rules=(bond,), line=2)
        >>> document = RuleDocument(path="a.offxml", version="0.3", aromaticity_model="", sections=(section,))
        >>> [str(fault) for fault in build_tables(document, "compat").faults]
        ["line 3: Bonds rule '[#6:1]-[#6:2]': length or length_bondorder is missing"]
    """
    faults = list(document.faults)
    if document.aromaticity_model not in ("", _AROMATICITY_MODEL):
        message = f"aromaticity_model={document.aromaticity_model!r} is not supported; expected {_AROMATICITY_MODEL!r}"
        faults.append(Fault(message, document.line or None))
    tables: dict[str, RuleTable] = {}
    for section in document.sections:
        section_faults = list(_section_faults(section))
        if section.name in tables:
            section_faults.append("it comes a second time; write its rules into the first")
        faults += [Fault(f"section {section.name}: {message}", section.line or None) for message in section_faults]
        tables[section.name] = _table(section, document.path, mode, faults)
    return Tables(tables, sorted(faults, key=lambda fault: fault.line or 0))


def _section_faults(section: RawSection) -> Iterator[str]:
    known = SECTIONS.get(section.name)
    if known is None:
        # Extensions of plug-ins are kept as text; a slip of the pen is not one.
        close = difflib.get_close_matches(section.name, SECTIONS, n=1, cutoff=0.8)
        if close:
            yield f"unknown; did you mean {close[0]}?"
        return
    version = section.settings.get("version")
    # openff-toolkit takes the newest version where vdW, and only vdW, gives none.
    if version is None and section.name != "vdW":
        yield f"version is missing; expected one of {', '.join(known.versions)}"
    elif version is not None and version not in known.versions:
        yield f"version={version!r} is not supported; expected one of {', '.join(known.versions)}"
    potential = section.settings.get("potential")
    if known.potentials and potential is not None and potential not in known.potentials:
        yield f"potential={potential!r} is not supported; expected one of {', '.join(known.potentials)}"


def _label(rule: RawRule) -> str:
    return rule.attributes.get("id") or rule.attributes.get("smirks", "")


def _table(section: RawSection, path: str, mode: Mode, faults: list[Fault]) -> RuleTable:
    """The table of one section; what is wrong with it is added to the faults."""
    divisor = 1.0
    try:
        divisor = default_divisor(section.name, section.settings, mode)
    except UnitError as error:
        faults.append(Fault(f"section {section.name}: default_idivf: {error}", section.line or None))
    known = SECTIONS.get(section.name)
    readings = []
    for rule in section.rules:
        label = _label(rule) if len(_label(rule)) <= 80 else f"{_label(rule)[:79]}…"
        reading = read_rule(section.name, rule.attributes, divisor, mode)
        readings.append(reading.values)
        messages = reading.faults
        if known is not None and rule.element != known.element:
            expected = f"<{known.element}>" if known.element else "no rules"
            messages = [f"it is a <{rule.element}>; {section.name} holds {expected}"]
        faults += [Fault(f"{section.name} rule {label!r}: {m}", rule.line or None) for m in messages]
    default_name = "EP" if section.name == "VirtualSites" else ""
    return RuleTable(
        section=section.name,
        ids=tuple(_label(rule) for rule in section.rules),
        patterns=tuple(rule.attributes.get("smirks", "") for rule in section.rules),
        columns=_columns(section.name, readings),
        lines=tuple(rule.line for rule in section.rules),
        sources=(path,) * len(section.rules),
        attributes=tuple(rule.attributes for rule in section.rules),
        settings=section.settings,
        names=tuple(rule.attributes.get("name", default_name) for rule in section.rules),
    )


def _columns(section: str, readings: list[dict[ValueKey, float]]) -> dict[str, Column]:
    """The values of all rules by column, rule-major; columns in the order of the section's attributes."""
    found: dict[str, list[tuple[int, int, float]]] = {}
    attributes = {}
    for rule_idx, values in enumerate(readings):
        for key, value in values.items():
            found.setdefault(key.column, []).append((rule_idx, key.term, value))
            attributes[key.column] = key.attribute
    order = SECTIONS[section].attributes if section in SECTIONS else ()
    return {
        name: _column(name, attributes[name].unit, attributes[name].free, sorted(found[name]))
        for name in sorted(found, key=lambda name: (order.index(attributes[name]), name))
    }


def _column(name: str, unit: str, free: bool, entries: list[tuple[int, int, float]]) -> Column:
    rule_idxs, terms, values = zip(*entries, strict=True)
    return Column(
        name=name,
        unit=unit,
        values=np.array(values),
        rule_idxs=np.array(rule_idxs),
        terms=np.array(terms),
        free=free,
    )
