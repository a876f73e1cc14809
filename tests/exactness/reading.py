"""One file read by ffshare and by openff-toolkit, and the check that both read the same molecules."""

import logging
import warnings
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from functools import lru_cache
from pathlib import Path
from typing import Any

import numpy as np
from rdkit import rdBase

import ffshare
from ffshare.molecules import GraphBatch
from ffshare.records import doc, record


@record
class Reading:
    """The molecules of a file that both programs read, in the order of the file."""

    batch: GraphBatch = doc("as ffshare reads them")
    theirs: tuple[Any, ...] = doc("as openff-toolkit reads them, openff.toolkit.Molecule")
    faults: tuple[str, ...] = doc("where the two readings differ; () where they are the same")


@lru_cache(maxsize=8)
def read_both(path: Path) -> Reading:
    """The molecules of an SD file or a SMILES file as both programs read them.

    Molecules that both refuse are left out; one that only one of them refuses is a fault. Their names must be unique.
    """
    batch = ffshare.read(path)
    theirs = _read_sdf(path) if path.suffix == ".sdf" else _read_smiles(path)
    our_names, their_names = list(batch.names), [molecule.name for molecule in theirs]
    faults = [f"{name}: only ffshare reads it" for name in our_names if name not in set(their_names)]
    faults += [f"{name}: only openff-toolkit reads it" for name in their_names if name not in set(our_names)]
    if faults:
        common = set(our_names) & set(their_names)
        kept = [idx for idx, name in enumerate(our_names) if name in common]
        batch = GraphBatch.from_molecules([batch.molecules[idx] for idx in kept], [batch.names[idx] for idx in kept])
        theirs = [molecule for molecule in theirs if molecule.name in common]
    if list(batch.names) != [molecule.name for molecule in theirs]:
        faults.append("the order of the molecules differs")
    else:
        faults += [
            f"{molecule.name}: {what} differ"
            for idx, molecule in enumerate(theirs)
            for what in _unlike(batch, idx, molecule)
        ]
    return Reading(batch=batch, theirs=tuple(theirs), faults=tuple(faults))


@contextmanager
def quiet() -> Iterator[None]:
    """Neither RDKit nor openff-toolkit says on the console which molecules it cannot read."""
    logger = logging.getLogger("openff.toolkit")
    level = logger.level
    logger.setLevel(logging.CRITICAL)
    try:
        with rdBase.BlockLogs(), warnings.catch_warnings():
            warnings.simplefilter("ignore")
            yield
    finally:
        logger.setLevel(level)


def _read_sdf(path: Path) -> list[Any]:
    from openff.toolkit import Molecule  # optional

    with quiet():
        return list(Molecule.from_file(str(path), file_format="SDF", allow_undefined_stereo=True))


def _read_smiles(path: Path) -> list[Any]:
    from openff.toolkit import Molecule  # optional
    from openff.toolkit.utils.exceptions import OpenFFToolkitException

    found = []
    for line in path.read_text(encoding="utf-8").splitlines():
        text, name = line.split()
        read = Molecule.from_mapped_smiles if ":1]" in text else Molecule.from_smiles
        with quiet():
            try:
                molecule = read(text, allow_undefined_stereo=True)
            except (OpenFFToolkitException, ValueError):
                continue
        molecule.name = name
        found.append(molecule)
    return found


def _unlike(batch: GraphBatch, idx: int, theirs: Any) -> Sequence[str]:
    """What of one molecule the two programs read differently."""
    start, end = batch.atom_offsets[idx : idx + 2]
    edges = batch.bond_edges[(batch.sources[batch.bond_edges] >= start) & (batch.sources[batch.bond_edges] < end)]
    aromatic = batch.orders[edges] == 3
    bonds = zip((batch.sources[edges] - start).tolist(), (batch.targets[edges] - start).tolist(), strict=True)
    ours_and_theirs = {
        "elements": (batch.elements[start:end].tolist(), [atom.atomic_number for atom in theirs.atoms]),
        "charges": (batch.charges[start:end].tolist(), [int(atom.formal_charge.m) for atom in theirs.atoms]),
        "aromatic atoms": (batch.aromatic[start:end].tolist(), [atom.is_aromatic for atom in theirs.atoms]),
        "bonds": (
            sorted(zip(bonds, np.where(aromatic, 0, batch.orders[edges] // 2).tolist(), strict=True)),
            sorted(
                (
                    (min(bond.atom1_index, bond.atom2_index), max(bond.atom1_index, bond.atom2_index)),
                    0 if bond.is_aromatic else bond.bond_order,
                )
                for bond in theirs.bonds
            ),
        ),
    }
    return [what for what, (ours, others) in ours_and_theirs.items() if ours != others]
