"""QCSchema results and exports of QCArchive: single points, optimisations and torsion drives in JSON.

Read are QCSchema 1 and 2 (`AtomicResult`, `OptimizationResult`, `TorsionDriveResult`) and the records of qcportal
(``record_type`` singlepoint, optimization, torsiondrive), one a file, in lists, one a line, or inside other objects, as
in the ``entries`` of openff-qcsubmit. Of an optimisation every step counts whose geometry and gradient are in the file,
else its end; of a torsion drive the end of every point. Geometries are in bohr, energies in Hartree.

A result's SMILES is the ``canonical_isomeric_explicit_hydrogen_mapped_smiles`` in the ``extras`` or ``identifiers`` of
its molecule, or in an object round it. Results of one SMILES and one level are one record, wherever in the file they
stand: their energies are total energies. Those with a gradient and those without are two.

Result collections of openff-qcsubmit hold no results, but the numbers of records at a server. They are refused, with
the call that fetches them.

Reference: QCSchema 1 and 2 as in QCElemental 0.50, `qcelemental.models`.
"""

from collections.abc import Iterator, Sequence
from pathlib import Path

import numpy as np

from ffshare.errors import InputError, MoleculeError
from ffshare.fit.reference.atomic_units import BOHR, HARTREE
from ffshare.fit.reference.identity import atomic_number
from ffshare.fit.reference.json_files import json_objects
from ffshare.fit.reference.qcschema_results import ONLY_A_NUMBER, Point, points_of
from ffshare.fit.reference.raw import RawRecord, ReadOptions
from ffshare.molecules import Failure


def read_qcschema(path: Path, options: ReadOptions, indices: Iterator[int]) -> Iterator[RawRecord | Failure]:
    """The molecules of a JSON file of QCSchema results or of a QCArchive export.

    Args:
        path: The file, perhaps compressed.
        options: The SMILES of results that have none.
        indices: Gives the next molecule its index.

    Yields:
        A record for each molecule and level, then a failure for each result that cannot be used.

    Raises:
        InputError: It is no JSON, or holds no results.
        DamagedFileError: Compressed data end early.
    """
    groups: dict[tuple[object, ...], list[tuple[int, Point]]] = {}
    errors: list[tuple[int, MoleculeError]] = []
    for line, value in json_objects(path):
        if value is None:
            errors.append((line, MoleculeError("the line is no JSON", "correct or remove it")))
        for point in points_of(value, options.smiles or ""):
            if isinstance(point, MoleculeError):
                errors.append((line, point))
            else:
                key = (point.smiles, point.symbols, point.level, point.gradient is None)
                groups.setdefault(key, []).append((line, point))
    if not groups and all(error.reason == ONLY_A_NUMBER for _, error in errors):
        what = (
            "holds the numbers of records at a server and no energies; fetch the records with to_records() of the "
            "collection and write them out as JSON"
            if errors
            else "holds no result of QCSchema or QCArchive"
        )
        raise InputError(f"{path}: {what}")
    for found in groups.values():
        yield _record(path, next(indices), found)
    for line, error in errors:
        empty = RawRecord(index=next(indices), path=str(path), line=line, name="", smiles="", coords=[], energies=[])
        yield empty.failure(error.reason, error.advice)


def _record(path: Path, index: int, found: Sequence[tuple[int, Point]]) -> RawRecord | Failure:
    points = [point for _, point in found]
    first = points[0]
    gradients = [point.gradient for point in points if point.gradient is not None]
    empty = RawRecord(
        index=index, path=str(path), line=found[0][0], name=first.name, smiles=first.smiles, coords=[], energies=[]
    )
    try:
        elements = np.array([atomic_number(symbol) for symbol in first.symbols])
    except MoleculeError as error:
        return empty.failure(error.reason, error.advice)
    return RawRecord(
        index=index,
        path=empty.path,
        line=empty.line,
        name=empty.name,
        smiles=empty.smiles,
        elements=elements,
        coords=np.concatenate([point.geometry.reshape(-1) for point in points]) * BOHR,
        energies=np.array([point.energy for point in points]) * HARTREE,
        forces=-np.concatenate([gradient.reshape(-1) for gradient in gradients]) * (HARTREE / BOHR)
        if gradients
        else None,
        level=first.level,
        absolute=True,
    )
