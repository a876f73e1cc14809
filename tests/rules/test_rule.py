"""Values of rules: terms, bond orders, defaults, modes, and what is refused."""

import math

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from ffshare.errors import RuleFileError
from ffshare.rules import load_force_field
from ffshare.rules.rule import read_rule

TORSION = "[*:1]~[*:2]~[*:3]~[*:4]"
BOND = {"smirks": "[#6:1]-[#6:2]", "length": "1.5 * angstrom", "k": "600 * kilocalorie/mole/angstrom**2"}
PROPER = {"smirks": TORSION, "periodicity1": "3", "phase1": "180 * degree", "k1": "1 * kilocalorie/mole", "idivf1": "1"}
ATOM = {"smirks": "[#6:1]", "epsilon": "0.1 * kilocalorie/mole", "rmin_half": "1.9 * angstrom"}
CHARGE = {"smirks": "[#8:1]-[#1:2]", "charge1": "-0.5 * elementary_charge", "charge2": "0.5 * elementary_charge"}
SITE = {
    "smirks": "[#1:2]-[#8X2H2+0:1]-[#1:3]",
    "type": "DivalentLonePair",
    "match": "once",
    "distance": "-0.015 * nanometer",
    "outOfPlaneAngle": "0 * degree",
    "inPlaneAngle": "None",
    "charge_increment1": "0 * elementary_charge",
    "charge_increment2": "0.5 * elementary_charge",
    "charge_increment3": "0.5 * elementary_charge",
}


def read(section, attributes, mode="compat"):
    """Values by column and term, where there is no fault; else the faults."""
    values, faults = read_rule(section, attributes, 1.0, mode)
    return faults or {(key.column, key.term): value for key, value in values.items()}


def element(name, attributes):
    return f"<{name} " + " ".join(f'{key}="{value}"' for key, value in attributes.items()) + "/>"


@given(st.lists(st.floats(-100, 100), min_size=1, max_size=6), st.permutations(range(6)))
def test_terms_do_not_depend_on_the_order_of_the_attributes(barriers, order):
    terms = [
        {f"k{i}": f"{k!r} * kcal/mol", f"periodicity{i}": f"{i}", f"phase{i}": "0 * degree", f"idivf{i}": "1"}
        for i, k in enumerate(barriers, start=1)
    ]
    shuffled = {"smirks": TORSION}
    for i in order:
        shuffled |= terms[i] if i < len(terms) else {}
    values = read("ProperTorsions", shuffled)
    assert [values["k", i] for i in range(len(barriers))] == barriers
    assert [values["periodicity", i] for i in range(len(barriers))] == list(range(1, len(barriers) + 1))


def test_values_are_in_internal_units():
    assert read("Bonds", BOND | {"length": "0.15 * nanometer"}) == {("length", 0): 1.5, ("k", 0): 600.0}
    assert read("ProperTorsions", PROPER)["phase", 0] == pytest.approx(math.pi)


def test_values_at_bond_orders_have_a_column_for_each_order():
    bond = {"smirks": BOND["smirks"], "length": BOND["length"]}
    bond |= {f"k_bondorder{order}": f"{order}00 * kcal/mol/angstrom**2" for order in (1, 3)}
    assert read("Bonds", bond) == {("length", 0): 1.5, ("k_bondorder1", 0): 100.0, ("k_bondorder3", 0): 300.0}
    proper = {key: value for key, value in PROPER.items() if key != "k1"}
    proper |= {"k1_bondorder1": "1 * kcal/mol", "k1_bondorder2": "2 * kcal/mol"}
    values = read("ProperTorsions", proper)
    assert (values["k_bondorder1", 0], values["k_bondorder2", 0]) == (1.0, 2.0)
    assert ("k", 0) not in values


def test_cosmetic_attributes_stay_text(write_sections):
    bond = BOND | {"parameterize": "k, length", "note": "c", "k_old": "nan", "kind": "1 * parsec"}
    path = write_sections(f'<Bonds version="0.3">{element("Bond", bond)}</Bonds>')
    table = load_force_field(path).tables["Bonds"]
    assert table.attributes[0] == bond
    assert set(table.columns) == {"length", "k"}


def test_values_of_a_table_are_rule_major_and_keep_to_their_terms(write_sections):
    second = (
        PROPER | {f"{key[:-1]}2": value for key, value in PROPER.items() if key != "smirks"} | {"k2": "7 * kcal/mol"}
    )
    path = write_sections(
        '<ProperTorsions version="0.3">',
        element("Proper", PROPER | {"id": "t1"}),
        element("Proper", second),
        "</ProperTorsions>",
    )
    table = load_force_field(path).tables["ProperTorsions"]
    k = table.columns["k"]
    assert (k.values.tolist(), k.rule_idxs.tolist(), k.terms.tolist()) == ([1, 1, 7], [0, 1, 1], [0, 0, 1])
    assert [column.rule_idxs.tolist() for column in table.columns.values()] == [[0, 1, 1]] * 4
    assert table.ids == ("t1", TORSION)
    assert table.lines == (3, 4)
    assert table.sources == (str(path),) * 2
    assert {name: column.free for name, column in table.columns.items()} == {
        "periodicity": False,
        "phase": False,
        "k": True,
        "idivf": False,
    }


def torsions(section, name, default, write_sections, mode, divisor=None):
    rule = {key: value for key, value in PROPER.items() if key != "idivf1"} | ({"idivf1": divisor} if divisor else {})
    setting = f'default_idivf="{default}"' if default else ""
    path = write_sections(f'<{section} version="0.3" {setting}>{element(name, rule)}</{section}>')
    (value,) = load_force_field(path, mode=mode).tables[section].columns["idivf"].values
    return value


@pytest.mark.parametrize(
    ("section", "default", "divisor", "compat", "spec"),
    [
        ("ProperTorsions", None, None, 1.0, math.nan),
        ("ProperTorsions", "auto", None, 1.0, math.nan),
        ("ProperTorsions", "4", None, 1.0, 4.0),
        ("ProperTorsions", "4", "1.5", 1.5, 1.5),
        ("ImproperTorsions", None, None, 3.0, 3.0),
        ("ImproperTorsions", "auto", None, 3.0, 3.0),
        ("ImproperTorsions", "2.0", None, 2.0, 2.0),
        ("ImproperTorsions", "auto", "1", 1.0, 1.0),
        ("AmberImproperTorsions", "auto", None, 1.0, 1.0),
    ],
)
def test_a_missing_divisor_follows_the_mode(write_sections, section, default, divisor, compat, spec):
    name = "Proper" if section == "ProperTorsions" else "Improper"
    amber = section.startswith("Amber")
    if amber:  # the centre of an AMBER improper is its third atom
        write = write_sections
        write_sections = lambda text: write(text.replace(TORSION, "[*:1]~[*:3](~[*:2])~[*:4]"))  # noqa: E731
    np.testing.assert_equal(torsions(section, name, default, write_sections, "compat", divisor), compat)
    np.testing.assert_equal(torsions(section, name, default, write_sections, "spec", divisor), spec)


def test_a_divisor_of_auto_is_refused_as_the_toolkit_does_and_read_as_the_specification_says(write_sections):
    assert math.isnan(torsions("ProperTorsions", "Proper", None, write_sections, "spec", "auto"))
    assert torsions("ImproperTorsions", "Improper", None, write_sections, "spec", "auto") == 3.0
    with pytest.raises(RuleFileError, match=r"idivf1: 'auto' is refused as openff-toolkit.*mode='spec'"):
        torsions("ProperTorsions", "Proper", None, write_sections, "compat", "auto")


@pytest.mark.parametrize("default", ["0", "-1", "many"])
def test_a_default_divisor_that_is_none_is_refused(write_sections, default):
    with pytest.raises(RuleFileError, match=f"line 2: section ImproperTorsions: default_idivf: '{default}'"):
        torsions("ImproperTorsions", "Improper", default, write_sections, "compat")


@pytest.mark.parametrize(
    ("section", "attributes", "fault"),
    [
        ("Bonds", {**BOND, "k_bondorder1": BOND["k"]}, "it has both k and k_bondorder; expected one of them"),
        ("Bonds", {"smirks": BOND["smirks"], "k": BOND["k"]}, "length or length_bondorder is missing"),
        ("Bonds", {"length": BOND["length"], "k": BOND["k"]}, "smirks is missing"),
        ("ProperTorsions", {k: v for k, v in PROPER.items() if k != "periodicity1"}, "periodicity is missing"),
        ("ProperTorsions", {**PROPER, "k3": PROPER["k1"]}, "k2 is missing; terms count from 1 without gaps"),
        ("ProperTorsions", {**PROPER, "k2": PROPER["k1"]}, "periodicity2 is missing"),
        (
            "ProperTorsions",
            {**PROPER, "periodicity1": "1.5"},
            "periodicity1: '1.5' is no periodicity; expected 1, 2, 3",
        ),
        ("ProperTorsions", {**PROPER, "periodicity1": "0"}, "periodicity1: '0' is no periodicity"),
        ("ProperTorsions", {**PROPER, "idivf1": "0"}, "idivf1: '0' is no divisor; expected a number above 0"),
        ("ProperTorsions", {**PROPER, "phase1": "180"}, "phase1: '180' has no unit; expected one like 'rad'"),
        ("vdW", {k: v for k, v in ATOM.items() if k != "rmin_half"}, "rmin_half or sigma is missing"),
        ("vdW", {**ATOM, "sigma": "1 * angstrom"}, "it has both rmin_half and sigma; expected one of them"),
        ("vdW", {**ATOM, "epsilon": "inf * kcal/mol"}, "epsilon: 'inf * kcal/mol' is not a finite number"),
        (
            "LibraryCharges",
            {**CHARGE, "charge3": CHARGE["charge1"]},
            "tag 3 is missing; LibraryCharges needs the tags 1 to 3",
        ),
        ("LibraryCharges", {"smirks": CHARGE["smirks"], "charge1": CHARGE["charge1"]}, "tag 2 is one too many"),
        ("VirtualSites", {**SITE, "type": "LonePair"}, "type='LonePair'; expected one of BondCharge, Monovalent"),
        ("VirtualSites", {**SITE, "match": "all"}, "match='all'; a DivalentLonePair needs once or all_permutations"),
        ("VirtualSites", {**SITE, "outOfPlaneAngle": "50 * degree"}, "match='once' needs outOfPlaneAngle 0"),
        (
            "VirtualSites",
            {**SITE, "outOfPlaneAngle": "None"},
            "outOfPlaneAngle is missing; a DivalentLonePair needs it",
        ),
        ("VirtualSites", {**SITE, "inPlaneAngle": "9 * degree"}, "inPlaneAngle has no meaning for a DivalentLonePair"),
        (
            "VirtualSites",
            {k: v for k, v in SITE.items() if k[-1] != "3"},
            "2 charge increments; a DivalentLonePair has 3",
        ),
        ("VirtualSites", {**SITE, "smirks": "[#1:2]-[#8:1]"}, "tag 3 is missing; VirtualSites needs the tags 1 to 3"),
    ],
)
def test_what_is_wrong_with_a_rule_is_said(section, attributes, fault):
    assert any(fault in found for found in read(section, attributes))


def test_a_term_with_an_absurd_number_is_a_few_faults():
    assert len(read("ProperTorsions", PROPER | {"k999999999": PROPER["k1"]})) < 1000


def test_the_last_charge_increment_may_be_left_out():
    rule = {"smirks": "[#6:1]-[#8:2]", "charge_increment1": "0.1 * elementary_charge"}
    assert read("ChargeIncrementModel", rule) == {("charge_increment", 0): 0.1}
    both = rule | {"charge_increment2": "-0.1 * elementary_charge"}
    assert read("ChargeIncrementModel", both)["charge_increment", 1] == -0.1
    (fault,) = read("ChargeIncrementModel", rule | {"smirks": "[#6:1]-[#8:2]-[#1:3]"})
    assert "tag 3 is one too many" in fault


def test_virtual_sites_have_names_and_geometry(write_sections):
    rules = element("VirtualSite", SITE) + element("VirtualSite", SITE | {"name": "LP"})
    path = write_sections(f'<VirtualSites version="0.3">{rules}</VirtualSites>')
    table = load_force_field(path).tables["VirtualSites"]
    assert table.names == ("EP", "LP")
    assert table.columns["distance"].values.tolist() == pytest.approx([-0.15, -0.15])
    assert table.columns["charge_increment"].terms.tolist() == [0, 1, 2, 0, 1, 2]
