"""QCSchema results and QCArchive exports."""

import bz2
import gzip
import json
import lzma
import re
from dataclasses import replace

import numpy as np
import pytest

from ffshare.errors import InputError
from ffshare.fit import read_reference
from ffshare.fit.reference.atomic_units import BOHR, HARTREE
from ffshare.fit.reference.identity import symbols
from ffshare.molecules import from_smiles
from tests.fit.reference.toys import assert_same, spring_molecule

LEVEL = "b3lyp-d3bj/dzvp"
CMILES = "canonical_isomeric_explicit_hydrogen_mapped_smiles"
MODEL = {"method": "b3lyp-d3bj", "basis": "dzvp"}
ETHANOL = spring_molecule("CCO", n_conformers=6, level=LEVEL)
CLOSE = 1e-9  # back and forth between units


def geometry(molecule, conformer, smiles=None, **more):
    """A molecule of QCSchema."""
    given = {} if smiles == "" else {CMILES: smiles or molecule.smiles}
    return {
        "schema_name": "qcschema_molecule",
        "symbols": symbols(from_smiles("CCO" if molecule is ETHANOL else "O").elements),
        "geometry": (molecule.coords[conformer] / BOHR).reshape(-1).tolist(),
        "extras": given,
        **more,
    }


def atomic(molecule=ETHANOL, conformer=0, driver="gradient", **changes):
    """An AtomicResult of QCSchema 1."""
    energy = molecule.energies[conformer] / HARTREE
    gradient = (-molecule.forces[conformer] * BOHR / HARTREE).tolist()
    return {
        "schema_name": "qcschema_output",
        "schema_version": 1,
        "molecule": geometry(molecule, conformer),
        "driver": driver,
        "model": MODEL,
        "properties": {"return_energy": energy},
        "return_result": gradient if driver == "gradient" else energy,
        "success": True,
        **changes,
    }


def atomic_2(conformer=0):
    """An AtomicResult of QCSchema 2."""
    old = atomic(conformer=conformer)
    return {
        "schema_name": "qcschema_atomic_result",
        "schema_version": 2,
        "input_data": {"specification": {"driver": "gradient", "model": MODEL}, "molecule": old["molecule"]},
        "molecule": old["molecule"],
        "properties": old["properties"],
        "return_result": old["return_result"],
        "success": True,
    }


def singlepoint(conformer=0):
    """A record of qcportal, with its underscores."""
    old = atomic(conformer=conformer)
    return {
        "id": 100 + conformer,
        "record_type": "singlepoint",
        "status": "complete",
        "specification": {"program": "psi4", "driver": "gradient", **MODEL},
        "molecule_": old["molecule"],
        "properties": {**old["properties"], "return_result": old["return_result"]},
    }


def optimization(conformers=range(4), steps=True):
    """An OptimizationResult of QCSchema 1."""
    conformers = list(conformers)
    return {
        "schema_name": "qcschema_optimization_output",
        "input_specification": {"driver": "gradient", "model": MODEL},
        "initial_molecule": geometry(ETHANOL, conformers[0]),
        "final_molecule": geometry(ETHANOL, conformers[-1]),
        "trajectory": [atomic(conformer=conformer) for conformer in conformers] if steps else [],
        "energies": [ETHANOL.energies[conformer] / HARTREE for conformer in conformers],
        "success": True,
    }


@pytest.fixture
def read(tmp_path):
    def write_and_read(value, name="a.json", **options):
        (tmp_path / name).write_text(value if isinstance(value, str) else json.dumps(value))
        return read_reference(tmp_path / name, **options)

    return write_and_read


@pytest.mark.parametrize("make", [lambda i: atomic(conformer=i), atomic_2, singlepoint])
def test_single_points_of_one_molecule_are_its_conformers(read, make):
    found = read([make(conformer) for conformer in range(6)])
    assert found.failures == ()
    assert found.level == LEVEL
    [molecule] = found.molecules
    assert_same(molecule, ETHANOL, CLOSE)


@pytest.mark.parametrize(
    "value",
    [
        atomic(),
        [atomic()],
        {"entries": {"https://server": [{"name": "x", "record": atomic()}]}},
        json.dumps(atomic()) + "\n" + json.dumps(atomic(conformer=1)) + "\n",
        json.dumps(atomic(), indent=2),
    ],
)
def test_results_are_found_wherever_they_stand(read, value):
    found = read(value)
    assert found.failures == ()
    assert_same(found.molecules[0].part(np.array([0])), ETHANOL.part(np.array([0])), CLOSE)


@pytest.mark.parametrize("key", [CMILES, "cmiles", "mapped_smiles"])
@pytest.mark.parametrize("place", [None, "attributes", "extras"])
def test_the_smiles_may_stand_round_the_result(read, key, place):
    result = atomic()
    result["molecule"] = geometry(ETHANOL, 0, smiles="")
    smiles = {key: ETHANOL.smiles}
    entry = {"record": result, **(smiles if place is None else {place: smiles})}
    found = read({"entries": [entry]})
    assert_same(found.molecules[0], ETHANOL.part(np.array([0])), CLOSE)


def test_the_smiles_may_be_among_the_identifiers_or_be_said(read):
    bare = geometry(ETHANOL, 0, smiles="")
    identified = read(atomic(molecule=ETHANOL) | {"molecule": bare | {"identifiers": {CMILES: ETHANOL.smiles}}})
    assert identified.molecules[0].smiles == ETHANOL.smiles
    said = read(atomic() | {"molecule": bare}, smiles="CCO")
    assert said.molecules[0].n_atoms == 9
    missing = read(atomic() | {"molecule": bare})
    assert [failure.reason for failure in missing.failures] == ["no SMILES"]


def test_energies_without_gradients_are_molecules_of_their_own(read):
    found = read([atomic(conformer=0), atomic(conformer=1, driver="energy")])
    assert [molecule.forces is None for molecule in found.molecules] == [False, True]


def test_every_step_of_an_optimisation_counts_and_else_its_end(read):
    steps = read(optimization())
    assert_same(steps.molecules[0], ETHANOL.part(np.arange(4)), CLOSE)
    end = read(optimization(steps=False))
    assert_same(end.molecules[0], replace(ETHANOL.part(np.array([3])), forces=None), CLOSE)


def test_a_torsion_drive_gives_the_best_end_of_each_point(read):
    drive = {
        "schema_name": "qcschema_torsion_drive_output",
        "input_specification": {"model": MODEL},
        "final_energies": {"0": ETHANOL.energies[0] / HARTREE, "90": ETHANOL.energies[1] / HARTREE},
        "final_molecules": {"0": geometry(ETHANOL, 0), "90": geometry(ETHANOL, 1)},
        "success": True,
    }
    found = read(drive)
    assert_same(found.molecules[0], replace(ETHANOL.part(np.array([0, 1])), forces=None), CLOSE)
    history = {"0": [optimization([0, 1]), optimization([2, 3])], "90": [optimization([4, 5])]}
    best = 1 if ETHANOL.energies[1] < ETHANOL.energies[3] else 3
    for key in ("optimization_history", "scan_results", "optimization_records_"):
        found = read(drive | {key: history})
        assert_same(found.molecules[0], ETHANOL.part(np.array([best, 5])), CLOSE)


def test_a_torsion_drive_of_schema_2_has_its_energies_among_the_properties(read):
    drive = {
        "schema_name": "qcschema_torsion_drive_result",
        "input_data": {"specification": {"specification": {"specification": {"model": MODEL}}}},
        "final_molecules": {"0": geometry(ETHANOL, 0)},
        "scan_properties": {"0": {"return_energy": ETHANOL.energies[0] / HARTREE}},
    }
    found = read(drive)
    assert found.level == LEVEL
    assert_same(found.molecules[0], replace(ETHANOL.part(np.array([0])), forces=None), CLOSE)


def test_a_basis_may_be_an_object_or_missing(read):
    assert read(atomic() | {"model": {"method": "pbe", "basis": {"name": "sto-3g"}}}).level == "pbe/sto-3g"
    assert read(atomic() | {"model": {"method": "GFN2-xTB", "basis": None}}).level == "GFN2-xTB"


def test_two_levels_in_a_file_are_an_error_and_one_can_be_chosen(read):
    both = [atomic(), atomic(conformer=1), atomic(conformer=2) | {"model": {"method": "hf", "basis": "sto-3g"}}]
    with pytest.raises(InputError, match=r"2 levels of theory: b3lyp-d3bj/dzvp \(1 molecules\), hf/sto-3g"):
        read(both)
    found = read(both, level="HF/STO-3G")
    assert (found.level, found.n_conformers) == ("HF/STO-3G", 1)
    assert [failure.reason for failure in found.failures] == ["its level of theory is b3lyp-d3bj/dzvp, not HF/STO-3G"]


@pytest.mark.parametrize(
    ("changes", "reason"),
    [
        ({"success": False, "error": {"error_message": "no convergence"}}, "did not succeed: no convergence"),
        ({"status": "error"}, "the calculation did not succeed"),
        ({"molecule": 17}, "the geometry is not in the file"),
        ({"properties": {}}, r"no energy \(properties.return_energy\)"),
        ({"return_result": [1.0]}, "not a result of QCSchema"),
        ({"molecule": {"symbols": ["C"]}}, "not a result of QCSchema: KeyError"),
        (
            {"molecule": {"symbols": ["Xy"], "geometry": [0, 0, 0]}, "return_result": [0, 0, 0]},
            "'Xy' is no symbol of an element",
        ),
    ],
)
def test_a_damaged_result_is_a_failure_and_the_others_stay(read, changes, reason):
    found = read([atomic() | changes, atomic(conformer=1)])
    assert found.n_conformers == 1
    [failure] = found.failures
    assert re.search(reason, failure.reason)
    assert failure.advice


def test_a_line_that_is_no_json_is_a_failure(read):
    text = "\n".join([json.dumps(atomic()), "{broken", json.dumps(atomic(conformer=1))])
    found = read(text, name="a.json")
    assert found.n_conformers == 2
    assert [(failure.line, failure.reason) for failure in found.failures] == [(2, "the line is no JSON")]


def test_collections_of_record_numbers_are_refused_with_the_way_out(read):
    collection = {"entries": {"https://server": [{"type": "optimization", "record_id": "3", "cmiles": "[H:1]"}]}}
    with pytest.raises(InputError, match=r"numbers of records at a server and no energies; fetch .* to_records\(\)"):
        read(collection)
    with pytest.raises(InputError, match="holds no result of QCSchema or QCArchive"):
        read({"a": [1, 2, {"b": "c"}]})
    with pytest.raises(InputError, match="cannot be read as JSON"):
        read("not JSON at all")


@pytest.mark.parametrize(("suffix", "compress"), [("gz", gzip.compress), ("bz2", bz2.compress), ("xz", lzma.compress)])
def test_compressed_files_are_read_and_damaged_ones_said(tmp_path, suffix, compress):
    lines = [json.dumps(atomic(conformer=conformer)).encode() for conformer in range(6)]
    packed = compress(b"\n".join(lines))
    path = tmp_path / f"a.json.{suffix}"
    path.write_bytes(packed)
    assert_same(read_reference(path).molecules[0], ETHANOL, CLOSE)
    path.write_bytes(packed[:40])
    with pytest.raises(InputError, match="cannot be read as JSON"):
        read_reference(path)
