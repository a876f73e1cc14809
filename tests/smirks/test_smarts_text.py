import random

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from ffshare.rules import load_force_field
from ffshare.smirks import parse_pattern
from ffshare.smirks.smarts_text import recursive_texts, without_recursive_parts
from tests.rules.real_atoms import grown_pattern


def assert_texts_are_the_atoms(pattern):
    for text, atom in zip(pattern.texts, pattern.query.GetAtoms(), strict=True):
        alone = parse_pattern(text).query
        assert alone.GetNumAtoms() == 1
        assert alone.GetAtomWithIdx(0).DescribeQuery() == atom.DescribeQuery()
        assert alone.GetAtomWithIdx(0).GetAtomMapNum() == 0


@settings(max_examples=300)
@given(seed=st.integers(0, 2**32))
def test_each_text_is_the_query_of_its_atom(seed):
    assert_texts_are_the_atoms(grown_pattern(random.Random(seed)))


@pytest.mark.parametrize("name", ["openff-2.3.0", "ff14sb_off_impropers_0.0.4"])
def test_each_text_is_the_query_of_its_atom_in_released_force_fields(name):
    for table in load_force_field(name).tables.values():
        for smirks in table.patterns[::20]:
            assert_texts_are_the_atoms(parse_pattern(smirks))


@pytest.mark.parametrize(
    ("smarts", "texts"),
    [
        ("CCl", ("C", "Cl")),
        ("c1ccn(Br)c%10cc1%10", ("c", "c", "c", "n", "Br", "c", "c", "c")),
        ("[#6X4:1]-[#8:2]", ("[#6X4]", "[#8]")),
        ("[C:1]$[N$(C[#7:3])$(O):2]", ("[C]", "[N$(C[#7:3])$(O)]")),
        ("[*:1].[Na+:2]", ("[*]", "[Na+]")),
        ("A/C=a\\*->[Fe]", ("A", "C", "a", "*", "[Fe]")),
    ],
)
def test_atoms_are_cut_out_as_written(smarts, texts):
    assert parse_pattern(smarts).texts == texts


def test_recursive_parts_come_in_order_with_repeats():
    assert list(recursive_texts("[!$(C(F)Cl);$(N[$(O(C))]),!$(C(F)Cl)]")) == ["C(F)Cl", "N[$(O(C))]", "C(F)Cl"]
    assert without_recursive_parts("[#6;$(C[$(N)]),R2]") == "[#6;$(),R2]"
