#!/usr/bin/env python3
"""Write the parameter tables of rules/gaff/ and rules/gaff2/ from the files of an installed AmberTools.

    python scripts/make_gaff_tables.py AMBERHOME [OUTPUT]

Reads ``dat/leap/parm/gaff.dat`` and ``gaff2.dat``, which AmberTools places in the public domain, and nothing else.
Every row of a file becomes one line of a CSV file, in the order of the file, with the digits that it prints there;
comments are left out. Settings, typing rules and the constants of the formulas do not come from here.

The form of the files: a title, then blocks with an empty line after each: masses, a line of hydrophilic types, bonds,
angles, propers, impropers, 10-12 pairs, equivalent types; then the line ``MOD4 RE``, radii and well depths, and
``END``. Names of types stand in columns of two characters with one between them.
"""

import csv
import hashlib
import sys
from collections.abc import Iterable, Iterator
from pathlib import Path
from typing import NamedTuple

OUTPUT = Path(__file__).parent.parent / "rules"
SYMBOLS = {
    "12.01": "C",
    "1.008": "H",
    "14.01": "N",
    "16.00": "O",
    "30.97": "P",
    "32.06": "S",
    "19.00": "F",
    "35.45": "Cl",
    "79.90": "Br",
    "126.9": "I",
}
HEADERS = {
    "types": ("type", "element", "mass", "meaning"),
    "bonds": ("types", "k", "length"),
    "angles": ("types", "k", "angle"),
    "propers": ("types", "divisor", "barrier", "phase", "periodicity"),
    "impropers": ("types", "barrier", "phase", "periodicity"),
    "vdw": ("type", "rmin_half", "epsilon"),
}

README = """# {title}: parameter tables

Source: `{source}`, {origin}, title line "{first_line}".
SHA-256 of the source file: `{checksum}`.
Licence: {licence}

Made by `scripts/{script}`. Do not edit the CSV files: run the script again.

One line a row of the source, in its order, with its digits; its comments are left out. Units and forms are AMBER's:

| file | columns | energy |
|---|---|---|
| `types.csv` | type, element, mass [g/mol], meaning | |
| `bonds.csv` | types, k [kcal/mol/Å²], length [Å] | k (r - length)² |
| `angles.csv` | types, k [kcal/mol/rad²], angle [degree] | k (θ - angle)² |
| `propers.csv` | types, divisor, barrier [kcal/mol], phase [degree], periodicity | barrier/divisor (1+cos(nφ-phase)) |
| `impropers.csv` | types (centre third), barrier [kcal/mol], phase [degree], periodicity | the same, divisor 1 |
| `vdw.csv` | type, rmin_half [Å], epsilon [kcal/mol] | Lennard-Jones 12-6, Lorentz-Berthelot |

`X` stands for any type. A negative periodicity says that the next line is a further term of the same torsion.

| types | bonds | angles | propers: types, terms | impropers | vdW | free numbers |
|---|---|---|---|---|---|---|
| {n_types} | {n_bonds} | {n_angles} | {n_propers}, {n_terms} | {n_impropers} | {n_vdw} | {n_free} |

A free number is one that a fit could move: k and length, k and angle, the barrier of each term, rmin_half and epsilon.

Not from the source: `settings.toml` (name, 1-4 scaling, centres of impropers), `typing.toml` (typing rules){formula}.
"""


class Parm(NamedTuple):
    """Rows of a parameter file, as text."""

    title: str
    types: list[list[str]]
    bonds: list[list[str]]
    angles: list[list[str]]
    propers: list[list[str]]
    impropers: list[list[str]]
    vdw: list[list[str]]

    def counts(self) -> dict[str, int]:
        """Numbers of rows, and of free numbers."""
        counts = {f"n_{name}": len(getattr(self, name)) for name in ("types", "bonds", "angles", "impropers", "vdw")}
        counts |= {"n_propers": len({row[0] for row in self.propers}), "n_terms": len(self.propers)}
        paired = len(self.bonds) + len(self.angles) + len(self.vdw)
        return {**counts, "n_free": 2 * paired + len(self.propers) + len(self.impropers)}


def read_parm(path: Path) -> Parm:
    """The rows of a file in the form of AMBER's parm*.dat."""
    lines = path.read_text(encoding="latin-1").split("\n")
    rest = iter(lines[1:])
    masses = list(_block(rest))
    next(rest)  # hydrophilic types
    blocks = [list(_block(rest)) for _ in range(4)]
    vdw = _block(line for line in rest if not line.startswith("END")) if _skip_to_radii(rest) else []
    return Parm(
        title=lines[0].strip(),
        types=list(_types(masses)),
        bonds=[_row(line, n_types=2, n_values=2) for line in blocks[0]],
        angles=[_row(line, n_types=3, n_values=2) for line in blocks[1]],
        propers=[_row(line, n_types=4, n_values=4) for line in blocks[2]],
        impropers=[_row(line, n_types=4, n_values=3) for line in blocks[3]],
        vdw=[line.split()[:3] for line in vdw],
    )


def write_tables(parm: Parm, folder: Path) -> None:
    """Write the CSV files of a force field."""
    folder.mkdir(parents=True, exist_ok=True)
    for name, header in HEADERS.items():
        with open(folder / f"{name}.csv", "w", newline="", encoding="utf-8") as stream:
            csv.writer(stream, lineterminator="\n").writerows([header, *getattr(parm, name)])


def write_readme(parm: Parm, folder: Path, path: Path, **texts: str) -> None:
    """Write what the tables are and where they come from."""
    values = {"first_line": parm.title, "checksum": hashlib.sha256(path.read_bytes()).hexdigest(), **parm.counts()}
    (folder / "README.md").write_text(README.format(**values, **texts), encoding="utf-8")


def _block(lines: Iterator[str]) -> Iterator[str]:
    """Lines up to the next empty one."""
    for line in lines:
        if not line.strip():
            return
        yield line


def _skip_to_radii(lines: Iterator[str]) -> bool:
    return any(line.startswith("MOD4") for line in lines)


def _types(masses: Iterable[str]) -> Iterator[list[str]]:
    """Type, element, mass and meaning; a type that the file lists twice stands where it first does."""
    seen = set()
    for line in masses:
        name, mass, _, *meaning = line.split()
        if name not in seen:
            seen.add(name)
            # One of the files puts an ID before the meaning.
            yield [name, SYMBOLS[mass], mass, " ".join(word for word in meaning if not word.startswith("PrmId"))]


def _row(line: str, n_types: int, n_values: int) -> list[str]:
    width = 3 * n_types - 1
    types = [line[start : start + 2].strip() for start in range(0, width, 3)]
    return ["-".join(types), *line[width:].split()[:n_values]]


def main(amber_home: Path, output: Path = OUTPUT) -> None:
    """Write both folders."""
    for name, title in (("gaff", "GAFF 1.81"), ("gaff2", "GAFF2 2.2.30")):
        source = amber_home / "dat" / "leap" / "parm" / f"{name}.dat"
        parm = read_parm(source)
        write_tables(parm, output / name)
        write_readme(
            parm,
            output / name,
            source,
            title=title,
            source=f"dat/leap/parm/{name}.dat",
            origin="as AmberTools 26 installs it",
            licence="public domain (AmberTools places the files of `dat/leap/parm` in it).",
            script="make_gaff_tables.py",
            formula=",\n`formula.toml` (constants that `scripts/fit_formulas.py` estimates from the tables)",
        )
        print(name, parm.counts())


if __name__ == "__main__":
    main(*map(Path, sys.argv[1:3]))
