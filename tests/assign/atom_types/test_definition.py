import importlib
import os
import re
import shutil
from itertools import combinations_with_replacement, product
from pathlib import Path

import numpy as np
import pytest

from ffshare.assign.atom_types.csv_tables import FORMS
from ffshare.assign.atom_types.definition import load_definition, n_combinations
from ffshare.data_files import data_directory
from ffshare.errors import RuleFileError
from tests.assign.atom_types.typed_samples import definition_of

RULES = data_directory("rules")
TWO = ("gaff", "gaff2")


def rows_and_numbers(definition):
    free = {
        section: sum(len(column.values) for column in table.columns.values() if column.free)
        for section, table in definition.tables.items()
    }
    return {section: len(table) for section, table in definition.tables.items()}, free


@pytest.mark.parametrize(
    ("name", "n_types", "rows", "terms", "n_free"),
    [
        ("gaff", 83, (928, 5315, 653, 38, 83), 744, 13_434),
        ("gaff2", 100, (1335, 9712, 1341, 42, 98), 1814, 24_146),
        ("alkethoh-types", 8, (8, 19, 16, 0, 8), 29, 99),
    ],
)
def test_the_tables_hold_all_rows_of_the_published_files(name, n_types, rows, terms, n_free):
    definition = definition_of(name)
    lengths, free = rows_and_numbers(definition)
    assert len(definition.elements) == n_types
    assert tuple(lengths[section] for section in FORMS) == rows
    assert free["ProperTorsions"] == terms
    assert sum(free.values()) == n_free


def test_barriers_of_zero_are_rows_like_others():
    n_zero = {name: int((definition_of(name).tables["ProperTorsions"].columns["k"].values == 0).sum()) for name in TWO}
    assert n_zero == {"gaff": 148, "gaff2": 203}


@pytest.mark.parametrize(("name", "n_general"), [("gaff", 587), ("gaff2", 587)])
def test_general_propers_are_told_by_their_ids(name, n_general):
    ids = definition_of(name).tables["ProperTorsions"].ids
    assert sum(rule_id.startswith("X-") and rule_id.endswith("-X") for rule_id in ids) == n_general
    assert sum("X" in rule_id.split("-") for rule_id in ids) == n_general


def values(definition, section, rule_id):
    table = definition.tables[section]
    rule = table.ids.index(rule_id)
    return {name: column.values[column.rule_idxs == rule].tolist() for name, column in table.columns.items()}


def test_values_are_in_the_units_of_ffshare_with_half_of_k_in_the_energy():
    gaff = definition_of("gaff")
    # gaff.dat: "ca-ca  461.1    1.3984", "hc-c3-hc    39.4      107.58"
    assert values(gaff, "Bonds", "ca-ca") == {"k": [922.2], "length": [1.3984]}
    hydrogens = values(gaff, "Angles", "hc-c3-hc")
    assert hydrogens["k"] == [78.8]
    np.testing.assert_allclose(hydrogens["angle"], np.radians(107.58))
    assert values(gaff, "vdW", "c3") == {"epsilon": [0.1094], "rmin_half": [1.908]}


def test_the_terms_of_a_torsion_are_one_rule():
    # gaff.dat: barriers 0.80, 0.00 and 0.08, periodicities -1, -2 and 3
    assert values(definition_of("gaff"), "ProperTorsions", "h1-c3-c-o") == {
        "k": [0.80, 0.00, 0.08],
        "periodicity": [1.0, 2.0, 3.0],
        "phase": [0.0, 0.0, np.pi],
        "idivf": [1.0, 1.0, 1.0],
    }
    assert values(definition_of("gaff"), "ProperTorsions", "X-c3-c3-X")["idivf"] == [9.0]


@pytest.mark.parametrize("name", ["gaff", "gaff2", "alkethoh-types"])
def test_one_four_pairs_are_scaled_as_amber_does(name):
    tables = definition_of(name).tables
    assert float(tables["vdW"].settings["scale14"]) == 0.5
    assert tables["ImproperTorsions"].settings["coordinate"] == "dihedral"
    assert float(tables["Electrostatics"].settings["scale14"]) == pytest.approx(1 / 1.2, abs=1e-15)


@pytest.mark.parametrize(
    ("name", "expected"),
    [
        ("gaff", {"Bonds": 977, "Angles": 5394, "ProperTorsions": 596, "ImproperTorsions": 2, "vdW": 48}),
        ("gaff2", {"Bonds": 1547, "Angles": 11715, "ProperTorsions": 1611, "ImproperTorsions": 2, "vdW": 86}),
        ("alkethoh-types", None),
    ],
)
def test_the_effective_count_leaves_out_what_the_formulas_give(name, expected):
    definition = definition_of(name)
    assert {
        section: table.n_effective for section, table in definition.tables.items() if table.n_effective is not None
    } == (expected or {})


def test_combinations_are_counted_as_if_each_type_could_stand_everywhere():
    def brute_force(n):
        types = range(n)
        outer = len(list(combinations_with_replacement(types, 3)))
        return {
            "Bonds": len({min(key, key[::-1]) for key in product(types, repeat=2)}),
            "Angles": len({min(key, key[::-1]) for key in product(types, repeat=3)}),
            "ProperTorsions": len({min(key, key[::-1]) for key in product(types, repeat=4)}),
            "ImproperTorsions": n * outer,
            "vdW": n,
        }

    assert n_combinations(5) == brute_force(5)
    assert n_combinations(100)["Angles"] == 505_000
    assert definition_of("gaff").tables["ProperTorsions"].n_combinations == 23_732_605


def amber_home():
    """Where AmberTools is installed, None where it is not."""
    program = shutil.which("tleap")
    home = os.environ.get("AMBERHOME") or (str(Path(program).resolve().parents[1]) if program else None)
    return Path(home) if home and (Path(home) / "dat" / "leap" / "parm" / "gaff.dat").is_file() else None


@pytest.mark.skipif(amber_home() is None, reason="AmberTools is not installed: neither $AMBERHOME nor tleap is there")
@pytest.mark.parametrize("name", TWO)
def test_every_number_is_that_of_the_installed_file(name):
    lines = (amber_home() / "dat" / "leap" / "parm" / f"{name}.dat").read_text(encoding="latin-1").splitlines()
    form = {2: ("Bonds", 2), 3: ("Angles", 2), 4: ("ProperTorsions", 4)}
    found = {"Bonds": [], "Angles": [], "ProperTorsions": [], "ImproperTorsions": []}
    for line in lines[: next(at for at, line in enumerate(lines) if line.startswith("MOD4"))]:
        match = re.match(r"((?:[A-Za-z][A-Za-z0-9+ ]-){1,3}[A-Za-z][A-Za-z0-9+ ]?)\s+(-?[\d.].*)", line)
        if match:
            key = [name.strip() for name in match[1].split("-")]
            numbers = [word for word in match[2].split() if re.fullmatch(r"-?[\d.]+", word)]
            section, n_numbers = form[len(key)]
            if len(key) == 4 and "." in numbers[0]:  # no divisor
                section, n_numbers = "ImproperTorsions", 3
            found[section].append(["-".join(key), *map(float, numbers[:n_numbers])])
    for section, expected in found.items():
        file, _, columns = FORMS[section]
        written = [line.split(",") for line in (RULES / name / file).read_text(encoding="utf-8").splitlines()[1:]]
        assert [[row[0], *map(float, row[1 : len(columns) + 1])] for row in written] == expected


@pytest.fixture
def make_gaff_tables(monkeypatch):
    monkeypatch.syspath_prepend(str(RULES.parent / "scripts"))
    return importlib.import_module("make_gaff_tables")


def same_files(folder, shipped):
    for path in folder.iterdir():
        assert path.read_bytes() == (shipped / path.name).read_bytes(), path.name
    return sorted(path.name for path in folder.iterdir())


TABLES = sorted(["README.md", "types.csv", *(form[0] for form in FORMS.values())])


@pytest.mark.skipif(amber_home() is None, reason="AmberTools is not installed: neither $AMBERHOME nor tleap is there")
def test_the_script_makes_the_tables_that_ship(tmp_path, make_gaff_tables):
    make_gaff_tables.main(amber_home(), tmp_path)
    for name in TWO:
        assert same_files(tmp_path / name, RULES / name) == TABLES


def test_the_script_makes_the_tables_of_alkethoh_that_ship(tmp_path, make_gaff_tables):
    pytest.importorskip("openff.toolkit", reason="openff-toolkit is not installed")
    importlib.import_module("make_alkethoh_types").main(tmp_path)
    assert same_files(tmp_path / "alkethoh-types", RULES / "alkethoh-types") == TABLES


PARM = """A title
c3 12.01  0.878  Sp3 C
hc 1.008  0.135  H on it, twice
hc 1.008  0.135  again

c3
c3-hc  330.60   1.0969       SOURCE3       5
c -c3  300.0    1.50

hc-c3-hc    39.4      107.58   SOURCE1

X -c3-c3-X    9    1.400         0.000          -3.000
X -c3-c3-X    9    0.100       180.000           1.000     words

X -X -c -o          10.5         180.          2.           source

  hw  ow  0000.     0000.                                4.  flag

MOD4      RE
  hc          1.4870  0.0157             OPLS
  c3          1.9080  0.1094

END
"""


def test_a_parameter_file_is_read_digit_by_digit(tmp_path, make_gaff_tables):
    path = tmp_path / "parm.dat"
    path.write_text(PARM, encoding="latin-1")
    parm = make_gaff_tables.read_parm(path)
    assert parm.types == [["c3", "C", "12.01", "Sp3 C"], ["hc", "H", "1.008", "H on it, twice"]]
    assert parm.bonds == [["c3-hc", "330.60", "1.0969"], ["c-c3", "300.0", "1.50"]]
    assert parm.angles == [["hc-c3-hc", "39.4", "107.58"]]
    assert [row[1:] for row in parm.propers] == [["9", "1.400", "0.000", "-3.000"], ["9", "0.100", "180.000", "1.000"]]
    assert parm.impropers == [["X-X-c-o", "10.5", "180.", "2."]]
    assert parm.vdw == [["hc", "1.4870", "0.0157"], ["c3", "1.9080", "0.1094"]]
    assert parm.counts()["n_free"] == 2 * 2 + 2 + 2 + 1 + 2 * 2


def copy_of(name, folder, **files):
    """A copy of a force field; each named file is passed through a function of its text, or left out."""
    shutil.copytree(RULES / name, folder, ignore=shutil.ignore_patterns("typing.toml"))
    for stem, change in files.items():
        (path,) = folder.glob(f"{stem}.*")
        if change is None:
            path.unlink()
        else:
            path.write_text(change(path.read_text(encoding="utf-8")), encoding="utf-8")
    return folder


def replaced(old, new):
    return lambda text: text.replace(old, new, 1)


@pytest.mark.parametrize(
    ("stem", "change", "message"),
    [
        ("bonds", None, r"bonds.csv: 1 fault\n  the file cannot be read: No such file"),
        (
            "bonds",
            replaced("types,k,length", "types,length,k"),
            "line 1: the columns are types,length,k; expected types,k",
        ),
        ("bonds", lambda text: "", "line 1: the columns are missing"),
        ("bonds", replaced("CT-CT,310.0,1.526", "CT-CT,310.0"), "line 2: 2 values; expected 3: types,k,length"),
        ("bonds", replaced("310.0", "31O.0"), "line 2: k is '31O.0'; expected a number"),
        ("bonds", replaced("310.0", "nan"), "line 2: k is 'nan'; expected a number"),
        ("bonds", replaced("310.0", "-310.0"), "line 2: 'CT-CT': k is -310; expected 0 or more"),
        ("bonds", replaced("1.526", "0"), "line 2: 'CT-CT': length is 0; expected more than 0"),
        ("bonds", replaced("CT-HC", "CT-H9"), "line 3: 'CT-H9': type 'H9' is not in types.csv"),
        ("bonds", replaced("CT-HC", "CT-X"), "line 3: 'CT-X': X may stand in torsions only"),
        ("bonds", replaced("CT-H1", "HC-CT"), "line 4: 'HC-CT' stands in line 3 too; keep one of them"),
        ("angles", replaced("H1-CT-H1", "H1-CT"), "line 2: 'H1-CT': 2 types; expected 3"),
        ("angles", replaced("109.50", "190.0"), "angle is 190; expected more than 0 and up to 180"),
        ("propers", replaced("X-CT-OH-X", "X-CT-OH-CT"), "X may stand at both ends of a proper, and only there"),
        ("propers", replaced(",9,1.40", ",0.5,1.40"), "divisor is 0.5; expected a whole number from 1"),
        ("propers", replaced("3.", "0.5"), "periodicity is 0.5; expected a whole number, not 0"),
        (
            "propers",
            replaced("0.0,-3.", "0.0,3."),
            "the term is not the last of its torsion, but its periodicity is posi",
        ),
        ("propers", replaced("0.0,3.", "0.0,-3."), "the term is the last of its torsion, but its periodicity is nega"),
        ("types", lambda text: text + "CT,C,12.01,again\n", "type 'CT' stands there more than once"),
        ("settings", replaced('name = "alkethoh-types"', "name = 1"), "name is missing or no text"),
        ("settings", replaced("vdW = 0.5", 'vdW = "half"'), r"\[scale14\]: vdW is missing or no number"),
        ("settings", lambda text: text + '\n[impropers]\ncentres = "C9"', "not in types.csv: C9"),
        (
            "settings",
            lambda text: text + "\n[impropers]\ndefault = { barrier = 1.1 }",
            "default must give barrier, phase",
        ),
        ("settings", lambda text: "name = ", "not TOML"),
        ("vdw", replaced("CT,1.9080", "CT,-1.9080"), "rmin_half is -1.908; expected 0 or more"),
    ],
)
def test_a_fault_is_told_with_its_file_and_line(tmp_path, stem, change, message):
    folder = copy_of("alkethoh-types", tmp_path / "broken", **{stem: change})
    with pytest.raises(RuleFileError, match=message) as raised:
        load_definition(folder)
    assert Path(raised.value.path).stem == stem


def test_all_faults_of_all_files_are_told_at_once(tmp_path):
    folder = copy_of(
        "alkethoh-types",
        tmp_path / "broken",
        bonds=lambda text: text.replace("CT-HC", "CT-H9").replace("553.0", "much"),
        angles=replaced("40.0", "-40.0"),
    )
    with pytest.raises(RuleFileError) as raised:
        load_definition(folder)
    assert raised.value.path == str(folder)
    assert [str(fault) for fault in raised.value.faults] == [
        "bonds.csv: line 3: 'CT-H9': type 'H9' is not in types.csv",
        "bonds.csv: line 9: k is 'much'; expected a number",
        "angles.csv: line 16: 'CT-CT-CT': k is -40; expected 0 or more",
    ]


def test_a_repeated_improper_does_no_harm_unless_its_values_differ(tmp_path):
    gaff = definition_of("gaff")
    # Lines 10 and 15 of the table: c-c2-c2-c3 and c2-c-c2-c3.
    assert gaff.indices["ImproperTorsions"]["c", "c2", "c3", "c2"] == gaff.tables["ImproperTorsions"].ids.index(
        "c-c2-c2-c3"
    )
    folder = copy_of("gaff", tmp_path / "broken", impropers=replaced("c2-c-c2-c3,1.1", "c2-c-c2-c3,1.2"))
    with pytest.raises(RuleFileError, match="line 15: 'c2-c-c2-c3' stands in line 10 too"):
        load_definition(folder)


def test_checksums_name_every_file_that_was_read():
    names = {Path(path).name for path in definition_of("gaff").checksums}
    tables = {form[0] for form in FORMS.values()}
    assert names == {"settings.toml", "types.csv", "formula.toml", *tables}
    assert definition_of("gaff").typing_path == RULES / "gaff" / "typing.toml"
