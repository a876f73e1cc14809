"""Rule files in TOML, easier on the eye than offxml: units stand once a section, terms are lists.

The names are SMIRNOFF's. A section is a table, its rules are an array of tables with the name of the XML element, and
what the section says for all its rules stands in the section itself::

    name = "my-rules"
    aromaticity_model = "OEAroModel_MDL"

    [Bonds]
    version = "0.3"
    potential = "harmonic"
    units = { length = "angstrom", k = "kilocalorie/mole/angstrom**2" }

    [[Bonds.Bond]]
    id = "b1"
    smirks = "[#6X4:1]-[#6X4:2]"
    length = 1.526
    k = 620.0

    [ProperTorsions]
    version = "0.3"
    units = { phase = "degree", k = "kilocalorie/mole" }

    [[ProperTorsions.Proper]]
    smirks = "[*:1]-[#6X4:2]-[#8X2:3]-[#1:4]"
    periodicity = [3, 1]
    phase = [0.0, 0.0]
    k = [0.16, 0.25]
    idivf = [1, 1]

A list gives the terms from 1 on, so ``k = [0.16, 0.25]`` is ``k1`` and ``k2`` of an offxml. A number without a unit
of its own has that of the section; a string may bring another (``length = "0.1526 * nanometer"``). Plain values at
the top (name, source, license, …) describe the file.
"""

from collections.abc import Iterator, Mapping
from pathlib import Path
from typing import Any

from ffshare.errors import Fault
from ffshare.rules.document import RawRule, RawSection, RuleDocument
from ffshare.rules.sections import SECTIONS, value_key
from ffshare.rules.toml_text import read_toml_text

_UNITS = "units"


def parse_toml(data: bytes, path: str | Path) -> RuleDocument:
    r"""The sections and rules of a TOML file, as text in the form of SMIRNOFF 0.3.

    Args:
        data: Content of the file.
        path: The file, for messages.

    Returns:
        The document.

    Raises:
        RuleFileError: The content is no TOML.

    Example:
        >>> text = b'[vdW]\nunits = { epsilon = "kcal/mol" }\n[[vdW.Atom]]\nsmirks = "[#1:1]"\nepsilon = 0.0157'
        >>> rule = parse_toml(text, "a.toml").sections[0].rules[0]
        >>> rule.attributes["epsilon"], rule.line
        ('0.0157 * kcal/mol', 3)
    """
    text = read_toml_text(data, path)
    faults: list[Fault] = []
    sections = tuple(_sections(text.content, text.headers, faults))
    if not sections:
        faults.append(Fault("the file has no section; expected tables such as [Bonds] with rules [[Bonds.Bond]]"))
    return RuleDocument(
        path=str(path),
        version="0.3",
        aromaticity_model=_plain(text.content.get("aromaticity_model", "")),
        sections=sections,
        faults=tuple(faults),
    )


def _sections(
    content: Mapping[str, Any], headers: Mapping[str, tuple[int, ...]], faults: list[Fault]
) -> Iterator[RawSection]:
    for name, section in content.items():
        line = headers.get(name, (0,))[0]
        if isinstance(section, list):
            element = SECTIONS[name].element if name in SECTIONS else "…"
            faults.append(
                Fault(f"{name} is a list; expected the table [{name}] with rules [[{name}.{element}]]", line or None)
            )
        if not isinstance(section, dict):
            continue
        units = _units(name, section.get(_UNITS, {}), line, faults)
        settings = {"version": "0.3"}
        rules: list[RawRule] = []
        for key, value in section.items():
            if isinstance(value, list) and all(isinstance(item, dict) for item in value):
                rules += _rules(name, key, value, units, list(headers.get(f"{name}.{key}", ())), faults)
            elif key != _UNITS:
                settings[key] = _plain(value)
        yield RawSection(name=name, settings=settings, rules=tuple(rules), line=line)


def _units(section: str, units: Any, line: int, faults: list[Fault]) -> Mapping[str, str]:
    """The units of a section, as far as they are good."""
    if not isinstance(units, dict):
        faults.append(
            Fault(f"section {section}: units is no table; expected {{ length = 'angstrom', … }}", line or None)
        )
        return {}
    known = [attribute.name for attribute in SECTIONS[section].attributes] if section in SECTIONS else list(units)
    for name, unit in units.items():
        if name not in known:
            message = f"section {section}: units of {name!r}; it holds {', '.join(dict.fromkeys(known))}"
            faults.append(Fault(message, line or None))
        elif not isinstance(unit, str):
            faults.append(Fault(f"section {section}: the unit of {name} is no text", line or None))
    return {name: unit for name, unit in units.items() if isinstance(unit, str)}


def _rules(
    section: str,
    element: str,
    rules: list[dict[str, Any]],
    units: Mapping[str, str],
    lines: list[int],
    faults: list[Fault],
) -> Iterator[RawRule]:
    # Rules that are written in line have no headers; neither line can then be told.
    known = lines if len(lines) == len(rules) else [0] * len(rules)
    for rule, line in zip(rules, known, strict=True):
        attributes: dict[str, str] = {}
        for key, value in rule.items():
            if isinstance(value, dict):
                faults.append(
                    Fault(f"{section} rule: {key} is a table; expected a value or a list of values", line or None)
                )
            elif isinstance(value, list):
                spelled = ((f"{key}{term}", item) for term, item in enumerate(value, start=1))
                attributes |= {name: _text(section, name, item, units) for name, item in spelled}
            else:
                attributes[key] = _text(section, key, value, units)
        yield RawRule(element=element, attributes=attributes, line=line)


def _text(section: str, key: str, value: Any, units: Mapping[str, str]) -> str:
    """A value as an offxml would write it: a number takes the unit that the section gives its attribute."""
    found = value_key(section, key)
    unit = units.get(found.attribute.name, "") if found is not None else ""
    text = _plain(value)
    return f"{text} * {unit}" if unit and isinstance(value, int | float) else text


def _plain(value: Any) -> str:
    """A value as text; Python writes out no whole number of thousands of digits, which 0xfff… can be."""
    try:
        return str(value)
    except ValueError:
        return "a number of thousands of digits"
