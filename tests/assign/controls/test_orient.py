"""A site has one row whichever way round it is listed, and the centre of an improper is found."""

from itertools import permutations

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

import ffshare
from ffshare.assign.controls.orient import SECTIONS, bond_orders, centre_second, first_rows
from ffshare.assign.shapes import SHAPES
from tests.assign.controls.graphs import all_sites


@given(section=st.sampled_from(SECTIONS), data=st.data())
def test_the_row_is_the_first_of_those_of_all_readings(section, data):
    shape = SHAPES[section]
    size = shape.n_tags
    nodes = np.array(data.draw(st.lists(st.integers(0, 2), min_size=size, max_size=size)))
    pairs = np.array(data.draw(st.lists(st.integers(0, 1), min_size=size**2, max_size=size**2))).reshape(size, size)
    positions = list(permutations(range(size), 2))
    readings = [
        [*(nodes[place] for place in order), *(pairs[order[i], order[j]] for i, j in positions)]
        for order in shape.orders
    ]
    assert first_rows(section, nodes[None], pairs[None], positions).tolist() == [min(readings)]
    order = list(data.draw(st.sampled_from(shape.orders)))
    turned = first_rows(section, nodes[None, order], pairs[None][:, order][:, :, order], positions)
    assert turned.tolist() == [min(readings)]


@pytest.mark.parametrize("place", range(4))
def test_the_centre_of_an_improper_is_found_wherever_it_stands(place):
    batch = ffshare.from_smiles("CC(=O)N", "c1ccccc1")
    atoms = all_sites(batch, "ImproperTorsions")
    listed = atoms.copy()
    listed[:, [1, place]] = atoms[:, [place, 1]]
    found = centre_second(batch, listed, "ImproperTorsions")
    assert found[:, 1].tolist() == atoms[:, 1].tolist()
    assert np.sort(found, axis=1).tolist() == np.sort(atoms, axis=1).tolist()


def test_other_sites_stay_as_they_are_listed():
    batch = ffshare.from_smiles("CCO")
    atoms = all_sites(batch, "ProperTorsions")
    assert centre_second(batch, atoms, "ProperTorsions") is atoms


def test_orders_are_of_the_bonds_along_a_site():
    batch = ffshare.from_smiles("C=CC#N", "c1ccccc1")
    ethenyl, benzene = np.array([[0, 1, 2, 3]]), batch.atom_offsets[1] + np.array([[0, 1, 2, 3]])
    found = bond_orders(batch, ethenyl, "ProperTorsions")[0]
    assert [found[0, 1], found[1, 2], found[2, 3]] == [4, 2, 6]
    assert (found == found.T).all()
    assert found[0, 2] == found[0, 3] == 0
    assert bond_orders(batch, benzene, "ProperTorsions")[0, 1, 2] == 3
