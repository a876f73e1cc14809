"""One JSON object of QCSchema or QCArchive → energies at geometries: what `qcschema` gathers into molecules."""

from collections.abc import Callable, Iterator, Mapping
from typing import Any

import numpy as np
from numpy.typing import NDArray

from ffshare.errors import MoleculeError
from ffshare.fit.reference.raw import as_numbers
from ffshare.records import doc, record

MAPPED_SMILES = "canonical_isomeric_explicit_hydrogen_mapped_smiles"
ONLY_A_NUMBER = "the number of a record at a server, without its results"

_SMILES_KEYS = (MAPPED_SMILES, "mapped_smiles", "cmiles")
# Where inside an object its SMILES may stand.
_SMILES_PLACES = ("extras", "identifiers", "attributes", "molecule", "final_molecule", "final_molecule_")
# The way to method and basis: QCSchema 1 and 2, then the records of qcportal, new and old.
_LEVEL_KEYS = (
    *("model", "input_specification", "input_data", "specification"),
    *("optimization_specification", "qc_specification", "qc_spec"),
)
# Optimisations of each point of a torsion drive: QCSchema 1, 2, qcportal.
_SCAN_KEYS = ("optimization_history", "scan_results", "optimization_records")


@record
class Point:
    """The energy, and perhaps the gradient, of one geometry."""

    smiles: str = doc("mapped SMILES; '' where nothing says it")
    symbols: tuple[str, ...] = doc("symbols of the elements")
    geometry: NDArray[np.float64] = doc("positions [bohr], shape=(n_atoms, 3)")
    energy: float = doc("total energy [Hartree]")
    gradient: NDArray[np.float64] | None = doc("gradient [Hartree/bohr], shape=(n_atoms, 3); None: not known")
    level: str = doc("method/basis; '' where nothing says it")
    name: str = doc("key or id of the result")


def points_of(node: Any, smiles: str = "", name: str = "") -> Iterator[Point | MoleculeError]:
    """All results in a JSON value, however deep.

    Args:
        node: The value.
        smiles: SMILES of what has none of its own.
        name: Key under which the value stands.

    Yields:
        A point for each energy at a geometry; an error for each result that cannot be used.
    """
    match node:
        case dict():
            here = _smiles_in(node) or smiles
            parse = _parser(node)
            if parse is not None:
                yield from _guarded(parse, node, here, str(node.get("id") or name))
            elif "record_id" in node:
                yield MoleculeError(ONLY_A_NUMBER, "fetch the results with to_records() and write them out")
            else:
                for key, inner in node.items():
                    yield from points_of(inner, here, key)
        case [dict() | list(), *_]:
            for inner in node:
                yield from points_of(inner, smiles, name)
        case _:
            pass


Parser = Callable[[Mapping[str, Any], str, str], Iterator[Point | MoleculeError]]


def _guarded(parse: Parser, node: Mapping[str, Any], smiles: str, name: str) -> Iterator[Point | MoleculeError]:
    try:
        if node.get("success") is False or node.get("status", "complete") not in ("complete", "COMPLETE"):
            message = (node.get("error") or {}).get("error_message", "")
            raise MoleculeError(f"the calculation did not succeed: {message}".rstrip(": "), "repeat it or leave it out")
        yield from parse(node, smiles, name)
    except MoleculeError as error:
        yield error
    except (KeyError, TypeError, ValueError, IndexError, AttributeError, OverflowError) as error:
        yield MoleculeError(f"not a result of QCSchema: {error!r}", "write the record again with all its fields")


def _atomic(node: Mapping[str, Any], smiles: str, name: str) -> Iterator[Point]:
    """A single point: its energy, and the gradient where that was asked for."""
    properties = node.get("properties") or {}
    places = (("driver",), ("specification", "driver"), ("input_data", "specification", "driver"))
    driver = next((found for place in places if (found := _at(node, place))), "")
    result = node.get("return_result", properties.get("return_result"))
    energy = properties.get("return_energy", result if driver == "energy" else None)
    if energy is None:
        raise MoleculeError("no energy (properties.return_energy)", "write the record with its properties")
    gradient = result if driver == "gradient" else properties.get("return_gradient")
    molecule = _first(node, "molecule") or _at(node, ("input_data", "molecule"))
    yield _point(node, molecule, energy, gradient, smiles, name)


def _optimization(node: Mapping[str, Any], smiles: str, name: str) -> Iterator[Point]:
    """The steps of an optimisation that come with geometry and gradient; else its end."""
    steps = _steps(node, smiles, name)
    if steps:
        yield from steps
    else:
        yield _end(node, smiles, name)


def _torsion_drive(node: Mapping[str, Any], smiles: str, name: str) -> Iterator[Point | MoleculeError]:
    """The end of the best optimisation at every point of the grid; with its gradient, where that is in the file."""
    optimizations = _first(node, *_SCAN_KEYS)
    if optimizations:
        for grid, found in optimizations.items():
            ends = [_last_step(one, smiles, f"{name} {grid}".strip()) for one in found]
            yield min(ends, key=lambda point: point.energy)
        return
    molecules = _first(node, "final_molecules")
    energies = node.get("final_energies") or {
        grid: one["return_energy"] for grid, one in (node.get("scan_properties") or {}).items()
    }
    if not molecules or not energies:
        raise MoleculeError("a torsion drive without geometries", "write it with final_molecules and final_energies")
    for grid, energy in energies.items():
        yield _point(node, molecules[grid], energy, None, smiles, f"{name} {grid}".strip())


def _last_step(node: Mapping[str, Any], smiles: str, name: str) -> Point:
    steps = _steps(node, smiles, name)
    return steps[-1] if steps else _end(node, smiles, name)


def _steps(node: Mapping[str, Any], smiles: str, name: str) -> list[Point]:
    steps = _first(node, "trajectory", "trajectory_results", "trajectory_records") or []
    found = [point for step in steps for point in points_of(step, smiles, name)]
    return [point for point in found if isinstance(point, Point) and point.gradient is not None]


def _end(node: Mapping[str, Any], smiles: str, name: str) -> Point:
    energies = node.get("energies") or [_at(node, ("properties", "return_energy"))]
    return _point(node, _first(node, "final_molecule"), energies[-1], None, smiles, name)


def _first(node: Mapping[str, Any], *keys: str) -> Any:
    """The first value that an object has under some keys; qcportal may write them with an underscore at the end."""
    found = (node.get(spelt) for key in keys for spelt in (key, f"{key}_"))
    return next((value for value in found if value), None)


# By schema_name of QCSchema, record_type of qcportal and procedure of older records.
_PARSERS: Mapping[str, Parser] = {
    "qcschema_output": _atomic,
    "qc_schema_output": _atomic,
    "qcschema_atomic_result": _atomic,
    "singlepoint": _atomic,
    "single": _atomic,
    "qcschema_optimization_output": _optimization,
    "qcschema_optimization_result": _optimization,
    "optimization": _optimization,
    "qcschema_torsion_drive_output": _torsion_drive,
    "qcschema_torsion_drive_result": _torsion_drive,
    "torsiondrive": _torsion_drive,
}


def _parser(node: Mapping[str, Any]) -> Parser | None:
    found = (_PARSERS.get(str(node.get(key))) for key in ("schema_name", "record_type", "procedure"))
    return next((parser for parser in found if parser is not None), None)


def _point(node: Mapping[str, Any], molecule: Any, energy: Any, gradient: Any, smiles: str, name: str) -> Point:
    if not hasattr(molecule, "keys"):
        raise MoleculeError("the geometry is not in the file", "write the record with its molecule")
    geometry = as_numbers(molecule["geometry"], "coordinates").reshape(-1, 3)
    return Point(
        smiles=_smiles_in(molecule) or smiles,
        symbols=tuple(map(str, molecule["symbols"])),
        geometry=geometry,
        energy=float(energy),
        gradient=None if gradient is None else as_numbers(gradient, "components of a gradient").reshape(geometry.shape),
        level=_level(node),
        name=name,
    )


def _smiles_in(node: Mapping[str, Any]) -> str:
    """The mapped SMILES that an object, or what describes it, holds."""
    places: list[Any] = [node, *(node.get(place) for place in _SMILES_PLACES)]
    places += [place.get(inner) for place in places[1:] if hasattr(place, "get") for inner in _SMILES_PLACES[:3]]
    found = (place.get(key) for place in places if hasattr(place, "get") for key in _SMILES_KEYS)
    return next((str(smiles) for smiles in found if smiles), "")


def _level(node: Any) -> str:
    if not hasattr(node, "get"):
        return ""
    if node.get("method"):
        basis = node.get("basis")
        basis = basis.get("name") if hasattr(basis, "get") else basis
        return f"{node['method']}/{basis}" if basis else str(node["method"])
    return next((level for key in _LEVEL_KEYS if (level := _level(node.get(key)))), "")


def _at(node: Any, path: tuple[str, ...]) -> Any:
    for key in path:
        node = node.get(key) if hasattr(node, "get") else None
    return node
