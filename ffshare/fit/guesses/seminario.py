"""Force constants from a Hessian: the modified Seminario method.

Let H be the Cartesian Hessian at a minimum and -H_AB its 3×3 block for a displacement of B and the force on A, negated.
With its eigenvalues λ_i and right unit eigenvectors v_i, the stiffness that A feels towards B along a unit vector u is

    k(u) = Re Σ_i λ_i |u·v_i|.

*Bonds.* k = k(u_AB), the mean of A→B and B→A: the blocks are each other's transpose and not symmetric, so that their
eigenvectors differ. The rest length is that of the minimum.

*Angles.* With u_PA the unit vector perpendicular to A-B in the plane of A-B-C, and u_PC to C-B, two springs in series:

    1/k = f_A / (R_AB² k(u_PA)) + f_C / (R_CB² k(u_PC)).

In the original method f = 1. Around a centre with several neighbours a displacement of A works against several angles,
which are then each given the whole stiffness. The modified method divides it: of the other angles at B that share the
bond A-B, with their own u'_PA,

    f_A = 1 + mean |u_PA·u'_PA|².

The formula is the same for C-B-A, so nothing is left to average. The rest angle is that of the minimum.

*Straight angles* (beyond `STRAIGHT_ANGLE`) have no plane. A straight angle bends in all directions perpendicular to
A-B alike: with P the projection on them, k(u_PA) becomes their mean ½ tr(-P H_AB P), and |u_PA·u'_PA|² its mean, ½.
The stiffness of a linear chain of three atoms comes back exactly.

*Complex eigenvalues* come in conjugate pairs, which add 2 Re λ |u·v|: only real parts count, as is usual.

*Equal eigenvalues* leave the choice of eigenvectors open, and with it Σ |u·v_i|. There |u·v_i| + |u·v_j| becomes the
length of the projection of u on the plane of both, which is what the best choice of vectors gives. So the result does
not depend on how the molecule is turned.

No factor for scaled frequencies is applied. A force constant that is not positive, or beyond `MOST_BOND_K` or
`MOST_ANGLE_K`, is NaN: it says that the site is not like a spring.

Reference:
    J. M. Seminario, Int. J. Quantum Chem. 60, 1271 (1996),
    doi:10.1002/(SICI)1097-461X(1996)60:7<1271::AID-QUA8>3.0.CO;2-W.
    A. E. A. Allen, M. C. Payne, D. J. Cole, J. Chem. Theory Comput. 14, 274 (2018), doi:10.1021/acs.jctc.7b00785.
"""

import math
from collections.abc import Sequence

import numpy as np
from numpy.typing import NDArray

from ffshare.fit.guesses.guesses import Guesses
from ffshare.model.coordinates import STRAIGHT_ANGLE, FloatArray
from ffshare.molecules import GraphBatch
from ffshare.molecules.ragged import IntArray
from ffshare.molecules.tuples import angle_edges

MOST_BOND_K = 5000.0
"""Force constants of bonds beyond this are taken for errors [kcal/mol/Å²]; that of N2 is 3,300."""

MOST_ANGLE_K = 1000.0
"""Force constants of angles beyond this are taken for errors [kcal/mol/rad²]; usual ones are 50 to 300."""

# Eigenvalues that differ by less than this share of the largest are equal: finer than the noise of finite differences.
_EQUAL = 1e-3


def seminario(
    batch: GraphBatch,
    coords: Sequence[FloatArray | None],
    hessians: Sequence[FloatArray | None],
    bonds: IntArray,
    angles: IntArray,
) -> Guesses:
    """Force constants and rest values of bonds and angles by the modified Seminario method.

    Args:
        batch: The molecules.
        coords: A minimum of each [Å], shape=(n_atoms, 3), atoms in the order of the batch; None: not known.
        hessians: Second derivatives there [kcal/mol/Å²], shape=(3 n_atoms, 3 n_atoms); None: not known.
        bonds: Atoms of the bonds, shape=(n_bonds, 2).
        angles: Atoms of the angles, the centre second, shape=(n_angles, 3).

    Returns:
        Guesses for bonds and angles; NaN for molecules that are not known and where the method gives nonsense.

    Raises:
        ValueError: Shapes do not fit the molecules, or atoms of an angle are not bonded to its centre.

    Example:
        >>> from ffshare.molecules import from_smiles
        >>> spring = np.zeros((2, 3, 2, 3))
        >>> spring[:, 0, :, 0] = [[800.0, -800.0], [-800.0, 800.0]]
        >>> minimum = np.array([[0.0, 0, 0], [0.74, 0, 0]])
        >>> none = np.zeros((0, 3), dtype=int)
        >>> found = seminario(from_smiles("[H][H]"), [minimum], [spring.reshape(6, 6)], np.array([[0, 1]]), none)
        >>> found.bond_k, found.bond_length
        (array([800.]), array([0.74]))
    """
    bonds, angles = np.asarray(bonds, dtype=np.int64).reshape(-1, 2), np.asarray(angles, dtype=np.int64).reshape(-1, 3)
    points = _points(batch, coords)
    lengths, bond_k = _bonds(batch, points, hessians, bonds)
    values, angle_k = _angles(batch, points, hessians, angles)
    return Guesses(
        bond_k=_sensible(bond_k, MOST_BOND_K),
        bond_length=lengths,
        angle_k=_sensible(angle_k, MOST_ANGLE_K),
        angle=values,
    )


def _bonds(
    batch: GraphBatch, points: FloatArray, hessians: Sequence[FloatArray | None], bonds: IntArray
) -> tuple[FloatArray, FloatArray]:
    """Lengths and force constants of bonds, shape=(n,) each."""
    blocks = _blocks(batch, hessians, bonds)
    directions, lengths = _directions(points, bonds[:, 0], bonds[:, 1])
    k = (_along(blocks, directions) + _along(blocks.transpose(0, 2, 1), directions)) / 2
    return lengths, k


def _angles(
    batch: GraphBatch, points: FloatArray, hessians: Sequence[FloatArray | None], angles: IntArray
) -> tuple[FloatArray, FloatArray]:
    """Angles and their force constants, shape=(n,) each."""
    edges = np.stack([batch.find_edges(angles[:, 1], angles[:, end]) for end in (0, 2)], axis=1)
    if (edges < 0).any():
        angle = angles[int(np.flatnonzero((edges < 0).any(axis=1))[0])]
        raise ValueError(f"seminario: the angle of atoms {angle.tolist()} has an end that is not bonded to its centre")
    units, lengths = _directions(points, batch.sources, batch.targets)
    sums, counts = _other_planes(batch, units)
    first, last = edges.T
    values, straight = _bends(units, first, last)
    compliance = np.zeros(len(angles))
    for edge, other, end in ((first, last, 0), (last, first, 2)):
        blocks = _blocks(batch, hessians, angles[:, [end, 1]])
        across = _across(units, edge, other)
        stiffness = np.where(straight, _all_round(blocks, units[edge]), _along(blocks, across))
        # The sum over all angles that share the bond holds the angle itself, with 1, or ½ where it is straight.
        shared = np.where(
            straight,
            np.einsum("nii->n", sums[edge]) / 2 - 0.5,
            np.einsum("ni,nij,nj->n", across, sums[edge], across) - 1.0,
        )
        factor = 1.0 + shared / np.maximum(counts[edge] - 1, 1)
        # A negative stiffness must not hide behind that of the other end.
        stiffness = np.where(stiffness > 0.0, stiffness, np.nan)
        compliance += factor / (lengths[edge] ** 2 * stiffness)
    return values, 1.0 / compliance if len(angles) else compliance


def _other_planes(batch: GraphBatch, units: FloatArray) -> tuple[FloatArray, IntArray]:
    """Σ u uᵀ over the angles that share the bond of each edge, and how many there are.

    u is perpendicular to the bond in the plane of the angle; of a straight angle u uᵀ is the mean over all directions.
    """
    pairs = angle_edges(batch)
    edge, other = np.concatenate([pairs, pairs[:, ::-1]]).T
    across = _across(units, edge, other)
    products = across[:, :, None] * across[:, None, :]
    straight = _bends(units, edge, other)[1]
    products[straight] = (np.eye(3) - units[edge, :, None] * units[edge, None, :])[straight] / 2
    sums = np.zeros((len(batch.sources), 3, 3))
    np.add.at(sums, edge, products)
    return sums, np.bincount(edge, minlength=len(batch.sources))


def _bends(units: FloatArray, first: IntArray, last: IntArray) -> tuple[FloatArray, NDArray[np.bool_]]:
    """Angles between edges [rad], and whether they count as straight."""
    cross, dot = np.cross(units[first], units[last]), np.sum(units[first] * units[last], axis=1)
    values: FloatArray = np.arctan2(np.linalg.norm(cross, axis=1), dot)
    return values, values > STRAIGHT_ANGLE


def _across(units: FloatArray, edges: IntArray, others: IntArray) -> FloatArray:
    """Unit vectors perpendicular to edges, in the planes of these and others of the same centre."""
    along = units[edges]
    across = units[others] - np.sum(units[others] * along, axis=1, keepdims=True) * along
    norms = np.linalg.norm(across, axis=1, keepdims=True)
    # Below this the plane is lost in the digits; such angles are straight, or fold back on themselves.
    unit: FloatArray = across / np.where(norms > math.sqrt(np.finfo(float).eps), norms, np.nan)
    return unit


def _along(blocks: FloatArray, directions: FloatArray) -> FloatArray:
    """Re Σ λ |u·v| of negated blocks along unit vectors, NaN where something is not known, shape=(n,)."""
    found = np.full(len(blocks), np.nan)
    known = np.isfinite(blocks).all(axis=(1, 2)) & np.isfinite(directions).all(axis=1)
    values, vectors = np.linalg.eig(blocks[known].astype(np.complex128))
    u = directions[known]
    overlaps = np.abs(np.einsum("ni,nij->nj", u, vectors))
    terms = values.real * overlaps
    stiffness = terms.sum(axis=1)
    scale = _EQUAL * np.abs(values).max(axis=1, initial=0.0)
    pairs = ((0, 1, 2), (0, 2, 1), (1, 2, 0))
    equal = np.stack([np.abs(values[:, i] - values[:, j]) <= scale for i, j, _ in pairs])
    for (i, j, rest), alike in zip(pairs, equal, strict=True):
        # The real plane of two real vectors, or of the real and imaginary parts of a conjugate pair.
        paired = np.abs(vectors[:, :, i].imag).max(axis=1, initial=0.0) > 0.0
        second = np.where(paired[:, None], vectors[:, :, i].imag, vectors[:, :, j].real)
        normal = np.cross(vectors[:, :, i].real, second)
        norm = np.linalg.norm(normal, axis=1)
        plane = alike & (norm > 1e-6)  # two equal eigenvalues may have but one eigenvector
        in_plane = np.linalg.norm(np.cross(u, normal), axis=1) / np.where(plane, norm, 1.0)
        joined = (values[:, i] + values[:, j]).real / 2 * in_plane + terms[:, rest]
        stiffness = np.where(plane, joined, stiffness)
    stiffness = np.where(equal.sum(axis=0) >= 2, values.real.mean(axis=1), stiffness)
    found[known] = stiffness
    return found


def _all_round(blocks: FloatArray, directions: FloatArray) -> FloatArray:
    """Mean of u·(block u) over all unit vectors u perpendicular to the given ones, shape=(n,)."""
    along = np.einsum("ni,nij,nj->n", directions, blocks, directions)
    mean: FloatArray = (np.einsum("nii->n", blocks) - along) / 2
    return mean


def _directions(points: FloatArray, first: IntArray, last: IntArray) -> tuple[FloatArray, FloatArray]:
    """Unit vectors from atoms to others, and their distances; NaN where they coincide."""
    between = points[last] - points[first]
    lengths = np.linalg.norm(between, axis=1)
    lengths = np.where(lengths > 0.0, lengths, np.nan)
    return between / lengths[:, None], lengths


def _sensible(k: FloatArray, most: float) -> FloatArray:
    return np.where((k > 0.0) & (k <= most), k, np.nan)


def _points(batch: GraphBatch, coords: Sequence[FloatArray | None]) -> FloatArray:
    """Positions of all atoms of the batch, NaN where they are not known, shape=(n_atoms, 3)."""
    points = np.full((batch.n_atoms, 3), np.nan)
    if len(coords) != batch.n_molecules:
        raise ValueError(f"seminario: {len(coords)} geometries for {batch.n_molecules} molecules")
    for idx, given in enumerate(coords):
        first, end = batch.atom_offsets[idx : idx + 2].tolist()
        if given is not None:
            if np.shape(given) != (end - first, 3):
                raise ValueError(f"seminario: molecule {idx} of {end - first} atoms has coords of {np.shape(given)}")
            points[first:end] = given
    return points


def _blocks(batch: GraphBatch, hessians: Sequence[FloatArray | None], pairs: IntArray) -> FloatArray:
    """Negated blocks of the Hessians for pairs of atoms, NaN where they are not known, shape=(n, 3, 3)."""
    if len(hessians) != batch.n_molecules:
        raise ValueError(f"seminario: {len(hessians)} Hessians for {batch.n_molecules} molecules")
    blocks = np.full((len(pairs), 3, 3), np.nan)
    molecules = batch.atom_molecules[pairs[:, 0]]
    order = np.argsort(molecules, kind="stable")
    bounds = np.searchsorted(molecules[order], np.arange(batch.n_molecules + 1)).tolist()
    for idx, hessian in enumerate(hessians):
        first, end = batch.atom_offsets[idx : idx + 2].tolist()
        n = end - first
        chosen = order[bounds[idx] : bounds[idx + 1]]
        if hessian is None:
            continue
        if np.shape(hessian) != (3 * n, 3 * n):
            raise ValueError(f"seminario: molecule {idx} of {n} atoms has a Hessian of {np.shape(hessian)}")
        local = pairs[chosen] - first
        blocks[chosen] = -np.reshape(hessian, (n, 3, n, 3))[local[:, 0], :, local[:, 1], :]
    return blocks
