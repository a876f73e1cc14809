import math

import numpy as np
import pytest

from ffshare.assign.atom_types.keys import PairTypes, Term
from ffshare.assign.atom_types.search import (
    DEFAULT_IMPROPER,
    EMPIRICAL,
    GENERAL,
    PAIR_SWAPPED,
    SPECIFIC,
    Search,
)
from tests.assign.atom_types.typed_samples import PARTNERS, definition_of


def search(name, canonical=True):
    return Search(definition_of(name), PairTypes(PARTNERS, canonical))


def term(text, groups=None):
    types = tuple(text.split("-"))
    return Term(types, tuple(groups or range(len(types))))


def levels(outcome):
    return [step.level for step in outcome.steps]


# K [kcal/mol/rad²] and angle [degree] that parmchk2 of AmberTools 26 writes as "Calculated with empirical approach".
PARMCHK2_EMPIRICAL = {
    "gaff": {
        "p5-c3-s6": (78.813, 110.675),
        "c1-n3-c3": (64.688, 117.845),
        "n-c-py": (77.403, 118.680),
        "c1-os-cc": (67.432, 110.870),
        "p5-os-s6": (78.683, 122.660),
        "s4-c3-ss": (61.566, 111.865),
        "ca-py-n3": (39.048, 106.055),
        "n3-n-s6": (63.242, 118.810),
        "br-n-c3": (62.365, 115.920),
        "na-n-p5": (83.697, 108.685),
        "c3-p5-f": (39.480, 99.110),
        "c1-ss-cc": (65.923, 94.270),
    },
}


@pytest.mark.parametrize(
    ("name", "key", "expected"),
    [(name, key, value) for name, found in PARMCHK2_EMPIRICAL.items() for key, value in found.items()],
)
def test_empirical_angles_are_those_of_parmchk2(name, key, expected):
    outcome = search(name, canonical=False).find("Angles", term(key))
    assert outcome.rule_idx == -1
    assert levels(outcome)[-1] == EMPIRICAL
    k, angle = outcome.added.values
    assert outcome.added.id == key
    # Constants estimated from the tables, not those of the program.
    assert k / 2.0 == pytest.approx(expected[0], rel=3e-4)
    assert math.degrees(angle) == pytest.approx(expected[1], abs=6e-4)


def test_an_empirical_angle_tells_its_numbers():
    outcome = search("gaff").find("Angles", term("s6-c3-p5"))
    assert outcome.added.id == "p5-c3-s6"
    for part in (
        "empirical: angle = (",
        "[p5-c3-p5]",
        "[s6-c3-s6]) / 2 = 110.675 degrees",
        "k/2 = 143.9 Z(P) C(C) Z(S) exp(-2D) / ((r1 + r2) sqrt(angle)) = 78.8",
        "Å [c3-p5], r2 = ",
        "Å [c3-s6]; tried p5-c3-s6",
    ):
        assert part in outcome.fallback


def test_an_empirical_bond_is_made_of_radii():
    definition = definition_of("gaff")
    outcome = search("gaff").find("Bonds", term("sy-f"))
    formulas = definition.formulas
    length = formulas.radii["f"] + formulas.radii["sy"]
    k, found = outcome.added.values
    assert outcome.added.id == "f-sy"
    assert found == pytest.approx(length)
    assert k == pytest.approx(2.0 * math.exp(formulas.ln_k["F-S"]) / length**4.5)
    assert outcome.fallback.startswith("empirical: length = R(f) + R(sy) = ")
    assert outcome.fallback.endswith("tried f-sy")


def test_radii_give_the_lengths_of_the_table_within_two_per_cent_on_the_median():
    for name in ("gaff", "gaff2"):
        definition = definition_of(name)
        bonds = definition.tables["Bonds"]
        made = [sum(definition.formulas.radii[part] for part in rule_id.split("-")) for rule_id in bonds.ids]
        assert np.median(np.abs(np.array(made) / bonds.columns["length"].values - 1.0)) < 0.02


def test_without_formulas_nothing_is_made_up():
    outcome = search("alkethoh-types").find("Bonds", term("OS-OS"))
    assert (outcome.rule_idx, outcome.added, outcome.fallback) == (-1, None, None)
    assert [tuple(step) for step in outcome.steps] == [(SPECIFIC, "OS-OS", -1)]
    outcome = search("alkethoh-types").find("Angles", term("H1-CT-H2"))
    assert (outcome.rule_idx, outcome.added) == (-1, None)


def test_elements_without_constants_get_no_bond_and_no_angle():
    # GAFF has no angle with iodine in its middle, and no bond of hydrogen with fluorine.
    assert search("gaff").find("Bonds", term("hc-f")).added is None
    assert search("gaff").find("Angles", term("ca-i-ca")).added is None


def row(name, section, outcome):
    return definition_of(name).tables[section].ids[outcome.rule_idx]


def test_a_specific_row_comes_before_a_general_one():
    find = search("gaff").find
    specific = find("ProperTorsions", term("o-c-c3-hc"))
    assert (row("gaff", "ProperTorsions", specific), levels(specific)) == ("hc-c3-c-o", [SPECIFIC])
    general = find("ProperTorsions", term("o-c-c3-c3"))
    assert (row("gaff", "ProperTorsions", general), levels(general)) == ("X-c-c3-X", [SPECIFIC, GENERAL])
    assert specific.fallback is general.fallback is None


def test_a_general_row_comes_before_any_swapped_one():
    # The table holds X-cc-cd-X: no guess is needed for ca-cc-cd-ca, though swapping could find specific rows.
    outcome = search("gaff2").find("ProperTorsions", term("f-cc-cd-f", (0, 1, 1, 2)))
    assert row("gaff2", "ProperTorsions", outcome) == "X-cc-cd-X"
    assert outcome.fallback is None


def test_no_swap_makes_the_bond_of_a_term_single_or_double():
    # ce-ne is a single bond, ce-nf a double one: the values of one are no guess for the other.
    torsion = search("gaff").find("ProperTorsions", term("ca-ce-nf-ca", (0, 1, 1, 2)))
    assert definition_of("gaff").indices["ProperTorsions"].keys() >= {("X", "ce", "ne", "X")}
    assert (torsion.rule_idx, torsion.added, torsion.fallback) == (-1, None, None)
    assert levels(torsion) == [SPECIFIC, SPECIFIC, GENERAL, GENERAL]
    # cc-pd is in the table, cc-pc is not.
    bond = search("gaff").find("Bonds", term("cc-pc", (0, 0)))
    assert bond.rule_idx == -1
    assert bond.fallback.startswith("empirical: ")


def test_the_twin_of_a_key_is_a_fall_back_only_where_signs_mean_something():
    table = definition_of("gaff").indices["Bonds"]
    lacking = [
        key
        for key in table
        if PARTNERS.get(key[0]) and (PARTNERS[key[0]], key[1]) not in table and key[1] not in PARTNERS
    ]
    twins = [
        (first, second)
        for first, second in lacking
        if second not in PARTNERS.values() and tuple(sorted((PARTNERS[first], second))) not in table
    ]
    assert twins
    first, second = twins[0]
    twin = Term((PARTNERS[first], second), (0, 1))
    canonical, alone = search("gaff").find("Bonds", twin), search("gaff", canonical=False).find("Bonds", twin)
    assert canonical.rule_idx == alone.rule_idx == table[first, second]
    assert canonical.fallback is None
    assert alone.fallback.startswith(f"pair-swapped {first}-{second}; tried ")


def test_imatinibs_torsion_between_cp_and_nb_is_missing_and_not_guessed():
    # parmchk2 takes ca-ca-ne-c2 for it, a fifth of what an aromatic bond should have.
    for name in ("gaff", "gaff2"):
        outcome = search(name).find("ProperTorsions", term("ca-cp-nb-ca"))
        assert (outcome.rule_idx, outcome.added, outcome.fallback) == (-1, None, None)
        assert [step.key for step in outcome.steps] == ["ca-cp-nb-ca", "ca-cq-nb-ca", "X-cp-nb-X", "X-cq-nb-X"]


@pytest.mark.parametrize(
    ("name", "types", "found"),
    [
        ("gaff", "c3-o-c-oh", "c3-o-c-oh"),
        ("gaff", "oh-c3-c-o", "c3-o-c-oh"),
        ("gaff", "os-o-c-o", "X-o-c-o"),
        ("gaff", "ha-ca-ca-ca", "X-X-ca-ha"),
        ("gaff", "c3-os-c-o", "X-X-c-o"),
        ("gaff2", "c3-na-cc-ss", "X-X-cc-X"),
        ("gaff2", "ca-c-ca-c3", "c-ca-ca-c3"),
    ],
)
def test_an_improper_takes_the_row_with_the_fewest_x(name, types, found):
    outcome = search(name).find("ImproperTorsions", term(types))
    assert row(name, "ImproperTorsions", outcome) == found
    assert outcome.fallback is None


def test_an_improper_that_no_row_fits_takes_the_default():
    outcome = search("gaff").find("ImproperTorsions", term("ca-ca-ca-os"))
    assert outcome.rule_idx == -1
    assert (outcome.added.id, outcome.added.values) == ("X-X-X-X", (1.1, 2.0, math.pi, 1.0))
    assert levels(outcome)[-1] == DEFAULT_IMPROPER
    assert outcome.fallback == (
        "default improper: barrier 1.1 kcal/mol, phase 180 degrees, periodicity 2; tried "
        "ca-ca-ca-os, X-ca-ca-ca, X-ca-ca-os, X-X-ca-ca, X-X-ca-os, X-X-ca-X"
    )


def test_a_term_with_an_untyped_atom_tries_nothing():
    assert search("gaff").find("Bonds", Term(("ca", ""), (0, 1))).steps == ()


def test_a_type_without_parameters_is_missing():
    outcome = search("gaff").find("Bonds", term("ca-zn"))
    assert (outcome.rule_idx, outcome.added) == (-1, None)


def test_the_same_level_of_guess_is_used_whatever_the_direction():
    find = search("gaff2").find
    for text in ("ca-ce-nf-ca", "cc-cf-o", "f-sy", "h4-cc-cd-n"):
        section = {2: "Bonds", 3: "Angles", 4: "ProperTorsions"}[text.count("-") + 1]
        forward = term(text)
        backward = Term(forward.types[::-1], forward.groups[::-1])
        first, second = find(section, forward), find(section, backward)
        assert (first.rule_idx, first.fallback, first.steps) == (second.rule_idx, second.fallback, second.steps)
        assert (first.added is None) == (second.added is None)
        if first.added is not None:
            assert first.added.values == second.added.values


def test_an_angle_is_found_with_a_swapped_pair_type_before_the_formula_is_asked():
    outcome = search("gaff").find("Angles", term("ca-ce-ne", (0, 1, 1)))
    assert row("gaff", "Angles", outcome) == "ca-ce-nf"
    assert levels(outcome) == [SPECIFIC, SPECIFIC, PAIR_SWAPPED]
    assert outcome.fallback == "pair-swapped ca-ce-nf; tried ca-ce-ne, ca-cf-nf"
