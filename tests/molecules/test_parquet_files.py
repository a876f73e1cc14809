from itertools import count

import pyarrow as pa
import pyarrow.parquet as pq
import pytest

from ffshare.errors import InputError
from ffshare.molecules.columns import Columns
from ffshare.molecules.entries import Entry, Failure
from ffshare.molecules.parquet_files import BATCH_ROWS, read_parquet
from ffshare.molecules.sources import DamageError, Source


@pytest.fixture
def path(tmp_path):
    return tmp_path / "a.parquet"


def read(path, columns: Columns | None = None) -> list[Entry | Failure]:
    return list(read_parquet(Source(shown="a.parquet", path=path, stream=None), count(), columns or Columns()))


@pytest.mark.parametrize(
    "kind", [pa.string(), pa.large_string(), pa.binary(), pa.large_binary(), pa.dictionary(pa.int32(), pa.string())]
)
def test_text_of_every_type_is_read(path, kind):
    smiles = pa.array(["CCO", " CCC ", "CCO"]).cast(kind)
    pq.write_table(pa.table({"x": [1, 2, 3], "SMILES": smiles, "Name": pa.array(["a", "b", "c"]).cast(kind)}), path)
    entries = read(path)
    assert [(e.index, e.line, e.text, e.name) for e in entries] == [
        (0, 1, "CCO", "a"),
        (1, 2, "CCC", "b"),
        (2, 3, "CCO", "c"),
    ]


def test_names_may_be_numbers_or_absent(path):
    pq.write_table(pa.table({"smiles": ["C", "CC"], "id": [7, None]}), path)
    assert [entry.name for entry in read(path)] == ["7", ""]
    pq.write_table(pa.table({"smiles": ["C"]}), path)
    assert [entry.name for entry in read(path)] == [""]


def test_a_column_with_a_dot_in_its_name_can_be_asked_for(path):
    pq.write_table(pa.table({"mol.smiles": ["C"], "mol": [1], "mol.name": ["x"]}), path)
    [entry] = read(path, Columns(smiles="mol.smiles", name="mol.name"))
    assert (entry.text, entry.name) == ("C", "x")


def test_one_column_may_serve_as_both(path):
    pq.write_table(pa.table({"smiles": ["C"]}), path)
    [entry] = read(path, Columns(name="smiles"))
    assert (entry.text, entry.name) == ("C", "C")


def test_rows_of_many_batches_and_row_groups_come_in_order(path):
    n_rows = 2 * BATCH_ROWS + 5
    pq.write_table(pa.table({"smiles": [f"C{number}" for number in range(n_rows)]}), path, row_group_size=5000)
    assert [(e.index, e.line, e.text) for e in read(path)] == [(n, n + 1, f"C{n}") for n in range(n_rows)]


def test_a_row_without_a_smiles_is_a_failure_and_the_next_is_read(path):
    smiles = pa.array([None, b"", b" ", b"C\xff", b"C" * 100_000, b"C\nC", b"CCO"]).cast(pa.string(), safe=False)
    pq.write_table(pa.table({"smiles": smiles, "name": list("abcdefg")}), path)
    *failures, entry = read(path)
    assert [(f.index, f.line, f.name, f.reason) for f in failures] == [
        (0, 1, "a", "no SMILES in the row"),
        (1, 2, "b", "no SMILES in the row"),
        (2, 3, "c", "no SMILES in the row"),
        (3, 4, "d", "not UTF-8: byte 0xff at position 2"),
        (4, 5, "e", "longer than 65,536 bytes"),
        (5, 6, "f", "control character '\\n' at position 2"),
    ]
    assert all(isinstance(failure, Failure) and failure.advice for failure in failures)
    assert (entry.index, entry.line, entry.text) == (6, 7, "CCO")


def test_a_file_that_is_no_parquet_is_refused(path):
    pq.write_table(pa.table({"smiles": ["C"] * 100}), path)
    whole = path.read_bytes()
    for content in (b"", b"CCO ethanol\n", whole[:-20]):
        path.write_bytes(content)
        with pytest.raises(
            InputError, match=r"^a\.parquet: is not a Parquet file, or was cut short: .*; write it again"
        ):
            read(path)


def test_a_file_without_the_column_lists_its_columns(path):
    pq.write_table(pa.table({"structure": ["C"], "id": [1]}), path)
    with pytest.raises(InputError, match=r"no SMILES column .* its columns are 'structure', 'id'"):
        read(path)


def test_a_column_of_numbers_is_refused(path):
    pq.write_table(pa.table({"smiles": [1.5]}), path)
    with pytest.raises(InputError, match=r"^a\.parquet: column 'smiles' holds double and not text"):
        read(path)


def test_rows_before_damage_are_read_and_the_lost_ones_are_told(path):
    smiles = [f"C{number}" for number in range(3000)]
    pq.write_table(pa.table({"smiles": smiles}), path, row_group_size=1000, use_dictionary=False, compression="zstd")
    with pq.ParquetFile(path) as file:
        chunk = file.metadata.row_group(2).column(0)
    content = bytearray(path.read_bytes())
    end = chunk.data_page_offset + chunk.total_compressed_size
    content[end - 200 : end] = b"\xff" * 200
    path.write_bytes(content)
    items = []
    with pytest.raises(DamageError, match=r"rows \d+ to 3000 cannot be decoded, so they are lost: ") as caught:
        items.extend(read_parquet(Source(shown="a.parquet", path=path, stream=None), count(), Columns()))
    assert [entry.text for entry in items] == smiles[: caught.value.line - 1]
