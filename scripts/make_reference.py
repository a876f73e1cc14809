#!/usr/bin/env python3
"""Make reference data with real quantum chemistry: energies and forces of many conformers of small molecules.

    python scripts/make_reference.py gfn2 --output reference/gfn2.parquet --hessians reference/gfn2-hessians.parquet
    python scripts/make_reference.py b3lyp --geometries reference/gfn2.parquet --output reference/b3lyp.parquet
    python scripts/make_reference.py charges reference/gfn2.parquet --output reference/gfn2.parquet

Stop it at any moment and start it again: each finished molecule is a file in the folder of parts (`--parts`, by default
beside the output), which appears whole or not at all, and is not done again. Parts carry the settings and versions that
made them in their name, so other settings never mix. Lines with the time that is left go to standard error.

**gfn2**: GFN2-xTB by tblite, for the molecules of molecules/reference.smi: relaxed conformers, displacements and turned
bonds (`reference_data/gfn2.py`).

**b3lyp**: B3LYP-D3BJ/DZVP by PySCF, at `--conformers` geometries of the GFN2 data of `--molecules` small molecules
(`reference_data/b3lyp.py`). Five are timed first, and the total is printed before the work begins.

**charges**: NAGL charges for the molecules of a table that is there, written into its column `charges`.

Conformers in which atoms nearly touch are left out where the parts are joined (`reference_data/contacts.py`). Results
are written as ffshare's reference table, coordinates rounded to 1e-6 Å, energies and forces to 1e-6 kcal/mol (/Å).
Energies are relative to the lowest conformer of their molecule: total energies would lose up to 0.03 kcal/mol in
programs that read tables in single precision. Needs tblite, or pyscf and pyscf-dispersion: pip install "ffshare[qm]";
charges need "ffshare[openff,nagl]".
"""

import os

for _name in ("OMP_NUM_THREADS", "OPENBLAS_NUM_THREADS", "MKL_NUM_THREADS"):
    os.environ.setdefault(_name, "1")

import argparse
import importlib.metadata
from collections.abc import Sequence
from pathlib import Path

from reference_data.b3lyp import B3LYP, TIMED, b3lyp_tasks, time_some
from reference_data.charges import with_charges
from reference_data.gathering import Gathered, gather
from reference_data.gfn2 import GFN2, gfn2_tasks
from reference_data.progress import say
from reference_data.tasks import Method, Task
from reference_data.work import run

from ffshare.data_files import data_directory
from ffshare.errors import FfshareError
from ffshare.fit import read_reference

METHODS = {"gfn2": GFN2, "b3lyp": B3LYP}


def parsed(words: Sequence[str] | None = None) -> argparse.Namespace:
    """The command line."""
    parser = argparse.ArgumentParser(description="Reference data by quantum chemistry; see the head of the script.")
    methods = parser.add_subparsers(dest="method", required=True)
    gfn2 = methods.add_parser("gfn2", help="GFN2-xTB by tblite")
    gfn2.add_argument("--molecules", dest="source", type=Path, default=data_directory("molecules") / "reference.smi")
    gfn2.add_argument("--first", type=int, metavar="N", help="only the first N molecules, to try it out")
    gfn2.add_argument("--hessians", type=Path, metavar="FILE", help="write the Hessian of each minimum, too")
    b3lyp = methods.add_parser("b3lyp", help="B3LYP-D3BJ/DZVP by PySCF")
    b3lyp.add_argument("--geometries", dest="source", type=Path, required=True, help="the table that gfn2 has written")
    b3lyp.add_argument("--molecules", type=int, default=65, help="molecules to take")
    b3lyp.add_argument("--conformers", type=int, default=5, help="conformers of each")
    charges = methods.add_parser("charges", help="NAGL charges for a table")
    charges.add_argument("table", type=Path, help="the table; --output may name it again")
    for one in (gfn2, b3lyp, charges):
        one.add_argument("--output", type=Path, required=True, metavar="FILE", help="a name that ends in .parquet")
    for one in (gfn2, b3lyp):
        one.add_argument("--parts", type=Path, metavar="FOLDER", help="where parts are kept; by default FILE.parts")
        one.add_argument("--workers", type=int, default=1, help="processes")
        one.add_argument("--again", action="store_true", help="try molecules again that failed before")
    return parser.parse_args(words)


def tasks_of(arguments: argparse.Namespace, method: Method) -> list[Task]:
    """What a command asks for."""
    parts = arguments.parts or arguments.output.with_suffix(".parts")
    parts.mkdir(parents=True, exist_ok=True)
    if arguments.method == "gfn2":
        return gfn2_tasks(method, arguments.source, arguments.first, parts)
    data = read_reference(arguments.source)
    return b3lyp_tasks(method, data, arguments.molecules, arguments.conformers, parts)


def make(arguments: argparse.Namespace) -> None:
    """Do the quantum chemistry that is not done yet, and join all of it to a table."""
    method = METHODS[arguments.method]
    for library in method.libraries:
        importlib.metadata.version(library)
    tasks = tasks_of(arguments, method)
    if arguments.again:
        for task in tasks:
            task.failure.unlink(missing_ok=True)
    if arguments.method == "b3lyp" and sum(task.part.exists() for task in tasks) < TIMED:
        time_some(tasks, arguments.workers)
    run(tasks, arguments.workers)
    hessians = arguments.hessians if arguments.method == "gfn2" else None
    gather(
        method,
        tasks,
        Gathered(script=Path(__file__), source=arguments.source, output=arguments.output, hessians=hessians),
    )


def main(words: Sequence[str] | None = None) -> int:
    """Run a command; 0 where it went well."""
    arguments = parsed(words)
    try:
        if arguments.method == "charges":
            with_charges(arguments.table, arguments.output)
        else:
            make(arguments)
    except importlib.metadata.PackageNotFoundError as error:
        say(f'{error.name} is not installed; run: pip install "ffshare[qm]"')
        return 1
    except FfshareError as error:
        say(str(error))
        return 1
    return 0


if __name__ == "__main__":
    raise SystemExit(main())
