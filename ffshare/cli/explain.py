"""`ffshare explain`: why each term of a molecule has its parameter."""

from typing import Annotated, Any

from cyclopts import Parameter

from ffshare.assign import Explanation
from ffshare.assign import explain as explain_terms
from ffshare.cli.console import print_json, print_table
from ffshare.cli.labelling import scheme_of
from ffshare.errors import SchemeError
from ffshare.molecules import from_smiles

_HEADS = {"atoms": "atoms", "rule_id": "rule", "wins": "", "pattern": "pattern", "reason": "why"}


def explain(
    smiles: str,
    *,
    scheme: str,
    section: list[str] | None = None,
    atoms: str | None = None,
    json: Annotated[bool, Parameter(negative="")] = False,
) -> None:
    """Show every rule that matches each term of a molecule, in order, which one wins, and why the others lose.

    Args:
        smiles: The molecule. Hydrogens that it implies follow the atoms that it writes.
        scheme: A force field by name or file.
        section: Only this section (Bonds, Angles, ProperTorsions, ImproperTorsions, vdW, Constraints); may be given
            more than once.
        atoms: Only the term of these atoms: 0-based indices with commas between, such as 0,1,2,3.
        json: Print as JSON.
    """
    chosen = scheme_of(scheme)
    batch = from_smiles(smiles)
    found = explain_terms(chosen, batch, section, _indices(atoms))
    if json:
        print_json([_as_dict(one) for one in found])
        return
    for name in dict.fromkeys(one.section for one in found):
        rows = [row for one in found if one.section == name for row in _rows(one)]
        print_table(f"{name} of {smiles} by {chosen.name}", rows, _HEADS)


def _indices(text: str | None) -> list[int] | None:
    if text is None:
        return None
    try:
        return [int(part) for part in text.replace("-", ",").split(",")]
    except ValueError as error:
        raise SchemeError(
            f"--atoms takes 0-based indices with commas between, such as 0,1,2,3; it was {text!r}"
        ) from error


def _rows(one: Explanation) -> list[dict[str, Any]]:
    atoms = "-".join(map(str, one.atoms))
    if not one.matches:
        return [{"atoms": atoms, "rule_id": None, "wins": "", "pattern": None, "reason": "no rule matches"}]
    return [
        {
            "atoms": atoms if place == 0 else "",
            "rule_id": match.rule_id,
            "wins": "wins" if match.wins else "",
            "pattern": match.pattern,
            "reason": match.reason,
        }
        for place, match in enumerate(one.matches)
    ]


def _as_dict(one: Explanation) -> dict[str, Any]:
    return {
        "section": one.section,
        "atoms": list(one.atoms),
        "rule_id": one.winner.rule_id if one.winner else None,
        "matches": [
            {
                "rule_id": match.rule_id,
                "pattern": match.pattern,
                "line": match.line,
                "wins": match.wins,
                "reason": match.reason,
            }
            for match in one.matches
        ],
    }
