"""Two atoms with equal fields cannot be told apart by a query that these fields decide."""

import numpy as np
import pytest
from rdkit import Chem

from ffshare.molecules import GraphBatch, molecule_from_smiles
from ffshare.smirks import Classifier, parse_pattern
from ffshare.smirks.vocabulary import DEFAULT_WIDTH, FIELDS, WIDTHS, fields_of_query, is_decidable_bond
from tests.smirks.diverse import DIVERSE

BATCH = GraphBatch.from_molecules([molecule_from_smiles(smiles) for smiles in DIVERSE.values()])
ATOMS = [atom for idx in range(BATCH.n_molecules) for atom in BATCH.explicit_molecule(idx).GetAtoms()]

NUMBERED = ["#{}", "X{}", "D{}", "H{}", "h{}", "v{}", "x{}", "R{}", "r{}", "z{}", "Z{}", "d{}", "{}*", "+{}", "-{}"]
RANGED = [
    f"{name}{{{low}-{high}}}" for name in "XDhvxRrzZd+-" for low, high in ((0, 1), (1, 2), (2, 4), ("", 2), (3, ""))
]
BARE = [
    "*",
    "A",
    "a",
    "C",
    "c",
    "N",
    "n",
    "O",
    "o",
    "S",
    "P",
    "Cl",
    "H",
    "h",
    "X",
    "D",
    "v",
    "x",
    "R",
    "r",
    "z",
    "Z",
    "d",
    "+",
    "-",
]
PRIMITIVES = [*BARE, *RANGED, *(text.format(number) for text in NUMBERED for number in range(9))]
PRIMITIVES += ["#17", "#26", "18*", *(f"^{number}" for number in range(6))]


@pytest.mark.parametrize("primitive", PRIMITIVES)
def test_atoms_with_equal_fields_are_matched_alike(primitive):
    query = Chem.MolFromSmarts(f"[{primitive}]").GetAtomWithIdx(0)
    fields = fields_of_query(query.DescribeQuery())
    assert fields is not None
    keys = list(zip(*(FIELDS[field](BATCH).tolist() for field in fields), strict=True)) or [()] * len(ATOMS)
    answers = {}
    for key, atom in zip(keys, ATOMS, strict=True):
        assert answers.setdefault(key, query.Match(atom)) == query.Match(atom), (primitive, key)


@pytest.mark.parametrize("field", sorted(FIELDS))
def test_values_of_a_field_fit_its_bits(field):
    values = FIELDS[field](BATCH)
    assert values.min() >= 0
    assert values.max() < 1 << WIDTHS.get(field, DEFAULT_WIDTH)


def test_a_query_that_no_field_decides_is_left_to_rdkit():
    # The size of any ring through the atom, not of the smallest.
    assert fields_of_query(Chem.MolFromSmarts("[k5]").GetAtomWithIdx(0).DescribeQuery()) is None
    assert fields_of_query(Chem.MolFromSmarts("[#6,k5;R]").GetAtomWithIdx(0).DescribeQuery()) is None


@pytest.mark.parametrize("bond", ["-", "=", "#", ":", "~", "@", "!@", "-,=", "-;!@", "=,:;@", "!-", "$", "-!@"])
def test_bonds_with_equal_order_and_ring_membership_are_matched_alike(bond):
    query = Chem.MolFromSmarts(f"*{bond}*").GetBondWithIdx(0)
    assert is_decidable_bond(query.DescribeQuery())
    answers = {}
    for atom in ATOMS:
        for found in atom.GetBonds():
            key = found.GetBondTypeAsDouble(), found.IsInRing()
            assert answers.setdefault(key, query.Match(found)) == query.Match(found)


def test_fields_beyond_one_word_of_bits_still_tell_atoms_apart():
    patterns = [
        parse_pattern(f"[{text}]") for text in ("#6", "X4", "R1", "r5", "13*", "v4", "^3", "z1", "Z1", "H1", "+1", "a")
    ]
    classes = Classifier(patterns).classify(BATCH)
    for pattern in patterns:
        query = pattern.query.GetAtomWithIdx(0)
        answers = classes.atom_truth.of(pattern.atoms[0].key)[classes.atoms]
        assert answers.tolist() == [query.Match(atom) for atom in ATOMS]


def test_no_atoms_have_no_classes():
    pattern = parse_pattern("[#6;v4;$(C-C)]")
    classes = Classifier([pattern]).classify(GraphBatch.from_molecules([]))
    assert len(classes.atoms) == len(classes.edges) == 0
    assert classes.atoms.dtype == np.int64
