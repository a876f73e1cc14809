"""Files and folders → reference data, whatever their format.

The format goes by the name of the file (`KINDS`), or is said with `kind`. Each reader hands on raw records in internal
units; `Checker` makes molecules of them. Nothing that is wrong with one record stops a run: it becomes a failure.
Records of one mapped SMILES whose energies are total energies are one molecule, from whichever files they come.
"""

import itertools
import os
from collections.abc import Iterable, Iterator, Mapping, Sequence
from contextlib import closing
from dataclasses import replace
from pathlib import Path

import numpy as np

from ffshare.errors import InputError
from ffshare.fit.reference.arrow_table import read_arrow, reference_metadata, states_charges
from ffshare.fit.reference.check import Checked
from ffshare.fit.reference.checker import Checker, chunked_records
from ffshare.fit.reference.data import ReferenceData, ReferenceMolecule, only_level
from ffshare.fit.reference.extended_xyz import read_extended_xyz
from ffshare.fit.reference.forcebalance import read_forcebalance
from ffshare.fit.reference.geometry_checks import repeated
from ffshare.fit.reference.json_files import COMPRESSIONS
from ffshare.fit.reference.qcschema import read_qcschema
from ffshare.fit.reference.raw import DamagedFileError, RawRecord, Reader, ReadOptions
from ffshare.fit.reference.scan_lines import read_scan_lines
from ffshare.fit.reference.spice_hdf5 import read_spice_hdf5
from ffshare.molecules import Failure
from ffshare.parallel import HERE, Engine

READERS: Mapping[str, Reader] = {
    "arrow": read_arrow,
    "extxyz": read_extended_xyz,
    "qcschema": read_qcschema,
    "spice": read_spice_hdf5,
    "forcebalance": read_forcebalance,
    "scans": read_scan_lines,
}
"""Kind of file to its reader."""

KINDS: Mapping[str, str] = {
    ".parquet": "arrow",
    ".pq": "arrow",
    ".arrow": "arrow",
    ".feather": "arrow",
    ".xyz": "extxyz",
    ".extxyz": "extxyz",
    ".json": "qcschema",
    ".hdf5": "spice",
    ".h5": "spice",
    "qdata.txt": "forcebalance",
    ".jsonl": "scans",
}
"""Name or suffix of a file to its kind; .json and .jsonl may be compressed."""

# A file of this name says what its folder is: only files of that kind count there.
_FOLDER_MARKS: Mapping[str, str] = {"qdata.txt": "forcebalance", "state.json": "arrow", "dataset_info.json": "arrow"}
_COMPRESSED = ("qcschema", "scans")


def read_reference(
    *inputs: str | Path,
    kind: str | None = None,
    smiles: str | None = None,
    level: str | None = None,
    energy_unit: str | None = None,
    length_unit: str | None = None,
    engine: Engine = HERE,
) -> ReferenceData:
    """All reference data of some files and folders.

    Args:
        *inputs: Paths. Of a folder all files of known format count, those of its subfolders too, ordered by path.
        kind: Format of all files, a key of `READERS`; by default that of their names.
        smiles: SMILES of molecules whose file gives none (XYZ, QCSchema, ForceBalance).
        level: Level of theory of files that do not state theirs; of files that hold several, the one to take.
        energy_unit: Energy unit of XYZ files; eV by default.
        length_unit: Length unit of XYZ files; angstrom by default.
        engine: Where records are checked; files are read here.

    Returns:
        The data; what could not be used is in its `failures`.

    Raises:
        InputError: An input as a whole cannot be used, or the data are of several levels of theory.
        MissingDependencyError: A format needs a library that is not installed.
    """
    options = ReadOptions(smiles=smiles, level=level, energy_unit=energy_unit, length_unit=length_unit)
    files = _files(inputs, kind)
    molecules: list[ReferenceMolecule] = []
    totals: dict[str, list[int]] = {}
    failures: list[Failure] = []
    for found in _checked(_records(files, options), options, engine):
        failures.extend(found.failures)
        if found.molecule is not None:
            if found.absolute:
                totals.setdefault(found.molecule.smiles, []).append(len(molecules))
            molecules.append(found.molecule)
    stated = {reference_metadata(file).get("source", "") for file, of in files if of == "arrow"} - {""}
    return ReferenceData(
        molecules=_merged(molecules, list(totals.values())),
        level=only_level([molecule.level for molecule in molecules]),
        source="; ".join(sorted(stated)) or ", ".join(str(path) for path in inputs),
        failures=tuple(failures),
    )


def stream_reference(
    *inputs: str | Path,
    kind: str | None = None,
    smiles: str | None = None,
    level: str | None = None,
    energy_unit: str | None = None,
    length_unit: str | None = None,
    engine: Engine = HERE,
) -> Iterator[ReferenceMolecule | Failure]:
    """Reference data a record at a time, so that memory does not grow with the input.

    Records are not joined to molecules across a file.

    Args:
        *inputs: Paths of files and folders.
        kind: As for `read_reference`.
        smiles: As for `read_reference`.
        level: As for `read_reference`.
        energy_unit: As for `read_reference`.
        length_unit: As for `read_reference`.
        engine: As for `read_reference`.

    Returns:
        An iterator over molecules and failures.

    Raises:
        InputError: Here, for paths and formats; while iterating, when a file cannot be used or a second level comes.
        MissingDependencyError: While iterating: a format needs a library that is not installed.
    """
    options = ReadOptions(smiles=smiles, level=level, energy_unit=energy_unit, length_unit=length_unit)
    return _items(_checked(_records(_files(inputs, kind), options), options, engine))


def stream_records(
    *inputs: str | Path,
    kind: str | None = None,
    smiles: str | None = None,
    level: str | None = None,
    energy_unit: str | None = None,
    length_unit: str | None = None,
) -> Iterator[RawRecord | Failure]:
    """What the readers give of some files and folders, before any chemistry is checked; for `Checker`.

    Args:
        *inputs: Paths of files and folders.
        kind: As for `read_reference`.
        smiles: As for `read_reference`.
        level: As for `read_reference`; `Checker` looks at it again.
        energy_unit: As for `read_reference`.
        length_unit: As for `read_reference`.

    Returns:
        An iterator over records and failures.

    Raises:
        InputError: Here, for paths and formats; while iterating, when a file cannot be used.
        MissingDependencyError: While iterating: a format needs a library that is not installed.
    """
    options = ReadOptions(smiles=smiles, level=level, energy_unit=energy_unit, length_unit=length_unit)
    return _records(_files(inputs, kind), options)


def all_have_charges(*inputs: str | Path, kind: str | None = None) -> bool:
    """Whether every molecule of some reference data comes with partial charges, without reading anything else of them.

    Args:
        *inputs: Paths of files and folders.
        kind: As for `read_reference`.

    Returns:
        True where all files are tables that have the column `charges` without nulls.

    Raises:
        InputError: A path or its format is not known, or a file is no table.
    """
    return all(of == "arrow" and states_charges(file) for file, of in _files(inputs, kind))


def _items(every: Iterable[Checked]) -> Iterator[ReferenceMolecule | Failure]:
    level: str | None = None
    for found in every:
        yield from found.failures
        if found.molecule is not None:
            level = found.molecule.level if level is None else only_level([level, found.molecule.level])
            yield found.molecule


def _checked(records: Iterable[RawRecord | Failure], options: ReadOptions, engine: Engine) -> Iterator[Checked]:
    """What becomes of each record."""
    with closing(engine.map(Checker(level=options.level), chunked_records(records))) as chunks:
        yield from itertools.chain.from_iterable(chunks)


def _records(files: Sequence[tuple[Path, str]], options: ReadOptions) -> Iterator[RawRecord | Failure]:
    """What the readers give, and what they cannot read."""
    indices = itertools.count()
    for path, kind in files:
        try:
            yield from READERS[kind](path, options, indices)
        except DamagedFileError as damage:
            empty = RawRecord(
                index=next(indices), path=str(path), line=damage.line, name="", smiles="", coords=[], energies=[]
            )
            yield empty.failure(damage.reason, damage.advice)
        except OSError as error:
            raise InputError(f"{path}: cannot be read: {error.strerror or error}") from error


def _merged(molecules: Sequence[ReferenceMolecule], groups: Sequence[Sequence[int]]) -> tuple[ReferenceMolecule, ...]:
    """The molecules, those of a group that are alike in charges and in having forces joined at the place of the first.

    The order of the others stays.
    """
    joined: dict[int, ReferenceMolecule | None] = dict(enumerate(molecules))
    for group in groups:
        alike: dict[tuple[bool, bytes | None], list[int]] = {}
        for place in group:
            charges = molecules[place].charges
            key = (molecules[place].forces is None, None if charges is None else charges.tobytes())
            alike.setdefault(key, []).append(place)
        for parts in alike.values():
            if len(parts) > 1:
                joined.update(dict.fromkeys(parts))
                joined[parts[0]] = _join([molecules[place] for place in parts])
    return tuple(molecule for molecule in joined.values() if molecule is not None)


def _join(parts: Sequence[ReferenceMolecule]) -> ReferenceMolecule:
    """Conformers of one molecule together, none twice."""
    forces = [part.forces for part in parts if part.forces is not None]
    whole = replace(
        parts[0],
        coords=np.concatenate([part.coords for part in parts]),
        energies=np.concatenate([part.energies for part in parts]),
        forces=np.concatenate(forces) if forces else None,
    )
    return whole.part(~repeated(whole.coords))


def _files(inputs: Sequence[str | Path], kind: str | None) -> list[tuple[Path, str]]:
    """All files with their kinds; everything that is wrong with the paths is said at once."""
    if kind is not None and kind not in READERS:
        raise InputError(f"no format {kind!r} of reference data; known are {', '.join(READERS)}")
    found: list[tuple[Path, str]] = []
    faults = [] if inputs else ["no input given; name a file or a folder of reference data"]
    for given in map(Path, inputs):
        if given.is_dir():
            inside = sorted((file, of) for file, of in _files_below(given) if kind in (None, of))
            found.extend(inside)
            if not inside:
                faults.append(f"{given}: no file of known format in this folder; known are {' '.join(KINDS)}")
        elif not given.exists():
            faults.append(f"{given}: no such file or folder; check the path")
        else:
            of = kind or kind_of(given)
            if of is None:
                faults.append(f"{given}: unknown format; known are {' '.join(KINDS)}, or say it with kind")
            else:
                found.append((given, of))
    if faults:
        raise InputError("\n  ".join([f"{len(faults)} faults in the input", *faults]) if len(faults) > 1 else faults[0])
    return found


def _files_below(folder: Path) -> Iterator[tuple[Path, str]]:
    for inner, subfolders, names in os.walk(folder):
        subfolders[:] = [name for name in subfolders if not name.startswith((".", "_"))]
        only = next((of for mark, of in _FOLDER_MARKS.items() if mark in names), None)
        for name in names:
            of = kind_of(Path(name))
            if of is not None and not name.startswith((".", "_")) and only in (None, of):
                yield Path(inner, name), of


def kind_of(path: Path) -> str | None:
    """The kind of a file by its name; None where it is not known.

    Args:
        path: The file.

    Returns:
        A key of `READERS`, or None.

    Example:
        >>> kind_of(Path("scan.json.xz")), kind_of(Path("target/qdata.txt")), kind_of(Path("notes.txt"))
        ('qcschema', 'forcebalance', None)
    """
    name = path.name.lower()
    plain = next((name.removesuffix(suffix) for suffix in COMPRESSIONS if name.endswith(suffix)), name)
    found = KINDS.get(plain) or KINDS.get(Path(plain).suffix)
    return None if plain != name and found not in _COMPRESSED else found
