"""Two schemes differ where a plain loop over terms says so, by pattern and value and never by id."""

import dataclasses
import math

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

import ffshare
from ffshare.assign import term_differences
from ffshare.assign.smirnoff import SmirnoffScheme
from ffshare.errors import SchemeError
from ffshare.rules import load_force_field
from tests.assign.samples import part, scheme_of

PAIRS = [("openff-2.2.1", "openff-2.3.0"), ("openff-1.0.0", "openff-2.2.1"), ("openff-2.3.0", "alkethoh-smirks")]


def terms_of(assignment, section):
    """Pattern, values and id of the rule of each term (molecule, atoms, name of a virtual site), None without one."""
    if section not in assignment.sites:
        return {}
    sites, table, found = assignment.sites[section], assignment.tables[section], {}
    values = [
        {
            name: [round(value, 9) for value in column.values[column.rule_idxs == rule].tolist()]
            for name, column in table.columns.items()
            if rule in column.rule_idxs
        }
        for rule in range(len(table))
    ]
    starts = assignment.batch.atom_offsets[sites.molecule_idxs].tolist()
    for molecule, start, row, rule in zip(
        sites.molecule_idxs.tolist(), starts, sites.atom_idxs.tolist(), sites.rule_idxs.tolist(), strict=True
    ):
        atoms = tuple(atom - start for atom in row if atom >= 0)
        name = table.names[rule] if section == "VirtualSites" else ""
        found[molecule, atoms, name] = None if rule < 0 else (table.patterns[rule], values[rule], table.ids[rule])
    return found


def plain_differences(old, new):
    found = []
    for section in dict.fromkeys([*old.sites, *new.sites]):
        before, after = terms_of(old, section), terms_of(new, section)
        for term in sorted(before.keys() | after.keys()):
            one, other = before.get(term), after.get(term)
            parts = [(a and a[0], a and a[1]) for a in (one, other)]
            what = [name for name, a, b in zip(("pattern", "value"), *parts, strict=True) if a != b]
            if what:
                rules = (one and one[2], other and other[2], parts[0][0], parts[1][0])
                found.append((term[0], section, term[1], *rules, " and ".join(what)))
    return found


def as_rows(differences):
    return [dataclasses.astuple(one) for one in differences]


@pytest.mark.parametrize("names", PAIRS)
def test_differences_are_those_of_a_plain_loop(names, some_drugs, boronic_acid):
    for batch in (some_drugs, boronic_acid):
        old, new = (scheme_of(name).assign(batch) for name in names)
        found = as_rows(term_differences(old, new))
        assert found == plain_differences(old, new)
        assert found


@settings(max_examples=10)
@given(names=st.sampled_from(PAIRS), molecules=st.lists(st.integers(0, 260), max_size=6))
def test_a_scheme_does_not_differ_from_itself_and_the_other_way_round_swaps_old_and_new(drugs, names, molecules):
    batch = part(drugs, molecules)
    old, new = (scheme_of(name).assign(batch) for name in names)
    assert term_differences(old, old) == ()
    swapped = [
        dataclasses.replace(
            one,
            old_rule=one.new_rule,
            new_rule=one.old_rule,
            old_pattern=one.new_pattern,
            new_pattern=one.old_pattern,
        )
        for one in term_differences(new, old)
    ]
    by_term = sorted(as_rows(swapped), key=lambda row: row[:3])
    assert by_term == sorted(as_rows(term_differences(old, new)), key=lambda row: row[:3])


def changed(force_field, section, **fields):
    """The force field with other fields in the table of one section."""
    table = dataclasses.replace(force_field.tables[section], **fields)
    return SmirnoffScheme(dataclasses.replace(force_field, tables={**force_field.tables, section: table}))


@pytest.fixture(scope="module")
def sage():
    return load_force_field("openff-2.2.1")


@pytest.fixture(scope="module")
def ethanol():
    return ffshare.from_smiles("CCO")


def test_other_ids_are_no_difference(sage, ethanol):
    bonds = sage.tables["Bonds"]
    other = changed(sage, "Bonds", ids=tuple(f"new{rule}" for rule in range(len(bonds))))
    assert term_differences(scheme_of("openff-2.2.1").assign(ethanol), other.assign(ethanol)) == ()


def test_another_value_is_a_difference_of_every_term_of_the_rule(sage, ethanol):
    bonds = sage.tables["Bonds"]
    (rule,) = (rule for rule, rule_id in enumerate(bonds.ids) if rule_id == "b84")
    length = bonds.columns["length"]
    values = np.where(length.rule_idxs == rule, length.values + 1e-4, length.values)
    columns = {**bonds.columns, "length": dataclasses.replace(length, values=values)}
    found = term_differences(
        scheme_of("openff-2.2.1").assign(ethanol), changed(sage, "Bonds", columns=columns).assign(ethanol)
    )
    # The five C–H bonds.
    assert [(one.section, one.atoms, one.what) for one in found] == [
        ("Bonds", atoms, "value") for atoms in ((0, 3), (0, 4), (0, 5), (1, 6), (1, 7))
    ]
    assert {(one.old_rule, one.new_rule, one.old_pattern == one.new_pattern) for one in found} == {("b84", "b84", True)}


def test_another_pattern_with_the_same_values_is_a_difference_of_pattern_alone(sage, ethanol):
    bonds = sage.tables["Bonds"]
    assert "[#6X4:1]-[#1:2]" in bonds.patterns
    patterns = tuple("[#1:1]-[#6X4:2]" if pattern == "[#6X4:1]-[#1:2]" else pattern for pattern in bonds.patterns)
    found = term_differences(
        scheme_of("openff-2.2.1").assign(ethanol), changed(sage, "Bonds", patterns=patterns).assign(ethanol)
    )
    assert {(one.what, one.old_pattern, one.new_pattern) for one in found} == {
        ("pattern", "[#6X4:1]-[#1:2]", "[#1:1]-[#6X4:2]")
    }
    assert len(found) == 5


def test_a_section_that_only_one_scheme_has_differs_in_every_term(sage, ethanol):
    tables = {name: table for name, table in sage.tables.items() if name != "vdW"}
    other = SmirnoffScheme(dataclasses.replace(sage, tables=tables))
    found = term_differences(scheme_of("openff-2.2.1").assign(ethanol), other.assign(ethanol))
    assert {(one.section, one.new_rule, one.new_pattern, one.what) for one in found} == {
        ("vdW", None, None, "pattern and value")
    }
    assert [one.atoms for one in found] == [(atom,) for atom in range(9)]


HEAD = '<SMIRNOFF version="0.3" aromaticity_model="OEAroModel_MDL">'


def scheme_from(path, text):
    path.write_text(f"{HEAD}{text}</SMIRNOFF>")
    return SmirnoffScheme(load_force_field(path))


def test_the_same_values_in_other_units_are_no_difference(tmp_path, ethanol):
    text = '<Angles version="0.3"><Angle smirks="[*:1]~[*:2]~[*:3]" angle="{}" k="{}"/></Angles>'
    kcal = text.format("109.5 * degree", "100.1 * kilocalorie_per_mole / radian**2")
    kilojoule = text.format(f"{math.radians(109.5)!r} * radian", f"{100.1 * 4.184!r} * kilojoule_per_mole / radian**2")
    old, new = (scheme_from(tmp_path / f"{place}.offxml", text) for place, text in enumerate((kcal, kilojoule)))
    assert term_differences(old.assign(ethanol), new.assign(ethanol)) == ()


def test_a_column_that_only_another_rule_needs_is_no_difference(tmp_path):
    """In the new file another rule gives sigma where all others give rmin_half."""
    rule = '<Atom smirks="{}" epsilon="0.1 * kcal/mol" {}="1 * angstrom"/>'
    old = scheme_from(tmp_path / "a.offxml", f'<vdW version="0.3">{rule.format("[*:1]", "rmin_half")}</vdW>')
    both = rule.format("[*:1]", "rmin_half") + rule.format("[#8:1]", "sigma")
    new = scheme_from(tmp_path / "b.offxml", f'<vdW version="0.3">{both}</vdW>')
    water = ffshare.from_smiles("O")
    (one,) = term_differences(old.assign(water), new.assign(water))
    assert (one.atoms, one.what) == ((0,), "pattern and value")


def test_virtual_sites_of_two_names_on_the_same_atoms_are_two_terms(tmp_path):
    site = (
        '<VirtualSite type="BondCharge" name="{}" match="all_permutations" smirks="[#17:1]-[#6:2]" '
        'distance="{} * angstrom" charge_increment1="0 * e" charge_increment2="0 * e"/>'
    )
    texts = [
        f'<VirtualSites version="0.3">{site.format("A", distance)}{site.format("B", 1)}</VirtualSites>'
        for distance in (1, 2)
    ]
    chloromethane = ffshare.from_smiles("CCl")
    old, new = (
        scheme_from(tmp_path / f"{place}.offxml", text).assign(chloromethane) for place, text in enumerate(texts)
    )
    assert term_differences(old, old) == ()
    (one,) = term_differences(old, new)
    assert (one.section, one.atoms, one.what) == ("VirtualSites", (1, 0), "value")


def test_a_name_on_a_rule_that_is_no_virtual_site_tells_nothing(tmp_path, ethanol):
    text = (
        '<Bonds version="0.3"><Bond smirks="[*:1]~[*:2]" length="1 * angstrom" k="1 * kcal/mol/angstrom**2"{}/></Bonds>'
    )
    old, new = (
        scheme_from(tmp_path / f"{place}.offxml", text.format(name)).assign(ethanol)
        for place, name in enumerate(("", ' name="any"'))
    )
    assert term_differences(old, new) == ()


def test_assignments_of_different_molecules_are_not_compared(ethanol):
    scheme = scheme_of("openff-2.2.1")
    with pytest.raises(SchemeError, match="were assigned to different molecules; assign both to the same batch"):
        term_differences(scheme.assign(ethanol), scheme.assign(ffshare.from_smiles("CCN")))


def test_no_molecules_have_no_differences():
    old, new = (scheme_of(name).assign(ffshare.from_smiles()) for name in ("openff-2.2.1", "openff-2.3.0"))
    assert term_differences(old, new) == ()
