import pytest

from ffshare.errors import InputError
from ffshare.molecules.columns import Columns


@pytest.mark.parametrize(
    ("asked", "present", "found"),
    [
        (Columns(), ["smiles"], (0, None)),
        (Columns(), ["SMILES", "smiles"], (1, None)),
        (Columns(), ["Canonical_Smiles", " SMILES "], (1, None)),
        (Columns(), ["isosmiles", "canonical_smiles"], (1, None)),
        (Columns(), ["Title", "ID", "Smiles"], (2, 1)),
        (Columns(), ["molecule", "compound", "smiles"], (2, 1)),
        (Columns(smiles="Structure"), ["smiles", "structure"], (1, None)),
        (Columns(name="smiles"), ["smiles", "id"], (0, 0)),
        (Columns(name="CAS"), ["smiles", "name", "cas"], (0, 2)),
    ],
)
def test_columns_are_found_as_written_first_and_then_in_any_case(asked, present, found):
    assert asked.find(present, "a.csv") == found


@pytest.mark.parametrize(
    ("asked", "message"),
    [
        (
            Columns(),
            r"^a.csv: no SMILES column 'smiles' or 'canonical_smiles' or 'isosmiles'; its columns are 'x', '\\x00'",
        ),
        (Columns(smiles="mol"), "^a.csv: no SMILES column 'mol'; its columns are 'x', "),
    ],
)
def test_an_absent_column_is_told_with_those_present(asked, message):
    with pytest.raises(InputError, match=message):
        asked.find(["x", "\0"], "a.csv")


def test_an_absent_name_column_that_was_asked_for_is_an_error():
    with pytest.raises(InputError, match="no name column 'cas'; its columns are 'smiles', 'id'; say which"):
        Columns(name="cas").find(["smiles", "id"], "a.csv")


def test_of_many_columns_some_are_listed():
    with pytest.raises(InputError, match="'19' and 80 more; say which"):
        Columns().find(list(map(str, range(100))), "a.csv")
