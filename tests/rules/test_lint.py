"""Each thing that lint reports, on the smallest file that shows it, and what it says of released force fields."""

import pytest

from ffshare.assign.smirnoff import SmirnoffScheme
from ffshare.errors import MoleculeError
from ffshare.molecules import GraphBatch, molecule_from_molblock, molecule_from_smiles, silenced
from ffshare.rules import load_force_field
from ffshare.rules.lint import lint
from ffshare.rules.observations import Observations, rule_use

BOND = 'length="1.5 * angstrom" k="300 * kilocalories_per_mole/angstrom**2"'
ANGLE = 'angle="109.5 * degree" k="50 * kilocalories_per_mole/radian**2"'
TERM = 'periodicity1="2" phase1="{}" k1="1 * kilocalories_per_mole" idivf1="{}"'
VDW = 'epsilon="0.1 * kilocalories_per_mole" rmin_half="1.5 * angstrom"'
ELEMENTS = {
    "Bonds": ("Bond", BOND),
    "Angles": ("Angle", ANGLE),
    "ProperTorsions": ("Proper", TERM.format("180 * degree", "1")),
    "ImproperTorsions": ("Improper", TERM.format("180 * degree", "1")),
    "vdW": ("Atom", VDW),
}
SECTIONS_OF_TUPLES = ("Constraints", "Bonds", "Angles", "ProperTorsions", "ImproperTorsions", "vdW")


@pytest.fixture
def load(write_sections):
    """Loads a force field of one section from SMIRKS, or from (SMIRKS, attributes)."""

    def load(section, *rules):
        element, usual = ELEMENTS[section]
        lines = []
        for idx, rule in enumerate(rules):
            smirks, attributes = rule if isinstance(rule, tuple) else (rule, usual)
            number = "" if "id=" in attributes else f' id="r{idx + 1}"'
            lines.append(f'<{element} smirks="{smirks}"{number} {attributes}/>')
        return load_force_field(write_sections(f'<{section} version="0.3">\n' + "\n".join(lines) + f"\n</{section}>"))

    return load


def observe(force_field, batch, molecules):
    scheme = SmirnoffScheme(force_field)
    uses = {
        section: rule_use(*scheme.every_match(batch, section)[1:])
        for section in SECTIONS_OF_TUPLES
        if section in force_field.tables
    }
    return Observations(molecules=molecules, n_molecules=batch.n_molecules, uses=uses)


def batch_of(*smiles):
    return GraphBatch.from_molecules([molecule_from_smiles(text) for text in smiles])


def kinds(findings):
    return [(finding.rule_id, finding.kind) for finding in findings]


def test_a_sound_force_field_has_no_findings(load):
    assert lint(load("Bonds", "[*:1]~[*:2]", "[#6:1]-[#6:2]", "[#6X4:1]-[#6X4;r3:2]")) == ()


def test_a_rule_behind_which_a_more_general_one_stands_is_overridden(load):
    (finding,) = lint(load("ProperTorsions", "[#1:1]-[#6X4:2]-[#7:3]-[*:4]", "[*:1]~[#7:2]-[#6:3]-[#1:4]"))
    assert (finding.section, finding.rule_id, finding.rule_idx, finding.line) == ("ProperTorsions", "r1", 0, 3)
    assert (finding.kind, finding.certainty, finding.others) == ("overridden", "proven", ("r2",))
    assert finding.message.startswith("never wins: whatever it matches, the later r2 (line 4) matches, too")
    assert finding.source.endswith("rules.offxml")


def test_impropers_are_read_in_every_order_of_the_outer_atoms(load):
    (finding,) = lint(load("ImproperTorsions", "[#8:1]=[#6X3:2](-[#7:3])-[*:4]", "[#7:1]~[#6:2](~[*:3])~[#8:4]"))
    assert (finding.rule_id, finding.kind) == ("r1", "overridden")


def test_a_repeated_pattern_is_a_duplicate(load):
    (finding,) = lint(load("vdW", "[#6:1]", "[#8:1]", "[#6:1]"))
    assert (finding.rule_id, finding.kind, finding.others) == ("r1", "duplicate pattern", ("r3",))
    assert "written again in r3 (line 5), which wins every site" in finding.message


def test_patterns_that_differ_in_writing_only_match_the_same(load):
    (finding,) = lint(load("Bonds", "[#6a:1]-[#7X3:2]", "[#7X3:1]-[c:2]"))
    assert (finding.rule_id, finding.kind, finding.others) == ("r1", "same matches", ("r2",))


def test_a_repeated_id_is_found(load):
    (finding,) = lint(load("Bonds", ("[#6:1]-[#6:2]", f'id="b1" {BOND}'), ("[#6:1]-[#7:2]", f'id="b1" {BOND}')))
    assert (finding.rule_idx, finding.kind, finding.others) == (1, "duplicate id", ("b1",))
    assert "line 3 has the same id" in finding.message


def test_rules_without_ids_have_no_repeated_ids(load):
    repeated = ("[#6:1]-[#6:2]", BOND.replace("length=", 'note="no id=" length='))
    assert [kind for _, kind in kinds(lint(load("Bonds", repeated, repeated)))] == ["duplicate pattern"]


@pytest.mark.parametrize(
    ("smirks", "shown"),
    [
        ("[#6:1]-[#7;#8:2]", "atom 2 [#7;#8]: it"),
        ("[#16X1:1](-[#1])-[#6:2]", "atom 1 [#16X1]: it"),
        ("[#6;$([#7]-[c;A]):1]-[#6:2]", "of its recursive part $([#7]-[c;A]): it"),
    ],
)
def test_atoms_that_can_never_match_are_shown(load, smirks, shown):
    findings = [finding for finding in lint(load("Bonds", smirks)) if shown in finding.message]
    assert kinds(findings) == [("r1", "impossible atom")]


def test_a_pattern_that_can_never_match_is_not_called_overridden(load):
    assert kinds(lint(load("vdW", "[#7;#8:1]", "[*:1]"))) == [("r1", "impossible atom")]


def test_lists_that_every_atom_fits_are_shown(load):
    (finding,) = lint(load("vdW", "[#6;!r3,!r4:1]"))
    assert finding.kind == "idle list"
    assert finding.message.startswith("[#6;!r3,!r4] holds a list of alternatives that every atom fits")


@pytest.mark.parametrize("smirks", ["[#6R2:1]", "[#6:1]-[#7;R{1-2}]", "[#6$(*-[R3]):1]", "[!R1:1]"])
def test_counts_of_rings_are_found(load, smirks):
    (finding,) = lint(load("vdW", smirks))
    assert finding.kind == "ring count"
    assert "counts rings in RDKit and ring bonds in OpenEye's toolkits; write x" in finding.message


@pytest.mark.parametrize("smirks", ["[#6;R:1]", "[R0:1]", "[!R:1]", "[#6r5x2:1]", "[Rb+:1]"])
def test_ring_tests_that_mean_the_same_everywhere_are_let_be(load, smirks):
    assert lint(load("vdW", smirks)) == ()


@pytest.mark.parametrize(
    ("phase", "n_findings"), [("0", 0), ("180", 0), ("-180", 0), ("360", 0), ("150", 1), ("90", 1)]
)
def test_phases_that_make_impropers_depend_on_numbering_are_found(load, phase, n_findings):
    rule = ("[*:1]~[#7:2](~[*:3])~[*:4]", TERM.format(f"{phase} * degree", "3"))
    findings = lint(load("ImproperTorsions", rule))
    assert [finding.kind for finding in findings] == ["improper phase"] * n_findings
    assert all(f"phase {phase}°: with another phase than 0° or 180°" in finding.message for finding in findings)
    assert lint(load("ProperTorsions", ("[*:1]~[*:2]~[*:3]~[*:4]", rule[1]))) == ()


@pytest.mark.parametrize(("divisor", "n_findings"), [("1", 0), ("3.0", 0), ("1.5", 1), ("0.5", 1)])
def test_divisors_that_are_cut_on_export_are_found(load, divisor, n_findings):
    findings = lint(load("ProperTorsions", ("[*:1]~[*:2]~[*:3]~[*:4]", TERM.format("0 * degree", divisor))))
    assert [finding.kind for finding in findings] == ["idivf"] * n_findings
    assert all(f"idivf {divisor}: openff-interchange cuts it" in finding.message for finding in findings)


@pytest.mark.parametrize(
    "text", ["k", "c", "k / 2", "angstrom", "3 * kilocalories_per_mole", "2024-01-02", "nan", "min"]
)
def test_cosmetic_attributes_that_read_as_quantities_are_found(load, text):
    (finding,) = lint(load("Bonds", ("[#6:1]-[#6:2]", f'{BOND} parameterize="{text}"')))
    assert finding.kind == "cosmetic attribute"
    assert f"reads parameterize={text!r} as a quantity" in finding.message


@pytest.mark.parametrize(
    "text", ["k, length", "length", "from Frosst, 2019", "1", "2.5", "k1=PRM['x']", "epsilon,rmin_half", "?"]
)
def test_cosmetic_attributes_that_stay_text_are_let_be(load, text):
    assert lint(load("Bonds", ("[#6:1]-[#6:2]", f'{BOND} parameterize="{text}"'))) == ()


def test_our_guess_what_reads_as_a_quantity_is_that_of_the_registry():
    pint = pytest.importorskip("pint")
    from openff.units import Quantity

    from ffshare.rules.value_checks import _reads_as_quantity

    def reads(text):
        try:
            Quantity(text)
        except (pint.UndefinedUnitError, pint.DefinitionSyntaxError):
            return False
        return True

    texts = [chr(code) for code in [*range(ord("a"), ord("z") + 1), *range(ord("A"), ord("Z") + 1)]]
    texts += ["k1", "kB", "k_B", "length", "angle", "phase", "epsilon", "rmin_half", "sigma", "note", "fit", "degree"]
    texts += ["pi", "inf", "charge", "min", "max", "k, length", "k / 2", "2 * k", "3 apples", "2024-01-02"]
    assert [text for text in texts if reads(text) != _reads_as_quantity(text)] == []


def test_an_empty_cosmetic_attribute_is_found(load):
    (finding,) = lint(load("Bonds", ("[#6:1]-[#6:2]", f'{BOND} note=""')))
    assert (finding.kind, finding.certainty) == ("cosmetic attribute", "proven")
    assert "note is empty" in finding.message


def test_virtual_sites_of_other_names_do_not_override(write_sections):
    site = (
        '<VirtualSite smirks="[#8:1](-[#1:2])-[#1:3]" name="{}" type="DivalentLonePair" match="once" '
        'distance="0.1 * angstrom" outOfPlaneAngle="0 * degree" charge_increment1="0 * elementary_charge" '
        'charge_increment2="0.5 * elementary_charge" charge_increment3="0.5 * elementary_charge"/>'
    )

    def load_sites(*names):
        sites = "".join(map(site.format, names))
        return load_force_field(write_sections(f'<VirtualSites version="0.3">{sites}</VirtualSites>'))

    assert lint(load_sites("A", "B")) == ()
    assert [finding.kind for finding in lint(load_sites("A", "A"))] == ["duplicate pattern"]


def test_sections_of_plug_ins_are_let_be(write_sections):
    path = write_sections(
        '<MyForce version="0.1"><Thing smirks="[#6;#7:1]" size="k"/><Thing smirks="[#6;#7:1]"/></MyForce>'
    )
    assert lint(load_force_field(path)) == ()


def test_rules_that_win_or_match_nothing_are_found_with_molecules_only(load):
    # That every carbon is in one of the two later rules is a fact of these molecules, not of logic.
    force_field = load("vdW", "[*:1]", "[#6:1]", "[#6X4:1]", "[#6X3:1]", "[#9:1]")
    assert lint(force_field) == ()
    batch = batch_of("CC=O", "CO")
    used, never = lint(force_field, observe(force_field, batch, "two.smi"))
    assert (used.rule_id, used.kind, used.certainty, used.others) == ("r2", "overridden", "observed", ("r3", "r4"))
    expected = (
        "matches 3 sites in the 2 molecules of two.smi and wins none of them: taken by r3 (2), r4 (1); not proven"
    )
    assert used.message.startswith(expected)
    assert (never.rule_id, never.kind, never.certainty) == ("r5", "never matched", "not observed")
    assert lint(force_field, observe(force_field, batch_of("CC=O", "CO", "FC#N"), "three.smi")) == ()


def test_what_is_proven_is_not_reported_again_as_observed(load):
    force_field = load("vdW", "[#6X4:1]", "[#6:1]", "[#6:1]", "[#7;#8:1]", "[*:1]")
    proven = lint(force_field)
    assert lint(force_field, observe(force_field, batch_of("CCO"), "one.smi")) != ()
    assert kinds(lint(force_field, observe(force_field, batch_of("CCO"), "one.smi"))) == kinds(proven)


@pytest.fixture(scope="module")
def mini_drug_bank():
    utils = pytest.importorskip("openff.toolkit.utils")
    molecules = []
    with silenced(), open(utils.get_data_file_path("molecules/MiniDrugBank.sdf")) as file:
        for record in file.read().split("$$$$\n"):
            try:
                molecules += GraphBatch.from_molecules([molecule_from_molblock(record)]).molecules
            except MoleculeError:
                continue
    return GraphBatch.from_molecules(molecules)


def test_always_overridden_rules_of_openff_2_2_1_are_found_on_minidrugbank(mini_drug_bank):
    force_field = load_force_field("openff-2.2.1")
    findings = lint(force_field, observe(force_field, mini_drug_bank, "MiniDrugBank.sdf"))
    found = {finding.rule_id: finding for finding in findings if finding.kind == "overridden"}
    assert sorted(found) == sorted(["a17", "t49", "t52", "t53", "t54", "t55", "t56", "t57", "t130", "t137"])
    assert {finding.certainty for finding in found.values()} == {"observed"}
    assert found["a17"].others == ("a22", "a41", "a24")
    assert found["t52"].others == ("t64",)


@pytest.mark.parametrize(
    ("rule", "section", "smiles"),
    [("a17", "Angles", "CC#[N+]C"), ("t52", "ProperTorsions", "CCN(CC)N=CC"), ("t54", "ProperTorsions", "CCN(CC)N=O")],
)
def test_rules_that_are_overridden_on_minidrugbank_only_win_elsewhere(rule, section, smiles):
    force_field = load_force_field("openff-2.2.1")
    sites = SmirnoffScheme(force_field).assign(batch_of(smiles)).sites[section]
    assert force_field.tables[section].ids.index(rule) in sites.rule_idxs


def test_what_can_be_proven_of_openff_2_3_0():
    findings = lint(load_force_field("openff-2.3.0"))
    assert {finding.certainty for finding in findings} == {"proven"}
    assert [(finding.rule_id, finding.kind, finding.others) for finding in findings] == [
        ("a13a", "overridden", ("a13",)),
        ("a13a", "idle list", ()),
        ("a7", "overridden", ("a7a",)),
        ("t117", "overridden", ("t142a",)),
        ("t117b", "impossible atom", ()),
        ("t117d", "overridden", ("t142",)),
        ("t117e", "impossible atom", ()),
        ("t130a", "same matches", ("t130c",)),
        ("t131a", "same matches", ("t131c",)),
        ("t133a", "same matches", ("t133c",)),
        ("t158a", "same matches", ("t158b",)),
    ]


@pytest.mark.parametrize("name", ["openff-1.3.1", "openff-2.2.1"])
def test_little_can_be_proven_of_older_releases(name):
    assert set(kinds(lint(load_force_field(name)))) <= {("a13a", "idle list")}


def test_an_aromatic_or_aliphatic_atom_is_any_atom_on_purpose(load):
    assert lint(load("Bonds", "[a,A:1]-[#6X4:2]")) == ()
    assert kinds(lint(load_force_field("alkethoh-smirks"))) == []
