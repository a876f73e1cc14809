"""Names, files, several files."""

import hashlib
import importlib.util
import logging
import pickle
import subprocess
import sys

import numpy as np
import pytest

from ffshare.errors import MissingDependencyError, RuleFileError, SchemeError
from ffshare.rules import available_force_fields, load_force_field
from ffshare.rules.locate import locate as find

SMALL = """<SMIRNOFF version="0.3" aromaticity_model="OEAroModel_MDL">
  <vdW version="0.3" scale14="{scale}" cutoff="{cutoff}">
    <Atom smirks="[#{element}:1]" id="n{element}" epsilon="0.1 * kilocalorie/mole" sigma="3 * angstrom"/>
  </vdW>
</SMIRNOFF>"""


def small(element=6, scale="0.5", cutoff="9 * angstrom"):
    return SMALL.format(element=element, scale=scale, cutoff=cutoff)


def test_a_name_is_found_with_and_without_its_extension():
    assert find("openff-2.3.0") == find("openff-2.3.0.offxml")
    assert find("alkethoh-smirks").name == "alkethoh-smirks.toml"
    assert find("old/hbonds").name == "hbonds.offxml"


def test_every_listed_force_field_is_found():
    assert all(find(name).is_file() for name in available_force_fields())


def test_a_path_comes_before_an_installed_force_field(write_file, monkeypatch):
    path = write_file(small(), "openff-2.3.0.offxml")
    monkeypatch.chdir(path.parent)
    assert load_force_field("openff-2.3.0.offxml").tables["vdW"].ids == ("n6",)
    assert len(load_force_field("openff-2.3.0").tables["vdW"]) > 20


@pytest.mark.parametrize("name", ["2.3.0", "ff-2.3.0.offxml", "2.3.0.offxml", ".offxml", "", "OPENFF-2.3.0"])
def test_the_end_of_a_name_finds_nothing(name):
    with pytest.raises(SchemeError, match=r"no file and no installed force field is called"):
        find(name)


def test_an_unknown_name_is_told_its_nearest_and_how_to_list_all():
    with pytest.raises(
        SchemeError, match=r"'openff-2.3.1'; closest are openff-2\.\d.*available_force_fields\(\) lists all"
    ):
        load_force_field("openff-2.3.1")
    with pytest.raises(SchemeError, match=r"'zzzzzz'; none has a similar name"):
        load_force_field("zzzzzz")


def test_the_content_of_a_file_is_not_its_name():
    with pytest.raises(SchemeError, match="is called '<SMIRNOFF"):
        load_force_field(small() * 20)


def test_without_the_released_force_fields_the_command_that_adds_them_is_told(monkeypatch):
    monkeypatch.setattr(importlib.util, "find_spec", lambda name: None)
    monkeypatch.setattr("importlib.metadata.entry_points", lambda group: ())
    assert "alkethoh-smirks.toml" in available_force_fields()
    with pytest.raises(MissingDependencyError, match=r'not installed: pip install "ffshare\[openff\]"'):
        load_force_field("openff-2.3.0")


def test_old_files_without_the_toolkit_tell_the_command_that_adds_it(monkeypatch):
    path = find("Frosst_AlkEthOH_parmAtFrosst")
    monkeypatch.setitem(sys.modules, "openff.toolkit.utils", None)
    with pytest.raises(MissingDependencyError, match=r'openff-toolkit: pip install "ffshare\[openff\]"'):
        load_force_field(path)


def test_nothing_and_unknown_modes_are_refused():
    with pytest.raises(SchemeError, match="no force field was named"):
        load_force_field()
    with pytest.raises(SchemeError, match="mode 'strict' is unknown; expected one of compat, spec"):
        load_force_field("openff-2.3.0", mode="strict")


def test_new_files_load_without_the_toolkit():
    code = "import sys; from ffshare.rules import load_force_field; load_force_field('openff-2.3.0')"
    code += "; sys.exit('openff.toolkit' in sys.modules or 'openff.units' in sys.modules)"
    assert subprocess.run([sys.executable, "-c", code], check=False).returncode == 0


def test_rules_of_later_files_come_later(write_file):
    first, second = write_file(small(6), "a.offxml"), write_file(small(8), "b.offxml")
    both = load_force_field(first, second)
    table = both.tables["vdW"]
    assert (table.ids, table.patterns, table.lines) == (("n6", "n8"), ("[#6:1]", "[#8:1]"), (3, 3))
    assert table.sources == (str(first), str(second))
    assert table.columns["sigma"].rule_idxs.tolist() == [0, 1]
    assert both.name == f"{first} + {second}"
    assert both.checksums[str(second)] == hashlib.blake2b(second.read_bytes(), digest_size=16).hexdigest()


def test_appending_keeps_the_values_of_both_files():
    one, other, both = (load_force_field(*n) for n in (["openff-2.2.1"], ["opc-1.0.2"], ["openff-2.2.1", "opc-1.0.2"]))
    assert set(both.tables) == set(one.tables) | set(other.tables)
    for section, table in both.tables.items():
        tables = [t.tables[section] for t in (one, other) if section in t.tables]
        assert table.ids == sum((t.ids for t in tables), ())
        for name, column in table.columns.items():
            columns = [t.columns[name] for t in tables if name in t.columns]
            np.testing.assert_array_equal(column.values, np.concatenate([c.values for c in columns]))
            ids = [t.ids[rule] for t in tables if name in t.columns for rule in t.columns[name].rule_idxs]
            assert [table.ids[rule] for rule in column.rule_idxs] == ids


def test_files_that_compute_energies_differently_do_not_append(write_file):
    first = write_file(small(scale="0.5"), "a.offxml")
    second = write_file(small(scale="0.8", cutoff="1 * nanometer"), "b.offxml")
    with pytest.raises(RuleFileError, match=r"scale14='0.8' here, but '0.5' in an earlier file") as caught:
        load_force_field(first, second)
    assert caught.value.path == str(second)
    assert len(caught.value.faults) == 2


def test_settings_that_mean_the_same_append(write_file):
    first = write_file(small(scale="0.833333"), "a.offxml")
    second = write_file(small(scale="0.8333333333", cutoff="0.9 * nanometer"), "b.offxml")
    assert load_force_field(first, second).tables["vdW"].settings["scale14"] == "0.833333"


def test_old_files_keep_their_lines_and_their_order(write_file):
    old = load_force_field("old/test_ff_0_0_4_fixed_spec_0_1")
    lines = find("old/test_ff_0_0_4_fixed_spec_0_1").read_text().splitlines()
    names = ["Bonds", "Angles", "ProperTorsions", "ImproperTorsions", "vdW"]
    assert [name for name in old.tables if name in names] == names
    for name in names:
        table = old.tables[name]
        for rule, line in enumerate(table.lines):
            assert table.attributes[rule]["id"] in lines[line - 1]
    assert old.tables["Electrostatics"].settings["scale14"] == "0.833333"


@pytest.mark.parametrize("form", ["old/test_ff_0_0_4_fixed_spec_0_1", "old/test_ff_0_0_4_fixed_spec_0_2"])
def test_the_three_forms_of_one_force_field_have_the_same_values(form):
    new, old = load_force_field("old/test_ff_0_0_4_fixed_spec_0_3"), load_force_field(form)
    for section in ("Bonds", "Angles", "ProperTorsions", "ImproperTorsions", "vdW"):
        assert new.tables[section].ids == old.tables[section].ids
        for name, column in new.tables[section].columns.items():
            np.testing.assert_array_equal(column.values, old.tables[section].columns[name].values)


def test_converting_old_files_is_silent(capfd, caplog):
    caplog.set_level(logging.DEBUG)
    load_force_field("old/test_ff_0_0_4_fixed_spec_0_1")
    assert not [record for record in caplog.records if "SMIRNOFF spec" in record.message]
    assert capfd.readouterr() == ("", "")


def test_cosmetic_attributes_of_old_files_stay_text(write_file):
    text = """<SMIRNOFF version="0.2" aromaticity_model="OEAroModel_MDL">
    <Bonds length_unit="angstroms" k_unit="kilocalories_per_mole/angstrom**2">
      <Bond smirks="[#6:1]-[#6:2]" kind="single" length="1.5" k="600"/>
    </Bonds></SMIRNOFF>"""
    (attributes,) = load_force_field(write_file(text)).tables["Bonds"].attributes
    assert attributes["kind"] == "single"
    assert attributes["length"] == "1.5 * angstroms"


@pytest.mark.parametrize(
    ("text", "message"),
    [
        (
            '<SMIRNOFF version="0.1"><HarmonicBondForce/></SMIRNOFF>',
            "cannot bring this SMIRNOFF 0.1 file to 0.3.*'vdW'",
        ),
        ('<SMIRNOFF version="0.2">\n<Bonds/>\n<Bonds/></SMIRNOFF>', "line 3: section Bonds comes 2 times"),
        (
            '<SMIRNOFF version="0.2">\n<Bonds k_unit="kcal/mol">\n<Bond k="1" length="1"/></Bonds></SMIRNOFF>',
            "line 3: .*k: '1 \\* kcal/mol' has the unit",
        ),
    ],
)
def test_faults_of_old_files_are_told(write_file, text, message):
    with pytest.raises(RuleFileError, match=message):
        load_force_field(write_file(text))


def test_a_force_field_travels_between_processes():
    force_field = load_force_field("alkethoh-smirks")
    copy = pickle.loads(pickle.dumps(force_field))
    assert copy.tables["Bonds"].ids == force_field.tables["Bonds"].ids
