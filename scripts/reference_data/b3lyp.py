"""B3LYP-D3BJ/DZVP by PySCF with density fitting: single points at geometries of another table.

Of the molecules of at most `MOST_HEAVY_ATOMS` heavy atoms some are taken evenly over their sizes, and of each some
conformers evenly over their energies, the lowest included.

Reference: Godbout et al., Can. J. Chem. 70, 560 (1992), doi:10.1139/v92-079 (DZVP).
"""

import time
from collections.abc import Sequence
from pathlib import Path

import numpy as np
from numpy.typing import NDArray
from rdkit import Chem

from ffshare.errors import MoleculeError
from ffshare.fit import ReferenceData, ReferenceMolecule
from ffshare.fit.reference import canonical_smiles
from ffshare.fit.reference.atomic_units import BOHR, HARTREE
from ffshare.molecules import from_smiles
from reference_data.geometries import Coords
from reference_data.progress import clock, say
from reference_data.sample import Sample
from reference_data.tasks import Method, Task, part_of

MOST_HEAVY_ATOMS = 7
TIMED = 5


class Dft:
    """Energy [kcal/mol] and gradient [kcal/mol/Å] of one molecule by B3LYP-D3BJ/DZVP."""

    def __init__(self, elements: NDArray[np.int64], charge: int) -> None:
        self._elements, self._charge = elements, charge

    def __call__(self, coords: Coords) -> tuple[float, Coords]:
        from pyscf import dft, gto

        atoms = [(int(element), row) for element, row in zip(self._elements, coords, strict=True)]
        molecule = gto.M(atom=atoms, unit="Angstrom", basis="dzvp", charge=self._charge, verbose=0)
        field = dft.RKS(molecule).density_fit()
        field.xc, field.disp = "b3lyp", "d3bj"
        field.grids.level = 3
        energy = field.kernel()
        if not field.converged:
            raise RuntimeError("the self-consistent field does not converge")
        return float(energy) * HARTREE, np.asarray(field.nuc_grad_method().kernel()) * (HARTREE / BOHR)


def b3lyp_conformers(task: Task) -> tuple[ReferenceMolecule, None]:
    """Single points at given geometries."""
    sample = Sample(task)
    for coords in task.conformers if task.conformers is not None else ():
        sample.add(coords)
    molecule = sample.checked(sample.found) if sample.found else None
    if molecule is None:
        raise MoleculeError("no conformer can be used", "leave it out")
    return molecule, None


B3LYP = Method(
    name="b3lyp",
    level="B3LYP-D3BJ/DZVP",
    libraries=("pyscf", "pyscf-dispersion"),
    settings={"functional": "b3lyp", "dispersion": "d3bj", "basis": "dzvp", "density_fitting": True, "grid": 3},
    energies=Dft,
    conformers=b3lyp_conformers,
)


def b3lyp_tasks(method: Method, data: ReferenceData, n_molecules: int, n_conformers: int, parts: Path) -> list[Task]:
    """A task for each of some small molecules of a table."""
    small = []
    for molecule in data.molecules:
        smiles = canonical_smiles(molecule.smiles)
        heavy = Chem.MolFromSmiles(smiles).GetNumHeavyAtoms()
        if heavy <= MOST_HEAVY_ATOMS and molecule.n_conformers >= n_conformers:
            small.append((heavy, molecule.n_atoms, smiles, molecule))
    small.sort(key=lambda row: row[:3])
    chosen = np.unique(np.linspace(0, len(small) - 1, min(n_molecules, len(small))).round().astype(int))
    tasks = []
    for number, (_, _, _, molecule) in enumerate((small[row] for row in chosen), start=1):
        order = np.argsort(molecule.energies, kind="stable")
        places = order[np.linspace(0, len(order) - 1, n_conformers).round().astype(int)]
        # The mapped SMILES keeps the order of the atoms.
        coords, name = molecule.coords[places], f"b3lyp-{number:03d}"
        part = part_of(parts, method, name, molecule.smiles.encode(), coords.tobytes())
        tasks.append(Task(method=method, name=name, smiles=molecule.smiles, part=part, conformers=coords))
    return tasks


def time_some(tasks: Sequence[Task], workers: int) -> None:
    """Time one conformer of `TIMED` molecules of different size, and say how long all will take.

    The time of the others comes from a power law of their number of heavy atoms through these.
    """
    ordered = sorted(tasks, key=lambda task: task.cost)
    chosen = [ordered[row] for row in np.unique(np.linspace(0, len(ordered) - 1, TIMED).round().astype(int))]
    sizes, seconds = [], []
    for task in chosen:
        graph = from_smiles(task.smiles)
        start = time.perf_counter()
        task.method.energies(graph.elements, int(graph.charges.sum()))(task.conformers[0])
        seconds.append(time.perf_counter() - start)
        sizes.append(int(np.sum(graph.elements > 1)))
        say(f"timed: {sizes[-1]} heavy atoms, {graph.n_atoms} atoms: {seconds[-1]:.1f} s a conformer")
    several = len(set(sizes)) > 1
    power, log_first = (
        np.polyfit(np.log(sizes), np.log(seconds), 1) if several else (2.0, np.log(seconds[0] / sizes[0] ** 2))
    )
    heavy = np.array([np.sum(from_smiles(task.smiles).elements > 1) for task in tasks])
    n_conformers = np.array([len(task.conformers) for task in tasks])
    total = float(np.sum(n_conformers * np.exp(log_first) * heavy**power))
    say(
        f"{n_conformers.sum()} conformers of {len(tasks)} molecules: about {clock(total)} of work, "
        f"{clock(total / workers)} in {workers} processes if each has a core"
    )
