"""Energies and forces that cannot belong to their geometries: wrong sign, wrong unit, numbers out of all range.

Two laws of mechanics tell, and neither needs a force field.

*A stretched bond pulls back.* For a hydrogen at distance r from its neighbour, along the bond u, the force F·u falls
with r, with a slope −k that is a bond's force constant: 430 (P–H) to 1400 (F–H) kcal/mol/Å². A slope of the other sign
means that gradients were given as forces; one far outside that range means another unit.

*Energy is the work of the forces.* For two near geometries x and y, superposed, E(y) − E(x) ≈ −½ (F(x) + F(y))·(y − x)
up to third order in y − x. Over many pairs the slope of one side against the other is 1; a slope of 627 or 1/627 means
that one of the two is in Hartree.

Both are judged only where the data show a clear correlation, so relaxed scans, whose forces are nearly zero, pass.
"""

import numpy as np
from numpy.typing import NDArray

from ffshare.fit.reference.atomic_units import BOHR, ENERGY_UNITS, HARTREE
from ffshare.fit.reference.geometry_checks import superposed
from ffshare.molecules import GraphBatch

# Conformers further than this from the median of their molecule [kcal/mol]: a calculation went wrong, or a unit.
FARTHEST_ENERGY = 1000.0
LARGEST_FORCE = 5000.0

_STIFFNESS = (330.0, 1900.0)
_TYPICAL_STIFFNESS = 700.0
_FEWEST_POINTS = 12
_SMALLEST_STRETCH = 0.003
_CLEAR_CORRELATION = 0.8
_LARGEST_STEP = 0.35
_MOST_CONFORMERS = 48
_WORK_RATIO = (0.5, 2.0)

_FORCE_UNITS = {
    "Hartree/bohr": BOHR / HARTREE,
    "Hartree/Å": 1 / HARTREE,
    "eV/Å": 1 / ENERGY_UNITS["ev"],
    "kJ/mol/Å": 1 / ENERGY_UNITS["kj/mol"],
    "kcal/mol/bohr": BOHR,
    "kcal/mol/nm": 10.0,
}


def force_mistake(graph: GraphBatch, coords: NDArray[np.float64], forces: NDArray[np.float64]) -> str | None:
    """What is wrong with the sign or the unit of forces, judged by the bonds of hydrogens.

    Args:
        graph: Batch of the one molecule.
        coords: Its conformers [Å], shape=(n_conformers, n_atoms, 3).
        forces: Its forces [kcal/mol/Å], same shape.

    Returns:
        The reason, or None.
    """
    hydrogens = np.flatnonzero((graph.elements == 1) & (graph.degrees == 1))
    if not len(hydrogens):
        return None
    bonds = coords[:, hydrogens] - coords[:, graph.targets[graph.row_offsets[hydrogens]]]
    lengths = np.linalg.norm(bonds, axis=2)
    pulls = np.einsum("chx,chx->ch", forces[:, hydrogens], bonds) / lengths
    stretches = lengths - lengths.mean(axis=0)
    if lengths.size < _FEWEST_POINTS or np.sqrt(np.mean(stretches**2)) < _SMALLEST_STRETCH:
        return None
    slope, correlation = _line(stretches, pulls - pulls.mean(axis=0))
    if abs(correlation) < _CLEAR_CORRELATION:
        return None
    if slope > 0:
        return "the forces push stretched bonds apart: they are gradients, of the other sign"
    if _STIFFNESS[0] <= -slope <= _STIFFNESS[1]:
        return None
    guess = min(_FORCE_UNITS, key=lambda unit: abs(np.log(-slope / (_TYPICAL_STIFFNESS * _FORCE_UNITS[unit]))))
    return (
        f"by their forces, bonds of hydrogen have a force constant of {-slope:.3g} kcal/mol/Å², where some "
        f"{_TYPICAL_STIFFNESS:.0f} are usual: the forces are in another unit, perhaps {guess}"
    )


def energy_mistake(
    coords: NDArray[np.float64], energies: NDArray[np.float64], forces: NDArray[np.float64]
) -> str | None:
    """What is wrong with energies that are not the work of the forces.

    Args:
        coords: Conformers [Å], shape=(n_conformers, n_atoms, 3).
        energies: Their energies [kcal/mol], shape=(n_conformers,).
        forces: Their forces [kcal/mol/Å], shape=(n_conformers, n_atoms, 3).

    Returns:
        The reason, or None.
    """
    chosen = np.unique(np.linspace(0, len(energies) - 1, min(len(energies), _MOST_CONFORMERS)).astype(np.int64))
    first, second = chosen[np.stack(np.triu_indices(len(chosen), k=1))]
    if not len(first):
        return None
    rotations = superposed(coords[first], coords[second]).rotations
    centred = coords - coords.mean(axis=1, keepdims=True)
    steps = np.einsum("pij,paj->pai", rotations, centred[second]) - centred[first]
    mean_forces = (forces[first] + np.einsum("pij,paj->pai", rotations, forces[second])) / 2
    near = np.linalg.norm(steps, axis=2).max(axis=1) < _LARGEST_STEP
    if np.sum(near) < _FEWEST_POINTS:
        return None
    work = -np.einsum("pax,pax->p", mean_forces[near], steps[near])
    slope, correlation = _line(work, energies[second[near]] - energies[first[near]])
    if abs(correlation) < _CLEAR_CORRELATION:
        return None
    if slope < 0:
        return "energies fall where the forces say that they rise: the forces are gradients, of the other sign"
    if _WORK_RATIO[0] <= slope <= _WORK_RATIO[1]:
        return None
    return (
        f"differences of the energies are {slope:.3g} times the work of the forces, where 1 is expected: one of the "
        "two is in another unit"
    )


def odd_energies(energies: NDArray[np.float64]) -> NDArray[np.bool_]:
    """Conformers whose energy is further from the median than any molecule's conformers are, shape=(n_conformers,)."""
    return np.abs(energies - np.median(energies)) > FARTHEST_ENERGY


def _line(x: NDArray[np.float64], y: NDArray[np.float64]) -> tuple[float, float]:
    """Slope of y against x through the origin, and their correlation about it; both 0 where one of them is zero."""
    xx, xy, yy = float(np.sum(x * x)), float(np.sum(x * y)), float(np.sum(y * y))
    return (xy / xx, xy / np.sqrt(xx * yy)) if xx > 0 and yy > 0 else (0.0, 0.0)
