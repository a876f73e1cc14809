#!/usr/bin/env python3
"""Write a library of distinct molecules, as many as are asked for, joined from the molecules that ship.

    python scripts/make_library.py 1000000 [--seed 0] > library.smi

Every two of the fragments, drugs, alkanes, ethers and alcohols that ship are joined by a bond between two carbons that
carry a hydrogen each, in every way up to symmetry; a drug is not joined to a drug. The choices are numbered, and a
permutation of the numbers that the seed gives says which come first: a longer library of one seed begins with the
shorter one. Lines are written as text, a branch put behind an atom, without RDKit, at some 300,000 a second; a test
reads a sample of them back. Names are the numbers of the choices.
"""

import argparse
import math
import random
import re
import sys
from collections.abc import Iterator
from itertools import islice

from rdkit import Chem

from ffshare.data_files import data_directory

SMALL, LARGE = ("fragments.smi", "alkethoh.smi"), ("drugs.smi",)
# Ring-closure numbers of a branch, so that they are none of those open round it.
_FIRST_FREE = 50
_RING = re.compile(r"(\[[^\]]*\])|%(\d\d)|(\d)")
_ATOM = re.compile(r"^(c|C)((?:%\d\d|\d)*)(.*)$")


def joints(name: str) -> list[tuple[str, str, str]]:
    """Ways to hold the molecules of a file by one carbon with a hydrogen: the atom, its ring closures, and the rest."""
    found: dict[tuple[str, str, str], None] = {}
    for line in (data_directory("molecules") / name).read_text(encoding="utf-8").splitlines():
        molecule = Chem.MolFromSmiles(line.split()[0]) if line.strip() and not line.startswith("#") else None
        if molecule is None or "." in line.split()[0]:
            continue
        ranks = list(Chem.CanonicalRankAtoms(molecule, breakTies=False))
        first_of = {ranks[atom.GetIdx()]: atom for atom in reversed(molecule.GetAtoms())}
        for atom in first_of.values():
            if atom.GetSymbol() != "C" or not atom.GetTotalNumHs() or atom.GetFormalCharge():
                continue
            match = _ATOM.match(Chem.MolToSmiles(molecule, rootedAtAtom=atom.GetIdx()))
            if match:  # no bracket: nothing stereochemical hangs on it
                found[match.group(1), match.group(2), match.group(3)] = None
    return list(found)


def as_branch(joint: tuple[str, str, str]) -> str:
    """A molecule held by its first atom, its ring closures out of the way."""

    def shifted(match: re.Match[str]) -> str:
        if match.group(1):
            return match.group(1)
        return f"%{_FIRST_FREE + int(match.group(2) or match.group(3)):02d}"

    return _RING.sub(shifted, "".join(joint))


def library(seed: int) -> Iterator[tuple[str, int]]:
    """SMILES of the library and the numbers of the choices, without end but that of the choices."""
    small = [joint for name in SMALL for joint in joints(name)]
    every = small + [joint for name in LARGE for joint in joints(name)]
    branches = [as_branch(joint) for joint in small]
    n_choices = len(every) * len(branches)
    shuffled = random.Random(seed)
    step = shuffled.randrange(n_choices)
    while math.gcd(step, n_choices) != 1:
        step += 1
    place = shuffled.randrange(n_choices)
    for _ in range(n_choices):
        place = (place + step) % n_choices
        first, second = divmod(place, len(branches))
        # Of two small ones, both orders are the same molecule.
        if first >= len(small) or first >= second:
            atom, rings, rest = every[first]
            yield f"{atom}{rings}({branches[second]}){rest}", place


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("number", type=int, help="molecules")
    parser.add_argument("--seed", type=int, default=0)
    options = parser.parse_args()
    n_written = 0
    for smiles, number in islice(library(options.seed), options.number):
        sys.stdout.write(f"{smiles} j{number}\n")
        n_written += 1
    if n_written < options.number:
        raise SystemExit(f"there are only {n_written:,} such molecules")


if __name__ == "__main__":
    main()
