"""Energies of a molecule by plain loops over what the tables of a SMIRNOFF scheme say: slow and obvious."""

import math

import numpy as np
from rdkit import Chem

COULOMB = 332.06371329919216
RMIN_HALF_OF_SIGMA = 2 ** (1 / 6) / 2


def length(points):
    return float(np.linalg.norm(points[0] - points[1]))


def angle(points):
    first, second = points[0] - points[1], points[2] - points[1]
    return math.acos(first @ second / np.linalg.norm(first) / np.linalg.norm(second))


def dihedral(points):
    """Angle between the planes of the first and of the last three points, with the sign of IUPAC."""
    a, b, c, d = points
    first, second = np.cross(b - a, c - b), np.cross(c - b, d - c)
    cosine = first @ second / np.linalg.norm(first) / np.linalg.norm(second)
    return math.copysign(math.acos(max(-1.0, min(1.0, cosine))), first @ (d - c))


def cosines(values, phi, divisor=1.0):
    terms = zip(values["k"], values["periodicity"], values["phase"], values["idivf"], strict=True)
    return sum(k / idivf / divisor * (1 + math.cos(n * phi - phase)) for k, n, phase, idivf in terms)


def energies(assignment, idx, positions, charges):
    """Energies by section of one molecule of an assignment of a SMIRNOFF scheme [kcal/mol].

    Args:
        assignment: The assignment.
        idx: The molecule.
        positions: Its conformer [Å], shape=(n_atoms, 3).
        charges: Its charges [e].
    """
    batch = assignment.batch
    found = dict.fromkeys(("Bonds", "Angles", "ProperTorsions", "ImproperTorsions", "vdW", "Electrostatics"), 0.0)

    def sites(section):
        table, of_section = assignment.tables[section], assignment.sites[section]
        for row in np.flatnonzero(of_section.molecule_idxs == idx).tolist():
            rule = int(of_section.rule_idxs[row])
            values = {name: column.values[column.rule_idxs == rule] for name, column in table.columns.items()}
            yield (of_section.atom_idxs[row] - batch.atom_offsets[idx]).tolist(), values

    for atoms, values in sites("Bonds"):
        found["Bonds"] += values["k"][0] / 2 * (length(positions[atoms]) - values["length"][0]) ** 2
    for atoms, values in sites("Angles"):
        found["Angles"] += values["k"][0] / 2 * (angle(positions[atoms]) - values["angle"][0]) ** 2
    for atoms, values in sites("ProperTorsions"):
        found["ProperTorsions"] += cosines(values, dihedral(positions[atoms]))
    for (i, centre, j, k), values in sites("ImproperTorsions"):
        # `idivf` is three where the file leaves it to be the third of each.
        for order in ((centre, i, j, k), (centre, j, k, i), (centre, k, i, j)):
            found["ImproperTorsions"] += cosines(values, dihedral(positions[list(order)]))
    radii, depths = {}, {}
    for (atom,), values in sites("vdW"):
        radii[atom] = values["rmin_half"][0] if len(values["rmin_half"]) else values["sigma"][0] * RMIN_HALF_OF_SIGMA
        depths[atom] = values["epsilon"][0]
    between = Chem.GetDistanceMatrix(batch.explicit_molecule(idx))
    for i in range(len(positions)):
        for j in range(i):
            if between[i, j] < 3:
                continue
            r, ratio = length(positions[[i, j]]), (radii[i] + radii[j]) / length(positions[[i, j]])
            is_14 = between[i, j] == 3
            depth = math.sqrt(depths[i] * depths[j])
            found["vdW"] += (0.5 if is_14 else 1.0) * depth * (ratio**12 - 2 * ratio**6)
            found["Electrostatics"] += (0.8333333333 if is_14 else 1.0) * COULOMB * charges[i] * charges[j] / r
    return found
