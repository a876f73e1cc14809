"""One rule from its text: its values in internal units, and everything that is wrong with it.

Attributes that the section does not know ("cosmetic" ones) stay text. Where the reference implementation departs from
the SMIRNOFF specification, the mode decides:

* ``compat``, as openff-toolkit and openff-interchange do: a proper torsion without ``idivf`` is divided by 1 whatever
  ``default_idivf`` says, and ``idivf1="auto"`` is refused.
* ``spec``, as the specification says: ``auto``, given or by default, means (n_j - 1)(n_k - 1) for a proper torsion,
  where n_j and n_k are the bonds of its middle atoms. That depends on the molecule; the column holds NaN for it.

In both modes ``default_idivf="auto"`` is 3 for an improper torsion, the number of its terms, and a fractional
``idivf`` is kept as it is (openff-interchange cuts it to a whole number when it writes systems).
"""

import math
from collections.abc import Mapping
from typing import Literal, NamedTuple

from ffshare.errors import UnitError
from ffshare.rules.patterns import check_pattern
from ffshare.rules.sections import SECTIONS, VIRTUAL_SITES, ValueKey, value_key
from ffshare.units import in_unit

Mode = Literal["compat", "spec"]

_AUTO = "auto"
# A file that asks for term 10**9 has one fault, not a thousand million.
_MAX_TERMS = 100
# An angle below this is in the plane [rad].
_IN_PLANE = 1e-8
# What idivf="auto" stands for; NaN where the molecule decides.
_AUTO_DIVISORS = {"ProperTorsions": math.nan, "ImproperTorsions": 3.0, "AmberImproperTorsions": 1.0}


class Reading(NamedTuple):
    """A rule that has been read. The values are only good where there is no fault."""

    values: dict[ValueKey, float]
    """Value of each column and term, in the unit of the attribute."""
    faults: list[str]
    """What is wrong, in words."""


def read_rule(section: str, attributes: Mapping[str, str], default_divisor: float, mode: Mode) -> Reading:
    """The values of one rule.

    Args:
        section: SMIRNOFF's name of the section.
        attributes: Attributes of the rule as text.
        default_divisor: ``idivf`` of the terms of a torsion that gives none.
        mode: ``compat`` or ``spec``.

    Returns:
        Values and faults.

    Example:
        >>> angle = {"smirks": "[*:1]~[*:2]~[*:3]", "angle": "180 * degree", "k": "100 * kcal/mol/rad²"}
        >>> [(key.column, round(value, 5)) for key, value in read_rule("Angles", angle, 1.0, "compat").values.items()]
        [('angle', 3.14159), ('k', 100.0)]
        >>> read_rule("Angles", angle | {"k": "100 * kcal/mol"}, 1.0, "compat").faults
        ["k: '100 * kcal/mol' has the unit kcal*mol**-1; expected one like 'kcal/mol/rad²'"]
    """
    keys = {name: key for name in attributes if (key := value_key(section, name)) is not None}
    if section == "VirtualSites":
        # What a virtual site of its type does not have may be written as "None".
        keys = {name: key for name, key in keys.items() if attributes[name] != "None"}
    values: dict[ValueKey, float] = {}
    faults: list[str] = []
    for name, key in keys.items():
        try:
            values[key] = _value(section, key, attributes[name], mode)
        except UnitError as error:
            faults.append(f"{name}: {error}")
    given = list(keys.values())
    faults += [*_missing(section, given), *_term_faults(given)]
    if section == "VirtualSites":
        faults += _virtual_site_faults(attributes, values)
    if "smirks" in attributes:
        faults += check_pattern(attributes["smirks"], section, _n_tags(section, attributes, given))
    else:
        faults.append("smirks is missing")
    if not faults:
        values |= _default_divisors(section, given, default_divisor)
    return Reading(values, faults)


def default_divisor(section: str, settings: Mapping[str, str], mode: Mode) -> float:
    """The ``idivf`` of torsions that give none.

    Args:
        section: SMIRNOFF's name of the section.
        settings: Attributes of the section as text.
        mode: ``compat`` or ``spec``.

    Returns:
        The divisor; NaN where it depends on the molecule.

    Raises:
        UnitError: ``default_idivf`` is neither a positive number nor ``auto``.

    Example:
        >>> default_divisor("ImproperTorsions", {"default_idivf": "auto"}, "compat")
        3.0
        >>> default_divisor("ProperTorsions", {"default_idivf": "4"}, "compat")
        1.0
        >>> default_divisor("ProperTorsions", {"default_idivf": "4"}, "spec")
        4.0
    """
    if section not in _AUTO_DIVISORS or (section == "ProperTorsions" and mode == "compat"):
        return 1.0
    text = settings.get("default_idivf", _AUTO)
    return _AUTO_DIVISORS[section] if text == _AUTO else _positive(text, in_unit(text, ""))


def _value(section: str, key: ValueKey, text: str, mode: Mode) -> float:
    name = key.attribute.name
    if name == "idivf" and text == _AUTO:
        if mode == "compat":
            raise UnitError(text, "is refused as openff-toolkit refuses it; mode='spec' follows the specification")
        return _AUTO_DIVISORS[section]
    value = in_unit(text, key.attribute.unit)
    return _CHECKS[name](text, value) if name in _CHECKS else value


def _whole(text: str, value: float) -> float:
    if value != int(value) or value < 1:
        raise UnitError(text, "is no periodicity; expected 1, 2, 3, …")
    return value


def _positive(text: str, value: float) -> float:
    if value <= 0:
        raise UnitError(text, "is no divisor; expected a number above 0")
    return value


_CHECKS = {"periodicity": _whole, "idivf": _positive}


def _base(key: ValueKey) -> str:
    """The name without term and bond order: k, k_bondorder."""
    return key.attribute.name + ("_bondorder" if "bond orders" in key.attribute.form else "")


def _missing(section: str, given: list[ValueKey]) -> list[str]:
    known = SECTIONS.get(section)
    if known is None:
        return []
    bases = {_base(key) for key in given}
    faults = []
    for group in known.needed:
        if not bases.intersection(group):
            faults.append(f"{' or '.join(group)} is missing")
    for group in (*known.needed, *known.exclusive):
        both = [name for name in group if name in bases]
        if len(both) > 1:
            faults.append(f"it has both {' and '.join(both)}; expected one of them")
    return faults


def _term_faults(given: list[ValueKey]) -> list[str]:
    terms: dict[str, set[int]] = {}
    for key in given:
        if "terms" in key.attribute.form:
            terms.setdefault(_base(key), set()).add(key.term)
    n_terms = max((max(found) + 1 for found in terms.values()), default=0)
    return [
        f"{name}{term + 1} is missing; terms count from 1 without gaps and have all of {', '.join(terms)}"
        for name, found in terms.items()
        for term in range(min(n_terms, _MAX_TERMS))
        if term not in found
    ]


def _n_tags(section: str, attributes: Mapping[str, str], given: list[ValueKey]) -> tuple[int, ...]:
    """The numbers of tagged atoms that fit the other attributes; () where those do not matter."""
    if section == "VirtualSites":
        kind = VIRTUAL_SITES.get(attributes.get("type", ""))
        return (kind.n_tags,) if kind is not None else ()
    n_charges = sum(key.column in ("charge", "charge_increment") for key in given)
    if section == "LibraryCharges" and n_charges:
        return (n_charges,)
    if section == "ChargeIncrementModel" and n_charges:
        # The last increment may be left out: it then balances the others.
        return tuple(n for n in (n_charges, n_charges + 1) if n >= 2)
    return ()


def _virtual_site_faults(attributes: Mapping[str, str], values: Mapping[ValueKey, float]) -> list[str]:
    kind = VIRTUAL_SITES.get(attributes.get("type", ""))
    if kind is None:
        return [f"type={attributes.get('type')!r}; expected one of {', '.join(VIRTUAL_SITES)}"]
    by_name = {key.column: value for key, value in values.items()}
    faults = [f"{name} is missing; a {attributes['type']} needs it" for name in kind.angles if name not in by_name]
    faults += [
        f"{name} has no meaning for a {attributes['type']}"
        for name in ("outOfPlaneAngle", "inPlaneAngle")
        if name in by_name and name not in kind.angles
    ]
    n_increments = sum(key.column == "charge_increment" for key in values)
    if n_increments != kind.n_tags:
        faults.append(f"{n_increments} charge increments; a {attributes['type']} has {kind.n_tags}")
    if attributes.get("match") not in kind.matches:
        faults.append(f"match={attributes.get('match')!r}; a {attributes['type']} needs {' or '.join(kind.matches)}")
    elif attributes["match"] == "once" and abs(by_name.get("outOfPlaneAngle", 0.0)) > _IN_PLANE:
        faults.append("match='once' needs outOfPlaneAngle 0: off the plane the site depends on the order of the atoms")
    return faults


def _default_divisors(section: str, given: list[ValueKey], divisor: float) -> dict[ValueKey, float]:
    """The ``idivf`` of every term of a torsion that gives none."""
    key = value_key(section, "idivf1")
    if key is None or any(k.column == "idivf" for k in given):
        return {}
    return {key._replace(term=k.term): divisor for k in given if k.column == "periodicity"}
