#!/usr/bin/env python3
"""Make reference data with real quantum chemistry: energies and forces of many conformers of small molecules.

    python scripts/make_reference.py gfn2 --output reference/gfn2.parquet --hessians reference/gfn2-hessians.parquet
    python scripts/make_reference.py b3lyp --geometries reference/gfn2.parquet --output reference/b3lyp.parquet

Stop it at any moment and start it again: each finished molecule is a file in the folder of parts (`--parts`, by default
beside the output), which appears whole or not at all, and is not done again. Parts carry the settings and versions that
made them in their name, so other settings never mix. Lines with the time that is left go to standard error.

**gfn2**: GFN2-xTB by tblite, for the molecules of molecules/reference.smi. Of each molecule:

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

**b3lyp**: B3LYP-D3BJ/DZVP by PySCF with density fitting, single points with gradients, at `--conformers` geometries of
the GFN2 data (evenly over their energies, the lowest included) of molecules of at most 7 heavy atoms, `--molecules` of
them evenly over their sizes. Five are timed first, and the total is printed before the work begins.

Results are written as ffshare's reference table, coordinates rounded to 1e-6 Å, energies and forces to 1e-6 kcal/mol
(/Å). Energies are relative to the lowest conformer of their molecule: total energies would lose up to 0.03 kcal/mol in
programs that read tables in single precision. Needs tblite, or pyscf and pyscf-dispersion: pip install "ffshare[qm]".

Reference: Bannwarth, Ehlert, Grimme, J. Chem. Theory Comput. 15, 1652 (2019), doi:10.1021/acs.jctc.8b01176 (GFN2-xTB);
Godbout et al., Can. J. Chem. 70, 560 (1992), doi:10.1139/v92-079 (DZVP).
"""

import os

for _name in ("OMP_NUM_THREADS", "OPENBLAS_NUM_THREADS", "MKL_NUM_THREADS"):
    os.environ.setdefault(_name, "1")

import argparse
import csv
import hashlib
import importlib.metadata
import json
import platform
import secrets
import sys
import time
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any

import numpy as np
import pyarrow as pa
import pyarrow.parquet as pq
from numpy.typing import NDArray
from rdkit import Chem
from rdkit.Chem import AllChem
from scipy.optimize import minimize

from ffshare.data_files import checksum, data_directory
from ffshare.errors import FfshareError, MoleculeError
from ffshare.fit import ReferenceData, ReferenceMolecule, read_reference, write_reference
from ffshare.fit.reference import RawRecord, canonical_smiles, check
from ffshare.fit.reference.atomic_units import BOHR, HARTREE
from ffshare.molecules import from_smiles, mapped_smiles, silenced
from ffshare.parallel import map_chunks

Coords = NDArray[np.float64]

SEED = 20240607
DECIMALS = 6
STARTS = 4
EARLY_STEPS = 5
MOST_STEPS = 300
CONVERGED = 0.05  # largest component of the gradient [kcal/mol/Å]
STEP = 0.005  # of the differences that give the Hessian [Å]
SOFTEST = 10.0  # [kcal/mol/Å²]
DISPLACED = 10
TURNED = 8
FEWEST = 20
DRAWS = 4
TEMPERATURES = (100.0, 500.0)
TURNING_TEMPERATURE = 100.0
GOLDEN_ANGLE = np.pi * (3 - np.sqrt(5))
ENERGY_WINDOW = 40.0  # [kcal/mol]
FORCE_CAP = 150.0  # [kcal/mol/Å]
BOLTZMANN = 0.0019872042586  # [kcal/mol/K]
MOST_HEAVY_ATOMS_B3LYP = 7
TIMED = 5

LEVELS = {"gfn2": "GFN2-xTB", "b3lyp": "B3LYP-D3BJ/DZVP"}
LIBRARIES = {"gfn2": ("tblite",), "b3lyp": ("pyscf", "pyscf-dispersion")}
SETTINGS: dict[str, dict[str, Any]] = {
    "gfn2": {
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
    "b3lyp": {"functional": "b3lyp", "dispersion": "d3bj", "basis": "dzvp", "density_fitting": True, "grid": 3},
}


@dataclass(frozen=True)
class Task:
    """One molecule to work on, and where its part goes."""

    method: str
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


def relaxed(energies: Callable[[Coords], tuple[float, Coords]], start: Coords, steps: int) -> Coords:
    """The geometry after some steps of L-BFGS, or where no gradient is left."""

    def function(flat: Coords) -> tuple[float, Coords]:
        energy, gradient = energies(flat.reshape(-1, 3))
        return energy, gradient.reshape(-1)

    options = {"maxiter": steps, "gtol": CONVERGED, "ftol": 0.0, "maxls": 30}
    found = minimize(function, start.reshape(-1), jac=True, method="L-BFGS-B", options=options)
    return np.asarray(found.x).reshape(-1, 3)


def hessian_of(energies: Callable[[Coords], tuple[float, Coords]], coords: Coords) -> Coords:
    """Second derivatives of the energy [kcal/mol/Å²] by central differences, shape=(3 n_atoms, 3 n_atoms)."""
    rows = []
    for step in np.eye(coords.size).reshape(-1, *coords.shape) * STEP:
        forward, backward = energies(coords + step)[1], energies(coords - step)[1]
        rows.append((forward - backward).reshape(-1) / (2 * STEP))
    return (np.array(rows) + np.array(rows).T) / 2


def thermal_modes(coords: Coords, hessian: Coords) -> Coords:
    """Displacements whose random sums, each times √(k_B T) and a standard normal number, are Boltzmann-distributed.

    Columns v_i / √λ_i of the Hessian's eigenvectors without the translations and rotations, shape=(3 n_atoms, n_modes).
    """
    centred = coords - coords.mean(axis=0)
    rigid = [np.tile(axis, (len(coords), 1)) for axis in np.eye(3)] + [np.cross(axis, centred) for axis in np.eye(3)]
    frame, sizes, _ = np.linalg.svd(np.array(rigid).reshape(6, -1).T, full_matrices=True)
    inner = frame[:, int(np.sum(sizes > 1e-6 * sizes[0])) :]  # a linear molecule has one rotation less
    eigenvalues, vectors = np.linalg.eigh(inner.T @ hessian @ inner)
    return (inner @ vectors) / np.sqrt(np.maximum(eigenvalues, SOFTEST))


def turned(coords: Coords, first: int, second: int, moved: Sequence[int], angle: float) -> Coords:
    """A geometry with some atoms turned about a bond."""
    axis = coords[second] - coords[first]
    axis = axis / np.linalg.norm(axis)
    arms = coords[list(moved)] - coords[first]
    along = np.outer(arms @ axis, axis)
    across = arms - along
    result = coords.copy()
    result[list(moved)] = coords[first] + along + np.cos(angle) * across + np.sin(angle) * np.cross(axis, across)
    return result


def rotors(mol: Chem.Mol) -> list[tuple[int, int, tuple[int, ...]]]:
    """Acyclic single bonds between atoms that are neither terminal nor linear, and the atoms of the smaller side."""
    pattern = Chem.MolFromSmarts("[!D1;!$(*#*);!$(*(=*)=*)]-;!@[!D1;!$(*#*);!$(*(=*)=*)]")
    found = []
    for first, second in mol.GetSubstructMatches(pattern):
        editable = Chem.RWMol(mol)
        editable.RemoveBond(first, second)
        sides = sorted(Chem.GetMolFrags(editable), key=lambda side: (len(side), side))
        fixed, near = (first, second) if second in sides[0] else (second, first)
        found.append((fixed, near, sides[0]))
    return found


def generator_for(smiles: str) -> np.random.Generator:
    """Random numbers that depend on the molecule and on nothing else."""
    digest = hashlib.blake2b(smiles.encode(), digest_size=8).digest()
    return np.random.default_rng([SEED, int.from_bytes(digest, "little")])


def embedded(mol: Chem.Mol, seed: int) -> list[Coords]:
    """Starting geometries [Å]."""
    parameters = AllChem.ETKDGv3()
    parameters.randomSeed, parameters.pruneRmsThresh = seed, 0.5
    copy = Chem.Mol(mol)
    if not len(AllChem.EmbedMultipleConfs(copy, STARTS, parameters)):
        raise MoleculeError("RDKit embeds no conformer", "leave it out")
    return [np.asarray(conformer.GetPositions()) for conformer in copy.GetConformers()]


def is_isomer(mol: Chem.Mol, coords: Coords) -> bool:
    """Whether a geometry has the stereochemistry that a molecule defines."""
    found = Chem.Mol(mol)
    found.RemoveAllConformers()
    conformer = Chem.Conformer(found.GetNumAtoms())
    conformer.SetPositions(np.ascontiguousarray(coords))
    found.AddConformer(conformer)
    Chem.AssignStereochemistryFrom3D(found)
    return bool(found.HasSubstructMatch(mol, useChirality=True))


class Sample:
    """Conformers of one molecule as they are found, those that are too high left out."""

    def __init__(self, task: Task) -> None:
        graph = from_smiles(task.smiles)
        self.smiles = mapped_smiles(graph, 0).smiles
        self.mol = Chem.AddHs(Chem.MolFromSmiles(task.smiles))
        charge = int(graph.charges.sum())
        self.energies = Energies(graph.elements, charge) if task.method == "gfn2" else Dft(graph.elements, charge)
        self.level = LEVELS[task.method]
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


@dataclass(frozen=True)
class Minimum:
    """The lowest relaxed geometry of a molecule and its second derivatives."""

    coords: Coords
    hessian: Coords


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


def b3lyp_conformers(task: Task) -> tuple[ReferenceMolecule, None]:
    """Single points at given geometries."""
    sample = Sample(task)
    for coords in task.conformers if task.conformers is not None else ():
        sample.add(coords)
    molecule = sample.checked(sample.found) if sample.found else None
    if molecule is None:
        raise MoleculeError("no conformer can be used", "leave it out")
    return molecule, None


METHODS: dict[str, Callable[[Task], tuple[ReferenceMolecule, Minimum | None]]] = {
    "gfn2": gfn2_conformers,
    "b3lyp": b3lyp_conformers,
}


@dataclass(frozen=True)
class Outcome:
    """What became of a task."""

    task: Task
    n_conformers: int
    seconds: float
    failure: str = ""


def work(task: Task) -> Outcome:
    """Do a task and leave its part, or the reason why there is none."""
    start = time.perf_counter()
    try:
        with silenced():
            molecule, minimum = METHODS[task.method](task)
    except (MoleculeError, RuntimeError, ValueError, ArithmeticError) as error:
        failure = f"{task.name} {task.smiles}: {error}"
        replace_text(task.part.with_suffix(".failed"), failure)
        return Outcome(task=task, n_conformers=0, seconds=time.perf_counter() - start, failure=failure)
    if minimum is not None:
        temporary = task.part.with_name(f".{task.part.stem}.{secrets.token_hex(4)}.npz")
        np.savez_compressed(temporary, smiles=molecule.smiles, coords=minimum.coords, hessian=minimum.hessian)
        os.replace(temporary, task.part.with_suffix(".npz"))
    seconds = time.perf_counter() - start
    # Last, since its being there says that the task is done.
    data = ReferenceData(molecules=(molecule,), level=molecule.level, source=task.name)
    write_reference(data, task.part, decimals=DECIMALS, details={"seconds": seconds})
    return Outcome(task=task, n_conformers=molecule.n_conformers, seconds=seconds)


def replace_text(path: Path, text: str) -> None:
    temporary = path.with_name(f".{path.name}.{secrets.token_hex(4)}")
    temporary.write_text(text + "\n", encoding="utf-8")
    os.replace(temporary, path)


def versions(method: str) -> dict[str, str]:
    names = ("ffshare", "rdkit", "numpy", "scipy", *LIBRARIES[method])
    return {"python": platform.python_version(), **{name: importlib.metadata.version(name) for name in names}}


def part_of(folder: Path, method: str, name: str, *inputs: bytes) -> Path:
    """The part of a molecule: its name says by which settings, libraries and inputs it was made."""
    libraries = {name: importlib.metadata.version(name) for name in ("rdkit", *LIBRARIES[method])}
    digest = hashlib.blake2b(json.dumps([method, SETTINGS[method], libraries]).encode(), digest_size=8)
    for given in inputs:
        digest.update(given)
    return folder / f"{name}-{digest.hexdigest()}.parquet"


def gfn2_tasks(arguments: argparse.Namespace, parts: Path) -> list[Task]:
    lines = arguments.molecules_file.read_text(encoding="utf-8").splitlines()
    rows = [line.split("\t") for line in lines if line.strip()][: arguments.first]
    return [
        Task(method="gfn2", name=name, smiles=smiles, part=part_of(parts, "gfn2", name, smiles.encode()))
        for smiles, name in rows
    ]


def b3lyp_tasks(arguments: argparse.Namespace, parts: Path) -> list[Task]:
    data = read_reference(arguments.geometries)
    small = []
    for molecule in data.molecules:
        smiles = canonical_smiles(molecule.smiles)
        heavy = Chem.MolFromSmiles(smiles).GetNumHeavyAtoms()
        if heavy <= MOST_HEAVY_ATOMS_B3LYP and molecule.n_conformers >= arguments.conformers:
            small.append((heavy, molecule.n_atoms, smiles, molecule))
    small.sort(key=lambda row: row[:3])
    chosen = np.unique(np.linspace(0, len(small) - 1, min(arguments.molecules, len(small))).round().astype(int))
    tasks = []
    for number, (_, _, _, molecule) in enumerate((small[row] for row in chosen), start=1):
        order = np.argsort(molecule.energies, kind="stable")
        places = order[np.linspace(0, len(order) - 1, arguments.conformers).round().astype(int)]
        # The mapped SMILES keeps the order of the atoms.
        coords, name = molecule.coords[places], f"b3lyp-{number:03d}"
        part = part_of(parts, "b3lyp", name, molecule.smiles.encode(), coords.tobytes())
        tasks.append(Task(method="b3lyp", name=name, smiles=molecule.smiles, part=part, conformers=coords))
    return tasks


TASKS: dict[str, Callable[[argparse.Namespace, Path], list[Task]]] = {"gfn2": gfn2_tasks, "b3lyp": b3lyp_tasks}


def say(text: str) -> None:
    print(text, file=sys.stderr, flush=True)


def time_five(tasks: Sequence[Task], workers: int) -> None:
    """Time one conformer of five molecules of different size, and say how long all will take.

    The time of the others comes from a power law of their number of heavy atoms through these five.
    """
    ordered = sorted(tasks, key=lambda task: task.cost)
    chosen = [ordered[row] for row in np.unique(np.linspace(0, len(ordered) - 1, TIMED).round().astype(int))]
    sizes, seconds = [], []
    for task in chosen:
        graph = from_smiles(task.smiles)
        start = time.perf_counter()
        Dft(graph.elements, int(graph.charges.sum()))(task.conformers[0])
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


def clock(seconds: float) -> str:
    minutes, left = divmod(round(seconds), 60)
    return f"{minutes} min {left} s" if minutes < 60 else f"{minutes // 60} h {minutes % 60} min"


def run(tasks: Sequence[Task], workers: int) -> None:
    """Do the tasks that have no part yet, the longest first, and say how far it is."""
    left = [task for task in tasks if not task.part.exists() and not task.part.with_suffix(".failed").exists()]
    left.sort(key=lambda task: -task.cost)
    say(f"{len(tasks)} molecules, {len(tasks) - len(left)} of them done before")
    total, done, start = sum(task.cost for task in left), 0.0, time.perf_counter()
    outcomes: Iterator[Outcome] = map_chunks(work, left, workers=workers)
    for number, outcome in enumerate(outcomes, start=1):
        done += outcome.task.cost
        elapsed = time.perf_counter() - start
        what = outcome.failure or f"{outcome.task.name}, {outcome.n_conformers} conformers in {outcome.seconds:.1f} s"
        remaining = clock(elapsed * (total - done) / done)
        say(f"{number}/{len(left)}, {clock(elapsed)} so far, about {remaining} left: {what}")


def gather(arguments: argparse.Namespace, tasks: Sequence[Task]) -> None:
    """Write the parts as one table, the failures beside it, and the Hessians if they are asked for."""
    parts = [task.part for task in tasks if task.part.exists()]
    if not parts:
        raise FfshareError("no molecule gave anything; see the lines above")
    data = read_reference(*parts)
    method = arguments.method
    source = arguments.molecules_file if method == "gfn2" else arguments.geometries
    details = {
        "settings": SETTINGS[method],
        "versions": versions(method),
        "input": {source.name: checksum(source)},
        "script": Path(__file__).name,
        "zero_of_energy": "lowest conformer of each molecule",
    }
    data = ReferenceData(
        molecules=tuple(replace(one, energies=one.energies - one.energies.min()) for one in data.molecules),
        level=data.level,
        source=f"scripts/{Path(__file__).name} {method}",
        failures=data.failures,
    )
    arguments.output.parent.mkdir(parents=True, exist_ok=True)
    write_reference(data, arguments.output, decimals=DECIMALS, details=details)
    failed = [
        task.part.with_suffix(".failed").read_text(encoding="utf-8").strip() for task in tasks if not task.part.exists()
    ]
    failed += [f"{failure.text}: {failure.reason}" for failure in data.failures]
    with arguments.output.with_suffix(".failures.csv").open("w", encoding="utf-8", newline="") as stream:
        csv.writer(stream, lineterminator="\n").writerows([["failure"], *([line] for line in failed)])
    spreads = [float(np.ptp(molecule.energies)) for molecule in data.molecules]
    say(
        f"{arguments.output}: {data!r}, {arguments.output.stat().st_size / 1e6:.1f} MB; energies of a molecule spread "
        f"over {np.median(spreads):.1f} kcal/mol in the median, {max(spreads):.1f} at most; {len(failed)} failures"
    )
    if method == "gfn2" and arguments.hessians:
        write_hessians([part.with_suffix(".npz") for part in parts], arguments.hessians, details)
        say(f"{arguments.hessians}: {arguments.hessians.stat().st_size / 1e6:.1f} MB")


def write_hessians(files: Sequence[Path], path: Path, details: dict[str, Any]) -> None:
    """One row a molecule: mapped SMILES, the minimum [Å] and the Hessian there [kcal/mol/Å²], flattened by rows."""
    rows = [np.load(file) for file in files]
    table = pa.table(
        {
            "smiles": pa.array([str(row["smiles"]) for row in rows]),
            "coords": pa.array([np.round(row["coords"].reshape(-1), DECIMALS) for row in rows], pa.list_(pa.float64())),
            "hessian": pa.array([np.round(row["hessian"].reshape(-1), 3) for row in rows], pa.list_(pa.float64())),
        }
    )
    metadata = {"ffshare": json.dumps({"level": LEVELS["gfn2"], **details})}
    temporary = path.with_name(f".{path.name}.{secrets.token_hex(4)}.part")
    pq.write_table(table.replace_schema_metadata(metadata), temporary, compression="zstd", compression_level=9)
    os.replace(temporary, path)


def parsed(words: Sequence[str] | None = None) -> argparse.Namespace:
    parser = argparse.ArgumentParser(description="Reference data by quantum chemistry; see the head of the script.")
    methods = parser.add_subparsers(dest="method", required=True)
    gfn2 = methods.add_parser("gfn2", help="GFN2-xTB by tblite")
    gfn2.add_argument(
        "--molecules", dest="molecules_file", type=Path, default=data_directory("molecules") / "reference.smi"
    )
    gfn2.add_argument("--first", type=int, metavar="N", help="only the first N molecules, to try it out")
    gfn2.add_argument("--hessians", type=Path, metavar="FILE", help="write the Hessian of each minimum, too")
    b3lyp = methods.add_parser("b3lyp", help="B3LYP-D3BJ/DZVP by PySCF")
    b3lyp.add_argument("--geometries", type=Path, required=True, help="the table that gfn2 has written")
    b3lyp.add_argument("--molecules", type=int, default=65, help="molecules to take")
    b3lyp.add_argument("--conformers", type=int, default=5, help="conformers of each")
    for one in (gfn2, b3lyp):
        one.add_argument("--output", type=Path, required=True, metavar="FILE", help="a name that ends in .parquet")
        one.add_argument("--parts", type=Path, metavar="FOLDER", help="where parts are kept; by default FILE.parts")
        one.add_argument("--workers", type=int, default=1, help="processes")
        one.add_argument("--again", action="store_true", help="try molecules again that failed before")
    return parser.parse_args(words)


def main(words: Sequence[str] | None = None) -> int:
    arguments = parsed(words)
    parts = arguments.parts or arguments.output.with_suffix(".parts")
    parts.mkdir(parents=True, exist_ok=True)
    try:
        for library in LIBRARIES[arguments.method]:
            importlib.metadata.version(library)
        tasks = TASKS[arguments.method](arguments, parts)
        if arguments.again:
            for task in tasks:
                task.part.with_suffix(".failed").unlink(missing_ok=True)
        if arguments.method == "b3lyp" and sum(task.part.exists() for task in tasks) < TIMED:
            time_five(tasks, arguments.workers)
        run(tasks, arguments.workers)
        gather(arguments, tasks)
    except importlib.metadata.PackageNotFoundError as error:
        say(f'{error.name} is not installed; run: pip install "ffshare[qm]"')
        return 1
    except FfshareError as error:
        say(str(error))
        return 1
    return 0


if __name__ == "__main__":
    raise SystemExit(main())
