"""How fast the other schemes label, beside reading, RDKit's MMFF typing and antechamber. Part of ``bench_assign.py``.

All from the same RDKit molecules, in rounds run in turn; every ratio is the median over the rounds. antechamber,
without charges, is one process a molecule, as its users run it, on fewer molecules; it is left out where it is not
installed.
"""

import importlib
import statistics
import sys
import time
from collections.abc import Callable, Mapping
from pathlib import Path

from rdkit import Chem
from rdkit.Chem import rdForceFieldHelpers

import ffshare
from ffshare.assign import Scheme
from ffshare.molecules import GraphBatch

sys.path.insert(0, str(Path(__file__).resolve().parents[1]))  # antechamber is run as the tests run it

SCHEMES = ("gaff", "gaff2", "gaff2-antechamber", "mmff94", "untied", "hashed:gaff2", "hashed-element:openff-2.2.1")
BATCH = 1000


def scheme_figures(
    molecules: list[Chem.Mol], read: Callable[[], object], rounds: int, antechamber_molecules: int
) -> dict[str, object]:
    """Times and ratios of the schemes.

    Args:
        molecules: As ffshare reads them.
        read: Reads the same molecules by plain RDKit calls.
        rounds: Rounds to take the median of.
        antechamber_molecules: Molecules that antechamber types in each round.

    Returns:
        Figures by name: ratios to reading by scheme, and milliseconds a molecule.
    """
    schemes = {name: ffshare.load_scheme(name) for name in SCHEMES}
    explicit = [Chem.AddHs(molecule) for molecule in molecules]
    few = molecules[:antechamber_molecules]
    actions: dict[str, tuple[Callable[[], object], int]] = {"read": (read, len(molecules))}
    for name, scheme in schemes.items():
        _assign(scheme, molecules)  # what it learns about keys is not what is measured
        actions[name] = (_assigner(scheme, molecules), len(molecules))
    actions["RDKit MMFF typing"] = (
        lambda: [rdForceFieldHelpers.MMFFGetMoleculeProperties(molecule) for molecule in explicit],
        len(explicit),
    )
    antechamber = importlib.import_module("tests.exactness.antechamber")
    program = antechamber.program()
    if program is None:
        print("antechamber is not installed: left out", file=sys.stderr)
    else:
        blocks = [antechamber.mol_block(Chem.AddHs(molecule)) for molecule in few]
        actions["antechamber"] = (
            lambda: [antechamber.live_types(block, "gaff2", program) for block in blocks],
            len(few),
        )
        actions["gaff2 on the same"] = (
            _assigner(schemes["gaff2"], few * (BATCH // len(few))),
            BATCH // len(few) * len(few),
        )
    times = [{name: _seconds(action) / count for name, (action, count) in actions.items()} for _ in range(rounds)]
    figures: dict[str, object] = {
        "schemes_over_read": {name: _ratio(times, name, "read") for name in (*SCHEMES, "RDKit MMFF typing")},
        "schemes_milliseconds": {name: 1e3 * statistics.median(one[name] for one in times) for name in actions},
        "gaff2_over_read": _ratio(times, "gaff2", "read"),
    }
    if program is not None:
        figures["gaff2_speedup_over_antechamber"] = _ratio(times, "antechamber", "gaff2 on the same")
    return figures


def _assigner(scheme: Scheme, molecules: list[Chem.Mol]) -> Callable[[], object]:
    return lambda: _assign(scheme, molecules)


def _assign(scheme: Scheme, molecules: list[Chem.Mol]) -> None:
    for start in range(0, len(molecules), BATCH):
        scheme.assign(GraphBatch.from_molecules(molecules[start : start + BATCH]))


def _ratio(times: list[Mapping[str, float]], above: str, below: str) -> float:
    return statistics.median(one[above] / one[below] for one in times)


def _seconds(action: Callable[[], object]) -> float:
    start = time.perf_counter()
    action()
    return time.perf_counter() - start
