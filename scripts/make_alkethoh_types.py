#!/usr/bin/env python3
"""Write the parameter tables of rules/alkethoh-types/ from the frcmod file that openff-toolkit installs.

    python scripts/make_alkethoh_types.py [OUTPUT]

parm@Frosst for alkanes, ethers and alcohols in the language of atom types: 8 types with 99 numbers. The file has the
form of AMBER's parm*.dat, see ``scripts/make_gaff_tables.py``.
"""

import sys
from pathlib import Path

from make_gaff_tables import OUTPUT, read_parm, write_readme, write_tables
from openff.toolkit.utils import get_data_file_path

NAME = "alkethoh-types"
SOURCE = "test_forcefields/frcmod.Frosst_AlkEthOH_withIDs"


def main(output: Path = OUTPUT) -> None:
    """Write the folder."""
    source = Path(get_data_file_path(SOURCE))
    parm = read_parm(source)
    write_tables(parm, output / NAME)
    write_readme(
        parm,
        output / NAME,
        source,
        title="AlkEthOH as atom types (parm@Frosst)",
        source=f"https://github.com/openforcefield/openff-toolkit, openff/toolkit/data/{SOURCE}",
        origin="C. I. Bayly, OpenEye Scientific Software",
        licence="MIT (openff-toolkit).",
        script="make_alkethoh_types.py",
        formula="",
    )
    print(NAME, parm.counts())


if __name__ == "__main__":
    main(*map(Path, sys.argv[1:2]))
