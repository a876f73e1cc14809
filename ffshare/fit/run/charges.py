"""Charges of the molecules of a fit: what each method gives, kept on disk where it takes long.

Molecules that a method cannot charge do not take part in the fit and are listed. Networks give a molecule some tenths
of a second, so that what they gave is kept some molecules at a time, by the worker that made it: a run that was killed
goes on there, with the same numbers to the last bit.
"""

import hashlib
import json
import zipfile
from collections.abc import Callable, Mapping
from contextlib import ExitStack, closing
from pathlib import Path

import numpy as np

from ffshare.assign import Assignment
from ffshare.errors import MissingDependencyError, MoleculeError
from ffshare.fit.parts import atoms_of, part_of
from ffshare.fit.reference import ReferenceData, reference_charges
from ffshare.fit.shared_folder import SharedFolder, shared
from ffshare.model import charges_by_name
from ffshare.model.coordinates import FloatArray
from ffshare.molecules import mapped_smiles
from ffshare.molecules.ragged import IntArray
from ffshare.parallel import HERE, Engine, one_thread
from ffshare.records import doc, freeze_arrays, record
from ffshare.whole_files import replacing

_MOLECULES_AT_ONCE = 32
# Changes when a method does.
_FORMAT = "1"


@record
class Charged:
    """Charges of the molecules of a batch."""

    charges: FloatArray | None = doc("charges [e], 0 for molecules without, shape=(n_atoms,); None: no electrostatics")
    uncharged: Mapping[int, str] = doc("molecules that have none, and why")

    def __post_init__(self) -> None:
        if self.charges is not None:
            freeze_arrays(self, charges=np.float64)


def charge(
    assignment: Assignment,
    data: ReferenceData,
    method: str,
    molecule_idxs: IntArray,
    folder: Path | None = None,
    progress: Callable[[int], None] | None = None,
    engine: Engine = HERE,
) -> Charged:
    """The charges of some molecules of a batch.

    Args:
        assignment: The molecules.
        data: Their reference data.
        method: ``reference``, ``none``, or a method of `ffshare.model.charges_by_name`.
        molecule_idxs: Molecules that need charges.
        folder: Where charges are kept; None: they are not. Workers write to it themselves, so those of a scheduler must
            share it.
        progress: Called with the number of molecules that are done.
        engine: Where the work is done.

    Returns:
        The charges.

    Raises:
        InputError: The data give no charges, and the method asks for them.
        MissingDependencyError: The method needs a package that is not installed.
        OutputError: A worker does not see the folder.
    """
    if method == "none":
        return Charged(charges=None, uncharged={})
    if method == "reference":
        return Charged(charges=reference_charges(data.molecules), uncharged={})
    batch = assignment.batch
    charges = np.zeros(batch.n_atoms)
    uncharged: dict[int, str] = {}
    chunks = [
        molecule_idxs[first : first + _MOLECULES_AT_ONCE] for first in range(0, len(molecule_idxs), _MOLECULES_AT_ONCE)
    ]
    n_done = 0
    with ExitStack() as stack:
        place = None if folder is None else stack.enter_context(shared(folder, engine))
        work = _Charger(assignment=assignment, method=method, place=place)
        results = stack.enter_context(closing(engine.map(work, enumerate(chunks))))
        for idxs, (found, reasons) in zip(chunks, results, strict=True):
            charges[atoms_of(batch, idxs)] = found
            uncharged |= {int(idxs[at]): reason for at, reason in reasons.items()}
            n_done += len(idxs)
            if progress is not None:
                progress(n_done)
    return Charged(charges=charges, uncharged=uncharged)


@record
class _Charger:
    """Charges a few molecules. Picklable."""

    assignment: Assignment = doc("all molecules")
    method: str = doc("the method")
    place: SharedFolder | None = doc("where charges are kept; None: they are not")

    def __call__(self, numbered: tuple[int, IntArray]) -> tuple[FloatArray, dict[int, str]]:
        """Charges of the atoms of some molecules, and why molecules have none, by their place."""
        number, idxs = numbered
        part = part_of(self.assignment, idxs)
        with one_thread():
            if self.place is None:
                return _charges(part, self.method)
            self.place.check()
            return _kept(part, self.method, self.place.path / f"charges-{number:06d}.npz")


def _kept(part: Assignment, method: str, path: Path) -> tuple[FloatArray, dict[int, str]]:
    """Charges of a few molecules, from a file if it has them."""
    mark = _mark(part, method)
    try:
        with path.open("rb") as file, np.load(file, allow_pickle=False) as arrays:
            if str(arrays["mark"]) == mark:
                reasons = {int(place): reason for place, reason in json.loads(str(arrays["reasons"])).items()}
                return arrays["charges"], reasons
    except (OSError, ValueError, KeyError, EOFError, zipfile.BadZipFile):
        pass  # not there, or cut short
    found, reasons = _charges(part, method)
    with replacing(path) as unfinished, unfinished.open("wb") as output:
        np.savez(output, mark=np.array(mark), charges=found, reasons=np.array(json.dumps(reasons)))
    return found, reasons


def _mark(part: Assignment, method: str) -> str:
    """What charges are made of: the molecules, the method, and the rules that give some."""
    digest = hashlib.blake2b(repr((_FORMAT, method)).encode(), digest_size=16)
    for idx in range(part.batch.n_molecules):
        digest.update(mapped_smiles(part.batch, idx).smiles.encode() + b"\0")
    if "LibraryCharges" in part.tables:
        sites, table = part.sites["LibraryCharges"], part.tables["LibraryCharges"]
        for array in (sites.atom_idxs, sites.rule_idxs, table.columns["charge"].values):
            digest.update(np.ascontiguousarray(array).tobytes())
    return digest.hexdigest()


def _charges(part: Assignment, method: str) -> tuple[FloatArray, dict[int, str]]:
    """Charges of a few molecules; where together they cannot be charged, of those that can."""
    try:
        return charges_by_name(part, method), {}
    except MissingDependencyError as error:
        raise MissingDependencyError(
            f"{error}; or take charges that need nothing more: reference, if the data have them, library or gasteiger"
        ) from error
    except MoleculeError as error:
        n = part.batch.n_molecules
        if n == 1:
            return np.zeros(part.batch.n_atoms), {0: error.reason}
    half = n // 2
    first, reasons = _charges(part_of(part, np.arange(half)), method)
    second, others = _charges(part_of(part, np.arange(half, n)), method)
    return np.concatenate([first, second]), reasons | {half + place: reason for place, reason in others.items()}
