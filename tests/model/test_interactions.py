"""From an assignment to interactions: the numbers of the sites, and everything that cannot be computed is refused."""

import dataclasses
import math

import numpy as np
import pytest

import ffshare
from ffshare.errors import SchemeError
from ffshare.model import Model, bonded_terms
from tests.model.samples import ODD_PHASES, VARIED, conformers, scheme_of


@pytest.fixture
def ethanol():
    return scheme_of("openff-2.2.1").assign(ffshare.from_smiles("CCO"))


def changed(assignment, section, **settings):
    """The assignment with other settings of one section."""
    table = assignment.tables[section]
    table = dataclasses.replace(table, settings={**table.settings, **settings})
    return dataclasses.replace(assignment, tables={**assignment.tables, section: table})


def test_numbers_of_the_sites_are_those_of_the_ties():
    assignment = scheme_of("openff-2.2.1").assign(ffshare.from_smiles(*VARIED))
    found = Model.of(assignment, None).interactions
    for section, rest in (("Bonds", "length"), ("Angles", "angle")):
        for name, column in (("force_constants", "k"), ("rest_values", rest)):
            values = assignment.tables[section].columns[column].values
            expected = assignment.tying(section, column).expand(values)
            np.testing.assert_array_equal(getattr(found[section].potential, name), expected)
    for section in ("ProperTorsions", "ImproperTorsions"):
        potential = found[section].potential
        barriers = assignment.tying(section, "k").expand(assignment.tables[section].columns["k"].values)
        np.testing.assert_array_equal(potential.barriers[potential.periodicities > 0], barriers)


def test_the_three_terms_of_an_improper_take_a_third_of_the_barrier_each():
    assignment = scheme_of("openff-2.2.1").assign(ffshare.from_smiles("C=O"))
    sites, table = assignment.sites["ImproperTorsions"], assignment.tables["ImproperTorsions"]
    (rule,) = set(sites.rule_idxs.tolist())
    k = table.columns["k"].values[rule]
    model = Model.of(assignment, None).only(["ImproperTorsions"])
    barriers = model.interactions["ImproperTorsions"].potential.barriers
    np.testing.assert_allclose(barriers, k / 3)
    flat = model.frames([[[0, 0, 0], [1.2, 0, 0], [-0.6, 0.9, 0], [-0.6, -0.9, 0]]])
    assert model.energies(flat).total[0] == pytest.approx(0.0, abs=1e-12)


def test_a_site_without_a_rule_is_refused_by_name():
    batch = ffshare.from_smiles("CCO", "CN(C)[N+](=O)[O-]")
    batch = dataclasses.replace(batch, names=("ethanol", "nitramine"))
    with pytest.raises(
        SchemeError, match=r"no rule for 2 terms of ProperTorsions, the first .* molecule 1 \(nitramine"
    ):
        Model.of(scheme_of("openff-1.3.1").assign(batch), None)


def test_terms_do_not_need_rules():
    assignment = scheme_of("openff-1.3.1").assign(ffshare.from_smiles("CN(C)[N+](=O)[O-]"))
    found = bonded_terms(assignment)
    assert len(found["ProperTorsions"]) == len(assignment.sites["ProperTorsions"])


def test_a_barrier_between_bond_orders_is_refused(tmp_path):
    path = tmp_path / "interpolated.offxml"
    path.write_text(
        '<SMIRNOFF version="0.3" aromaticity_model="OEAroModel_MDL">'
        '<ProperTorsions version="0.4" potential="k*(1+cos(periodicity*theta-phase))" default_idivf="auto" '
        'fractional_bondorder_method="AM1-Wiberg" fractional_bondorder_interpolation="linear">'
        '<Proper smirks="[*:1]~[#6X4:2]-[#6X4:3]~[*:4]" id="t1" periodicity1="3" phase1="0.0 * degree" '
        'k1_bondorder1="1.0 * kilocalories_per_mole" k1_bondorder2="2.0 * kilocalories_per_mole" idivf1="1.0"/>'
        "</ProperTorsions></SMIRNOFF>"
    )
    with pytest.raises(SchemeError, match="rule t1 gives no plain value of k for 9 terms of ProperTorsions"):
        Model.of(ffshare.load_scheme(path).assign(ffshare.from_smiles("CC")), None)


def test_a_potential_that_the_model_does_not_know_is_refused(ethanol):
    with pytest.raises(SchemeError, match="Bonds has the potential 'morse'; the model computes harmonic or"):
        Model.of(changed(ethanol, "Bonds", potential="morse"), None)
    with pytest.raises(SchemeError, match="vdW has the potential 'Buckingham-exp-6'"):
        Model.of(changed(ethanol, "vdW", potential="Buckingham-exp-6"), None)


def test_other_combining_rules_are_refused(ethanol):
    with pytest.raises(SchemeError, match="combining rules 'geometric'; the model computes Lorentz-Berthelot"):
        Model.of(changed(ethanol, "vdW", combining_rules="geometric"), None)


@pytest.mark.parametrize(("name", "value"), [("scale12", "1.0"), ("scale13", "0.5"), ("scale15", "0.9")])
def test_scales_other_than_of_1_4_pairs_are_refused(ethanol, name, value):
    with pytest.raises(SchemeError, match=f"{name} is {value}; the model computes with"):
        Model.of(changed(ethanol, "vdW", **{name: value}), None)


def test_1_4_pairs_are_scaled_as_the_section_says():
    assignment = scheme_of("openff-2.2.1").assign(ffshare.from_smiles("CC"))
    frames = conformers(assignment.batch, n_conformers=1)
    # All pairs of ethane that interact are 1-4 pairs.
    energies = {}
    for scale in ("0.5", "1.0"):
        model = Model.of(changed(assignment, "vdW", scale14=scale), None).only(["vdW"])
        energies[scale] = model.energies(model.frames(frames)).total[0]
    assert energies["0.5"] == pytest.approx(energies["1.0"] / 2)


def test_electrostatics_are_scaled_as_their_section_says_or_as_in_openff():
    assignment = scheme_of("openff-2.2.1").assign(ffshare.from_smiles("CC"))
    charges = np.linspace(-0.1, 0.2, 8)
    pairs = Model.of(assignment, charges).interactions["Electrostatics"]
    first, second = pairs.terms.atom_idxs.T
    np.testing.assert_allclose(pairs.potential.products, charges[first] * charges[second] * 0.8333333333, rtol=1e-15)
    electrostatics = dataclasses.replace(
        assignment.tables["Constraints"], section="Electrostatics", columns={}, settings={"scale14": "0.25"}
    )
    told = dataclasses.replace(assignment, tables={**assignment.tables, "Electrostatics": electrostatics})
    products = Model.of(told, charges).interactions["Electrostatics"].potential.products
    np.testing.assert_allclose(products, charges[first] * charges[second] * 0.25, rtol=1e-15)


def test_impropers_are_one_dihedral_where_the_section_says_so():
    assignment = scheme_of("openff-2.2.1").assign(ffshare.from_smiles("CC(=O)N"))
    single = changed(assignment, "ImproperTorsions", coordinate="dihedral")
    assert bonded_terms(assignment)["ImproperTorsions"].form == "trefoil"
    terms = bonded_terms(single)["ImproperTorsions"]
    np.testing.assert_array_equal(terms.atom_idxs, assignment.sites["ImproperTorsions"].atom_idxs)
    assert terms.form == "dihedral"
    with pytest.raises(SchemeError, match="impropers have the coordinate 'wagging'; expected trefoil or dihedral"):
        Model.of(changed(assignment, "ImproperTorsions", coordinate="wagging"), None)


def test_a_share_of_the_barrier_enters_once():
    assignment = scheme_of("openff-2.2.1").assign(ffshare.from_smiles("C=O"))
    sites = assignment.sites["ImproperTorsions"]
    halved = dataclasses.replace(sites, weights=np.full(len(sites), 0.5))
    shared = dataclasses.replace(assignment, sites={**assignment.sites, "ImproperTorsions": halved})
    barriers = [
        Model.of(each, None).interactions["ImproperTorsions"].potential.barriers for each in (assignment, shared)
    ]
    np.testing.assert_allclose(barriers[1], barriers[0] / 2)


def test_a_section_with_energies_that_the_model_does_not_know_is_refused(ethanol):
    sites = {**ethanol.sites, "StretchBends": ethanol.sites["Angles"]}
    with pytest.raises(SchemeError, match="no energy for section 'StretchBends'"):
        Model.of(dataclasses.replace(ethanol, sites=sites), None)


def test_radii_and_sigmas_may_stand_side_by_side():
    # In openff-2.2.1 water has sigmas, the rest has radii.
    assignment = scheme_of("openff-2.2.1").assign(ffshare.from_smiles("O", "CO"))
    columns = assignment.tables["vdW"].columns
    assert len(columns["sigma"].values)
    given = set(columns["rmin_half"].rule_idxs.tolist())
    with_sigma = [rule not in given for rule in assignment.sites["vdW"].rule_idxs.tolist()]
    assert any(with_sigma)
    assert not all(with_sigma)
    assert np.isfinite(Model.of(assignment, None).interactions["vdW"].potential.distances).all()


def test_a_periodicity_that_is_no_whole_number_is_refused(ethanol):
    table = ethanol.tables["ProperTorsions"]
    column = dataclasses.replace(table.columns["periodicity"], values=table.columns["periodicity"].values + 0.5)
    table = dataclasses.replace(table, columns={**table.columns, "periodicity": column})
    odd = dataclasses.replace(ethanol, tables={**ethanol.tables, "ProperTorsions": table})
    with pytest.raises(SchemeError, match="a periodicity of ProperTorsions is no whole number"):
        Model.of(odd, None)


def test_phases_of_ninety_degrees_are_kept_with_their_sign():
    assignment = scheme_of("openff-2.2.1").assign(ffshare.from_smiles(*ODD_PHASES))
    potential = Model.of(assignment, None).interactions["ProperTorsions"].potential
    odd = np.abs(np.sin(potential.phases)) > 1e-6
    assert set(np.degrees(potential.phases[odd]).round().tolist()) == {90.0, 270.0, 320.0}
    assert math.isclose(np.abs(potential.sines).sum(), np.abs(potential.barriers * np.sin(potential.phases)).sum())
