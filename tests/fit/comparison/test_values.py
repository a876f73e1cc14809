"""Amplitudes before any fit: the table of elements and guesses from Hessians, slot by slot."""

import numpy as np
import pytest

from ffshare.fit.comparison import TermsOf
from ffshare.fit.comparison.values import slot_values
from ffshare.fit.guesses import element_values, seminario
from tests.fit.comparison.samples import data, hessian_of, parts, parts_of

SECTIONS = ("Bonds", "Angles", "ProperTorsions", "ImproperTorsions")


def by_section(made, amplitudes):
    """Amplitudes by section, shape=(n_sites, n_functions) each."""
    found, first = {}, 0
    for section, basis in made.bases.items():
        shape = (len(made.sites.atom_idxs[section]), len(basis.names))
        found[section] = amplitudes[first : first + shape[0] * shape[1]].reshape(shape)
        first += shape[0] * shape[1]
    assert first == len(amplitudes)
    return found


def test_the_table_is_that_of_elements():
    made = parts()
    table, atoms = by_section(made, made.values.table), made.sites.atom_idxs
    expected = element_values(made.sites.batch, *(atoms[section] for section in SECTIONS))
    for section, k, rest in (
        ("Bonds", expected.bond_k, expected.bond_length),
        ("Angles", expected.angle_k, expected.angle),
    ):
        np.testing.assert_allclose(table[section][:, 0], k)
        np.testing.assert_allclose(table[section][:, 1] / table[section][:, 0], rest)
    assert not table["ProperTorsions"].any()


def test_a_planar_centre_is_held_in_its_plane_by_the_three_terms_of_its_trefoil():
    made = parts()
    table = by_section(made, made.values.table)["ImproperTorsions"]
    # -1 kcal/mol (1 + cos 2φ) in all: lowest at φ = 0, where the centre is planar.
    np.testing.assert_allclose(3.0 * table, -1.0)


def test_hessians_replace_the_table_for_bonds_and_angles_of_their_molecules_alone():
    molecules = data()
    made = parts()
    known = (1, 4)
    hessians = {molecules[idx].smiles: hessian_of(molecules[idx]) for idx in known}
    found = slot_values(made.sites, made.bases, molecules, hessians)
    np.testing.assert_array_equal(found.table, made.values.table)
    guess, table, atoms = by_section(made, found.guess), by_section(made, found.table), made.sites.atom_idxs
    given = [hessians.get(each.smiles) for each in molecules]
    expected = seminario(
        made.sites.batch,
        [each and each.coords for each in given],
        [each and each.hessian for each in given],
        atoms["Bonds"],
        atoms["Angles"],
    )
    for section, k, rest in (
        ("Bonds", expected.bond_k, expected.bond_length),
        ("Angles", expected.angle_k, expected.angle),
    ):
        is_known = np.isin(made.sites.molecule_idxs(section), known)
        np.testing.assert_array_equal(guess[section][~is_known], table[section][~is_known])
        has_k = is_known & np.isfinite(k)
        assert has_k.sum() > 5
        np.testing.assert_allclose(guess[section][has_k, 0], k[has_k])
        np.testing.assert_allclose(guess[section][has_k, 1], (k * rest)[has_k])
    for section in SECTIONS[2:]:
        np.testing.assert_array_equal(guess[section], table[section])


def test_without_hessians_the_guesses_are_the_table():
    np.testing.assert_array_equal(parts().values.guess, parts().values.table)


@pytest.mark.parametrize("terms", [TermsOf(periodicities=n) for n in ((1,), (1, 2, 3, 4, 5, 6), None)])
def test_every_slot_has_a_finite_value_whatever_the_terms(terms):
    molecules = data()
    made = parts_of("openff-2.2.1", molecules, terms, {each.smiles: hessian_of(each) for each in molecules})
    assert np.isfinite(made.values.guess).all()
    assert len(made.values.guess) == len(made.problem().slot_sites)
