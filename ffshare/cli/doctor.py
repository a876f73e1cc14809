"""`ffshare doctor`: what is installed, and the command that adds what is missing."""

import platform
import sys
from collections.abc import Mapping
from importlib import metadata, util
from pathlib import Path
from typing import Annotated, Any

from cyclopts import Parameter

from ffshare import __version__
from ffshare.cli.console import print_json, print_table

_CORE = ("rdkit", "numpy", "scipy", "pyarrow", "cyclopts", "rich")

# Part → a module that shows that it is there, what it is for, and the extra that brings it.
_PARTS: Mapping[str, tuple[str, str, str]] = {
    "openff-toolkit": ("openff.toolkit", "old offxml versions, unusual units", "openff"),
    "openff force fields": ("openforcefields", "force fields by name", "openff"),
    "openff-interchange": ("openff.interchange", "export to engines", "openff"),
    "openff-nagl": ("openff.nagl", "charges", "nagl"),
    "torch": ("torch", "layers", "nn"),
    "matplotlib": ("matplotlib", "plots", "plot"),
    "duckdb": ("duckdb", "queries over large outputs", "query"),
}


def doctor(*, json: Annotated[bool, Parameter(negative="")] = False) -> None:
    """Show versions, what is installed, and the command that adds what is missing.

    Args:
        json: Print as JSON.
    """
    conda = (Path(sys.prefix) / "conda-meta").is_dir()
    core = {name: _version(name) for name in _CORE}
    parts = [_part(name, conda) for name in _PARTS]
    if json:
        report = {
            "ffshare": __version__,
            "python": platform.python_version(),
            "conda": conda,
            "core": core,
            "parts": parts,
        }
        print_json(report)
        return
    print(f"ffshare {__version__}, Python {platform.python_version()} on {platform.system()} {platform.machine()}")
    print(", ".join(f"{name} {version or 'missing'}" for name, version in core.items()))
    heads = {"part": "part", "for": "for", "version": "version", "distribution": "provided by", "add": "to add it"}
    print_table("optional parts", parts, heads)


def _part(name: str, conda: bool) -> dict[str, Any]:
    module, purpose, extra = _PARTS[name]
    distributions = _distributions_of(module)
    present = _is_present(module)
    # From conda the openff packages come under other names, and pip would overwrite them.
    add = (
        "conda env update --file environment.yml" if conda and extra == "openff" else f'pip install "ffshare[{extra}]"'
    )
    return {
        "part": name,
        "for": purpose,
        "version": ", ".join(f"{_version(one)}" for one in distributions) or None,
        "distribution": ", ".join(distributions) or ("conda or a source folder" if present else None),
        "add": None if present else add,
    }


def _is_present(module: str) -> bool:
    try:
        return util.find_spec(module) is not None
    except ModuleNotFoundError:  # a parent package is missing
        return False


def _version(distribution: str) -> str | None:
    try:
        return metadata.version(distribution)
    except metadata.PackageNotFoundError:
        return None


def _distributions_of(module: str) -> list[str]:
    """Distributions that install a module: several share the folder ``openff``, so files are asked, not names."""
    folder = module.replace(".", "/") + "/__init__.py"
    alone = module.replace(".", "/") + ".py"
    return sorted(
        one.metadata["Name"]
        for one in metadata.distributions()
        if any(str(file) in (folder, alone) for file in one.files or ())
    )
