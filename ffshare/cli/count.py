"""`ffshare count`: how many numbers schemes have, and how many of them molecules use."""

from functools import reduce
from operator import add
from pathlib import Path
from typing import Annotated, Any, Literal

from cyclopts import Parameter

from ffshare.assign import Tally, counts
from ffshare.assign.count import FEW_MOLECULES
from ffshare.assign.growth import Growth
from ffshare.cli.console import note, print_json, print_table
from ffshare.cli.labelling import Input, Tallier, Workers, in_chunks, note_failures, scheme_of
from ffshare.report import check_plot, plot_growth

_HEADS = {
    "scheme": "scheme",
    "section": "section",
    "defined": "defined",
    "exercised": "exercised",
    "effective": "effective",
    "effective_by": "by",
    "rarely_seen": f"seen in < {FEW_MOLECULES}",
    "molecules_per_parameter": "median",
    "sites": "sites",
    "unassigned": "no rule",
    "guessed": "guessed",
    "incomplete_molecules": "lacking",
    "combinations": "combinations",
}


def count(
    *inputs: Input,
    scheme: list[str],
    workers: Workers = 1,
    strict: bool = False,
    smiles_column: str | None = None,
    name_column: str | None = None,
    mode: Literal["compat", "spec"] = "compat",
    plot: Path | None = None,
    json: Annotated[bool, Parameter(negative="")] = False,
) -> None:
    """Count the parameters that schemes define and that molecules use.

    A parameter is a number that a fit could move: 2 a bond, 2 an angle, 1 a torsion term, 2 a vdW type, 1 a charge;
    periodicity, phase and idivf are structure. Defined: in the scheme. Exercised: used by some molecule. Effective: not
    within 2 % of the scheme's own formula, with the formula's constants; of a scheme without a formula, distinct values
    (of untied and hashed schemes all, since theirs are only there to start a fit from). Median: molecules that an
    exercised parameter is seen in. Lacking: molecules with a term that no rule gives or whose value is a guess.
    Combinations: of atom types, those that could need a rule. Constraint distances are listed apart and are in no sum.

    Args:
        inputs: SMILES files, tables, SD files, directories; - for standard input.
        scheme: A force field by name or file, or another scheme (gaff2, mmff94, untied …); give the option once for
            each.
        workers: Processes to use.
        strict: End at the first molecule that cannot be used.
        smiles_column: Heading of the SMILES column of tables.
        name_column: Heading of the name column of tables.
        mode: compat: as openff-toolkit does; spec: as the SMIRNOFF specification says.
        plot: Picture to draw (.png, .svg, .pdf): parameters in use, and combinations of atom types without a rule of
            their own, as molecules are added.
        json: Print the table as JSON.
    """
    if plot is not None:
        check_plot(plot)
    chosen = tuple(scheme_of(name, mode) for name in dict.fromkeys(scheme))
    tallies: list[Tally] = []
    growths: list[Growth] = []
    n_failed = 0
    for chunk in in_chunks(
        Tallier(schemes=chosen, with_growth=plot is not None),
        inputs,
        workers=workers,
        strict=strict,
        smiles_column=smiles_column,
        name_column=name_column,
    ):
        tallies = list(map(add, tallies, chunk.tallies)) if tallies else list(chunk.tallies)
        growths = list(map(add, growths, chunk.growths)) if growths else list(chunk.growths)
        n_failed += len(chunk.failures)
        note_failures(chunk.failures)
    found = [counts(one.name, one.tables, use) for one, use in zip(chosen, tallies, strict=True)]
    if plot is not None:
        plot_growth({one.name: grown for one, grown in zip(chosen, growths, strict=True)}, plot)
    rows: list[dict[str, Any]] = reduce(add, (one.to_dicts() for one in found), [])
    n_molecules = found[0].n_molecules
    if json:
        print_json({"molecules": n_molecules, "failed": n_failed, "counts": rows})
        return
    for one in found:
        title = f"{one.scheme}: parameters and sites on {n_molecules:,} molecules"
        print_table(title, one.to_dicts(), _heads(one.to_dicts(), without="scheme"))
    if len(found) > 1:
        sums = [row for row in rows if row["section"] in ("valence and vdW", "all")]
        print_table("schemes side by side", sums, _heads(sums))
    note(f"{n_molecules + n_failed:,} molecules read = {n_molecules:,} counted + {n_failed:,} failed")
    if plot is not None:
        note(f"drawn: {plot}")


def _heads(rows: list[dict[str, Any]], without: str = "") -> dict[str, str]:
    """Heads of the columns to show: type combinations only where some scheme has atom types."""
    typed = any(row["combinations"] is not None for row in rows)
    return {key: head for key, head in _HEADS.items() if key != without and (typed or key != "combinations")}
