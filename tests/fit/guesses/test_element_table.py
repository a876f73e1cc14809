"""The table of elements and bond orders: laws, then chemistry that is spelled out."""

import itertools

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from rdkit import Chem

from ffshare.assign.controls.symmetry import symmetry
from ffshare.errors import InputError
from ffshare.fit.guesses import element_values
from ffshare.fit.guesses.bond_orders import mean_orders, skeleton_colours
from ffshare.fit.guesses.radii import RADII, bond_lengths
from ffshare.fit.guesses.rest_angles import rest_angles, smallest_rings
from ffshare.fit.guesses.stiffness import ELECTRONEGATIVITIES, MILLIDYNE, gordy_k
from ffshare.molecules import GraphBatch, from_smiles
from ffshare.molecules.tuples import improper_atoms, improper_edges, proper_atoms, proper_edges
from tests.fit.guesses.springs import batch_of, sites_of

# Charges, rings of all sizes, cages, hypervalent centres, metals.
MOLECULES = (
    *("CC(=O)[O-]", "C[N+](=O)[O-]", "NC(N)=[NH2+]", "CNC(N)=[NH+]C", "CC(=O)C=C(C)[O-]", "C[n+]1cc[nH]c1"),
    *("C1=CC2=CC=CC2=C1", "C1=CC=CC=CC=C1", "c1ccc2[nH]ccc2c1", "C1CC1", "C1CC2CC1CC2", "C12C3C4C1C5C2C3C45"),
    *("CS(=O)(=O)[O-]", "CS(C)(=O)=O", "COP(=O)([O-])[O-]", "FS(F)(F)(F)(F)F", "FP(F)(F)(F)F", "[Na+].[Cl-]"),
    *("C[Zn]C", "C[Si](C)(C)C", "CB(O)O", "CN=[N+]=[N-]", "C[S+](C)[O-]", "O=C1C=CC(=O)C=C1", "[H][H]"),
)
CHARGED = MOLECULES[:6] + MOLECULES[12:13] + MOLECULES[14:15]
SEEDS = st.integers(0, 2**32 - 1)


def all_sites(batch):
    """Bonds, angles, propers, and impropers at every centre with three neighbours."""
    impropers = improper_edges(batch, np.flatnonzero(batch.degrees == 3))
    return *sites_of(batch), proper_atoms(batch, proper_edges(batch)), improper_atoms(batch, impropers)


def values_of(batch):
    found = element_values(batch, *all_sites(batch))
    return found.bond_k, found.bond_length, found.angle_k, found.angle, found.proper_k, found.improper_k


@given(seed=SEEDS, smiles=st.sampled_from(MOLECULES))
def test_renumbering_the_atoms_changes_nothing(seed, smiles):
    batch = batch_of(smiles)
    order = np.random.default_rng(seed).permutation(batch.n_atoms)
    places = np.argsort(order)
    renumbered = GraphBatch.from_molecules([Chem.RenumberAtoms(batch.molecules[0], order.tolist())])
    sites = all_sites(batch)
    first, second = element_values(batch, *sites), element_values(renumbered, *(places[atoms] for atoms in sites))
    for name in ("bond_k", "bond_length", "angle_k", "angle", "proper_k", "improper_k"):
        np.testing.assert_allclose(getattr(second, name), getattr(first, name), rtol=1e-12, err_msg=name)


@pytest.mark.parametrize("smiles", MOLECULES)
def test_equivalent_sites_get_equal_values(smiles):
    batch = batch_of(smiles)
    ranks = symmetry(batch).ranks
    for sites, values in zip((0, 0, 1, 1), values_of(batch), strict=False):
        assert_equal_within(all_sites(batch)[sites], values, ranks)


@pytest.mark.parametrize("smiles", CHARGED)
def test_sites_that_only_the_written_charges_tell_apart_get_equal_values(smiles):
    batch = batch_of(smiles)
    colours = np.unique(skeleton_colours(batch), return_inverse=True)[1]
    for sites, values in zip((0, 0, 1, 1), values_of(batch), strict=False):
        assert_equal_within(all_sites(batch)[sites], values, colours)


def assert_equal_within(tuples, values, classes):
    found = {}
    for atoms, value in zip(classes[tuples].tolist(), values, strict=True):
        key = min(tuple(atoms), tuple(atoms[::-1]))
        assert value == pytest.approx(found.setdefault(key, value), rel=1e-12), key


@pytest.mark.parametrize(
    ("first", "second"),
    [
        ("CC(=O)[O-]", "CC([O-])=O"),
        ("CNC(C)=[NH2+]", "C[NH+]=C(C)N"),
        ("C[S+]([O-])C", "CS(=O)C"),
        ("CC1=C(C)C=CC=C1", "CC1=CC=CC=C1C"),
        ("Cn1cc[n+](CC)c1", "C[n+]1ccn(CC)c1"),
    ],
)
def test_the_way_a_molecule_is_written_does_not_matter(first, second):
    for ours, theirs in zip(*(values_of(from_smiles(smiles)) for smiles in (first, second)), strict=True):
        np.testing.assert_allclose(np.sort(ours), np.sort(theirs), rtol=1e-12)


@pytest.mark.parametrize("smiles", MOLECULES)
def test_every_site_gets_a_sensible_value(smiles):
    bond_k, length, angle_k, angle, proper_k, improper_k = values_of(from_smiles(smiles))
    assert ((bond_k > 50) & (bond_k < 4000)).all()
    assert ((length > 0.6) & (length < 3.0)).all()
    assert ((angle_k > 90) & (angle_k < 170)).all()
    assert ((angle >= np.pi / 3 - 1e-12) & (angle <= np.pi)).all()
    assert (proper_k == 0).all()
    assert np.isin(improper_k, (0.0, -1.0)).all()


def test_every_pair_of_elements_has_a_bond():
    elements = np.array(list(itertools.product(range(1, 119), repeat=2)))
    for order in (1.0, 1.5, 2.0, 3.0):
        orders = np.full(len(elements), order)
        lengths = bond_lengths(elements, orders)
        k = gordy_k(elements, orders, lengths)
        assert ((lengths > 0.6) & (lengths < 4.7)).all()
        assert ((k > 1) & (k < 6000)).all()
    assert (RADII[:, 1:] > 0.3).all()
    assert (ELECTRONEGATIVITIES > 0.6).all()


@pytest.mark.parametrize(
    ("pair", "order", "length", "k"),
    [
        # Lengths [Å] and force constants [mdyn/Å] of ethane, ethene, ethyne, acetonitrile, methanol, chloromethane, N2
        # and H2 (CRC Handbook of Chemistry and Physics).
        ((6, 6), 1, 1.535, 4.50),
        ((6, 6), 2, 1.339, 9.6),
        ((6, 6), 3, 1.203, 15.6),
        ((6, 7), 3, 1.157, 18.33),
        ((6, 8), 1, 1.425, 5.42),
        ((6, 17), 1, 1.785, 3.44),
        ((6, 1), 1, 1.094, 4.83),
        ((8, 1), 1, 0.958, 8.45),
        ((7, 7), 3, 1.098, 22.95),
        ((1, 1), 1, 0.741, 5.75),
    ],
)
def test_lengths_and_force_constants_are_near_measured_ones(pair, order, length, k):
    elements, orders = np.array([pair]), np.array([float(order)])
    found = bond_lengths(elements, orders)
    np.testing.assert_allclose(found, length, atol=0.105)
    np.testing.assert_allclose(gordy_k(elements, orders, np.array([length])) / MILLIDYNE, k, rtol=0.27)


def test_radii_follow_the_published_ones():
    # Carbon, nitrogen, phosphorus, iodine, lead for single, double and triple bonds.
    expected = [[0.75, 0.71, 1.11, 1.33, 1.44], [0.67, 0.60, 1.02, 1.29, 1.35], [0.60, 0.54, 0.94, 1.25, 1.37]]
    np.testing.assert_allclose(RADII[:, [6, 7, 15, 53, 82]], expected)
    # Hydrogen has none for double bonds, zinc none for triple ones.
    np.testing.assert_allclose(RADII[:, 1], 0.32)
    np.testing.assert_allclose(RADII[:, 30], [1.18, 1.20, 1.20])


@pytest.mark.parametrize(
    ("smiles", "atom", "degrees"),
    [
        ("CC", 0, [109.47] * 6),
        ("C=C", 0, [120.0] * 3),
        ("C#C", 0, [180.0]),
        ("CC#N", 1, [180.0]),
        ("CN=[N+]=[N-]", 2, [180.0]),
        ("C=C=C", 1, [180.0]),
        ("O", 0, [109.47]),
        ("CN", 1, [109.47] * 3),
        ("CC(=O)N", 3, [120.0] * 3),  # planar, since its lone pair conjugates
        ("Nc1ccccc1", 0, [120.0] * 3),
        ("c1ccncc1", 3, [120.0]),
        ("CS(C)=O", 1, [109.47] * 3),
        ("O=S=O", 1, [120.0]),
        ("CB(O)O", 1, [120.0] * 3),
        ("C[N+](=O)[O-]", 1, [120.0] * 3),
        ("F[Xe]F", 1, [90.0]),  # five pairs; the rule for crowded centres knows no better
        ("FS(F)(F)(F)(F)F", 1, [90.0] * 15),
        ("C1CC1", 0, [60.0] + [109.47] * 5),
        ("C1CCC1", 0, [90.0] + [109.47] * 5),
        ("C1=CC1", 0, [60.0, 150.0, 150.0]),
        ("c1cc[nH]c1", 3, [108.0, 126.0, 126.0]),
        ("c1ccc2[nH]ccc2c1", 3, [108.0, 120.0, 132.0]),
        ("C1CC2CC1CC2", 2, [108.0, 108.0] + [109.47] * 4),
        ("C12C3C4C1C5C2C3C45", 0, [90.0] * 3 + [109.47] * 3),
    ],
)
def test_rest_angles_follow_neighbours_lone_pairs_and_rings(smiles, atom, degrees):
    batch = from_smiles(smiles)
    angles = sites_of(batch)[1]
    found = np.degrees(rest_angles(batch, angles[angles[:, 1] == atom]))
    np.testing.assert_allclose(np.sort(found), degrees, atol=0.01)


@pytest.mark.parametrize("smiles", MOLECULES)
def test_the_smallest_ring_through_an_angle_is_the_shortest_way_round_its_centre(smiles):
    batch = from_smiles(smiles)
    angles = sites_of(batch)[1]
    neighbours = [set(batch.targets[batch.sources == atom].tolist()) for atom in range(batch.n_atoms)]
    for (a, b, c), size in zip(angles.tolist(), smallest_rings(batch, angles).tolist(), strict=True):
        reached, expected = {a}, 0
        for n_atoms in range(3, 7):
            reached = set().union(*(neighbours[atom] for atom in reached)) - {b}
            if c in reached:
                expected = n_atoms
                break
        assert size == expected, (a, b, c)


def test_planar_centres_are_held_in_their_plane():
    batch = from_smiles("CC(=O)N(C)CN(C)C")
    found = element_values(batch, *all_sites(batch)).improper_k
    centres = all_sites(batch)[3][:, 1].tolist()
    assert dict(zip(centres, found.tolist(), strict=True)) == {1: -1.0, 3: -1.0, 6: 0.0}


def test_bonds_between_classes_have_their_orders():
    batch = from_smiles("OC(=O)c1ccccc1C#N")
    bonds = batch.bonds
    orders = mean_orders(batch)[batch.bond_edges]
    found = {tuple(bond): order for bond, order in zip(bonds.tolist(), orders.tolist(), strict=True)}
    assert [found[bond] for bond in ((0, 1), (1, 2), (1, 3), (3, 4), (9, 10))] == [1.0, 2.0, 1.0, 1.5, 3.0]


def test_atoms_that_are_not_bonded_are_refused():
    none = np.zeros((0, 4), dtype=int)
    with pytest.raises(InputError, match=r"atoms \[1, 2\] of the batch are not bonded"):
        element_values(from_smiles("O"), [[0, 1], [1, 2]], [], none, none)


def test_a_batch_without_sites_gives_nothing():
    none = np.zeros((0, 4), dtype=int)
    found = element_values(from_smiles("[Na+]"), [], [], none, none)
    assert [len(values) for values in (found.bond_k, found.angle_k, found.improper_k)] == [0, 0, 0]
