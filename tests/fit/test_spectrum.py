"""Eigenvalues and the lowest eigenvectors: those of a full decomposition."""

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from ffshare.fit.spectrum import Spectrum


@given(n=st.integers(1, 12), rank=st.integers(0, 12), seed=st.integers(0, 1000))
def test_the_lowest_vectors_are_orthonormal_and_belong_to_their_eigenvalues(n, rank, seed):
    rows = np.random.default_rng(seed).normal(size=(rank, n))
    matrix = rows.T @ rows
    spectrum = Spectrum(matrix)
    largest = max(np.abs(matrix).max(), 1.0)
    np.testing.assert_allclose(spectrum.eigenvalues, np.linalg.eigvalsh(matrix), atol=1e-13 * n * largest)
    for count in {0, 1, max(n - rank, 0), n}:
        vectors = spectrum.lowest(count)
        assert vectors.shape == (n, count)
        np.testing.assert_allclose(vectors.T @ vectors, np.eye(count), atol=1e-12)
        np.testing.assert_allclose(matrix @ vectors, vectors * spectrum.eigenvalues[:count], atol=1e-12 * n * largest)


@pytest.mark.parametrize("n_null", [1, 7, 60])
def test_the_space_of_eigenvalue_zero_is_that_of_a_full_decomposition(n_null):
    rows = np.random.default_rng(n_null).normal(size=(120 - n_null, 120)) * np.logspace(0, 3, 120 - n_null)[:, None]
    found = Spectrum(rows.T @ rows).lowest(n_null)
    _, vectors = np.linalg.eigh(rows.T @ rows)
    np.testing.assert_allclose(found @ found.T, vectors[:, :n_null] @ vectors[:, :n_null].T, atol=1e-8)
    np.testing.assert_allclose(rows @ found, 0.0, atol=1e-5)


def test_only_the_lower_triangle_is_looked_at():
    matrix = np.array([[2.0, np.nan, np.nan], [1.0, 2.0, np.nan], [0.0, 0.5, 1.0]])
    whole = np.tril(matrix) + np.tril(matrix, -1).T
    np.testing.assert_allclose(Spectrum(matrix).eigenvalues, np.linalg.eigvalsh(whole), rtol=1e-12)
