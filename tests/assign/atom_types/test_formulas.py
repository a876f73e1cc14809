import importlib.util
import math
from pathlib import Path

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from ffshare.assign.atom_types.formulas import (
    TOLERANCE,
    Formulas,
    angle_constant,
    angle_terms,
    bond_constant,
    bond_terms,
    deviations,
    load_formulas,
)
from ffshare.errors import RuleFileError
from tests.assign.atom_types.typed_samples import definition_of


def script(name):
    path = Path(__file__).resolve().parents[3] / "scripts" / f"{name}.py"
    spec = importlib.util.spec_from_file_location(name, path)
    module = importlib.util.module_from_spec(spec)
    spec.loader.exec_module(module)
    return module


fit_formulas = script("fit_formulas")

LENGTHS = st.floats(0.9, 2.5)
ANGLES = st.floats(0.8, math.pi)


@given(zcz=st.floats(0.3, 5.0), first=LENGTHS, second=LENGTHS, angle=ANGLES)
def test_the_angle_formula_is_what_its_docstring_prints(zcz, first, second, angle):
    asymmetry = (first - second) ** 2 / (first + second) ** 2
    expected = 143.9 * zcz * math.exp(-2 * asymmetry) / ((first + second) * math.sqrt(angle))
    for lengths in ((first, second), (second, first)):
        found = angle_constant(np.array([zcz]), np.array([lengths]), np.array([angle]))
        np.testing.assert_allclose(found, [expected], rtol=1e-12)


@given(ln_k=st.floats(4.0, 10.0), exponent=st.floats(3.0, 6.0), length=LENGTHS)
def test_the_bond_formula_is_what_its_docstring_prints(ln_k, exponent, length):
    expected = math.exp(ln_k) / length**exponent
    found = bond_constant(np.array([ln_k]), exponent, np.array([length]))
    np.testing.assert_allclose(found, [expected], rtol=1e-12)


@pytest.mark.parametrize(
    ("name", "exponent", "bonds", "angles"), [("gaff", 4.5, 0.996, 0.974), ("gaff2", 4.68, 0.873, 0.79)]
)
def test_the_constants_give_most_force_constants_of_the_tables(name, exponent, bonds, angles):
    definition = definition_of(name)
    tables, elements, formulas = definition.tables, definition.elements, definition.formulas
    assert formulas.exponent == exponent
    assert formulas.z["C"] == 1.0
    assert np.mean(deviations(bond_terms(tables["Bonds"], elements), formulas) <= TOLERANCE) > bonds
    assert np.mean(deviations(angle_terms(tables["Angles"], tables["Bonds"], elements), formulas) <= TOLERANCE) > angles


@pytest.mark.parametrize("name", ["gaff", "gaff2"])
def test_the_terms_of_the_formulas_are_read_from_the_right_rows(name):
    definition = definition_of(name)
    tables, elements = definition.tables, definition.elements
    terms = angle_terms(tables["Angles"], tables["Bonds"], elements)
    lengths = dict(zip(tables["Bonds"].ids, tables["Bonds"].columns["length"].values.tolist(), strict=True))
    for row in range(0, len(tables["Angles"]), 97):
        first, centre, last = tables["Angles"].ids[row].split("-")
        assert terms.elements[row] == (elements[first], elements[centre], elements[last])
        for length, end in zip(terms.lengths[row].tolist(), (first, last), strict=True):
            expected = lengths.get(f"{end}-{centre}", lengths.get(f"{centre}-{end}", math.nan))
            np.testing.assert_equal(length, expected)


def test_a_row_without_a_constant_or_a_bond_is_not_by_formula():
    definition = definition_of("alkethoh-types")
    formulas = Formulas(exponent=4.5, ln_k={"C-C": 7.6}, radii={"CT": 0.77}, z={"C": 1.0, "H": 0.66}, c={"C": 1.87})
    bonds = deviations(bond_terms(definition.tables["Bonds"], definition.elements), formulas)
    assert np.isfinite(bonds).tolist() == [rule_id == "CT-CT" for rule_id in definition.tables["Bonds"].ids]
    angles = angle_terms(definition.tables["Angles"], definition.tables["Bonds"], definition.elements)
    known = ["O" not in elements for elements in angles.elements]
    assert np.isfinite(deviations(angles, formulas)).tolist() == known


def test_the_stored_constants_are_what_the_script_estimates():
    definition = definition_of("gaff")
    exponent, ln_k = fit_formulas.fit_bonds(definition)
    assert exponent == definition.formulas.exponent
    assert ln_k == pytest.approx(definition.formulas.ln_k, abs=2e-4)
    assert fit_formulas.fit_radii(definition) == pytest.approx(definition.formulas.radii, abs=5e-3)


def test_the_fit_finds_the_constants_that_most_rows_were_made_with():
    rng = np.random.default_rng(3)
    design = rng.integers(0, 2, size=(400, 5)).astype(float)
    truth = np.array([0.3, -0.2, 1.0, 0.1, -0.7])
    values = design @ truth
    wrong = rng.permutation(400)[:150]
    values[wrong] += rng.uniform(0.1, 2.0, size=150)
    # Rows with the last coefficient come from another source, more than half of them with a value of its own.
    other = np.flatnonzero(design[:, 4])
    values[other[::3]] += 0.5
    found = fit_formulas.most_rows_agree(design, values, fit_formulas.least_absolute(design, values))
    np.testing.assert_allclose(found, truth, atol=1e-3)


def test_the_densest_values_are_found_among_others():
    assert fit_formulas.densest(np.array([1.0, 2.0, 2.001, 2.002, 3.0, 3.001])) == 2.001


@pytest.mark.parametrize(
    ("text", "message"),
    [
        ("[bonds]\nexponent = 4.5\n", "bonds.ln_k is missing"),
        ('[bonds]\nexponent = "high"\nln_k = { C-C = 1.0 }\nradii = { c = 1 }\n', "bonds.exponent is missing or holds"),
        ("[angles]\nz = { C = true, N = 'x' }", "angles.z is missing or holds something that is no number"),
        ("[bonds", "not TOML"),
    ],
)
def test_a_faulty_file_of_constants_is_told(tmp_path, text, message):
    path = tmp_path / "formula.toml"
    path.write_text(text, encoding="utf-8")
    with pytest.raises(RuleFileError, match=message):
        load_formulas(path)
