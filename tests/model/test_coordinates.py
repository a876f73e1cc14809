"""Internal coordinates and their derivatives: laws first, then known values."""

import math

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from hypothesis.extra.numpy import arrays

from ffshare.model.coordinates import COORDINATES, STRAIGHT_ANGLE, angles, dihedrals, lengths

WIDTHS = tuple(COORDINATES)
STEP = 1e-5


def random_points(width, seed=0, n=200):
    """Positions of some tuples whose atoms are far enough from one another and from a line."""
    rng = np.random.default_rng(seed)
    points = rng.normal(size=(3, width, 4 * n)) * 1.5
    apart = np.all([lengths(points[:, [i, i + 1]]).values > 0.5 for i in range(width - 1)], axis=0)
    for first in range(width - 2):
        apart &= np.abs(np.sin(angles(points[:, first : first + 3]).values)) > 0.2
    return points[:, :, apart][:, :, :n]


def rotation(rng):
    q, r = np.linalg.qr(rng.normal(size=(3, 3)))
    q *= np.sign(np.diag(r))
    return q * np.sign(np.linalg.det(q))


def turned(values, others):
    """Differences of angles, a full turn being none."""
    return (values - others + np.pi) % (2 * np.pi) - np.pi


@pytest.mark.parametrize("width", WIDTHS)
def test_derivatives_are_those_of_finite_differences(width):
    points = random_points(width)
    found = COORDINATES[width](points)
    for atom in range(width):
        for axis in range(3):
            moved = points.copy()
            moved[axis, atom] += STEP
            ahead = COORDINATES[width](moved).values
            moved[axis, atom] -= 2 * STEP
            slope = turned(ahead, COORDINATES[width](moved).values) / (2 * STEP)
            np.testing.assert_allclose(found.gradients[atom, axis], slope, rtol=1e-6, atol=1e-7)


@pytest.mark.parametrize("width", WIDTHS)
def test_neither_translation_nor_rotation_changes_a_value(width):
    rng = np.random.default_rng(1)
    points, turn = random_points(width), rotation(rng)
    moved = np.einsum("xy,ykn->xkn", turn, points) + rng.normal(size=(3, 1, 1))
    before, after = COORDINATES[width](points), COORDINATES[width](moved)
    np.testing.assert_allclose(turned(after.values, before.values), 0, atol=1e-12)
    np.testing.assert_allclose(after.gradients, np.einsum("xy,kyn->kxn", turn, before.gradients), atol=1e-11)


@pytest.mark.parametrize("width", WIDTHS)
def test_derivatives_add_up_to_no_translation_and_no_rotation(width):
    points = random_points(width)
    gradients = COORDINATES[width](points).gradients
    np.testing.assert_allclose(gradients.sum(axis=0), 0, atol=1e-12)
    torques = np.cross(points.transpose(1, 0, 2), gradients, axis=1)
    np.testing.assert_allclose(torques.sum(axis=0), 0, atol=1e-11)


@pytest.mark.parametrize("width", WIDTHS)
def test_reading_the_atoms_from_the_other_end_changes_nothing(width):
    points = random_points(width)
    forward, backward = COORDINATES[width](points), COORDINATES[width](points[:, ::-1])
    np.testing.assert_allclose(turned(forward.values, backward.values), 0, atol=1e-14)
    np.testing.assert_allclose(forward.gradients, backward.gradients[::-1], atol=1e-12)


def test_a_mirror_image_turns_the_sign_of_a_dihedral():
    points = random_points(4)
    mirrored = points * np.array([-1.0, 1.0, 1.0])[:, None, None]
    np.testing.assert_allclose(turned(dihedrals(mirrored).values, -dihedrals(points).values), 0, atol=1e-14)


@given(arrays(np.float64, (3, 4, 5), elements=st.sampled_from([-1.0, 0.0, 0.5, 1.0])))
def test_everything_is_finite_even_where_atoms_coincide_or_lie_on_a_line(points):
    for width in WIDTHS:
        found = COORDINATES[width](points[:, :width])
        assert np.isfinite(found.values).all()
        assert np.isfinite(found.gradients).all()


@pytest.mark.parametrize("degrees", [1e-6, 0.1, 5.0, 60.0, 90.0, 120.0, 175.0, 179.9, 179.999999])
def test_angles_are_exact_up_to_a_straight_line(degrees):
    theta = math.radians(degrees)
    points = np.array([[1.1, 0, 0], [0, 0, 0], [1.3 * math.cos(theta), 1.3 * math.sin(theta), 0]]).T[:, :, None]
    found = angles(points)
    assert found.values[0] == pytest.approx(theta, rel=1e-9, abs=1e-13)
    # Whatever the angle, turning an end about the centre changes it by one over the length of its bond.
    assert np.linalg.norm(found.gradients[[0, 2], :, 0], axis=1) == pytest.approx([1 / 1.1, 1 / 1.3], rel=1e-9)


@pytest.mark.parametrize("degrees", [-179.99, -150.0, -90.0, -1e-5, 0.0, 1e-5, 60.0, 120.0, 180.0])
def test_dihedrals_are_positive_clockwise_along_the_middle_bond(degrees):
    phi = math.radians(degrees)
    # Seen from the second atom to the third, that is down the z axis from above, clockwise is from x to -y.
    points = np.array([[1, 0, 0.3], [0, 0, 0], [0, 0, -1.5], [math.cos(phi), -math.sin(phi), -1.8]]).T[:, :, None]
    assert dihedrals(points).values[0] == pytest.approx(phi, abs=1e-14)


@pytest.mark.parametrize("degrees", [170.0, 174.9, 175.1, 179.0, 180.0, 4.9, 5.1])
def test_dihedrals_with_an_inner_angle_beyond_the_threshold_are_marked(degrees):
    theta = math.radians(degrees)
    a, b, c = (math.cos(theta), math.sin(theta), 0.0), (0.0, 0.0, 0.0), (1.4, 0.0, 0.0)
    points = np.array([a, b, c, (1.8, 0.2, 1.0)]).T[:, :, None]
    expected = theta > STRAIGHT_ANGLE or theta < math.pi - STRAIGHT_ANGLE
    assert dihedrals(points).straight.tolist() == [expected]
    assert dihedrals(points[:, ::-1]).straight.tolist() == [expected]


def test_lengths_and_angles_are_never_marked():
    straight = np.array([[-1.0, 0, 0], [0, 0, 0], [1.0, 0, 0]]).T[:, :, None]
    assert not lengths(straight[:, :2]).straight.any()
    assert not angles(straight).straight.any()
