"""Checks of a SMIRKS pattern: RDKit must read it, and its tags must fit its section.

A rule says which atoms it is about with tags, ``[#6:1]-[#8:2]``. openff-toolkit loads patterns that cannot be parsed,
or whose tags are missing, repeated or too few, and fails later or matches nothing; here they are refused when loaded.
"""

from collections import Counter
from collections.abc import Collection

from rdkit import Chem

from ffshare.molecules.rdkit_log import reason_of_failure, silenced
from ffshare.rules.sections import SECTIONS

# RDKit takes longer patterns, but they are no rules: whole residues of proteins need less than 200 characters.
_MAX_LENGTH = 20_000


def check_pattern(smirks: str, section: str, n_tags: Collection[int] = ()) -> list[str]:
    """What is wrong with a SMIRKS pattern for its section.

    Args:
        smirks: The pattern.
        section: SMIRNOFF's name of the section, such as ``Bonds``.
        n_tags: Numbers of tagged atoms that are allowed, where the section leaves that to the rule.

    Returns:
        Faults in words, none for a good pattern.

    Example:
        >>> check_pattern("[#6:1]-[#8:2]", "Bonds")
        []
        >>> check_pattern("[#6:1]-[#8:3]", "Bonds")[0]
        "pattern '[#6:1]-[#8:3]': tag 2 is missing; Bonds needs the tags 1 to 2"
        >>> check_pattern("[#6:1", "vdW")[0]
        "pattern '[#6:1': RDKit cannot parse it: syntax error while parsing: [#6:1"
    """
    shown = smirks if len(smirks) <= 200 else f"{smirks[:199]}…"
    return [f"pattern {shown!r}: {fault}" for fault in _faults(smirks, section, n_tags)]


def _faults(smirks: str, section: str, n_tags: Collection[int]) -> list[str]:
    if not smirks.strip():
        return ["it is empty"]
    if len(smirks) > _MAX_LENGTH:
        return [f"it has {len(smirks)} characters, more than {_MAX_LENGTH}"]
    if len(smirks.split()) > 1 or "\0" in smirks:
        return ["it has a blank inside; RDKit would ignore everything after that"]
    with silenced():
        query = _parsed(smirks)
    if query is None:
        reason = reason_of_failure(lambda: _parsed(smirks))
        return [f"RDKit cannot parse it: {reason or 'it gives no reason'}"]
    tagged = [(tag, atom.GetIdx()) for atom in query.GetAtoms() if (tag := atom.GetAtomMapNum())]
    known = SECTIONS.get(section)
    if not n_tags and known is not None and known.n_tags is not None:
        n_tags = (known.n_tags,)
    return [
        *_tag_faults([tag for tag, _ in tagged], section, n_tags),
        *_bond_faults(query, dict(tagged), section, known.bonded if known is not None else ()),
    ]


def _parsed(smirks: str) -> Chem.Mol | None:
    return Chem.MolFromSmarts(smirks)


def _tag_faults(tags: list[int], section: str, n_tags: Collection[int]) -> list[str]:
    # Of several allowed numbers the nearest is taken as meant. Without any, the tags themselves say how many there are.
    n_given = len(set(tags))
    n_wanted = min(n_tags, key=lambda n: abs(n - n_given)) if n_tags else max(n_given, 1)
    needs = f"{section} needs the tag 1" if n_wanted == 1 else f"{section} needs the tags 1 to {n_wanted}"
    if not tags:
        return [f"no atom is tagged; {needs}"]
    wanted = range(1, n_wanted + 1)
    return [
        *(f"tag {tag} is repeated; {needs}" for tag, times in sorted(Counter(tags).items()) if times > 1),
        *(f"tag {tag} is missing; {needs}" for tag in wanted if tag not in tags),
        *(f"tag {tag} is one too many; {needs}" for tag in sorted(set(tags)) if tag not in wanted),
    ]


def _bond_faults(
    query: Chem.Mol, atoms: dict[int, int], section: str, bonded: tuple[tuple[int, int], ...]
) -> list[str]:
    needs = f"{section} needs bonds between the tags {', '.join(f'{first}-{second}' for first, second in bonded)}"
    return [
        f"the atoms tagged {first} and {second} are not bonded; {needs}"
        for first, second in bonded
        if first in atoms and second in atoms and not query.GetBondBetweenAtoms(atoms[first], atoms[second])
    ]
