"""Files of typing rules: what they hold, and all their faults at once, with lines."""

import pickle

import pytest

from ffshare.assign.atom_types.typing_rules import load_typing_rules, parse_typing_rules
from ffshare.data_files import data_directory
from ffshare.errors import RuleFileError

EXAMPLE = """\
name = "example"
source = "a book"
license = "MIT"
elements = ["B", "Si"]

[[type]]
name = "cp"
smarts = "[#6X3:1]~[#6,#7:2]"
atoms = { 1 = "AR1  RG6=1", 2 = "AR1" }
bonds = { 1-2 = "sb" }
comment = "head of a biphenyl"

[[type]]   # a comment
name = "c"
smarts = "[#6:1]"

[[pairs]]
types = { cp = "cq" }
same = [1]
opposite = [2, 3]
one_seed = true
"""

TWO_PAIRS = """\
[[type]]
name = "a"
smarts = "[*:1]"
[[pairs]]
types = { a = "b" }
same = [1]
opposite = [2]
[[pairs]]
types = { a = "c" }
same = [1, 2]
opposite = [2]
"""


def faults_of(text):
    with pytest.raises(RuleFileError) as caught:
        parse_typing_rules(text.encode(), "typing.toml")
    return [str(fault) for fault in caught.value.faults]


def shipped(name):
    return load_typing_rules(data_directory("rules") / name / "typing.toml")


def test_a_file_gives_its_rules_in_order():
    found = parse_typing_rules(EXAMPLE.encode(), "typing.toml")
    assert (found.name, found.source, found.license, found.path) == ("example", "a book", "MIT", "typing.toml")
    assert [(rule.name, rule.line) for rule in found.rules] == [("cp", 6), ("c", 13), ("B", None), ("Si", None)]
    assert found.rules[0].text == "[#6X3:1]~[#6,#7:2] {1: AR1 RG6=1, 2: AR1, 1-2: sb}"
    assert found.rules[0].comment == "head of a biphenyl"
    assert [rule.text for rule in found.rules[1:]] == ["[#6:1]", "[#5:1]", "[#14:1]"]
    (pair,) = found.pairs
    assert (dict(pair.partners), pair.same, pair.opposite, pair.one_seed) == ({"cp": "cq"}, (1,), (2, 3), True)
    assert found.names == ("B", "Si", "c", "cp", "cq")


def test_rules_survive_pickling():
    found = parse_typing_rules(EXAMPLE.encode(), "typing.toml")
    copy = pickle.loads(pickle.dumps(found))
    assert [rule.text for rule in copy.rules] == [rule.text for rule in found.rules]
    assert copy.checksum == found.checksum


def test_every_fault_of_a_file_is_told_with_its_line():
    faults = faults_of(
        """\
nmae = "example"

[[type]]
name = "a"
smarts = "[#6:1"

[[type]]
smarts = "[#6:1]-[#7:2]"
atoms = { 1 = "AR6", 3 = "AR1", 1-2 = "SB" }
bonds = { 1-2 = "RG3 SB" }

[[type]]
name = "b"
smarts = "[#6:2]"
colour = "red"

[[type]]
name = "c"
smarts = "[#6:1]"
atoms = { 1 = "AR1 = 2" }

[[pairs]]
types = { d = "a", b = "e" }
same = [1, 11]
"""
    )
    expected = [
        "'nmae' is unknown; expected name, source, license, elements, [[type]] and [[pairs]]",
        "line 3: type a: pattern '[#6:1': not a SMARTS pattern",
        "line 7: type ?: name is missing",
        "line 7: type ?: condition 'AR6' asks atoms for 'AR6'; known are RG3, RG4",
        "line 7: type ?: '1-2' under atoms; tags such as 1 go under atoms, pairs such as 1-2 under bonds",
        "line 7: type ?: condition 'RG3 SB' asks bonds for 'RG3'; known are SB, sb",
        "line 7: type ?: pattern '[#6:1]-[#7:2]': condition 'AR1' is of 3; the pattern has 1, 2, 1-2",
        "line 12: type b: 'colour' is unknown; expected name, smarts, atoms, bonds, comment",
        "line 12: type b: pattern '[#6:2]' has no tag 1, the atom to be typed",
        "line 17: type c: pattern '[#6:1]': '=' in condition 'AR1 = 2'; expected NAME, !NAME or NAME=2",
        "line 22: pairs: no rule gives 'd'",
        "line 22: pairs: 'a', the partner of 'd', is also given by a rule",
        "line 22: pairs: same is no list of AMBER bond types, numbers from 1 to 10",
        "line 22: pairs: opposite is no list of AMBER bond types, numbers from 1 to 10",
    ]
    assert len(faults) == len(expected), faults
    for fault, start in zip(faults, expected, strict=True):
        assert fault.startswith(start), fault


@pytest.mark.parametrize(
    ("text", "message"),
    [
        ("", "the file has no rule; expected tables [[type]] with a name and a smarts"),
        ("name = 3\n[[type]]\nname='a'\nsmarts='[*:1]'", "name is no text"),
        ("type = 'a'", "type is no list of tables; write [[type]]"),
        ("[type]\nname = 'a'", "type is no list of tables; write [[type]]"),
        ("elements = ['Xy', 'B']\n[[type]]\nname='a'\nsmarts='[*:1]'", "elements is no list of symbols"),
        ("[[type]]\nname = 'a'\nsmarts = 7", "line 1: type a: smarts is no text"),
        ("[[type]]\nname = ''\nsmarts = '[*:1]'", "line 1: type : name is no text"),
        ("[[type]]\nname = 'a'\nsmarts = '[*:1]'\natoms = { 1 = 2 }", "line 1: type a: atoms is no table of texts"),
        ("[[type]]\nname = 'a'\nsmarts = '[*:1]'\nbonds = 'SB'", "line 1: type a: bonds is no table of texts"),
        (
            "[[type]]\nname = 'a'\nsmarts = '[*:1]'\n[[pairs]]\ntypes = 1\nsame = []\nopposite = []",
            "line 4: pairs: types",
        ),
        ("elements = [[1]]\n[[type]]\nname='a'\nsmarts='[*:1]'", "elements is no list of symbols"),
        (TWO_PAIRS, "line 4: pairs: 'a' stands in several [[pairs]]"),
        (TWO_PAIRS, "line 8: pairs: [2] stand under same and under opposite"),
        ("[[type]\nname = 'a'", "line 1: not TOML"),
    ],
)
def test_files_that_are_no_rules_are_refused(text, message):
    assert any(fault.startswith(message) for fault in faults_of(text)), faults_of(text)


def test_a_file_that_is_not_there_is_told(tmp_path):
    with pytest.raises(RuleFileError, match="the file cannot be read: No such file"):
        load_typing_rules(tmp_path / "typing.toml")


# Types of the tables less those of water (hw, ow) and hb, which no rule gives; types before signs; elements by symbol.
@pytest.mark.parametrize(("name", "n_types", "n_base_types"), [("gaff", 81, 73), ("gaff2", 97, 89)])
def test_the_shipped_rules_give_the_types_of_the_tables(name, n_types, n_base_types):
    rules = shipped(name)
    written = [rule for rule in rules.rules if rule.line is not None]
    partners = {partner for pair in rules.pairs for partner in pair.partners.values()}
    assert len({rule.name for rule in written}) == n_base_types
    assert len({rule.name for rule in written} | partners) == n_types
    assert len(rules.rules) - len(written) == 109 - 10  # elements to meitnerium, less those with rules
    assert partners == {"cd", "cf", "ch", "cq", "nd", "nf", "pd", "pf"}


def test_the_rules_of_alkanes_ethers_and_alcohols_give_eight_types():
    assert shipped("alkethoh-types").names == ("CT", "H1", "H2", "H3", "HC", "HO", "OH", "OS")
