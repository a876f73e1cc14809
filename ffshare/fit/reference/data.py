"""Reference data: molecules, their conformers, and what quantum chemistry says about them.

One level of theory a fit. Energies from two levels differ by far more than force fields err, so data of several levels
are refused and never mixed in silence.

The unit is the `ReferenceMolecule`: conformers of one molecule that share one zero of energy. A molecule may come
twice, as with two torsion scans whose energies are each relative to their own lowest point; nothing is known about the
difference between the two zeros, so they stay apart. Forces are forces, F = −∂E/∂x, and not gradients.
"""

from collections import Counter
from collections.abc import Sequence
from dataclasses import replace

import numpy as np
from numpy.typing import NDArray

from ffshare.errors import InputError
from ffshare.molecules import Failure, GraphBatch, molecule_from_smiles
from ffshare.records import doc, freeze_arrays, record

UNKNOWN_LEVEL = ""


@record
class ReferenceMolecule:
    """Conformers of one molecule with energies that share one zero, and perhaps with forces."""

    smiles: str = doc("mapped SMILES with explicit hydrogens; atom i of the coordinates carries map number i + 1")
    coords: NDArray[np.float64] = doc("atoms of the conformers [Å], shape=(n_conformers, n_atoms, 3)")
    energies: NDArray[np.float64] = doc("of each conformer, up to a constant [kcal/mol], shape=(n_conformers,)")
    forces: NDArray[np.float64] | None = doc(
        "minus the gradient of the energy [kcal/mol/Å], shape=(n_conformers, n_atoms, 3); None: not known", default=None
    )
    level: str = doc("level of theory, such as B3LYP-D3BJ/DZVP; '' where it is not known", default=UNKNOWN_LEVEL)
    charges: NDArray[np.float64] | None = doc(
        "partial charges of the atoms for a force field [e], shape=(n_atoms,); None: not given", default=None
    )

    def __post_init__(self) -> None:
        freeze_arrays(self, coords=np.float64, energies=np.float64)
        n_conformers = len(self.energies)
        if self.energies.ndim != 1 or self.coords.ndim != 3 or self.coords.shape[::2] != (n_conformers, 3):
            shapes = f"{self.coords.shape} and {self.energies.shape}"
            raise ValueError(f"reference molecule: coords and energies have shapes {shapes}")
        if self.forces is not None:
            freeze_arrays(self, forces=np.float64)
            if self.forces.shape != self.coords.shape:
                raise ValueError(f"reference molecule: forces {self.forces.shape}, but coords {self.coords.shape}")
        if self.charges is not None:
            freeze_arrays(self, charges=np.float64)
            if self.charges.shape != (self.n_atoms,):
                raise ValueError(f"reference molecule: charges {self.charges.shape}, but {self.n_atoms} atoms")

    @property
    def n_conformers(self) -> int:
        """Number of conformers."""
        return len(self.energies)

    @property
    def n_atoms(self) -> int:
        """Number of atoms, hydrogens included."""
        return int(self.coords.shape[1])

    def part(self, chosen: NDArray[np.bool_] | NDArray[np.int64]) -> "ReferenceMolecule":
        """Some of the conformers.

        Args:
            chosen: Mask or indices of the conformers.

        Returns:
            The molecule with these.
        """
        return replace(
            self,
            coords=self.coords[chosen],
            energies=self.energies[chosen],
            forces=None if self.forces is None else self.forces[chosen],
        )


@record
class ReferenceData:
    """Molecules of one level of theory, and the inputs that could not be used."""

    molecules: tuple[ReferenceMolecule, ...] = doc("the molecules, in the order of the input")
    level: str = doc("level of theory of all of them; '' where it is not known", default=UNKNOWN_LEVEL)
    source: str = doc("where the data are from", default="")
    failures: tuple[Failure, ...] = doc("inputs, or conformers of them, that could not be used", default=())

    def __post_init__(self) -> None:
        found = only_level([molecule.level for molecule in self.molecules])
        if self.molecules and level_key(found) != level_key(self.level):
            raise InputError(f"reference data said to be {self.level!r} hold molecules of level {found!r}")

    def __repr__(self) -> str:
        level = self.level or "unknown level"
        failed = f", {len(self.failures)} failures" if self.failures else ""
        n_with_forces = sum(molecule.forces is not None for molecule in self.molecules)
        molecules = f"{self.n_molecules} molecules ({n_with_forces} with forces)"
        return f"ReferenceData({molecules}, {self.n_conformers} conformers, {level}{failed})"

    @property
    def n_molecules(self) -> int:
        """Number of entries; a molecule whose energies have two zeros counts twice."""
        return len(self.molecules)

    @property
    def n_conformers(self) -> int:
        """Number of conformers of all molecules."""
        return sum(molecule.n_conformers for molecule in self.molecules)

    @property
    def has_forces(self) -> bool:
        """Whether every molecule comes with forces."""
        return all(molecule.forces is not None for molecule in self.molecules)

    @property
    def has_charges(self) -> bool:
        """Whether every molecule comes with partial charges."""
        return all(molecule.charges is not None for molecule in self.molecules)

    def batch(self) -> GraphBatch:
        """The molecules as a graph batch whose atoms stand in the order of the coordinates."""
        return GraphBatch.from_molecules([molecule_from_smiles(molecule.smiles) for molecule in self.molecules])


def only_level(levels: Sequence[str]) -> str:
    """The one level of theory of some data. Names that differ in case or blanks only are the same.

    Args:
        levels: Level of each molecule.

    Returns:
        The level, spelt as it first came; '' for no data.

    Raises:
        InputError: There are several, or known and unknown ones.

    Example:
        >>> only_level(["B3LYP-D3BJ/DZVP", "b3lyp-d3bj/dzvp"])
        'B3LYP-D3BJ/DZVP'
    """
    counts = Counter(level_key(level) for level in levels)
    if len(counts) > 1:
        spelt = {level_key(level): level or "not stated" for level in reversed(levels)}
        shown = ", ".join(f"{spelt[key]} ({n} molecules)" for key, n in counts.most_common())
        raise InputError(
            f"reference data of {len(counts)} levels of theory: {shown}; a fit takes one level, so give files of one, "
            "or, where a file does not state what you know to be the same, say it with level"
        )
    return levels[0] if levels else UNKNOWN_LEVEL


def level_key(level: str) -> str:
    """A level of theory as it is compared: without blanks, in lower case."""
    return "".join(level.split()).casefold()
