"""Labelling of libraries through the command line: molecules a second, memory, growth with the number, speed-up.

    python scripts/bench_scale.py [--sizes 10000 100000 1000000] [--scheme openff-2.3.0] [--json FILE] [--folder DIR]

A library of `scripts/make_library.py` is labelled into a folder, as a user would do it: by one process and by two for
every size but the largest, which two processes do, and by two workers of a dask scheduler on this machine. Prints a
table, and JSON with a list of runs (molecules, engine, seconds, seconds of processors, peak memory of each process,
bytes written) and with the figures that follow from them:

- `growth`: time a molecule of the largest library over that of the smallest, start-up subtracted (a run of ten
  molecules), for the same two processes; 1 is linear.
- `speed_up`: time of one process over that of two, on the second largest library.
- `same`: whether all engines wrote the same bytes.
- `cost_of_finding_repeats`: share of the time of a worker that goes into looking for identical inputs, in a library
  that has next to none.
"""

import argparse
import filecmp
import json
import shutil
import subprocess
import sys
import tempfile
import threading
import time
from collections.abc import Iterator
from contextlib import contextmanager, nullcontext
from pathlib import Path
from typing import Any

ROOT = Path(__file__).resolve().parent.parent
FEW = 10


def processes_below(pid: int) -> Iterator[int]:
    """A process and its children, as far as they are there."""
    yield pid
    try:
        children = Path(f"/proc/{pid}/task/{pid}/children").read_text().split()
    except OSError:
        return
    for child in children:
        yield from processes_below(int(child))


def peak(pid: int) -> int:
    """The largest resident memory that a process has had [bytes]; 0 of one that is gone."""
    try:
        lines = Path(f"/proc/{pid}/status").read_text().splitlines()
    except OSError:
        return 0
    return next((1024 * int(line.split()[1]) for line in lines if line.startswith("VmHWM")), 0)


def seconds_of(pid: int) -> float:
    """Processor time of a process so far [s]; 0 of one that is gone."""
    try:
        fields = Path(f"/proc/{pid}/stat").read_text().rpartition(")")[2].split()
    except OSError:
        return 0.0
    return (int(fields[11]) + int(fields[12])) / 100


def watched(command: list[str], others: tuple[int, ...]) -> dict[str, Any]:
    """Run a command; how long it took, and the peak memory and processor time of it and of other processes."""
    before = {pid: seconds_of(pid) for other in others for pid in processes_below(other)}
    memory: dict[int, int] = {}
    processor: dict[int, float] = {}
    start = time.monotonic()
    process = subprocess.Popen(command, stdout=subprocess.PIPE, stderr=subprocess.STDOUT, text=True)
    ended = threading.Event()

    def look() -> None:
        while not ended.wait(0.2):
            for root in (process.pid, *others):
                for pid in processes_below(root):
                    memory[pid] = max(memory.get(pid, 0), peak(pid))
                    processor[pid] = max(processor.get(pid, 0.0), seconds_of(pid) - before.get(pid, 0.0))

    watcher = threading.Thread(target=look)
    watcher.start()
    output, _ = process.communicate()
    seconds = time.monotonic() - start
    ended.set()
    watcher.join()
    if process.returncode:
        raise SystemExit(f"{' '.join(command)} ended with {process.returncode}:\n{output}")
    return {
        "seconds": seconds,
        "processor_seconds": sum(processor.values()),
        "peak_megabytes": sorted((round(size / 1e6) for size in memory.values() if size > 3e7), reverse=True),
        "said": output.splitlines()[-1] if output else "",
    }


@contextmanager
def cluster(n_workers: int) -> Iterator[tuple[str, tuple[int, ...]]]:
    """The address of a dask scheduler with workers of one thread each, and its processes."""
    code = (
        "import sys, distributed\n"
        f"with distributed.LocalCluster(n_workers={n_workers}, threads_per_worker=1, dashboard_address=':0') as made:\n"
        "    print(made.scheduler_address, flush=True); sys.stdin.read()\n"
    )
    process = subprocess.Popen(
        [sys.executable, "-c", f"if __name__ == '__main__':\n    {code.replace(chr(10), chr(10) + '    ')}"],
        stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True,
    )  # fmt: skip
    assert process.stdout is not None
    try:
        yield process.stdout.readline().strip(), (process.pid,)
    finally:
        process.communicate()


def run(library: Path, n_molecules: int, engine: str, scheme: str, out: Path) -> dict[str, Any]:
    """Label a library into a folder."""
    command = [sys.executable, "-m", "ffshare", "assign", str(library), "--scheme", scheme, "--out", str(out)]
    shutil.rmtree(out, ignore_errors=True)
    kind, _, number = engine.partition(" ")
    with cluster(int(number)) if kind == "dask" else nullcontext(("", ())) as (address, others):
        options = ["--scheduler", address] if kind == "dask" else ["--workers", number]
        found = watched([*command, *options], others)
    n_bytes = sum(path.stat().st_size for path in out.rglob("*") if path.is_file())
    return {"molecules": n_molecules, "engine": engine, **found, "bytes": n_bytes}


def differing(one: Path, two: Path) -> list[str]:
    """Files of two folders that are not the same."""
    names = {str(path.relative_to(root)) for root in (one, two) for path in root.rglob("*") if path.is_file()}
    _, differ, lacking = filecmp.cmpfiles(one, two, sorted(names), shallow=False)
    return [*differ, *lacking]


def cost_of_finding_repeats(library: Path) -> float:
    """Share of the labelling of a part that goes into finding identical inputs and into spreading the tables."""
    from ffshare.assign import load_scheme
    from ffshare.assign.library import Labeller
    from ffshare.assign.library.repeats import Repeats
    from ffshare.molecules import read_entries

    entries = list(read_entries([library]))[:5000]
    labeller = Labeller(scheme=load_scheme("openff-2.2.1"))
    labeller(entries[:100])
    start = time.process_time()
    found = labeller(entries)
    whole = time.process_time() - start
    start = time.process_time()
    repeats = Repeats.of(entries)
    for table in (found.labels, found.molecules):
        repeats.spread(table.set_column(0, table.schema.field(0), table["molecule_idx"]))
    return (time.process_time() - start) / whole


def show(runs: list[dict[str, Any]]) -> None:
    print(f"{'molecules':>10} {'engine':<12} {'seconds':>9} {'a second':>9} {'processor s':>12} {'GB':>6}  peak MB")
    for one in runs:
        rate, memory = one["molecules"] / one["seconds"], ", ".join(map(str, one["peak_megabytes"]))
        print(
            f"{one['molecules']:>10,} {one['engine']:<12} {one['seconds']:9.1f} {rate:9.0f} "
            f"{one['processor_seconds']:12.1f} {one['bytes'] / 1e9:6.3f}  {memory}"
        )


def figures(runs: list[dict[str, Any]], sizes: list[int]) -> dict[str, float]:
    seconds = {(one["molecules"], one["engine"]): one["seconds"] for one in runs}
    started = seconds[FEW, "processes 2"]

    def each(size: int) -> float:
        return (seconds[size, "processes 2"] - started) / size

    middle = sizes[-2] if len(sizes) > 1 else sizes[-1]
    return {
        "growth": each(sizes[-1]) / each(sizes[0]),
        "speed_up": seconds[middle, "processes 1"] / seconds[middle, "processes 2"],
        "speed_up_dask": seconds[middle, "processes 1"] / seconds[middle, "dask 2"],
    }


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--sizes", type=int, nargs="+", default=[10_000, 100_000, 1_000_000])
    parser.add_argument("--scheme", default="openff-2.3.0")
    parser.add_argument("--folder", type=Path, help="where the libraries and their labels are put; removed by default")
    parser.add_argument("--json", type=Path, help="also write the numbers to this file")
    options = parser.parse_args()
    sizes = sorted(options.sizes)
    with tempfile.TemporaryDirectory(dir=options.folder) as temporary:
        folder = Path(temporary)
        runs, same = [], True
        for size in [FEW, *sizes]:
            library = folder / f"{size}.smi"
            with library.open("w") as stream:
                subprocess.run(
                    [sys.executable, ROOT / "scripts" / "make_library.py", str(size)], stdout=stream, check=True
                )
            engines = ["processes 2"] if size in (FEW, sizes[-1]) and len(sizes) > 1 else []
            for number, engine in enumerate(engines or ["processes 2", "processes 1", "dask 2"]):
                runs.append(run(library, size, engine, options.scheme, folder / f"labels-{number}"))
                print(f"{size:,} {engine}: {runs[-1]['seconds']:.1f} s", file=sys.stderr)
                if number:
                    same &= not differing(folder / "labels-0", folder / f"labels-{number}")
        found = figures(runs, sizes) | {"cost_of_finding_repeats": cost_of_finding_repeats(folder / f"{sizes[0]}.smi")}
    show(runs)
    print("  ".join(f"{name} {value:.3f}" for name, value in found.items()), " same" if same else " DIFFERENT BYTES")
    report = {"runs": runs, **found, "same": same}
    print(json.dumps(report))
    if options.json:
        options.json.write_text(json.dumps(report, indent=1) + "\n")


if __name__ == "__main__":
    main()
