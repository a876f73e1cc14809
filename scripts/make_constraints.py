#!/usr/bin/env python3
"""Print constraints.txt: one version of every direct and transitive dependency of every extra.

pip resolves the extras for the first interpreter, with nothing installed. The other interpreters are then held to the
same versions, so that numbers do not change with the version of Python; only what pyproject.toml itself ties to a
version of Python may differ, and gets a marker. Give the oldest interpreter first: what still supports it mostly
supports the newer ones too.

    scripts/make_constraints.py python3.11 python3.12 python3.13 > constraints.new && mv constraints.new constraints.txt
"""

import argparse
import json
import re
import subprocess
import sys
import tempfile
import tomllib
from pathlib import Path

ROOT = Path(__file__).resolve().parent.parent
EXTRAS = "all,dev,nagl,nn-test,qm"
# The release whose CPU build is of CPU size; a newer one is a decision and not the outcome of a resolution.
HELD = ("torch==2.13.0",)


def normalized(name: str) -> str:
    return re.sub(r"[-_.]+", "-", name).lower()


def marked_names() -> set[str]:
    """Names of the dependencies that pyproject.toml ties to a version of Python."""
    project = tomllib.loads((ROOT / "pyproject.toml").read_text(encoding="utf-8"))["project"]
    lines = [*project["dependencies"], *(line for extra in project["optional-dependencies"].values() for line in extra)]
    return {normalized(re.split(r"[=<>!~;\[ ]", line)[0]) for line in lines if "python_version" in line}


def resolve(interpreter: str, pins: dict[str, str], folder: Path) -> tuple[str, dict[str, str]]:
    """The Python version of an interpreter, and the version of each distribution that pip picks for it."""
    python = str(folder / "bin" / "python")
    subprocess.run([interpreter, "-m", "venv", str(folder)], check=True)
    # The pip that comes with an interpreter may download every candidate; a current one reads metadata only.
    subprocess.run([python, "-m", "pip", "install", "--quiet", "--upgrade", "pip"], check=True)
    constraints = folder / "held.txt"
    constraints.write_text("\n".join([*HELD, *(f"{name}=={version}" for name, version in pins.items())]))
    report = folder / "report.json"
    arguments = [
        "--dry-run",
        "--ignore-installed",
        "--quiet",
        "--report",
        str(report),
        "--constraint",
        str(constraints),
    ]
    subprocess.run([python, "-m", "pip", "install", *arguments, f"{ROOT}[{EXTRAS}]"], check=True)
    version = subprocess.run(
        [python, "-c", "import sys; print('%d.%d' % sys.version_info[:2])"], check=True, capture_output=True, text=True
    ).stdout.strip()
    metadata = [entry["metadata"] for entry in json.loads(report.read_text())["install"]]
    # A local part (+cpu) names a build, which a constraint leaves open.
    return version, {normalized(m["name"]): m["version"].split("+")[0] for m in metadata if m["name"] != "ffshare"}


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("interpreter", nargs="+", help="Python interpreters, oldest first")
    interpreters = parser.parse_args().interpreter
    free = marked_names()
    pins: dict[str, str] = {}
    found: dict[str, dict[str, list[str]]] = {}
    for interpreter in interpreters:
        with tempfile.TemporaryDirectory() as folder:
            python, versions = resolve(
                interpreter, {n: v for n, v in pins.items() if n not in free}, Path(folder) / "v"
            )
        pins = versions | pins
        for name, version in versions.items():
            found.setdefault(name, {}).setdefault(version, []).append(python)
    sys.stdout.write("# Made by scripts/make_constraints.py; do not edit by hand.\n")
    for name, versions in sorted(found.items()):
        for version, pythons in versions.items():
            marker = " or ".join(f"python_version == '{python}'" for python in pythons)
            sys.stdout.write(f"{name}=={version}{'; ' + marker if len(versions) > 1 else ''}\n")


if __name__ == "__main__":
    main()
