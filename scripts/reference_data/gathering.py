"""Parts joined to one table, the failures beside it, and the Hessians if they are asked for."""

import csv
import importlib.metadata
import json
import os
import platform
import secrets
from collections.abc import Sequence
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any

import numpy as np
import pyarrow as pa
import pyarrow.parquet as pq

from ffshare.data_files import checksum
from ffshare.errors import FfshareError
from ffshare.fit import ReferenceData, read_reference, write_reference
from ffshare.fit.reference import canonical_smiles
from ffshare.molecules import from_smiles
from reference_data.contacts import NEAREST, in_contact
from reference_data.progress import say
from reference_data.tasks import Method, Task
from reference_data.work import DECIMALS


@dataclass(frozen=True)
class Gathered:
    """What is written beside the data: what made them."""

    script: Path
    source: Path
    """The file that the tasks were made of."""
    output: Path
    hessians: Path | None = None


def versions(libraries: Sequence[str]) -> dict[str, str]:
    """Versions of Python and of what made the data."""
    names = ("ffshare", "rdkit", "numpy", "scipy", *libraries)
    return {"python": platform.python_version(), **{name: importlib.metadata.version(name) for name in names}}


def gather(method: Method, tasks: Sequence[Task], to: Gathered) -> None:
    """Write the conformers of all parts in which no atoms nearly touch."""
    parts = [task.part for task in tasks if task.part.exists()]
    if not parts:
        raise FfshareError("no molecule gave anything; see the lines above")
    read = read_reference(*parts)
    failed = [task.failure.read_text(encoding="utf-8").strip() for task in tasks if not task.part.exists()]
    failed += [f"{failure.text}: {failure.reason}" for failure in read.failures]
    molecules, n_touching = [], []
    for one in read.molecules:
        touching = in_contact(from_smiles(one.smiles), one.coords)
        if touching.any():
            n_touching.append(int(touching.sum()))
            what = f"{touching.sum()} of {one.n_conformers} conformers left out: atoms nearly touch"
            failed.append(f"{canonical_smiles(one.smiles)}: {what}")
        if not touching.all():
            kept = one.part(~touching)
            molecules.append(replace(kept, energies=kept.energies - kept.energies.min()))
    made_by = {
        "settings": dict(method.settings),
        "versions": versions(method.libraries),
        "input": {to.source.name: checksum(to.source)},
        "script": to.script.name,
        "zero_of_energy": "lowest conformer of each molecule",
    }
    contacts = {"nearest": NEAREST, "conformers_left_out": sum(n_touching), "molecules_concerned": len(n_touching)}
    data = ReferenceData(molecules=tuple(molecules), level=read.level, source=f"scripts/{to.script.name} {method.name}")
    to.output.parent.mkdir(parents=True, exist_ok=True)
    write_reference(data, to.output, decimals=DECIMALS, details={**made_by, "contacts": contacts})
    with to.output.with_suffix(".failures.csv").open("w", encoding="utf-8", newline="") as stream:
        csv.writer(stream, lineterminator="\n").writerows([["failure"], *([line] for line in failed)])
    spreads = [float(np.ptp(molecule.energies)) for molecule in data.molecules]
    say(
        f"{to.output}: {data!r}, {to.output.stat().st_size / 1e6:.1f} MB; energies of a molecule spread over "
        f"{np.median(spreads):.1f} kcal/mol in the median, {max(spreads):.1f} at most; {sum(n_touching)} conformers of "
        f"{len(n_touching)} molecules left out since atoms nearly touch; {len(failed)} lines of failures"
    )
    if to.hessians is not None:
        minima = [task.minimum for task in tasks if task.part.exists()]
        write_hessians(minima, to.hessians, {"level": method.level, **made_by})
        say(f"{to.hessians}: {to.hessians.stat().st_size / 1e6:.1f} MB")


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
    metadata = {"ffshare": json.dumps(details)}
    temporary = path.with_name(f".{path.name}.{secrets.token_hex(4)}.part")
    pq.write_table(table.replace_schema_metadata(metadata), temporary, compression="zstd", compression_level=9)
    os.replace(temporary, path)
