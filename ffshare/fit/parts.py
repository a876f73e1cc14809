"""Some molecules of an assignment: what is streamed is cut into parts, and what is fitted is some of the molecules.

The tables stay as they are, so that the parameters of a part are numbered as those of the whole.
"""

from collections.abc import Mapping
from dataclasses import replace

import numpy as np
from numpy.typing import NDArray

from ffshare.assign import COMPLETE_SECTIONS, Assignment
from ffshare.assign.sites import Coded, Sites
from ffshare.molecules import GraphBatch
from ffshare.molecules.ragged import IntArray


def part_of(assignment: Assignment, molecule_idxs: IntArray) -> Assignment:
    """The assignment of some of its molecules.

    Args:
        assignment: The whole.
        molecule_idxs: Molecules of its batch, ascending, shape=(n,).

    Returns:
        Molecules and atoms counted from the first of these; the same tables.

    Example:
        >>> import ffshare
        >>> whole = ffshare.load_scheme("openff-2.2.1").assign(ffshare.from_smiles("O", "CC", "N"))
        >>> part_of(whole, np.array([0, 2]))
        Assignment(openff-2.2.1: 2 molecules, 25 sites, 0 without a rule)
    """
    batch, chosen = assignment.batch, molecule_idxs.tolist()
    part = GraphBatch.from_molecules(
        [batch.molecules[idx] for idx in chosen],
        names=[batch.names[idx] for idx in chosen],
        input_idxs=[int(batch.input_idxs[idx]) for idx in chosen],
    )
    numbers = np.full(batch.n_molecules, -1)
    numbers[molecule_idxs] = np.arange(len(chosen))
    shifts = np.zeros(batch.n_molecules, dtype=np.int64)
    shifts[molecule_idxs] = part.atom_offsets[:-1] - batch.atom_offsets[molecule_idxs]
    found = sites_of(assignment.sites, molecule_idxs)
    return replace(
        assignment,
        batch=part,
        sites={name: _sites(sites, found[name], numbers, shifts) for name, sites in assignment.sites.items()},
        frustrated=tuple(int(numbers[idx]) for idx in assignment.frustrated if numbers[idx] >= 0),
    )


def sites_of(sites: Mapping[str, Sites], molecule_idxs: IntArray) -> dict[str, IntArray]:
    """The sites of some molecules.

    Args:
        sites: Sites by section.
        molecule_idxs: Molecules, ascending, shape=(n,).

    Returns:
        Indices of their sites, ascending, by section.
    """
    found = {}
    for name, each in sites.items():
        starts = np.searchsorted(each.molecule_idxs, molecule_idxs)
        stops = np.searchsorted(each.molecule_idxs, molecule_idxs, side="right")
        ranges = [np.arange(start, stop) for start, stop in zip(starts.tolist(), stops.tolist(), strict=True)]
        found[name] = np.concatenate([np.zeros(0, dtype=np.int64), *ranges])
    return found


def atoms_of(batch: GraphBatch, molecule_idxs: IntArray) -> IntArray:
    """The atoms of some molecules, without a look at the others.

    Args:
        batch: The molecules.
        molecule_idxs: Some of them, ascending, shape=(n,).

    Returns:
        Indices of their atoms, ascending.
    """
    starts, stops = batch.atom_offsets[molecule_idxs].tolist(), batch.atom_offsets[molecule_idxs + 1].tolist()
    return np.concatenate([np.zeros(0, dtype=np.int64), *map(np.arange, starts, stops)])


def uncovered(assignment: Assignment) -> IntArray:
    """The molecules with a bonded term or an atom that no rule matches, ascending.

    Args:
        assignment: Any assignment.

    Returns:
        Molecules of its batch.
    """
    missing = [
        sites.molecule_idxs[sites.rule_idxs < 0]
        for section, sites in assignment.sites.items()
        if section in COMPLETE_SECTIONS
    ]
    return np.unique(np.concatenate([np.zeros(0, dtype=np.int64), *missing]))


def _sites(sites: Sites, chosen: IntArray, numbers: IntArray, shifts: IntArray) -> Sites:
    molecules, atoms = sites.molecule_idxs[chosen], sites.atom_idxs[chosen]
    return Sites(
        atom_idxs=np.where(atoms < 0, -1, atoms + shifts[molecules][:, None]),
        molecule_idxs=numbers[molecules],
        rule_idxs=sites.rule_idxs[chosen],
        patterns=_coded(sites.patterns, chosen),
        fallbacks=_coded(sites.fallbacks, chosen),
        weights=_floats(sites.weights, chosen),
    )


def _coded(coded: Coded | None, chosen: IntArray) -> Coded | None:
    return None if coded is None else Coded(idxs=coded.idxs[chosen], texts=coded.texts)


def _floats(values: NDArray[np.float64] | None, chosen: IntArray) -> NDArray[np.float64] | None:
    return None if values is None else values[chosen]
