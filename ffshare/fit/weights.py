"""How much each residual counts: one over the square of the error that is allowed for it.

A residual of energy is divided by σ_E and one of a force component by σ_F. Where the errors are those of independent
noise, the sum of squares is a χ² and standard errors follow from it; in a fit of a force field to quantum chemistry
they say what misfit is tolerable, and standard errors are better taken from how molecules scatter
(see `ffshare.fit.uncertainty`).

Van der Waals repulsion that is not fitted may be off by hundreds of kcal/mol where atoms nearly touch, as in scans of
torsions with nothing else relaxed. No bonded term can make up for it, and one such conformer would outweigh all others,
so it is left out and counted: a *clash*.
"""

from collections.abc import Mapping
from typing import NamedTuple

import numpy as np
from numpy.typing import NDArray

from ffshare.errors import InputError
from ffshare.fit.reference import ReferenceMolecule
from ffshare.model.coordinates import FloatArray
from ffshare.records import doc, record

_PER: Mapping[str, str] = {"molecule": "σ_E as it stands", "atom": "σ_E times the number of atoms"}


class Precisions(NamedTuple):
    """One over the squared error of every residual of a molecule."""

    energies: FloatArray
    """[(kcal/mol)⁻²], shape=(n_conformers,)."""
    forces: FloatArray
    """Of each component of the forces of a conformer [(kcal/mol/Å)⁻²], shape=(n_conformers,)."""

    @property
    def counted(self) -> NDArray[np.bool_]:
        """Conformers that are not left out, shape=(n_conformers,)."""
        return self.forces + self.energies > 0.0


@record
class Weights:
    """Errors allowed for energies and forces.

    Example:
        >>> Weights(energy=0.5, force=2.0)
        Weights(energy=0.5, force=2.0, energy_per='molecule', softening=inf, clash=50.0)
    """

    energy: float = doc("σ_E of an energy [kcal/mol]; inf: energies do not count", default=1.0)
    force: float = doc("σ_F of a component of a force [kcal/mol/Å]; inf: forces do not count", default=5.0)
    energy_per: str = doc(
        "'molecule': σ_E is the error of an energy; 'atom': it is that of an atom", default="molecule"
    )
    softening: float = doc(
        "energy above the lowest conformer at which squared errors have doubled [kcal/mol]; inf: they never do",
        default=float("inf"),
    )
    clash: float = doc(
        "a conformer in which the background less the reference is this much above its median over the molecule is "
        "left out [kcal/mol]; inf: none is",
        default=50.0,
    )

    def __post_init__(self) -> None:
        for name in ("energy", "force", "softening", "clash"):
            if not getattr(self, name) > 0:
                raise InputError(f"weights: {name} is {getattr(self, name)}; expected a number above 0, or inf")
        if self.energy_per not in _PER:
            raise InputError(f"weights: energy_per is {self.energy_per!r}; expected {' or '.join(_PER)}")

    def of(self, molecule: ReferenceMolecule, background: FloatArray) -> Precisions:
        """The precision of every residual of a molecule.

            1 / σ² / (1 + (ΔE / softening)²),    ΔE = E - min E,    and 0 in a clash

        Args:
            molecule: The molecule.
            background: Energies of what is subtracted from the data [kcal/mol], shape=(n_conformers,).

        Returns:
            Precisions of its energies and forces.
        """
        if not molecule.n_conformers:
            return Precisions(np.zeros(0), np.zeros(0))
        above = molecule.energies - molecule.energies.min()
        excess = background - molecule.energies
        share = (excess - _median(excess) <= self.clash) / (1.0 + (above / self.softening) ** 2)
        sigma = self.energy * (molecule.n_atoms if self.energy_per == "atom" else 1)
        return Precisions(energies=share / sigma**2, forces=share / self.force**2)


def _median(values: FloatArray) -> float:
    """The median; that of NumPy takes longer than the rest of what is done here for a molecule."""
    ordered = np.sort(values)
    return 0.5 * float(ordered[(len(ordered) - 1) // 2] + ordered[len(ordered) // 2])
