"""The rows of MMFF94 and MMFF94s: as many as published, as RDKit has them, each a rule."""

import importlib.metadata
import importlib.util
import re
from pathlib import Path

import numpy as np
import pytest

from ffshare.assign.mmff import MmffScheme
from ffshare.assign.mmff.tables import load_tables, rule_id
from ffshare.data_files import checksum, data_directory
from ffshare.errors import SchemeError

SCRIPT = Path(__file__).parents[3] / "scripts" / "make_mmff_tables.py"
# The class of a stretch-bend from its other end.
OTHER_END = {1: 2, 2: 1, 6: 7, 7: 6, 9: 10, 10: 9}


@pytest.fixture(scope="module")
def script():
    spec = importlib.util.spec_from_file_location("make_mmff_tables", SCRIPT)
    module = importlib.util.module_from_spec(spec)
    spec.loader.exec_module(module)
    return module


def test_there_are_as_many_rules_and_numbers_as_published(scheme):
    n_rules = {section: len(table) for section, table in scheme.tables.items()}
    assert n_rules == {
        "Bonds": 493,
        "Angles": 2342,
        "StretchBends": 557,  # 282 rows for types and 30 for periods, each from both ends unless they are alike
        "ProperTorsions": 926 + 1,  # and one without numbers for linear atoms
        "ImproperTorsions": 117,
        "vdW": 95,
    }
    n_numbers = {
        section: sum(len(column.values) for column in table.columns.values() if column.free)
        for section, table in scheme.tables.items()
    }
    assert n_numbers == {
        "Bonds": 2 * 493,
        "Angles": 2 * 2342 - 97,
        "StretchBends": 557,
        "ProperTorsions": 3 * 926,
        "ImproperTorsions": 117,
        "vdW": 4 * 95,
    }
    assert scheme.n_types == 95
    assert scheme.tables["ProperTorsions"].n_combinations == (95**4 + 95**2) // 2
    assert scheme.symbols[37] == "CB"


def test_what_the_readme_says_of_the_rows_holds():
    barriers = {name: load_tables(name).rows["ProperTorsions"].values for name in ("mmff94", "mmff94s")}
    bends = {name: load_tables(name).rows["ImproperTorsions"].values for name in ("mmff94", "mmff94s")}
    readme = (data_directory("rules") / "mmff94s" / "README.md").read_text()
    n_torsions, n_bends = (int(np.any(of["mmff94"] != of["mmff94s"], axis=1).sum()) for of in (barriers, bends))
    assert f"| 926 | {n_torsions} |" in readme
    assert f"| 117 | {n_bends} |" in readme
    assert f"({np.count_nonzero(barriers['mmff94']):,} of the" in (
        (data_directory("rules") / "mmff94" / "README.md").read_text()
    )


def test_ids_are_keys_none_twice(scheme):
    for table in scheme.tables.values():
        assert len(set(table.ids)) == len(table)
        assert table.patterns == table.ids
        for one, line, source in zip(table.ids, table.lines, table.sources, strict=True):
            assert one == "torsion:linear" or (line > 6 and Path(source).is_file())


@pytest.mark.parametrize(
    ("section", "row", "column", "value"),
    [
        ("Bonds", "bond:0:1-37", "k", 143.9325 * 4.957),
        ("Bonds", "bond:0:1-37", "length", 1.486),
        ("Bonds", "bond:1:2-2", "length", 1.430),
        ("Angles", "angle:0:1-37-37", "angle", np.radians(120.419)),
        ("StretchBends", "stretch-bend:0:1-1-5", "k", 143.9325 * 0.227),
        ("StretchBends", "stretch-bend:0:5-1-1", "k", 143.9325 * 0.070),
        ("StretchBends", "stretch-bend:1:2-2-2", "k", 143.9325 * 0.250),
        ("StretchBends", "stretch-bend:2:2-2-2", "k", 143.9325 * 0.219),
        ("StretchBends", "stretch-bend:rows-0-1-1:0-0-0", "k", 143.9325 * 0.10),
        ("StretchBends", "stretch-bend:rows-1-1-0:0-0-0", "k", 143.9325 * 0.30),
        ("ProperTorsions", "torsion:0:1-1-1-1", "k", 0.5 * 0.103),
        ("ImproperTorsions", "oop:0-2-0-0", "k", 143.9325 * 0.020),
        ("vdW", "vdw:6", "alpha", 0.70),
    ],
)
def test_a_published_number_comes_in_internal_units(mmff94, section, row, column, value):
    table = mmff94.tables[section]
    found = table.columns[column]
    values = found.values[found.rule_idxs == table.ids.index(row)]
    assert values[0] == pytest.approx(value, rel=1e-15)


def test_a_torsion_has_three_cosines_those_of_height_zero_too(mmff94):
    columns = mmff94.tables["ProperTorsions"].columns
    for name, expected in {"periodicity": [1, 2, 3], "phase": [0, np.pi, 0], "idivf": [1, 1, 1]}.items():
        assert np.all(columns[name].values.reshape(-1, 3) == expected)
        assert not columns[name].free
    assert np.array_equal(columns["k"].terms.reshape(-1, 3), np.tile([0, 1, 2], (926, 1)))


def test_every_stretch_bend_is_there_from_both_ends(mmff94):
    ids = set(mmff94.tables["StretchBends"].ids)
    for one in ids:
        if "rows" in one:
            first, second, third = re.fullmatch(r"stretch-bend:rows-(\d)-(\d)-(\d):0-0-0", one).groups()
            assert f"stretch-bend:rows-{third}-{second}-{first}:0-0-0" in ids
        else:
            kind, first, second, third = map(int, re.fullmatch(r"stretch-bend:(\d+):(\d+)-(\d+)-(\d+)", one).groups())
            assert f"stretch-bend:{OTHER_END.get(kind, kind)}:{third}-{second}-{first}" in ids


def test_an_angle_row_for_any_types_gives_no_force_constant(mmff94):
    table = mmff94.tables["Angles"]
    without = set(range(len(table))) - set(table.columns["k"].rule_idxs.tolist())
    assert {table.ids[rule] for rule in without} == {one for one in table.ids if re.search(r":0-\d+-0$", one)}


def test_checksums_are_those_of_all_files(scheme):
    folders = {data_directory("rules") / "mmff94", data_directory("rules") / scheme.name}
    assert {Path(path).parent for path in scheme.checksums} == folders
    assert all(checksum(Path(path)) == value for path, value in scheme.checksums.items())
    assert len(scheme.checksums) == 9


def test_ids_of_keys():
    assert rule_id("vdW", [37]) == "vdw:37"
    assert rule_id("ProperTorsions", [5, 0, 1, 1, 0]) == "torsion:5:0-1-1-0"


def test_a_variant_that_there_is_not_is_refused():
    with pytest.raises(SchemeError, match="'mmff95' is no variant of MMFF94; expected mmff94 or mmff94s"):
        MmffScheme("mmff95")


def test_the_files_are_those_that_the_installed_rdkit_makes(script, tmp_path):
    try:
        script.find_library()
    except SystemExit as reason:
        pytest.skip(str(reason))
    for name in ("mmff94", "mmff94s"):
        (tmp_path / name).mkdir()
    script.main(tmp_path)
    made = sorted(path.relative_to(tmp_path) for path in tmp_path.glob("*/*.csv"))
    assert len(made) == 11
    version = f"RDKit {importlib.metadata.version('rdkit')}"
    for path in made:
        kept = (data_directory("rules") / path).read_text(encoding="utf-8")
        assert (tmp_path / path).read_text(encoding="utf-8") == re.sub(r"RDKit \d+\.\d+\.\d+", version, kept)
