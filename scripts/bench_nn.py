"""What sharing costs a layer: forward and backward against the untied layer of the same size, in ratios within one run.

    python scripts/bench_nn.py [--rounds 15] [--only NAME ...] [--json FILE]

Prints a table, and JSON with a list of `name`, `ratio`, `limit`, `seconds`, `against_seconds`, `within`. A round runs
both contenders in turn; the ratio is that of the fastest rounds, by processor time, on one thread, so that other work
on the machine counts less. Every case of `nn_bench` checks first that both sides compute the same kind of thing: shapes
agree, and where there is an exact counterpart, values.
"""

import os

for _name in ("OMP_NUM_THREADS", "OPENBLAS_NUM_THREADS", "MKL_NUM_THREADS"):
    os.environ.setdefault(_name, "1")

import argparse
import json
import time
from collections.abc import Callable, Sequence
from pathlib import Path

import torch
from nn_bench.case import Case
from nn_bench.cases import CASES

SHORTEST = 0.05  # seconds of a timing, so that the clock does not matter


def once(action: Callable[[], object], n_times: int) -> float:
    """Processor time of one call, from several."""
    start = time.process_time()
    for _ in range(n_times):
        action()
    return (time.process_time() - start) / n_times


def measure(case: Case, rounds: int) -> dict[str, object]:
    """The figures of a case."""
    contender, standard = case.make()
    for action in (contender, standard):
        action()
    n_times = [max(1, round(SHORTEST / max(once(action, 1), 1e-6))) for action in (contender, standard)]
    seconds = [float("inf")] * 2
    for _ in range(rounds):
        for place, action in enumerate((contender, standard)):
            seconds[place] = min(seconds[place], once(action, n_times[place]))
    ratio = seconds[0] / seconds[1]
    return {
        "name": case.name,
        "against": case.against,
        "ratio": ratio,
        "limit": case.limit,
        "within": None if case.limit is None else ratio <= case.limit,
        "seconds": seconds[0],
        "against_seconds": seconds[1],
    }


def show(rows: Sequence[dict[str, object]]) -> None:
    print(f"{'layer':<66} {'against':<33} {'ratio':>6} {'limit':>6} {'ms':>9} {'ms':>9}")
    for row in rows:
        limit = "–" if row["limit"] is None else f"{row['limit']:g}"
        times = " ".join(f"{1000 * row[key]:9.3f}" for key in ("seconds", "against_seconds"))
        mark = "" if row["within"] in (True, None) else "  above the limit"
        print(f"{row['name']:<66} {row['against']:<33} {row['ratio']:6.3f} {limit:>6} {times}{mark}")


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--rounds", type=int, default=15, help="rounds, of which the fastest of each counts")
    parser.add_argument("--only", nargs="+", default=(), help="cases whose name holds one of these")
    parser.add_argument("--json", type=Path, help="also write the numbers to this file")
    options = parser.parse_args()
    torch.set_num_threads(1)
    chosen = [case for case in CASES if not options.only or any(part in case.name for part in options.only)]
    rows = [measure(case, options.rounds) for case in chosen]
    show(rows)
    print(json.dumps(rows))
    if options.json:
        options.json.write_text(json.dumps(rows, indent=1) + "\n")


if __name__ == "__main__":
    main()
