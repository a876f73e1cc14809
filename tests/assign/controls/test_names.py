"""Controls are loaded by name, with settings, and every fault of a name is said."""

import pytest

from ffshare.assign.controls import HashedElementScheme, HashedScheme, UntiedScheme, is_control, parse_control
from ffshare.errors import SchemeError
from tests.assign.controls.bases import OPENFF
from tests.assign.samples import scheme_of


@pytest.mark.parametrize(
    ("name", "kind", "canonical"),
    [
        ("untied", UntiedScheme, "untied:openff-2.2.1"),
        ("untied:openff-2.3.0", UntiedScheme, "untied:openff-2.3.0"),
        ("hashed:openff-2.2.1", HashedScheme, "hashed:openff-2.2.1"),
        ("hashed:openff-2.2.1?seed=0", HashedScheme, "hashed:openff-2.2.1"),
        ("hashed:openff-2.2.1?Bonds=120&seed=3", HashedScheme, "hashed:openff-2.2.1?seed=3&Bonds=120"),
        ("hashed-element:openff-2.2.1?seed=1", HashedElementScheme, "hashed-element:openff-2.2.1?seed=1"),
        ("hashed:openff-2.2.1?Bonds.rules=7", HashedScheme, "hashed:openff-2.2.1?Bonds.rules=7"),
    ],
)
def test_a_name_gives_its_control(name, kind, canonical):
    found = parse_control(name, scheme_of)
    assert isinstance(found, kind)
    assert found.name == canonical
    assert parse_control(found.name, scheme_of).name == canonical
    assert is_control(name)


def test_settings_reach_the_scheme():
    found = parse_control("hashed:openff-2.2.1?seed=3&Bonds=120&Angles.rules=5", scheme_of)
    assert (found.seed, len(found.tables["Bonds"]), len(found.tables["Angles"])) == (3, 60, 5)


@pytest.mark.parametrize("name", ["openff-2.2.1", "gaff2", "untied.offxml", "hashed.toml", "unhashed:openff-2.2.1"])
def test_other_names_are_no_controls(name):
    assert not is_control(name)
    with pytest.raises(SchemeError, match=r"no control is called .*; controls: untied, hashed, hashed-element"):
        parse_control(name, scheme_of)


@pytest.mark.parametrize(
    ("name", "message"),
    [
        ("hashed", r"'hashed' does not say whose numbers to take; write hashed:openff-2\.2\.1, for instance"),
        ("hashed-element:?seed=1", r"does not say whose numbers to take; write hashed-element:openff-2\.2\.1"),
        ("untied:openff-2.2.1?seed=3", r"untied has no settings; leave out '\?seed=3'"),
        ("hashed:openff-2.2.1?", r"cannot read the setting ''; write seed=3, Bonds=120 or Bonds\.rules=60"),
        ("hashed:openff-2.2.1?seed", r"cannot read the setting 'seed'"),
        ("hashed:openff-2.2.1?seed=-1", r"cannot read the setting 'seed=-1'"),
        ("hashed:openff-2.2.1?seed=1&Bonds=many", r"cannot read the setting 'Bonds=many'"),
        ("hashed:openff-2.2.1?seed=1&seed=2", r"seed is set twice"),
        ("hashed:openff-2.2.1?Charges=2", r"openff-2\.2\.1 has no section Charges to share at random"),
        ("hashed:openff-2.2.1?Bonds=121", r"121 parameters cannot be had in Bonds"),
        ("hashed:untied", r"untied:openff-2\.2\.1 defines no rules"),
    ],
)
def test_a_name_that_does_not_read_is_refused(name, message):
    def load(base):
        return parse_control(base, load) if is_control(base) else scheme_of(base)

    with pytest.raises(SchemeError, match=message):
        parse_control(name, load)


def test_the_base_is_loaded_by_what_is_given():
    asked = []

    def load(name):
        asked.append(name)
        return scheme_of(OPENFF)

    parse_control("untied:some/folder/rules.offxml", load)
    parse_control("hashed:gaff2?seed=2", load)
    assert asked == ["some/folder/rules.offxml", "gaff2"]
