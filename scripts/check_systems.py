#!/usr/bin/env python3
"""Compare what ffshare assigns with OpenMM Systems that the first SMIRNOFF engine wrote, without RDKit.

    python scripts/check_systems.py [--json]

See `tests.exactness.systems`. What that engine read in another way than RDKit is corrected step by step; after the last
step every System should agree. The exit status is 1 if one does not.
"""

import argparse
import json
import sys
import tempfile
import time
from collections.abc import Iterator
from pathlib import Path
from typing import Any

sys.path.insert(0, str(Path(__file__).resolve().parents[1]))  # the comparison lives beside its tests

from tests.exactness.systems import CORRECTIONS, compare_systems

SHOWN = 20


def steps(folder: Path) -> Iterator[dict[str, Any]]:
    """The comparison with no correction, one, two, …"""
    for count in range(len(CORRECTIONS) + 1):
        start = time.monotonic()
        found = compare_systems(folder, CORRECTIONS[:count])
        print(f"step {count + 1} of {len(CORRECTIONS) + 1}: {time.monotonic() - start:.1f} s", file=sys.stderr)
        yield {
            "corrections": list(CORRECTIONS[:count]),
            "systems": found.systems,
            "agreeing": found.systems - len(found.differences),
            "terms": found.terms,
            "differences": sum(map(len, found.differences.values())),
            "first_differences": [str(terms[0]) for terms in found.differences.values()][:SHOWN],
        }


def main() -> int:
    """Print the steps; 1 if a System still differs after the last."""
    parser = argparse.ArgumentParser(description="Parameters of ffshare against Systems of the first SMIRNOFF engine.")
    parser.add_argument("--json", action="store_true")
    arguments = parser.parse_args()
    found = []
    with tempfile.TemporaryDirectory() as folder:
        for step in steps(Path(folder)):
            found.append(step)
            if not arguments.json:
                print(f"corrected: {', '.join(step['corrections']) or 'nothing'}")
                print(f"  {step['agreeing']} of {step['systems']} Systems agree")
                print(f"  {step['differences']} of {step['terms']} terms differ")
                print(*(f"    {line}" for line in step["first_differences"]), sep="\n", flush=True)
    if arguments.json:
        print(json.dumps(found, indent=1))
    return int(found[-1]["differences"] > 0)


if __name__ == "__main__":
    raise SystemExit(main())
