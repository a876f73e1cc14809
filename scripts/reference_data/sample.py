"""The conformers of one molecule as they are found, those that cannot be used left out."""

from collections.abc import Sequence

import numpy as np
from rdkit import Chem

from ffshare.fit import ReferenceMolecule
from ffshare.fit.reference import RawRecord, check
from ffshare.molecules import from_smiles, mapped_smiles
from reference_data.geometries import Coords, is_isomer
from reference_data.tasks import Task

ENERGY_WINDOW = 40.0  # [kcal/mol]
FORCE_CAP = 150.0  # [kcal/mol/Å]


class Sample:
    """Conformers of one molecule as they are found, those that are too high left out."""

    def __init__(self, task: Task) -> None:
        graph = from_smiles(task.smiles)
        self.smiles = mapped_smiles(graph, 0).smiles
        self.mol = Chem.AddHs(Chem.MolFromSmiles(task.smiles))
        charge = int(graph.charges.sum())
        self.energies = task.method.energies(graph.elements, charge)
        self.level = task.method.level
        self.found: list[tuple[Coords, float, Coords]] = []

    def add(self, coords: Coords, lowest: float = np.inf) -> bool:
        """Calculate a geometry and keep it if it is under the window and the cap; say whether it was kept."""
        try:
            energy, gradient = self.energies(coords)
        except RuntimeError:  # no convergence: this geometry is too far from any molecule
            return False
        if energy > lowest + ENERGY_WINDOW or np.linalg.norm(gradient, axis=1).max() > FORCE_CAP:
            return False
        self.found.append((coords, energy, -gradient))
        return True

    def is_whole(self, coords: Coords) -> bool:
        """Whether a geometry has the bonds and the stereochemistry of the molecule."""
        return self.checked([(coords, 0.0, np.zeros_like(coords))]) is not None and is_isomer(self.mol, coords)

    def checked(self, found: Sequence[tuple[Coords, float, Coords]]) -> ReferenceMolecule | None:
        """Conformers as reference data, without those that ffshare would refuse to read."""
        coords, energies, forces = (np.array(column) for column in zip(*found, strict=True))
        raw = RawRecord(
            index=0,
            path="",
            line=0,
            name="",
            smiles=self.smiles,
            coords=coords,
            energies=energies,
            forces=forces,
            level=self.level,
        )
        return check(raw).molecule
