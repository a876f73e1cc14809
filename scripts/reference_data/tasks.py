"""What there is to do: a task a molecule. The name of its part says how it was made, so other settings never mix."""

import hashlib
import importlib.metadata
import json
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from ffshare.fit import ReferenceMolecule
from ffshare.molecules import from_smiles
from reference_data.geometries import Coords, EnergyAndGradient


@dataclass(frozen=True)
class Method:
    """A level of theory, and how its data are made."""

    name: str
    level: str
    libraries: tuple[str, ...]
    settings: Mapping[str, Any]
    energies: Callable[[NDArray[np.int64], int], EnergyAndGradient]
    """From elements and total charge."""
    conformers: Callable[["Task"], tuple[ReferenceMolecule, "Minimum | None"]]


@dataclass(frozen=True)
class Minimum:
    """The lowest relaxed geometry of a molecule and its second derivatives."""

    coords: Coords
    hessian: Coords


@dataclass(frozen=True)
class Task:
    """One molecule to work on, and where its part goes."""

    method: Method
    name: str
    smiles: str
    part: Path
    conformers: Coords | None = None

    @property
    def cost(self) -> float:
        """How long it takes, in a unit of its own: gradients grow with the atoms, and so does their number."""
        graph = from_smiles(self.smiles)
        heavy = int(np.sum(graph.elements > 1))
        return float(graph.n_atoms**2) if self.conformers is None else len(self.conformers) * float(heavy) ** 2

    @property
    def failure(self) -> Path:
        """Where the reason is kept why there is no part."""
        return self.part.with_suffix(".failed")

    @property
    def minimum(self) -> Path:
        """Where the minimum and its Hessian are kept."""
        return self.part.with_suffix(".npz")


def part_of(folder: Path, method: Method, name: str, *inputs: bytes) -> Path:
    """The part of a molecule: its name says by which settings, libraries and inputs it was made."""
    libraries = {name: importlib.metadata.version(name) for name in ("rdkit", *method.libraries)}
    digest = hashlib.blake2b(json.dumps([method.name, method.settings, libraries]).encode(), digest_size=8)
    for given in inputs:
        digest.update(given)
    return folder / f"{name}-{digest.hexdigest()}.parquet"
