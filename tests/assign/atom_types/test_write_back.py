"""Fitted numbers in the folder of an atom-typed force field: the text around them, and what loads again."""

from dataclasses import replace

import numpy as np
import pytest

import ffshare
from ffshare.assign.atom_types.definition import load_definition
from ffshare.assign.atom_types.write_back import write_fitted_folder
from ffshare.data_files import data_directory
from ffshare.errors import OutputError, RuleFileError
from ffshare.model import Model
from tests.model.samples import conformers

FREE = ("k", "length", "angle", "epsilon", "rmin_half")


def moved(tables, size=0.1, seed=1):
    """The tables with every free number moved at random."""
    rng = np.random.default_rng(seed)
    return {
        section: replace(
            table,
            columns={
                name: replace(column, values=column.values * rng.uniform(1 - size, 1, len(column.values)))
                if column.free
                else column
                for name, column in table.columns.items()
            },
        )
        for section, table in tables.items()
        if section != "Electrostatics"
    }


@pytest.mark.parametrize("name", ["alkethoh-types", "gaff", "gaff2"])
def test_what_is_written_loads_again_with_the_fitted_numbers(name, tmp_path):
    folder, out = data_directory("rules") / name, tmp_path / "fitted"
    old = load_definition(folder)
    tables = moved(old.tables)
    n_changed = write_fitted_folder(folder, out, tables)
    new = load_definition(out)
    n_expected = 0
    for section, table in tables.items():
        assert new.tables[section].ids == table.ids
        counted = np.array([new.indices[section][key] for key in new.indices[section]], dtype=int)
        for column, wanted in table.columns.items():
            found = new.tables[section].columns[column]
            # Rows that repeat an improper follow the first.
            rows = np.isin(wanted.rule_idxs, counted)
            assert found.values[rows] == pytest.approx(wanted.values[rows], rel=3e-16)
            n_expected += int(np.sum(found.values != old.tables[section].columns[column].values))
    assert n_changed == n_expected > 50
    assert new.elements == old.elements
    assert ffshare.load_scheme(out).name == str(out)


def test_lines_without_a_new_number_stay_byte_for_byte(tmp_path):
    folder, out = data_directory("rules") / "gaff2", tmp_path / "fitted"
    definition = load_definition(folder)
    assert write_fitted_folder(folder, out, definition.tables) == 0
    for path in out.iterdir():
        assert path.read_bytes() == (folder / path.name).read_bytes(), path.name
    torsions = definition.tables["ProperTorsions"]
    k = torsions.columns["k"].values.copy()
    # A second term of a torsion: its line follows that of the first.
    place = int(np.flatnonzero(torsions.columns["k"].terms == 1)[0])
    k[place] += 0.125
    tables = {"ProperTorsions": replace(torsions, columns={"k": replace(torsions.columns["k"], values=k)})}
    assert write_fitted_folder(folder, tmp_path / "one", tables) == 1
    before, after = ((f / "propers.csv").read_text().split("\n") for f in (folder, tmp_path / "one"))
    ((line, old, new),) = [
        (line, old, new) for line, (old, new) in enumerate(zip(before, after, strict=True), start=1) if old != new
    ]
    assert line == torsions.lines[torsions.columns["k"].rule_idxs[place]] + 1
    assert [place for place, (a, b) in enumerate(zip(old.split(","), new.split(","), strict=True)) if a != b] == [2]
    assert float(new.split(",")[2]) == float(old.split(",")[2]) + 0.125


def test_numbers_stand_in_the_units_of_amber(tmp_path):
    folder, out = data_directory("rules") / "alkethoh-types", tmp_path / "fitted"
    definition = load_definition(folder)
    values = {"Bonds": {"k": 600.0, "length": 1.5}, "Angles": {"k": 50.0, "angle": np.pi / 2}}
    tables = {
        section: replace(
            definition.tables[section],
            columns={
                name: replace(column, values=np.full(len(column.values), new[name]))
                for name, column in definition.tables[section].columns.items()
            },
        )
        for section, new in values.items()
    }
    write_fitted_folder(folder, out, tables)
    assert (out / "bonds.csv").read_text().split("\n")[1] == "CT-CT,300.0,1.5"
    assert (out / "angles.csv").read_text().split("\n")[1] == "H1-CT-H1,25.0,90.0"


def test_energies_of_the_folder_are_those_of_the_fitted_tables(tmp_path):
    folder, out = data_directory("rules") / "gaff", tmp_path / "fitted"
    scheme = ffshare.load_scheme("gaff")
    batch = ffshare.from_smiles("CC(=O)NC", "c1ccncc1", "CCO")
    assignment = scheme.assign(batch)
    # Tables with rules that were made for these molecules: they are in no file.
    defined = moved(scheme.definition.tables)
    write_fitted_folder(folder, out, defined)
    again = ffshare.load_scheme(out).assign(batch)
    for section, sites in again.sites.items():
        assert np.array_equal(sites.rule_idxs, assignment.sites[section].rule_idxs)
    expected = replace(
        assignment,
        tables={
            section: _with(table, defined[section]) if section in defined else table
            for section, table in again.tables.items()
        },
    )
    coords = conformers(batch, 2)
    totals = []
    for one in (again, expected):
        model = Model.of(one, "gasteiger")
        totals.append(model.energies(model.frames(coords)).total)
    assert totals[0] == pytest.approx(totals[1], rel=1e-12)


def _with(table, fitted):
    """A table with the values of another where that has them; what was added at the end keeps its own."""
    columns = {}
    for name, column in table.columns.items():
        values = column.values.copy()
        values[: len(fitted.columns[name].values)] = fitted.columns[name].values
        columns[name] = replace(column, values=values)
    return replace(table, columns=columns)


def test_values_that_files_cannot_hold_are_listed_together_and_nothing_is_written(tmp_path):
    folder, out = data_directory("rules") / "alkethoh-types", tmp_path / "fitted"
    bonds = load_definition(folder).tables["Bonds"]
    k, length = (bonds.columns[name].values.copy() for name in ("k", "length"))
    k[1], k[2], length[0] = -3.0, np.nan, 0.0
    columns = {
        "k": replace(bonds.columns["k"], values=k),
        "length": replace(bonds.columns["length"], values=length),
    }
    with pytest.raises(RuleFileError) as caught:
        write_fitted_folder(folder, out, {"Bonds": replace(bonds, columns=columns)})
    assert [str(fault) for fault in caught.value.faults] == [
        "line 3: bonds.csv: 'CT-HC': k is -3; expected 0 or more",
        "line 4: bonds.csv: 'CT-H1': k is nan; expected a finite number",
        "line 2: bonds.csv: 'CT-CT': length is 0; expected more than 0",
    ]
    assert not out.exists()


def test_tables_of_another_force_field_are_refused(tmp_path):
    tables = load_definition(data_directory("rules") / "gaff").tables
    with pytest.raises(RuleFileError, match="Bonds: the rules are not those of alkethoh-types"):
        write_fitted_folder(data_directory("rules") / "alkethoh-types", tmp_path / "fitted", tables)


def test_a_folder_that_holds_files_is_not_written_to(tmp_path):
    (tmp_path / "mine.txt").write_text("x")
    folder = data_directory("rules") / "alkethoh-types"
    with pytest.raises(OutputError, match="holds files; name a new or empty one"):
        write_fitted_folder(folder, tmp_path, load_definition(folder).tables)
    assert [path.name for path in tmp_path.iterdir()] == ["mine.txt"]
