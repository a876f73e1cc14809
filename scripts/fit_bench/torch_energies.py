"""Bonded energies of one molecule in torch, batched over its conformers, from parameters that are fed to its sites.

Written from the formulas alone, so that it checks ffshare as well. Positions are (3, n_atoms, n_conformers).
"""

from collections.abc import Sequence
from typing import NamedTuple

import numpy as np
import torch
from torch import Tensor

from ffshare.assign import Assignment
from ffshare.fit import LeftOut, Parameters
from ffshare.model.interactions import torsion_values

ORDERS = {"ProperTorsions": ((0, 1, 2, 3),), "ImproperTorsions": ((1, 0, 2, 3), (1, 2, 3, 0), (1, 3, 0, 2))}


def as_tensor(values: np.ndarray) -> Tensor:
    """A tensor of its own."""
    return torch.as_tensor(np.array(values, order="C"))


class Places(NamedTuple):
    """Where the terms of a molecule are, and which parameters feed them."""

    bonds: Tensor
    angles: Tensor
    dihedrals: Tensor
    dihedral_of_wave: Tensor
    """Dihedral of each cosine term."""
    periodicities: Tensor
    phases: Tensor
    own: np.ndarray
    """The parameters that the molecule has, among those that are fitted."""
    rows: np.ndarray
    """Number fed: k and x0 of the bonds, of the angles, k of the cosine terms."""
    columns: np.ndarray
    """Place in `own` of the parameter that feeds it."""
    coefs: np.ndarray
    n_fed: int


def places_of(assignment: Assignment, parameters: Parameters, left_out: Sequence[LeftOut], molecule_idx: int) -> Places:
    """The terms of one molecule of an assignment, without the torsions that are left out."""
    numbers = {key: idx for idx, key in enumerate(parameters.keys)}
    first_atom = assignment.batch.atom_offsets[molecule_idx]
    without = {(each.section, each.atom_idxs) for each in left_out if each.molecule_idx == molecule_idx}
    rows, columns, coefs, atoms, n_fed = [], [], [], {}, 0

    def feed(section: str, column: str, entries: np.ndarray) -> None:
        nonlocal n_fed
        ties = assignment.tying(section, column)
        fed = ties.matrix.tocsr()[entries].tocoo()
        rows.append(n_fed + fed.coords[0])
        columns.append(np.array([numbers.get(key, -1) for key in ties.keys])[fed.coords[1]])
        coefs.append(fed.data)
        n_fed += len(entries)

    for section, rest in (("Bonds", "length"), ("Angles", "angle")):
        sites = assignment.sites[section]
        mine = np.flatnonzero(sites.molecule_idxs == molecule_idx)
        atoms[section] = sites.atom_idxs[mine] - first_atom
        feed(section, "k", mine)
        feed(section, rest, mine)
    dihedrals, waves, periodicities, phases, n_dihedrals = [np.zeros((0, 4), int)], [], [], [], 0
    for section, orders in ORDERS.items():
        sites, values = assignment.sites[section], torsion_values(assignment, section)
        mine = np.flatnonzero(sites.molecule_idxs == molecule_idx)
        kept = [s for s in mine if (section, tuple((sites.atom_idxs[s] - first_atom).tolist())) not in without]
        place = np.full(len(sites), -1)
        place[kept] = np.arange(len(kept))
        of_entry, terms = np.nonzero(values.periodicities > 0)
        entries = np.flatnonzero(place[of_entry] >= 0)
        for order in orders:
            dihedrals.append(sites.atom_idxs[kept][:, list(order)] - first_atom)
            waves.append(n_dihedrals + place[of_entry[entries]])
            periodicities.append(values.periodicities[of_entry[entries], terms[entries]])
            phases.append(values.phases[of_entry[entries], terms[entries]])
            n_dihedrals += len(kept)
            feed(section, "k", entries)
    own, local = np.unique(np.concatenate(columns), return_inverse=True)
    if own.min(initial=0) < 0:
        raise SystemExit(f"molecule {molecule_idx} has a parameter that is not fitted")
    return Places(
        bonds=as_tensor(atoms["Bonds"].T),
        angles=as_tensor(atoms["Angles"].T),
        dihedrals=as_tensor(np.concatenate(dihedrals).T),
        dihedral_of_wave=as_tensor(np.concatenate(waves)),
        periodicities=as_tensor(np.concatenate(periodicities).astype(np.float64))[:, None],
        phases=as_tensor(np.concatenate(phases))[:, None],
        own=own,
        rows=np.concatenate(rows),
        columns=local,
        coefs=np.concatenate(coefs),
        n_fed=n_fed,
    )


def coordinates(places: Places, x: Tensor) -> tuple[Tensor, Tensor, Tensor]:
    """Lengths [Å], angles and dihedrals [rad], shape=(n, n_conformers) each."""
    bonds = x[:, places.bonds[1]] - x[:, places.bonds[0]]
    middle = x[:, places.angles[1]]
    u, v = x[:, places.angles[0]] - middle, x[:, places.angles[2]] - middle
    across = _cross(u, v)
    b, c = x[:, places.dihedrals[1]], x[:, places.dihedrals[2]]
    f, g, h = x[:, places.dihedrals[0]] - b, b - c, x[:, places.dihedrals[3]] - c
    one, two = _cross(f, g), _cross(h, g)
    return (
        _dot(bonds, bonds).sqrt(),
        torch.atan2(_dot(across, across).sqrt(), _dot(u, v)),
        torch.atan2(_dot(_cross(two, one), g) / _dot(g, g).sqrt(), _dot(one, two)),
    )


def energies(places: Places, internal: tuple[Tensor, Tensor, Tensor], fed: Tensor) -> Tensor:
    """Energies [kcal/mol], shape=(n_conformers,).

    Args:
        places: Where the terms are.
        internal: Lengths, angles and dihedrals.
        fed: Numbers of the terms, shape=(n_fed, n_conformers) or (n_fed, 1).
    """
    lengths, angles, dihedrals = internal
    sizes = [len(lengths)] * 2 + [len(angles)] * 2
    k, rest, k_angle, rest_angle, barriers = torch.split(fed, [*sizes, len(fed) - sum(sizes)])
    waves = places.periodicities * dihedrals[places.dihedral_of_wave] - places.phases
    return (
        0.5 * (k * (lengths - rest) ** 2).sum(0)
        + 0.5 * (k_angle * (angles - rest_angle) ** 2).sum(0)
        + (barriers * (1.0 + torch.cos(waves))).sum(0)
    )


def _cross(a: Tensor, b: Tensor) -> Tensor:
    return torch.stack([a[1] * b[2] - a[2] * b[1], a[2] * b[0] - a[0] * b[2], a[0] * b[1] - a[1] * b[0]])


def _dot(a: Tensor, b: Tensor) -> Tensor:
    return (a * b).sum(0)
