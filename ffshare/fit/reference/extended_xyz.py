"""Extended XYZ files, read by ASE: one conformer a frame.

Energies and forces are in eV and eV/Å, ASE's own units, unless the user says otherwise; they are looked for under
``energy`` and ``forces``, and under the ``REF_`` names that trainers of machine-learned potentials use. The SMILES of a
frame is its ``mapped_smiles`` or ``smiles``, or the one that the user gives for all. Frames that follow one another
with the same SMILES and elements are one molecule.

Reference: extended XYZ as in ASE 3.23 and later, `ase.io.extxyz`.
"""

from collections.abc import Iterator
from pathlib import Path
from typing import Any

import numpy as np

from ffshare.errors import InputError, MissingDependencyError
from ffshare.fit.reference.atomic_units import energy_factor, length_factor
from ffshare.fit.reference.raw import DamagedFileError, RawRecord, ReadOptions
from ffshare.molecules import Failure
from ffshare.records import doc, record

_SMILES_KEYS = ("mapped_smiles", "smiles", "SMILES")
_ENERGY_KEYS = ("energy", "REF_energy")
_FORCE_KEYS = ("forces", "REF_forces")
_LEVEL_KEYS = ("level", "level_of_theory", "theory")


@record
class _Frame:
    number: int = doc("1-based place in the file")
    smiles: str = doc("'' where nothing says it")
    level: str = doc("'' where nothing says it")
    atoms: Any = doc("ASE's Atoms")
    energy: float = doc("energy [kcal/mol], NaN where there is none")
    forces: Any = doc("forces [kcal/mol/Å], or None")

    @property
    def key(self) -> tuple[Any, ...]:
        """What frames of one molecule have in common."""
        return (self.smiles, self.level, tuple(self.atoms.numbers.tolist()), self.forces is None)


def read_extended_xyz(path: Path, options: ReadOptions, indices: Iterator[int]) -> Iterator[RawRecord | Failure]:
    """The molecules of an extended XYZ file.

    Args:
        path: The file.
        options: SMILES of all frames, level of theory, units.
        indices: Gives the next molecule its index.

    Yields:
        A record for each molecule.

    Raises:
        MissingDependencyError: ASE is not installed.
        InputError: No frame can be read.
        DamagedFileError: The frames after some place cannot be read.
    """
    length = length_factor(options.length_unit or "angstrom")
    for group in _groups(_frames(path, options)):
        forces = [frame.forces for frame in group if frame.forces is not None]
        yield RawRecord(
            index=next(indices),
            path=str(path),
            line=group[0].number,
            name="",
            smiles=group[0].smiles,
            elements=np.asarray(group[0].atoms.numbers, dtype=np.int64),
            coords=np.stack([frame.atoms.positions for frame in group]) * length,
            energies=[frame.energy for frame in group],
            forces=np.stack(forces) if forces else None,
            level=group[0].level,
            absolute=True,
        )


def _groups(frames: Iterator[_Frame]) -> Iterator[list[_Frame]]:
    """Frames that follow one another and are of one molecule; those before some damage come before its error."""
    group: list[_Frame] = []
    try:
        for frame in frames:
            if group and frame.key != group[0].key:
                yield group
                group = []
            group.append(frame)
    except DamagedFileError:
        if group:
            yield group
        raise
    if group:
        yield group


def _frames(path: Path, options: ReadOptions) -> Iterator[_Frame]:
    energy_unit = energy_factor(options.energy_unit or "eV")
    force_unit = energy_unit / length_factor(options.length_unit or "angstrom")
    try:
        from ase.io import iread
    except ImportError as error:
        raise MissingDependencyError(
            'extended XYZ files need ASE, which is not installed; run: pip install "ffshare[reference]"'
        ) from error
    number = 0
    try:
        for number, atoms in enumerate(iread(path, index=":", format="extxyz"), start=1):
            # ASE moves what it knows into the results of a calculator and leaves the rest where it was.
            found = {**atoms.info, **atoms.arrays, **(atoms.calc.results if atoms.calc is not None else {})}
            forces = _first(found, _FORCE_KEYS)
            yield _Frame(
                number=number,
                smiles=str(_first(found, _SMILES_KEYS) or options.smiles or ""),
                level=str(_first(found, _LEVEL_KEYS) or ""),
                atoms=atoms,
                energy=float(_first(found, _ENERGY_KEYS, np.nan)) * energy_unit,
                forces=None if forces is None else np.asarray(forces) * force_unit,
            )
    except (OSError, ValueError, KeyError, IndexError, TypeError) as error:
        if not number:
            raise InputError(f"{path}: no frame of extended XYZ can be read: {error}") from error
        reason = f"the file cannot be read after frame {number}: {error}"
        raise DamagedFileError(reason, "repair or cut the file there", number + 1) from error


def _first(found: dict[str, Any], keys: tuple[str, ...], default: Any = None) -> Any:
    return next((found[key] for key in keys if key in found), default)
