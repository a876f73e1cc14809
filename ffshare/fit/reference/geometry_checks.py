"""Geometries that cannot be what their SMILES says: broken bonds, wrong connectivity, wrong units, repeats.

The measure is the distance of two atoms over the sum of their covalent radii, d / (r_i + r_j): 0.78 for N≡N, 1.0 for
C–C, 1.19 for H–H among real bonds; 1.23 across bicyclo[1.1.1]pentane and above 1.3 nearly everywhere else for atoms
without a bond. The limits below leave room for vibrations at 1000 K. They are heuristics, and say so in their advice.
"""

from collections.abc import Iterator

import numpy as np
from numpy.typing import NDArray
from scipy.spatial import cKDTree

from ffshare.errors import MoleculeError
from ffshare.fit.reference.atomic_units import BOHR
from ffshare.fit.reference.identity import covalent_radii, symbols
from ffshare.molecules import GraphBatch
from ffshare.records import doc, record

SHORTEST_BOND, LONGEST_BOND = 0.6, 1.45
NEAREST_WITHOUT_BOND = 1.15
# Median over all bonds of a molecule, between that of N≡N and that of H–H.
_USUAL_BONDS = (0.7, 1.35)
_ALIKE = (0.65, 1.5)
_LENGTH_MISTAKES = {
    "bohr given as Å": 1 / BOHR,
    "Å converted from bohr that they never were": BOHR,
    "nm given as Å": 0.1,
    "Å given as nm": 10.0,
    "pm given as Å": 100.0,
}
# Root mean square distance of atoms [Å] below which two conformers are one. Steps of optimisations are larger.
SAME_GEOMETRY = 1e-4
_CONFORMERS_AT_ONCE = 64
# Vectors between atoms in memory at once: 100 MB.
_VECTORS_AT_ONCE = 4_000_000
# Trajectories have few conformers that are nearly alike. Of n that are all alike, n² pairs would have to be superposed.
_MOST_PAIRS = 5_000_000


@record
class Unusable:
    """Why some conformers of a molecule cannot be used."""

    conformers: NDArray[np.bool_] = doc("the conformers, shape=(n_conformers,)")
    reason: str = doc("what is wrong, with the first of them as example")
    advice: str = doc("what the user can do")


def length_mistake(graph: GraphBatch, coords: NDArray[np.float64]) -> str | None:
    """What is wrong with the unit of length, if the typical bond is far from the sum of its covalent radii.

    Args:
        graph: Batch of the one molecule.
        coords: Its conformers [Å], shape=(n_conformers, n_atoms, 3).

    Returns:
        The reason, or None.
    """
    if not graph.n_bonds or not len(coords):
        return None
    ratios = _bond_ratios(graph, coords)
    typical = float(np.median(ratios))
    if _USUAL_BONDS[0] <= typical <= _USUAL_BONDS[1]:
        return None
    # A wrong unit changes all bonds alike, wrong connectivity some.
    shortest, longest = np.quantile(ratios, (0.1, 0.9)) / typical
    if shortest < _ALIKE[0] or longest > _ALIKE[1]:
        return None
    fitting = [what for what, by in _LENGTH_MISTAKES.items() if _USUAL_BONDS[0] <= typical / by <= _USUAL_BONDS[1]]
    like = f", as with {fitting[0]}" if fitting else ""
    return f"the typical bond is {typical:.3g} times as long as its covalent radii say{like}"


def broken_geometries(graph: GraphBatch, coords: NDArray[np.float64]) -> Iterator[Unusable]:
    """The conformers whose bonds are not those of the SMILES.

    Args:
        graph: Batch of the one molecule.
        coords: Its conformers [Å], shape=(n_conformers, n_atoms, 3).

    Yields:
        Conformers with a bond too long, with one too short, and with atoms too near that have no bond.
    """
    ratios = _bond_ratios(graph, coords)
    advice = "leave these conformers out; if the molecule reacted, give the SMILES of the product"
    bonds = graph.bonds
    for wrong, what in ((ratios > LONGEST_BOND, "broken"), (ratios < SHORTEST_BOND, "far too short")):
        if wrong.any():
            conformer, bond = np.argwhere(wrong)[0]
            reason = f"a bond is {what}: {_pair(graph, coords[conformer], bonds[bond])}"
            yield Unusable(conformers=np.asarray(wrong.any(axis=1)), reason=reason, advice=advice)
    radii = covalent_radii()[graph.elements]
    nearest = NEAREST_WITHOUT_BOND * (radii[:, None] + radii[None])
    nearest[bonds[:, 0], bonds[:, 1]] = 0
    first, second = np.triu_indices(graph.n_atoms, k=1)
    limits = nearest[first, second]
    near = np.zeros(len(coords), dtype=bool)
    example = ""
    at_once = _conformers_at_once(graph.n_atoms)
    for start in range(0, len(coords), at_once):
        part = coords[start : start + at_once]
        close = np.linalg.norm(part[:, first] - part[:, second], axis=2) < limits
        near[start : start + len(part)] = close.any(axis=1)
        if not example and close.any():
            conformer, pair = np.argwhere(close)[0]
            atoms = np.array([first[pair], second[pair]])
            example = f"atoms without a bond touch: {_pair(graph, part[conformer], atoms)}"
    if example:
        yield Unusable(conformers=near, reason=example, advice=advice)


def repeated(coords: NDArray[np.float64]) -> NDArray[np.bool_]:
    """Conformers that repeat an earlier one: the same but for a rotation and a translation.

    Candidates agree in the sum of the distances of each atom to all others; pairs of candidates are then superposed
    by the method of Kabsch, without reflection.

    Args:
        coords: Conformers [Å], shape=(n_conformers, n_atoms, 3).

    Returns:
        Whether an earlier conformer has the same geometry within `SAME_GEOMETRY`, shape=(n_conformers,).

    Raises:
        MoleculeError: Millions of pairs of conformers are nearly alike.

    Reference:
        Kabsch, Acta Cryst. A32, 922 (1976), doi:10.1107/S0567739476001873.
    """
    found = np.zeros(len(coords), dtype=bool)
    n_atoms = coords.shape[1]
    sums = np.empty(coords.shape[:2])
    at_once = _conformers_at_once(n_atoms)
    for start in range(0, len(coords), at_once):
        part = coords[start : start + at_once]
        sums[start : start + len(part)] = np.linalg.norm(part[:, :, None] - part[:, None], axis=3).sum(axis=2)
    # A shift δ_i of the atoms changes the sum of atom i by at most n |δ_i| + Σ |δ_j|, and |δ| is n^½ rms in all.
    tree, radius = cKDTree(sums), 2 * n_atoms**1.5 * SAME_GEOMETRY
    if len(coords) ** 2 > _MOST_PAIRS and tree.count_neighbors(tree, radius) > _MOST_PAIRS:
        raise MoleculeError(
            f"of its {len(coords):,} conformers more than {_MOST_PAIRS:,} pairs are nearly alike",
            "leave out conformers that repeat others",
        )
    pairs = tree.query_pairs(radius, output_type="ndarray")
    for start in range(0, len(pairs), 4096):
        first, second = pairs[start : start + 4096].T
        same = superposed(coords[first], coords[second]).distances < SAME_GEOMETRY
        found[np.maximum(first, second)[same]] = True
    return found


def _conformers_at_once(n_atoms: int) -> int:
    return max(1, min(_CONFORMERS_AT_ONCE, _VECTORS_AT_ONCE // max(1, n_atoms**2)))


@record
class Superposed:
    """Pairs of geometries laid over one another."""

    rotations: NDArray[np.float64] = doc("from the second of a pair to the first, shape=(n_pairs, 3, 3)")
    distances: NDArray[np.float64] = doc("root mean square distance of the atoms [Å], shape=(n_pairs,)")


def superposed(fixed: NDArray[np.float64], moved: NDArray[np.float64]) -> Superposed:
    """Rotations R that bring geometries nearest to others: the least Σ |R (y − ȳ) − (x − x̄)|².

    Args:
        fixed: x [Å], shape=(n_pairs, n_atoms, 3).
        moved: y [Å], same shape.

    Returns:
        The rotations, without reflections, and how near they bring the pairs.
    """
    x = fixed - fixed.mean(axis=1, keepdims=True)
    y = moved - moved.mean(axis=1, keepdims=True)
    left, _, right = np.linalg.svd(np.einsum("pai,paj->pij", x, y))
    left[:, :, 2] *= np.sign(np.linalg.det(left @ right))[:, None]
    rotations = left @ right
    squares = ((np.einsum("pij,paj->pai", rotations, y) - x) ** 2).sum(axis=2)
    return Superposed(rotations=rotations, distances=np.sqrt(squares.mean(axis=1)))


def _bond_ratios(graph: GraphBatch, coords: NDArray[np.float64]) -> NDArray[np.float64]:
    """Length of each bond over the sum of its covalent radii, shape=(n_conformers, n_bonds)."""
    first, second = graph.bonds.T
    radii = covalent_radii()[graph.elements]
    lengths = np.linalg.norm(coords[:, first] - coords[:, second], axis=2)
    return np.asarray(lengths / (radii[first] + radii[second]))


def _pair(graph: GraphBatch, coords: NDArray[np.float64], atoms: NDArray[np.int64]) -> str:
    first, second = atoms.tolist()
    distance = float(np.linalg.norm(coords[first] - coords[second]))
    names = [
        f"{symbol}{atom + 1}" for symbol, atom in zip(symbols(graph.elements[atoms]), (first, second), strict=True)
    ]
    return f"{names[0]} and {names[1]}, {distance:.2f} Å apart"
