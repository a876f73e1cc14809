"""Maps onto positive numbers."""

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from ffshare.errors import TyingError
from ffshare.tying import Compose, Exp, LinearTying, Softplus

maps = pytest.mark.parametrize("kind", [Exp, Softplus])


@maps
@given(phi=st.lists(st.floats(1e-6, 1e6), max_size=5))
def test_every_positive_number_has_its_parameter(kind, phi):
    positive = kind(len(phi))
    np.testing.assert_allclose(positive.expand(positive.tie(phi)), phi, rtol=1e-8)


@maps
@given(theta=st.lists(st.floats(-30, 30), max_size=5))
def test_everything_is_mapped_to_positive_numbers(kind, theta):
    assert (kind(len(theta)).expand(theta) > 0).all()


def test_softplus_overflows_nowhere():
    softplus = Softplus(3)
    theta = np.array([-800.0, 0.0, 800.0])
    np.testing.assert_allclose(softplus.expand(theta), [0.0, np.log(2.0), 800.0], rtol=1e-15)
    np.testing.assert_allclose(softplus.pool(np.ones(3), theta), [0.0, 0.5, 1.0], rtol=1e-12)
    np.testing.assert_allclose(softplus.tie([1.0, np.log(2.0), 800.0])[1:], [0.0, 800.0], atol=1e-15)


def test_further_axes_are_columns():
    theta = np.arange(6.0).reshape(3, 2)
    for positive in (Exp(3), Compose(Softplus(3), LinearTying.identity(3))):
        np.testing.assert_array_equal(positive.expand(theta)[:, 1], positive.expand(theta[:, 1]))
        np.testing.assert_array_equal(positive.pool(theta, theta)[:, 1], positive.pool(theta[:, 1], theta[:, 1]))


@maps
@pytest.mark.parametrize("phi", [[1.0, 0.0], [1.0, -2.0], [1.0, np.nan]])
def test_numbers_that_are_not_positive_are_refused(kind, phi):
    with pytest.raises(TyingError, match="the map reaches only numbers above 0"):
        kind(2).tie(phi)


@maps
def test_a_wrong_length_is_refused(kind):
    with pytest.raises(TyingError, match=r"theta has shape \(3,\), expected \(2, ...\)"):
        kind(2).expand([1.0, 2.0, 3.0])
