"""MMFF94's look-up, one term at a time, with classes from RDKit and dictionaries of the published rows.

Only the files are shared with what is tested. Everything else is loops over RDKit atoms: the classes come from its
getters, rings from its substructure matcher, and the steps are written out.
"""

import csv
from itertools import permutations

from rdkit import Chem
from rdkit.Chem import rdForceFieldHelpers

from ffshare.data_files import data_directory

FILES = {"bonds": 3, "angles": 4, "torsions": 5, "out_of_plane": 4}
RINGS = {size: Chem.MolFromSmarts("*~1" + "~*" * (size - 1) + "~1") for size in (4, 5)}


def read(name, file):
    """The rows of a file as dictionaries."""
    own = file in ("torsions", "out_of_plane")
    path = data_directory("rules") / (name if own else "mmff94") / f"{file}.csv"
    lines = [line for line in path.read_text().splitlines() if not line.startswith("#")]
    return list(csv.DictReader(lines))


class Oracle:
    """Keys of the terms of molecules."""

    def __init__(self, name):
        self.variant = {"mmff94": "MMFF94", "mmff94s": "MMFF94s"}[name]
        self.keys = {
            file: {tuple(int(number) for number in list(row.values())[:width]) for row in read(name, file)}
            for file, width in FILES.items()
        }
        types = read(name, "types")
        self.levels = {int(row["type"]): [int(row[f"level{level}"]) for level in (2, 3, 4, 5)] for row in types}
        self.linear = {int(row["type"]) for row in types if row["linear"] == "1"}

    def of_molecule(self, molecule):
        """Id of the row of each bond, angle, torsion and out-of-plane bend; None where there is no row.

        Args:
            molecule: RDKit molecule with explicit hydrogens; it is kekulized.

        Returns:
            By section and atoms; nothing if the molecule cannot be typed.
        """
        self.molecule = molecule
        self.properties = rdForceFieldHelpers.MMFFGetMoleculeProperties(molecule, mmffVariant=self.variant)
        if self.properties is None:
            return {}
        self.types = [self.properties.GetMMFFAtomType(idx) for idx in range(molecule.GetNumAtoms())]
        self.rings = {
            size: [set(match) for match in molecule.GetSubstructMatches(ring)] for size, ring in RINGS.items()
        }
        found = {}
        for atom in molecule.GetAtoms():
            j = atom.GetIdx()
            around = [neighbour.GetIdx() for neighbour in atom.GetNeighbors()]
            for i in around:
                found["Bonds", (i, j)] = self.bond(i, j)
            for i, k in permutations(around, 2):
                found["Angles", (i, j, k)] = self.angle(i, j, k)
                for l in (next_one.GetIdx() for next_one in molecule.GetAtomWithIdx(k).GetNeighbors()):
                    if l not in (i, j):
                        found["ProperTorsions", (i, j, k, l)] = self.torsion(i, j, k, l)
            if len(around) == 3:
                for i, k, l in permutations(around):
                    found["ImproperTorsions", (i, j, k, l)] = self.out_of_plane(i, j, k, l)
        return found

    def bond(self, i, j):
        kind = self.properties.GetMMFFBondStretchParams(self.molecule, i, j)[0]
        key = (kind, *sorted((self.types[i], self.types[j])))
        return f"bond:{key[0]}:{key[1]}-{key[2]}" if key in self.keys["bonds"] else None

    def angle(self, i, j, k):
        kind = self.properties.GetMMFFAngleBendParams(self.molecule, i, j, k)[0]
        for level in range(4):
            first, last = sorted((self.levels[self.types[i]][level], self.levels[self.types[k]][level]))
            if (kind, first, self.types[j], last) in self.keys["angles"]:
                return f"angle:{kind}:{first}-{self.types[j]}-{last}"
        return None

    def torsion(self, i, j, k, l):
        if self.linear & {self.types[j], self.types[k]}:
            return "torsion:linear"
        first_class, second_class = self.torsion_classes(i, j, k, l)
        attempts = [(first_class, *pair) for pair in ((0, 0), (1, 3), (3, 1), (3, 3))]
        if first_class == 5 and second_class:
            attempts.remove((5, 3, 3))
        attempts += [(second_class, *pair) for pair in ((0, 0), (1, 3), (3, 1), (3, 3))]
        attempts.append((first_class, 3, 3))
        if self.types[j] > self.types[k] or (self.types[j] == self.types[k] and self.types[i] > self.types[l]):
            i, j, k, l = l, k, j, i
        for kind, of_i, of_l in attempts:
            row = self.levels[self.types[i]][of_i], self.types[j], self.types[k], self.levels[self.types[l]][of_l]
            for one in (row, row[::-1]):
                if (kind, *one) in self.keys["torsions"]:
                    return f"torsion:{kind}:{'-'.join(map(str, one))}"
        return None

    def torsion_classes(self, i, j, k, l):
        def bond_class(first, second):
            return self.properties.GetMMFFBondStretchParams(self.molecule, first, second)[0]

        def bonded(first, second):
            return self.molecule.GetBondBetweenAtoms(first, second) is not None

        kind = bond_class(j, k)
        is_single = self.molecule.GetBondBetweenAtoms(j, k).GetBondType() == Chem.BondType.SINGLE
        if kind == 0 and is_single and (bond_class(i, j) or bond_class(k, l)):
            kind = 2
        if bonded(i, l):
            return (kind, 0) if bonded(i, k) or bonded(j, l) else (4, kind)
        in_five = any({i, j, k, l} <= ring for ring in self.rings[5] if len(self.path(ring, i, j, k, l)) == 1)
        if in_five and 1 in {self.types[atom] for atom in (i, j, k, l)}:
            return 5, kind
        return kind, 0

    def path(self, ring, i, j, k, l):
        """Atoms of a five-membered ring that close the path i–j–k–l."""
        return [
            atom
            for atom in ring - {i, j, k, l}
            if self.molecule.GetBondBetweenAtoms(atom, i) and self.molecule.GetBondBetweenAtoms(atom, l)
        ]

    def out_of_plane(self, i, j, k, l):
        for level in range(4):
            outer = sorted(self.levels[self.types[atom]][level] for atom in (i, k, l))
            if (outer[0], self.types[j], outer[1], outer[2]) in self.keys["out_of_plane"]:
                return f"oop:{outer[0]}-{self.types[j]}-{outer[1]}-{outer[2]}"
        return None
