"""Checks of the values of rules, of ties for ForceBalance, and of attributes that no section knows ("cosmetic")."""

import re
from collections.abc import Collection, Iterator
from functools import cache

import numpy as np
from numpy.typing import NDArray

from ffshare.errors import UnitError
from ffshare.rules.findings import Check, Finding, finding
from ffshare.rules.parameter_eval import ATTRIBUTE, ParameterEvalError, parse_parameter_eval
from ffshare.rules.sections import SECTIONS, value_key
from ffshare.rules.table import RuleTable
from ffshare.units import parse_unit

_TEXT_ATTRIBUTES = ("smirks", "id", "parent_id", "name", "type", "match")
# Names of the registry of openff-units that are short enough to name parameters, too.
_SHORT_UNITS = frozenset("acdeghklmsuABCDFHJKLMNRSTVW") | {"kB", "k_B", "nan", "NaN", "inf", "pi", "min"}
_WORD = re.compile(r"[^\W\d]\w*")
_SMALL_ANGLE = 1e-6


def _improper_phases(table: RuleTable) -> Iterator[Finding]:
    if table.section != "ImproperTorsions" or "phase" not in table.columns:
        return
    phases = table.columns["phase"]
    for rule in np.unique(phases.rule_idxs[np.abs(np.sin(phases.values)) > _SMALL_ANGLE]).tolist():
        degrees = np.degrees(phases.values[phases.rule_idxs == rule])
        message = (
            f"phase {_numbers(degrees)}°: with another phase than 0° or 180° the energy of an improper depends on how "
            "the atoms of the molecule are numbered; use 0° or 180°"
        )
        yield finding(table, rule, "improper phase", message)


def _divisors(table: RuleTable) -> Iterator[Finding]:
    if "idivf" not in table.columns:
        return
    divisors = table.columns["idivf"]
    # NaN stands for a divisor that depends on the molecule.
    broken = (divisors.values != np.round(divisors.values)) & ~np.isnan(divisors.values)
    for rule in np.unique(divisors.rule_idxs[broken]).tolist():
        values = _numbers(divisors.values[broken & (divisors.rule_idxs == rule)])
        message = f"idivf {values}: openff-interchange cuts it to a whole number on export; put the fraction into k"
        yield finding(table, rule, "idivf", message)


def _numbers(values: NDArray[np.float64]) -> str:
    return ", ".join(f"{value:.6g}" for value in values.tolist())


def _cosmetic_attributes(table: RuleTable) -> Iterator[Finding]:
    for rule, attributes in enumerate(table.attributes if table.section in SECTIONS else ()):
        for name, text in attributes.items():
            if name in (*_TEXT_ATTRIBUTES, ATTRIBUTE) or value_key(table.section, name) is not None:
                continue
            if not text:
                message = f"{name} is empty; some versions of openff-toolkit cannot read that back: leave it out"
                yield finding(table, rule, "cosmetic attribute", message)
            elif _reads_as_quantity(text):
                message = (
                    f"openff-toolkit reads {name}={text!r} as a quantity, as it reads k as the Boltzmann constant, and "
                    "writes that back; use a text that is no unit, such as a list with commas"
                )
                yield finding(table, rule, "cosmetic attribute", message)


def _evaluated_parameters(table: RuleTable) -> Iterator[Finding]:
    """Ties that a file states for ForceBalance."""
    given = {(rule_id, name) for rule_id, rule in zip(table.ids, table.attributes, strict=True) for name in rule}
    for rule, attributes in enumerate(table.attributes):
        if ATTRIBUTE not in attributes:
            continue
        try:
            ties = parse_parameter_eval(attributes[ATTRIBUTE])
        except ParameterEvalError as error:
            yield finding(table, rule, "parameter_eval", f"{error}; it is not run, and ForceBalance would run it")
            continue
        for name, tie in ties.items():
            lacking = [path for path in tie.coefficients if not _gives(given, table.section, path)]
            what = f"refers to {lacking[0]}, which is not in the section" if lacking else f"ties {name} to {tie}"
            message = f"{what}; ffshare does not run it: a fit here moves {name} by itself"
            yield finding(table, rule, "parameter_eval", message)


def _gives(given: Collection[tuple[str, str]], section: str, path: str) -> bool:
    """Whether a section gives a parameter; those of other sections are not looked for."""
    of, _, name, rule_id = path.split("/", maxsplit=3)
    return of != section or (rule_id, name) in given


def _reads_as_quantity(text: str) -> bool:
    """Whether a registry of units makes a quantity of a text; a plain number stays what it is."""
    words = _WORD.findall(text)
    rest = _WORD.sub(" ", text)
    if not re.fullmatch(r"[\d\s.*/+^()\[\],-]*", rest) or re.fullmatch(r"\s*[-+]?\d*\.?\d*\s*", text):
        return False
    # Words are joined where a comma stands between them, which makes names that no registry knows.
    return all(map(_is_unit, words)) and not ("," in text and len(words) > 1)


@cache
def _is_unit(name: str) -> bool:
    if name in _SHORT_UNITS:
        return True
    try:
        parse_unit(name)
    except UnitError:
        return False
    return True


VALUE_CHECKS: tuple[Check, ...] = (_improper_phases, _divisors, _cosmetic_attributes, _evaluated_parameters)
