import random

import pytest
from hypothesis import given
from hypothesis import strategies as st
from rdkit import Chem, rdBase

from ffshare.errors import PatternError
from ffshare.molecules import GraphBatch, molecule_from_smiles
from ffshare.smirks import parse_pattern
from tests.smirks.diverse import DIVERSE
from tests.smirks.grow import grown

BATCH = GraphBatch.from_molecules([molecule_from_smiles(smiles) for smiles in DIVERSE.values()])
MOLECULES = [BATCH.explicit_molecule(idx) for idx in range(BATCH.n_molecules)]


@st.composite
def smarts_texts(draw):
    return grown(draw(st.randoms(use_true_random=False)), draw(st.sampled_from(MOLECULES)))


def hits(query):
    """Atoms of all molecules that a query of one atom matches."""
    return [molecule.GetSubstructMatches(query, maxMatches=10_000) for molecule in MOLECULES]


@given(smarts=smarts_texts())
def test_a_pattern_has_the_atoms_bonds_and_tags_of_its_text(smarts):
    query, pattern = Chem.MolFromSmarts(smarts), parse_pattern(smarts)
    assert len(pattern.atoms) == query.GetNumAtoms()
    assert [bond[:2] for bond in pattern.bonds] == [
        (bond.GetBeginAtomIdx(), bond.GetEndAtomIdx()) for bond in query.GetBonds()
    ]
    tags = [query.GetAtomWithIdx(atom).GetAtomMapNum() for atom in pattern.tagged]
    assert tags == sorted({atom.GetAtomMapNum() for atom in query.GetAtoms()} - {0})


def test_queries_with_equal_keys_match_the_same_atoms():
    rng = random.Random(0)
    seen = {}
    for _ in range(1500):
        for atom in parse_pattern(grown(rng, rng.choice(MOLECULES))).atoms:
            seen.setdefault(atom.key, []).append(atom.single)
    repeated = [queries for queries in seen.values() if len(queries) > 1]
    assert len(repeated) > 100
    for queries in repeated:
        assert all(hits(query) == hits(queries[0]) for query in queries[1:3])


@pytest.mark.parametrize(
    ("smarts", "exact"),
    [
        ("[#6X4:1]-[#8X2H1:2]", True),
        ("[*:1]~[#7:2](~[$(C=O),$(c:n)])~[*:3]1~*~*1", True),
        ("[#6+{0-1};r5,R0;!$([#6]-[!#6;!#1])]", True),
        ("[#6@:1](F)(Cl)Br", False),
        ("F/C=C/F", False),
        ("[k5]", False),
        ("[$([C@](F)(Cl)Br)]-C", False),
        ("[!*]", False),
        ("C!~C", False),
    ],
)
def test_only_stereochemistry_and_unusual_tests_are_left_to_rdkit(smarts, exact):
    assert parse_pattern(smarts).exact is exact


@pytest.mark.parametrize(
    ("smarts", "depth", "parts"),
    [
        ("[#6]-[#8]", 0, []),
        ("[$(C)]", 1, ["C"]),
        ("[!$([#6]-[$(O)]);$(C)]", 2, ["[#6]-[$(O)]", "C"]),
        ("[$(C(=O)[N;!$(N(C)C)])]-[$(C(=O)[N;!$(N(C)C)])]", 2, ["C(=O)[N;!$(N(C)C)]"]),
        ("[$([$([$(C)]C)]C)]", 3, ["[$([$(C)]C)]C"]),
        # RDKit drops what stands beside a wildcard, and with it a level of nesting.
        ("[$([#6]~[*,$(N)])]", 2, ["[#6]~[*,$(N)]"]),
        ("C$C", 0, []),
    ],
)
def test_recursive_parts_are_patterns_of_their_own(smarts, depth, parts):
    pattern = parse_pattern(smarts)
    assert [part.smarts for part in pattern.recursive] == parts
    assert pattern.depth == depth == max((atom.depth for atom in pattern.atoms), default=0)


def test_tags_need_not_be_in_the_order_of_the_text():
    assert parse_pattern("[#1:3]-[#6:1]-C-[#8:2]").tagged == (1, 3, 0)


@pytest.mark.parametrize(
    ("smarts", "message"),
    [
        ("[#6", r"pattern '\[#6': not a SMARTS pattern \(syntax error while parsing: \[#6"),
        ("C1CC", r"pattern 'C1CC': not a SMARTS pattern \(unclosed ring"),
        ("[$(C]", r"not a SMARTS pattern \(syntax error"),
        ("C>>O", "not a SMARTS pattern"),
        ("", "holds no atoms"),
    ],
)
def test_bad_patterns_are_refused_with_the_reason(smarts, message):
    with rdBase.BlockLogs(), pytest.raises(PatternError, match=message):
        parse_pattern(smarts)
