"""Energies computed from rows, units, potentials and orders of atoms as the tables say, against RDKit's force field."""

from collections import deque

import numpy as np
import pytest
from rdkit.Chem import rdDistGeom, rdForceFieldHelpers

import ffshare
from ffshare.assign.mmff.typing import type_batch

SMILES = [
    "Cc1ccccc1O",
    "C=CC=CC(=O)NC",
    "C1CC1C1CCC1",
    "CC#CCN=[N+]=[N-]",
    "CS(=O)(=O)Nc1ncc[nH]1",
    "OC[C@H]1O[C@@H](O)[C@H](O)C1",
    "CC(=O)[O-]",
    "C[NH2+]CCS",
    "NCl",
]
TERMS = ("Bond", "Angle", "StretchBend", "Torsion", "Oop", "VdW", "Ele")
TERM_OF = {
    "Bonds": "Bond",
    "Angles": "Angle",
    "StretchBends": "StretchBend",
    "ProperTorsions": "Torsion",
    "ImproperTorsions": "Oop",
    "vdW": "VdW",
}
LINEAR = {"CSP", "=N=", "NR%"}


def unit(vectors):
    return vectors / np.linalg.norm(vectors, axis=-1, keepdims=True)


def angle(places, i, j, k):
    return np.arccos(np.sum(unit(places[i] - places[j]) * unit(places[k] - places[j]), axis=-1))


def column(assignment, section, name, term=0):
    """The value of each site, 0 where its rule has none."""
    table, rules = assignment.tables[section], assignment.sites[section].rule_idxs
    found = table.columns[name]
    values = np.zeros(len(table))
    chosen = found.terms == term
    values[found.rule_idxs[chosen]] = found.values[chosen]
    return values[rules]


def bonds(assignment, places, linear):
    i, j = assignment.sites["Bonds"].atom_idxs.T
    k, d = (
        column(assignment, "Bonds", "k"),
        np.linalg.norm(places[i] - places[j], axis=1) - column(assignment, "Bonds", "length"),
    )
    return np.sum(k / 2 * d**2 * (1 - 2 * d + 7 / 3 * d**2))


def angles(assignment, places, linear):
    i, j, k = assignment.sites["Angles"].atom_idxs.T
    theta = angle(places, i, j, k)
    d = theta - column(assignment, "Angles", "angle")
    bent = d**2 / 2 * (1 - 0.4 * d)
    return np.sum(column(assignment, "Angles", "k") * np.where(linear[j], 1 + np.cos(theta), bent))


def stretch_bends(assignment, places, linear):
    rest = {}
    for section, name in (("Bonds", "length"), ("Angles", "angle")):
        for row, value in zip(
            assignment.sites[section].atom_idxs.tolist(), column(assignment, section, name).tolist(), strict=True
        ):
            rest[tuple(row)] = rest[tuple(row[::-1])] = value
    i, j, k = assignment.sites["StretchBends"].atom_idxs.T
    rows = assignment.sites["StretchBends"].atom_idxs.tolist()
    length = np.linalg.norm(places[i] - places[j], axis=1) - [rest[a, b] for a, b, _ in rows]
    bend = angle(places, i, j, k) - [rest[tuple(row)] for row in rows]
    return np.sum(column(assignment, "StretchBends", "k") * length * bend)


def torsions(assignment, places, linear):
    has_terms = column(assignment, "ProperTorsions", "periodicity") > 0
    i, j, k, l = assignment.sites["ProperTorsions"].atom_idxs[has_terms].T
    first, axis, second = places[j] - places[i], places[k] - places[j], places[l] - places[k]
    normals = unit(np.cross(first, axis)), unit(np.cross(axis, second))
    phi = np.arccos(np.clip(np.sum(normals[0] * normals[1], axis=-1), -1, 1))
    energy = 0.0
    for term in range(3):
        k_term, periodicity, phase = (
            column(assignment, "ProperTorsions", name, term)[has_terms] for name in ("k", "periodicity", "phase")
        )
        energy += np.sum(k_term * (1 + np.cos(periodicity * phi - phase)))
    return energy


def out_of_plane(assignment, places, linear):
    i, j, k, l = assignment.sites["ImproperTorsions"].atom_idxs.T
    normal = unit(np.cross(places[i] - places[j], places[k] - places[j]))
    chi = np.arcsin(np.sum(normal * unit(places[l] - places[j]), axis=-1))
    return np.sum(column(assignment, "ImproperTorsions", "k") / 2 * chi**2)


def van_der_waals(assignment, places, linear):
    table, rules = assignment.tables["vdW"], assignment.sites["vdW"].rule_idxs
    power, b, beta, darad, daeps = (float(table.settings[name]) for name in ("power", "B", "beta", "darad", "daeps"))
    alpha, n, a, g = (column(assignment, "vdW", name) for name in ("alpha", "n_effective", "a", "g"))
    kind = np.array([table.attributes[rule]["donor_acceptor"] for rule in rules.tolist()])
    radius = a * alpha**power
    first, second = np.array([pair for pair in np.ndindex(len(rules), len(rules)) if pair[0] < pair[1]]).T
    far = distances_in_bonds(assignment.batch)[first, second] > 2
    first, second = first[far], second[far]
    gamma = (radius[first] - radius[second]) / (radius[first] + radius[second])
    has_donor = (kind[first] == "D") | (kind[second] == "D")
    size = (radius[first] + radius[second]) / 2 * (1 + np.where(has_donor, 0, b * (1 - np.exp(-beta * gamma**2))))
    depth = 181.16 * g[first] * g[second] * alpha[first] * alpha[second] / size**6
    depth /= np.sqrt(alpha[first] / n[first]) + np.sqrt(alpha[second] / n[second])
    bound = ((kind[first] == "D") & (kind[second] == "A")) | ((kind[first] == "A") & (kind[second] == "D"))
    size, depth = np.where(bound, darad * size, size), np.where(bound, daeps * depth, depth)
    r = np.linalg.norm(places[first] - places[second], axis=1)
    return np.sum(depth * (1.07 * size / (r + 0.07 * size)) ** 7 * (1.12 * size**7 / (r**7 + 0.12 * size**7) - 2))


def distances_in_bonds(batch):
    distances = np.full((batch.n_atoms, batch.n_atoms), 99)
    for start in range(batch.n_atoms):
        distances[start, start] = 0
        queue = deque([start])
        while queue:
            atom = queue.popleft()
            for other in batch.targets[batch.row_offsets[atom] : batch.row_offsets[atom + 1]].tolist():
                if distances[start, other] == 99:
                    distances[start, other] = distances[start, atom] + 1
                    queue.append(other)
    return distances


ENERGIES = {
    "Bonds": bonds,
    "Angles": angles,
    "StretchBends": stretch_bends,
    "ProperTorsions": torsions,
    "ImproperTorsions": out_of_plane,
    "vdW": van_der_waals,
}


@pytest.mark.parametrize("smiles", SMILES)
def test_every_section_has_the_energy_of_rdkits_force_field(scheme, smiles):
    batch = ffshare.from_smiles(smiles)
    assignment = scheme.assign(batch)
    (typed,) = type_batch(batch, {"mmff94": "MMFF94", "mmff94s": "MMFF94s"}[scheme.name]).molecules
    assert rdDistGeom.EmbedMolecule(typed.molecule, randomSeed=7) == 0
    places = typed.molecule.GetConformer().GetPositions()
    linear = np.array([scheme.symbols[number] in LINEAR for number in scheme.types(batch).tolist()])
    for section, energy in ENERGIES.items():
        for term in TERMS:
            getattr(typed.properties, f"SetMMFF{term}Term")(term == TERM_OF[section])
        field = rdForceFieldHelpers.MMFFGetMoleculeForceField(typed.molecule, typed.properties, nonBondedThresh=1e3)
        assert energy(assignment, places, linear) == pytest.approx(field.CalcEnergy(), rel=1e-5, abs=1e-6), section
