"""How conformers of reference data are made: by the laws of mechanics."""

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from rdkit import Chem

from tests.fit.reference.scripts import script
from tests.fit.reference.toys import geometry

geometries = script("reference_data.geometries")
gfn2 = script("reference_data.gfn2")
b3lyp = script("reference_data.b3lyp")


def quadratic(hessian, minimum):
    def energies(coords):
        step = (coords - minimum).reshape(-1)
        return float(step @ hessian @ step / 2), (hessian @ step).reshape(-1, 3)

    return energies


def stiff(n, seed):
    root = np.random.default_rng(seed).normal(size=(3 * n, 3 * n))
    return root @ root.T + 20 * np.eye(3 * n)


@given(st.integers(2, 5), st.integers(0, 100))
def test_differences_of_gradients_give_the_hessian(n_atoms, seed):
    hessian, minimum = stiff(n_atoms, seed), np.random.default_rng(seed).normal(size=(n_atoms, 3))
    np.testing.assert_allclose(geometries.hessian_of(quadratic(hessian, minimum), minimum), hessian, atol=1e-8)


def test_relaxation_ends_where_no_gradient_is_left():
    hessian, minimum = stiff(4, 0), np.random.default_rng(0).normal(size=(4, 3))
    energies = quadratic(hessian, minimum)
    end = geometries.relaxed(energies, minimum + 0.3, 200)
    assert np.abs(energies(end)[1]).max() <= geometries.CONVERGED


@given(st.integers(0, 100), st.booleans())
def test_displacements_have_the_covariance_of_boltzmann_and_no_rigid_motion(seed, is_linear):
    rng = np.random.default_rng(seed)
    coords = rng.normal(size=(4, 3))
    if is_linear:
        coords = np.outer(np.arange(4.0), [1.0, 2.0, 2.0])
    hessian = stiff(4, seed)
    modes = geometries.thermal_modes(coords, hessian)
    assert modes.shape == (12, 7 if is_linear else 6)
    # Inside the space of the modes the covariance is the inverse of the Hessian there.
    inner = np.linalg.qr(modes)[0]
    covariance = inner.T @ modes @ modes.T @ inner
    np.testing.assert_allclose(covariance, np.linalg.inv(inner.T @ hessian @ inner), rtol=1e-6, atol=1e-12)
    steps = modes.T.reshape(-1, 4, 3)
    np.testing.assert_allclose(steps.sum(axis=1), 0, atol=1e-10)
    np.testing.assert_allclose(np.cross(coords - coords.mean(axis=0), steps).sum(axis=1), 0, atol=1e-9)


def test_soft_modes_are_stiffened():
    modes = geometries.thermal_modes(geometry("O"), np.zeros((9, 9)))
    np.testing.assert_allclose(np.linalg.norm(modes, axis=0), geometries.SOFTEST**-0.5)


@pytest.mark.parametrize(
    ("smiles", "n_rotors"),
    [("CC", 1), ("CCO", 2), ("c1ccccc1", 0), ("CC#N", 0), ("CC#CC", 0), ("CC(N)=O", 2), ("C=C", 0), ("O", 0)],
)
def test_rotors_are_the_acyclic_single_bonds_that_turn_something(smiles, n_rotors):
    assert len(geometries.rotors(Chem.AddHs(Chem.MolFromSmiles(smiles)))) == n_rotors


@given(st.sampled_from(["CCO", "CC(N)=O", "COC"]), st.floats(-7, 7))
def test_turning_about_a_bond_changes_torsions_only(smiles, angle):
    mol, coords = Chem.AddHs(Chem.MolFromSmiles(smiles)), geometry(smiles)
    for first, second, moved in geometries.rotors(mol):
        assert second in moved
        assert first not in moved
        turned = geometries.turned(coords, first, second, moved, angle)
        near = [(bond.GetBeginAtomIdx(), bond.GetEndAtomIdx()) for bond in mol.GetBonds()]
        near += [(one, three) for one, _, three in mol.GetSubstructMatches(Chem.MolFromSmarts("*~*~*"))]
        for one, other in near:
            before, after = (np.linalg.norm(place[one] - place[other]) for place in (coords, turned))
            assert after == pytest.approx(before, abs=1e-9)
        back = geometries.turned(turned, first, second, moved, -angle)
        np.testing.assert_allclose(back, coords, atol=1e-9)


def test_random_numbers_depend_on_the_molecule_alone():
    first, again, other = (gfn2.generator_for(smiles).random(3).tolist() for smiles in ("CCO", "CCO", "COC"))
    assert first == again != other


def test_a_geometry_of_the_mirror_image_is_no_isomer():
    mol = Chem.AddHs(Chem.MolFromSmiles("N[C@@H](C)O"))
    coords = geometry("N[C@@H](C)O")
    assert geometries.is_isomer(mol, coords)
    assert not geometries.is_isomer(mol, -coords)


def test_tblite_forces_are_minus_the_slope_of_its_energies():
    pytest.importorskip("tblite")
    energies = gfn2.Energies(np.array([8, 1, 1]), 0)
    coords = geometry("O")
    _, gradient = energies(coords)
    for place in np.ndindex(3, 3):
        step = np.zeros((3, 3))
        step[place] = 1e-3
        slope = (energies(coords + step)[0] - energies(coords - step)[0]) / 2e-3
        assert slope == pytest.approx(gradient[place], abs=1e-3)


def test_pyscf_gives_the_energy_and_gradient_of_hydrogen_at_b3lyp():
    pytest.importorskip("pyscf", reason="PySCF is not installed")
    pytest.importorskip("pyscf.dispersion", reason="pyscf-dispersion is not installed")
    energies = b3lyp.Dft(np.array([1, 1]), 0)

    def stretched(length):
        return np.array([[0, 0, 0], [length, 0, 0]])

    energy, gradient = energies(stretched(0.85))
    slope = (energies(stretched(0.855))[0] - energies(stretched(0.845))[0]) / 0.01
    assert gradient[1, 0] == pytest.approx(slope, rel=2e-3)
    assert slope > 30
    # -1.17 hartree.
    assert energy == pytest.approx(-1.17 * 627.5, rel=0.02)
