"""`ffshare fit`: a settings file in, a folder with a fitted force field and all that is known of it out."""

import signal
import sys
from collections.abc import Collection, Mapping
from pathlib import Path
from types import TracebackType
from typing import Annotated, Any, Self

from cyclopts import Parameter
from rich.progress import Progress

from ffshare.cli.console import note, print_json, print_table, progress_bar
from ffshare.cli.labelling import Scheduler, Workers, note_failures
from ffshare.errors import MissingDependencyError
from ffshare.fit import RunFolder, RunInputs, read_settings, run_fit, write_run
from ffshare.parallel import Engine
from ffshare.report import plot_fit

NOT_CONVERGED = 3
INTERRUPTED = 130

# Failures that are named one by one; all of them are in the table.
_SHOWN = 5
# Stages in which RDKit matches patterns and would take Ctrl-C for itself; and those in which it does so in this process
# where the work is done elsewhere.
_HELD = ("reading reference data", "assigning parameters", "charges")
_HELD_HERE = ("assigning parameters",)
_ERROR_HEADS = {
    "what": "errors of",
    "n": "n",
    "rmse_before": "RMSE before",
    "rmse_after": "RMSE after",
    "reference_rms": "RMS of reference",
    "unit": "unit",
}
_COUNT_HEADS = {"what": "parameters", "n": "n", "where": "see"}


def fit(
    settings: Path,
    /,
    *,
    out: Path | None = None,
    workers: Workers = 1,
    scheduler: Scheduler = None,
    overwrite: Annotated[bool, Parameter(negative="")] = False,
    json: Annotated[bool, Parameter(negative="")] = False,
) -> None:
    """Fit the bonded parameters of a force field to quantum chemistry, and say which of them the data determine.

    `ffshare init` writes a settings file with every setting explained. The folder for results gets the fitted force
    field (fitted.offxml or what suits the scheme; load it with --scheme), parameters.csv (values before and after,
    standard errors, flags), identifiability.csv (what the data do not tell), molecules.csv (errors of each molecule),
    failures.csv (what did not take part, and why), fit.json (every step, spectrum, settings, versions, checksums),
    plots and the settings.

    A run that was stopped, in whatever way, goes on when it is started again, and ends in the same numbers. A run that
    has ended is shown again and not repeated. Status 3: the fit did not converge; everything is written all the same,
    and the advice says what to do.

    Args:
        settings: Settings file, YAML.
        out: Folder for the results instead of the one that the settings name.
        workers: Processes to use.
        scheduler: Address of a scheduler of dask.distributed, whose workers are used instead; they must share the file
            system of the folder for results.
        overwrite: Replace results that were made with other settings or data.
        json: Print the summary as JSON.
    """
    engine = Engine(workers=workers, scheduler=scheduler)
    told = read_settings(settings)
    text = settings.read_bytes()
    inputs = RunInputs.of(told, settings.parent)
    where = settings.parent / told.output if out is None else out
    with RunFolder.claim(where, text, told, inputs.checksums, overwrite=overwrite) as folder:
        for line in folder.notes:
            note(line)
        if folder.report is None:
            try:
                report = _run(inputs, folder, text, engine)
            except KeyboardInterrupt:
                note(f"ffshare: interrupted; what is done is kept in {where}: the same command goes on there")
                sys.exit(INTERRUPTED)
            except MissingDependencyError as error:
                raise MissingDependencyError(f"{error} (setting: charges)") from error
        else:
            note(f"{where}: this fit has been made already; nothing was done")
            report = dict(folder.report)
    _show(report, where, as_json=json)
    if report["summary"]["status"] != "converged":
        sys.exit(NOT_CONVERGED)


def _run(inputs: RunInputs, folder: RunFolder, text: bytes, engine: Engine) -> dict[str, Any]:
    """Fit and write."""
    with _Bar(_HELD if engine.is_here else _HELD_HERE) as bar:
        run = run_fit(inputs, folder.statistics, bar, engine)
        bar("writing", 0, None)
        with folder.staged() as stage:
            report = write_run(run, stage, text)
            plots = plot_fit(run)
            for name, content in plots.items():
                (stage / name).write_bytes(content)
    note_failures(run.data.failures[:_SHOWN])
    if len(run.data.failures) > _SHOWN:
        note(f"{len(run.data.failures) - _SHOWN} more records failed, see failures.csv")
    if not plots:
        note('no plots: matplotlib is not installed; run: pip install "ffshare[plot]"')
    return report


class _Bar:
    """A bar on standard error that tells the stage; lets Ctrl-C through where that is safe."""

    def __init__(self, held: Collection[str]) -> None:
        self._held = held
        self._bar: Progress = progress_bar("starting")
        self._mask: set[Any] = set()

    def __enter__(self) -> Self:
        self._mask = signal.pthread_sigmask(signal.SIG_BLOCK, [])
        self._bar.__enter__()
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self._bar.__exit__(kind, error, trace)
        signal.pthread_sigmask(signal.SIG_SETMASK, self._mask)

    def __call__(self, stage: str, n_done: int, n_all: int | None) -> None:
        """A stage has begun, or some of its molecules are done."""
        # Ctrl-C that came while it was held ends the run here.
        signal.pthread_sigmask(signal.SIG_SETMASK, self._mask)
        self._bar.update(self._bar.task_ids[0], description=stage, completed=n_done, total=n_all)
        if stage in self._held:
            signal.pthread_sigmask(signal.SIG_BLOCK, [signal.SIGINT])


def _show(report: Mapping[str, Any], where: Path, *, as_json: bool) -> None:
    """Print what a user looks at first."""
    summary = report["summary"]
    if as_json:
        print_json({**summary, "advice": report["advice"], "folder": str(where)})
        return
    level = f" of {summary['level_of_theory']}" if summary["level_of_theory"] else ""
    data = f"{summary['n_molecules']:,} molecules, {summary['n_conformers']:,} conformers{level}"
    how = f"{summary['status']} after {summary['n_steps']} steps"
    print_table(f"{summary['scheme']} fitted to {data}: {how}", summary["errors"], _ERROR_HEADS)
    rows = [
        ("fitted", summary["n_parameters"], "parameters.csv"),
        ("combinations of them that the data determine", summary["n_identified"], "identifiability.csv"),
        ("not determined alone", summary["n_not_identified_alone"], "identifiability.csv"),
        ("at a bound", summary["n_at_bounds"], "parameters.csv"),
    ]
    print_table("what the data tell", [dict(zip(_COUNT_HEADS, row, strict=True)) for row in rows], _COUNT_HEADS)
    for key, what in (
        ("n_records_failed", "records of reference data could not be used"),
        ("n_molecules_left_out", "molecules did not take part: no rule or no charges"),
    ):
        if summary[key]:
            note(f"{summary[key]:,} {what}, see {where / 'failures.csv'}")
    if summary["soft_tie_strength"]:
        note(f"rules are drawn to their parents with strength {summary['soft_tie_strength']:g}")
    if summary["n_conformers_left_out"]:
        note(f"{summary['n_conformers_left_out']:,} conformers left out as clashes, see {where / 'molecules.csv'}")
    if report["advice"]:
        note(f"{summary['status']}: {report['advice']}")
    print(f"{summary['n_changed']:,} numbers changed → {where / summary['force_field'][0]}")
