"""`ffshare count`: how many numbers schemes have, and how many of them molecules use."""

from collections.abc import Sequence
from functools import reduce
from operator import add
from pathlib import Path
from typing import Annotated, Any, Literal, NamedTuple

from cyclopts import Parameter

from ffshare.assign import Counts, Scheme, Tally, counts
from ffshare.assign.count import FEW_MOLECULES
from ffshare.assign.growth import Growth
from ffshare.cli.console import note, print_json, print_table
from ffshare.cli.evaluate import Kind
from ffshare.cli.label_counts import labels_folder, tally_of_labels
from ffshare.cli.labelling import Input, Scheduler, Tallier, Workers, in_chunks, note_failures, scheme_of
from ffshare.cli.reference_counts import ReferenceCount, count_reference, read, shown
from ffshare.errors import InputError
from ffshare.fit import ReferenceData
from ffshare.parallel import Engine
from ffshare.report import check_plot, plot_growth

_HEADS = {
    "scheme": "scheme",
    "section": "section",
    "defined": "defined",
    "exercised": "exercised",
    "effective": "effective",
    "effective_by": "by",
    "identifiable": "identifiable",
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
    scheme: tuple[str, ...] = (),
    reference: tuple[str, ...] = (),
    workers: Workers = 1,
    scheduler: Scheduler = None,
    strict: bool = False,
    smiles_column: str | None = None,
    name_column: str | None = None,
    mode: Literal["compat", "spec"] = "compat",
    plot: Path | None = None,
    kind: Kind | None = None,
    smiles: str | None = None,
    level: str | None = None,
    energy_unit: str | None = None,
    length_unit: str | None = None,
    json: Annotated[bool, Parameter(negative="")] = False,
) -> None:
    """Count the parameters that schemes define and that molecules use.

    A parameter is a number that a fit could move: 2 a bond, 2 an angle, 1 a torsion term, 2 a vdW type, 1 a charge;
    periodicity, phase and idivf are structure. Defined: in the scheme. Exercised: used by some molecule. Effective: not
    within 2 % of the scheme's own formula, with the formula's constants; of a scheme without a formula, distinct values
    (of untied and hashed schemes all, since theirs are only there to start a fit from). Median: molecules that an
    exercised parameter is seen in. Lacking: molecules with a term that no rule gives or whose value is a guess.
    Combinations: of atom types, those that could need a rule. Constraint distances are listed apart and are in no sum.

    Identifiable, with reference data: combinations of parameters that energies and forces determine, at the values of
    the scheme; of a section, with the other sections known; in a sum, of all bonded sections together, which may be
    fewer. Van der Waals parameters and charges are taken as known and have no such number. Without other input the
    molecules are those of the reference data, each counted once.

    Args:
        inputs: SMILES files, tables, SD files, directories; - for standard input. Or one folder that ffshare assign
            made: it is counted as it is, without labelling again.
        scheme: A force field by name or file, or another scheme (gaff2, mmff94, untied …); give the option once for
            each. A folder of labels has its own.
        reference: File or folder of reference data, as for evaluate: adds the identifiable parameters; give the option
            once for each. With other input too, all else is counted on that.
        workers: Processes to use.
        scheduler: Address of a scheduler of dask.distributed, instead of processes.
        strict: End at the first molecule that cannot be used.
        smiles_column: Heading of the SMILES column of tables.
        name_column: Heading of the name column of tables.
        mode: compat: as openff-toolkit does; spec: as the SMIRNOFF specification says.
        plot: Picture to draw (.png, .svg, .pdf): parameters in use, and combinations of atom types without a rule of
            their own, as molecules are added.
        kind: Format of the reference data, where the name of the file does not tell it.
        smiles: SMILES of the molecule of reference data that give none.
        level: Level of theory of reference data that do not state theirs; of those that hold several, the one to take.
        energy_unit: Energy unit of XYZ files; eV by default.
        length_unit: Length unit of XYZ files; angstrom by default.
        json: Print the table as JSON.
    """
    if plot is not None:
        check_plot(plot)
    engine = Engine(workers=workers, scheduler=scheduler)
    labels = labels_folder(inputs)
    used: _Used | None = None
    if labels is not None:
        if reference or plot is not None:
            raise InputError(f"{labels}: labels are counted without --reference and --plot; give the molecules instead")
        found_scheme, found_tally, n_failed = tally_of_labels(labels, scheme)
        chosen: tuple[Scheme, ...] = (found_scheme,)
        used = _Used(tallies=[found_tally], growths=[], n_failed=n_failed)
    elif scheme:
        chosen = tuple(scheme_of(name, mode) for name in dict.fromkeys(scheme))
    else:
        raise InputError("no scheme given; name one with --scheme, openff-2.3.0 or gaff2 for instance")
    data: ReferenceData | None = None
    if reference:
        options = {"kind": kind, "level": level, "energy_unit": energy_unit, "length_unit": length_unit}
        data = read(reference, strict=strict, smiles=smiles, **options)
        note_failures(data.failures)
    if used is None and (inputs or data is None):
        used = _of_inputs(
            Tallier(schemes=chosen, with_growth=plot is not None),
            inputs,
            engine=engine,
            strict=strict,
            smiles_column=smiles_column,
            name_column=name_column,
        )
    seen: tuple[ReferenceCount, ...] = ()
    if data is not None:
        seen = tuple(count_reference(one, data, with_growth=plot is not None) for one in chosen)
    if used is None:
        growths = [one.growth for one in seen if one.growth is not None]
        used = _Used(tallies=[one.tally for one in seen], growths=growths, n_failed=0)
    found = [counts(one.name, one.tables, use) for one, use in zip(chosen, used.tallies, strict=True)]
    if plot is not None:
        plot_growth({one.name: grown for one, grown in zip(chosen, used.growths, strict=True)}, plot)
    tables = [one.to_dicts() for one in found] if data is None else list(map(_with_identifiable, found, seen))
    rows: list[dict[str, Any]] = reduce(add, tables, [])
    n_molecules = found[0].n_molecules
    if json:
        printed = {"molecules": n_molecules, "failed": used.n_failed, "counts": rows}
        if data is not None:
            printed |= {"reference": shown(data), "identifiable": [one.to_dict() for one in seen]}
        print_json(printed)
        return
    what = f"parameters and sites on {n_molecules:,} molecules" + ("" if data is None else f", {_by(data)}")
    for one, table in zip(found, tables, strict=True):
        print_table(f"{one.scheme}: {what}", table, _heads(table, without="scheme"))
    if len(found) > 1:
        sums = [row for row in rows if row["section"] in ("valence and vdW", "all")]
        print_table("schemes side by side", sums, _heads(sums))
    for use in seen:
        for line in use.notes():
            note(line)
    if data is not None:
        read_whole = f"{data.n_molecules:,} entries with {data.n_conformers:,} conformers"
        note(f"reference data: {read_whole} read, {len(data.failures):,} records or parts of them failed")
    if inputs or data is None:
        note(f"{n_molecules + used.n_failed:,} molecules read = {n_molecules:,} counted + {used.n_failed:,} failed")
    if plot is not None:
        note(f"drawn: {plot}")


class _Used(NamedTuple):
    """The use of each scheme."""

    tallies: list[Tally]
    growths: list[Growth]
    """None of them where that was not asked for."""
    n_failed: int


def _of_inputs(work: Tallier, inputs: Sequence[str], **options: Any) -> _Used:
    """The use of each scheme by the molecules of some files."""
    tallies: list[Tally] = []
    growths: list[Growth] = []
    n_failed = 0
    for chunk in in_chunks(work, inputs, **options):
        tallies = list(map(add, tallies, chunk.tallies)) if tallies else list(chunk.tallies)
        growths = list(map(add, growths, chunk.growths)) if growths else list(chunk.growths)
        n_failed += len(chunk.failures)
        note_failures(chunk.failures)
    return _Used(tallies, growths, n_failed)


def _with_identifiable(found: Counts, seen: ReferenceCount) -> list[dict[str, Any]]:
    return [{**row, "identifiable": seen.of(row["section"])} for row in found.to_dicts()]


def _by(data: ReferenceData) -> str:
    """What identifies, in words."""
    level = f" of {data.level}" if data.level else ""
    return f"identifiable by {data.n_conformers:,} conformers{level}"


def _heads(rows: list[dict[str, Any]], without: str = "") -> dict[str, str]:
    """Heads of the columns that there are; type combinations only where some scheme has atom types."""
    hidden = {without}
    if all(row["combinations"] is None for row in rows):
        hidden.add("combinations")
    return {key: head for key, head in _HEADS.items() if key not in hidden and all(key in row for row in rows)}
