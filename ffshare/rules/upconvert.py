"""Old files, in the form of SMIRNOFF 0.1 and 0.2, brought to the form of 0.3 by openff-toolkit.

The old forms name units once for a section (``length_unit="angstroms"``) and keep impropers among the propers.
openff-toolkit knows every such rule, so its own converters do the work; the lines of the file are kept beside them.
Only rules with old forms need the toolkit and wait for its import.
"""

import logging
from collections import Counter
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from typing import Any

from ffshare.errors import Fault, MissingDependencyError, RuleFileError
from ffshare.rules.document import RawRule, RawSection, RuleDocument
from ffshare.rules.sections import value_key

OLD_VERSIONS = ("0.1", "0.2")

# Old names of sections, to pair rules with their lines; the converters rename them.
_RENAMED = {
    "HarmonicBondForce": "Bonds",
    "HarmonicAngleForce": "Angles",
    "PeriodicTorsionForce": "ProperTorsions",
    "NonbondedForce": "vdW",
}

_Converter = Callable[[dict[str, Any]], dict[str, Any]]


def upconvert(document: RuleDocument) -> RuleDocument:
    """An old file in the form of SMIRNOFF 0.3.

    Args:
        document: A file in the form of 0.1 or 0.2.

    Returns:
        The same rules with their lines. Sections that the converter adds have line 0. Cosmetic attributes are
        unchanged.

    Raises:
        MissingDependencyError: openff-toolkit is not installed.
        RuleFileError: The file lacks what its version demands.
    """
    converters = _converters()
    names = Counter(section.name for section in document.sections)
    repeated = [section for section in document.sections if names[section.name] > 1]
    if repeated:
        faults = [
            Fault(f"section {s.name} comes {names[s.name]} times; write its rules into one", s.line) for s in repeated
        ]
        raise RuleFileError(document.path, [*document.faults, *faults])
    data = {"SMIRNOFF": {"version": document.version} | {s.name: _as_dict(s) for s in document.sections}}
    try:
        with _quiet_converters():
            for converter in converters[OLD_VERSIONS.index(document.version) :]:
                data = converter(data)
        sections = tuple(_sections(document, data["SMIRNOFF"]))
    except (KeyError, AttributeError, TypeError, ValueError, AssertionError) as error:
        message = f"openff-toolkit cannot bring this SMIRNOFF {document.version} file to 0.3: it stumbles over {error}"
        raise RuleFileError(document.path, [*document.faults, Fault(message)]) from None
    return RuleDocument(
        path=document.path,
        version="0.3",
        aromaticity_model=document.aromaticity_model,
        sections=sections,
        line=document.line,
        faults=document.faults,
    )


def _converters() -> tuple[_Converter, _Converter]:
    try:
        from openff.toolkit.utils import utils  # optional and slow to import: only old files need it
    except ImportError as error:
        raise MissingDependencyError(
            'files in the form of SMIRNOFF 0.1 and 0.2 need openff-toolkit: pip install "ffshare[openff]"'
        ) from error
    return utils.convert_0_1_smirnoff_to_0_2, utils.convert_0_2_smirnoff_to_0_3


@contextmanager
def _quiet_converters() -> Iterator[None]:
    """The converters log each default that they fill in; the defaults can be read in the settings of the tables."""
    logger = logging.getLogger("openff.toolkit.utils.utils")

    def refuse(_: logging.LogRecord) -> bool:
        return False

    logger.addFilter(refuse)
    try:
        yield
    finally:
        logger.removeFilter(refuse)


def _as_dict(section: RawSection) -> dict[str, Any]:
    rules: dict[str, list[dict[str, str]]] = {}
    for rule in section.rules:
        rules.setdefault(rule.element, []).append(dict(rule.attributes))
    return {**section.settings, **rules}


def _sections(document: RuleDocument, data: dict[str, Any]) -> list[RawSection]:
    """The converted sections, in file order, those that the converter added last."""
    originals: dict[tuple[str, str], list[RawRule]] = {}
    lines: dict[str, int] = {}
    for section in document.sections:
        name = _RENAMED.get(section.name, section.name) if document.version == "0.1" else section.name
        lines[name] = section.line
        for rule in section.rules:
            home = "ImproperTorsions" if (document.version, rule.element) == ("0.1", "Improper") else name
            originals.setdefault((home, rule.element), []).append(rule)
            lines.setdefault(home, section.line)
    sections = [
        RawSection(
            name=name,
            settings={key: str(value) for key, value in content.items() if not isinstance(value, list)},
            rules=tuple(_rules(name, content, originals)),
            line=lines.get(name, 0),
        )
        for name, content in data.items()
        if isinstance(content, dict)
    ]
    return sorted(sections, key=lambda section: (section.line == 0, section.line))


def _rules(section: str, content: dict[str, Any], originals: dict[tuple[str, str], list[RawRule]]) -> Iterator[RawRule]:
    for element, converted in content.items():
        if isinstance(converted, list):
            for original, attributes in zip(originals[section, element], converted, strict=True):
                # Values get their units; the converter takes any attribute that begins like one for a value, so the
                # others are put back.
                kept = {
                    key: attributes[key] if value_key(section, key) is not None else text
                    for key, text in original.attributes.items()
                }
                yield RawRule(element=element, attributes=kept, line=original.line)
