"""`ffshare count`: how many numbers force fields have, and how many of them molecules use."""

from functools import reduce
from operator import add
from typing import Annotated, Any, Literal

from cyclopts import Parameter

from ffshare.assign import Tally, counts
from ffshare.assign.count import FEW_MOLECULES
from ffshare.cli.console import note, print_json, print_table
from ffshare.cli.labelling import Input, Tallier, Workers, in_chunks, note_failures, scheme_of

_HEADS = {
    "scheme": "scheme",
    "section": "section",
    "defined": "defined",
    "exercised": "exercised",
    "rarely_seen": f"seen in < {FEW_MOLECULES}",
    "molecules_per_parameter": "median molecules",
    "sites": "sites",
    "unassigned": "no rule",
}


def count(
    *inputs: Input,
    scheme: list[str],
    workers: Workers = 1,
    strict: bool = False,
    smiles_column: str | None = None,
    name_column: str | None = None,
    mode: Literal["compat", "spec"] = "compat",
    json: Annotated[bool, Parameter(negative="")] = False,
) -> None:
    """Count the parameters that force fields define and that molecules use.

    A parameter is a number that a fit could move: 2 a bond, 2 an angle, 1 a torsion term, 2 a vdW type, 1 a charge;
    periodicity, phase and idivf are structure. Constraint distances are listed apart and are in no sum.

    Args:
        inputs: SMILES files, tables, SD files, directories; - for standard input.
        scheme: A force field by name or file; give the option once for each.
        workers: Processes to use.
        strict: End at the first molecule that cannot be used.
        smiles_column: Heading of the SMILES column of tables.
        name_column: Heading of the name column of tables.
        mode: compat: as openff-toolkit does; spec: as the SMIRNOFF specification says.
        json: Print the table as JSON.
    """
    chosen = tuple(scheme_of(name, mode) for name in scheme)
    tallies: list[Tally] = []
    n_failed = 0
    for chunk in in_chunks(
        Tallier(schemes=chosen),
        inputs,
        workers=workers,
        strict=strict,
        smiles_column=smiles_column,
        name_column=name_column,
    ):
        tallies = list(map(add, tallies, chunk.tallies)) if tallies else list(chunk.tallies)
        n_failed += len(chunk.failures)
        note_failures(chunk.failures)
    found = [counts(one.name, one.tables, use) for one, use in zip(chosen, tallies, strict=True)]
    rows: list[dict[str, Any]] = reduce(add, (one.to_dicts() for one in found), [])
    n_molecules = found[0].n_molecules
    if json:
        print_json({"molecules": n_molecules, "failed": n_failed, "counts": rows})
        return
    for one in found:
        print_table(
            f"{one.scheme}: parameters and sites on {n_molecules:,} molecules", one.to_dicts(), _section_heads()
        )
    sums = [row for row in rows if row["section"] in ("valence and vdW", "all")]
    if len(found) > 1:
        print_table("schemes side by side", sums, _HEADS)
    note(f"{n_molecules + n_failed:,} molecules read = {n_molecules:,} counted + {n_failed:,} failed")


def _section_heads() -> dict[str, str]:
    return {key: head for key, head in _HEADS.items() if key != "scheme"}
