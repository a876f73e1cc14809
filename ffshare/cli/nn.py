"""`ffshare nn reproduce`: measure what is claimed of shared weights."""

import json as json_module
import sys
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Annotated, Any

from cyclopts import Parameter

from ffshare import __version__
from ffshare.cli.console import note, print_json, print_table, progress_bar
from ffshare.errors import OutputError
from ffshare.nn.reproduce import Check, Outcome, System, select
from ffshare.parallel import one_thread
from ffshare.report import Exhibit, check_gallery, check_plot, draw_panels, with_spread, write_gallery
from ffshare.whole_files import writing

_HEADS = {"claim": "claim", "expected": "expected", "measured": "measured", "error": "s.e.", "passed": ""}


def reproduce(
    *systems: str,
    quick: Annotated[bool, Parameter(negative="")] = False,
    json: Annotated[bool, Parameter(negative="")] = False,
    out: Path | None = None,
) -> None:
    """Run the experiments on parameter sharing and compare each claim with what is measured.

    Seeds are fixed. A claim that fails is shown as failed, and the command then ends with status 3.

    Args:
        systems: Experiments by name or number; all by default. A wrong name shows the list.
        quick: Fewer repetitions and smaller sizes.
        json: Print the checks as JSON: a list of system, claim, expected, tolerance, measured, error, passed.
        out: Folder for the gallery: index.html, one page with all pictures, tables and remarks, which needs no other
            file and no network; and beside it a figure of each system and checks.json.
    """
    chosen = select(systems)
    if out is not None:
        _prepare(out, chosen)
    outcomes: list[tuple[System, Outcome]] = []
    with progress_bar("reproducing", what="systems") as bar:
        bar.update(bar.task_ids[0], total=len(chosen))
        for system in chosen:
            bar.update(bar.task_ids[0], description=system.name)
            with one_thread():
                outcome = system.run(quick)
            outcomes.append((system, outcome))
            if out is not None:
                draw_panels(outcome.panels, _picture(out, system), f"({system.number}) {system.title}")
            bar.advance(bar.task_ids[0])
    checks = [check.to_json(system.name) for system, outcome in outcomes for check in outcome.checks]
    if out is not None:
        report = {"ffshare": __version__, "quick": quick, "checks": checks}
        with writing(out / "checks.json") as unfinished:
            unfinished.write_text(json_module.dumps(report, indent=1, ensure_ascii=False) + "\n", encoding="utf-8")
        exhibits = [
            Exhibit(subject=system, findings=outcome, picture=_picture(out, system).read_bytes())
            for system, outcome in outcomes
        ]
        write_gallery(exhibits, out / "index.html", version=__version__, quick=quick)
    if json:
        print_json(checks)
    else:
        for system, outcome in outcomes:
            _show(system, outcome)
    n_failed = sum(not check["passed"] for check in checks)
    note(f"{len(checks) - n_failed} of {len(checks)} claims hold" + (f", {n_failed} failed" if n_failed else ""))
    if n_failed:
        sys.exit(3)


def _prepare(out: Path, chosen: Sequence[System]) -> None:
    """The folder, and what writes there, before anything is run for it."""
    if out.exists() and not out.is_dir():
        raise OutputError(f"cannot write to {out}: it is a file; name a folder")
    check_gallery()
    out.mkdir(parents=True, exist_ok=True)
    for system in chosen:
        check_plot(_picture(out, system))


def _picture(out: Path, system: System) -> Path:
    return out / f"{system.name}.svg"


def _show(system: System, outcome: Outcome) -> None:
    print_table(f"({system.number}) {system.title}: {system.claim}", [_row(check) for check in outcome.checks], _HEADS)
    for remark in outcome.remarks:
        print(f"  {remark}")
    if outcome.remarks:
        print()


def _row(check: Check) -> Mapping[str, Any]:
    return {
        "claim": check.claim,
        "expected": with_spread(check.expected, check.tolerance),
        "measured": check.measured,
        "error": check.error,
        "passed": "holds" if check.passed else "FAILED",
    }
