import gzip
import io
import re
from itertools import count

import pytest

from ffshare.errors import InputError
from ffshare.molecules.columns import Columns
from ffshare.molecules.csv_files import read_csv, read_tsv, table_entries
from ffshare.molecules.entries import Entry, Failure
from ffshare.molecules.sources import DamageError, Source


def read(data: bytes, columns: Columns | None = None) -> list[Entry | Failure]:
    return list(table_entries(iter([data]), "a.csv", count(), columns or Columns(), lambda heading: ","))


def source(data: bytes) -> Source:
    return Source(shown="a.csv", path=None, stream=io.BytesIO(data))


def brief(items: list[Entry | Failure]) -> list[tuple[int, int, str]]:
    return [(item.index, item.line, item.text) for item in items]


def test_rows_are_molecules_and_columns_go_by_heading():
    items = read(b"note,ID,SMILES\r\n1,a, CCO \r\n\r\n2,b,CCC\r\n")
    assert brief(items) == [(0, 2, "CCO"), (1, 4, "CCC")]
    assert [item.name for item in items] == ["a", "b"]


def test_quoted_cells_hold_separators_quotation_marks_and_line_ends():
    items = read(b'smiles,name,note\nCCO,"a ""b"", c","two\nlines"\nCCC,d,"x\n\ny,z"\nC,e,\n')
    assert brief(items) == [(0, 2, "CCO"), (1, 4, "CCC"), (2, 7, "C")]
    assert [item.name for item in items] == ['a "b", c', "d", "e"]


def test_the_user_names_the_columns():
    [entry] = read(b"smiles,mol,cas\nC,CCO,64-17-5\n", Columns(smiles="mol", name="CAS"))
    assert (entry.text, entry.name) == ("CCO", "64-17-5")


@pytest.mark.parametrize(
    ("reader", "data"),
    [
        (read_csv, b"smiles,name\nCCO,x;y\n"),
        (read_csv, b'smiles;name\nCCO;"x;y"\n'),
        (read_tsv, b"smiles\tname\nCCO\tx;y\n"),
    ],
)
def test_the_separator_goes_by_suffix_and_heading(reader, data):
    [entry] = reader(source(data), count(), Columns())
    assert (entry.text, entry.name) == ("CCO", "x;y")


@pytest.mark.parametrize(
    ("row", "reason"),
    [
        (b"CCO", "^the row has 1 cells and the heading 2$"),
        (b"CCO,2,2-dimethylpropane", "^the row has 3 cells and the heading 2$"),
        (b",ethanol", "^no SMILES in column 'smiles'$"),
        (b'" ",ethanol', "^no SMILES in column 'smiles'$"),
        (b"CCO,caf\xe9", "^not UTF-8: byte 0xe9 at position 8$"),
        (b"CCO,a\0b", "^control character"),
        (b"C" * 100_000 + b",x", "^longer than 65,536 bytes$"),
        (b'"CCO"x,y"', "^a quotation mark is not closed within 100 lines"),
        (b'"CCO"x,y', "^not a row of a table: "),
    ],
)
def test_a_row_that_is_none_is_a_failure_and_the_next_is_read(row, reason):
    failure, entry = read(b"smiles,name\n" + row + b"\nCCC,propane\n")
    assert isinstance(failure, Failure)
    assert (failure.index, failure.line) == (0, 2)
    assert re.search(reason, failure.reason)
    assert failure.advice
    assert (entry.index, entry.line, entry.text) == (1, 3, "CCC")


@pytest.mark.parametrize("n_rows", [1, 5, 150])
def test_a_quotation_mark_that_is_not_closed_costs_one_row(n_rows):
    rows = [f'CCC,"p{number}"' for number in range(n_rows)]
    items = read("\n".join(["smiles,name", '"CCO,ethanol', *rows]).encode())
    assert [isinstance(item, Failure) for item in items] == [True] + [False] * n_rows
    assert [item.index for item in items] == list(range(n_rows + 1))
    assert [item.line for item in items] == list(range(2, n_rows + 3))


def test_a_quotation_mark_that_another_row_closes_swallows_no_row():
    items = read(b'smiles,name\n"CCO,ethanol\nCCC,propane\nCC","x"\nC,y\n')
    assert brief(items) == [(0, 2, '"CCO,ethanol'), (1, 3, "CCC"), (2, 4, 'CC"'), (3, 5, "C")]
    assert items[0].reason == "a line end within the SMILES"


def test_a_mark_for_inches_is_no_quotation_mark():
    [entry] = read(b'smiles,name\nCCO,5" pipe\n')
    assert entry.name == '5" pipe'


@pytest.mark.parametrize(
    ("data", "message"),
    [
        (b"\n \n", "^a.csv: has no heading line; expected one that names the columns"),
        (b"CCO,ethanol\n", "^a.csv: no SMILES column .* its columns are 'CCO', 'ethanol'; say which"),
        (b"smiles,caf\xe9\n", "^a.csv: its heading line cannot be read: not UTF-8"),
        (b'"smiles,name\nCCO,x\n', "^a.csv: its heading line cannot be read: a quotation mark is not closed"),
    ],
)
def test_a_table_without_a_usable_heading_is_refused(data, message):
    with pytest.raises(InputError, match=message):
        read(data)


def test_rows_before_damage_are_read_even_inside_an_open_quotation_mark():
    rows = ["CCO,x", '"CCC,y', *(f"C{'C' * (number % 7)},{17**40 * number**9:x}" for number in range(30))]
    compressed = gzip.compress("\n".join(["smiles,name", *rows, ""]).encode())
    items = []
    with pytest.raises(DamageError) as caught:
        items.extend(read_csv(source(compressed[:-10]), count(), Columns()))
    assert [item.line for item in items] == list(range(2, caught.value.line))
    assert [item.line for item in items if isinstance(item, Failure)] == [3]
    assert "quotation mark" in items[1].reason
