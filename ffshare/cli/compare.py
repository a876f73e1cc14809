"""`ffshare compare`: sharing schemes on equal terms."""

import json as json_module
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Annotated, Any, Literal

from cyclopts import Parameter

from ffshare.cli.console import note, print_json, print_table, progress_bar
from ffshare.cli.labelling import Scheduler, Workers, note_failures
from ffshare.errors import OutputError
from ffshare.fit import Weights, read_reference
from ffshare.fit.comparison import SCHEMES, Comparison, ComparisonSettings, TermsOf
from ffshare.fit.comparison import compare as compare_schemes
from ffshare.fit.guesses import read_hessians
from ffshare.fit.run import reference_path
from ffshare.parallel import Engine
from ffshare.report import check_plot, plot_comparison
from ffshare.whole_files import writing

Terms = Literal["common", "wide", "own"]
Charges = Literal["reference", "openff", "nagl", "library", "gasteiger"]

_TERMS: Mapping[str, TermsOf] = {
    "common": TermsOf(periodicities=(1, 2, 3)),
    "wide": TermsOf(periodicities=(1, 2, 3, 4, 5, 6)),
    "own": TermsOf(periodicities=None),
}
_NUMBERS = {
    "scheme": "scheme",
    "defined": "defined",
    "exercised": "exercised",
    "identifiable": "identifiable",
    "without": "sites without a parameter",
}
_ERRORS = {
    "scheme": "scheme",
    "training": "training",
    "held_out": "held out",
    "interval": "95 %",
    "less_first": "less the first",
    "covered": "covered by all",
    "range": "range of draws",
}


def compare(
    *,
    reference: Annotated[list[str], Parameter(negative="")],
    scheme: Annotated[list[str] | None, Parameter(negative="")] = None,
    terms: Terms = "common",
    hessians: str | None = None,
    charges: Charges = "reference",
    energy_error: float = 1.0,
    force_error: float = 5.0,
    folds: int = 5,
    draws: int = 5,
    seed: int = 1,
    workers: Workers = 1,
    scheduler: Scheduler = None,
    out: Path | None = None,
    plot: Path | None = None,
    json: Annotated[bool, Parameter(negative="")] = False,
) -> None:
    """Compare sharing schemes on equal terms: same data, same terms, same solver, only the sharing changes.

    Each scheme gives only its labels, that is, which sites share. All are fitted with the same harmonic bonds and
    angles, cosines of propers, trefoil impropers at planar centres, and the same frozen van der Waals parameters and
    charges (those of openff-2.2.1). Molecules are held out in folds; prior strengths are chosen inside the training
    folds.

    Args:
        reference: File of reference data, or the name of one that ffshare brings along (gfn2); give the option once for
            each.
        scheme: A scheme by name or file; once for each. SCHEME+soft draws its rules towards their parents;
            hashed:SCHEME and hashed-element:SCHEME are drawn several times with as many rules as SCHEME exercises. By
            default all that ffshare knows.
        terms: common: propers with n = 1, 2, 3 and phase 0; wide: n = 1 to 6; own: each scheme's own periodicities.
        hessians: File of Hessians for prior means (modified Seminario), or the name of one that ffshare brings along
            (gfn2-hessians, the default for gfn2 alone); none, the default for other data: elements only.
        charges: reference: the column charges of the data; or a method, see ffshare evaluate.
        energy_error: Error allowed for an energy [kcal/mol].
        force_error: Error allowed for a component of a force [kcal/mol/Å].
        folds: Folds by molecule.
        draws: How often a random control is drawn.
        seed: Of the folds and of the intervals.
        workers: Processes to use.
        scheduler: Address of a scheduler of dask.distributed, whose workers are used instead. Those of other machines
            need --out, on a file system that they share.
        out: Folder for the results. Finished fits and sums over the data are kept there: a comparison that was ended
            goes on.
        plot: Picture of errors against numbers of parameters: .png, .svg or .pdf.
        json: Print everything as JSON.
    """
    engine = Engine(workers=workers, scheduler=scheduler)
    if plot is not None:
        check_plot(plot)
    if out is not None and out.exists() and not out.is_dir():
        raise OutputError(f"cannot write to {out}: it is a file; name a folder")
    if hessians is None and list(reference) == ["gfn2"]:
        hessians = "gfn2-hessians"
    data = read_reference(*(reference_path(name) for name in reference), engine=engine)
    note_failures(data.failures)
    settings = ComparisonSettings(
        terms=_TERMS[terms],
        weights=Weights(energy=energy_error, force=force_error),
        charges=charges,
        n_folds=folds,
        n_draws=draws,
        seed=seed,
    )
    with progress_bar("comparing", what="fits") as bar:

        def advance(n_done: int, n_all: int) -> None:
            bar.update(bar.task_ids[0], completed=n_done, total=n_all)

        found = compare_schemes(
            data,
            tuple(scheme or SCHEMES),
            settings,
            hessians=None if hessians in (None, "none") else read_hessians(str(hessians)),
            engine=engine,
            folder=out,
            progress=advance,
        )
    written = found.to_json()
    if out is not None:
        path = out / "comparison.json"
        with writing(path) as unfinished:
            unfinished.write_text(json_module.dumps(written, indent=1, ensure_ascii=False) + "\n", encoding="utf-8")
    if plot is not None:
        plot_comparison(found.rows, plot)
    if json:
        print_json(written)
        return
    _print(found)


def _print(found: Comparison) -> None:
    title = f"{found.n_molecules:,} molecules, {found.n_conformers:,} conformers, {found.level}; propers: {found.terms}"
    print_table(title, [_numbers(row) for row in found.rows], _NUMBERS)
    for kind, what in (("energy", "energies [kcal/mol]"), ("force", "force components [kcal/mol/Å]")):
        print_table(f"RMSE of {what}", [_errors(row, kind) for row in found.rows], _ERRORS)
    if found.n_hessians < found.n_molecules:
        n_without = found.n_molecules - found.n_hessians
        note(f"prior means of {n_without:,} molecules are from elements only; with --hessians, from quantum chemistry")
    note(f"covered by all: {found.n_covered:,} molecules for which every scheme has all rules")
    for row in found.rows:
        if set(row["statuses"]) - {"converged"}:
            note(f"{row['scheme']}: a fit ended with {', '.join(row['statuses'])}")


def _numbers(row: Mapping[str, Any]) -> dict[str, Any]:
    share = row["share_without_parameter"]
    return {name: row[name] for name in _NUMBERS if name != "without"} | {"without": f"{100 * share:.2f} %"}


def _errors(row: Mapping[str, Any], kind: str) -> dict[str, Any]:
    held_out = row["held_out"][kind]
    return {
        "scheme": row["scheme"],
        "training": row["training"][kind],
        "held_out": held_out["rmse"],
        "interval": _shown(held_out["interval"]),
        "less_first": _shown(held_out["less_first"], sign="+"),
        "covered": row["covered"][kind]["rmse"],
        "range": _shown(held_out["range_of_draws"]),
    }


def _shown(interval: Sequence[float] | None, sign: str = "") -> str:
    return "–" if interval is None else " to ".join(f"{value:{sign}.2f}" for value in interval)
