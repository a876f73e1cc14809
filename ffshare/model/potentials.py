"""Energies as functions of one internal coordinate, with their slopes.

    bonds, angles     E = k/2 (x - x0)²
    torsions          E = Σ k (1 + cos(nφ - γ)),   k with `idivf` and all shares already in it
    van der Waals     E = s ε ((R/r)¹² - 2 (R/r)⁶),   R = (R₁ + R₂)/2 with R = 2 rmin_half,  ε = √(ε₁ ε₂)
    electrostatics    E = s C q₁ q₂ / r

with s the scale of 1-4 pairs. A potential holds the numbers of every term and is asked for some entries of them at
once. Torsions are computed through the Chebyshev recursion cos(n+1)φ = 2 cos φ cos nφ - cos(n-1)φ from one cosine and
one sine: cos(nφ - γ) = cos γ cos nφ + sin γ sin nφ.
"""

from collections.abc import Iterable
from typing import NamedTuple, Protocol

import numpy as np

from ffshare.model.coordinates import FloatArray
from ffshare.molecules.ragged import IntArray
from ffshare.records import doc, freeze_arrays, record

COULOMB = 332.06371329919216
"""e²/(4π ε₀) [kcal Å/mol/e²], from CODATA 2018 with a calorie of 4.184 J, as OpenMM has it."""


class Response(NamedTuple):
    """An energy and its slope."""

    energies: FloatArray
    """Energies [kcal/mol]."""
    slopes: FloatArray
    """Derivatives by the coordinate [kcal/mol/Å or kcal/mol/rad]."""


class Potential(Protocol):
    """An energy of one internal coordinate."""

    def __call__(self, coordinates: FloatArray, terms: IntArray) -> Response:
        """Energies and slopes.

        Args:
            coordinates: Lengths [Å] or angles [rad], shape=(n_coordinates, n_entries).
            terms: The term that each entry belongs to, shape=(n_entries,).

        Returns:
            Both of the shape of the coordinates. Law: the slope is the derivative of the energy.
        """


@record
class Harmonic:
    """Springs: k/2 (x - x0)²."""

    force_constants: FloatArray = doc("k [kcal/mol/Å² or kcal/mol/rad²], shape=(n_terms,)")
    rest_values: FloatArray = doc("x0 [Å or rad], shape=(n_terms,)")

    def __post_init__(self) -> None:
        freeze_arrays(self, force_constants=np.float64, rest_values=np.float64)

    def __call__(self, coordinates: FloatArray, terms: IntArray) -> Response:
        """Energies and slopes; see `Potential`."""
        stretch = coordinates - self.rest_values[terms]
        slopes = self.force_constants[terms] * stretch
        return Response(0.5 * slopes * stretch, slopes)


@record
class Cosines:
    """Torsions: sums of k (1 + cos(nφ - γ))."""

    barriers: FloatArray = doc("k of every term of a torsion, 0 where it has fewer [kcal/mol], shape=(n_terms, most)")
    periodicities: IntArray = doc("n, from 0 up, same shape")
    phases: FloatArray = doc("γ [rad], same shape")
    multiples: tuple[int, ...] = doc("the periodicities that have a barrier, ascending", init=False, repr=False)
    cosines: FloatArray = doc("Σ k cos γ of each multiple, shape=(n_multiples, n_terms)", init=False, repr=False)
    sines: FloatArray = doc("Σ k sin γ of each multiple, same shape", init=False, repr=False)

    def __post_init__(self) -> None:
        freeze_arrays(self, barriers=np.float64, periodicities=np.int64, phases=np.float64)
        multiples = np.unique(self.periodicities[self.barriers != 0.0])
        chosen = self.periodicities == multiples[:, None, None]
        object.__setattr__(self, "multiples", tuple(multiples.tolist()))
        for name, of in (("cosines", np.cos), ("sines", np.sin)):
            object.__setattr__(self, name, (chosen * (self.barriers * of(self.phases))).sum(axis=2))
        freeze_arrays(self, cosines=np.float64, sines=np.float64)

    def __call__(self, coordinates: FloatArray, terms: IntArray) -> Response:
        """Energies and slopes; see `Potential`."""
        energies = np.tile(self.barriers.sum(axis=1)[terms], (len(coordinates), 1))
        slopes = np.zeros_like(coordinates)
        waves = harmonics(coordinates, self.multiples)
        for place, (n, (cosine, sine)) in enumerate(zip(self.multiples, waves, strict=True)):
            even, odd = self.cosines[place][terms], self.sines[place][terms]
            energies += even * cosine + odd * sine
            slopes += n * (odd * cosine - even * sine)
        return Response(energies, slopes)


@record
class LennardJones:
    """Pairs of atoms: ε ((R/r)¹² - 2 (R/r)⁶)."""

    well_depths: FloatArray = doc("ε of each pair, its scale in it [kcal/mol], shape=(n_terms,)")
    distances: FloatArray = doc("R, where the well is deepest [Å], shape=(n_terms,)")

    def __post_init__(self) -> None:
        freeze_arrays(self, well_depths=np.float64, distances=np.float64)

    def __call__(self, coordinates: FloatArray, terms: IntArray) -> Response:
        """Energies and slopes; see `Potential`."""
        depth = self.well_depths[terms]
        ratio = (self.distances[terms] / coordinates) ** 2
        attraction = ratio * ratio * ratio
        return Response(
            depth * attraction * (attraction - 2.0),
            -12.0 * depth * attraction * (attraction - 1.0) / coordinates,
        )


@record
class Coulomb:
    """Pairs of charges: C q₁ q₂ / r."""

    products: FloatArray = doc("q₁ q₂ of each pair, its scale in it [e²], shape=(n_terms,)")

    def __post_init__(self) -> None:
        freeze_arrays(self, products=np.float64)

    def __call__(self, coordinates: FloatArray, terms: IntArray) -> Response:
        """Energies and slopes; see `Potential`."""
        energies = COULOMB * self.products[terms] / coordinates
        return Response(energies, -energies / coordinates)


def harmonics(angles: FloatArray, multiples: Iterable[int]) -> Iterable[tuple[FloatArray, FloatArray]]:
    """The cosines and sines of some multiples of angles: cos nφ and sin nφ.

    Args:
        angles: φ [rad], any shape.
        multiples: n, from 0 up, ascending.

    Yields:
        Cosine and sine for each n, of the shape of the angles.

    Example:
        >>> [(cosine, sine)] = harmonics(np.array([0.5]), [3])
        >>> bool(np.allclose([cosine, sine], [[np.cos(1.5)], [np.sin(1.5)]], rtol=1e-15))
        True
    """
    wanted = list(multiples)
    first_cosine, first_sine = np.cos(angles), np.sin(angles)
    cosine, sine = np.ones_like(first_cosine), np.zeros_like(first_sine)
    before_cosine, before_sine = first_cosine, -first_sine
    for n in range(max(wanted, default=-1) + 1):
        if n in wanted:
            yield cosine, sine
        before_cosine, cosine = cosine, 2.0 * first_cosine * cosine - before_cosine
        before_sine, sine = sine, 2.0 * first_cosine * sine - before_sine
