"""A scheme is loaded by the name of a force field, by the path of a file, or from several of them."""

import hashlib
from pathlib import Path

import pytest

import ffshare
from ffshare.assign import load_scheme
from ffshare.assign.scheme import NAMED
from ffshare.data_files import data_directory
from ffshare.errors import RuleFileError, SchemeError
from tests.assign.samples import scheme_of


def labels(scheme, *smiles):
    return scheme.assign(ffshare.from_smiles(*smiles)).to_table().to_pylist()


def test_a_name_and_the_path_of_its_file_give_the_same_scheme():
    path = data_directory("rules") / "alkethoh-smirks.toml"
    by_name, by_path = load_scheme("alkethoh-smirks"), load_scheme(path)
    assert labels(by_name, "CCO", "COC") == labels(by_path, "CCO", "COC")
    assert (by_name.name, by_path.name) == ("alkethoh-smirks", str(path))


def test_its_checksums_are_those_of_its_files():
    ((path, checksum),) = scheme_of("openff-2.3.0").checksums.items()
    assert hashlib.blake2b(Path(path).read_bytes(), digest_size=16).hexdigest() == checksum
    assert [Path(one).name for one in load_scheme("openff-2.2.1", "tip5p").checksums] == [
        "openff-2.2.1.offxml",
        "tip5p.offxml",
    ]


def test_of_several_the_rules_of_later_files_win():
    water = [row["rule_id"] for row in labels(load_scheme("openff-2.2.1", "tip5p"), "O") if row["section"] == "vdW"]
    alone = [row["rule_id"] for row in labels(scheme_of("openff-2.2.1"), "O") if row["section"] == "vdW"]
    assert water == [row["rule_id"] for row in labels(scheme_of("tip5p"), "O") if row["section"] == "vdW"]
    assert water != alone


def test_tables_and_sites_hold_the_same_sections_in_file_order():
    scheme = scheme_of("openff-2.3.0")
    expected = ["Constraints", "Bonds", "Angles", "ProperTorsions", "ImproperTorsions", "vdW", "LibraryCharges"]
    assert list(scheme.tables) == expected
    assert list(scheme.assign(ffshare.from_smiles("C")).sites) == expected


def test_a_name_that_no_force_field_has_is_refused():
    with pytest.raises(SchemeError, match=r"openff-9\.9\.9"):
        load_scheme("openff-9.9.9")


def test_no_name_at_all_is_refused():
    with pytest.raises(SchemeError, match="no force field was named; give a file or a name such as"):
        load_scheme()


def test_the_mode_decides_whether_idivf_may_be_left_to_the_molecule(tmp_path):
    path = tmp_path / "auto.offxml"
    path.write_text(
        '<SMIRNOFF version="0.3" aromaticity_model="OEAroModel_MDL"><ProperTorsions version="0.3">'
        '<Proper smirks="[*:1]~[*:2]~[*:3]~[*:4]" periodicity1="3" phase1="0 * degree" '
        'k1="1 * kcal/mol" idivf1="auto"/>'
        "</ProperTorsions></SMIRNOFF>"
    )
    with pytest.raises(RuleFileError, match="'auto' is refused as openff-toolkit refuses it; mode='spec' follows"):
        load_scheme(path)
    assert len(labels(load_scheme(path, mode="spec"), "CC")) == 9


def test_every_named_scheme_loads_by_its_name():
    assert set(NAMED) >= {
        "gaff",
        "gaff2",
        "gaff-antechamber",
        "gaff2-antechamber",
        "mmff94",
        "mmff94s",
        "alkethoh-types",
    }
    for name in NAMED:
        scheme = load_scheme(name)
        assert scheme.name == name
        assert all(Path(path).is_file() for path in scheme.checksums)


def test_a_folder_with_typing_rules_is_an_atom_typed_scheme():
    folder = data_directory("rules") / "gaff"
    by_path, by_name = load_scheme(folder), load_scheme("gaff")
    assert labels(by_path, "c1ccoc1") == labels(by_name, "c1ccoc1")
    assert by_path.name == str(folder)


def test_only_smirnoff_rules_can_be_appended():
    with pytest.raises(SchemeError, match="only SMIRNOFF rules can be appended to others; name gaff2 alone"):
        load_scheme("openff-2.2.1", "gaff2")


@pytest.mark.parametrize(
    ("name", "meant"), [("gaf2", "gaff2"), ("GAFF2", "gaff2"), ("mmf94", "mmff94"), ("hash:gaff", "hashed")]
)
def test_a_misspelled_scheme_is_refused_with_what_was_meant(name, meant):
    with pytest.raises(SchemeError, match=f"no scheme is called '{name}'; did you mean .*{meant}"):
        load_scheme(name)
