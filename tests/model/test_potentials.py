"""Energies as functions of a coordinate: the slope is the derivative, the value is what the formula says."""

import math

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from ffshare.model.potentials import COULOMB, Cosines, Coulomb, Harmonic, LennardJones, harmonics

RNG = np.random.default_rng(5)
N_TERMS = 7
POTENTIALS = {
    "harmonic": Harmonic(force_constants=RNG.uniform(50, 600, N_TERMS), rest_values=RNG.uniform(1, 2, N_TERMS)),
    "cosines": Cosines(
        barriers=RNG.normal(size=(N_TERMS, 4)),
        periodicities=RNG.integers(0, 7, (N_TERMS, 4)),
        phases=RNG.choice([0.0, math.pi, math.pi / 2, math.radians(320)], (N_TERMS, 4)),
    ),
    "lennard-jones": LennardJones(well_depths=RNG.uniform(0, 0.5, N_TERMS), distances=RNG.uniform(2, 4, N_TERMS)),
    "coulomb": Coulomb(products=RNG.normal(size=N_TERMS)),
}


@pytest.mark.parametrize("name", POTENTIALS)
def test_slopes_are_those_of_finite_differences(name):
    potential, step = POTENTIALS[name], 1e-6
    terms = RNG.integers(0, N_TERMS, 50)
    coordinates = RNG.uniform(1.8, 5.0, (3, 50))
    found = potential(coordinates, terms)
    ahead, behind = potential(coordinates + step, terms), potential(coordinates - step, terms)
    numeric = (ahead.energies - behind.energies) / (2 * step)
    np.testing.assert_allclose(found.slopes, numeric, rtol=1e-6, atol=1e-6)
    assert found.energies.shape == found.slopes.shape == coordinates.shape


@given(st.floats(-10, 10), st.sets(st.integers(0, 9)))
def test_harmonics_are_the_cosines_and_sines_of_multiples(phi, multiples):
    wanted = sorted(multiples)
    found = list(harmonics(np.array([phi]), wanted))
    assert len(found) == len(wanted)
    for n, (cosine, sine) in zip(wanted, found, strict=True):
        assert cosine[0] == pytest.approx(math.cos(n * phi), abs=1e-13)
        assert sine[0] == pytest.approx(math.sin(n * phi), abs=1e-13)


def test_torsions_are_the_sum_of_their_cosine_terms():
    potential: Cosines = POTENTIALS["cosines"]
    phi = RNG.uniform(-4, 4, (1, N_TERMS))
    found = potential(phi, np.arange(N_TERMS)).energies[0]
    for term in range(N_TERMS):
        rows = zip(potential.barriers[term], potential.periodicities[term], potential.phases[term], strict=True)
        plain = sum(k * (1 + math.cos(n * phi[0, term] - phase)) for k, n, phase in rows)
        assert found[term] == pytest.approx(plain, abs=1e-12)


def test_torsions_without_a_barrier_have_no_energy():
    flat = Cosines(barriers=np.zeros((2, 1)), periodicities=np.ones((2, 1)), phases=np.zeros((2, 1)))
    found = flat(np.array([[0.5, 1.0]]), np.arange(2))
    assert found.energies.tolist() == found.slopes.tolist() == [[0.0, 0.0]]


def test_the_well_of_a_pair_is_as_deep_and_as_wide_as_said():
    found = LennardJones(well_depths=[0.25], distances=[3.5])(np.array([[3.5]]), np.array([0]))
    assert (found.energies[0, 0], found.slopes[0, 0]) == (-0.25, 0.0)


def test_two_charges_have_the_energy_of_coulombs_law_in_si_units():
    e, avogadro, vacuum = 1.602176634e-19, 6.02214076e23, 8.8541878128e-12
    joule = e * e / (4 * math.pi * vacuum * 1e-10)
    assert pytest.approx(joule * avogadro / 4184, rel=1e-12) == COULOMB
    assert Coulomb(products=[-0.5])(np.array([[2.0]]), np.array([0])).energies[0, 0] == -COULOMB / 4
