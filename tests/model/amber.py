"""Energies by AmberTools: antechamber types a molecule, parmchk2 adds missing terms, tleap and sander do the rest.

Coordinates and charges are rounded to the digits that AMBER's files hold, and both programs get the rounded ones.
"""

import os
import re
import shutil
import subprocess
from pathlib import Path

import numpy as np

from tests.exactness.antechamber import mol_block

PROGRAMS = ("antechamber", "parmchk2", "tleap", "sander")
# The square root of sander's e²/(4π ε₀) [kcal Å/mol/e²].
ROOT_OF_COULOMB = 18.2223
COORDINATE_DIGITS, CHARGE_DIGITS = 7, 6

_MINIMIZE = """one step, so that the energy of the first geometry is printed
&cntrl imin=1, maxcyc=1, ntb=0, igb=6, cut=999.0, ntpr=1 /
"""
_LEAP = """source leaprc.{force_field}
loadamberparams m.frcmod
molecule = loadmol2 m.mol2
saveamberparm molecule m.prmtop m.inpcrd
quit
"""
_BY_ANALOGY = r"^((?:\S\S?\s*-){3}\S\S?) +[\d.]+( +180\.0 +2\.0 +Same as.*use general term.*)$"
# What sander prints of each energy.
_ENERGIES = {
    "Bonds": "BOND",
    "Angles": "ANGLE",
    "Torsions": "DIHED",
    "vdW": "VDWAALS",
    "1-4 vdW": "1-4 VDW",
    "Electrostatics": "EEL",
    "1-4 Electrostatics": "1-4 EEL",
}


def programs():
    """Where AmberTools' programs are, on the path or in $AMBERHOME/bin; None where one is missing."""
    folders = os.pathsep.join([os.environ.get("PATH", ""), str(Path(os.environ.get("AMBERHOME", "/nowhere")) / "bin")])
    found = {name: shutil.which(name, path=folders) for name in PROGRAMS}
    return None if None in found.values() else found


def topology(batch, idx, charges, force_field, folder):
    """Write the topology of a molecule to `m.prmtop` in a folder."""
    (folder / "m.sdf").write_text(f"{mol_block(batch.explicit_molecule(idx))}$$$$\n")
    (folder / "m.charges").write_text("\n".join(f"{charge:.{CHARGE_DIGITS}f}" for charge in charges) + "\n")
    _run(
        folder, "antechamber", f"-i m.sdf -fi sdf -o m.mol2 -fo mol2 -at {force_field} -c rc -cf m.charges -pf y -dr no"
    )
    _run(folder, "parmchk2", f"-i m.mol2 -f mol2 -o m.frcmod -s {force_field}")
    lines = (folder / "m.frcmod").read_text().splitlines()
    # Of an improper by analogy parmchk2 of AmberTools 26 gives another barrier from run to run, 1.1 or 10.5: what it
    # reads before it is set. The schemes take its default there.
    (folder / "m.frcmod").write_text("\n".join(re.sub(_BY_ANALOGY, r"\1         1.1\2", line) for line in lines) + "\n")
    (folder / "leap.in").write_text(_LEAP.format(force_field=force_field))
    _run(folder, "tleap", "-f leap.in")


def energies(positions, folder):
    """Energies of the molecule of `m.prmtop` [kcal/mol], by section, with four digits after the point."""
    numbers = [f"{value:12.7f}" for value in np.ravel(positions)]
    rows = ["".join(numbers[start : start + 6]) for start in range(0, len(numbers), 6)]
    (folder / "m.rst7").write_text("\n".join(["one conformer", f"{len(positions):5d}", *rows]) + "\n")
    (folder / "m.in").write_text(_MINIMIZE)
    _run(folder, "sander", "-O -i m.in -p m.prmtop -c m.rst7 -o m.out -r m.restart")
    printed = (folder / "m.out").read_text().split("NSTEP", 1)[1]
    found = {}
    for section, name in _ENERGIES.items():
        match = re.search(rf"(?<![-\w] ){re.escape(name)}\s*=\s*(-?[\d.]+)", printed)
        assert match, f"sander prints no {name}:\n{printed}"
        found[section] = float(match[1])
    return found


def _run(folder, program, arguments):
    done = subprocess.run(
        [programs()[program], *arguments.split()], cwd=folder, capture_output=True, text=True, timeout=120, check=False
    )
    assert done.returncode == 0, f"{program} {arguments}:\n{done.stdout}\n{done.stderr}"
