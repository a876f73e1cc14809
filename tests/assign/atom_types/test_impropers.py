import itertools
import math
from dataclasses import replace

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from ffshare.assign.atom_types.impropers import find_impropers
from tests.assign.atom_types.energy import dihedral
from tests.assign.atom_types.typed_samples import SAMPLES, definition_of, renumbered, sample

PLANAR = ("c", "ca", "cc", "cd", "ce", "cf", "cp", "cq", "c2", "n", "na", "no")


def planar_of(atoms):
    return np.array([*(name in PLANAR for name in atoms.names), False])


def energy(found, coordinates, k=1.1):
    """Sum over the sites of share k (1 + cos(2φ - 180°))."""
    total = 0.0
    for site, weight in zip(found.sites.tolist(), found.weights.tolist(), strict=True):
        total += weight * k * (1.0 + math.cos(2.0 * dihedral(coordinates[site]) - math.pi))
    return total


@given(st.integers(0, 2**32 - 1))
def test_the_energy_depends_on_the_neighbour_next_to_the_centre_alone(seed):
    first, second, centre, third = points = np.random.default_rng(seed).normal(size=(4, 3))
    forms = [dihedral(points), dihedral(np.array([third, second, centre, first])), dihedral(points[::-1])]
    np.testing.assert_allclose([math.cos(2.0 * angle) for angle in forms], math.cos(2.0 * forms[0]), atol=1e-9)


@pytest.mark.parametrize("name", SAMPLES)
def test_renumbering_atoms_changes_no_energy_in_canonical_mode(name):
    batch, atoms = sample(name)
    rng = np.random.default_rng(len(name))
    coordinates = rng.normal(size=(batch.n_atoms, 3))
    expected = energy(find_impropers(batch, atoms, planar_of(atoms), canonical=True), coordinates)
    for _ in range(5):
        order = rng.permutation(batch.n_atoms).tolist()
        again, same_atoms = renumbered(batch, atoms, order)
        found = find_impropers(again, same_atoms, planar_of(atoms), canonical=True)
        assert energy(found, coordinates[order]) == pytest.approx(expected, abs=1e-9)


def test_renumbering_atoms_changes_the_energy_in_antechamber_mode():
    batch, atoms = sample("N-phenylacetamide")
    coordinates = np.random.default_rng(0).normal(size=(batch.n_atoms, 3))
    order = np.arange(batch.n_atoms)[::-1].tolist()
    turned, same_atoms = renumbered(batch, atoms, order)
    energies = [
        energy(find_impropers(batch, atoms, planar_of(atoms), canonical=False), coordinates),
        energy(find_impropers(turned, same_atoms, planar_of(atoms), canonical=False), coordinates[order]),
    ]
    assert abs(energies[0] - energies[1]) > 0.01


def plain_sites(batch, atoms, canonical):
    """Sites and shares of every planar centre, by trying all orders of its neighbours."""
    found = {}
    for centre in range(batch.n_atoms):
        near = batch.targets[batch.row_offsets[centre] : batch.row_offsets[centre + 1]].tolist()
        if len(near) != 3 or atoms.names[atoms.types[centre]] not in PLANAR:
            continue
        rank = {atom: (atoms.base_types[atom], 0) if canonical else (atoms.types[atom], atom) for atom in near}
        orders = [
            order
            for order in itertools.permutations(near)
            if all(rank[one] <= rank[other] for one, other in itertools.pairwise(order))
        ]
        for first, second, third in orders:
            place = (centre, second, frozenset((first, third)))
            found[place] = found.get(place, 0.0) + 1.0 / len(orders)
    return found


@pytest.mark.parametrize("canonical", [True, False])
@pytest.mark.parametrize("name", SAMPLES)
def test_the_energy_is_the_mean_over_all_orders_that_sort_the_neighbours(name, canonical):
    batch, atoms = sample(name)
    found = find_impropers(batch, atoms, planar_of(atoms), canonical)
    sites = {
        (centre, second, frozenset((first, third))): weight
        for (third, centre, second, first), weight in zip(found.sites.tolist(), found.weights.tolist(), strict=True)
    }
    assert len(sites) == len(found.sites)
    assert sites == pytest.approx(plain_sites(batch, atoms, canonical))


def names_of(atoms, rows):
    return ["-".join(atoms.names[atoms.types[atom]] for atom in row) for row in rows.tolist()]


def test_sites_hold_ambers_order_from_its_other_end():
    batch, atoms = sample("methyl acetate")
    found = find_impropers(batch, atoms, planar_of(atoms), canonical=False)
    assert names_of(atoms, found.atoms) == ["c3-o-c-os"]
    assert names_of(atoms, found.sites) == ["os-c-o-c3"]
    assert found.weights.tolist() == [1.0]


def test_types_of_a_pair_are_sorted_as_one_in_canonical_mode():
    # Around the ring carbon that bears the chain stand cc, cd and a chain atom.
    batch, atoms = sample("2,2'-bithiophene")
    centre = 3
    by_mode = {canonical: find_impropers(batch, atoms, planar_of(atoms), canonical) for canonical in (True, False)}
    rows = {mode: found.atoms[:, 2].tolist().index(centre) for mode, found in by_mode.items()}
    assert names_of(atoms, by_mode[False].atoms)[rows[False]] == "cc-cd-cd-ss"
    shares = by_mode[True].weights[by_mode[True].centres == rows[True]]
    assert shares.tolist() == [0.5, 0.5]


def test_an_atom_with_an_untyped_neighbour_gets_no_improper():
    batch, atoms = sample("methyl acetate")
    types = np.array(atoms.types)
    types[2] = -1
    lacking = replace(atoms, types=types)
    assert len(find_impropers(batch, lacking, planar_of(atoms), canonical=True).atoms) == 0


def test_the_planar_types_are_those_of_the_force_field():
    gaff, gaff2 = definition_of("gaff"), definition_of("gaff2")
    assert gaff.improper_centres < gaff2.improper_centres
    assert {"c", "ca", "n", "na", "nh", "no"} < gaff.improper_centres
    assert not {"c3", "n3", "n4", "p5", "s6", "cx"} & gaff2.improper_centres
    assert not definition_of("alkethoh-types").improper_centres
