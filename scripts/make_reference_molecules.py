#!/usr/bin/env python3
"""Print molecules/reference.smi: small molecules for reference calculations, each rule of a force field in several.

    python scripts/make_reference_molecules.py > molecules/reference.smi

A fit that is tested on molecules it has not seen needs every parameter in several molecules: with a minimal cover, each
molecule held out would be an extrapolation. The candidates are molecules of 2 to 12 heavy atoms,

* those of molecules/fragments.smi;
* pieces of the drugs of molecules/drugs.smi: connected unions of what is left after the cuts of BRICS, each cut closed
  by a hydrogen, or by a methyl group;
* the fragments with one hydrogen of a carbon replaced by a small group, or one of nitrogen or oxygen by methyl.

They hold H, C, N, O, S, P, F, Cl and Br only, are neutral or carry one charge, and are no zwitterions. Left out is what
is too reactive to be kept (`REACTIVE`: peroxides, haloamines, diazonium …), although some rules are for nothing else,
and made-up molecules that would fall apart (`UNSTABLE`: geminal diols, enols …).

All fragments are taken: the common groups, rings and ions. Then one molecule at a time, each time the one with most
rules of openff-2.2.1 (bonds, angles, propers, impropers) that are in fewer than `WANTED` molecules taken so far: a rule
counts the more the rarer it still is, all against the root of the molecule's size, and half where the molecule is made
up. Ties go to the smaller one, then to the canonical SMILES that comes first. That ends with `MOLECULES`, or when no
rule can gain. Stereochemistry that is open is settled: of the isomers that can be embedded, the one whose canonical
SMILES comes first. Nothing is random. The coverage goes to standard error; `--check FILE` prints that of a file.
"""

import argparse
import sys
from collections.abc import Iterable, Iterator
from pathlib import Path
from typing import NamedTuple

import numpy as np
from numpy.typing import NDArray
from rdkit import Chem
from rdkit.Chem import BRICS, AllChem
from rdkit.Chem.EnumerateStereoisomers import EnumerateStereoisomers, StereoEnumerationOptions

import ffshare
from ffshare.assign import Scheme
from ffshare.data_files import data_directory
from ffshare.molecules import silenced

SCHEME = "openff-2.2.1"
SECTIONS = ("Bonds", "Angles", "ProperTorsions", "ImproperTorsions")
MOLECULES = 500
WANTED = 5
MOST_HEAVY_ATOMS = 12
ELEMENTS = frozenset([1, 6, 7, 8, 9, 15, 16, 17, 35])
MOST_PIECES = 4
BATCH = 1000
EMBEDDING_SEED = 2024

GROUPS = ("C", "CC", "C=C", "C1CC1", "F", "Cl", "Br", "O", "OC", "N", "C#N", "C(=O)OC", "C(N)=O", "SC")
MADE_UP_WORTH = 0.5
REACTIVE = tuple(
    Chem.MolFromSmarts(pattern)
    for pattern in (
        *("[N,O,S,P,n;!$(S(=O)=O)]-[F,Cl,Br]", "[OX2][OX2]", "[SX2][SX2][SX2]", "[o+]", "[S+]", "N#[N+]", "C#[N+]"),
        *("[#6]=[S;X2,X3,X4]", "C=C=[O,N]", "[NX4+]-[N,S]", "N=[SX2]=N"),
    )
)
UNSTABLE = tuple(
    Chem.MolFromSmarts(pattern)
    for pattern in (
        "[CX4]([OX2H1,NX3H2,NX3H1,SX2H1])[OX2,NX3,SX2,F,Cl,Br]",
        "[CX4]([F,Cl,Br])[OX2,NX3,SX2]",
        "[CX4]([OX2])([OX2])[OX2]",
        "[C;!$(C=[O,S,N])]=[C;!$(C=[O,S,N])][OX2H1,NX3H2,NX3H1,SX2H1]",
        "[CX3](=O)[Cl,Br,OX2H1][!#6]",
        "[CX3H1](=O)[CX3H1]=O",
        "[CX3](=O)([OX2H1])[OX2,NX3,CX3]",
        "[CX2]#[CX2][OX2H1,NX3,SX2,F,Cl,Br]",
        "[CX3](=[O])[F,Cl,Br]",
        "N=[CX3][F,Cl,Br,OX2H1]",
        "N[CX2]#N",
    )
)
LONE_CHARGE = Chem.MolFromSmarts("[+1,+2,-1,-2;!$([+]~[-]);!$([-]~[+])]")


def is_candidate(mol: Chem.Mol) -> bool:
    """Whether a molecule is of the kind that is wanted."""
    return (
        2 <= mol.GetNumHeavyAtoms() <= MOST_HEAVY_ATOMS
        and all(atom.GetAtomicNum() in ELEMENTS and not atom.GetNumRadicalElectrons() for atom in mol.GetAtoms())
        and abs(Chem.GetFormalCharge(mol)) <= 1
        and len(mol.GetSubstructMatches(LONE_CHARGE)) <= 1
        and len(Chem.GetMolFrags(mol)) == 1
        and not any(mol.HasSubstructMatch(pattern) for pattern in REACTIVE)
    )


def smiles_in(name: str) -> list[str]:
    text = (data_directory("molecules") / name).read_text(encoding="utf-8")
    return [line.split("\t")[0] for line in text.splitlines()]


def closed(mol: Chem.Mol, cap: int) -> Chem.Mol | None:
    """A piece with its open ends replaced by hydrogen (1) or methyl (6); None where that is no molecule."""
    editable = Chem.RWMol(mol)
    for atom in editable.GetAtoms():
        if atom.GetAtomicNum() == 0:
            atom.SetAtomicNum(cap)
            atom.SetIsotope(0)
            atom.SetNoImplicit(False)
    return sanitized(editable)


def sanitized(editable: Chem.RWMol) -> Chem.Mol | None:
    """The molecule as its SMILES reads; None where it is none."""
    try:
        Chem.SanitizeMol(editable)
        return Chem.MolFromSmiles(Chem.MolToSmiles(Chem.RemoveHs(editable)))
    except ValueError:
        return None


def pieces(mol: Chem.Mol) -> Iterator[Chem.Mol]:
    """Connected unions of the pieces into which BRICS cuts a molecule, closed by hydrogen or methyl."""
    cuts = [atoms for atoms, _ in BRICS.FindBRICSBonds(mol)]
    bonds = [mol.GetBondBetweenAtoms(*atoms).GetIdx() for atoms in cuts]
    if not bonds:
        return
    owners = Chem.GetMolFrags(Chem.FragmentOnBonds(mol, bonds, addDummies=False))
    owner_of = {atom: piece for piece, atoms in enumerate(owners) for atom in atoms}
    neighbours: dict[int, set[int]] = {piece: set() for piece in range(len(owners))}
    for first, second in cuts:
        neighbours[owner_of[first]].add(owner_of[second])
        neighbours[owner_of[second]].add(owner_of[first])
    unions = {frozenset([piece]) for piece in neighbours if len(owners[piece]) <= MOST_HEAVY_ATOMS}
    level = unions
    for _ in range(MOST_PIECES - 1):
        level = {union | {near} for union in level for piece in union for near in neighbours[piece] - union}
        level = {union for union in level if sum(len(owners[piece]) for piece in union) <= MOST_HEAVY_ATOMS}
        unions = unions | level
    for union in unions:
        inside = {atom for piece in union for atom in owners[piece]}
        outer = [bond for bond, ends in zip(bonds, cuts, strict=True) if sum(end in inside for end in ends) == 1]
        if not outer:
            continue
        cut = Chem.FragmentOnBonds(mol, outer, dummyLabels=[(0, 0)] * len(outer))
        for atoms, part in zip(
            Chem.GetMolFrags(cut), Chem.GetMolFrags(cut, asMols=True, sanitizeFrags=False), strict=True
        ):
            if inside & set(atoms):
                yield from (found for cap in (1, 6) if (found := closed(part, cap)) is not None)


def substituted(mol: Chem.Mol) -> Iterator[Chem.Mol]:
    """All molecules with one hydrogen replaced: of carbon by each group, of nitrogen and oxygen by methyl."""
    ranks = list(Chem.CanonicalRankAtoms(mol, breakTies=False))
    seen = set()
    for atom in mol.GetAtoms():
        rank = ranks[atom.GetIdx()]
        if not atom.GetTotalNumHs() or rank in seen or atom.GetFormalCharge():
            continue
        seen.add(rank)
        groups = GROUPS if atom.GetAtomicNum() == 6 else ("C",) if atom.GetAtomicNum() in (7, 8) else ()
        for group in groups:
            other = Chem.MolFromSmiles(group)
            if mol.GetNumAtoms() + other.GetNumAtoms() <= MOST_HEAVY_ATOMS:
                editable = Chem.RWMol(Chem.CombineMols(mol, other))
                editable.AddBond(atom.GetIdx(), mol.GetNumAtoms(), Chem.BondType.SINGLE)
                site = editable.GetAtomWithIdx(atom.GetIdx())
                site.SetNumExplicitHs(max(site.GetNumExplicitHs() - 1, 0))
                site.SetChiralTag(Chem.ChiralType.CHI_UNSPECIFIED)
                found = sanitized(editable)
                if found is not None:
                    yield found


def is_stable(mol: Chem.Mol) -> bool:
    """Whether a made-up molecule holds none of the groups that fall apart."""
    return not any(mol.HasSubstructMatch(pattern) for pattern in UNSTABLE)


class Candidates(NamedTuple):
    """Canonical SMILES of molecules by where they come from, each by number of heavy atoms, then by text."""

    fragments: list[str]
    pieces: list[str]
    made_up: list[str]


def candidates() -> Candidates:
    """All molecules that may be taken, each once."""
    known = [Chem.MolFromSmiles(smiles) for smiles in smiles_in("fragments.smi")]
    known = [mol for mol in known if is_candidate(mol)]
    parts = [part for smiles in smiles_in("drugs.smi") for part in pieces(Chem.MolFromSmiles(smiles))]
    made = [new for mol in known for new in substituted(mol)]
    kinds: list[set[str]] = [{Chem.MolToSmiles(mol) for mol in known}]
    for kind in (parts, made):
        usable = (Chem.MolToSmiles(mol) for mol in kind if is_candidate(mol) and is_stable(mol))
        kinds.append(set(usable).difference(*kinds))
    return Candidates(*map(by_size, kinds))


def by_size(smiles: Iterable[str]) -> list[str]:
    """SMILES by number of heavy atoms, then by text."""
    return sorted(smiles, key=lambda text: (Chem.MolFromSmiles(text).GetNumHeavyAtoms(), text))


def uses(smiles: list[str], scheme: Scheme) -> NDArray[np.bool_]:
    """Whether each rule wins at a site of each molecule, shape=(n_molecules, n_rules)."""
    sizes = [len(scheme.tables[section]) for section in SECTIONS]
    found = np.zeros((len(smiles), sum(sizes)), dtype=bool)
    for start in range(0, len(smiles), BATCH):
        sites = scheme.assign(ffshare.from_smiles(*smiles[start : start + BATCH])).sites
        first = 0
        for section, size in zip(SECTIONS, sizes, strict=True):
            has_rule = sites[section].rule_idxs >= 0
            rows = start + sites[section].molecule_idxs[has_rule]
            found[rows, first + sites[section].rule_idxs[has_rule]] = True
            first += size
    return found


def settled(smiles: str) -> str | None:
    """The molecule with all stereochemistry given; None where no isomer can be embedded."""
    options = StereoEnumerationOptions(unique=True, onlyUnassigned=True)
    for isomer in sorted(map(Chem.MolToSmiles, EnumerateStereoisomers(Chem.MolFromSmiles(smiles), options=options))):
        mol = Chem.AddHs(Chem.MolFromSmiles(isomer))
        if AllChem.EmbedMolecule(mol, randomSeed=EMBEDDING_SEED) == 0:
            return isomer
    return None


def chosen(found: Candidates, scheme: Scheme) -> list[str]:
    """The molecules that are taken, in the order in which they were."""
    taken = dict.fromkeys(isomer for smiles in found.fragments if (isomer := settled(smiles)) is not None)
    counts = uses(list(taken), scheme).sum(axis=0)
    smiles = by_size([*found.pieces, *found.made_up])
    used = uses(smiles, scheme)
    sizes = np.array([Chem.MolFromSmiles(text).GetNumHeavyAtoms() for text in smiles])
    weights = np.where(np.isin(smiles, found.made_up), MADE_UP_WORTH, 1.0) / np.sqrt(sizes)
    while len(taken) < MOLECULES:
        gains = weights * (used @ np.maximum(WANTED - counts, 0))
        best = int(np.argmax(gains))
        if gains[best] <= 0:
            break
        weights[best] = 0
        isomer = settled(smiles[best])
        if isomer is not None and isomer not in taken:
            taken[isomer] = None
            counts += used[best]
    return list(taken)


def coverage(used: NDArray[np.bool_], scheme: Scheme) -> Iterator[str]:
    """How often the rules occur, section by section, as lines of text."""
    counts = used.sum(axis=0)
    yield f"{scheme.name} on {len(used)} molecules"
    yield f"{'section':18}{'rules':>7}{'exercised':>11}{'in 5 or more':>14}{'share':>8}   in fewer"
    first = 0
    for section in (*SECTIONS, "all"):
        table = () if section == "all" else scheme.tables[section].ids
        here = counts if section == "all" else counts[first : first + len(table)]
        first += len(table)
        few = [f"{rule} ({n})" for rule, n in zip(table, here.tolist(), strict=False) if 0 < n < 5]
        exercised, often = int(np.sum(here > 0)), int(np.sum(here >= 5))
        share = f"{often / exercised:.1%}" if exercised else ""
        yield f"{section:18}{len(here):7}{exercised:11}{often:14}{share:>8}   {' '.join(few)}".rstrip()


def named(smiles: Iterable[str]) -> list[tuple[str, str]]:
    """SMILES and name, by number of heavy atoms, then by SMILES."""
    return [(text, f"reference-{number:03d}") for number, text in enumerate(by_size(smiles), start=1)]


def main() -> None:
    parser = argparse.ArgumentParser(description="Small molecules for reference calculations.")
    parser.add_argument("--check", type=Path, metavar="FILE", help="print the coverage of a file and make nothing")
    arguments = parser.parse_args()
    scheme = ffshare.load_scheme(SCHEME)
    if arguments.check:
        smiles = [line.split("\t")[0] for line in arguments.check.read_text(encoding="utf-8").splitlines()]
        print("\n".join(coverage(uses(smiles, scheme), scheme)))
        return
    with silenced():
        found = candidates()
        print(f"candidates: {', '.join(f'{len(of)} {kind}' for kind, of in found._asdict().items())}", file=sys.stderr)
        rows = named(chosen(found, scheme))
    for smiles, name in rows:
        print(f"{smiles}\t{name}")
    print("\n".join(coverage(uses([smiles for smiles, _ in rows], scheme), scheme)), file=sys.stderr)


if __name__ == "__main__":
    main()
