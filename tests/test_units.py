"""Quantities as text to numbers in internal units."""

import math
import pickle

import pytest
from hypothesis import given
from hypothesis import strategies as st

from ffshare.errors import UnitError
from ffshare.units import in_unit, parse_unit, split_quantity

# Name, and what it is in internal units.
NAMES = {
    "kilocalorie": 1.0,
    "kilojoule": 1 / 4.184,
    "mole": 1.0,
    "angstrom": 1.0,
    "nanometer": 10.0,
    "radian": 1.0,
    "degree": math.pi / 180,
    "elementary_charge": 1.0,
}
numbers = st.floats(min_value=1e-6, max_value=1e6) | st.floats(min_value=-1e6, max_value=-1e-6)
powers = st.integers(min_value=-3, max_value=3)
units = st.dictionaries(st.sampled_from(sorted(NAMES)), powers, min_size=1, max_size=4)


def written(unit):
    return " * ".join(f"{name}**{power}" for name, power in unit.items())


@given(numbers, units)
def test_a_product_of_powers_is_the_product_of_the_powers(number, unit):
    factor = math.prod(NAMES[name] ** power for name, power in unit.items())
    assert parse_unit(written(unit)).factor == pytest.approx(factor, rel=1e-12)
    assert in_unit(f"{number!r} * {written(unit)}", written(unit)) == number


@given(numbers, units, units)
def test_dividing_by_a_unit_is_multiplying_with_its_inverse(number, first, second):
    inverse = {name: -power for name, power in second.items()}
    quotient = parse_unit(f"({written(first)}) / ({written(second)})")
    product = parse_unit(f"{written(first)} * {written(inverse)}")
    assert quotient.dimension == product.dimension
    assert quotient.factor == pytest.approx(product.factor, rel=1e-12)


@given(numbers, units)
def test_converting_there_and_back_changes_nothing(number, unit):
    other = {
        {"nanometer": "angstrom", "kilojoule": "kilocalorie", "degree": "radian"}.get(n, n): p for n, p in unit.items()
    }
    if len(other) < len(unit):
        return
    there = in_unit(f"{number!r} * {written(unit)}", written(other))
    assert in_unit(f"{there!r} * {written(other)}", written(unit)) == pytest.approx(number, rel=1e-12)


@given(st.text(max_size=40) | st.text(alphabet="0123456789.+-*/^()eE aÅ²k", max_size=40), st.sampled_from(["", "Å"]))
def test_any_text_gives_a_finite_number_or_an_error_of_ours(text, unit):
    try:
        value = in_unit(text, unit)
    except UnitError:
        return
    assert math.isfinite(value)


@pytest.mark.parametrize(
    ("text", "unit", "value"),
    [
        ("620.0 * kilocalories_per_mole/angstrom**2", "kcal/mol/Å²", 620.0),
        ("680.0 * angstrom**-2 * mole**-1 * kilocalorie", "kcal/mol/Å²", 680.0),
        ("529.2429715351 * kilocalorie_per_mole ** 1 * angstrom ** -2", "kcal/mol/Å²", 529.2429715351),
        ("418.4 * kilojoule / (mole * nanometer^2)", "kcal/mol/Å²", 1.0),
        ("180.0 * degree ** 1", "rad", math.pi),
        ("1 * kilocalorie/mole/degree**2", "kcal/mol/rad²", (180 / math.pi) ** 2),
        ("-0.834 * elementary_charge", "e", -0.834),
        ("0.1nm", "Å", 1.0),
        ("1 angstrom", "Å", 1.0),
        ("1 / angstrom", "Å**(-1)", 1.0),
        ("1 \u212b", "\u00c5", 1.0),
        ("4.", "", 4.0),
        (" 3 ", "", 3.0),
    ],
)
def test_quantities_as_files_write_them_are_read(text, unit, value):
    assert in_unit(text, unit) == pytest.approx(value, rel=1e-12)


@pytest.mark.parametrize(
    ("text", "unit", "message"),
    [
        ("109.5", "rad", "'109.5' has no unit; expected one like 'rad'"),
        ("100 * kcal/mol", "kcal/mol/rad²", r"has the unit kcal\*mol\*\*-1; expected one like"),
        ("1 * kilocalorie", "kcal/mol", "has the unit kcal; expected one like 'kcal/mol'"),
        ("1 * angstrom", "", "has the unit Å; expected a pure number"),
        ("1.5 * angstrm", "Å", "has the unknown unit 'angstrm'; did you mean angstrom"),
        ("1.5 * A", "Å", "has the unknown unit 'A'; write it with kilocalorie.*angstrom"),
        ("nan * angstrom", "Å", "is not a finite number"),
        ("-inf * angstrom", "Å", "is not a finite number"),
        ("1e999 * angstrom", "Å", "is not a finite number"),
        ("1 / 0 * angstrom", "Å", "is not a finite number"),
        ("angstrom", "Å", "is no quantity; expected a number and its unit"),
        ("", "Å", "'' is no quantity"),
        ("1,526 * angstrom", "Å", "is no quantity"),
        ("9**9**9**9", "", "is no quantity"),
        ("1 * angstrom**99", "Å", "has the power '99'; expected a whole number up to 12"),
        ("1 * angstrom**0.5", "Å", "has the power '0.5'"),
        ("1 * angstrom nanometer", "Å", "cannot be read as a unit at 'nanometer'; write products as"),
        ("1 * (angstrom", "Å", r"'\)' is missing"),
        ("1 * " + "(" * 500, "Å", "is no unit: 500 characters are more than 200"),
        ("__import__('os').getcwd()", "Å", "is no quantity"),
        ("1 * __import__('os')", "Å", "cannot be read as a unit"),
    ],
)
def test_what_is_no_such_quantity_is_refused_with_its_reason(text, unit, message):
    with pytest.raises(UnitError, match=message):
        in_unit(text, unit)


def test_names_outside_the_table_come_from_openff_units():
    pytest.importorskip("openff.units", reason="openff-units is not installed")
    assert in_unit("1 * femtometer", "Å") == pytest.approx(1e-5, rel=1e-12)
    assert in_unit("1 * millikilocalorie_per_mole", "kcal/mol") == pytest.approx(1e-3, rel=1e-12)
    assert in_unit("1 * milliradian", "rad") == pytest.approx(1e-3, rel=1e-12)
    with pytest.raises(UnitError, match="unknown unit 'kelvin'"):
        in_unit("300 * kelvin", "kcal/mol")


def test_factors_agree_with_openff_units():
    registry = pytest.importorskip("openff.units", reason="openff-units is not installed")
    for name, base in {
        "kilojoules_per_mole": "kilocalorie / mole",
        "joule": "kilocalorie",
        "calories": "kilocalorie",
        "nanometers": "angstrom",
        "bohr": "angstrom",
        "picometer": "angstrom",
        "degrees": "radian",
        "coulomb": "elementary_charge",
    }.items():
        assert parse_unit(name).factor == pytest.approx(registry.Quantity(1.0, name).m_as(base), rel=1e-12), name


def test_number_and_unit_are_split_as_text():
    assert split_quantity("9.0*angstroms") == ("9.0", "angstroms")
    assert split_quantity("4") == ("4", "")
    with pytest.raises(UnitError, match="'auto' is no quantity"):
        split_quantity("auto")


def test_the_error_travels_between_processes():
    error = pickle.loads(pickle.dumps(UnitError("1 * foot", "has the unknown unit 'foot'")))
    assert (error.text, str(error)) == ("1 * foot", "'1 * foot' has the unknown unit 'foot'")
