#!/usr/bin/env python3
"""Run the experiments on shared weights in full and write what they found into the documentation.

    python scripts/make_reproduction.py [SYSTEM ...]
    python scripts/make_reproduction.py --tables
    python scripts/make_reproduction.py --check

The outcome of each system is kept in docs/reproduction/NAME.json and its figure in NAME.svg. From these are written the
head and the results of its page, docs/reproduction/NAME.md, whose other parts are written by hand, and the overview in
docs/reproduction.md. Needs the extra `reproduce`. `--tables` writes and `--check` compares without running anything,
and need no torch; `--check` fails where a page is not that of the outcomes that are kept.
"""

import argparse
import json
import re
import sys
import time
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

from ffshare.report import draw_panels, sentence, with_spread

DOCS = Path(__file__).resolve().parent.parent / "docs"
KINDS = "json", "md", "svg"
"""Endings of the files that each system has: its outcome, its page, its figure."""
HEAD = "head", "end of head"
RESULTS = "experiments", "end of experiments"

Outcome = Mapping[str, Any]
"""What is kept of one system."""


def run(names: Sequence[str], folder: Path) -> None:
    """Run systems and keep what they found."""
    import numpy as np
    import torch

    from ffshare import __version__
    from ffshare.nn.reproduce import select

    folder.mkdir(exist_ok=True)
    for system in select(names):
        start = time.process_time()
        outcome = system.run(False)
        seconds = time.process_time() - start
        n_failed = sum(not check.passed for check in outcome.checks)
        print(
            f"{system.name}: {len(outcome.checks)} claims, {n_failed} failed, {seconds:.0f} s of CPU", file=sys.stderr
        )
        draw_panels(outcome.panels, folder / f"{system.name}.svg", f"({system.number}) {system.title}")
        found = {
            "number": system.number,
            "name": system.name,
            "title": system.title,
            "claim": system.claim,
            "checks": [rounded(check.to_json(system.name)) for check in outcome.checks],
            "remarks": list(outcome.remarks),
            "cpu_seconds": round(seconds),
            "versions": {"ffshare": __version__, "torch": torch.__version__, "numpy": np.__version__},
        }
        path = folder / f"{system.name}.json"
        path.write_text(json.dumps(found, indent=1, ensure_ascii=False) + "\n", encoding="utf-8")


def rounded(check: Mapping[str, Any]) -> dict[str, Any]:
    """Numbers to four digits, which is more than is certain; counts as they are."""
    return {
        key: float(f"{value:.4g}") if isinstance(value, float) and not value.is_integer() else value
        for key, value in check.items()
    }


def kept(folder: Path) -> list[Outcome]:
    """The outcomes that are kept, by number."""
    found = [json.loads(path.read_text(encoding="utf-8")) for path in folder.glob("*.json")]
    return sorted(found, key=lambda outcome: outcome["number"])


def pages(docs: Path) -> dict[Path, str]:
    """The text that each page should have; ends the program where a page, an outcome or a figure lacks the others."""
    folder = docs / "reproduction"
    names = {kind: {path.stem for path in folder.glob(f"*.{kind}")} for kind in KINDS}
    faults = [
        f"docs/reproduction/{name}.{kind}: missing, though there are other files of this name"
        for kind in KINDS
        for name in sorted(set.union(*names.values()) - names[kind])
    ]
    if faults:
        raise SystemExit("\n".join(faults))
    outcomes = kept(folder)
    return {docs / "reproduction.md": with_block(docs / "reproduction.md", RESULTS, overview(outcomes))} | {
        path: with_block(path, RESULTS, results(outcome), with_block(path, HEAD, head(outcome)))
        for outcome in outcomes
        for path in [folder / f"{outcome['name']}.md"]
    }


def with_block(path: Path, marks: tuple[str, str], block: str, text: str | None = None) -> str:
    """The text of a page, or another one, with what stands between two marks replaced."""
    text = path.read_text(encoding="utf-8") if text is None else text
    start, end = f"<!-- {marks[0]}: made by scripts/make_reproduction.py -->", f"<!-- {marks[1]} -->"
    found = re.search(re.escape(start) + ".*?" + re.escape(end), text, flags=re.DOTALL)
    if found is None:
        raise SystemExit(f"{path.name} lacks the marks {start!r} and {end!r}")
    return text[: found.start()] + "\n\n".join([start, block, end]) + text[found.end() :]


def head(outcome: Outcome) -> str:
    """Title and claim of a page."""
    return f"# ({outcome['number']}) {outcome['title']}\n\n**{sentence(outcome['claim'])}**"


def results(outcome: Outcome) -> str:
    """What the page of a system shows of its outcome."""
    parts = [
        "\n".join(
            [
                "| claim | expected | measured ± s.e. | |",
                "| --- | ---: | ---: | --- |",
                *(line(check) for check in outcome["checks"]),
            ]
        ),
        f"![{outcome['title']}]({outcome['name']}.svg)",
        *(["\n".join(f"- {remark}" for remark in outcome["remarks"])] if outcome["remarks"] else []),
        f"{outcome['cpu_seconds']:,} s of one core ({versions(outcome)}).",
    ]
    return "\n\n".join(parts)


def line(check: Mapping[str, Any]) -> str:
    """A check as a row of a table."""
    expected = with_spread(check["expected"], check["tolerance"])
    measured = with_spread(check["measured"], check["error"])
    mark = "holds" if check["passed"] else "**failed**"
    return f"| {cell(sentence(check['claim']))} | {expected} | {measured} | {mark} |"


def overview(outcomes: Sequence[Outcome]) -> str:
    """All systems, one a row, and their sum."""
    checks = [check for outcome in outcomes for check in outcome["checks"]]
    n_held = sum(check["passed"] for check in checks)
    minutes = sum(outcome["cpu_seconds"] for outcome in outcomes) / 60
    rows = [
        "| | system | claim | claims that hold | CPU [s] |",
        "| ---: | --- | --- | ---: | ---: |",
        *(
            f"| {outcome['number']} | [{outcome['title']}](reproduction/{outcome['name']}.md) "
            f"| {cell(sentence(outcome['claim']))} | {held(outcome)} | {outcome['cpu_seconds']:,} |"
            for outcome in outcomes
        ),
    ]
    summary = (
        f"{n_held} of {len(checks)} claims of {len(outcomes)} systems hold; {minutes:.0f} minutes of one core in all "
        f"({'; '.join(sorted(set(map(versions, outcomes))))})."
    )
    return "\n".join(rows) + "\n\n" + summary


def held(outcome: Outcome) -> str:
    """How many claims hold, in bold where not all do."""
    n_held, n = sum(check["passed"] for check in outcome["checks"]), len(outcome["checks"])
    return f"{n_held} of {n}" if n_held == n else f"**{n_held} of {n}**"


def versions(outcome: Outcome) -> str:
    return ", ".join(f"{name} {version}" for name, version in outcome["versions"].items())


def cell(text: str) -> str:
    """A text that does not end the cell of a table."""
    return text.replace("|", "\\|")


def main(arguments: Sequence[str] | None = None, docs: Path = DOCS) -> int:
    parser = argparse.ArgumentParser(description="The experiments on shared weights; see the head of the script.")
    parser.add_argument("systems", nargs="*", help="names or numbers; all by default")
    parser.add_argument("--check", action="store_true", help="fail where a page is not that of the kept outcomes")
    parser.add_argument("--tables", action="store_true", help="run nothing: write the pages from the kept outcomes")
    chosen = parser.parse_args(arguments)
    if not (chosen.check or chosen.tables):
        run(chosen.systems, docs / "reproduction")
    wanted = pages(docs)
    if not chosen.check:
        for path, text in wanted.items():
            path.write_text(text, encoding="utf-8")
        return 0
    stale = [path for path, text in wanted.items() if path.read_text(encoding="utf-8") != text]
    for path in stale:
        where = path.relative_to(docs.parent).as_posix()
        print(f"{where}: not what docs/reproduction/*.json say; run scripts/make_reproduction.py --tables")
    return 1 if stale else 0


if __name__ == "__main__":
    raise SystemExit(main())
