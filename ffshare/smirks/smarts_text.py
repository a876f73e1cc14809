"""SMARTS text cut into its atoms, and atoms into their recursive parts.

RDKit can write a parsed query as SMARTS, but loses some of its bonds: ``C=;!@,:C`` comes back as ``C!@,:C``. What has
to be told apart for certain is therefore cut from the text as written.
"""

import re
from collections.abc import Iterator

# Outside of brackets every letter belongs to an atom; bonds, branches and ring closures have none.
_BARE_ATOM = re.compile(r"Cl|Br|[A-Za-z*]")
_TAG = re.compile(r":\d+\]$")


def atom_texts(smarts: str) -> tuple[str, ...]:
    """The atoms of a pattern as written, without tags.

    Args:
        smarts: A pattern that RDKit parses.

    Returns:
        A text for each of its atoms, in RDKit's order.

    Example:
        >>> atom_texts("[#6X3$(C=O):1](Cl)-c1ccccc1")[:4]
        ('[#6X3$(C=O)]', 'Cl', 'c', 'c')
    """
    smarts = smarts.split()[0]
    texts = []
    position = 0
    while position < len(smarts):
        end = _end_of_atom(smarts, position)
        if end > position:
            texts.append(_TAG.sub("]", smarts[position:end]))
        position = max(end, position + 1)
    return tuple(texts)


def nesting(atom: str) -> int:
    """How deep the recursive parts of an atom nest: 0 without any.

    Args:
        atom: One atom as written.

    Returns:
        The depth.

    Example:
        >>> nesting("[#6;$(C=O),$(C(=S)[$(N)])]")
        2
    """
    return max((1 + max(map(nesting, atom_texts(part)), default=0) for part in recursive_texts(atom)), default=0)


def recursive_texts(atom: str) -> Iterator[str]:
    """The texts within the outermost ``$(…)`` of an atom, in order, repeats included.

    Args:
        atom: One atom as written.

    Yields:
        The text between ``$(`` and its closing bracket.

    Example:
        >>> list(recursive_texts("[#6;$(C=O),$(C(=S)[$(N)]);!$(C=O)]"))
        ['C=O', 'C(=S)[$(N)]', 'C=O']
    """
    # Brackets of an atom hold no other parentheses than those of recursive parts.
    level = start = 0
    for position, character in enumerate(atom):
        if character == "(":
            start = position + 1 if level == 0 else start
            level += 1
        elif character == ")":
            level -= 1
            if level == 0:
                yield atom[start:position]


def without_recursive_parts(atom: str) -> str:
    """An atom as written, without what stands in its recursive parts.

    Args:
        atom: One atom as written.

    Returns:
        Its text.

    Example:
        >>> without_recursive_parts("[#6;$(C=O),N]")
        '[#6;$(),N]'
    """
    for text in recursive_texts(atom):
        atom = atom.replace(f"$({text})", "$()")
    return atom


def _end_of_atom(smarts: str, position: int) -> int:
    """End of the atom that starts at a position, or the position itself where none does."""
    if smarts[position] != "[":
        match = _BARE_ATOM.match(smarts, position)
        return match.end() if match else position
    level = 0
    for end in range(position, len(smarts)):
        level += (smarts[end] == "[") - (smarts[end] == "]")
        if level == 0:
            return end + 1
    return position
