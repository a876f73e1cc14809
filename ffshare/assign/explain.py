"""Why a term got its rule: every rule that matched it, in order, and what beat each."""

from collections.abc import Sequence

import numpy as np

from ffshare.assign.shapes import SHAPES
from ffshare.assign.sites import COMPLETE_SECTIONS
from ffshare.assign.smirnoff import SmirnoffScheme
from ffshare.errors import SchemeError
from ffshare.molecules import GraphBatch
from ffshare.records import doc, record


@record
class RuleMatch:
    """One rule that matches a term."""

    rule_idx: int = doc("index of the rule in its section")
    rule_id: str = doc("its id")
    pattern: str = doc("its SMIRKS")
    line: int = doc("its line in its file, 0 where it has none")
    wins: bool = doc("whether it is the last one to match")
    reason: str = doc("why it wins or loses, in words")


@record
class Explanation:
    """All rules that match one term, in file order; the last one wins."""

    molecule_idx: int = doc("molecule of the batch")
    section: str = doc("section of the term")
    atoms: tuple[int, ...] = doc("atoms of the term, 0-based within the molecule")
    matches: tuple[RuleMatch, ...] = doc("rules that match, in file order; empty if the term has no parameter")

    @property
    def winner(self) -> RuleMatch | None:
        """The rule that gives the parameter, None where nothing matches."""
        return self.matches[-1] if self.matches else None


def explain(
    scheme: SmirnoffScheme,
    batch: GraphBatch,
    sections: Sequence[str] | None = None,
    atoms: Sequence[int] | None = None,
) -> tuple[Explanation, ...]:
    """Every rule that matches each term of some molecules.

    Args:
        scheme: A SMIRNOFF scheme.
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
    known = [section for section in scheme.tables if section in SHAPES]
    wrong = [section for section in sections or () if section not in known]
    if wrong:
        raise SchemeError(
            f"cannot explain {', '.join(wrong)}; sections of {scheme.name} to explain: {', '.join(known)}"
        )
    found = tuple(
        explanation
        for section in (sections or known)
        for explanation in _of_section(scheme, batch, section, None if atoms is None else tuple(atoms))
    )
    if atoms is not None and not found:
        raise SchemeError(
            f"no term of {', '.join(sections or known)} on atoms {'-'.join(map(str, atoms))} has or needs a rule; "
            "indices are 0-based, hydrogens follow the atoms that the SMILES writes"
        )
    return found


def _of_section(
    scheme: SmirnoffScheme, batch: GraphBatch, section: str, wanted: tuple[int, ...] | None
) -> list[Explanation]:
    table, shape = scheme.tables[section], SHAPES[section]
    tuples, places, rules = scheme.every_match(batch, section)
    if not len(tuples):
        return []
    local = batch.local_idxs(tuples)
    starts = np.searchsorted(places, np.arange(len(tuples) + 1))
    explained = []
    for place, row in enumerate(map(tuple, local.tolist())):
        matched = rules[starts[place] : starts[place + 1]].tolist()
        is_wanted = wanted is None or any(wanted == tuple(row[at] for at in order) for order in shape.orders)
        if not is_wanted or not (matched or section in COMPLETE_SECTIONS):
            continue
        last = table.ids[matched[-1]] if matched else ""
        explained.append(
            Explanation(
                molecule_idx=int(batch.atom_molecules[tuples[place, 0]]),
                section=section,
                atoms=row,
                matches=tuple(
                    RuleMatch(
                        rule_idx=rule,
                        rule_id=table.ids[rule],
                        pattern=table.patterns[rule],
                        line=table.lines[rule],
                        wins=rule == matched[-1],
                        reason="last rule that matches"
                        if rule == matched[-1]
                        else f"{last} comes later and matches too",
                    )
                    for rule in matched
                ),
            )
        )
    return explained
