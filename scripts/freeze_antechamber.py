#!/usr/bin/env python3
"""Write tests/exactness/frozen/antechamber-*.json: the GAFF and GAFF2 types that AmberTools' antechamber gives.

    AMBERHOME=... python scripts/freeze_antechamber.py VERSION [--set NAME ...]

VERSION is that of the AmberTools in use, which the program itself does not tell. Run it when the shipped molecules, the
molecules of the installed openff-toolkit or AmberTools change, and say in the commit what changed in the files.
"""

import argparse
import json
import sys
from pathlib import Path

sys.path.insert(0, str(Path(__file__).resolve().parents[1]))  # the oracle lives beside its tests

from tests.exactness.antechamber import BATCHES, frozen_path, program, typed_live


def main() -> int:
    """Type the sets and write the files."""
    parser = argparse.ArgumentParser(description="Freeze the types of antechamber.")
    parser.add_argument("version", help="version of AmberTools, such as 26.0.0")
    parser.add_argument("--set", nargs="+", choices=sorted(BATCHES), default=sorted(BATCHES), metavar="NAME")
    arguments = parser.parse_args()
    antechamber = program()
    if antechamber is None:
        print("antechamber is neither on the path nor in $AMBERHOME/bin; install AmberTools first", file=sys.stderr)
        return 1
    for name in arguments.set:
        types = {
            one.name: {force_field: " ".join(found) for force_field, found in one.types.items()}
            for one in typed_live(BATCHES[name](), antechamber)
        }
        header = {"program": f"antechamber of AmberTools {arguments.version}", "set": name}
        frozen_path(name).write_text(json.dumps({**header, "types": types}, indent=0) + "\n")
        print(f"{frozen_path(name).name}: {len(types)} molecules", file=sys.stderr)
    return 0


if __name__ == "__main__":
    raise SystemExit(main())
