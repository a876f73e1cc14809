"""Tables of values: what is written reads back to the last bit, and faults are listed together."""

import numpy as np
import pytest

from ffshare.errors import OutputError, RuleFileError
from ffshare.rules import load_force_field
from ffshare.rules.value_table import is_value_table, read_values, values_of, with_values, write_values


@pytest.fixture(scope="module")
def sage():
    return load_force_field("openff-2.2.1")


def test_values_read_back_to_the_last_bit(sage, tmp_path):
    table, path = values_of("openff-2.2.1", sage.tables), tmp_path / "values.csv"
    write_values(path, table)
    found = read_values(path)
    assert found.scheme == "openff-2.2.1"
    assert list(found.values.items()) == list(table.values.items())
    assert found.units == table.units
    assert found.units["Angles", "angle"] == "rad"
    assert len(found.values) == 667
    assert path.read_text().split("\n")[:2] == [
        "# values for openff-2.2.1",
        "section,rule_id,column,term,value,unit",
    ]


def test_tables_get_the_values_and_nothing_else_changes(sage):
    values = {("Bonds", "b1", "k", 0): 1.0, ("Bonds", "none", "k", 0): 2.0, ("ProperTorsions", "t2", "k", 2): 3.0}
    found = with_values(sage.tables, values)
    assert list(found) == list(sage.tables)
    assert found["Angles"] is sage.tables["Angles"]
    changed = 0
    for section, table in found.items():
        for name, column in table.columns.items():
            before = sage.tables[section].columns[name].values
            changed += int(np.sum(column.values != before))
    assert changed == 2
    assert found["Bonds"].columns["k"].values[0] == 1.0


@pytest.mark.parametrize(
    ("text", "message"),
    [
        ("", "no table of values: expected '# values for SCHEME'"),
        ("# values for x\nsection,id\n", "no table of values"),
        ("# values for x\n{heads}\nBonds,b1,k,0,1.0\n", "line 3: 'Bonds,b1,k,0,1.0': expected section"),
        ("# values for x\n{heads}\nBonds,b1,k,one,1.0,Å\n", "line 3: .*expected section"),
        ("# values for x\n{heads}\nBonds,b1,k,0,nan,Å\n", "line 3: Bonds b1 k: nan is not a finite number"),
        ("# values for x\n{heads}\nBonds,b1,k,0,1,Å\n\nBonds,b1,k,0,1,Å\n", "line 5: Bonds b1 k, term 0: given twice"),
        (
            "# values for x\n{heads}\nBonds,b1,k,0,1,Å\nBonds,b2,k,0,1,e\n",
            "line 4: Bonds k: has the unit 'e' here, 'Å'",
        ),
    ],
)
def test_faults_are_told_with_their_lines(tmp_path, text, message):
    path = tmp_path / "values.csv"
    path.write_text(text.format(heads="section,rule_id,column,term,value,unit"))
    with pytest.raises(RuleFileError, match=message):
        read_values(path)


def test_a_file_is_known_by_its_first_line(tmp_path):
    assert not is_value_table(tmp_path / "absent.csv")
    (tmp_path / "a.csv").write_text("smiles\nC\n")
    assert not is_value_table(tmp_path / "a.csv")
    assert not is_value_table("openff-2.2.1")


def test_a_folder_that_does_not_exist_is_told(sage, tmp_path):
    with pytest.raises(OutputError, match=r"cannot write .*No such file or directory"):
        write_values(tmp_path / "none" / "values.csv", values_of("x", sage.tables))
    with pytest.raises(RuleFileError, match="cannot be read"):
        read_values(tmp_path / "none.csv")
