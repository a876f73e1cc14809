"""TOML rule files: the same tables as offxml, and faults with their lines."""

import importlib.util
from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest

from ffshare.data_files import data_directory
from ffshare.errors import RuleFileError
from ffshare.rules import ForceField, load_force_field, write_toml
from ffshare.rules.toml import parse_toml

EXAMPLE = """\
name = "example"

[Bonds]
units = { length = "nanometer", k = "kcal/mol/angstrom**2" }

[[Bonds.Bond]]
id = "b1"
smirks = "[#6:1]-[#6:2]"
length = 0.15
k = 600

[[Bonds.Bond]]   # a comment
smirks = '[#6:1]/[#6:2]'
length = "1.4 * angstrom"
k = 700.0
note = "double"

[ProperTorsions]
default_idivf = "auto"
[ProperTorsions.units]
k = "kcal/mol"
phase = "degree"

[[ProperTorsions.Proper]]
smirks = "[*:1]-[*:2]-[*:3]-[*:4]"
periodicity = [3, 1]
phase = [0, 180.0]
k = [0.16, "1.046 * kilojoule/mole"]
idivf = [1, 1]
"""


def assert_same_tables(first, second, but=()):
    assert list(first.tables) == list(second.tables)
    for section, table in first.tables.items():
        other = second.tables[section]
        for field in ("ids", "patterns", "names", "settings"):
            assert getattr(table, field) == getattr(other, field), (section, field)
        assert list(table.columns) == list(other.columns)
        for name, column in table.columns.items():
            same = other.columns[name]
            assert (column.unit, column.free) == (same.unit, same.free)
            for field in ("values", "rule_idxs", "terms"):
                np.testing.assert_array_equal(getattr(column, field), getattr(same, field))


def test_a_toml_file_is_read_in_its_units(write_file):
    tables = load_force_field(write_file(EXAMPLE, "rules.toml")).tables
    bonds, propers = tables["Bonds"], tables["ProperTorsions"]
    assert bonds.columns["length"].values.tolist() == [1.5, 1.4]
    assert bonds.columns["k"].values.tolist() == [600.0, 700.0]
    assert (bonds.ids, bonds.lines) == (("b1", "[#6:1]/[#6:2]"), (6, 12))
    assert bonds.attributes[1]["note"] == "double"
    assert propers.columns["k"].values.tolist() == pytest.approx([0.16, 0.25])
    assert propers.columns["phase"].values.tolist() == pytest.approx([0.0, np.pi])
    assert propers.settings == {"version": "0.3", "default_idivf": "auto"}
    assert propers.lines == (24,)


@pytest.mark.parametrize(
    "name", ["openff-2.3.0", "opc-1.0.2", "tip5p-1.0.0", "old/test_ff_0_0_2_spec_0_1", "GBSA_OBC2-1.0"]
)
def test_writing_and_reading_changes_no_table(tmp_path, name):
    force_field = load_force_field(name)
    write_toml(force_field, tmp_path / "copy.toml", header="A copy\nof it")
    copy = load_force_field(tmp_path / "copy.toml")
    assert_same_tables(force_field, copy)
    assert (tmp_path / "copy.toml").read_text().startswith("# A copy\n# of it\nname = ")


def test_a_changed_column_is_written_in_the_unit_of_its_text(tmp_path, write_file):
    force_field = load_force_field(write_file(EXAMPLE, "rules.toml"))
    bonds = force_field.tables["Bonds"]
    changed = replace(bonds.columns["length"], values=np.array([1.7, 1.4]))
    table = replace(bonds, columns={**bonds.columns, "length": changed})
    moved = ForceField(name="moved", tables={"Bonds": table}, checksums={})
    write_toml(moved, tmp_path / "moved.toml")
    (section,) = parse_toml((tmp_path / "moved.toml").read_bytes(), "").sections
    assert [rule.attributes["length"] for rule in section.rules] == ["0.17 * nanometer", "1.4 * angstrom"]
    reloaded = load_force_field(tmp_path / "moved.toml").tables["Bonds"].columns["length"]
    assert reloaded.values.tolist() == pytest.approx([1.7, 1.4])


def test_the_shipped_alkethoh_rules_are_the_offxml():
    offxml, shipped = load_force_field("Frosst_AlkEthOH_parmAtFrosst"), load_force_field("alkethoh-smirks")
    assert_same_tables(offxml, shipped)
    parents = [
        [[rule.get("parent_id") for rule in table.attributes] for table in force_field.tables.values()]
        for force_field in (offxml, shipped)
    ]
    assert parents[0] == parents[1]


def test_the_script_makes_the_shipped_alkethoh_rules(tmp_path):
    script = Path(__file__).parents[2] / "scripts" / "make_alkethoh_rules.py"
    spec = importlib.util.spec_from_file_location("make_alkethoh_rules", script)
    module = importlib.util.module_from_spec(spec)
    spec.loader.exec_module(module)
    module.main(tmp_path / "made.toml")
    assert (tmp_path / "made.toml").read_bytes() == (data_directory("rules") / "alkethoh-smirks.toml").read_bytes()


@pytest.mark.parametrize(
    ("content", "message"),
    [
        (b"", "the file has no section; expected tables such as"),
        (b"\n[Bonds\n", "line 2: not TOML: "),
        (b"[Bonds]\nk = 1\nk = 2", r"line 3: not TOML: Cannot overwrite a value"),
        pytest.param(b"[" * 100_000, "not TOML", id="deep"),
        (b"[Bonds]\n\xff", "line 2: the file is not UTF-8 text: byte 0xff"),
        (b"[Bonds]\nunits = 3", "line 1: section Bonds: units is no table"),
        (b"[Bonds]\nunits = { lenght = 'nm' }", "line 1: section Bonds: units of 'lenght'; it holds length, k"),
        (b"[Bonds]\nunits = { length = 3 }", "line 1: section Bonds: the unit of length is no text"),
        (
            b"[[Bonds]]\nid = 'b1'",
            r"line 1: Bonds is a list; expected the table \[Bonds\] with rules \[\[Bonds.Bond\]\]",
        ),
        (b"[Bonds]\n\n[[Bonds.Bond]]\nk = { a = 1 }", "line 3: Bonds rule: k is a table; expected a value"),
        (b"[vdW]\n\n[[vdW.Bond]]\nid = 'n1'", "line 3: vdW rule 'n1': it is a <Bond>; vdW holds <Atom>"),
        (
            b"[vdW]\n[[vdW.Atom]]\nid='n1'\nepsilon = nan\nunits=3",
            "line 2: vdW rule 'n1': epsilon: 'nan' is not a finite",
        ),
        (b"[Bond]\n[[Bond.Bond]]", "line 1: section Bond: unknown; did you mean Bonds?"),
    ],
)
def test_faults_of_a_toml_file_have_lines(write_file, content, message):
    with pytest.raises(RuleFileError, match=message):
        load_force_field(write_file(content, "rules.toml"))
