"""Makes rules/alkethoh-smirks.toml from the offxml that openff-toolkit installs.

python scripts/make_alkethoh_rules.py [OUTPUT]
"""

import sys
from pathlib import Path

from ffshare.rules import load_force_field, write_toml

SOURCE = "Frosst_AlkEthOH_parmAtFrosst.offxml"
OUTPUT = Path(__file__).parent.parent / "rules" / "alkethoh-smirks.toml"

HEADER = """AlkEthOH as SMIRKS: parm@Frosst for alkanes, ethers and alcohols, written as direct chemical perception.

The same force field exists as 8 atom types with 99 numbers; this file says it with 71. It reproduces the
atom-typed one term by term, its slips included (t0013 to t0015). AMBER writes k(x-x0)^2 for bonds and angles;
here it is k/2(x-x0)^2, so these k are twice AMBER's.

Made by scripts/make_alkethoh_rules.py. Do not edit: change the script.
"""

METADATA = {
    "name": "alkethoh-smirks",
    "author": "C. I. Bayly, OpenEye Scientific Software (2018-07-14)",
    "source": f"https://github.com/openforcefield/openff-toolkit, openff/toolkit/data/test_forcefields/{SOURCE}",
    "license": "MIT (openff-toolkit)",
}


def main(output: Path = OUTPUT) -> None:
    """Write the file."""
    write_toml(load_force_field(SOURCE), output, header=HEADER, metadata=METADATA)


if __name__ == "__main__":
    main(*map(Path, sys.argv[1:2]))
