"""What an energy is linear in, site by site: basis functions of an internal coordinate.

At fixed geometries an energy is a sum of amplitudes times functions that no parameter changes:

    k/2 (x - x0)²        = k · x²/2 + (k x0) · (-x)            + a constant that the frames of a molecule share
    Σ k (1 + cos(nφ-γ))  = Σ_n a_n · cos nφ + b_n · sin nφ     + such a constant,  a_n = Σ k cos γ,  b_n = Σ k sin γ

so that bonds and angles have two *slots* a site, k and k·x0, and torsions two a periodicity. The constants cancel
where energies are compared within a molecule. The derivatives by the parameters themselves are slots, too, at given
values: by k and x0 of a spring, (x - x0)²/2 and -k (x - x0); by the barrier of each term of a torsion, 1 + cos(nφ - γ).
"""

from collections.abc import Callable, Mapping
from typing import Any, Protocol

import numpy as np

from ffshare.model.coordinates import FloatArray
from ffshare.model.interactions import Interaction
from ffshare.model.potentials import Cosines, Harmonic, Response, harmonics
from ffshare.molecules.ragged import IntArray
from ffshare.records import doc, record
from ffshare.rules.table import RuleTable

# Phases are given in degrees, so that the sine of 180° is not quite zero.
LEAST_SHARE = 1e-9


class Basis(Protocol):
    """Functions of one internal coordinate, the same number for every site of a section.

    Law: with φ the amplitude of every slot, the sum of φ times the functions is an energy, and the slopes are the
    derivatives of the functions by the coordinate.
    """

    @property
    def names(self) -> tuple[str, ...]:
        """What the amplitude of each function is called."""

    def __call__(self, coordinates: FloatArray, terms: IntArray) -> Response:
        """The functions and their slopes.

        Args:
            coordinates: Lengths [Å] or angles [rad], shape=(n_coordinates, n_entries).
            terms: The term that each entry belongs to, shape=(n_entries,).

        Returns:
            Both of shape=(n_functions, n_coordinates, n_entries).
        """


@record
class Springs:
    """Bonds and angles by k and k·x0: x²/2 and -x."""

    names: tuple[str, ...] = doc("names of the amplitudes", default=("k", "k*x0"))

    def __call__(self, coordinates: FloatArray, terms: IntArray) -> Response:
        """The functions and their slopes; see `Basis`."""
        slopes = np.stack([coordinates, np.full_like(coordinates, -1.0)])
        return Response(np.stack([0.5 * coordinates * coordinates, -coordinates]), slopes)


@record
class Waves:
    """Torsions by their Fourier coefficients: cos nφ and sin nφ."""

    cosines: tuple[int, ...] = doc("periodicities of the cosines, ascending")
    sines: tuple[int, ...] = doc("periodicities of the sines, ascending; () where all phases are 0 or 180°", default=())

    @property
    def names(self) -> tuple[str, ...]:
        """Names of the amplitudes."""
        return (*(f"cos {n}" for n in self.cosines), *(f"sin {n}" for n in self.sines))

    def __call__(self, coordinates: FloatArray, terms: IntArray) -> Response:
        """The functions and their slopes; see `Basis`."""
        functions = np.empty((len(self.cosines) + len(self.sines), *coordinates.shape))
        slopes = np.empty_like(functions)
        multiples = sorted({*self.cosines, *self.sines})
        for n, (cosine, sine) in zip(multiples, harmonics(coordinates, multiples), strict=True):
            if n in self.cosines:
                place = self.cosines.index(n)
                functions[place] = cosine
                np.multiply(sine, -n, out=slopes[place])
            if n in self.sines:
                place = len(self.cosines) + self.sines.index(n)
                functions[place] = sine
                np.multiply(cosine, n, out=slopes[place])
        return Response(functions, slopes)


@record
class SpringDerivatives:
    """Derivatives of springs by k and x0 at given values."""

    potential: Harmonic = doc("the values")
    names: tuple[str, ...] = doc("names of the parameters", default=("k", "x0"))

    def __call__(self, coordinates: FloatArray, terms: IntArray) -> Response:
        """The derivatives and their slopes; see `Basis`."""
        k = self.potential.force_constants[terms]
        stretch = coordinates - self.potential.rest_values[terms]
        slopes = np.stack([stretch, np.broadcast_to(-k, stretch.shape)])
        return Response(np.stack([0.5 * stretch * stretch, -k * stretch]), slopes)


@record
class BarrierDerivatives:
    """Derivatives of torsions by the barrier of each of their terms; 0 for terms that a torsion does not have."""

    potential: Cosines = doc("the terms")

    @property
    def names(self) -> tuple[str, ...]:
        """Names of the parameters."""
        return tuple(f"k{term + 1}" for term in range(self.potential.barriers.shape[1]))

    def __call__(self, coordinates: FloatArray, terms: IntArray) -> Response:
        """The derivatives and their slopes; see `Basis`."""
        n, phases = (values[terms].T[:, None] for values in (self.potential.periodicities, self.potential.phases))
        turned = n * coordinates - phases
        return Response(np.where(n > 0, 1.0 + np.cos(turned), 0.0), np.sin(turned) * -n.astype(np.float64))


def linear_bases(tables: Mapping[str, RuleTable]) -> dict[str, Basis]:
    """The bases that hold the bonded terms of a force field, with no function that none of its rules needs.

    Args:
        tables: Rules by section.

    Returns:
        A basis for each bonded section.

    Example:
        >>> import ffshare
        >>> linear_bases(ffshare.load_scheme("openff-2.2.1").tables)["ProperTorsions"]
        Waves(cosines=(1, 2, 3, 4, 5, 6), sines=(1, 2, 3, 4))
    """
    found: dict[str, Basis] = {section: Springs() for section in ("Bonds", "Angles") if section in tables}
    for section in ("ProperTorsions", "ImproperTorsions"):
        if section in tables and "periodicity" in tables[section].columns:
            columns = tables[section].columns
            n, phases = columns["periodicity"].values.astype(np.int64), columns["phase"].values
            needed = [np.unique(n[np.abs(of(phases)) > LEAST_SHARE]).tolist() for of in (np.cos, np.sin)]
            found[section] = Waves(cosines=tuple(needed[0]), sines=tuple(needed[1]))
    return found


_DERIVATIVES: Mapping[str, Callable[[Any], Basis]] = {
    "Bonds": lambda potential: SpringDerivatives(potential=potential),
    "Angles": lambda potential: SpringDerivatives(potential=potential),
    "ProperTorsions": lambda potential: BarrierDerivatives(potential=potential),
    "ImproperTorsions": lambda potential: BarrierDerivatives(potential=potential),
}


def derivative_bases(interactions: Mapping[str, Interaction]) -> dict[str, Basis]:
    """The derivatives of energies by the parameters of the bonded sites, at their values.

    Args:
        interactions: Interactions by section, as a model holds them.

    Returns:
        A basis for each bonded section: by k and x0 of each bond and angle, and by each barrier of a torsion as the
        potential takes it, `idivf` already in it.
    """
    return {name: make(interactions[name].potential) for name, make in _DERIVATIVES.items() if name in interactions}
