"""Conformers a second from coordinates to sums, and how memory grows with their number."""

import os
import resource
import statistics
import subprocess
import sys
import tempfile
from collections.abc import Sequence
from pathlib import Path

from ffshare.fit import FitProblem, ReferenceMolecule, gather
from ffshare.model import charges_by_name
from fit_bench.data import DISPLACEMENT, SHIPPED, assign, near_size, repeated, seconds

N_EACH = 100
"""Conformers of a record."""


def throughput(
    molecules: Sequence[ReferenceMolecule], scheme: str, n_conformers: int, rounds: int
) -> dict[str, object]:
    """Rates of `gather`, van der Waals and electrostatics of the background included.

    Args:
        molecules: Molecules of about 20 atoms.
        scheme: Its rules say what the sites are tied to, where they are.
        n_conformers: Conformers in all.
        rounds: Rounds to take the median of.

    Returns:
        Figures by name.
    """
    given = list(repeated(molecules, N_EACH, max(1, n_conformers // N_EACH)))
    assignment = assign(scheme, given)
    charges = charges_by_name(assignment, "gasteiger")
    problems = {tied: FitProblem.of(assignment, charges, tied=tied) for tied in (False, True)}
    found = {
        tied: [seconds(lambda tied=tied: gather(problems[tied], given)) for _ in range(rounds)] for tied in problems
    }
    rates = {tied: N_EACH * len(given) / statistics.median(times) for tied, times in found.items()}
    return {
        "conformers_per_second": rates[False],
        "hours_for_a_million": 1e6 / rates[False] / 3600.0,
        "conformers_per_second_one_scheme": rates[True],
        "hours_for_a_million_one_scheme": 1e6 / rates[True] / 3600.0,
        "throughput_data": (
            f"{len(given)} records of {N_EACH} conformers of {len(molecules)} shipped molecules of 19 to 21 atoms, "
            f"conformers used again with normal noise of {DISPLACEMENT} Å"
        ),
    }


def memory(path: Path, scheme: str, counts: Sequence[int]) -> dict[str, object]:
    """By how many MB `gather` into a folder grows, for some numbers of conformers, each in a process of its own."""
    found = {}
    for count in counts:
        command = [sys.executable, __file__, str(path), scheme, str(count)]
        environment = {**os.environ, "PYTHONPATH": str(Path(__file__).resolve().parents[1])}
        run = subprocess.run(command, check=True, capture_output=True, text=True, env=environment)
        found[str(count)] = float(run.stdout)
    return {
        "memory_growth_mb": found,
        "memory_growth_mb_from_first_to_last": found[str(counts[-1])] - found[str(counts[0])],
    }


def resident_mb() -> float:
    """Memory in use; where the system does not say, the most so far."""
    statm = Path("/proc/self/statm")
    if statm.exists():
        return int(statm.read_text().split()[1]) * resource.getpagesize() / 2**20
    return resource.getrusage(resource.RUSAGE_SELF).ru_maxrss / (2**20 if sys.platform == "darwin" else 2**10)


def growth(path: Path, scheme: str, n_conformers: int) -> float:
    """The most memory in use while data stream through `gather`, less what was in use before [MB]."""
    molecules = near_size(path, scheme=scheme)
    n_records = n_conformers // N_EACH
    assignment = assign(scheme, [molecules[idx % len(molecules)] for idx in range(n_records)])
    problem = FitProblem.of(assignment, charges_by_name(assignment, "gasteiger"), tied=False)
    before, most = resident_mb(), 0.0

    def look(_: int) -> None:
        nonlocal most
        most = max(most, resident_mb())

    with tempfile.TemporaryDirectory() as folder:
        gather(problem, repeated(molecules, N_EACH, n_records), folder, progress=look)
    return most - before


if __name__ == "__main__":
    print(growth(Path(sys.argv[1]) if len(sys.argv) > 1 else SHIPPED, sys.argv[2], int(sys.argv[3])))
