"""Products with the derivatives of the unknowns: those of the derivatives written out."""

import numpy as np
from hypothesis import given
from hypothesis import strategies as st

from ffshare.fit.springs import Springs
from tests.fit.test_solve import toy


@st.composite
def cases(draw):
    """Parameters with some springs, values of them and a symmetric matrix."""
    parameters, rows, _ = toy(draw(st.integers(0, 4)), draw(st.integers(0, 3)), seed=draw(st.integers(0, 1000)))
    rng = np.random.default_rng(draw(st.integers(0, 1000)))
    values = rng.normal(size=len(parameters)) * draw(st.sampled_from([0.0, 1.0, 300.0]))
    return parameters, values, rows.T @ rows, rng.normal(size=len(parameters))


def springs_of(parameters):
    return Springs.among(parameters.partners, np.arange(len(parameters)))


@given(case=cases())
def test_products_are_those_with_the_derivatives_written_out(case):
    parameters, values, gram, vector = case
    springs, jacobian = springs_of(parameters), parameters.jacobian(values).toarray()
    np.testing.assert_allclose(springs.pulled(vector, values), jacobian.T @ vector, rtol=1e-12, atol=1e-12)
    expected = jacobian.T @ gram @ jacobian
    size = np.abs(expected).max(initial=1.0)
    np.testing.assert_allclose(springs.curvature(gram, values), expected, atol=1e-12 * size)
    np.testing.assert_allclose(springs.diagonal(gram, values), np.diagonal(expected), atol=1e-12 * size)


@given(case=cases())
def test_the_derivatives_are_those_of_finite_differences(case):
    parameters, values, _, vector = case
    springs, step = springs_of(parameters), 1e-3
    ahead, behind = (springs.unknowns(values + sign * step * vector) for sign in (1, -1))
    # Unknowns are of second order at most: central differences are exact.
    np.testing.assert_allclose((ahead - behind) / (2 * step), parameters.jacobian(values) @ vector, atol=1e-7)


@given(case=cases(), data=st.data())
def test_springs_of_a_part_are_those_of_its_parameters_alone(case, data):
    parameters = case[0]
    n_springs = int((parameters.partners >= 0).sum())
    kept = data.draw(st.lists(st.booleans(), min_size=n_springs, max_size=n_springs))
    others = np.ones(len(parameters) - 2 * n_springs, dtype=bool)
    chosen = np.flatnonzero(np.concatenate([kept, kept, others]).astype(bool))
    found, expected = Springs.among(parameters.partners, chosen), springs_of(parameters.part(chosen))
    np.testing.assert_array_equal(found.rest, expected.rest)
    np.testing.assert_array_equal(found.stiff, expected.stiff)
