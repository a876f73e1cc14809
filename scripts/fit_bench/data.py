"""What the benchmark works on: shipped reference molecules of about 20 atoms, and more conformers made from theirs."""

import time
from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import replace
from pathlib import Path
from typing import Any

import numpy as np

import ffshare
from ffshare.assign import Assignment
from ffshare.fit import Background, FitProblem, ReferenceData, ReferenceMolecule, read_reference
from ffshare.model import Evaluation, Frames, charges_by_name

ROOT = Path(__file__).resolve().parents[2]
SHIPPED = ROOT / "reference" / "gfn2.parquet"
N_ATOMS = 20
DISPLACEMENT = 0.001
"""Standard deviation of what is added to the coordinates of a conformer that is used again [Å]."""


def seconds(action: Callable[[], object]) -> float:
    """Processor time of an action, all threads together: other work on the machine counts less than on the clock."""
    return timed(action)[1]


def least_seconds(actions: Mapping[str, Callable[[], object]], rounds: int) -> dict[str, float]:
    """Processor time of each of some actions in the round that was disturbed least, all run in turn in every round."""
    times = [{name: seconds(action) for name, action in actions.items()} for _ in range(rounds)]
    return {name: min(one[name] for one in times) for name in actions}


def timed(action: Callable[[], Any]) -> tuple[Any, float]:
    """What an action gives, and its processor time."""
    start = time.process_time()
    found = action()
    return found, time.process_time() - start


def near_size(path: Path = SHIPPED, n_atoms: int = N_ATOMS, scheme: str = "openff-2.2.1") -> list[ReferenceMolecule]:
    """The molecules of a file that have about as many atoms, with no term that the scheme lacks."""
    data = read_reference(path)
    chosen = [each for each in data.molecules if abs(each.n_atoms - n_atoms) <= 1 and each.n_conformers > 1]
    problem = FitProblem.of(assign(scheme, chosen))
    skipped = set(problem.skipped.tolist())
    return [each for idx, each in enumerate(chosen) if idx not in skipped]


def assign(scheme: str, molecules: Sequence[ReferenceMolecule]) -> Assignment:
    """The molecules with the rules of a scheme."""
    return ffshare.load_scheme(scheme).assign(
        ReferenceData(molecules=tuple(molecules), level=molecules[0].level).batch()
    )


def repeated(molecules: Sequence[ReferenceMolecule], n_each: int, n_records: int) -> Iterator[ReferenceMolecule]:
    """Records of `n_each` conformers, molecule after molecule and from the first again.

    Coordinates are those of the molecule's conformers, in turn, plus a little noise: so little that their energies and
    forces, which stay, err by less than a force field does.
    """
    for number in range(n_records):
        molecule, rng = molecules[number % len(molecules)], np.random.default_rng(number)
        idxs = np.arange(n_each) % molecule.n_conformers
        coords = molecule.coords[idxs] + rng.normal(scale=DISPLACEMENT, size=(n_each, molecule.n_atoms, 3))
        yield replace(molecule.part(idxs), coords=coords)


def bare(assignment: Assignment, molecules: Sequence[ReferenceMolecule]) -> tuple[FitProblem, list[ReferenceMolecule]]:
    """The problem with nothing to subtract, and the data less van der Waals and electrostatics (Gasteiger charges).

    So that what is compared is the work on what is fitted, and neither side has to compute the rest.
    """
    behind = Background(assignment=assignment, charges=charges_by_name(assignment, "gasteiger"))
    problem = FitProblem.of(assignment, background=replace(behind, sections=()))
    frames = Frames.from_conformers(assignment.batch, [each.coords for each in molecules])
    below: Evaluation = behind.evaluate(np.arange(len(molecules)), frames, problem.sections)
    forces = frames.by_molecule(below.forces)
    return problem, [
        replace(each, energies=each.energies - below.energies.of_molecule(idx), forces=_forces(each) - forces[idx])
        for idx, each in enumerate(molecules)
    ]


def _forces(molecule: ReferenceMolecule) -> np.ndarray:
    if molecule.forces is None:
        raise SystemExit(f"{molecule.smiles} comes without forces: the benchmark compares rows of forces, too")
    return molecule.forces
