"""Statistics kept on disk, so that a fit that was killed goes on where it was.

A folder holds one file a chunk of molecules. A file says by a checksum what it was made of (reference data, columns,
weights, background); one that was made of anything else, or was cut short, is made again. Files are written under
another name and renamed, so that one that has its name is whole. Numbers come back to the last bit, and sums are taken
in the order of the molecules: a fit that went on ends in the numbers of one that was never stopped.

The matrices, nearly all that there is, are mapped into memory and not read: of a file, only those of the molecule in
work are there, and processes that pass over one folder share what the system holds of it.
"""

import hashlib
import struct
import zipfile
from collections.abc import Iterator, Mapping
from contextlib import suppress
from os import SEEK_CUR
from pathlib import Path
from typing import BinaryIO

import numpy as np

from ffshare.errors import InputError
from ffshare.fit.parts import atoms_of, sites_of
from ffshare.fit.residuals import Chunk
from ffshare.fit.statistics import MoleculeStatistics
from ffshare.fit.straight import LeftOut
from ffshare.model.coordinates import FloatArray
from ffshare.molecules.ragged import offsets_of
from ffshare.records import doc, record
from ffshare.whole_files import replacing

# Changes when what is stored, or how it is computed, does.
_FORMAT = "2"


@record
class ChunkStatistics:
    """The sums of the molecules of a chunk."""

    molecules: tuple[MoleculeStatistics, ...] = doc("sums of each molecule")
    left_out: tuple[LeftOut, ...] = doc("torsions that are left out")


def checksum(chunk: Chunk) -> str:
    """What the statistics of a chunk are made of, as a checksum.

    Args:
        chunk: The chunk.

    Returns:
        A hexadecimal number of 32 digits; another one for other data, columns, weights or background.
    """
    digest = hashlib.blake2b(digest_size=16)

    def add(*parts: object) -> None:
        for part in parts:
            digest.update(repr(part).encode())
            digest.update(b"\0")

    def add_array(array: object) -> None:
        values = np.ascontiguousarray(np.asarray(array))
        add(values.shape, values.dtype.str)
        digest.update(values.tobytes())

    problem, behind = chunk.problem, chunk.problem.background
    add(_FORMAT, problem.weights, dict(problem.bases), problem.ties.shape, behind.sections, behind.assignment.scheme)
    ties = problem.ties[chunk.slots]
    for array in (ties.indptr, ties.indices, ties.data, chunk.molecule_idxs):
        add_array(array)
    for terms in chunk.terms.values():
        add(terms.form)
        add_array(terms.atom_idxs)
    for molecule in chunk.molecules:
        add(molecule.smiles, molecule.level, molecule.forces is None)
        for array in (molecule.coords, molecule.energies, *([] if molecule.forces is None else [molecule.forces])):
            add_array(array)
    sites = sites_of(behind.assignment.sites, chunk.molecule_idxs)
    for section, table in behind.assignment.tables.items():
        add(section, sorted(table.settings.items()))
        if behind.sections is None or section in behind.sections:
            for name, column in table.columns.items():
                # What is fitted is not in the background, and may start from anywhere.
                if not (behind.sections is None and section in problem.bases):
                    add(name)
                    add_array(column.values)
            add_array(behind.assignment.sites[section].rule_idxs[sites[section]])
    if isinstance(behind.charges, np.ndarray):
        add_array(behind.charges[atoms_of(behind.assignment.batch, chunk.molecule_idxs)])
    else:
        add(behind.charges)
    return digest.hexdigest()


class StatisticsFolder:
    """Statistics of the chunks of a problem in a folder, or in memory where no folder is given.

    Picklable: what lies in a folder does not travel, other processes read it there.
    """

    def __init__(self, folder: Path | None) -> None:
        """The statistics in a folder.

        Args:
            folder: The folder, made where it does not exist; None: statistics are kept in memory.
        """
        self.folder = folder
        self._kept: dict[int, ChunkStatistics] = {}
        self._marks: dict[int, str] = {}
        if folder is not None:
            folder.mkdir(parents=True, exist_ok=True)

    def put(self, number: int, statistics: ChunkStatistics, mark: str) -> None:
        """Keep the statistics of a chunk.

        Args:
            number: The chunk.
            statistics: Its sums.
            mark: Its checksum.
        """
        self._marks[number] = mark
        if self.folder is None:
            self._kept[number] = statistics
            return
        with replacing(self._path(number)) as unfinished, unfinished.open("wb") as file:
            np.savez(file, mark=np.array(mark), **_packed(statistics))  # type: ignore[arg-type]

    def register(self, number: int, mark: str) -> None:
        """Count what another process has put into the folder among the statistics of this run.

        Args:
            number: The chunk.
            mark: Its checksum.
        """
        self._marks[number] = mark

    def get(self, number: int, mark: str) -> ChunkStatistics | None:
        """The statistics of a chunk, if they are there and were made of the same.

        Args:
            number: The chunk.
            mark: Its checksum.

        Returns:
            The sums, or None.
        """
        if self.folder is None:
            return self._kept.get(number)
        try:
            # Opened here, so that it is closed where it is no whole archive.
            with self._path(number).open("rb") as file, np.load(file, allow_pickle=False) as arrays:
                if str(arrays["mark"]) != mark:
                    return None
                # Read from end to end, so that its checksums are looked at.
                found = ChunkStatistics(molecules=_molecules(arrays, arrays["matrices"]), left_out=_left_out(arrays))
        except (OSError, ValueError, KeyError, EOFError, zipfile.BadZipFile):
            return None
        self._marks[number] = mark
        return found

    def __iter__(self) -> Iterator[MoleculeStatistics]:
        """The molecules of all chunks of this run, in order.

        Raises:
            InputError: Files of this run are gone, or another run has put its own in their place.
        """
        for number, mark in sorted(self._marks.items()):
            yield from self._kept[number].molecules if self.folder is None else self._mapped(number, mark)

    def _mapped(self, number: int, mark: str) -> tuple[MoleculeStatistics, ...]:
        """The molecules of a chunk of this run, their matrices where they lie."""
        path = self._path(number)
        with suppress(FileNotFoundError), path.open("rb") as file, np.load(file, allow_pickle=False) as arrays:
            if str(arrays["mark"]) == mark:
                return _molecules(arrays, _mapped_array(file, arrays.zip.getinfo("matrices.npy")))
        raise InputError(
            f"{path}: the sums that this run kept there are gone, or another run's by now; run again, and give runs "
            "at the same time different folders"
        )

    def _path(self, number: int) -> Path:
        assert self.folder is not None
        return self.folder / f"statistics-{number:06d}.npz"


def _mapped_array(file: BinaryIO, member: zipfile.ZipInfo) -> FloatArray:
    """An array of an open archive where it lies: `numpy.savez` does not compress.

    Reference:
        PKWARE, .ZIP File Format Specification (APPNOTE.TXT) 6.3.10, 4.3.7: a member stands behind a header of 30 bytes,
        which ends with how long the name and the extra field are that follow.
    """
    file.seek(member.header_offset + 26)
    n_name, n_extra = struct.unpack("<HH", file.read(4))
    file.seek(n_name + n_extra, SEEK_CUR)
    np.lib.format.read_magic(file)
    shape, _, dtype = np.lib.format.read_array_header_1_0(file)
    # Nothing cannot be mapped.
    return np.asarray(np.memmap(file, dtype, "r", file.tell(), shape)) if all(shape) else np.zeros(shape)


def _packed(statistics: ChunkStatistics) -> dict[str, np.ndarray]:
    molecules, torsions = statistics.molecules, statistics.left_out
    return {
        "molecule_idxs": np.array([each.molecule_idx for each in molecules], dtype=np.int64),
        "clusters": np.array([each.cluster for each in molecules], dtype=np.str_),
        "sizes": np.array([len(each.columns) for each in molecules], dtype=np.int64),
        "columns": np.concatenate([np.zeros(0, dtype=np.int64), *(each.columns for each in molecules)]),
        "matrices": np.concatenate([np.zeros(0), *(each.matrix.ravel() for each in molecules)]),
        "vectors": np.concatenate([np.zeros(0), *(each.vector for each in molecules)]),
        "sums": np.array([each.sum_squares for each in molecules], dtype=np.float64),
        "n_residuals": np.array([each.n_residuals for each in molecules], dtype=np.int64),
        "n_clashes": np.array([each.n_clashes for each in molecules], dtype=np.int64),
        "left_out_sections": np.array([each.section for each in torsions], dtype=np.str_),
        "left_out": np.array(
            [(each.molecule_idx, each.n_conformers, *each.atom_idxs) for each in torsions], dtype=np.int64
        ).reshape(len(torsions), 6),
    }


def _molecules(arrays: Mapping[str, np.ndarray], matrices: FloatArray) -> tuple[MoleculeStatistics, ...]:
    sizes = arrays["sizes"]
    places, squares = offsets_of(sizes).tolist(), offsets_of(sizes**2).tolist()
    columns, vectors = arrays["columns"], arrays["vectors"]
    singles = zip(
        arrays["molecule_idxs"].tolist(),
        arrays["clusters"].tolist(),
        arrays["sums"].tolist(),
        arrays["n_residuals"].tolist(),
        arrays["n_clashes"].tolist(),
        strict=True,
    )
    return tuple(
        MoleculeStatistics(
            molecule_idx=molecule_idx,
            cluster=cluster,
            columns=columns[places[i] : places[i + 1]],
            matrix=matrices[squares[i] : squares[i + 1]].reshape(sizes[i], sizes[i]),
            vector=vectors[places[i] : places[i + 1]],
            sum_squares=sum_squares,
            n_residuals=n_residuals,
            n_clashes=n_clashes,
        )
        for i, (molecule_idx, cluster, sum_squares, n_residuals, n_clashes) in enumerate(singles)
    )


def _left_out(arrays: Mapping[str, np.ndarray]) -> tuple[LeftOut, ...]:
    torsions = zip(arrays["left_out_sections"].tolist(), arrays["left_out"].tolist(), strict=True)
    return tuple(
        LeftOut(section=section, molecule_idx=row[0], atom_idxs=tuple(row[2:]), n_conformers=row[1])
        for section, row in torsions
    )
