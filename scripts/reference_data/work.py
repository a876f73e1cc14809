"""Tasks done in several processes; each leaves its part, which appears whole or not at all."""

import os
import secrets
import time
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path

import numpy as np

from ffshare.errors import MoleculeError
from ffshare.fit import ReferenceData, write_reference
from ffshare.molecules import silenced
from ffshare.parallel import map_chunks
from reference_data.progress import clock, say
from reference_data.tasks import Task

DECIMALS = 6


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
            molecule, minimum = task.method.conformers(task)
    except (MoleculeError, RuntimeError, ValueError, ArithmeticError) as error:
        failure = f"{task.name} {task.smiles}: {error}"
        replace_text(task.failure, failure)
        return Outcome(task=task, n_conformers=0, seconds=time.perf_counter() - start, failure=failure)
    if minimum is not None:
        temporary = task.part.with_name(f".{task.part.stem}.{secrets.token_hex(4)}.npz")
        np.savez_compressed(temporary, smiles=molecule.smiles, coords=minimum.coords, hessian=minimum.hessian)
        os.replace(temporary, task.minimum)
    seconds = time.perf_counter() - start
    # Last, since its being there says that the task is done.
    data = ReferenceData(molecules=(molecule,), level=molecule.level, source=task.name)
    write_reference(data, task.part, decimals=DECIMALS, details={"seconds": seconds})
    return Outcome(task=task, n_conformers=molecule.n_conformers, seconds=seconds)


def replace_text(path: Path, text: str) -> None:
    """Write a file that appears whole or not at all."""
    temporary = path.with_name(f".{path.name}.{secrets.token_hex(4)}")
    temporary.write_text(text + "\n", encoding="utf-8")
    os.replace(temporary, path)


def run(tasks: Sequence[Task], workers: int) -> None:
    """Do the tasks that have no part yet, the longest first, and say how far it is."""
    left = [task for task in tasks if not task.part.exists() and not task.failure.exists()]
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
