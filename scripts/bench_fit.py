"""How fast parameters are fitted: in ratios within one run on the same residuals, float64, one thread.

    python scripts/bench_fit.py [REFERENCE] [--scheme openff-2.2.1] [--second openff-2.3.0] [--rounds 3] [--json FILE]

Prints a table, and JSON with the keys `conformers_per_second`, `speedup_over_autograd`,
`speedup_over_finite_difference` and `second_scheme_cost`. Times are processor times of the fastest of some rounds, in
each of which all that is compared runs in turn, so that other work on the machine counts less. Without torch (extra
`nn`) its rows are left out and their keys are null.

* site level: from coordinates to sums by the slots of all sites, which any scheme shares, van der Waals and
  electrostatics subtracted; one scheme: the same, streamed straight into the parameters of one.
* first step: from coordinates to updated parameters, sums and one Gauss-Newton step with priors, on data from which van
  der Waals and electrostatics are already subtracted, for every contender.
* torch autograd: see ``fit_bench/torch_rows.py``. The rows of torch and of ffshare, and the parameters after the step,
  are compared before anything is timed.
* finite differences: see ``fit_bench/finite.py``.
* second scheme: tying the gathered sums, adding them up and fitting, over gathering and all that for the first.
"""

import os

for _name in ("OMP_NUM_THREADS", "OPENBLAS_NUM_THREADS", "MKL_NUM_THREADS"):
    os.environ.setdefault(_name, "1")

import argparse
import json
from pathlib import Path

from fit_bench.autograd import Comparison, against_finite_differences, against_torch
from fit_bench.data import DISPLACEMENT, SHIPPED, near_size, repeated
from fit_bench.schemes import second_scheme
from fit_bench.throughput import memory, throughput


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("reference", nargs="?", type=Path, default=SHIPPED)
    parser.add_argument("--scheme", default="openff-2.2.1")
    parser.add_argument("--second", default="openff-2.3.0")
    parser.add_argument("--rounds", type=int, default=5, help="rounds, of which the fastest of each counts")
    parser.add_argument("--conformers", type=int, default=5000, help="how many the rates are taken over")
    parser.add_argument("--memory-conformers", type=int, nargs="+", default=(2000, 5000, 20_000))
    parser.add_argument("--molecules", type=int, default=28, help="how many every contender gets")
    parser.add_argument("--conformers-each", type=int, default=50, help="how many conformers of each")
    parser.add_argument("--json", type=Path, help="also write the numbers to this file")
    options = parser.parse_args()

    molecules = near_size(options.reference, scheme=options.scheme)
    few = molecules[: options.molecules]
    comparison = Comparison(options.scheme, list(repeated(few, options.conformers_each, len(few))))
    result: dict[str, object] = {
        "scheme": options.scheme,
        "reference": options.reference.name,
        "rounds": options.rounds,
        "compared_on": (
            f"{len(few)} shipped molecules of 19 to 21 atoms, {options.conformers_each} conformers each, those used "
            f"again with normal noise of {DISPLACEMENT} Å; {len(comparison.start)} parameters, "
            f"{comparison.sums.equations.n_residuals} residuals"
        ),
    }
    result |= throughput(molecules, options.scheme, options.conformers, options.rounds)
    result |= memory(options.reference, options.scheme, options.memory_conformers)
    result |= against_torch(comparison, options.rounds)
    result |= against_finite_differences(comparison, options.rounds)
    result |= second_scheme(options.reference, (options.scheme, options.second), options.rounds)
    for key, value in result.items():
        if isinstance(value, dict):
            print(key)
            for name, number in value.items():
                print(f"  {name:<60} {number:.4g}" if isinstance(number, float) else f"  {name:<60} {number}")
        else:
            print(f"{key:<60} {value:.4g}" if isinstance(value, float) else f"{key:<60} {value}")
    print(json.dumps(result))
    if options.json:
        options.json.write_text(json.dumps(result, indent=1) + "\n")


if __name__ == "__main__":
    main()
