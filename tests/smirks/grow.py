"""Random SMARTS grown from real molecules, so that most of them match something.

A random connected piece of a molecule is written as a pattern: every atom as a random query that is mostly true of it,
every bond likewise. Recursive parts are grown from the atom that they stand on. Some texts are then mutated.

Where chance decides, small numbers lead to the simpler text, so that hypothesis can shrink what fails.
"""

import random
import re
from collections.abc import Callable

from rdkit import Chem, rdBase

_ELEMENTS = (1, 5, 6, 7, 8, 9, 15, 16, 17, 30, 35)
_ALIPHATIC = {5: "B", 6: "C", 7: "N", 8: "O", 9: "F", 15: "P", 16: "S", 17: "Cl", 35: "Br", 53: "I"}
_ALPHABET = "[]()$!&,;#123456780@+-=~:/\\.*CNOScnoAaXDHhvxRrzZkd^{}"
_BONDS = (
    "-",
    "=",
    "#",
    ":",
    "~",
    "@",
    "!@",
    "-,=",
    "-;@",
    "-;!@",
    "=,:",
    "!-",
    "!=",
    "!:",
    "!~",
    "-,:;@",
    "!@;-,=",
    "$",
    "->",
)
_ORDERS = {
    1.0: ("-", "", "-,=", "!=", "!#"),
    1.5: (":", "", "=,:", "!-"),
    2.0: ("=", "-,=", "!-", "=,#"),
    3.0: ("#", "!-", "=,#"),
}
# Texts to try before a plain pattern has to do.
_ATTEMPTS = 50


def _n_neighbors(atom: Chem.Atom, fits: Callable[[Chem.Atom], bool]) -> int:
    return sum(fits(other) for other in atom.GetNeighbors())


def _is_hetero(atom: Chem.Atom) -> bool:
    return atom.GetAtomicNum() not in (1, 6)


def _rings(atom: Chem.Atom) -> Chem.RingInfo:
    return atom.GetOwningMol().GetRingInfo()


# Numbered primitive to its value for an atom.
_NUMBERED: dict[str, Callable[[Chem.Atom], int]] = {
    "#": lambda atom: atom.GetAtomicNum(),
    "X": lambda atom: atom.GetDegree(),
    "D": lambda atom: atom.GetDegree(),
    "H": lambda atom: atom.GetTotalNumHs(includeNeighbors=True),
    "h": lambda atom: 0,
    "v": lambda atom: atom.GetTotalValence(),
    "x": lambda atom: sum(bond.IsInRing() for bond in atom.GetBonds()),
    "R": lambda atom: _rings(atom).NumAtomRings(atom.GetIdx()),
    "r": lambda atom: _rings(atom).MinAtomRingSize(atom.GetIdx()),
    "k": lambda atom: _rings(atom).MinAtomRingSize(atom.GetIdx()) or 3,
    "z": lambda atom: _n_neighbors(atom, _is_hetero),
    "Z": lambda atom: _n_neighbors(atom, lambda other: _is_hetero(other) and not other.GetIsAromatic()),
    "d": lambda atom: _n_neighbors(atom, lambda other: other.GetAtomicNum() != 1),
    "^": lambda atom: max(0, int(atom.GetHybridization()) - 1),
}
_WITH_RANGES = "XDhvxRrkzZd"
_BARE = ("*", "A", "a", "X", "D", "H", "h", "v", "x", "R", "r", "k", "z", "Z", "d", "+", "-", "C", "c", "N", "n", "!*")


class Grower:
    """Grows patterns from one molecule."""

    def __init__(self, rng: random.Random, molecule: Chem.Mol) -> None:
        self._rng, self._molecule = rng, molecule
        self._next_ring = 1

    def pattern(self, n_atoms: int, depth: int = 2, start: int | None = None) -> str:
        """A pattern of up to some atoms; recursive parts are nested up to some depth."""
        rng, molecule = self._rng, self._molecule
        root = rng.randrange(molecule.GetNumAtoms()) if start is None else start
        chosen, tree = [root], {root: []}
        while len(chosen) < n_atoms:
            edges = [
                (atom, other.GetIdx())
                for atom in chosen
                for other in molecule.GetAtomWithIdx(atom).GetNeighbors()
                if other.GetIdx() not in tree
            ]
            if not edges:
                break
            source, target = rng.choice(edges)
            tree[source].append(target)
            tree[target] = []
            chosen.append(target)
        closures: dict[int, list[str]] = {atom: [] for atom in chosen}
        for bond in molecule.GetBonds():
            ends = bond.GetBeginAtomIdx(), bond.GetEndAtomIdx()
            in_tree = ends[1] in tree.get(ends[0], ()) or ends[0] in tree.get(ends[1], ())
            if all(end in tree for end in ends) and not in_tree and rng.random() < 0.8:
                number = f"%{self._next_ring + 9}" if rng.random() > 0.9 else str(self._next_ring % 10)
                self._next_ring += 1
                # Either end of a ring closure may carry the query of its bond.
                closures[ends[0]].append((self._bond(bond) if rng.random() > 0.5 else "") + number)
                closures[ends[1]].append((self._bond(bond) if rng.random() > 0.9 else "") + number)
        return self._written(root, tree, closures, depth)

    def _written(self, atom: int, tree: dict[int, list[int]], closures: dict[int, list[str]], depth: int) -> str:
        text = self._atom(self._molecule.GetAtomWithIdx(atom), depth) + "".join(closures[atom])
        for place, child in enumerate(tree[atom]):
            bond = self._bond(self._molecule.GetBondBetweenAtoms(atom, child))
            branch = bond + self._written(child, tree, closures, depth)
            text += branch if place == len(tree[atom]) - 1 and self._rng.random() < 0.9 else f"({branch})"
        return text

    def _bond(self, bond: Chem.Bond) -> str:
        rng = self._rng
        kind = rng.random()
        if kind > 0.9:
            return rng.choice(_BONDS)
        if kind > 0.7:
            return "~"
        if kind > 0.6:
            return "@" if bond.IsInRing() else "!@"
        text = rng.choice(_ORDERS.get(bond.GetBondTypeAsDouble(), ("~",)))
        if text in ("-", "") and rng.random() > 0.85:
            return rng.choice("/\\")
        if text and rng.random() > 0.8:
            return text + (";@" if bond.IsInRing() else ";!@")
        return text

    def _atom(self, atom: Chem.Atom, depth: int) -> str:
        rng = self._rng
        if rng.random() < 0.25:
            symbol = _ALIPHATIC.get(atom.GetAtomicNum(), "*")
            return symbol.lower() if atom.GetIsAromatic() and symbol != "*" else symbol
        text = self._expression(atom, depth)
        if rng.random() > 0.9:
            text += rng.choice(("@", "@@", "@H", "@@H", "&@", ";@@"))
        if rng.random() > 0.8:
            text += f":{rng.randint(1, 4)}"
        return f"[{text}]"

    def _expression(self, atom: Chem.Atom, depth: int) -> str:
        rng = self._rng
        text = self._term(atom, depth)
        while rng.random() > 0.55:
            joint = rng.choice(("&", ";", "", ",", ",", ";"))
            # An alternative may be false.
            text += joint + (self._term(atom, depth) if joint != "," else self._term(rng.choice(self._atoms()), depth))
        return text

    def _atoms(self) -> list[Chem.Atom]:
        return list(self._molecule.GetAtoms())

    def _term(self, atom: Chem.Atom, depth: int) -> str:
        rng = self._rng
        kind = rng.random()
        if kind > 0.8:
            return self._false(depth)
        if kind > 0.68 and depth:
            return f"$({self.pattern(rng.randint(1, 4), depth - 1, start=atom.GetIdx())})"
        return self._true(atom)

    def _false(self, depth: int) -> str:
        """Something that is likely false of an atom, negated."""
        other = self._rng.choice(self._atoms())
        if depth and self._rng.random() > 0.7:
            return f"!$({self.pattern(self._rng.randint(1, 3), depth - 1, start=other.GetIdx())})"
        return f"!{self._true(other)}"

    def _true(self, atom: Chem.Atom) -> str:
        rng = self._rng
        kind = rng.random()
        if kind < 0.25:
            return f"#{atom.GetAtomicNum()}"
        if kind < 0.35:
            return "a" if atom.GetIsAromatic() else "A"
        if kind < 0.45:
            charge = atom.GetFormalCharge()
            return rng.choice((f"{charge:+d}", "+" * charge or "-" * -charge or "+0", f"+{{{charge}-{charge + 1}}}"))
        if kind < 0.5:
            return rng.choice((f"{atom.GetIsotope()}*", f"{atom.GetIsotope()}#{atom.GetAtomicNum()}"))
        if kind < 0.6:
            return rng.choice(_BARE)
        name = rng.choice(list(_NUMBERED))
        value = _NUMBERED[name](atom) if rng.random() < 0.9 else rng.randint(0, 8)
        if name in _WITH_RANGES and rng.random() > 0.8:
            low, high = max(0, value - rng.randint(0, 2)), value + rng.randint(0, 2)
            return name + rng.choice((f"{{{low}-{high}}}", f"{{{low}-}}", f"{{-{high}}}"))
        return f"{name}{value}"


def mutated(rng: random.Random, smarts: str) -> str:
    """The text with one character dropped, doubled, changed or put in."""
    place = rng.randrange(len(smarts))
    middle = rng.choice(("", smarts[place] * 2, rng.choice(_ALPHABET), rng.choice(_ALPHABET) + smarts[place]))
    return smarts[:place] + middle + smarts[place + 1 :]


def grown(rng: random.Random, molecule: Chem.Mol, fewest: int = 1) -> str:
    """A random SMARTS that RDKit parses, grown from a molecule with explicit hydrogens.

    Args:
        rng: The source of chance.
        molecule: The molecule.
        fewest: Atoms that the pattern has at least, where the molecule has them and no mutation takes them.
    """
    with rdBase.BlockLogs():
        for _ in range(_ATTEMPTS):
            n_atoms = max(fewest, rng.choice((1, 2, 2, 3, 3, 4, 4, 5, 6, 8)))
            smarts = Grower(rng, molecule).pattern(n_atoms)
            if rng.random() > 0.9:
                smarts += "." + Grower(rng, molecule).pattern(rng.randint(1, 2))
            while rng.random() > 0.85:
                smarts = mutated(rng, smarts) or "*"
            if _is_fit(smarts):
                return smarts
    return "~".join("*" * fewest)


def _is_fit(smarts: str) -> bool:
    # Every further component multiplies the number of matches by that of the atoms.
    if smarts.count(".") > 1 or " " in smarts or ">" in smarts.replace("->", ""):
        return False
    query = Chem.MolFromSmarts(smarts)
    return query is not None and query.GetNumAtoms() > 0


def grown_rule(rng: random.Random, molecule: Chem.Mol, n_tags: int) -> str:
    """A random SMIRKS with some tags, mostly on a path of bonded atoms, sometimes on any atoms at all."""
    for _ in range(_ATTEMPTS):
        query = Chem.MolFromSmarts(re.sub(r":\d+(?=\])", "", grown(rng, molecule, n_tags)))
        if query is None or query.GetNumAtoms() < n_tags:
            continue
        chosen = _path(rng, query, n_tags) if rng.random() < 0.8 else rng.sample(range(query.GetNumAtoms()), n_tags)
        for tag, atom in enumerate(chosen, start=1):
            query.GetAtomWithIdx(atom).SetAtomMapNum(tag)
        try:
            with rdBase.BlockLogs():
                smirks = Chem.MolToSmarts(query)
                written = Chem.MolFromSmarts(smirks)
        except (ValueError, RuntimeError):  # RDKit reads more than it can write
            continue
        if len(chosen) == n_tags and written is not None and smirks.count(".") < 2:
            return smirks
    return "~".join(f"[*:{tag}]" for tag in range(1, n_tags + 1))


def _path(rng: random.Random, query: Chem.Mol, n_atoms: int) -> list[int]:
    """Atoms of a pattern of which each is bonded to one before it: to the last one mostly."""
    path = [rng.randrange(query.GetNumAtoms())]
    while len(path) < n_atoms:
        for source in ([path[-1]], path):
            following = sorted(
                {n.GetIdx() for atom in source for n in query.GetAtomWithIdx(atom).GetNeighbors()} - set(path)
            )
            if following:
                path.append(rng.choice(following))
                break
        else:
            return path
    return path
