"""Fitted numbers in the offxml they came from: the text around them, what reads back, and what other programs read."""

import re
from dataclasses import replace

import numpy as np
import pytest

import ffshare
from ffshare.errors import OutputError, RuleFileError
from ffshare.model import Model, charges_by_name
from ffshare.rules import diff_rules, load_force_field
from ffshare.rules.locate import locate
from ffshare.rules.rule_ids import distinct_ids
from ffshare.rules.write_back import write_fitted_offxml
from tests.model.samples import conformers

NUMBER = re.compile(rb'(?<==")[-+]?[0-9.][0-9.eE+-]*(?= \* )')
ODD = """\ufeff<?xml version="1.0" encoding="utf-8"?>\r
<SMIRNOFF version="0.3" aromaticity_model="OEAroModel_MDL">\r
\t<!-- <Bond length="9 * angstrom"/> é -->\r
<Author>length="1 * angstrom"</Author>\r
<Bonds version = "0.3" potential='harmonic'>\r
  <Bond k = ' 1e3 * kilojoule_per_mole/nanometer**2'   smirks="[#6:1]-[#6:2]"\r
     length="0.15*nanometer" id='x' note="length > k"/>\r
  <Bond smirks="[#6:1]-[#1:2]" id="x" length="  1.10 angstrom " k="+700 * mole**-1 * kcal * angstrom**-2"></Bond>\r
</Bonds>\r
</SMIRNOFF>\r
<!-- end -->"""


def free_values(force_field, sections=None):
    """Every free number of a force field by section, id, column and term."""
    return {
        (section, ids[rule], name, term): value
        for section, table in force_field.tables.items()
        for ids in [distinct_ids(table.ids)]
        for name, column in table.columns.items()
        if column.free and (sections is None or section in sections)
        for rule, term, value in zip(
            column.rule_idxs.tolist(), column.terms.tolist(), column.values.tolist(), strict=True
        )
    }


@pytest.fixture(scope="module")
def sage():
    return load_force_field("openff-2.2.1")


@pytest.fixture(scope="module")
def fitted(sage, tmp_path_factory):
    """Every free number of openff-2.2.1 moved a little, written back."""
    rng = np.random.default_rng(5)
    values = {name: value * rng.uniform(0.9, 1.1) for name, value in free_values(sage).items()}
    path = tmp_path_factory.mktemp("fitted") / "fitted.offxml"
    n_changed = write_fitted_offxml(locate("openff-2.2.1"), path, values)
    # A number that is 0 stays 0.
    assert n_changed == sum(value != 0 for value in values.values())
    return values, path


def test_the_numbers_read_back_are_those_that_were_written(sage, fitted):
    values, path = fitted
    found = free_values(load_force_field(path))
    assert list(found) == list(values)
    written = np.array(list(values.values()))
    assert np.array(list(found.values())) == pytest.approx(written, rel=3e-16)
    assert np.mean(np.array(list(found.values())) == written) > 0.95


def test_the_text_around_the_numbers_is_the_same_byte_for_byte(fitted):
    before, after = locate("openff-2.2.1").read_bytes(), fitted[1].read_bytes()
    assert before != after
    assert NUMBER.sub(b"#", before) == NUMBER.sub(b"#", after)


def test_only_the_lines_of_changed_numbers_differ(sage, tmp_path):
    torsion = sage.tables["ProperTorsions"].ids[4]
    values = free_values(sage) | {("Bonds", "b7", "k", 0): 555.5, ("ProperTorsions", torsion, "k", 1): -0.25}
    path = tmp_path / "two.offxml"
    assert write_fitted_offxml(locate("openff-2.2.1"), path, values) == 2
    before, after = locate("openff-2.2.1").read_bytes().splitlines(), path.read_bytes().splitlines()
    changed = [(old, new) for old, new in zip(before, after, strict=True) if old != new]
    assert len(changed) == 2
    assert b'k="555.5 * ' in changed[0][1]
    assert b'k2="-0.25 * ' in changed[1][1]


def test_without_new_values_the_file_is_a_copy(sage, tmp_path):
    path = tmp_path / "same.offxml"
    assert write_fitted_offxml(locate("openff-2.2.1"), path, free_values(sage)) == 0
    assert path.read_bytes() == locate("openff-2.2.1").read_bytes()


def test_a_comparison_of_the_rules_shows_the_changed_values_and_nothing_else(sage, tmp_path):
    path = tmp_path / "fitted.offxml"
    new = {("Angles", "a1", "angle", 0): 1.9, ("Angles", "a1", "k", 0): 101.0, ("vdW", "n16", "epsilon", 0): 0.1}
    write_fitted_offxml(locate("openff-2.2.1"), path, new)
    found = diff_rules(sage, load_force_field(path)).sections
    shown = {}
    for section, one in found.items():
        assert [len(rules) for rules in (one.removed, one.added, one.moved, one.renamed, one.settings)] == [0] * 5
        for change in one.changed:
            assert not change.texts
            shown |= {(section, change.old_id, v.column, v.term): v.new for v in change.values}
    assert shown == pytest.approx(new, rel=1e-15)


def test_openff_toolkit_reads_the_same_numbers(fitted):
    toolkit = pytest.importorskip("openff.toolkit")
    values, path = fitted
    force_field = toolkit.ForceField(str(path))
    for section, attribute, unit in (
        ("Bonds", "length", "angstrom"),
        ("Bonds", "k", "kilocalorie/mole/angstrom**2"),
        ("Angles", "angle", "radian"),
        ("vdW", "epsilon", "kilocalorie/mole"),
    ):
        for parameter in force_field.get_parameter_handler(section).parameters:
            found = getattr(parameter, attribute).m_as(unit)
            assert found == pytest.approx(values[section, parameter.id, attribute, 0], rel=1e-12)
    for parameter in force_field.get_parameter_handler("ProperTorsions").parameters:
        for term, k in enumerate(parameter.k):
            name = ("ProperTorsions", parameter.id, "k", term)
            assert k.m_as("kilocalorie/mole") == pytest.approx(values[name], rel=1e-12, abs=1e-300)


def test_energies_of_the_file_are_those_of_the_fitted_numbers(sage, fitted, tmp_path):
    """Values straight in the tables, and through the file."""
    values, path = fitted
    batch = ffshare.from_smiles("CC(=O)NC", "c1ccc(Cl)nc1C", "CS(=O)(=O)NC")
    assignment = ffshare.load_scheme("openff-2.2.1").assign(batch)
    tables = with_values(assignment.tables, values)
    coords = conformers(batch, 3)
    totals = []
    for one in (replace(assignment, tables=tables), ffshare.load_scheme(path).assign(batch)):
        model = Model.of(one, "gasteiger")
        totals.append(model.energies(model.frames(coords)).total)
    assert totals[0] == pytest.approx(totals[1], rel=1e-12)
    original = Model.of(assignment, "gasteiger")
    assert np.abs(original.energies(original.frames(coords)).total - totals[0]).max() > 0.1


def test_openmm_computes_the_same_energies_from_the_file(fitted, tmp_path):
    toolkit, oracle = pytest.importorskip("openff.toolkit"), pytest.importorskip("tests.model.openmm_oracle")
    # Constrained bonds would have no energy in OpenMM.
    values, path = {name: value for name, value in fitted[0].items() if name[0] != "Constraints"}, tmp_path / "u.offxml"
    write_fitted_offxml(locate("openff_unconstrained-2.2.1"), path, values)
    batch = ffshare.from_smiles("CC(=O)NC")
    assignment = ffshare.load_scheme(path).assign(batch)
    charges = charges_by_name(assignment, "gasteiger")
    model, coords = Model.of(assignment, charges), conformers(batch, 3)
    energies = model.energies(model.frames(coords)).by_section
    molecule = oracle.openff_molecule(batch, 0, charges)
    expected = oracle.by_section(oracle.openmm_system(toolkit.ForceField(str(path)), molecule), coords[0])
    for section, (values, _) in expected.items():
        assert energies[section] == pytest.approx(values, rel=1e-6, abs=1e-8), section


def with_values(tables, values):
    """Tables with other numbers."""
    found = {}
    for section, table in tables.items():
        columns = {
            name: replace(
                column,
                values=[
                    values.get((section, table.ids[rule], name, term), value)
                    for rule, term, value in zip(column.rule_idxs, column.terms, column.values, strict=True)
                ],
            )
            for name, column in table.columns.items()
        }
        found[section] = replace(table, columns=columns)
    return found


def test_odd_files_keep_their_oddities(write_file, tmp_path):
    source, target = write_file(ODD), tmp_path / "out.offxml"
    values = {
        ("Bonds", "x", "length", 0): 1.6,
        ("Bonds", 0, "k", 0): 2.5 / 4.184,
        ("Bonds", "x (2)", "length", 0): 1.2,
        ("Bonds", 1, "k", 0): 650.0,
    }
    assert write_fitted_offxml(source, target, values) == 4
    expected = (
        ODD.replace("0.15*nanometer", "0.16*nanometer")
        .replace("' 1e3 * kilojoule", "' 250.0 * kilojoule")
        .replace("  1.10 angstrom ", "  1.2 angstrom ")
        .replace("+700 *", "650.0 *")
    )
    assert target.read_bytes().decode() == expected


def test_values_that_the_file_does_not_give_are_listed_together(write_file, tmp_path):
    target = tmp_path / "out.offxml"
    values = {
        ("Bonds", "y", "k", 0): 1.0,
        ("Angles", "a1", "k", 0): 1.0,
        ("Bonds", "x", "k", 1): 1.0,
        ("Bonds", 0, "length", 0): float("nan"),
        ("Bonds", 1, "k", 0): 1.0,
        ("Bonds", "x (2)", "k", 0): 2.0,
    }
    with pytest.raises(RuleFileError) as caught:
        write_fitted_offxml(write_file(ODD), target, values)
    assert [fault.message for fault in caught.value.faults] == [
        "Bonds rule 'y', k, term 0: no such rule",
        "Angles rule 'a1', k, term 0: no such rule",
        "Bonds rule 'x', k, term 1: its text gives no k2",
        "Bonds rule 0: length: 'nan' is not a finite number",
        "Bonds rule 'x (2)': k is given twice",
    ]
    assert not target.exists()


def test_files_that_are_not_edited_in_place_are_refused(write_file, tmp_path):
    toml = write_file('[vdW]\n[[vdW.Atom]]\nsmirks = "[*:1]"\nepsilon = "1 * kcal/mol"\nsigma = "1 * Å"\n', "a.toml")
    with pytest.raises(RuleFileError, match="write TOML with write_toml"):
        write_fitted_offxml(toml, tmp_path / "out.offxml", {})
    with pytest.raises(RuleFileError, match=r"'0\.2'; only files of version 0\.3 are edited in place"):
        write_fitted_offxml(locate("Frosst_AlkEthOH"), tmp_path / "out.offxml", {})


def test_the_file_that_is_read_is_not_written_over_and_a_missing_folder_is_told(write_file, tmp_path):
    source = write_file(ODD)
    with pytest.raises(OutputError, match="it is the file that is read"):
        write_fitted_offxml(source, source, {})
    with pytest.raises(OutputError, match="No such file or directory"):
        write_fitted_offxml(source, tmp_path / "none" / "out.offxml", {})
    assert [path.name for path in tmp_path.iterdir()] == ["rules.offxml"]
