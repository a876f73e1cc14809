"""Why a term got its rule: every rule that matched it, in order, and what beat each.

Each scheme explains its own terms; here is what an explanation holds and how the wanted ones are picked.
"""

from collections.abc import Iterable, Sequence
from typing import Protocol

from ffshare.errors import SchemeError
from ffshare.molecules import GraphBatch
from ffshare.records import doc, record


@record
class RuleMatch:
    """One rule that matches a term, or one key that was looked up for it."""

    rule_idx: int = doc("index of the rule in its section, −1 for a key that the table does not hold")
    rule_id: str = doc("its id")
    pattern: str = doc("its SMIRKS, or the key")
    line: int = doc("its line in its file, 0 where it has none")
    wins: bool = doc("whether it gives the parameter")
    reason: str = doc("why it wins or loses, in words")


@record
class Explanation:
    """All rules that match one term; the one that wins, if any does, comes last."""

    molecule_idx: int = doc("molecule of the batch")
    section: str = doc("section of the term")
    atoms: tuple[int, ...] = doc("atoms of the term, 0-based within the molecule")
    matches: tuple[RuleMatch, ...] = doc("rules that match, the winner last; empty if none does")

    @property
    def winner(self) -> RuleMatch | None:
        """The rule that gives the parameter, None where nothing matches."""
        return self.matches[-1] if self.matches and self.matches[-1].wins else None


class Explainable(Protocol):
    """What can say why its terms got their rules."""

    name: str

    @property
    def explained(self) -> Sequence[str]:
        """Sections that it can explain."""

    def explanations(self, batch: GraphBatch, section: str) -> Iterable[Explanation]:
        """An explanation for each term of a section that has or needs a rule, as the terms stand in the molecules."""


def explain(
    scheme: Explainable,
    batch: GraphBatch,
    sections: Sequence[str] | None = None,
    atoms: Sequence[int] | None = None,
) -> tuple[Explanation, ...]:
    """Every rule that matches each term of some molecules.

    Args:
        scheme: A scheme.
        batch: The molecules.
        sections: Sections to look at; by default all that give parameters to atoms, bonds, angles and torsions.
        atoms: Only the term of these atoms, 0-based within the molecule, in any order that names the same term.

    Returns:
        An explanation a term, by section and then as the terms stand in the molecules.

    Raises:
        SchemeError: The scheme has no such section, or no term on these atoms has or needs a rule.

    Example:
        >>> import ffshare
        >>> scheme = ffshare.load_scheme("openff-2.2.1")
        >>> [one.rule_id for one in explain(scheme, ffshare.from_smiles("CCO"), ["Bonds"], [0, 1])[0].matches]
        ['b1']
    """
    known = list(scheme.explained)
    wrong = [section for section in sections or () if section not in known]
    if wrong:
        raise SchemeError(
            f"cannot explain {', '.join(wrong)}; sections of {scheme.name} to explain: {', '.join(known)}"
        )
    found = tuple(
        one
        for section in (sections or known)
        for one in scheme.explanations(batch, section)
        if atoms is None or _is_term(one, tuple(atoms))
    )
    if atoms is not None and not found:
        raise SchemeError(
            f"no term of {', '.join(sections or known)} on atoms {'-'.join(map(str, atoms))} has or needs a rule; "
            "indices are 0-based, hydrogens follow the atoms that the SMILES writes"
        )
    return found


def _is_term(one: Explanation, wanted: tuple[int, ...]) -> bool:
    if one.section == "ImproperTorsions":
        return len(wanted) == 4 and one.atoms[1] == wanted[1] and set(one.atoms) == set(wanted)
    return wanted in (one.atoms, one.atoms[::-1])
