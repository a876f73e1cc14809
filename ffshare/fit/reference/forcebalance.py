"""Targets of ForceBalance: `qdata.txt` and, beside it, the molecule.

Blocks of lines ``COORDS`` (Å), ``ENERGY`` (Hartree) and ``GRADIENT`` (Hartree/bohr; the older word ``FORCES`` means a
gradient too). The molecule is the .mol2 or .sdf file of the folder, atoms in the same order, or the SMILES that the
user gives. The files do not name their level of theory.

Reference: Wang, Martinez, Pande, J. Phys. Chem. Lett. 5, 1885 (2014), doi:10.1021/jz500737m.
"""

from collections.abc import Callable, Iterator, Mapping
from pathlib import Path

import numpy as np
from numpy.typing import NDArray

from ffshare.errors import MoleculeError
from ffshare.fit.reference.atomic_units import BOHR, HARTREE
from ffshare.fit.reference.identity import smiles_of_mol2, smiles_of_molblock
from ffshare.fit.reference.raw import RawRecord, ReadOptions
from ffshare.molecules import Failure

_MOLECULES: Mapping[str, Callable[[str], str]] = {".mol2": smiles_of_mol2, ".sdf": smiles_of_molblock}
_GRADIENTS = ("GRADIENT", "FORCES")


def read_forcebalance(path: Path, options: ReadOptions, indices: Iterator[int]) -> Iterator[RawRecord | Failure]:
    """The one molecule of a ForceBalance target.

    Args:
        path: The `qdata.txt`.
        options: The SMILES, where the folder holds no molecule.
        indices: Gives the molecule its index.

    Yields:
        A record, or a failure.
    """
    empty = RawRecord(
        index=next(indices), path=str(path), line=1, name=path.parent.name, smiles="", coords=[], energies=[]
    )
    try:
        lines = _numbers_by_word(path)
        smiles = options.smiles or _smiles_beside(path)
        n_jobs = len(lines["COORDS"])
        gradients = lines["GRADIENT"] + lines["FORCES"]
        if (
            len(lines["ENERGY"]) != n_jobs
            or len(gradients) not in (0, n_jobs)
            or len(set(map(len, lines["COORDS"]))) > 1
        ):
            counts = ", ".join(f"{len(found)} {word}" for word, found in lines.items() if found)
            raise MoleculeError(
                f"lines do not go together: {counts}", "give one COORDS and ENERGY a JOB, of one molecule"
            )
        yield RawRecord(
            index=empty.index,
            path=empty.path,
            line=1,
            name=empty.name,
            smiles=smiles,
            coords=np.array(lines["COORDS"]),
            energies=np.array(lines["ENERGY"]).reshape(-1) * HARTREE,
            forces=-np.array(gradients) * (HARTREE / BOHR) if gradients else None,
            absolute=True,
        )
    except MoleculeError as error:
        yield empty.failure(error.reason, error.advice)


def _numbers_by_word(path: Path) -> dict[str, list[NDArray[np.float64]]]:
    found: dict[str, list[NDArray[np.float64]]] = {word: [] for word in ("COORDS", "ENERGY", *_GRADIENTS)}
    with path.open(encoding="utf-8", errors="replace") as stream:
        for number, line in enumerate(stream, start=1):
            word, *values = line.split() or [""]
            if word in found:
                try:
                    found[word].append(np.array(values, dtype=np.float64))
                except ValueError as error:
                    raise MoleculeError(f"line {number}: {error}", "correct the line") from error
    return found


def _smiles_beside(path: Path) -> str:
    found = sorted(file for file in path.parent.iterdir() if file.suffix.lower() in _MOLECULES)
    if len(found) != 1:
        raise MoleculeError(
            f"{len(found)} .mol2 and .sdf files beside it, where one is expected",
            "say the molecule with smiles, mapped in the order of the coordinates",
        )
    return _MOLECULES[found[0].suffix.lower()](found[0].read_text(encoding="utf-8", errors="replace"))
