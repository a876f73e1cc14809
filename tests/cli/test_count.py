"""`ffshare count`: the numbers of parameters of released force fields, and of one counted by hand."""

import pytest

from ffshare.data_files import data_directory

SUMS = ("valence and vdW", "all")
# What the released files define: two numbers a bond, an angle and a vdW type, one a term of a torsion, one a charge.
DEFINED = {
    "openff-2.2.1": {"Bonds": 180, "Angles": 88, "ImproperTorsions": 7, "vdW": 76, "LibraryCharges": 12},
    "openff-2.3.0": {"Bonds": 186, "Angles": 110, "ImproperTorsions": 7, "vdW": 76, "LibraryCharges": 12},
}
TOTALS = {"openff-2.2.1": (653, 665), "openff-2.3.0": (824, 836)}


@pytest.fixture(scope="module")
def drugs():
    return data_directory("molecules") / "drugs.smi"


def test_the_released_force_fields_define_the_known_numbers(cli, drugs):
    schemes = [word for name in TOTALS for word in ("--scheme", name)]
    done = cli("count", drugs, *schemes, "--json")
    assert set(done.json) == {"molecules", "failed", "counts"}
    assert (done.json["molecules"], done.json["failed"]) == (261, 0)
    for name, totals in TOTALS.items():
        rows = {row["section"]: row for row in done.json["counts"] if row["scheme"] == name}
        assert tuple(rows[label]["defined"] for label in SUMS) == totals
        assert {section: rows[section]["defined"] for section in DEFINED[name]} == DEFINED[name]
        # Constraint distances stand apart: the last row, in no sum.
        assert list(rows)[-1] == "Constraints"
        assert rows["Constraints"]["defined"] == 2
        sections = [row for label, row in rows.items() if label not in (*SUMS, "Constraints")]
        for key in ("defined", "exercised", "rarely_seen", "sites", "unassigned"):
            assert sum(row[key] for row in sections) == rows["all"][key]
        assert all(row["rarely_seen"] <= row["exercised"] <= row["defined"] for row in rows.values())


def test_the_numbers_of_a_force_field_counted_by_hand(cli, rules, write):
    done = cli("count", write("CCO ethanol\nO water\nC1CC open\n"), "--scheme", rules, "--json")
    assert (done.json["molecules"], done.json["failed"]) == (2, 1)

    def row(section, defined, exercised, distinct, median, sites, unassigned, incomplete):
        return {
            "scheme": str(rules),
            "section": section,
            "defined": defined,
            "exercised": exercised,
            "effective": distinct,
            "effective_by": "distinct values",
            "rarely_seen": exercised,
            "molecules_per_parameter": median,
            "sites": sites,
            "unassigned": unassigned,
            "guessed": 0,
            "incomplete_molecules": incomplete,
            "combinations": None,
        }

    # Two molecules; b1 and n1 are seen in both, the rest in ethanol alone.
    assert done.json["counts"] == [
        row("Bonds", 4, 4, 4, 1.5, 10, 0, 0),
        row("Angles", 2, 2, 2, 1.0, 14, 2, 2),
        row("ProperTorsions", 1, 1, 1, 1.0, 12, 3, 1),
        row("vdW", 2, 2, 2, 2.0, 12, 0, 0),
        row("valence and vdW", 9, 9, 9, 1.0, 48, 5, 2),
        row("all", 9, 9, 9, 1.0, 48, 5, 2),
    ]


def test_a_section_that_no_molecule_uses_has_no_median(cli, rules, write):
    rows = {row["section"]: row for row in cli("count", write("[He]\n"), "--scheme", rules, "--json").json["counts"]}
    assert rows["Bonds"]["molecules_per_parameter"] is None
    assert rows["Bonds"]["exercised"] == rows["Bonds"]["sites"] == 0


def test_the_tables_show_the_numbers_of_each_scheme_and_both_side_by_side(cli, rules, write):
    source = write("CCO\n")
    done = cli("count", source, "--scheme", rules, "--scheme", "openff-2.2.1")
    lines = [line.split() for line in done.out.splitlines() if line.strip()]
    assert lines[0] == f"{rules}: parameters and sites on 1 molecules".split()
    assert ["Bonds", "4", "4", "4", "distinct", "values", "4", "1", "8", "0", "0", "0"] in lines
    side_by_side = lines[lines.index(["schemes", "side", "by", "side"]) :]
    assert ["openff-2.2.1", "all", "665"] in [line[:3] for line in side_by_side]
    assert done.err == "1 molecules read = 1 counted + 0 failed\n"
    alone = cli("count", source, "--scheme", rules)
    assert "side by side" not in alone.out


def test_workers_and_cutting_do_not_show_in_the_count(cli, drugs, write):
    source = write("".join(drugs.read_text().splitlines(keepends=True)[::7]) * 30)
    outcomes = [
        cli("count", source, "--scheme", "openff-2.2.1", "--workers", workers, "--json") for workers in ("1", "2")
    ]
    assert outcomes[0] == outcomes[1]
    assert outcomes[0].json["molecules"] == 38 * 30


def test_standard_input_is_counted(cli, rules):
    done = cli("count", "-", "--scheme", rules, "--json", stdin=b"CCO\nO\n")
    assert done.json["molecules"] == 2


def test_where_no_molecule_can_be_used_what_is_defined_is_counted_still(cli, rules, write):
    done = cli("count", write("C1CC\n"), "--scheme", rules, "--json")
    assert (done.status, done.json["molecules"], done.json["failed"]) == (0, 0, 1)
    assert done.json["counts"][-1]["defined"] == 9
    assert done.json["counts"][-1]["exercised"] == 0


@pytest.mark.parametrize(
    ("name", "defined", "types", "propers", "effective"),
    [("gaff", 13_434, 83, 23_732_605, 7_017), ("gaff2", 24_146, 100, 50_005_000, 14_961)],
)
def test_atom_typed_force_fields_define_the_known_numbers(cli, write, name, defined, types, propers, effective):
    done = cli("count", write("CCO\n"), "--scheme", name, "--json")
    rows = {row["section"]: row for row in done.json["counts"]}
    assert rows["all"]["defined"] == defined
    assert (rows["all"]["effective"], rows["all"]["effective_by"]) == (effective, "formula")
    assert (rows["vdW"]["combinations"], rows["ProperTorsions"]["combinations"]) == (types, propers)


def test_a_picture_is_drawn_and_named(cli, write, tmp_path):
    pytest.importorskip("matplotlib")
    picture = tmp_path / "growth.svg"
    done = cli("count", write("CCO\nC=CC=C\n"), "--scheme", "gaff", "--scheme", "openff-2.2.1", "--plot", picture)
    assert done.err.endswith(f"drawn: {picture}\n")
    assert picture.read_text().startswith("<?xml")


def test_a_picture_that_cannot_be_drawn_is_refused_before_any_molecule_is_read(cli, write, tmp_path):
    source = write("this is no molecule\n")
    done = cli("count", source, "--scheme", "gaff", "--plot", tmp_path / "growth.gif")
    done.fails("give a name that ends in .png, .svg, .pdf")
    assert "this is no molecule" not in done.err
