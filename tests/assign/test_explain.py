"""An explanation names every rule that matches a term, as a plain loop over RDKit's matcher finds them, winner last."""

import itertools
import random

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

import ffshare
from ffshare.assign import COMPLETE_SECTIONS, explain
from ffshare.assign.smirnoff import SmirnoffScheme
from ffshare.errors import SchemeError
from ffshare.rules import load_force_field
from tests.assign.oracle import every_match
from tests.assign.samples import scheme_of
from tests.smirks.diverse import DIVERSE

EXPLAINED = ("Constraints", "Bonds", "Angles", "ProperTorsions", "ImproperTorsions", "vdW")


def batch_atoms(batch, one):
    return tuple(int(batch.atom_offsets[one.molecule_idx]) + atom for atom in one.atoms)


@settings(max_examples=15)
@given(smiles=st.lists(st.sampled_from(list(DIVERSE.values())), max_size=3))
def test_the_winner_is_the_rule_that_assign_gives(smiles):
    scheme, batch = scheme_of("openff-2.3.0"), ffshare.from_smiles(*smiles)
    sites = scheme.assign(batch).sites
    found = {section: {} for section in EXPLAINED}
    for one in explain(scheme, batch):
        winner = -1 if one.winner is None else one.winner.rule_idx
        found[one.section][batch_atoms(batch, one)] = winner
    for section in EXPLAINED:
        atoms, rules = sites[section].atom_idxs.tolist(), sites[section].rule_idxs.tolist()
        assert found[section] == dict(zip(map(tuple, atoms), rules, strict=True))


@pytest.mark.parametrize("seed", range(3))
def test_the_matches_are_those_of_a_plain_loop(seed):
    smiles = random.Random(seed).sample(list(DIVERSE.values()), 12)
    scheme, batch = scheme_of("openff-2.2.1"), ffshare.from_smiles(*smiles)
    found = explain(scheme, batch)
    for section in EXPLAINED:
        explained = {batch_atoms(batch, one): one.matches for one in found if one.section == section}
        matched = {atoms: [match.rule_idx for match in matches] for atoms, matches in explained.items() if matches}
        assert matched == every_match(scheme.tables[section], batch)
        assert all(explained.values()) or section in COMPLETE_SECTIONS


def test_matches_stand_in_file_order_and_say_why_they_win_or_lose():
    scheme = scheme_of("openff-2.2.1")
    (one,) = explain(scheme, ffshare.from_smiles("CC(=O)NC"), ["ProperTorsions"], [0, 1, 3, 4])
    assert one.winner is one.matches[-1]
    assert [match.wins for match in one.matches] == [False] * (len(one.matches) - 1) + [True]
    assert [match.rule_idx for match in one.matches] == sorted(match.rule_idx for match in one.matches)
    table = scheme.tables["ProperTorsions"]
    for match in one.matches:
        assert (match.rule_id, match.pattern) == (table.ids[match.rule_idx], table.patterns[match.rule_idx])
        assert match.line == table.lines[match.rule_idx] > 0
        lost = f"{one.winner.rule_id} comes later and matches too"
        assert match.reason == ("last rule that matches" if match.wins else lost)
    # X-C(=O)-N-X of an amide: after the general rules the one for amides.
    assert (one.winner.rule_id, len(one.matches)) == ("t75", 3)


TERMS = [("Bonds", (0, 1)), ("Angles", (0, 1, 2)), ("ProperTorsions", (0, 1, 3, 4)), ("vdW", (2,))]


@pytest.mark.parametrize(("section", "atoms"), TERMS)
def test_atoms_may_be_named_from_either_end(section, atoms):
    scheme, batch = scheme_of("openff-2.2.1"), ffshare.from_smiles("CC(=O)NC")
    found = [explain(scheme, batch, [section], order)[0] for order in (atoms, atoms[::-1])]
    assert [one.atoms for one in found] == [atoms, atoms]
    assert [match.rule_id for match in found[0].matches] == [match.rule_id for match in found[1].matches]


def test_an_improper_may_be_named_with_its_outer_atoms_in_any_order():
    scheme, batch = scheme_of("openff-2.2.1"), ffshare.from_smiles("CC(=O)NC")
    for first, second, third in itertools.permutations((0, 2, 3)):
        (one,) = explain(scheme, batch, ["ImproperTorsions"], (first, 1, second, third))
        assert (one.atoms, one.winner.rule_id) == ((0, 1, 2, 3), "i1")
    with pytest.raises(SchemeError, match="no term of ImproperTorsions on atoms 1-0-2-3 has or needs a rule"):
        explain(scheme, batch, ["ImproperTorsions"], (1, 0, 2, 3))


def test_atoms_without_a_section_name_a_term_of_any_section_in_every_molecule():
    found = explain(scheme_of("openff-2.2.1"), ffshare.from_smiles("CO", "CN", "C"), atoms=(0, 1))
    # Constraints hold the C–H bond of methane.
    assert [(one.section, one.molecule_idx) for one in found] == [
        ("Constraints", 2),
        *(("Bonds", molecule) for molecule in (0, 1, 2)),
    ]


def test_terms_stand_by_section_as_asked_for():
    found = explain(scheme_of("openff-2.2.1"), ffshare.from_smiles("O"), ["vdW", "Bonds"])
    assert [(one.section, one.atoms) for one in found] == [
        *(("vdW", (atom,)) for atom in range(3)),
        ("Bonds", (0, 1)),
        ("Bonds", (0, 2)),
    ]


def test_a_term_without_a_parameter_is_explained_by_no_match():
    (one,) = explain(scheme_of("openff-2.2.1"), ffshare.from_smiles("CB(O)O"), ["Bonds"], (0, 1))
    assert one.matches == ()
    assert one.winner is None


def test_no_molecules_have_nothing_to_explain():
    assert explain(scheme_of("openff-2.2.1"), ffshare.from_smiles()) == ()


def test_a_water_model_explains_its_constraint_between_the_hydrogens():
    found = explain(scheme_of("tip5p"), ffshare.from_smiles("O"), ["Constraints"], (2, 1))
    assert [one.atoms for one in found] == [(1, 2)]


@pytest.mark.parametrize(
    ("sections", "atoms", "message"),
    [
        (["Bond"], None, "cannot explain Bond; sections of openff-2.2.1 to explain: Constraints, Bonds, Angles"),
        (["LibraryCharges", "vdW"], None, "cannot explain LibraryCharges; sections of openff-2.2.1"),
        (["Bonds"], (0, 2), "no term of Bonds on atoms 0-2 has or needs a rule; indices are 0-based, hydrogens follow"),
        (["Bonds"], (0, 99), "no term of Bonds on atoms 0-99 has or needs a rule"),
        (["Bonds"], (0,), "no term of Bonds on atoms 0 has or needs a rule"),
    ],
)
def test_what_cannot_be_explained_is_refused(sections, atoms, message):
    with pytest.raises(SchemeError, match=message):
        explain(scheme_of("openff-2.2.1"), ffshare.from_smiles("CCO"), sections, atoms)


def test_rules_of_one_id_are_told_apart_by_line(tmp_path):
    path = tmp_path / "rules.offxml"
    values = 'length="1 * angstrom" k="1 * kcal/mol/angstrom**2"'
    path.write_text(
        '<SMIRNOFF version="0.3" aromaticity_model="OEAroModel_MDL">\n<Bonds version="0.3">\n'
        f'<Bond smirks="[*:1]~[*:2]" id="b" {values}/>\n<Bond smirks="[*:1]~[*:2]" id="b" {values}/>\n'
        "</Bonds></SMIRNOFF>"
    )
    (one,) = explain(SmirnoffScheme(load_force_field(path)), ffshare.from_smiles("[H][H]"), ["Bonds"])
    assert [(match.rule_id, match.line, match.wins) for match in one.matches] == [("b", 3, False), ("b", 4, True)]
