"""The table on disk is descent's, and gives back what was written."""

import json
import re

import numpy as np
import pyarrow as pa
import pyarrow.parquet as pq
import pytest
from hypothesis import given
from hypothesis import strategies as st

from ffshare.errors import InputError, OutputError
from ffshare.fit import ReferenceData, ReferenceMolecule, read_reference, stream_reference, write_reference
from ffshare.fit.reference import REFERENCE_SCHEMA, reference_metadata, reference_table
from ffshare.fit.reference.arrow_table import read_arrow
from ffshare.fit.reference.raw import ReadOptions
from tests.fit.reference.toys import assert_same, spring_molecule

FINITE = st.floats(-1e6, 1e6, allow_subnormal=False)


@st.composite
def molecules(draw):
    """Molecules with any numbers, which only the table has to bear."""
    n_conformers, n_atoms = draw(st.integers(1, 4)), draw(st.integers(1, 5))
    shape = (n_conformers, n_atoms, 3)
    size = n_conformers * n_atoms * 3

    def numbers(n):
        return np.array(draw(st.lists(FINITE, min_size=n, max_size=n)))

    return ReferenceMolecule(
        smiles=draw(st.text("CNO[]:123", max_size=8)),
        coords=numbers(size).reshape(shape),
        energies=numbers(n_conformers),
        forces=numbers(size).reshape(shape) if draw(st.booleans()) else None,
    )


@given(st.lists(molecules(), max_size=4))
def test_what_is_written_is_what_is_read(tmp_path_factory, written):
    path = tmp_path_factory.mktemp("law") / "data.parquet"
    write_reference(ReferenceData(molecules=tuple(written)), path)
    found = list(read_arrow(path, ReadOptions(), iter(range(100))))
    assert [raw.line for raw in found] == list(range(1, len(written) + 1))
    for raw, molecule in zip(found, written, strict=True):
        assert raw.smiles == molecule.smiles
        np.testing.assert_array_equal(raw.coords, molecule.coords.reshape(-1))
        np.testing.assert_array_equal(raw.energies, molecule.energies)
        assert (raw.forces is None) == (molecule.forces is None)
        if molecule.forces is not None:
            np.testing.assert_array_equal(raw.forces, molecule.forces.reshape(-1))


def test_the_schema_is_that_of_descent():
    # descent.targets.energy.DATA_SCHEMA, written down here as it stands there.
    numbers = pa.list_(pa.float64())
    descent = pa.schema([("smiles", pa.string()), ("coords", numbers), ("energy", numbers), ("forces", numbers)])
    assert REFERENCE_SCHEMA.equals(descent)


def test_a_written_file_has_the_columns_and_types_of_descent(tmp_path):
    write_reference(ReferenceData(molecules=(spring_molecule("O"),), level="springs"), tmp_path / "a.parquet")
    schema = pq.read_schema(tmp_path / "a.parquet")
    assert schema.names == REFERENCE_SCHEMA.names
    assert schema.field("smiles").type == pa.string()
    assert [schema.field(name).type.value_type for name in schema.names[1:]] == [pa.float64()] * 3


def test_a_row_is_flattened_over_conformers_then_atoms_then_directions():
    molecule = spring_molecule("O", n_conformers=2)
    row = reference_table([molecule]).to_pylist()[0]
    assert row["coords"][9:12] == molecule.coords[1, 0].tolist()
    assert row["forces"][3:6] == molecule.forces[0, 1].tolist()
    assert row["energy"] == molecule.energies.tolist()


def test_level_source_and_details_stand_in_the_metadata(tmp_path):
    path = tmp_path / "a.parquet"
    data = ReferenceData(molecules=(spring_molecule("O"),), level="springs", source="a test")
    write_reference(data, path, details={"seed": 7})
    stated = reference_metadata(path)
    assert (stated["level"], stated["source"], stated["seed"]) == ("springs", "a test", 7)
    found = read_reference(path)
    assert (found.level, found.source, found.failures) == ("springs", "a test", ())
    assert_same(found.molecules[0], data.molecules[0])


def test_rounding_is_to_the_digits_asked_for(tmp_path):
    molecule = spring_molecule("CCO")
    write_reference(ReferenceData(molecules=(molecule,), level="springs"), tmp_path / "a.parquet", decimals=6)
    found = read_reference(tmp_path / "a.parquet").molecules[0]
    assert_same(found, molecule, tolerance=5.0001e-7)
    assert not np.array_equal(found.coords, molecule.coords)


def test_a_failed_write_leaves_nothing_behind(tmp_path):
    data = ReferenceData(molecules=(spring_molecule("O"),), level="springs")
    with pytest.raises(OutputError, match=r"ends in \.parquet"):
        write_reference(data, tmp_path / "a.arrow")
    with pytest.raises(OutputError, match="No such file or directory"):
        write_reference(data, tmp_path / "absent" / "a.parquet")
    assert list(tmp_path.iterdir()) == []


@pytest.mark.parametrize("number", [pa.float32(), pa.float64()])
@pytest.mark.parametrize("make_list", [pa.list_, pa.large_list])
def test_lists_of_other_types_are_read(tmp_path, number, make_list):
    molecule = spring_molecule("CO")
    kind = make_list(number)
    schema = pa.schema([("smiles", pa.string()), ("coords", kind), ("energy", kind), ("forces", kind)])
    pq.write_table(reference_table([molecule]).cast(schema), tmp_path / "a.parquet")
    found = read_reference(tmp_path / "a.parquet", level="springs").molecules[0]
    assert_same(found, molecule, tolerance=0 if number == pa.float64() else 1e-3)
    assert found.coords.dtype == np.float64


@pytest.mark.parametrize("open_writer", [pa.ipc.new_file, pa.ipc.new_stream])
def test_arrow_files_and_streams_are_read(tmp_path, open_writer):
    molecules = [spring_molecule("O", seed=seed) for seed in range(40)]
    table = reference_table(molecules)
    with pa.OSFile(str(tmp_path / "a.arrow"), "wb") as sink, open_writer(sink, table.schema) as writer:
        writer.write_table(table)
    found = read_reference(tmp_path / "a.arrow", level="springs")
    assert found.n_molecules == 40
    assert_same(found.molecules[39], molecules[39])


def test_a_folder_that_the_datasets_library_saved_is_read(tmp_path):
    molecules = [spring_molecule("O"), spring_molecule("N")]
    for number, molecule in enumerate(molecules):
        path = tmp_path / f"data-0000{number}-of-00002.arrow"
        with pa.OSFile(str(path), "wb") as sink, pa.ipc.new_stream(sink, REFERENCE_SCHEMA) as writer:
            writer.write_table(reference_table([molecule]))
    (tmp_path / "state.json").write_text('{"_data_files": []}')
    (tmp_path / "dataset_info.json").write_text("{}")
    found = read_reference(tmp_path)
    assert [molecule.smiles for molecule in found.molecules] == [molecule.smiles for molecule in molecules]


def test_rows_without_forces_and_with_nan_for_them_have_none(tmp_path):
    molecule = spring_molecule("O")
    rows = reference_table([molecule, molecule, molecule]).to_pylist()
    rows[0]["forces"], rows[1]["forces"], rows[2]["forces"] = None, [], [float("nan")] * molecule.coords.size
    pq.write_table(pa.Table.from_pylist(rows, schema=REFERENCE_SCHEMA), tmp_path / "a.parquet")
    found = read_reference(tmp_path / "a.parquet")
    assert [one.forces for one in found.molecules] == [None, None, None]
    assert found.failures == ()


def test_a_table_without_a_forces_column_is_read(tmp_path):
    pq.write_table(reference_table([spring_molecule("O")]).drop_columns("forces"), tmp_path / "a.parquet")
    assert read_reference(tmp_path / "a.parquet").molecules[0].forces is None


@pytest.mark.parametrize(
    ("change", "reason"),
    [
        ({"coords": None}, "0 coordinates are not three"),
        ({"energy": None}, "no conformers"),
        ({"energy": [1.0, 2.0]}, "the SMILES has 3 atoms, the coordinates are those of 12"),
        ({"smiles": None}, "no SMILES"),
        ({"smiles": "[H][O][H]"}, "does not map every atom"),
        ({"smiles": "[C:1]([H:2])([H:3])([H:4])[H:5]"}, "the SMILES has 5 atoms, the coordinates are those of 3"),
        ({"forces": [1.0]}, "1 components of forces for 72 coordinates"),
        ({"coords": [1.0, 2.0]}, "2 coordinates are not three for each atom of 8 conformers"),
    ],
)
def test_a_damaged_row_is_a_failure_and_the_others_stay(tmp_path, change, reason):
    rows = reference_table([spring_molecule("O"), spring_molecule("O", seed=1)]).to_pylist()
    rows[0] |= change
    pq.write_table(pa.Table.from_pylist(rows, schema=REFERENCE_SCHEMA), tmp_path / "a.parquet")
    found = read_reference(tmp_path / "a.parquet")
    assert found.n_molecules == 1
    [failure] = found.failures
    assert (failure.index, failure.line) == (0, 1)
    assert re.search(reason, failure.reason)
    assert failure.advice


def test_files_that_are_no_reference_tables_say_what_is_missing(tmp_path):
    (tmp_path / "text.parquet").write_text("PAR1 not really")
    with pytest.raises(InputError, match="is no Parquet or Arrow file, or was cut short"):
        read_reference(tmp_path / "text.parquet")
    pq.write_table(pa.table({"smiles": ["C"]}), tmp_path / "short.parquet")
    with pytest.raises(InputError, match="lacks the columns coords, energy; expected smiles, coords, energy, forces"):
        read_reference(tmp_path / "short.parquet")
    pq.write_table(pa.table({"smiles": ["C"], "coords": ["x"], "energy": [[1.0]]}), tmp_path / "odd.parquet")
    with pytest.raises(InputError, match="column 'coords' holds string; expected a list of float64 a row"):
        read_reference(tmp_path / "odd.parquet")


def test_a_stream_cut_short_gives_what_came_before(tmp_path):
    molecules = [spring_molecule("O", seed=seed) for seed in range(3)]
    path = tmp_path / "a.arrow"
    with pa.OSFile(str(path), "wb") as sink, pa.ipc.new_stream(sink, REFERENCE_SCHEMA) as writer:
        for molecule in molecules:
            writer.write_table(reference_table([molecule]))
    path.write_bytes(path.read_bytes()[:-600])
    items = list(stream_reference(path))
    assert [type(item).__name__ for item in items] == ["ReferenceMolecule", "ReferenceMolecule", "Failure"]
    assert items[-1].reason.startswith("rows after 2 cannot be decoded")


def test_metadata_that_is_no_json_object_counts_as_none(tmp_path):
    for text in (b"not json", json.dumps([1]).encode()):
        table = reference_table([spring_molecule("O")]).replace_schema_metadata({b"ffshare": text})
        pq.write_table(table, tmp_path / "a.parquet")
        assert reference_metadata(tmp_path / "a.parquet") == {}
