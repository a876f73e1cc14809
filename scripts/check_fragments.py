#!/usr/bin/env python3
"""Measure how many rules of a force field some molecules exercise, and list those that they do not.

    python scripts/check_fragments.py [FILE] [--scheme NAME] [--json]

A rule is exercised when it wins at a site of some molecule; to match and lose is not enough. No rule is left out of the
count, not even one that a later rule may always override. FILE is molecules/fragments.smi and NAME is openff-2.2.1
unless said otherwise. The exit status is 1 if a molecule cannot be used or a term gets no rule.
"""

import argparse
import json
import sys
from functools import reduce
from operator import add
from pathlib import Path
from typing import Any

import ffshare
from ffshare.assign import Scheme, tally
from ffshare.data_files import data_directory

SCHEME = "openff-2.2.1"
ROW = "{section:22}{rules:>6}{exercised:>11}{in_one_molecule:>17}{share:>8}{unassigned:>9}"


def measured(path: Path, scheme: Scheme) -> dict[str, Any]:
    """What the molecules of a file exercise.

    Args:
        path: The file.
        scheme: The force field.

    Returns:
        scheme, molecules, failures (reasons by place) and sections: of each its name, the number of rules, how many are
        exercised, how many of these in one molecule only, the share, the terms without a rule and the rules that are
        not exercised.
    """
    tallies, failures = [], []
    for batch in ffshare.read_batches(path):
        tallies.append(tally(batch.n_molecules, scheme.assign(batch).sites, scheme.tables))
        failures += [f"{path}:{failure.line}: {failure.reason}" for failure in batch.failures]
    use = reduce(add, tallies)
    sections = []
    for section, table in scheme.tables.items():
        n_molecules = use.sections[section].n_molecules.tolist()
        missing = [
            {"id": rule_id, "pattern": pattern}
            for rule_id, pattern, n in zip(table.ids, table.patterns, n_molecules, strict=True)
            if n == 0
        ]
        exercised = len(table) - len(missing)
        sections.append(
            {
                "section": section,
                "rules": len(table),
                "exercised": exercised,
                "in_one_molecule": n_molecules.count(1),
                "share": exercised / len(table) if len(table) else 1.0,
                "unassigned": use.sections[section].n_unassigned,
                "not_exercised": missing,
            }
        )
    return {"scheme": scheme.name, "molecules": use.n_molecules, "failures": failures, "sections": sections}


def report(found: dict[str, Any]) -> str:
    """The measurement as text."""
    heads = {name: name.replace("_", " ") for name in found["sections"][0]} | {"unassigned": "no rule"}
    lines = [f"{found['scheme']} on {found['molecules']} molecules", "", ROW.format(**heads)]
    lines += [ROW.format(**section | {"share": f"{section['share']:.1%}"}) for section in found["sections"]]
    for section in found["sections"]:
        if section["not_exercised"]:
            lines += ["", f"{section['section']}: not exercised"]
            lines += [f"    {rule['id']:8} {rule['pattern']}" for rule in section["not_exercised"]]
    return "\n".join(lines)


def main() -> int:
    """Print the measurement; 1 if a molecule cannot be used or a term gets no rule."""
    parser = argparse.ArgumentParser(description="The rules of a force field that some molecules exercise.")
    parser.add_argument(
        "file", nargs="?", type=Path, default=data_directory("molecules") / "fragments.smi", metavar="FILE"
    )
    parser.add_argument("--scheme", default=SCHEME, metavar="NAME", help="a force field, by name or file")
    parser.add_argument("--json", action="store_true")
    arguments = parser.parse_args()
    found = measured(arguments.file, ffshare.load_scheme(arguments.scheme))
    print(json.dumps(found, indent=1) if arguments.json else report(found))
    for failure in found["failures"]:
        print(failure, file=sys.stderr)
    return int(bool(found["failures"]) or any(section["unassigned"] for section in found["sections"]))


if __name__ == "__main__":
    raise SystemExit(main())
