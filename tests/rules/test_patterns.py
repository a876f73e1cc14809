"""Tags of patterns."""

import pytest
from hypothesis import given
from hypothesis import strategies as st

from ffshare.rules import check_pattern

NUMBERS = {"vdW": 1, "Bonds": 2, "Constraints": 2, "Angles": 3, "ProperTorsions": 4, "ImproperTorsions": 4}


def chain(tags):
    return "~".join(f"[*:{tag}]" for tag in tags) if tags else "*"


@given(st.sampled_from(sorted(NUMBERS)), st.lists(st.integers(1, 6), max_size=6))
def test_a_pattern_is_good_exactly_when_its_tags_are_one_to_n(section, tags):
    wanted = set(range(1, NUMBERS[section] + 1))
    faults = [fault for fault in check_pattern(chain(tags), section) if "not bonded" not in fault]
    assert (not faults) == (sorted(tags) == sorted(wanted))


@given(st.permutations([1, 2, 3, 4]))
def test_a_torsion_is_bonded_along_its_tags(tags):
    faults = check_pattern(chain(tags), "ProperTorsions")
    assert (not faults) == (list(tags) in ([1, 2, 3, 4], [4, 3, 2, 1]))
    assert all("are not bonded; ProperTorsions needs bonds between the tags 1-2, 2-3, 3-4" in fault for fault in faults)


@pytest.mark.parametrize(
    ("smirks", "section", "fault"),
    [
        ("", "vdW", "it is empty"),
        ("[#6:1] [#6:2]", "Bonds", "it has a blank inside; RDKit would ignore everything after that"),
        ("[#6]-[#6]", "Bonds", "no atom is tagged; Bonds needs the tags 1 to 2"),
        ("[#6:1]-[#6:1]", "Bonds", "tag 1 is repeated; Bonds needs the tags 1 to 2"),
        ("[#6:1]-[#6:2]-[#6:3]", "Bonds", "tag 3 is one too many; Bonds needs the tags 1 to 2"),
        ("[#6:1]-*-[#6:2]", "Bonds", "the atoms tagged 1 and 2 are not bonded"),
        ("[#6:1].[#6:2]", "Bonds", "the atoms tagged 1 and 2 are not bonded"),
        ("[$([#6:1]-[#6:2])]", "Bonds", "no atom is tagged"),
        ("[#6:1]>>[#6:1]", "vdW", "RDKit cannot parse it: syntax error"),
        ("[#6:1]1CC", "vdW", "RDKit cannot parse it: unclosed ring"),
        ("C" * 20_001, "vdW", "it has 20001 characters, more than 20000"),
    ],
)
def test_what_is_wrong_with_a_pattern_is_said(smirks, section, fault):
    assert any(fault in found for found in check_pattern(smirks, section))


@pytest.mark.parametrize(
    ("smirks", "section"),
    [
        ("[#8:1].[#1:2]", "Constraints"),
        ("[#1:2]-[#8X2H2+0:1]-[#1:3]", "VirtualSites"),
        ("[H:4][C@@:3]([C:9]=[O:10])([C:5]([H:6])([H:7])[S:8])[N:1][H:2]", "LibraryCharges"),
        ("[$([#1]-C(-[#7,#8,F])-[#7,#8,F]):1]", "vdW"),
        ("[*:1]~[#6X3:2](~[*:3])~[*:4]", "ImproperTorsions"),
    ],
)
def test_patterns_of_released_force_fields_are_good(smirks, section):
    assert check_pattern(smirks, section) == []


def test_of_several_allowed_numbers_of_tags_the_nearest_is_meant():
    assert check_pattern("[#6:1]-[#8:2]", "ChargeIncrementModel", (2, 3)) == []
    assert check_pattern("[#6:1]-[#8:2]-[#1:3]", "ChargeIncrementModel", (2, 3)) == []
    (fault,) = check_pattern("[#6:1]", "ChargeIncrementModel", (2, 3))
    assert fault.endswith("tag 2 is missing; ChargeIncrementModel needs the tags 1 to 2")
