"""The energy of a molecule from an assignment, by loops: the plain way, to compare with."""

import math

import numpy as np


def dihedral(points):
    """The dihedral angle of four points [rad]."""
    a, b, c, d = points
    axis = (c - b) / np.linalg.norm(c - b)
    first, second = (a - b) - ((a - b) @ axis) * axis, (d - c) - ((d - c) @ axis) * axis
    return math.atan2(np.cross(axis, first) @ second, first @ second)


def angle(points):
    """The angle of three points at the middle one [rad]."""
    first, second = points[0] - points[1], points[2] - points[1]
    return math.atan2(np.linalg.norm(np.cross(first, second)), first @ second)


def _values(table, rule):
    """The values of a rule by column, each a list over its terms."""
    return {name: column.values[column.rule_idxs == rule] for name, column in table.columns.items()}


def energies(assignment, coordinates):
    """Energies of the first molecule of an assignment by section [kcal/mol].

    Bonds and angles are harmonic, torsions and impropers cosines over the stored order of atoms, and van der Waals the
    sum of the pairs of atoms that three bonds or more divide, without the scaling of 1–4 pairs.

    Args:
        assignment: Assignment of an atom-typed scheme.
        coordinates: Positions [Å], shape=(n_atoms, 3).
    """
    found = dict.fromkeys(assignment.sites, 0.0)
    measure = {
        "Bonds": lambda points: np.linalg.norm(points[0] - points[1]),
        "Angles": angle,
        "ProperTorsions": dihedral,
        "ImproperTorsions": dihedral,
    }
    for section in measure:
        sites, table = assignment.sites[section], assignment.tables[section]
        known = {}
        for place, (row, rule) in enumerate(zip(sites.atom_idxs.tolist(), sites.rule_idxs.tolist(), strict=True)):
            if rule < 0:
                continue
            values = known.setdefault(rule, _values(table, rule))
            x = measure[section](coordinates[row])
            if section in ("Bonds", "Angles"):
                rest = values["length" if section == "Bonds" else "angle"][0]
                found[section] += 0.5 * values["k"][0] * (x - rest) ** 2
            else:
                weight = 1.0 if sites.weights is None else sites.weights[place]
                terms = zip(*(values[name] for name in ("k", "periodicity", "phase", "idivf")), strict=True)
                found[section] += weight * sum(
                    k / divisor * (1.0 + math.cos(n * x - phase)) for k, n, phase, divisor in terms
                )
    return found
