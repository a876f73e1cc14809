"""Makes the data files in rules/mmff94 and rules/mmff94s from the tables inside an installed RDKit.

python scripts/make_mmff_tables.py [RULES]

RDKit compiles the tables of MMFF94, as Merck published them, into its force-field library as text. They lie there one
after the other, in pieces that end with a zero byte; a line that begins with * is a comment. This script finds the
library of the RDKit that runs it, joins the pieces, and writes the rows as CSV, numbers as they stand in the text.
"""

import importlib.metadata
import itertools
import sys
from collections.abc import Iterator
from pathlib import Path

import rdkit

RULES = Path(__file__).parent.parent / "rules"
SOURCE = "https://github.com/rdkit/rdkit, Code/ForceField/MMFF/Params.cpp"
REFERENCES = {
    "MMFF94": "T. A. Halgren, J. Comput. Chem. 17, 490-641 (1996), https://doi.org/10.1002/jcc.540170602 and following",
    "MMFF94s": "T. A. Halgren, J. Comput. Chem. 20, 720-729 (1999), "
    "https://doi.org/10.1002/(SICI)1096-987X(199905)20:7<720::AID-JCC7>3.0.CO;2-X",
}

# What each table of the library is called here, in the order in which they stand there; '' for those that are not kept:
# charge increments, and what only the empirical rules ask for.
TABLES = (
    *("definitions", "properties", "", "", "bonds", "", "", "", "angles", "stretch_bends", "stretch_bend_defaults"),
    *("out_of_plane", "mmff94s/out_of_plane", "torsions", "mmff94s/torsions", "vdw"),
)

# The columns of each file; a last column `source` takes the words at the end of a row.
COLUMNS = {
    "bonds": "class i j kb r0 source",
    "angles": "class i j k ka theta0 source",
    "stretch_bends": "class i j k kba_ijk kba_kji source",
    "stretch_bend_defaults": "row_i row_j row_k kba_ijk kba_kji",
    "out_of_plane": "i j k l koop source",
    "torsions": "class i j k l V1 V2 V3 source",
    "vdw": "type alpha N A G donor_acceptor symbol source",
    "vdw_constants": "power B beta darad daeps",
    "types": "type symbol level2 level3 level4 level5 element neighbours valence pilp mltb aromatic linear sbmb",
}


def main(rules: Path = RULES) -> None:
    """Write all files."""
    library = find_library()
    tables = dict(zip(TABLES, read_tables(library.read_bytes()), strict=True))
    constants, *tables["vdw"] = tables["vdw"]
    tables["vdw_constants"] = [constants]
    tables["types"] = list(types(tables.pop("definitions"), tables.pop("properties")))
    version = importlib.metadata.version("rdkit")
    for name, rows in tables.items():
        if not name:
            continue
        force_field = "MMFF94s" if name.startswith("mmff94s/") else "MMFF94"
        kind = name.rpartition("/")[2]
        path = rules / force_field.lower() / f"{kind}.csv"
        columns = COLUMNS[kind].split()
        lines = [
            f"# {force_field}: {kind.replace('_', ' ')}, numbers in the units of the publication.",
            f"# Source: {SOURCE}, as compiled into RDKit {version}.",
            f"# {REFERENCES[force_field]}",
            "# Copyright (c) Merck and Co., Inc., 1994-1999; licence: BSD-3-Clause as part of RDKit, see README.md.",
            "# Made by scripts/make_mmff_tables.py. Do not edit: change the script.",
            ",".join(columns),
            *(",".join(fitted(row, columns)) for row in rows),
        ]
        path.write_text("\n".join(lines) + "\n", encoding="utf-8")
        print(f"{path.relative_to(rules)}: {len(rows)} rows")
    licence = Path(rdkit.__file__).parent / "license.txt"
    (rules / "mmff94" / "LICENSE").write_text(licence.read_text(encoding="utf-8"), encoding="utf-8")


def find_library() -> Path:
    """The force-field library of the RDKit that runs: of a wheel, or of a conda environment."""
    package = Path(rdkit.__file__).parent
    places = (package.parent / "rdkit.libs", package / ".dylibs", *(parent / "lib" for parent in package.parents))
    for place in places:
        for path in sorted(place.glob("libRDKitForceField[.-]*")):
            return path
    raise SystemExit(f"no libRDKitForceField found near {package}")


def read_tables(library: bytes) -> Iterator[list[list[str]]]:
    """The rows of each table: fields of the lines that are no comment."""
    header = b"*\n*          Copyright (c) Merck"
    start = library.index(header)
    pieces = (piece.decode("ascii", "replace") for piece in library[start:].split(b"\0") if piece)
    texts: list[str] = []
    for piece in pieces:
        if not piece.startswith("*") and "\t" not in piece:
            break
        if piece.startswith("*"):
            texts.append("")
        texts[-1] += piece
    for text in texts:
        yield [line.split("\t") for line in text.splitlines() if line.strip() and line[0] not in "*$"]


def types(definitions: list[list[str]], properties: list[list[str]]) -> Iterator[list[str]]:
    """One row a type: its symbol, what stands for it at each level of a look-up, its properties."""
    property_of = {number: fields for number, *fields in properties}
    for symbol, number, *fields in definitions:
        yield [number, symbol, *itertools.islice(fields, 4), *property_of[number]]


def fitted(row: list[str], columns: list[str]) -> list[str]:
    """As many fields as there are columns; what is left over joins the last one."""
    kept, rest = row[: len(columns) - 1], row[len(columns) - 1 :]
    return [*kept, " ".join(rest).strip().replace(",", ";")]


if __name__ == "__main__":
    main(*map(Path, sys.argv[1:2]))
