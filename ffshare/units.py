"""Internal units, and the conversion of text such as ``1.526 * angstrom`` to them.

Inside ffshare every number is a float64 in fixed units: kcal, mol, Å, rad and the elementary charge e. Units exist only
at the edges, where files are read and written. There a quantity is text, and this module turns it into a number:

* A unit is a product of powers of names: ``kilocalorie / (mole * angstrom**2)``, ``mole**-1 * kilocalorie``,
  ``kcal/mol/Å²``.
* Its value is a factor to internal units and a dimension: the powers of energy, amount, length, angle and charge.
* An angle has a dimension of its own. Libraries that count radians as pure numbers read ``angle="109.5"`` as 109.5 rad
  without a word; here a missing ``degree`` is an error, and so is ``kcal/mol`` where ``kcal/mol/rad²`` is meant.

The text is parsed by the small grammar below and is never evaluated as code. Names that the table does not hold are
looked up, one bare name at a time, in the registry of openff-units where that is installed.

Reference: SMIRNOFF specification 0.3, section "Units". A calorie is the thermochemical one, 4.184 J.
"""

import difflib
import functools
import math
import re
from typing import NamedTuple

from ffshare.errors import UnitError

_BASE = ("kcal", "mol", "Å", "rad", "e")
_DIMENSIONLESS = (0, 0, 0, 0, 0)
_ENERGY, _AMOUNT, _LENGTH, _ANGLE, _CHARGE = (
    (1, 0, 0, 0, 0),
    (0, 1, 0, 0, 0),
    (0, 0, 1, 0, 0),
    (0, 0, 0, 1, 0),
    (0, 0, 0, 0, 1),
)
_MOLAR_ENERGY = (1, -1, 0, 0, 0)

_JOULE = 1 / 4184.0

# Plurals are made below. "A" is no name here: to unit registries it is the ampere, and angstrom is surely meant.
_NAMES: dict[str, tuple[float, tuple[int, ...]]] = {
    "kilocalorie": (1.0, _ENERGY),
    "kcal": (1.0, _ENERGY),
    "calorie": (1e-3, _ENERGY),
    "cal": (1e-3, _ENERGY),
    "kilojoule": (1 / 4.184, _ENERGY),
    "kJ": (1 / 4.184, _ENERGY),
    "joule": (_JOULE, _ENERGY),
    "J": (_JOULE, _ENERGY),
    "kilocalorie_per_mole": (1.0, _MOLAR_ENERGY),
    "kilocalories_per_mole": (1.0, _MOLAR_ENERGY),
    "kilojoule_per_mole": (1 / 4.184, _MOLAR_ENERGY),
    "kilojoules_per_mole": (1 / 4.184, _MOLAR_ENERGY),
    "mole": (1.0, _AMOUNT),
    "mol": (1.0, _AMOUNT),
    "angstrom": (1.0, _LENGTH),
    "\u00c5": (1.0, _LENGTH),
    "\u212b": (1.0, _LENGTH),
    "nanometer": (10.0, _LENGTH),
    "nm": (10.0, _LENGTH),
    "radian": (1.0, _ANGLE),
    "rad": (1.0, _ANGLE),
    "degree": (math.pi / 180, _ANGLE),
    "deg": (math.pi / 180, _ANGLE),
    "elementary_charge": (1.0, _CHARGE),
    "e": (1.0, _CHARGE),
    "dimensionless": (1.0, _DIMENSIONLESS),
}
_NAMES |= {f"{name}s": value for name, value in _NAMES.items() if len(name) > 4 and not name.endswith(("s", "mole"))}
_NAMES["moles"] = _NAMES["mole"]

_USUAL = ("kilocalorie", "kilojoule", "mole", "angstrom", "nanometer", "degree", "radian", "elementary_charge")

# Quantities in files are short. The bounds keep hostile text from costing time or depth of recursion.
_MAX_LENGTH = 200
_MAX_POWER = 12
_MAX_DEPTH = 20

_NUMBER = r"(?:[0-9]+\.?[0-9]*|\.[0-9]+)(?:[eE][-+]?[0-9]+)?"
# After the number: "* unit", " unit", "/ unit" or nothing.
_LEADING_NUMBER = re.compile(rf"\s*([-+]?{_NUMBER})\s*(?:\*\s*(?=[^\W\d]|\()|(?=[^\W\d]|\(|/|$))")
_TOKEN = re.compile(rf"\s*(?:(?P<number>{_NUMBER})|(?P<name>[^\W\d]\w*)|(?P<sign>\*\*|[-+*/^()]))")
_NON_FINITE = re.compile(r"\s*[-+]?(nan|inf|infinity)\b", re.IGNORECASE)


class Unit(NamedTuple):
    """A unit as its factor to internal units and its dimension."""

    factor: float
    """Size of the unit in internal units."""
    dimension: tuple[int, ...]
    """Powers of energy, amount, length, angle and charge."""

    def __str__(self) -> str:
        powers = [f"{n}**{p}" if p != 1 else n for n, p in zip(_BASE, self.dimension, strict=True) if p]
        return "*".join(powers) or "a pure number"


def in_unit(text: str, unit: str) -> float:
    """The value of a quantity given as text, in the unit asked for.

    Args:
        text: A number with its unit, such as ``0.15 * nanometer``.
        unit: Unit of the result, such as ``Å``; ``''`` for a pure number.

    Returns:
        The value [unit], always finite.

    Raises:
        UnitError: The text is no quantity, its unit is unknown or measures something else, or the number is not finite.

    Example:
        >>> in_unit("0.15 * nanometer", "Å")
        1.5
        >>> in_unit("100.0 * mole**-1 * radian**-2 * kilocalorie", "kcal/mol/rad²")
        100.0
        >>> in_unit("109.5", "rad")
        Traceback (most recent call last):
            ...
        ffshare.errors.UnitError: '109.5' has no unit; expected one like 'rad'
    """
    wanted = parse_unit(unit)
    number, unit_text = split_quantity(text)
    try:
        given = parse_unit(unit_text)
    except UnitError as error:
        raise UnitError(text, error.reason) from None
    if given.dimension != wanted.dimension:
        if given.dimension == _DIMENSIONLESS:
            raise UnitError(text, f"has no unit; expected one like {unit!r}")
        raise UnitError(text, f"has the unit {given}; expected {f'one like {unit!r}' if unit else 'a pure number'}")
    value = float(number) * (given.factor / wanted.factor)
    if not math.isfinite(value):
        raise UnitError(text, "is not a finite number")
    return value


def split_quantity(text: str) -> tuple[str, str]:
    """The number and the unit of a quantity, both as text.

    Args:
        text: A number with its unit.

    Returns:
        Number and unit; the unit is ``''`` for a pure number.

    Raises:
        UnitError: The text does not begin with a number.

    Example:
        >>> split_quantity("620.0*kcal/mol/angstrom**2")
        ('620.0', 'kcal/mol/angstrom**2')
    """
    if len(text) > 10 * _MAX_LENGTH:  # before any pattern looks at it: some take time as the square of the digits
        raise UnitError(text, f"is no quantity: {len(text)} characters are more than {10 * _MAX_LENGTH}")
    match = _LEADING_NUMBER.match(text)
    if match is None:
        finite = "is no quantity; expected a number and its unit"
        raise UnitError(text, "is not a finite number" if _NON_FINITE.match(text) else finite)
    unit = text[match.end() :].strip()
    return match[1], f"1{unit}" if unit.startswith("/") else unit


@functools.lru_cache(maxsize=4096)
def parse_unit(text: str) -> Unit:
    """The factor and the dimension of a unit given as text.

    Grammar: ``product = power {('*' | '/') power}``, ``power = atom [('**' | '^') integer]``,
    ``atom = number | name | '(' product ')'``.

    Args:
        text: The unit; ``''`` for a pure number.

    Returns:
        The unit.

    Raises:
        UnitError: The text is not a unit, or a name in it is unknown.

    Example:
        >>> parse_unit("kilojoule_per_mole / nanometer**2").dimension
        (1, -1, -2, 0, 0)
        >>> parse_unit("kcal/mol/Å²").factor
        1.0
    """
    if not text.strip():
        return Unit(1.0, _DIMENSIONLESS)
    if len(text) > _MAX_LENGTH:
        raise UnitError(text, f"is no unit: {len(text)} characters are more than {_MAX_LENGTH}")
    if text.count("(") > _MAX_DEPTH:
        raise UnitError(text, f"is no unit: more than {_MAX_DEPTH} parentheses")
    tokens = _tokens(text)
    try:
        unit = _product(tokens, text)
    except (ArithmeticError, ValueError):
        raise UnitError(text, "is not a finite number") from None
    if tokens:
        raise UnitError(
            text, f"cannot be read as a unit at {tokens[0]!r}; write products as 'a * b', quotients as 'a / b'"
        )
    return unit


def _tokens(text: str) -> list[str]:
    text = text.replace("²", "**2").replace("³", "**3").strip()
    tokens = []
    position = 0
    while position < len(text):
        match = _TOKEN.match(text, position)
        if match is None:
            raise UnitError(text, f"cannot be read as a unit at {text[position:].strip()[:10]!r}")
        tokens.append(match[0].strip())
        position = match.end()
    return tokens


def _product(tokens: list[str], text: str) -> Unit:
    factor, dimension = _power(tokens, text)
    while tokens and tokens[0] in "*/":
        sign = 1 if tokens.pop(0) == "*" else -1
        right = _power(tokens, text)
        factor = factor * right.factor**sign
        dimension = tuple(a + sign * b for a, b in zip(dimension, right.dimension, strict=True))
    return Unit(factor, dimension)


def _power(tokens: list[str], text: str) -> Unit:
    unit = _atom(tokens, text)
    if tokens and tokens[0] in ("**", "^"):
        del tokens[0]
        power = _integer(tokens, text)
        unit = Unit(unit.factor**power, tuple(power * d for d in unit.dimension))
    return unit


def _integer(tokens: list[str], text: str) -> int:
    if tokens and tokens[0] == "(":
        del tokens[0]
        power = _integer(tokens, text)
        _expect(tokens, ")", text)
        return power
    sign = -1 if tokens and tokens[0] == "-" else 1
    if tokens and tokens[0] in "+-":
        del tokens[0]
    number = tokens.pop(0) if tokens else ""
    if not re.fullmatch(r"\d+(\.0*)?", number) or float(number) > _MAX_POWER:
        raise UnitError(text, f"has the power {number!r}; expected a whole number up to {_MAX_POWER}")
    return sign * int(float(number))


def _atom(tokens: list[str], text: str) -> Unit:
    token = tokens.pop(0) if tokens else "its end"
    if token == "(":
        unit = _product(tokens, text)
        _expect(tokens, ")", text)
        return unit
    if re.fullmatch(_NUMBER, token):
        return Unit(float(token), _DIMENSIONLESS)
    if re.fullmatch(r"[^\W\d]\w*", token):
        return _named(token, text)
    raise UnitError(text, f"cannot be read as a unit at {token!r}")


def _expect(tokens: list[str], token: str, text: str) -> None:
    if not tokens or tokens.pop(0) != token:
        raise UnitError(text, f"cannot be read as a unit: {token!r} is missing")


def _named(name: str, text: str) -> Unit:
    if name in _NAMES:
        return Unit(*_NAMES[name])
    unit = _from_registry(name)
    if unit is None:
        close = difflib.get_close_matches(name, _NAMES, n=2)
        advice = f"did you mean {' or '.join(close)}?" if close else f"write it with {', '.join(_USUAL)}"
        raise UnitError(text, f"has the unknown unit {name!r}; {advice}")
    return unit


def _from_registry(name: str) -> Unit | None:
    """A unit by one bare name from openff-units, or None where it has none that ffshare can use."""
    try:
        from openff.units import Quantity  # optional and slow to import: only names outside the table need it
    except ImportError:
        return None
    try:
        quantity = Quantity(1.0, name)
    except (AttributeError, ValueError, TypeError):  # what pint raises for names it does not know or cannot convert
        return None
    if str(quantity.to_root_units().units) == "radian":
        return Unit(float(quantity.m_as("radian")), _ANGLE)
    for known in ("kilocalorie", "kilocalorie / mole", "mole", "angstrom", "elementary_charge"):
        if quantity.is_compatible_with(known):
            return Unit(float(quantity.m_as(known)), parse_unit(known).dimension)
    return None
