"""HDF5 files in the form of the SPICE data set, one group a molecule.

A group holds `smiles` (mapped), `conformations` (bohr), `dft_total_energy` (Hartree) and `dft_total_gradient`
(Hartree/bohr); gradients may be missing. Where a data set states its unit in the attribute ``units``, that counts.
The files do not name their level of theory.

Reference: Eastman et al., Sci. Data 10, 11 (2023), doi:10.1038/s41597-022-01882-6.
"""

from collections.abc import Iterator
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from ffshare.errors import InputError, MissingDependencyError, MoleculeError, UnitError
from ffshare.fit.reference.atomic_units import energy_factor, length_factor
from ffshare.fit.reference.raw import RawRecord, ReadOptions
from ffshare.molecules import Failure

_COORDS, _ENERGY, _GRADIENT = "conformations", "dft_total_energy", "dft_total_gradient"


def read_spice_hdf5(path: Path, options: ReadOptions, indices: Iterator[int]) -> Iterator[RawRecord | Failure]:
    """The molecules of a SPICE-style HDF5 file.

    Args:
        path: The file.
        options: What the user says.
        indices: Gives the next molecule its index.

    Yields:
        A record, or a failure, for every group.

    Raises:
        MissingDependencyError: h5py is not installed.
        InputError: It is no HDF5 file.
    """
    try:
        import h5py
    except ImportError as error:
        raise MissingDependencyError(
            'HDF5 files need h5py, which is not installed; run: pip install "ffshare[reference]"'
        ) from error
    try:
        file = h5py.File(path)
    except OSError as error:
        raise InputError(f"{path}: is no HDF5 file, or was cut short: {error}") from error
    with file:
        for name in file:
            raw = RawRecord(
                index=next(indices), path=str(path), line=0, name=str(name), smiles="", coords=[], energies=[]
            )
            try:
                yield _record(file[name], raw, options)
            except MoleculeError as error:
                yield raw.failure(error.reason, error.advice)
            except (OSError, UnitError, ValueError) as error:
                yield raw.failure(f"the group cannot be read: {error}", "write the file again")


def _record(group: Any, raw: RawRecord, options: ReadOptions) -> RawRecord:
    missing = [key for key in (_COORDS, _ENERGY) if not hasattr(group, "keys") or key not in group]
    if missing:
        raise MoleculeError(
            f"the group lacks {', '.join(missing)}",
            f"give groups with smiles, {_COORDS}, {_ENERGY} and, if known, {_GRADIENT}",
        )
    return RawRecord(
        index=raw.index,
        path=raw.path,
        line=raw.line,
        name=raw.name,
        smiles=_text(group["smiles"]) if "smiles" in group else options.smiles or "",
        elements=np.asarray(group["atomic_numbers"], dtype=np.int64) if "atomic_numbers" in group else None,
        coords=_numbers(group[_COORDS], "bohr"),
        energies=_numbers(group[_ENERGY], "hartree"),
        forces=-_numbers(group[_GRADIENT], "hartree/bohr") if _GRADIENT in group else None,
        absolute=True,
    )


def _text(dataset: Any) -> str:
    value = np.asarray(dataset).reshape(-1)[0]
    return value.decode() if isinstance(value, bytes) else str(value)


def _numbers(dataset: Any, usual: str) -> NDArray[np.float64]:
    """A data set in internal units, by the unit that it states or else the usual one."""
    stated = dataset.attrs.get("units", usual)
    unit = stated.decode() if isinstance(stated, bytes) else str(stated)
    if "/" in usual:  # an energy over a length
        energy, _, length = unit.rpartition("/")
        factor = energy_factor(energy) / length_factor(length)
    else:
        factor = (length_factor if usual == "bohr" else energy_factor)(unit)
    return np.asarray(dataset, dtype=np.float64) * factor
