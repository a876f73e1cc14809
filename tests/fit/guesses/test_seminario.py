"""The modified Seminario method: laws, a plain oracle, molecules of springs, real Hessians."""

import json
import lzma

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from rdkit import Chem

from ffshare.fit.guesses import read_hessians, seminario
from ffshare.fit.guesses.seminario import MOST_BOND_K
from ffshare.fit.reference.atomic_units import BOHR, HARTREE
from ffshare.molecules import GraphBatch, from_smiles, molecule_from_smiles
from tests.fit.guesses.springs import batch_of, embedded, hessian_of, random_hessian, random_rotation, rotated, sites_of

SEEDS = st.integers(0, 2**32 - 1)
# Chains, a centre with two to four neighbours, rings, hydrogens.
MOLECULES = ("CCO", "CC(C)(C)N", "O=C1CC1", "c1ccncc1", "N", "C=C", "C1CC1C(F)Cl")


def guessed(batch, coords, hessians):
    return seminario(batch, coords, hessians, *sites_of(batch))


def same(first, second, rtol=1e-8):
    for name in ("bond_k", "bond_length", "angle_k", "angle"):
        np.testing.assert_allclose(getattr(first, name), getattr(second, name), rtol=rtol, err_msg=name)


def plain_k(block, unit):
    """Re Σ λ |u·v| of one block."""
    values, vectors = np.linalg.eig(block)
    return sum(values[i] * abs(np.dot(unit, vectors[:, i])) for i in range(3)).real


def unit_of(vector):
    return vector / np.linalg.norm(vector)


def plain_bond(coords, hessian, a, b):
    unit = unit_of(coords[b] - coords[a])
    blocks = [-hessian[3 * i : 3 * i + 3, 3 * j : 3 * j + 3] for i, j in ((a, b), (b, a))]
    k = np.mean([plain_k(block, unit) for block in blocks])
    return k if 0 < k <= MOST_BOND_K else np.nan


def plain_across(coords, a, b, c):
    """The unit vector perpendicular to A-B in the plane of A-B-C."""
    ab, cb = unit_of(coords[b] - coords[a]), unit_of(coords[b] - coords[c])
    return unit_of(np.cross(unit_of(np.cross(cb, ab)), ab))


def plain_angle(coords, hessian, neighbours, a, b, c):
    total = 0.0
    for end, far in ((a, c), (c, a)):
        across = plain_across(coords, end, b, far)
        others = [plain_across(coords, end, b, other) for other in neighbours[b] if other not in (end, far)]
        factor = 1.0 + (np.mean([np.dot(across, other) ** 2 for other in others]) if others else 0.0)
        stiffness = plain_k(-hessian[3 * end : 3 * end + 3, 3 * b : 3 * b + 3], across)
        if stiffness <= 0:
            return np.nan
        total += factor / (np.sum((coords[end] - coords[b]) ** 2) * stiffness)
    return 1.0 / total if 1.0 / total <= 1000 else np.nan


@given(seed=SEEDS, k=st.floats(1.0, 4000.0), length=st.floats(0.6, 3.0))
def test_a_diatomic_molecule_gives_its_spring(seed, k, length):
    rng = np.random.default_rng(seed)
    coords = np.array([[0.0, 0, 0], [length, 0, 0]]) @ random_rotation(rng).T + rng.normal(size=3)
    batch = from_smiles("[H][H]")
    found = guessed(batch, [coords], [hessian_of(coords, ([[0, 1]], [k]))])
    np.testing.assert_allclose([found.bond_k[0], found.bond_length[0]], [k, length], rtol=1e-9)


@given(seed=SEEDS, lengths=st.tuples(st.floats(1.0, 2.0), st.floats(1.0, 2.0)), k=st.floats(10.0, 300.0))
def test_a_straight_chain_of_three_gives_its_bending_spring(seed, lengths, k):
    rng = np.random.default_rng(seed)
    coords = np.array([[-lengths[0], 0, 0], [0, 0, 0], [lengths[1], 0, 0]])
    # In each direction across the angle changes by how far the ends move over their distances, less the centre.
    hessian = hessian_of(coords, ([[0, 1], [1, 2]], [900.0, 700.0]))
    for axis in (1, 2):
        row = np.zeros((3, 3))
        row[:, axis] = [1 / lengths[0], -1 / lengths[0] - 1 / lengths[1], 1 / lengths[1]]
        hessian += k * np.outer(row, row)
    rotation = random_rotation(rng)
    batch = from_smiles("O=C=S")
    found = seminario(batch, [coords @ rotation.T], [rotated(hessian, rotation)], [[0, 1], [1, 2]], [[0, 1, 2]])
    np.testing.assert_allclose(found.bond_k, [900.0, 700.0], rtol=1e-9)
    np.testing.assert_allclose([found.angle_k[0], found.angle[0]], [k, np.pi], rtol=1e-7)


@given(seed=SEEDS, smiles=st.sampled_from(MOLECULES))
def test_springs_along_bonds_alone_come_back_exactly(seed, smiles):
    rng = np.random.default_rng(seed)
    batch = batch_of(smiles)
    coords = embedded(batch.molecules[0])
    ks = rng.uniform(100.0, 1500.0, batch.n_bonds)
    found = guessed(batch, [coords], [hessian_of(coords, (batch.bonds, ks))])
    np.testing.assert_allclose(found.bond_k, ks, rtol=1e-8)


@pytest.mark.parametrize("smiles", ["CCO", "CC(C)(C)N", "c1ccncc1", "CC(=O)NC"])
def test_springs_of_bonds_and_angles_come_back_roughly(smiles):
    rng = np.random.default_rng(5)
    batch = batch_of(smiles)
    bonds, angles = sites_of(batch)
    coords = embedded(batch.molecules[0])
    bond_ks, angle_ks = rng.uniform(400.0, 1000.0, len(bonds)), rng.uniform(60.0, 160.0, len(angles))
    found = guessed(batch, [coords], [hessian_of(coords, (bonds, bond_ks), (angles, angle_ks))])
    # Angles stiffen what a bond seems to be; several angles at a centre share their stiffness, so they even out.
    np.testing.assert_allclose(found.bond_k / bond_ks, 1.0, atol=0.35)
    assert 0.95 < np.median(found.bond_k / bond_ks) < 1.15
    assert 0.6 < np.median(found.angle_k / angle_ks) < 1.7
    np.testing.assert_allclose(found.bond_length, np.linalg.norm(np.diff(coords[bonds], axis=1)[:, 0], axis=1))


@given(seed=SEEDS, smiles=st.sampled_from(MOLECULES))
def test_plain_loops_give_the_same(seed, smiles):
    rng = np.random.default_rng(seed)
    batch = batch_of(smiles)
    bonds, angles = sites_of(batch)
    coords = embedded(batch.molecules[0])
    hessian = random_hessian(rng, batch.n_atoms)
    hessian += hessian_of(coords, (bonds, rng.uniform(100.0, 900.0, len(bonds))))
    found = seminario(batch, [coords], [hessian], bonds, angles)
    neighbours = [batch.targets[batch.sources == atom].tolist() for atom in range(batch.n_atoms)]
    expected = [plain_bond(coords, hessian, a, b) for a, b in bonds]
    np.testing.assert_allclose(found.bond_k, expected, rtol=1e-7)
    expected = [plain_angle(coords, hessian, neighbours, *angle) for angle in angles]
    np.testing.assert_allclose(found.angle_k, expected, rtol=1e-7)


@given(seed=SEEDS, smiles=st.sampled_from(MOLECULES))
def test_turning_and_shifting_the_molecule_changes_nothing(seed, smiles):
    rng = np.random.default_rng(seed)
    batch = batch_of(smiles)
    coords = embedded(batch.molecules[0])
    rotation, hessian = random_rotation(rng), random_hessian(rng, batch.n_atoms)
    moved = coords @ rotation.T + rng.normal(size=3)
    same(guessed(batch, [coords], [hessian]), guessed(batch, [moved], [rotated(hessian, rotation)]), rtol=1e-6)


@given(seed=SEEDS, smiles=st.sampled_from(MOLECULES))
def test_renumbering_the_atoms_changes_nothing(seed, smiles):
    rng = np.random.default_rng(seed)
    batch = batch_of(smiles)
    bonds, angles = sites_of(batch)
    coords, hessian = embedded(batch.molecules[0]), random_hessian(rng, batch.n_atoms)
    order = rng.permutation(batch.n_atoms)
    places = np.argsort(order)
    renumbered = GraphBatch.from_molecules([Chem.RenumberAtoms(batch.molecules[0], order.tolist())])
    rows = (3 * order[:, None] + np.arange(3)).ravel()
    found = seminario(
        renumbered, [coords[order]], [hessian[np.ix_(rows, rows)]], places[bonds], places[angles][:, ::-1]
    )
    same(found, seminario(batch, [coords], [hessian], bonds, angles), rtol=1e-7)


@given(seed=SEEDS)
def test_equivalent_sites_of_a_symmetric_molecule_get_equal_values(seed):
    # In methane two eigenvalues of each C-H block are equal, so that their eigenvectors are arbitrary.
    rng = np.random.default_rng(seed)
    corners = np.array([[1, 1, 1], [1, -1, -1], [-1, 1, -1], [-1, -1, 1]]) * 1.09 / np.sqrt(3.0)
    coords = np.concatenate([np.zeros((1, 3)), corners]) @ random_rotation(rng).T
    batch = batch_of("C")
    bonds, angles = sites_of(batch)
    hessian = hessian_of(coords, (bonds, [700.0] * 4), (angles, [80.0] * 6))
    found = seminario(batch, [coords], [hessian], bonds, angles)
    for values in (found.bond_k, found.angle_k, found.angle):
        np.testing.assert_allclose(values, values[0], rtol=1e-7)


def test_straight_angles_within_a_crowded_centre_are_known():
    # A square of four neighbours: a straight angle at the centre shares its bonds with two right ones.
    coords = np.array([[0.0, 0, 0], [1.6, 0, 0], [0, 1.6, 0], [-1.6, 0, 0], [0, -1.6, 0]])
    batch = from_smiles("F[Xe](F)(F)F")
    order = [1, 0, 2, 3, 4]
    bonds, angles = sites_of(batch)
    hessian = hessian_of(coords[order], (bonds, [500.0] * 4), (angles, [100.0] * len(angles)))
    found = seminario(batch, [coords[order]], [hessian], bonds, angles)
    straight = found.angle > 3.0
    assert straight.sum() == 2
    assert np.ptp(found.angle_k[straight]) < 1e-8
    assert np.ptp(found.angle_k[~straight]) < 1e-8
    assert (found.angle_k > 0).all()


def test_what_is_no_spring_is_nan_and_the_rest_value_stays():
    batch, coords = from_smiles("[H][H]"), np.array([[0.0, 0, 0], [0.7, 0, 0]])
    for k in (-300.0, 0.0, 2 * MOST_BOND_K):
        found = guessed(batch, [coords], [hessian_of(coords, ([[0, 1]], [k]))])
        assert np.isnan(found.bond_k[0]), k
        assert found.bond_length[0] == pytest.approx(0.7)


def test_an_angle_with_one_end_that_is_no_spring_is_nan():
    batch, coords = from_smiles("O"), np.array([[0.0, 0, 0], [1.0, 0, 0], [0, 1.0, 0]])
    hessian = hessian_of(coords, ([[0, 1], [0, 2]], [900.0, 900.0]), ([[1, 0, 2]], [80.0]))
    broken = hessian.copy()
    broken[3:6, 0:3] += 500.0 * np.eye(3)
    assert seminario(batch, [coords], [hessian], batch.bonds, [[1, 0, 2]]).angle_k[0] > 0
    assert np.isnan(seminario(batch, [coords], [broken], batch.bonds, [[1, 0, 2]]).angle_k[0])


def test_molecules_without_a_hessian_are_nan_and_leave_the_others_alone():
    batch = batch_of("CO", "N")
    coords = [embedded(molecule) for molecule in batch.molecules]
    rng = np.random.default_rng(3)
    hessians = [random_hessian(rng, len(points)) for points in coords]
    both, second = guessed(batch, coords, hessians), guessed(batch, [None, coords[1]], [None, hessians[1]])
    first = batch.atom_molecules[batch.bonds[:, 0]] == 0
    assert np.isnan(second.bond_k[first]).all()
    assert np.isnan(second.bond_length[first]).all()
    np.testing.assert_array_equal(second.bond_k[~first], both.bond_k[~first])
    angles = sites_of(batch)[1]
    np.testing.assert_array_equal(second.angle_k[angles[:, 1] > 5], both.angle_k[angles[:, 1] > 5])


def test_shapes_that_do_not_fit_are_refused():
    batch, coords = batch_of("O"), np.eye(3)
    with pytest.raises(ValueError, match="2 geometries for 1 molecules"):
        guessed(batch, [coords, coords], [np.eye(9)])
    with pytest.raises(ValueError, match="molecule 0 of 3 atoms has coords of"):
        guessed(batch, [np.eye(4)], [np.eye(9)])
    with pytest.raises(ValueError, match=r"molecule 0 of 3 atoms has a Hessian of \(6, 6\)"):
        guessed(batch, [coords], [np.eye(6)])
    with pytest.raises(ValueError, match="not bonded to its centre"):
        seminario(batch, [coords], [np.eye(9)], batch.bonds, [[0, 1, 2]])


def test_the_shipped_hessians_give_sensible_force_constants():
    known = dict(list(read_hessians("gfn2-hessians").items())[::10])
    batch = GraphBatch.from_molecules([molecule_from_smiles(smiles) for smiles in known])
    bonds, angles = sites_of(batch)
    found = seminario(batch, *zip(*known.values(), strict=True), bonds, angles)
    elements = np.sort(batch.elements[bonds], axis=1)
    hydrogen = (elements == [1, 6]).all(axis=1)
    assert 600 < np.median(found.bond_k[hydrogen]) < 900
    assert np.mean((found.bond_k > 100) & (found.bond_k < 3500)) > 0.99
    assert np.mean((found.angle_k > 20) & (found.angle_k < 350)) > 0.98


def test_hessians_of_density_functionals_give_sensible_force_constants(test_data):
    with lzma.open(test_data / "fits" / "hessians.jsonl.xz", "rt") as stream:
        rows = [json.loads(line) for line in stream]
    batch = GraphBatch.from_molecules([molecule_from_smiles(row["mapped_smiles"]) for row in rows])
    bonds, angles = sites_of(batch)
    coords = [np.array(row["coords"]) for row in rows]
    hessians = [np.array(row["hessian_hartree_per_bohr2"]) * HARTREE / BOHR**2 for row in rows]
    found = seminario(batch, coords, hessians, bonds, angles)
    hydrogen = (np.sort(batch.elements[bonds], axis=1) == [1, 6]).all(axis=1)
    np.testing.assert_allclose(found.bond_k[hydrogen], 730.0, atol=120.0)
    assert ((found.bond_k > 250) & (found.bond_k < 2000)).all()
    assert ((found.angle_k > 30) & (found.angle_k < 400)).all()
