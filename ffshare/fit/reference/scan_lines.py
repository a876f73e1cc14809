"""JSON lines with a mapped SMILES, geometries and energies: torsion scans, optimised conformers, snapshots.

A line is an object with ``mapped_smiles``, ``coords`` [Å, conformer by conformer], ``energies_kcal`` (a list, or one
list for each level of theory by name), perhaps ``forces_kcal_per_A``, and ``theory``. Energies are relative to the
lowest of their line, so lines of one molecule stay apart.
"""

from collections.abc import Iterator, Mapping
from pathlib import Path
from typing import Any

from ffshare.errors import InputError, MoleculeError
from ffshare.fit.reference.data import level_key
from ffshare.fit.reference.json_files import json_objects
from ffshare.fit.reference.raw import RawRecord, ReadOptions, as_numbers
from ffshare.molecules import Failure


def read_scan_lines(path: Path, options: ReadOptions, indices: Iterator[int]) -> Iterator[RawRecord | Failure]:
    """The molecules of a file of JSON lines.

    Args:
        path: The file, perhaps compressed.
        options: The level of theory to take, where lines give several.
        indices: Gives the next molecule its index.

    Yields:
        A record, or a failure, for every line.

    Raises:
        InputError: It cannot be read.
        DamagedFileError: It is no JSON from some line on.
    """
    for number, line in json_objects(path):
        empty = RawRecord(index=next(indices), path=str(path), line=number, name="", smiles="", coords=[], energies=[])
        try:
            yield _record(line, empty, options)
        except MoleculeError as error:
            yield empty.failure(error.reason, error.advice)
        except (TypeError, ValueError, KeyError, AttributeError) as error:
            yield empty.failure(
                f"not a line with mapped_smiles, coords and energies_kcal: {error!r}", "correct or remove the line"
            )


def _record(line: Mapping[str, Any], empty: RawRecord, options: ReadOptions) -> RawRecord:
    given, level, forces = line["energies_kcal"], str(line.get("theory", "")), line.get("forces_kcal_per_A")
    if hasattr(given, "keys"):
        level = _chosen(list(given), options.level)
        given = given[level]
    return RawRecord(
        index=empty.index,
        path=empty.path,
        line=empty.line,
        name=str(line.get("name", "")),
        smiles=str(line.get("mapped_smiles") or options.smiles or ""),
        coords=as_numbers(line["coords"], "coordinates"),
        energies=as_numbers(given, "energies"),
        forces=None if forces is None else as_numbers(forces, "forces"),
        level=level,
    )


def _chosen(levels: list[str], wanted: str | None) -> str:
    if wanted is None and len(levels) > 1:
        raise InputError(
            f"the file holds {len(levels)} levels of theory; say with level which one: {', '.join(levels)}"
        )
    found = [level for level in levels if wanted is None or level_key(level) == level_key(wanted)]
    if not found:
        raise MoleculeError(
            f"no energies of level {wanted!r}, only of {', '.join(levels) or 'none'}", "say another level"
        )
    return found[0]
