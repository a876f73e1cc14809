"""How fast molecules are labelled, in ratios within one run on the same molecules.

    python scripts/bench_assign.py [MOLECULES] [--scheme openff-2.3.0] [--rounds 5] [--memory-molecules 200000] [--json
    FILE]

Prints a table, and JSON with the keys `assign_over_read`, `speedup_over_toolkit`, `speedup_over_compiled_loop`,
`speedup_two_processes`, `peak_memory_mb`, `fallback_patterns`, `fallback_time`, and of the other schemes (see
``bench_schemes.py``) `schemes_over_read`, `gaff2_over_read` and `gaff2_speedup_over_antechamber`. One core, one thread,
except where it says two processes. Every ratio compares rounds that were run in turn, and takes the median.

* read: SMILES parse, sanitize, MDL aromaticity, AddHs, by plain RDKit calls.
* assign: arrays from the RDKit molecules that ffshare reads (implied hydrogens are appended in the arrays), matching,
deciding; the engine
  has seen one round before (`assign_over_read_cold`: it has not, and compiling is not counted).
* toolkit: `Molecule.from_smiles` + `ForceField.label_molecules`.
* compiled loop: read, then `GetSubstructMatches` for every rule, SMARTS parsed once, the last match wins.
"""

import os

for _name in ("OMP_NUM_THREADS", "OPENBLAS_NUM_THREADS", "MKL_NUM_THREADS"):
    os.environ.setdefault(_name, "1")

import argparse
import importlib
import json
import statistics
import subprocess
import sys
import tempfile
import time
import warnings
from collections.abc import Callable, Iterator
from pathlib import Path

from bench_schemes import scheme_figures
from rdkit import Chem
from rdkit.Chem import rdchem

import ffshare
from ffshare.assign import SmirnoffScheme
from ffshare.assign import charges as assign_charges
from ffshare.molecules import GraphBatch, batch_of_entries, chunked, from_smiles, molecule_from_smiles, read_entries
from ffshare.parallel import map_chunks

ROOT = Path(__file__).resolve().parent.parent
SANITIZE = Chem.SANITIZE_ALL ^ Chem.SANITIZE_ADJUSTHS ^ Chem.SANITIZE_SETAROMATICITY
BATCH = 1000
# The package exports a function of the same name, so the module is asked for by its full name.
smirks_match = importlib.import_module("ffshare.smirks.match")


def seconds(action: Callable[[], object]) -> float:
    start = time.perf_counter()
    action()
    return time.perf_counter() - start


def rdkit_read(smiles: list[str]) -> list[Chem.Mol]:
    molecules = []
    for text in smiles:
        molecule = Chem.MolFromSmiles(text, sanitize=False)
        Chem.SanitizeMol(molecule, SANITIZE)
        Chem.SetAromaticity(molecule, Chem.AromaticityModel.AROMATICITY_MDL)
        molecules.append(Chem.AddHs(molecule))
    return molecules


def batches(items: list[str]) -> Iterator[list[str]]:
    return (items[start : start + BATCH] for start in range(0, len(items), BATCH))


def assign_molecules(scheme: SmirnoffScheme, molecules: list[Chem.Mol]) -> None:
    for start in range(0, len(molecules), BATCH):
        scheme.assign(GraphBatch.from_molecules(molecules[start : start + BATCH]))


def label_smiles(scheme: SmirnoffScheme, smiles: list[str]) -> None:
    for part in batches(smiles):
        scheme.assign(from_smiles(*part))


def compiled_loop(rules: dict[str, list[tuple[rdchem.Mol, list[int]]]], smiles: list[str]) -> None:
    """Label by a loop over SMARTS parsed once: the last match of a canonical key wins."""
    for molecule in rdkit_read(smiles):
        for section, patterns in rules.items():
            labels: dict[tuple[int, ...], int] = {}
            for rule, (query, tagged) in enumerate(patterns):
                for match in molecule.GetSubstructMatches(
                    query, uniquify=False, useChirality=True, maxMatches=2**31 - 1
                ):
                    key = tuple(match[atom] for atom in tagged)
                    if section == "ImproperTorsions":
                        first, second, third = sorted((key[0], key[2], key[3]))
                        key = (first, key[1], second, third)
                    elif key[0] > key[-1]:
                        key = key[::-1]
                    labels[key] = rule


def toolkit_labels(name: str, smiles: list[str]) -> Callable[[], object]:
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")
        from openff.toolkit import ForceField, Molecule

        force_field = ForceField(f"{name}.offxml")

        def label() -> None:
            for text in smiles:
                molecule = Molecule.from_smiles(text, allow_undefined_stereo=True)
                force_field.label_molecules(molecule.to_topology())

        label()  # imports and caches are not what is measured
    return label


def fallback_share(scheme: SmirnoffScheme, molecules: list[Chem.Mol]) -> float:
    """The share of the time of assignment that RDKit's matcher takes."""
    spent = 0.0
    original = smirks_match.by_rdkit

    def timed(*args: object) -> object:
        nonlocal spent
        start = time.perf_counter()
        try:
            return original(*args)
        finally:
            spent += time.perf_counter() - start

    smirks_match.by_rdkit = assign_charges.by_rdkit = timed
    try:
        total = seconds(lambda: assign_molecules(scheme, molecules))
    finally:
        smirks_match.by_rdkit = assign_charges.by_rdkit = original
    return spent / total


class LabelChunk:
    """Label a chunk of entries and forget the labels: the work of the comparison of one and two processes."""

    def __init__(self, scheme: SmirnoffScheme) -> None:
        self.scheme = scheme

    def __call__(self, entries: list) -> int:
        batch = batch_of_entries(entries)
        self.scheme.assign(batch)
        return batch.n_molecules


def steady_rate(scheme: SmirnoffScheme, path: Path, workers: int) -> float:
    """Molecules a second with some workers, from the eighth chunk on: starting processes is not counted."""
    results = map_chunks(LabelChunk(scheme), chunked(read_entries([path]), BATCH), workers=workers)
    for _ in range(8):
        next(results)
    start = time.perf_counter()
    return sum(results) / (time.perf_counter() - start)


def peak_memory(path: Path, scheme: str, out: Path) -> tuple[float, float]:
    """Peak memory in MB, and the time in seconds, of labelling a file through the command line."""
    before = time.perf_counter()
    command = [sys.executable, "-m", "ffshare", "assign", str(path), "--scheme", scheme, "--out", str(out)]
    process = subprocess.Popen(command, stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL)
    _, status, usage = os.wait4(process.pid, 0)
    if status:
        raise SystemExit(f"{' '.join(command)} failed with status {status}")
    scale = 1024 if sys.platform == "darwin" else 1
    return usage.ru_maxrss / scale / 1024, time.perf_counter() - before


def write_library(smiles: list[str], count: int, path: Path) -> None:
    with open(path, "w") as stream:
        for idx in range(count):
            stream.write(f"{smiles[idx % len(smiles)]}\tmol-{idx:06d}\n")


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("molecules", nargs="?", default=str(ROOT / "molecules" / "drugs.smi"))
    parser.add_argument("--scheme", default="openff-2.3.0")
    parser.add_argument("--rounds", type=int, default=5)
    parser.add_argument("--toolkit-molecules", type=int, default=40)
    parser.add_argument("--antechamber-molecules", type=int, default=50)
    parser.add_argument("--memory-molecules", type=int, default=200_000, help="0 leaves the memory run out")
    parser.add_argument("--json", type=Path, help="also write the numbers to this file")
    options = parser.parse_args()

    smiles = [entry.text for entry in read_entries([options.molecules]) if hasattr(entry, "text")]
    while len(smiles) < 4 * BATCH:
        smiles = smiles + smiles
    smiles = smiles[: 4 * BATCH]
    scheme = ffshare.load_scheme(options.scheme)
    if not isinstance(scheme, SmirnoffScheme):
        parser.error(f"--scheme takes SMIRNOFF rules; {options.scheme} is timed beside them in every run")
    molecules = [molecule_from_smiles(text) for text in smiles]
    explicit = rdkit_read(smiles)
    cold = seconds(lambda: assign_molecules(scheme, molecules))
    label_smiles(scheme, smiles)
    rules = {
        section: [(pattern.query, list(pattern.tagged)) for pattern in patterns]
        for section, patterns in scheme.patterns.items()
    }
    part = smiles[:100]
    few = sorted(set(smiles), key=smiles.index)[: options.toolkit_molecules]
    toolkit = toolkit_labels(options.scheme, few)
    rounds = [
        {
            "read": seconds(lambda: rdkit_read(smiles)) / len(smiles),
            "own_read": seconds(lambda: [molecule_from_smiles(text) for text in smiles]) / len(smiles),
            "arrays": seconds(
                lambda: [GraphBatch.from_molecules(molecules[i : i + BATCH]) for i in range(0, len(molecules), BATCH)]
            )
            / len(smiles),
            "assign": seconds(lambda: assign_molecules(scheme, molecules)) / len(smiles),
            "assign_explicit": seconds(lambda: assign_molecules(scheme, explicit)) / len(smiles),
            "label": seconds(lambda: label_smiles(scheme, smiles)) / len(smiles),
            "loop": seconds(lambda: compiled_loop(rules, part)) / len(part),
            "label_part": seconds(lambda: label_smiles(scheme, part * 10)) / len(part * 10),
            "toolkit": seconds(toolkit) / len(few),
            "label_few": seconds(lambda: label_smiles(scheme, few * 12)) / len(few * 12),
        }
        for _ in range(options.rounds)
    ]

    def ratio(above: str, below: str) -> float:
        return statistics.median(one[above] / one[below] for one in rounds)

    patterns = [pattern for section in scheme.patterns.values() for pattern in section]
    result: dict[str, object] = {
        "scheme": options.scheme,
        "molecules": Path(options.molecules).name,
        "rounds": options.rounds,
        "assign_over_read": ratio("assign", "read"),
        "assign_over_read_explicit_hydrogens": ratio("assign_explicit", "read"),
        "assign_over_read_cold": cold / len(smiles) / statistics.median(one["read"] for one in rounds),
        "arrays_over_read": ratio("arrays", "read"),
        "speedup_over_toolkit": ratio("toolkit", "label_few"),
        "speedup_over_compiled_loop": ratio("loop", "label_part"),
        "fallback_patterns": sum(not pattern.exact for pattern in patterns) / len(patterns),
        "fallback_time": fallback_share(scheme, molecules),
        "milliseconds_per_molecule": {key: 1e3 * statistics.median(one[key] for one in rounds) for key in rounds[0]},
    }
    result |= scheme_figures(
        molecules, lambda: rdkit_read(smiles), options.rounds, min(options.antechamber_molecules, len(set(smiles)))
    )
    with tempfile.TemporaryDirectory() as folder:
        library = Path(folder) / "library.smi"
        write_library(smiles, 60_000, library)
        rates = [(steady_rate(scheme, library, 1), steady_rate(scheme, library, 2)) for _ in range(2)]
        result["speedup_two_processes"] = statistics.median(two / one for one, two in rates)
        if options.memory_molecules:
            write_library(smiles, options.memory_molecules, library)
            memory, duration = peak_memory(library, options.scheme, Path(folder) / "labels.parquet")
            result["peak_memory_mb"] = memory
            result["memory_molecules"] = options.memory_molecules
            result["command_line_molecules_per_second"] = options.memory_molecules / duration
    for key, value in result.items():
        if isinstance(value, dict):
            print(key)
            for name, number in value.items():
                print(f"  {name:<38} {number:.4f}")
        else:
            print(f"{key:<40} {value:.4g}" if isinstance(value, float) else f"{key:<40} {value}")
    print(json.dumps(result))
    if options.json:
        options.json.write_text(json.dumps(result, indent=1) + "\n")


if __name__ == "__main__":
    main()
