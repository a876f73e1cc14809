"""Files and folders of any format become one set of reference data."""

import json

import numpy as np
import pytest

from ffshare.errors import InputError
from ffshare.fit import ReferenceData, ReferenceMolecule, read_reference, stream_reference, write_reference
from ffshare.fit.reference import KINDS, READERS
from ffshare.fit.reference.atomic_units import BOHR, HARTREE, energy_factor
from ffshare.fit.reference.read import kind_of
from ffshare.molecules import Failure
from ffshare.units import in_unit
from tests.fit.reference.toys import assert_same, spring_molecule


def write(path, *molecules, **changes):
    level = molecules[0].level if molecules else ""
    write_reference(ReferenceData(molecules=molecules, level=level, **changes), path)
    return path


def write_point(path, molecule, conformer):
    """One conformer of water as a result of QCSchema, the way that programs write a file each."""
    result = {
        "schema_name": "qcschema_output",
        "molecule": {
            "symbols": ["O", "H", "H"],
            "geometry": (molecule.coords[conformer] / BOHR).ravel().tolist(),
            "extras": {"canonical_isomeric_explicit_hydrogen_mapped_smiles": molecule.smiles},
        },
        "driver": "gradient",
        "model": {"method": "springs"},
        "properties": {"return_energy": molecule.energies[conformer] / HARTREE},
        "return_result": (-molecule.forces[conformer] * BOHR / HARTREE).tolist(),
    }
    path.write_text(json.dumps(result))


def test_every_kind_has_a_reader():
    assert set(KINDS.values()) == set(READERS)


@pytest.mark.parametrize(
    ("name", "kind"),
    [
        ("a.PARQUET", "arrow"),
        ("a.b.xyz", "extxyz"),
        ("a.json.gz", "qcschema"),
        ("a.jsonl.xz", "scans"),
        ("QDATA.TXT", "forcebalance"),
        ("a.xyz.gz", None),
        ("data.txt", None),
        ("a", None),
    ],
)
def test_the_kind_goes_by_the_name(tmp_path, name, kind):
    assert kind_of(tmp_path / name) == kind


def test_conformers_in_files_of_their_own_become_one_molecule(tmp_path):
    water = spring_molecule("O", n_conformers=5)
    for conformer in (2, 0, 3, 1, 4):
        write_point(tmp_path / f"{conformer}.json", water, conformer)
    write_point(tmp_path / "9.json", water, 4)
    found = read_reference(tmp_path)
    assert found.failures == ()
    assert_same(found.molecules[0], water, 1e-9)
    # A stream joins nothing.
    streamed = list(stream_reference(tmp_path))
    assert [molecule.n_conformers for molecule in streamed] == [1] * 6


def test_rows_of_one_molecule_whose_zeros_are_not_known_stay_apart(tmp_path):
    water = spring_molecule("O")
    found = read_reference(write(tmp_path / "a.parquet", water), write(tmp_path / "b.parquet", water))
    assert found.n_molecules == 2


def test_the_source_is_the_one_stated_or_the_path(tmp_path):
    stated = write(tmp_path / "a.parquet", spring_molecule("O"), source="a computer")
    assert read_reference(stated).source == "a computer"
    bare = write(tmp_path / "b.parquet", spring_molecule("O"))
    assert read_reference(bare).source == str(bare)


def test_two_levels_are_an_error_unless_one_is_said(tmp_path):
    one = write(tmp_path / "a.parquet", spring_molecule("O", level="A"))
    other = write(tmp_path / "b.parquet", spring_molecule("N", level="B"))
    with pytest.raises(InputError, match=r"2 levels of theory: A \(1 molecules\), B \(1 molecules\)"):
        read_reference(one, other)
    with pytest.raises(InputError, match="2 levels of theory"):
        list(stream_reference(one, other))
    found = read_reference(one, other, level="B")
    assert (found.level, found.n_molecules, len(found.failures)) == ("B", 1, 1)
    unknown = write(tmp_path / "c.parquet", spring_molecule("CO", level=""))
    with pytest.raises(InputError, match="not stated"):
        read_reference(one, unknown)
    # What does not state its level is taken at the user's word.
    assert read_reference(one, unknown, level="A").n_molecules == 2


def test_all_that_is_wrong_with_paths_is_said_at_once(tmp_path):
    (tmp_path / "empty").mkdir()
    (tmp_path / "a.doc").write_text("")
    with pytest.raises(InputError) as caught:
        read_reference(tmp_path / "absent.parquet", tmp_path / "empty", tmp_path / "a.doc")
    message = str(caught.value)
    assert message.startswith("3 faults in the input")
    for part in (
        "no such file or folder",
        "no file of known format in this folder",
        "unknown format; known are .parquet",
    ):
        assert part in message
    with pytest.raises(InputError, match="no input given"):
        read_reference()
    with pytest.raises(InputError, match="no format 'csv' of reference data; known are arrow, extxyz"):
        stream_reference(tmp_path, kind="csv")


def test_the_kind_can_be_said(tmp_path):
    water = spring_molecule("O")
    write(tmp_path / "a.parquet", water).rename(tmp_path / "a.parquet.pq")
    (tmp_path / "b.json").write_text("{}")
    assert_same(read_reference(tmp_path, kind="arrow").molecules[0], water)


def test_folders_are_read_in_the_order_of_their_paths_without_hidden_files(tmp_path):
    names = ("b/1.parquet", "a/2.parquet", "3.parquet", ".hidden/4.parquet", "_5.parquet")
    for number, name in enumerate(names):
        (tmp_path / name).parent.mkdir(exist_ok=True)
        write(tmp_path / name, spring_molecule("C" * (number + 1)))
    sizes = [molecule.n_atoms for molecule in read_reference(tmp_path).molecules]
    assert sizes == [3 * n + 2 for n in (3, 2, 1)]


def test_a_stream_gives_molecules_and_failures_in_order(tmp_path):
    water = spring_molecule("O")
    broken = ReferenceMolecule(smiles="C1CC", coords=water.coords, energies=water.energies, level="springs")
    path = write(tmp_path / "a.parquet", water, broken, water)
    items = list(stream_reference(path))
    assert [isinstance(item, Failure) for item in items] == [False, True, False]
    assert (items[1].index, items[1].line, items[1].text) == (1, 2, "C1CC")


def test_an_empty_table_is_no_error(tmp_path):
    found = read_reference(write(tmp_path / "a.parquet"))
    assert (found.n_molecules, found.level, found.has_forces) == (0, "", True)


def test_units_agree_with_those_of_openff():
    pytest.importorskip("openff.units")
    # openff-units has CODATA 2018 through pint.
    assert pytest.approx(in_unit("1 * hartree * 6.02214076e23 / mole", "kcal/mol"), rel=1e-8) == HARTREE
    assert pytest.approx(in_unit("1 * bohr", "Å"), rel=1e-8) == BOHR
    assert energy_factor("eV") == pytest.approx(HARTREE / 27.211386245988, rel=1e-10)
    assert energy_factor("kJ/mol") == pytest.approx(in_unit("1 * kJ/mol", "kcal/mol"))
    np.testing.assert_allclose(HARTREE, 627.5094740631, rtol=1e-12)
