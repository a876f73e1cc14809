"""GFN2-xTB by tblite: relaxations, displacements and turned bonds of small molecules.

Of each molecule of a file of SMILES and names:

1. up to `STARTS` conformers embedded by RDKit (ETKDGv3, a seed from the SMILES), no two within 0.5 Å of each other. Of
   each one counts as embedded, after `EARLY_STEPS` steps of L-BFGS, and relaxed;
2. from the lowest relaxed one, whose Hessian H comes from central differences of gradients, `DISPLACED` displacements
   drawn from the classical Boltzmann distribution of the harmonic potential, covariance k_B T H⁻¹ without translation
   and rotation, at temperatures drawn uniformly from 100 to 500 K. Eigenvalues of H under `SOFTEST` are raised to it,
   since harmonic steps along soft torsions would tear bonds;
3. `TURNED` conformers of torsion scans: displaced at 100 K, then turned rigidly about the acyclic single bonds in turn,
   by multiples of the golden angle of 137.5°, so that no point repeats another by symmetry.

What lies more than `ENERGY_WINDOW` above the lowest, has a force on an atom above `FORCE_CAP`, has lost or gained bonds
or another stereochemistry than its SMILES, is left out; displacements and turns are drawn again, up to `DRAWS` times.

Reference: Bannwarth, Ehlert, Grimme, J. Chem. Theory Comput. 15, 1652 (2019), doi:10.1021/acs.jctc.8b01176.
"""

import hashlib
from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from ffshare.errors import MoleculeError
from ffshare.fit import ReferenceMolecule
from ffshare.fit.reference.atomic_units import BOHR, HARTREE
from reference_data.geometries import (
    CONVERGED,
    SOFTEST,
    STARTS,
    STEP,
    Coords,
    embedded,
    hessian_of,
    relaxed,
    rotors,
    thermal_modes,
    turned,
)
from reference_data.sample import ENERGY_WINDOW, FORCE_CAP, Sample
from reference_data.tasks import Method, Minimum, Task, part_of

SEED = 20240607
EARLY_STEPS = 5
MOST_STEPS = 300
DISPLACED = 10
TURNED = 8
FEWEST = 20
DRAWS = 4
TEMPERATURES = (100.0, 500.0)
TURNING_TEMPERATURE = 100.0
GOLDEN_ANGLE = np.pi * (3 - np.sqrt(5))
BOLTZMANN = 0.0019872042586  # [kcal/mol/K]


class Energies:
    """Energy [kcal/mol] and gradient [kcal/mol/Å] of one molecule by GFN2-xTB."""

    def __init__(self, elements: NDArray[np.int64], charge: int) -> None:
        self._elements, self._charge = elements, charge
        self._calculator: Any = None

    def __call__(self, coords: Coords) -> tuple[float, Coords]:
        from tblite.interface import Calculator

        if self._calculator is None:
            self._calculator = Calculator("GFN2-xTB", self._elements, coords / BOHR, charge=self._charge)
            self._calculator.set("verbosity", 0)
        else:
            self._calculator.update(positions=coords / BOHR)
        found = self._calculator.singlepoint()
        return float(found.get("energy")) * HARTREE, np.asarray(found.get("gradient")) * (HARTREE / BOHR)


def generator_for(smiles: str) -> np.random.Generator:
    """Random numbers that depend on the molecule and on nothing else."""
    digest = hashlib.blake2b(smiles.encode(), digest_size=8).digest()
    return np.random.default_rng([SEED, int.from_bytes(digest, "little")])


def gfn2_conformers(task: Task) -> tuple[ReferenceMolecule, Minimum]:
    """Relaxations, displacements and torsion scans of a molecule, as the head of this file says."""
    sample, rng = Sample(task), generator_for(task.smiles)
    starts = embedded(sample.mol, int(rng.integers(2**31)))
    ends = []
    for start in starts:
        try:
            early = relaxed(sample.energies, start, EARLY_STEPS)
            end = relaxed(sample.energies, early, MOST_STEPS)
        except RuntimeError:  # no convergence on the way
            continue
        if sample.is_whole(end):
            ends.append((sample.energies(end)[0], len(ends), start, early, end))
    if not ends:
        raise MoleculeError("no relaxed conformer keeps the bonds and stereochemistry of the SMILES", "leave it out")
    lowest, _, _, _, minimum = min(ends)
    for _, _, start, early, end in ends:
        for coords in (end, early, start):
            sample.add(coords, lowest)
    hessian = hessian_of(sample.energies, minimum)
    modes = thermal_modes(minimum, hessian)

    def displaced(temperature: float) -> Coords:
        numbers = rng.standard_normal(modes.shape[1]) * np.sqrt(BOLTZMANN * temperature)
        return minimum + (modes @ numbers).reshape(-1, 3)

    def draw(make: Callable[[], Coords]) -> None:
        for _ in range(DRAWS):
            coords = make()
            if sample.is_whole(coords) and sample.add(coords, lowest):
                return

    bonds = rotors(sample.mol)
    for number in range(TURNED if bonds else 0):
        bond, angle = bonds[number % len(bonds)], GOLDEN_ANGLE * (1 + number // len(bonds))
        draw(lambda bond=bond, angle=angle: turned(displaced(TURNING_TEMPERATURE), *bond, angle))
    for number in range(2 * FEWEST):
        if number >= DISPLACED and len(sample.found) >= FEWEST:
            break
        draw(lambda: displaced(rng.uniform(*TEMPERATURES)))
    molecule = sample.checked(sample.found)
    if molecule is None:
        raise MoleculeError("no conformer can be used", "leave it out")
    return molecule, Minimum(coords=minimum, hessian=hessian)


GFN2 = Method(
    name="gfn2",
    level="GFN2-xTB",
    libraries=("tblite",),
    settings={
        "seed": SEED,
        "starts": STARTS,
        "early_steps": EARLY_STEPS,
        "converged": CONVERGED,
        "hessian_step": STEP,
        "softest": SOFTEST,
        "displaced": DISPLACED,
        "temperatures": TEMPERATURES,
        "turned": TURNED,
        "turning_temperature": TURNING_TEMPERATURE,
        "energy_window": ENERGY_WINDOW,
        "force_cap": FORCE_CAP,
    },
    energies=Energies,
    conformers=gfn2_conformers,
)


def gfn2_tasks(method: Method, molecules: Path, first: int | None, parts: Path) -> list[Task]:
    """A task for each line of a file of SMILES and names."""
    lines = molecules.read_text(encoding="utf-8").splitlines()
    rows = [line.split("\t") for line in lines if line.strip()][:first]
    return [
        Task(method=method, name=name, smiles=smiles, part=part_of(parts, method, name, smiles.encode()))
        for smiles, name in rows
    ]
