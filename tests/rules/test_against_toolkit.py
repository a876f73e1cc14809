"""Every number of every parameter equals what openff-toolkit's ForceField holds."""

import logging
import math

import pytest

from ffshare.errors import FfshareError
from ffshare.rules import available_force_fields, load_force_field
from ffshare.rules.locate import locate
from ffshare.rules.sections import SECTIONS

toolkit = pytest.importorskip("openff.toolkit", reason="openff-toolkit is not installed")
from openff.units import Quantity, Unit  # noqa: E402

# What openff-toolkit has no reader for, or refuses itself.
EXTENSIONS = {f"ff14sb_0.0.{n}.offxml" for n in (1, 2, 3, 4)}
BROKEN = {
    "Frosst_AlkEthOH_GBSA.offxml": r"line 65: .*radius: '0.12' has no unit",
    "ammonia_minimal.offxml": "line 20: not XML: mismatched tag",
    "chargeincrement-test.offxml": "line 10: .*charge_increment is missing",
    "mangled.offxml": "line 3: not XML: not well-formed",
    "unsupported_smirnoff_version.offxml": "line 2: SMIRNOFF version '99.3' is not supported",
}

ALL = [name for name in available_force_fields() if name.endswith(".offxml") and name not in BROKEN]
SAMPLE = [
    "openff-1.0.0.offxml",
    "openff-2.3.0.offxml",
    "opc-1.0.2.offxml",
    "tip5p-1.0.0.offxml",
    "Frosst_AlkEthOH_parmAtFrosst.offxml",
    "GBSA_OBC2-1.0.offxml",
    "old/test_ff_0_0_2_spec_0_1.offxml",
    "old/test_ff_0_0_4_fixed_spec_0_2.offxml",
    "old/hbonds.offxml",
]

UNITS = {"kcal/mol": "kilocalorie / mole", "Å": "angstrom", "rad": "radian", "e": "elementary_charge", "": ""}
UNITS |= {"kcal/mol/Å²": "kilocalorie / mole / angstrom**2", "kcal/mol/rad²": "kilocalorie / mole / radian**2"}


@pytest.fixture(autouse=True)
def quiet_toolkit(caplog):
    caplog.set_level(logging.ERROR, logger="openff.toolkit")


def expected_values(parameter, attribute, term):
    """The toolkit's value of one term of a parameter, in the internal unit; None where it has none."""
    value = getattr(parameter, attribute.name, None)
    if "terms" in attribute.form and value is not None:
        value = value[term]
    if value is None:
        return None
    return Quantity(value).m_as(Unit(UNITS[attribute.unit] or "dimensionless"))


def compare(name):
    path = str(locate(name))
    ours = load_force_field(path)
    theirs = toolkit.ForceField(path, allow_cosmetic_attributes=True)
    handlers = theirs.registered_parameter_handlers
    assert set(ours.tables) == set(handlers)
    n_values = 0
    for section, table in ours.tables.items():
        parameters = list(theirs.get_parameter_handler(section).parameters)
        assert [p.smirks for p in parameters] == list(table.patterns), section
        assert [p.id or p.smirks for p in parameters] == list(table.ids), section
        for column in table.columns.values():
            attribute = next(a for a in SECTIONS[section].attributes if a.name == column.name)
            for rule, term, value in zip(column.rule_idxs, column.terms, column.values, strict=True):
                expected = expected_values(parameters[rule], attribute, term)
                if expected is None and column.name == "idivf":
                    expected = 3.0 if section == "ImproperTorsions" else 1.0
                assert value == pytest.approx(expected, rel=1e-14, abs=0), (section, table.ids[rule], column.name)
                n_values += 1
        assert_nothing_left_out(section, table, parameters)
    return n_values


def assert_nothing_left_out(section, table, parameters):
    for attribute in SECTIONS[section].attributes:
        if "bond orders" in attribute.form:
            continue
        for rule, parameter in enumerate(parameters):
            text = table.attributes[rule]
            given = any(key == attribute.name or key[:-1] == attribute.name for key in text)
            column = table.columns.get(attribute.name)
            n_ours = 0 if column is None else int((column.rule_idxs == rule).sum())
            value = getattr(parameter, attribute.name, None) if given else None
            n_theirs = 0 if value is None else len(value) if "terms" in attribute.form else 1
            # idivf is filled in where no rule gives it.
            assert n_ours == n_theirs or (attribute.name == "idivf" and n_theirs == 0), (section, table.ids[rule])


@pytest.mark.parametrize("name", SAMPLE)
def test_values_equal_those_of_the_toolkit(name):
    assert compare(name) > 0 or name == "old/hbonds.offxml"


@pytest.mark.full
@pytest.mark.parametrize("name", [name for name in ALL if name not in EXTENSIONS])
def test_values_of_every_installed_force_field_equal_those_of_the_toolkit(name):
    compare(name)


@pytest.mark.parametrize("name", [name for name in ALL if not name.startswith("ff14sb")])
def test_every_released_force_field_loads_in_both_modes(name):
    for mode in ("compat", "spec"):
        assert load_force_field(name, mode=mode).tables


@pytest.mark.parametrize("name", ["ff14sb_off_impropers_0.0.1", pytest.param("ff14sb_0.0.4", marks=pytest.mark.full)])
def test_the_ports_of_ff14sb_load(name):
    assert len(load_force_field(name).tables["ProperTorsions"]) > 2000


@pytest.mark.parametrize("name", BROKEN)
def test_what_the_toolkit_refuses_is_refused_with_its_lines(name):
    with pytest.raises(FfshareError, match=BROKEN[name]):
        load_force_field(name)
    with pytest.raises(Exception, match=r"."):
        toolkit.ForceField(str(locate(name)))


def test_versions_of_sections_are_those_of_the_toolkit():
    handlers = toolkit.ForceField()._parameter_handler_classes
    for name, section in SECTIONS.items():
        if name not in handlers:
            assert name == "AmberImproperTorsions"
            continue
        handler = handlers[name]
        assert section.versions[0] == str(handler._MIN_SUPPORTED_SECTION_VERSION), name
        assert section.versions[-1] == str(handler._MAX_SUPPORTED_SECTION_VERSION), name
        assert section.element == (handler._INFOTYPE._ELEMENT_NAME if handler._INFOTYPE else ""), name
    assert not set(handlers) - set(SECTIONS)


def test_internal_angles_are_radians():
    angles = load_force_field("openff-2.3.0").tables["Angles"].columns["angle"]
    assert angles.values.max() <= math.pi
