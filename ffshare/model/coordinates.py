"""Internal coordinates and their first derivatives by the positions, the rows of Wilson's B matrix.

With e the unit vector of a bond, a length r changes by ±e. For an angle θ at b, with u = a - b, v = c - b, p = u × v:

    θ = atan2(|p|, u·v),    ∂θ/∂a = u × p / (|u|² |p|),    ∂θ/∂c = p × v / (|v|² |p|).

For a dihedral φ of a-b-c-d, with F = a - b, G = b - c, H = d - c, A = F × G and B = H × G:

    φ = atan2((B × A)·G / |G|, A·B),    (B × A)·G = -(B·F) G²,
    ∂φ/∂a = -|G| A / A²,    ∂φ/∂d = |G| B / B²,
    ∂φ/∂b = -∂φ/∂a (1 + F·G/G²) - ∂φ/∂d H·G/G²,

and what is left of the sum of all, which is zero since a translation changes nothing, belongs to the last atom. atan2
keeps full precision where a cosine loses it, near 0 and 180°. Everything is finite everywhere: at 180° the derivative
of an angle has no direction and is given as zero, and so is that of a dihedral of which three atoms lie on a line.

Reference:
    E. B. Wilson, J. C. Decius, P. C. Cross, Molecular Vibrations, McGraw-Hill 1955, chapter 4.
    A. Blondel, M. Karplus, J. Comput. Chem. 17, 1132 (1996), for the dihedral without singularities of its own.
"""

import math
from collections.abc import Callable
from typing import NamedTuple

import numpy as np
from numpy.typing import NDArray

FloatArray = NDArray[np.float64]

STRAIGHT_ANGLE = math.radians(175.0)
"""A dihedral with an inner angle beyond this (or below 180° less this) is marked: its value means little [rad]."""


class Coordinate(NamedTuple):
    """Internal coordinates of many tuples of atoms."""

    values: FloatArray
    """Lengths [Å] or angles [rad], shape=(n,)."""
    gradients: FloatArray
    """Derivatives by the positions of the k atoms [1 or rad/Å], shape=(k, 3, n)."""
    straight: NDArray[np.bool_]
    """Whether an inner angle of a dihedral is beyond `STRAIGHT_ANGLE`; False for lengths and angles, shape=(n,)."""


def lengths(points: FloatArray) -> Coordinate:
    """Distances of pairs of atoms [Å].

    Args:
        points: Positions of their atoms [Å], shape=(3, 2, n).

    Returns:
        The distances with their derivatives, those of coinciding atoms zero.

    Example:
        >>> lengths(np.array([[[0.0], [3.0]], [[0.0], [4.0]], [[0.0], [0.0]]])).values
        array([5.])
    """
    between = points[:, 1] - points[:, 0]
    values = np.sqrt(_dot(between, between))
    direction = between / _divisor(values)
    return Coordinate(values, np.stack([-direction, direction]), np.zeros(len(values), dtype=bool))


def angles(points: FloatArray) -> Coordinate:
    """Angles at the middle one of three atoms [rad], from 0 to π.

    Args:
        points: Positions of their atoms [Å], shape=(3, 3, n).

    Returns:
        The angles with their derivatives.

    Example:
        >>> bent = np.array([[1.0, 0, 0], [0, 0, 0], [-1.0, 1.0, 0]]).T[:, :, None]
        >>> np.degrees(angles(bent).values).round(9)
        array([135.])
    """
    u, v = points[:, 0] - points[:, 1], points[:, 2] - points[:, 1]
    p = _cross(u, v)
    norm = np.sqrt(_dot(p, p))
    gradients = np.empty((3, *u.shape))
    np.divide(_cross(u, p), _divisor(_dot(u, u) * norm), out=gradients[0])
    np.divide(_cross(p, v), _divisor(_dot(v, v) * norm), out=gradients[2])
    np.add(gradients[0], gradients[2], out=gradients[1])
    np.negative(gradients[1], out=gradients[1])
    return Coordinate(np.arctan2(norm, _dot(u, v)), gradients, np.zeros(len(norm), dtype=bool))


def dihedrals(points: FloatArray) -> Coordinate:
    """Dihedral angles of four atoms [rad], from -π to π, positive clockwise along the middle bond (IUPAC).

    Args:
        points: Positions of their atoms [Å], shape=(3, 4, n).

    Returns:
        The dihedrals with their derivatives, and which of them have an inner angle that is almost straight.

    Example:
        >>> gauche = np.array([[1.0, 0, 0], [0, 0, 0], [0, 0, 1.0], [0, 1.0, 1.0]]).T[:, :, None]
        >>> np.degrees(dihedrals(gauche).values)
        array([90.])
    """
    f, g, h = points[:, 0] - points[:, 1], points[:, 1] - points[:, 2], points[:, 3] - points[:, 2]
    a, b = _cross(f, g), _cross(h, g)
    aa, bb, gg = _dot(a, a), _dot(b, b), _dot(g, g)
    fg, hg = _dot(f, g), _dot(h, g)
    length = np.sqrt(gg)
    values = np.arctan2(-_dot(b, f) * length, _dot(a, b))
    inverse = 1.0 / _divisor(gg)
    gradients = np.empty((4, *f.shape))
    first, second, third, last = gradients
    np.multiply(a, -length / _divisor(aa), out=first)
    np.multiply(b, length / _divisor(bb), out=last)
    np.multiply(first, -1.0 - fg * inverse, out=second)
    second -= last * (hg * inverse)
    np.add(first, second, out=third)
    third += last
    np.negative(third, out=third)
    # The square of the sine of each inner angle.
    least = math.sin(STRAIGHT_ANGLE) ** 2 * gg
    straight = (aa <= least * _dot(f, f)) | (bb <= least * _dot(h, h))
    return Coordinate(values, gradients, straight)


COORDINATES: dict[int, Callable[[FloatArray], Coordinate]] = {2: lengths, 3: angles, 4: dihedrals}
"""What a number of atoms measures."""


def _dot(a: FloatArray, b: FloatArray) -> FloatArray:
    product: FloatArray = a[0] * b[0]
    product += a[1] * b[1]
    product += a[2] * b[2]
    return product


def _cross(a: FloatArray, b: FloatArray) -> FloatArray:
    product = np.empty_like(a)
    for x, y, z in ((0, 1, 2), (1, 2, 0), (2, 0, 1)):
        np.multiply(a[y], b[z], out=product[x])
        product[x] -= a[z] * b[y]
    return product


def _divisor(values: FloatArray) -> FloatArray:
    """The values, one where they are zero: what they divide is zero there, too."""
    return np.where(values > 0.0, values, 1.0)
