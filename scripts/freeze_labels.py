#!/usr/bin/env python3
"""Write tests/exactness/frozen/*.json: checksums of the labels that openff-toolkit gives real molecules.

    python scripts/freeze_labels.py [--set NAME ...] [--workers N]

Run it when the pinned openff-toolkit, openforcefields or RDKit change, and say in the commit what changed in the files.
"""

import argparse
import sys
import tempfile
from itertools import chain, islice
from pathlib import Path

sys.path.insert(0, str(Path(__file__).resolve().parents[1]))  # the comparison lives beside its tests

from ffshare.parallel import map_chunks
from tests.exactness import frozen
from tests.exactness.labels import FF14SB, FORCE_FIELDS, Label, Piece, pieces, toolkit_force_field, toolkit_labels
from tests.exactness.molecule_sets import SETS
from tests.exactness.reading import read_both

WHAT = [
    *((force_field, molecules) for molecules in ("minidrugbank", "freesolv", "others") for force_field in FORCE_FIELDS),
    (FF14SB, "peptides"),
]


def labels_of(piece: Piece) -> list[tuple[str, list[Label]]]:
    """The labels of some molecules by openff-toolkit, each with the molecule's name."""
    force_field = toolkit_force_field(*piece.force_fields)
    molecules = [read_both(piece.path).theirs[idx] for idx in piece.molecules]
    return [(molecule.name, toolkit_labels(force_field, molecule)) for molecule in molecules]


def main() -> None:
    parser = argparse.ArgumentParser(description="Freeze the labels of openff-toolkit.")
    parser.add_argument("--workers", type=int, default=2)
    parser.add_argument("--set", nargs="+", choices=sorted({molecules for _, molecules in WHAT}), metavar="NAME")
    arguments = parser.parse_args()
    wanted = [(force_field, molecules) for force_field, molecules in WHAT if molecules in (arguments.set or SETS)]
    with tempfile.TemporaryDirectory() as folder:
        files = {molecules: SETS[molecules](Path(folder)) for _, molecules in wanted}
        work = [pieces(files[molecules], (force_field,)) for force_field, molecules in wanted]
        results = map_chunks(labels_of, chain.from_iterable(work), workers=arguments.workers)
        for (force_field, molecules), parts in zip(wanted, work, strict=True):
            labels = dict(chain.from_iterable(islice(results, len(parts))))
            written = frozen.write(force_field, molecules, labels)
            print(f"{written.name}: {len(labels)} molecules, {sum(map(len, labels.values()))} terms", file=sys.stderr)


if __name__ == "__main__":
    main()
