#!/usr/bin/env python3
"""Compare the labels of ffshare with those of openff-toolkit, term by term, on real molecules.

    python scripts/check_labels.py [--set NAME ...] [--force-field NAME ...] [--sample N] [--seed S] [--workers N]
                                   [--json]

Every term of every section counts: its atoms, the id of its rule and the SMIRKS. The sets are those of
`tests.exactness.molecule_sets`. The labels of `shipped` were made on another machine and are read, not made again; of
`pubchem` 500 molecules are taken unless --sample says otherwise; ff14SB is compared on `peptides`. Results go to
standard output as they come, progress to standard error; the exit status is 1 if anything differs.
"""

import argparse
import json
import random
import sys
import tempfile
import time
from collections.abc import Iterator
from itertools import chain, islice
from pathlib import Path
from typing import Any, NamedTuple

sys.path.insert(0, str(Path(__file__).resolve().parents[1]))  # the comparison lives beside its tests

from ffshare.parallel import map_chunks
from tests.exactness.labels import FF14SB, FORCE_FIELDS, Comparison, compare_piece, pieces
from tests.exactness.molecule_sets import BESIDE_THE_PROJECT, SETS, data_beside_the_project, sampled
from tests.exactness.reading import read_both
from tests.exactness.shipped_labels import SHIPPED, compare_shipped

PUBCHEM_SAMPLE = 500
SHOWN = 5
ROW = "{force_field:32} {set:14} {molecules:>9} {terms:>9} {differences:>11}"


class Job(NamedTuple):
    """One row of the table: a force field on a set."""

    force_field: str
    set: str
    path: Path


def row(job: Job, found: Comparison) -> dict[str, Any]:
    """One force field on one set, as it is printed."""
    reading = read_both(job.path)
    differences = (*(f"reading: {fault}" for fault in reading.faults), *found.differences)
    return {
        "force_field": job.force_field,
        "set": job.set,
        "molecules": len(reading.theirs),
        "terms": found.terms,
        "differences": len(differences),
        "first_differences": list(differences[:SHOWN]),
    }


def rows(jobs: list[Job], workers: int) -> Iterator[dict[str, Any]]:
    """The comparison of every job, in their order."""
    live = {job: pieces(job.path, (job.force_field,)) for job in jobs if job.set != "shipped"}
    start, n_done, n_all = time.monotonic(), 0, sum(map(len, live.values()))
    results = map_chunks(compare_piece, chain.from_iterable(live.values()), workers=workers)
    for job in jobs:
        found = Comparison(terms=0, differences=())
        if job.set == "shipped":
            found = compare_shipped(job.force_field, job.path)
        for part in islice(results, len(live.get(job, ()))):
            found += part
            n_done += 1
            seconds = time.monotonic() - start
            print(f"{job.force_field} {job.set}: {n_done} of {n_all} pieces, {seconds:.0f} s", file=sys.stderr)
        yield row(job, found)


def planned(arguments: argparse.Namespace, folder: Path) -> Iterator[Job]:
    """The force fields and sets that are asked for."""
    for name in arguments.set:
        if name in BESIDE_THE_PROJECT and not data_beside_the_project().is_dir():
            print(f"{name}: left out, there is no {data_beside_the_project()}", file=sys.stderr)
            continue
        path = SETS[name](folder)
        size = arguments.sample or (PUBCHEM_SAMPLE if name == "pubchem" else 0)
        if size and name != "shipped":
            path = sampled(path, size, random.Random(arguments.seed), folder)
        usual = {"peptides": (FF14SB,), "shipped": tuple(SHIPPED)}.get(name, FORCE_FIELDS)
        for force_field in usual if arguments.force_field is None else arguments.force_field:
            if name != "shipped" or force_field in SHIPPED:
                yield Job(force_field, name, path)


def main() -> int:
    """Print the comparison; 1 if anything differs."""
    parser = argparse.ArgumentParser(description="Labels of ffshare against those of openff-toolkit.")
    parser.add_argument("--set", nargs="+", choices=sorted(SETS), default=list(SETS), metavar="NAME")
    parser.add_argument(
        "--force-field", nargs="+", metavar="NAME", help="by default the six that are released, and ff14SB"
    )
    parser.add_argument("--sample", type=int, default=0, metavar="N", help="molecules of each set, 0 for all")
    parser.add_argument("--seed", type=int, default=0)
    parser.add_argument("--workers", type=int, default=2)
    parser.add_argument("--json", action="store_true")
    arguments = parser.parse_args()
    found = []
    with tempfile.TemporaryDirectory() as folder:
        jobs = list(planned(arguments, Path(folder)))
        if not arguments.json:
            print(
                ROW.format(
                    force_field="force field",
                    set="set",
                    molecules="molecules",
                    terms="terms",
                    differences="differences",
                )
            )
        for one in rows(jobs, arguments.workers):
            found.append(one)
            if not arguments.json:
                print(ROW.format(**one), *one["first_differences"], sep="\n    ", flush=True)
    if arguments.json:
        print(json.dumps(found, indent=1))
    return int(any(one["differences"] for one in found))


if __name__ == "__main__":
    raise SystemExit(main())
