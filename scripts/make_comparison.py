#!/usr/bin/env python3
"""Run the controlled comparison of sharing schemes and write its tables and picture.

    python scripts/make_comparison.py [--workers 2] [--folder FOLDER] [--only common]
    python scripts/make_comparison.py --check

Three runs on the reference data that ship: `common` (propers n = 1 to 3), whose table leads the README and whose
picture is docs/comparison.svg; `wide` (n = 1 to 6); `own` (each scheme's own periodicities). The outcome of each is
kept in docs/comparison/NAME.json, from which docs/comparison.md and the README's table are written. With `--folder`
finished fits are kept, so that a run that was ended goes on. `--check` fits nothing: it fails where a table is not that
of the outcomes that are kept.
"""

import argparse
import json
import re
import sys
import time
from collections.abc import Callable, Mapping, Sequence
from pathlib import Path
from typing import Any

from ffshare.data_files import checksum, data_directory
from ffshare.fit import read_reference
from ffshare.fit.comparison import SCHEMES, ComparisonSettings, TermsOf, compare
from ffshare.fit.guesses import read_hessians
from ffshare.parallel import Engine
from ffshare.report import plot_comparison

ROOT = Path(__file__).resolve().parent.parent
README, PAGE, PICTURE = ROOT / "README.md", ROOT / "docs" / "comparison.md", ROOT / "docs" / "comparison.svg"
OUTCOMES = ROOT / "docs" / "comparison"
START, END = "<!-- comparison: made by scripts/make_comparison.py -->", "<!-- end of comparison -->"

# What a run is called on the page, its terms, its schemes, and how often random controls are drawn.
RUNS: Mapping[str, tuple[str, TermsOf, Sequence[str], int]] = {
    "common": ("Propers n = 1 to 3, phase 0, the same for all", TermsOf(periodicities=(1, 2, 3)), SCHEMES, 5),
    "wide": ("Propers n = 1 to 6, phase 0, the same for all", TermsOf(periodicities=(1, 2, 3, 4, 5, 6)), SCHEMES, 2),
    "own": (
        "Each scheme's own periodicities and phases: schemes differ in their terms, too",
        TermsOf(periodicities=None),
        # Those of MMFF94 are the common ones: n = 1, 2, 3 and barriers of either sign.
        ("openff-2.2.1", "openff-2.2.1+soft", "openff-2.3.0", "gaff", "gaff2"),
        1,
    ),
}
# Heading to a cell of a row; those of the README are some of them.
COLUMNS: Mapping[str, Callable[[Mapping[str, Any]], str]] = {
    "scheme": lambda row: row["scheme"] + (f" ({row['n_draws']} draws)" if row["n_draws"] > 1 else ""),
    "defined": lambda row: number(row, "defined"),
    "exercised": lambda row: number(row, "exercised"),
    "identifiable": lambda row: number(row, "identifiable"),
    "held-out sites without a parameter": lambda row: f"{100 * row['share_without_parameter']:.1f} %",
    "E training": lambda row: training(row, "energy"),
    "E held out": lambda row: interval(row["held_out"]["energy"]),
    "F training": lambda row: training(row, "force"),
    "F held out": lambda row: interval(row["held_out"]["force"]),
    "E covered": lambda row: interval(row["covered"]["energy"]),
    "F covered": lambda row: interval(row["covered"]["force"]),
    "E seen": lambda row: interval(row["seen"]["energy"]),
    "F seen": lambda row: interval(row["seen"]["force"]),
}
IN_README = (
    *("scheme", "exercised", "identifiable", "held-out sites without a parameter"),
    *("E held out", "F training", "F held out", "F covered", "F seen"),
)


def run(name: str, workers: int, folder: Path | None) -> dict[str, Any]:
    """One comparison, as it is kept."""
    _, terms, schemes, n_draws = RUNS[name]
    data = read_reference(data_directory("reference") / "gfn2.parquet")
    start, shown = time.perf_counter(), [0]

    def say(n_done: int, n_all: int) -> None:
        if n_done * 20 // n_all > shown[0]:
            shown[0] = n_done * 20 // n_all
            print(f"{name}: {n_done} of {n_all} fits, {time.perf_counter() - start:.0f} s", file=sys.stderr, flush=True)

    found = compare(
        data,
        schemes,
        ComparisonSettings(terms=terms, n_draws=n_draws),
        hessians=read_hessians("gfn2-hessians"),
        engine=Engine(workers=workers),
        folder=None if folder is None else folder / name,
        progress=say,
    )
    files = ("gfn2.parquet", "gfn2-hessians.parquet")
    outcome = found.to_json()
    outcome["inputs"] = {file: checksum(data_directory("reference") / file) for file in files}
    outcome["seconds"] = round(time.perf_counter() - start)
    outcome["workers"] = workers
    return outcome


def rounded(value: Any) -> Any:
    """Numbers to six digits, so that the files that are kept stay small and readable."""
    if isinstance(value, float):
        return float(f"{value:.6g}")
    if isinstance(value, dict):
        return {key: rounded(each) for key, each in value.items()}
    return [rounded(each) for each in value] if isinstance(value, list) else value


def interval(found: Mapping[str, Any]) -> str:
    """An error with its interval."""
    if found["rmse"] is None:
        return "–"
    limits = found["interval"]
    return f"{found['rmse']:.2f}" + ("" if limits is None else f" ({limits[0]:.2f}–{limits[1]:.2f})")


def number(row: Mapping[str, Any], name: str) -> str:
    """How many parameters."""
    return f"{row[name]:,.0f}" if row["exercised"] else "–"


def training(row: Mapping[str, Any], kind: str) -> str:
    """An error in training."""
    return f"{row['training'][kind]:.2f}" if row["exercised"] else "–"


def markdown(rows: Sequence[Mapping[str, Any]], heads: Sequence[str]) -> str:
    """A table with some of the `COLUMNS`."""
    lines = [heads, ("---", *["---:"] * (len(heads) - 1)), *([COLUMNS[head](row) for head in heads] for row in rows)]
    return "\n".join("| " + " | ".join(line) + " |" for line in lines)


def section(name: str, outcome: Mapping[str, Any]) -> str:
    """What the page shows of one run."""
    title = RUNS[name][0]
    parts = [f"## {title}", markdown(outcome["schemes"], tuple(COLUMNS))]
    draws = [
        f"{row['scheme']}: energies {low:.2f} to {high:.2f}, forces {force[0]:.2f} to {force[1]:.2f}"
        for row in outcome["schemes"]
        if row["held_out"]["energy"]["range_of_draws"]
        for (low, high), force in [
            (row["held_out"]["energy"]["range_of_draws"], row["held_out"]["force"]["range_of_draws"])
        ]
    ]
    if draws:
        parts.append("Range of the draws, held out: " + "; ".join(draws) + ".")
    first = outcome["schemes"][0]["scheme"]
    less = [
        f"{row['scheme']} {low:+.2f} to {high:+.2f} and {force[0]:+.2f} to {force[1]:+.2f}"
        for row in outcome["schemes"][1:]
        for (low, high), force in [(row["held_out"]["energy"]["less_first"], row["held_out"]["force"]["less_first"])]
    ]
    parts.append(
        f"Held-out error less that of {first}, 95 % intervals of energies and forces: " + "; ".join(less) + "."
    )
    ended = sorted({status for row in outcome["schemes"] for status in row["statuses"]})
    parts.append(
        f"Covered: {outcome['n_covered_by_all']} molecules for which every scheme has all rules; seen: "
        f"{outcome['n_seen_by_all']} of them all of whose parameters had been fitted to others. Fits ended: "
        f"{', '.join(ended)}."
    )
    return "\n\n".join(parts)


def headline(outcome: Mapping[str, Any]) -> str:
    """The README's table."""
    shown = (
        f"{outcome['n_molecules']} molecules, {outcome['n_conformers']:,} conformers, {outcome['level_of_theory']}; "
        "root mean square errors of energies (E, kcal/mol) and force components (F, kcal/mol/Å), 95 % intervals; "
        f"covered: the {outcome['n_covered_by_all']} molecules for which every scheme has all rules; seen: the "
        f"{outcome['n_seen_by_all']} of them all of whose parameters training molecules had fed, in every scheme but "
        "untied."
    )
    return f"{START}\n{markdown(outcome['schemes'], IN_README)}\n\n{shown}\n{END}"


def with_block(text: str, block: str, path: Path) -> str:
    found = re.search(re.escape(START) + ".*?" + re.escape(END), text, flags=re.DOTALL)
    if found is None:
        raise SystemExit(f"{path.name} lacks the marks {START!r} and {END!r}")
    return text[: found.start()] + block + text[found.end() :]


def kept() -> dict[str, dict[str, Any]]:
    """The outcomes that are kept."""
    paths = {name: OUTCOMES / f"{name}.json" for name in RUNS}
    return {name: json.loads(path.read_text(encoding="utf-8")) for name, path in paths.items() if path.exists()}


def pages() -> dict[Path, str]:
    """The files with tables, as they should be."""
    outcomes = kept()
    block = "\n\n".join(section(name, outcome) for name, outcome in outcomes.items())
    page, readme = (path.read_text(encoding="utf-8") for path in (PAGE, README))
    return {
        PAGE: with_block(page, f"{START}\n{block}\n{END}", PAGE),
        README: with_block(readme, headline(outcomes["common"]), README),
    }


def main() -> int:
    parser = argparse.ArgumentParser(description="The controlled comparison; see the head of the script.")
    parser.add_argument("--check", action="store_true", help="fail where a table is not that of the kept outcomes")
    parser.add_argument("--only", choices=tuple(RUNS), action="append", help="run only these")
    parser.add_argument("--tables", action="store_true", help="run nothing: write the tables from the kept outcomes")
    parser.add_argument("--workers", type=int, default=2, help="processes")
    parser.add_argument("--folder", type=Path, help="where finished fits are kept")
    arguments = parser.parse_args()
    if arguments.check:
        stale = [path.name for path, text in pages().items() if path.read_text(encoding="utf-8") != text]
        if stale:
            print(f"{', '.join(stale)}: not what docs/comparison/*.json say; run scripts/make_comparison.py --tables")
        return 1 if stale else 0
    OUTCOMES.mkdir(exist_ok=True)
    for name in () if arguments.tables else arguments.only or RUNS:
        outcome = rounded(run(name, arguments.workers, arguments.folder))
        (OUTCOMES / f"{name}.json").write_text(
            json.dumps(outcome, indent=1, ensure_ascii=False) + "\n", encoding="utf-8"
        )
    plot_comparison(kept()["common"]["schemes"], PICTURE)
    for path, text in pages().items():
        path.write_text(text, encoding="utf-8")
    return 0


if __name__ == "__main__":
    raise SystemExit(main())
