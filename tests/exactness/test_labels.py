"""Labels are those of openff-toolkit, term by term, on real molecules: against frozen checksums, and live."""

import random
from pathlib import Path

import pytest

import ffshare
from tests.exactness import frozen
from tests.exactness.labels import (
    FF14SB,
    FORCE_FIELDS,
    Label,
    compare,
    compare_piece,
    ffshare_labels,
    load_scheme,
    pieces,
    toolkit_force_field,
    toolkit_labels,
)
from tests.exactness.molecule_sets import SETS, sampled
from tests.exactness.reading import read_both
from tests.exactness.shipped_labels import SHIPPED, compare_shipped

pytest.importorskip("openff.toolkit", reason="openff-toolkit is not installed")

RELEASED = ("minidrugbank", "freesolv", "others")
N_MOLECULES = {"minidrugbank": 352, "freesolv": 643, "others": 16, "peptides": 23}
# Models of water bring virtual sites, the others of this table nothing that the released six do not.
WATER_MODELS = ("tip4p_fb-1.0.0", "tip5p-1.0.0", "opc3-1.0.0", "opc-1.0.0")


@pytest.fixture(scope="module")
def file_of(tmp_path_factory):
    """The file of a set, made once."""
    folder = tmp_path_factory.mktemp("sets")
    paths: dict[str, Path] = {}

    def find(name):
        if name not in paths:
            paths[name] = SETS[name](folder)
        return paths[name]

    return find


def live_differences(path, force_field, names):
    """What differs for some molecules of a file, by openff-toolkit of this environment."""
    reading = read_both(path)
    ours = ffshare_labels(load_scheme(force_field).assign(reading.batch))
    return [
        difference
        for idx, molecule in enumerate(reading.theirs)
        if molecule.name in names
        for difference in compare(
            molecule.name, ours[idx], toolkit_labels(toolkit_force_field(force_field), molecule)
        ).differences
    ]


@pytest.mark.parametrize("molecules", [*RELEASED, "peptides"])
def test_both_programs_read_the_same_molecules_in_the_same_order(file_of, molecules):
    reading = read_both(file_of(molecules))
    assert reading.faults == ()
    assert len(reading.theirs) == reading.batch.n_molecules == N_MOLECULES[molecules]


@pytest.mark.parametrize(
    ("force_field", "molecules"),
    [*((force_field, molecules) for force_field in FORCE_FIELDS for molecules in RELEASED), (FF14SB, "peptides")],
)
def test_labels_are_the_frozen_ones_of_the_toolkit(file_of, force_field, molecules):
    expected = frozen.read(force_field, molecules)
    batch = ffshare.read(file_of(molecules))
    assignment = load_scheme(force_field).assign(batch)
    labels = dict(zip(batch.names, ffshare_labels(assignment), strict=True))
    assert len(labels) == len(expected["molecules"]) == N_MOLECULES[molecules]
    sections, names = frozen.mismatches(expected, labels)
    if sections or names:
        now = live_differences(file_of(molecules), force_field, names[:3])
        pytest.fail(
            f"{len(names)} molecules have other labels in {', '.join(sections)}: {', '.join(names[:10])}. "
            f"Frozen with {expected['made_with']}, here are {frozen.versions()}. Of the first three molecules, now: "
            f"{now[:10] or 'no difference, so the frozen labels are no longer those of the toolkit'}"
        )


@pytest.mark.parametrize(("force_field", "molecules"), [("openff-2.3.0", "minidrugbank"), ("openff-1.0.0", "freesolv")])
def test_labels_of_a_sample_are_those_that_the_toolkit_gives_now(file_of, tmp_path, force_field, molecules):
    path = sampled(file_of(molecules), 8, random.Random(2), tmp_path)
    (piece,) = pieces(path, (force_field,))
    found = compare_piece(piece)
    assert read_both(path).faults == ()
    assert found.terms > 500
    assert found.differences == ()


@pytest.mark.parametrize("water_model", WATER_MODELS)
def test_models_of_water_give_the_labels_that_the_toolkit_gives_now(file_of, water_model):
    (piece,) = pieces(file_of("others"), (water_model,))
    found = compare_piece(piece)
    assert found.terms > 0
    assert found.differences == ()


CHARGES = """<SMIRNOFF version="0.3" aromaticity_model="OEAroModel_MDL">
    <ChargeIncrementModel version="0.4" partial_charge_method="formal_charge" number_of_conformers="1">
        <ChargeIncrement id="c1" smirks="[*:1]~[*:2]" charge_increment1="0.1 * elementary_charge"/>
        <ChargeIncrement id="c2" smirks="[#6:1]-[#1:2]" charge_increment1="-0.1 * elementary_charge"/>
        <ChargeIncrement id="c3" smirks="[#1:1]-[#6:2]-[#1:3]" charge_increment1="0.1 * elementary_charge"
            charge_increment2="0.2 * elementary_charge"/>
        <ChargeIncrement id="c4" smirks="[#6X3,#7X2:1]:[#6X3:2]" charge_increment1="-0.2 * elementary_charge"/>
    </ChargeIncrementModel>
    <LibraryCharges version="0.3">
        <LibraryCharge id="q1" smirks="[#17:1]-[#6:2](-[#17:3])-[#1:4]" charge1="0.1 * elementary_charge"
            charge2="0.1 * elementary_charge" charge3="0.1 * elementary_charge" charge4="0.1 * elementary_charge"/>
        <LibraryCharge id="q2" smirks="[#1:2]-[#7X3:1]" charge1="0.1 * elementary_charge"
            charge2="0.1 * elementary_charge"/>
        <LibraryCharge id="q3" smirks="[#1X1:1]" charge1="0.1 * elementary_charge"/>
    </LibraryCharges>
    <VirtualSites version="0.3" exclusion_policy="parents">
        <VirtualSite type="BondCharge" name="EP" smirks="[#17:1]-[#6X4:2]" distance="1.5 * angstrom"
            match="all_permutations" charge_increment1="0.1 * elementary_charge"
            charge_increment2="0.1 * elementary_charge"/>
        <VirtualSite type="DivalentLonePair" name="EP" smirks="[*:2]~[#7X2:1]~[*:3]" distance="0.4 * angstrom"
            match="once" outOfPlaneAngle="0 * degree" charge_increment1="0.1 * elementary_charge"
            charge_increment2="0.1 * elementary_charge" charge_increment3="0.1 * elementary_charge"/>
        <VirtualSite type="DivalentLonePair" name="EP" smirks="[#1:2]-[#8X2:1]-[#1:3]" distance="0.4 * angstrom"
            match="all_permutations" outOfPlaneAngle="54 * degree" charge_increment1="0.1 * elementary_charge"
            charge_increment2="0.1 * elementary_charge" charge_increment3="0.1 * elementary_charge"/>
        <VirtualSite type="TrivalentLonePair" name="EP" smirks="[#1:2]-[#7X3:1](-[#1:3])-[#1:4]"
            distance="0.4 * angstrom" match="once" charge_increment1="0.1 * elementary_charge"
            charge_increment2="0.1 * elementary_charge" charge_increment3="0.1 * elementary_charge"
            charge_increment4="0.1 * elementary_charge"/>
        <VirtualSite type="MonovalentLonePair" name="LP" smirks="[#8X1:1]=[#6X3:2]-[#6:3]" distance="0.4 * angstrom"
            match="all_permutations" outOfPlaneAngle="0 * degree" inPlaneAngle="120 * degree"
            charge_increment1="0.1 * elementary_charge" charge_increment2="0.1 * elementary_charge"
            charge_increment3="0.1 * elementary_charge"/>
    </VirtualSites>
</SMIRNOFF>
"""


def test_charge_increments_and_virtual_sites_have_the_labels_that_the_toolkit_gives_now(file_of, tmp_path):
    rules = tmp_path / "charges.offxml"
    rules.write_text(CHARGES)
    (piece,) = pieces(file_of("others"), (str(rules),))
    found = compare_piece(piece)
    assert found.terms > 50
    assert found.differences == ()


@pytest.mark.parametrize("force_field", SHIPPED)
def test_labels_are_those_that_another_machine_made(test_data, file_of, force_field):
    found = compare_shipped(force_field, file_of("shipped"))
    assert found.terms > 95_000
    assert found.differences == ()


@pytest.mark.full
@pytest.mark.parametrize("force_field", FORCE_FIELDS)
@pytest.mark.parametrize("molecules", RELEASED)
def test_labels_of_all_molecules_are_those_that_the_toolkit_gives_now(file_of, force_field, molecules):
    for piece in pieces(file_of(molecules), (force_field,)):
        assert compare_piece(piece).differences == ()


@pytest.mark.full
def test_labels_of_ff14sb_are_those_that_the_toolkit_gives_now(file_of):
    (piece,) = pieces(file_of("peptides"), (FF14SB,))
    assert compare_piece(piece).differences == ()


@pytest.mark.full
@pytest.mark.parametrize("force_field", FORCE_FIELDS)
def test_labels_of_screening_compounds_are_those_that_the_toolkit_gives_now(test_data, file_of, tmp_path, force_field):
    path = sampled(file_of("pubchem"), 300, random.Random(5), tmp_path)
    assert read_both(path).faults == ()
    for piece in pieces(path, (force_field,)):
        assert compare_piece(piece).differences == ()


def test_a_wrong_rule_a_missing_term_and_a_spurious_one_are_differences():
    right = [Label("Bonds", (0, 1), "b1", "[*:1]~[*:2]"), Label("Bonds", (1, 2), "b1", "[*:1]~[*:2]")]
    wrong = [Label("Bonds", (0, 1), "b2", "[*:1]-[*:2]"), Label("Bonds", (1, 3), "b1", "[*:1]~[*:2]")]
    assert compare("x", right, right).differences == ()
    found = compare("x", wrong, right)
    assert found.terms == 2
    assert found.differences == (
        "x Bonds 0-1: ffshare b2 [*:1]-[*:2]; openff-toolkit b1 [*:1]~[*:2]",
        "x Bonds 1-2: ffshare no rule; openff-toolkit b1 [*:1]~[*:2]",
        "x Bonds 1-3: ffshare b1 [*:1]~[*:2]; openff-toolkit no rule",
    )


def test_a_mismatch_with_frozen_labels_names_its_section_and_molecule():
    labels = {"x": [Label("vdW", (0,), "n1", "[#6:1]"), Label("Bonds", (0, 1), "b1", "[*:1]~[*:2]")], "y": []}
    changed = labels | {"x": [Label("vdW", (0,), "n2", "[#6:1]"), labels["x"][1]]}
    kept = frozen.summary(labels)
    assert frozen.mismatches(kept, labels) == ([], [])
    assert frozen.mismatches(kept, changed) == (["vdW"], ["x"])
    assert frozen.mismatches(kept, {"y": []}) == (["Bonds", "vdW"], ["x"])
