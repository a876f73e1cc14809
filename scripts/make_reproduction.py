#!/usr/bin/env python3
"""Run the experiments on shared weights in full and write what they found into the documentation.

    python scripts/make_reproduction.py [SYSTEM ...]
    python scripts/make_reproduction.py --check

The outcome of each system is kept in docs/reproduction/NAME.json and its figure in NAME.svg, from which the tables of
docs/reproduction.md are written. Needs the extra `reproduce`. `--check` runs nothing and needs no torch: it fails where
a table is not that of the outcomes that are kept.
"""

import argparse
import json
import re
import sys
import time
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

ROOT = Path(__file__).resolve().parent.parent
PAGE = ROOT / "docs" / "reproduction.md"
OUTCOMES = ROOT / "docs" / "reproduction"
START, END = "<!-- experiments: made by scripts/make_reproduction.py -->", "<!-- end of experiments -->"


def run(names: Sequence[str]) -> None:
    """Run systems and keep what they found."""
    import numpy as np
    import torch

    from ffshare import __version__
    from ffshare.nn.reproduce import select
    from ffshare.report import draw_panels

    OUTCOMES.mkdir(exist_ok=True)
    for system in select(names):
        start = time.process_time()
        outcome = system.run(False)
        seconds = time.process_time() - start
        n_failed = sum(not check.passed for check in outcome.checks)
        print(
            f"{system.name}: {len(outcome.checks)} claims, {n_failed} failed, {seconds:.0f} s of CPU", file=sys.stderr
        )
        draw_panels(outcome.panels, OUTCOMES / f"{system.name}.svg", f"({system.number}) {system.title}")
        kept = {
            "number": system.number,
            "name": system.name,
            "title": system.title,
            "claim": system.claim,
            "checks": [rounded(check.to_json(system.name)) for check in outcome.checks],
            "remarks": list(outcome.remarks),
            "cpu_seconds": round(seconds),
            "versions": {"ffshare": __version__, "torch": torch.__version__, "numpy": np.__version__},
        }
        path = OUTCOMES / f"{system.name}.json"
        path.write_text(json.dumps(kept, indent=1, ensure_ascii=False) + "\n", encoding="utf-8")


def rounded(check: dict[str, Any]) -> dict[str, Any]:
    """Numbers to four digits, which is more than is certain."""
    return {key: float(f"{value:.4g}") if isinstance(value, float) else value for key, value in check.items()}


def kept() -> list[dict[str, Any]]:
    """The outcomes that are kept, by number."""
    found = [json.loads(path.read_text(encoding="utf-8")) for path in OUTCOMES.glob("*.json")]
    return sorted(found, key=lambda outcome: outcome["number"])


def cell(value: float | str | None) -> str:
    return "–" if value is None else f"{value:.4g}" if isinstance(value, float) else str(value)


def line(check: Mapping[str, Any]) -> str:
    """A check as a row of a table."""
    expected = cell(check["expected"]) + (f" ± {check['tolerance']:.2g}" if check["tolerance"] else "")
    measured = cell(check["measured"]) + (f" ± {check['error']:.2g}" if check["error"] else "")
    claim = check["claim"][0].upper() + check["claim"][1:]
    mark = "holds" if check["passed"] else "**failed**"
    return f"| {claim.replace('|', chr(92) + '|')} | {expected} | {measured} | {mark} |"


def section(outcome: Mapping[str, Any]) -> str:
    """What the page shows of one system."""
    parts = [
        f"## ({outcome['number']}) {outcome['title']}",
        outcome["claim"][0].upper() + outcome["claim"][1:] + ".",
        "\n".join(
            [
                "| claim | expected | measured ± s.e. | |",
                "| --- | ---: | ---: | --- |",
                *(line(check) for check in outcome["checks"]),
            ]
        ),
        f"![{outcome['title']}](reproduction/{outcome['name']}.svg)",
    ]
    if outcome["remarks"]:
        parts.append("\n".join(f"- {remark}" for remark in outcome["remarks"]))
    return "\n\n".join(parts)


def page() -> str:
    """The page as it should be."""
    text = PAGE.read_text(encoding="utf-8")
    outcomes = kept()
    checks = [check for outcome in outcomes for check in outcome["checks"]]
    n_held = sum(check["passed"] for check in checks)
    minutes = sum(outcome["cpu_seconds"] for outcome in outcomes) / 60
    versions = sorted({", ".join(f"{k} {v}" for k, v in outcome["versions"].items()) for outcome in outcomes})
    summary = (
        f"{n_held} of {len(checks)} claims of {len(outcomes)} systems hold; {minutes:.0f} minutes of one core in all "
        f"({'; '.join(versions)})."
    )
    block = "\n\n".join([START, summary, *map(section, outcomes), END])
    found = re.search(re.escape(START) + ".*?" + re.escape(END), text, flags=re.DOTALL)
    if found is None:
        raise SystemExit(f"{PAGE.name} lacks the marks {START!r} and {END!r}")
    return text[: found.start()] + block + text[found.end() :]


def main() -> int:
    parser = argparse.ArgumentParser(description="The experiments on shared weights; see the head of the script.")
    parser.add_argument("systems", nargs="*", help="names or numbers; all by default")
    parser.add_argument("--check", action="store_true", help="fail where a table is not that of the kept outcomes")
    parser.add_argument("--tables", action="store_true", help="run nothing: write the tables from the kept outcomes")
    arguments = parser.parse_args()
    if arguments.check:
        if PAGE.read_text(encoding="utf-8") == page():
            return 0
        print("docs/reproduction.md: not what docs/reproduction/*.json say; run scripts/make_reproduction.py --tables")
        return 1
    if not arguments.tables:
        run(arguments.systems)
    PAGE.write_text(page(), encoding="utf-8")
    return 0


if __name__ == "__main__":
    raise SystemExit(main())
