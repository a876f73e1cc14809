#!/usr/bin/env python3
"""Write the headline table of the README, docs/counts.md and docs/growth.svg: the parameters that schemes have and use.

    python scripts/make_headline.py [--check]

Over the molecules that ship (drugs, fragments, AlkEthOH). The table stands between two marks in the README; --check
writes nothing and fails where the README or docs/counts.md hold other numbers.
"""

import argparse
import random
import re
import sys
import tempfile
from functools import reduce
from operator import add
from pathlib import Path

import ffshare
from ffshare.assign import CountRow, Counts, counts, load_scheme, tally
from ffshare.assign.count import BY_DISTINCT_VALUES, BY_FORMULA
from ffshare.assign.growth import Growth, growth
from ffshare.data_files import data_directory
from ffshare.report import plot_growth
from ffshare.rules.table import STARTING_VALUES

ROOT = Path(__file__).resolve().parent.parent
README, DETAILS, PICTURE = ROOT / "README.md", ROOT / "docs" / "counts.md", ROOT / "docs" / "growth.svg"
FILES = ("drugs.smi", "fragments.smi", "alkethoh.smi")
SCHEMES = ("openff-2.2.1", "openff-2.3.0", "gaff", "gaff2", "mmff94", "untied")
# Their parameters grow on another scale than those of rules.
DRAWN = SCHEMES[:-1]
SEED = 0
BATCH = 300
START, END = "<!-- counts: made by scripts/make_headline.py -->", "<!-- end of counts -->"

NOTE_OF = {BY_FORMULA: "¹", BY_DISTINCT_VALUES: "²", STARTING_VALUES: "³"}
HEADS = (
    "scheme",
    "defined",
    "exercised",
    "effective",
    "seen in < 5 molecules",
    "sites",
    "no rule",
    "guessed",
    "molecules lacking a value",
    "type combinations",
)
IDENTIFIABLE = """\
A fourth number needs data: how many parameters these can identify.

```sh
ffshare count --scheme openff-2.2.1 --scheme gaff2 --reference reference/gfn2.parquet
```

adds *identifiable*: the rank of what the energies and forces of all conformers see, at the values of the scheme. The
number of a sum is the rank of all bonded parameters together, that of a section the rank of its own with the others
known; where the sections add up to more, data see some combinations across sections only. It is at most what is
exercised. What is missing from it is named: on standard error, and in full with `--json`. Molecules with a term that no
rule gives take no part, guessed values are taken as known, and so are van der Waals parameters and charges, which have
no such number. MMFF94 has none either: its potentials are no springs and cosines. With other input files besides, all
else is counted on those, and only *identifiable* on the reference data."""


def measured() -> tuple[list[Counts], dict[str, Growth]]:
    """The count of each scheme, and its growth with the molecules in random order."""
    lines = [line for name in FILES for line in (data_directory("molecules") / name).read_text().splitlines()]
    lines = [line for line in lines if line and not line.startswith("#")]
    random.Random(SEED).shuffle(lines)
    with tempfile.TemporaryDirectory() as folder:
        path = Path(folder) / "shipped.smi"
        path.write_text("\n".join(lines) + "\n")
        batches = list(ffshare.read_batches(path, batch_size=BATCH))
    found, growths = [], {}
    for name in SCHEMES:
        scheme = load_scheme(name)
        assignments = [scheme.assign(batch) for batch in batches]
        use = reduce(add, (tally(one.batch.n_molecules, one.sites, one.tables) for one in assignments))
        found.append(counts(name, scheme.tables, use))
        if name in DRAWN:
            growths[name] = reduce(add, map(growth, assignments))
    return found, growths


def cells(name: str, row: CountRow) -> tuple[str, ...]:
    """The cells of a row of the table."""
    return (
        name,
        f"{row.defined:,}",
        f"{row.exercised:,}",
        f"{row.effective:,} {NOTE_OF[row.effective_by]}",
        f"{row.rarely_seen:,}",
        f"{row.sites:,}",
        f"{row.unassigned:,}",
        f"{row.guessed:,}",
        f"{row.incomplete_molecules:,}",
        "–" if row.combinations is None else f"{row.combinations:,}",
    )


def table(rows: list[tuple[str, ...]]) -> str:
    """A Markdown table under `HEADS`."""
    lines = ["| " + " | ".join(row) + " |" for row in (HEADS, ("---", *["---:"] * (len(HEADS) - 1)), *rows)]
    return "\n".join(lines)


NOTES = (
    "¹ not within 2 % of the force field's own formula, plus the constants of the formula. "
    "² no formula: distinct values. ³ no values of its own: all. Sites count each order of equal neighbours of a GAFF "
    "improper."
)


def headline(found: list[Counts]) -> str:
    """The part of the README."""
    n_molecules = found[0].n_molecules
    rows = [cells(one.scheme, one["valence and vdW"]) for one in found]
    title = f"Valence and vdW parameters on {n_molecules:,} molecules that ship:"
    return "\n\n".join([f"{START}\n{title}", table(rows), f"{NOTES}\n{END}"])


def details(found: list[Counts]) -> str:
    """The page of the docs: every section of every scheme."""
    parts = [
        "# Parameters of each scheme, section by section",
        f"Made by `scripts/make_headline.py` over {found[0].n_molecules:,} molecules: {', '.join(FILES)}, shuffled "
        f"with seed {SEED} for the picture. What the words mean: `ffshare count --help`.",
        "![Parameters in use and type combinations without a rule, as molecules are added](growth.svg)",
    ]
    for one in found:
        rows = [cells(row.section, row) for row in one]
        parts += [f"## {one.scheme}", table(rows).replace("| scheme", "| section", 1)]
    return "\n\n".join([*parts, NOTES, "## What data identify", IDENTIFIABLE]) + "\n"


def main() -> int:
    """Write or check."""
    parser = argparse.ArgumentParser(description="The headline table and picture.")
    parser.add_argument("--check", action="store_true")
    arguments = parser.parse_args()
    found, growths = measured()
    old = README.read_text(encoding="utf-8")
    if START not in old or END not in old:
        print(f"README.md has no marks {START} and {END}", file=sys.stderr)
        return 1
    new = re.sub(f"{re.escape(START)}.*?{re.escape(END)}", lambda _: headline(found), old, flags=re.DOTALL)
    if arguments.check:
        stale = [path.name for path, text in ((README, new), (DETAILS, details(found))) if path.read_text() != text]
        print(f"other numbers than in {', '.join(stale)}: run this script" if stale else "the numbers hold")
        return int(bool(stale))
    README.write_text(new, encoding="utf-8")
    DETAILS.write_text(details(found), encoding="utf-8")
    plot_growth(growths, PICTURE)
    return 0


if __name__ == "__main__":
    raise SystemExit(main())
