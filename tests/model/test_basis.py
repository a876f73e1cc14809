"""Basis functions of the slots: slopes are derivatives, and amplitudes times functions are energies."""

import math

import numpy as np
import pytest

from ffshare.model import Springs, Waves, linear_bases
from ffshare.model.basis import BarrierDerivatives, SpringDerivatives
from ffshare.model.potentials import Cosines, Harmonic
from tests.model.samples import scheme_of

RNG = np.random.default_rng(11)
N_TERMS = 6
SPRINGS = Harmonic(force_constants=RNG.uniform(50, 500, N_TERMS), rest_values=RNG.uniform(1, 2, N_TERMS))
TORSIONS = Cosines(
    barriers=RNG.normal(size=(N_TERMS, 3)),
    periodicities=np.array([[1, 2, 3], [2, 0, 0], [6, 2, 1], [3, 0, 0], [4, 5, 0], [1, 0, 0]]),
    phases=RNG.choice([0.0, math.pi, math.radians(270)], (N_TERMS, 3)),
)
BASES = {
    "springs": Springs(),
    "waves": Waves(cosines=(1, 3, 6), sines=(2, 3)),
    "no waves": Waves(cosines=()),
    "spring derivatives": SpringDerivatives(potential=SPRINGS),
    "barrier derivatives": BarrierDerivatives(potential=TORSIONS),
}


def sample(n_entries=40):
    return RNG.uniform(0.8, 3.0, (2, n_entries)), RNG.integers(0, N_TERMS, n_entries)


@pytest.mark.parametrize("name", BASES)
def test_slopes_are_those_of_finite_differences(name):
    basis, step = BASES[name], 1e-6
    coordinates, terms = sample()
    found = basis(coordinates, terms)
    numeric = (basis(coordinates + step, terms).energies - basis(coordinates - step, terms).energies) / (2 * step)
    np.testing.assert_allclose(found.slopes, numeric, rtol=1e-6, atol=1e-6)
    assert found.energies.shape == found.slopes.shape == (len(basis.names), *coordinates.shape)


def test_springs_are_an_energy_up_to_a_constant_of_each_term():
    coordinates, terms = sample()
    k, rest = SPRINGS.force_constants[terms], SPRINGS.rest_values[terms]
    functions = Springs()(coordinates, terms)
    energy = SPRINGS(coordinates, terms)
    np.testing.assert_allclose(
        k * functions.energies[0] + k * rest * functions.energies[1], energy.energies - k * rest**2 / 2
    )
    np.testing.assert_allclose(k * functions.slopes[0] + k * rest * functions.slopes[1], energy.slopes, atol=1e-12)


def test_waves_are_the_cosines_and_sines_that_their_names_say():
    coordinates, terms = sample()
    basis = Waves(cosines=(1, 4), sines=(2,))
    assert basis.names == ("cos 1", "cos 4", "sin 2")
    expected = [np.cos(coordinates), np.cos(4 * coordinates), np.sin(2 * coordinates)]
    np.testing.assert_allclose(basis(coordinates, terms).energies, expected, atol=1e-13)


@pytest.mark.parametrize("parameter", ["force_constants", "rest_values"])
def test_spring_derivatives_are_those_by_the_parameters(parameter):
    coordinates, terms = sample()
    place, step = ("force_constants", "rest_values").index(parameter), 1e-5
    found = SpringDerivatives(potential=SPRINGS)(coordinates, terms)

    def shifted(by):
        values = {"force_constants": SPRINGS.force_constants, "rest_values": SPRINGS.rest_values}
        return Harmonic(**{**values, parameter: values[parameter] + by})(coordinates, terms)

    ahead, behind = shifted(step), shifted(-step)
    np.testing.assert_allclose(
        found.energies[place], (ahead.energies - behind.energies) / (2 * step), rtol=1e-5, atol=1e-4
    )
    np.testing.assert_allclose(found.slopes[place], (ahead.slopes - behind.slopes) / (2 * step), rtol=1e-5, atol=1e-4)


@pytest.mark.parametrize("place", [0, 1, 2])
def test_barrier_derivatives_are_those_by_each_barrier_and_zero_where_there_is_none(place):
    coordinates, terms = sample()
    found = BarrierDerivatives(potential=TORSIONS)(coordinates, terms)
    raised = TORSIONS.barriers.copy()
    raised[:, place] += 1.0
    other = Cosines(barriers=raised, periodicities=TORSIONS.periodicities, phases=TORSIONS.phases)
    before, after = TORSIONS(coordinates, terms), other(coordinates, terms)
    has_term = TORSIONS.periodicities[terms, place] > 0
    np.testing.assert_allclose(found.energies[place], (after.energies - before.energies) * has_term, atol=1e-12)
    np.testing.assert_allclose(found.slopes[place], (after.slopes - before.slopes) * has_term, atol=1e-12)
    assert BarrierDerivatives(potential=TORSIONS).names[place] == f"k{place + 1}"


def test_linear_bases_hold_what_the_rules_of_a_scheme_need():
    found = linear_bases(scheme_of("openff-2.2.1").tables)
    assert list(found) == ["Bonds", "Angles", "ProperTorsions", "ImproperTorsions"]
    assert found["ProperTorsions"].names == (*(f"cos {n}" for n in range(1, 7)), *(f"sin {n}" for n in range(1, 5)))
    assert found["ImproperTorsions"].names == ("cos 2",)
