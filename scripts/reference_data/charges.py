"""NAGL charges for the molecules of a table, so that fits and comparisons need neither NAGL nor its time."""

import importlib.metadata
from collections.abc import Callable
from dataclasses import replace
from pathlib import Path

import numpy as np
from numpy.typing import NDArray

from ffshare.errors import FfshareError, MoleculeError
from ffshare.fit import ReferenceData, read_reference, write_reference
from ffshare.fit.reference import reference_metadata
from ffshare.model.nagl import NAGL_MODEL, nagl_charges
from ffshare.molecules import GraphBatch, from_smiles
from reference_data.progress import say

LIBRARIES = ("openff-nagl", "openff-nagl-models", "openff-toolkit", "torch", "rdkit")
REPACKAGED = "acellera-"  # how the names of OpenFF's packages begin on PyPI


def of_molecule(graph: GraphBatch) -> NDArray[np.float64]:
    """NAGL charges of the one molecule of a batch [e]. The network stays loaded between calls."""
    return nagl_charges(graph, np.arange(1))


def versions() -> dict[str, str]:
    """Versions of what makes the charges, by the names of the installed packages."""
    found = {one.name: one.version for one in importlib.metadata.distributions()}
    return {name: found[name] for name in sorted(found) if name.removeprefix(REPACKAGED) in LIBRARIES}


def with_charges(
    table: Path, output: Path, charges_of: Callable[[GraphBatch], NDArray[np.float64]] = of_molecule
) -> None:
    """Write a table again, its molecules with charges; what its metadata say stays.

    A molecule that gets none stays without, and is named.
    """
    data, stated = read_reference(table), reference_metadata(table)
    if data.failures:
        first = data.failures[0]
        raise FfshareError(
            f"{table}: {len(data.failures)} records cannot be used, such as {first.text}: {first.reason}"
        )
    known: dict[str, NDArray[np.float64] | None] = {}
    for smiles in dict.fromkeys(molecule.smiles for molecule in data.molecules):
        try:
            known[smiles] = charges_of(from_smiles(smiles))
        except MoleculeError as error:
            known[smiles] = None
            say(f"no charges for {smiles}: {error}")
    charged = ReferenceData(
        molecules=tuple(replace(molecule, charges=known[molecule.smiles]) for molecule in data.molecules),
        level=data.level,
        source=data.source,
    )
    made_by = {"model": NAGL_MODEL, "versions": versions()}
    decimals = stated.pop("decimals", None)
    write_reference(charged, output, decimals=decimals, details={**stated, "charges": made_by})
    n_lacking = sum(values is None for values in known.values())
    size = output.stat().st_size / 1e6
    say(f"{output}: charges of {len(known) - n_lacking} molecules, {size:.1f} MB; {n_lacking} have none")
