"""The law of `ffshare.smirks`: matches are those of RDKit's own matcher, on the molecule as RDKit sees it."""

import json
import lzma
import pickle
import random

import numpy as np
import pytest
from hypothesis import assume, given, settings
from hypothesis import strategies as st
from rdkit import Chem, rdBase

from ffshare.errors import MoleculeError, PatternError
from ffshare.molecules import GraphBatch, molecule_from_smiles
from ffshare.smirks import Classifier, holds, match, matches, parse_pattern
from tests.smirks.diverse import DIVERSE, assembled
from tests.smirks.grow import grown, grown_rule


def batch_of(*smiles):
    return GraphBatch.from_molecules([molecule_from_smiles(text) for text in smiles])


def expected(smarts, batch):
    """RDKit's matches in every molecule of the batch, sorted."""
    query = Chem.MolFromSmarts(smarts)
    found = [
        row + np.full(len(row), batch.atom_offsets[idx])
        for idx in range(batch.n_molecules)
        for row in batch.explicit_molecule(idx).GetSubstructMatches(
            query, uniquify=False, useChirality=True, maxMatches=2**31 - 1
        )
    ]
    return sorted_rows(found)


def sorted_rows(rows):
    return sorted(tuple(map(int, row)) for row in rows)


@st.composite
def batches(draw):
    smiles = draw(st.lists(st.sampled_from(list(DIVERSE.values())), min_size=1, max_size=3))
    if draw(st.booleans()):
        smiles.append(assembled(draw(st.randoms(use_true_random=False))))
    try:
        with rdBase.BlockLogs():
            return batch_of(*smiles)
    except MoleculeError:
        assume(False)


@st.composite
def cases(draw, n_patterns=1):
    """A batch and patterns that are grown from its molecules."""
    batch = draw(batches())
    rng = draw(st.randoms(use_true_random=False))
    return batch, [grown(rng, batch.explicit_molecule(rng.randrange(batch.n_molecules))) for _ in range(n_patterns)]


@settings(max_examples=400)
@given(case=cases())
def test_matches_are_those_of_rdkit(case):
    batch, (smarts,) = case
    assert sorted_rows(match(smarts, batch)) == expected(smarts, batch)


@settings(max_examples=60)
@given(case=cases(n_patterns=8), later=batches())
def test_patterns_that_share_classes_and_batches_that_come_later_change_nothing(case, later):
    batch, texts = case
    patterns = [parse_pattern(smarts) for smarts in texts]
    classifier = Classifier(patterns)
    for each in (batch, later, batch):
        classes = classifier.classify(each)
        for pattern in patterns:
            assert sorted_rows(matches(pattern, each, classes)) == expected(pattern.smarts, each)


@settings(max_examples=100)
@given(batch=batches(), n_tags=st.integers(1, 4), rng=st.randoms(use_true_random=False))
def test_a_choice_of_the_tagged_atoms_holds_where_rdkit_has_a_match_with_it(batch, n_tags, rng):
    smarts = grown_rule(rng, batch.explicit_molecule(rng.randrange(batch.n_molecules)), n_tags)
    pattern = parse_pattern(smarts)
    true = sorted({tuple(row[atom] for atom in pattern.tagged) for row in expected(smarts, batch)})
    seeds = rng.sample(true, min(len(true), 5))
    for row in [*seeds, *true[:2]]:
        seeds.append(tuple(rng.sample(row, len(row))))
    for idx in range(batch.n_molecules):
        atoms = range(batch.atom_offsets[idx], batch.atom_offsets[idx + 1])
        if len(atoms) >= len(pattern.tagged):
            seeds += [tuple(rng.sample(atoms, len(pattern.tagged))) for _ in range(3)]
    assume(seeds)
    held = holds(pattern, batch, Classifier([pattern]).classify(batch), np.array(seeds))
    assert held.tolist() == [row in true for row in seeds]


@pytest.mark.full
@pytest.mark.parametrize("seed", range(10))
def test_matches_are_those_of_rdkit_for_many_more_patterns(seed):
    rng = random.Random(seed)
    batch = batch_of(*rng.sample(list(DIVERSE.values()), 10))
    patterns = [
        parse_pattern(grown(rng, batch.explicit_molecule(rng.randrange(batch.n_molecules)))) for _ in range(1000)
    ]
    classes = Classifier(patterns).classify(batch)
    for pattern in patterns:
        assert sorted_rows(matches(pattern, batch, classes)) == expected(pattern.smarts, batch), pattern.smarts


# Pattern, molecule and how many matches chemistry says there are, both directions and all permutations counted.
COUNTS = [
    ("[#6:1]-[#6:2]", "CC", 2),
    ("[#6X4:1]-[#1:2]", "CC", 6),
    ("c:c", "c1ccccc1", 12),
    ("c:c", "c1ccoc1", 0),  # furan is not aromatic in the MDL model
    ("[#6]1~[#6]~[#6]~[#6]1", "C12C3C4C1C5C2C3C45", 6 * 8),
    ("[#6r3]", "C1OC1CN1CC1", 4),
    ("[R3]", "C12C3C1C23", 1),  # of four faces the SSSR holds three, which share one atom
    ("[#1].[#1]", "O.O", 4 * 3),
    ("[#8:1].[#1:2]", "O.O", 2 * 4),
    ("[H][H]", "[H][H]", 2),
    ("F[C@H](Cl)Br", "F[C@H](Cl)Br", 1),
    ("F[C@@H](Cl)Br", "F[C@H](Cl)Br", 0),
    ("F[C@H](Cl)Br", "FC(Cl)Br", 0),
    ("C/C=C/C", "C/C=C/C", 2),
    ("C/C=C/C", "C/C=C\\C", 0),
    ("C/C=C/C", "CC=CC", 0),
    ("[$([#6]-[#8])]", "CCO", 1),
    ("[$([#6]-[$([#8]-[#1])])]-[#6;!$([#6]-[#8])]", "CCO", 1),
    ("[#6;!$([#6]-[#8])]", "CCO", 1),
    ("[$([!#1]=[*,$(*)]~C)]", "C=CC=O", 2),  # the two ends of the chain
    ("[#7+1](=O)[O-]", "CN(=O)=O", 1),
    ("[2#1]", "[2H]C([2H])C[18OH]", 2),
    ("[!#6;!#1]", "CCO", 1),
    ("[D{2-3}]", "COC", 1),
    ("[!13#6&X4,#7]", "CN", 2),  # RDKit reads these two and cannot write them again
    ("[$([#151]-C)]", "CC", 0),
    ("[z{1-}]", "CO", 2),  # the hydrogen and the carbon next to oxygen
]


@pytest.mark.parametrize(("smarts", "smiles", "count"), COUNTS)
def test_patterns_match_as_often_as_chemistry_says(smarts, smiles, count):
    batch = batch_of(smiles)
    assert len(match(smarts, batch)) == count
    assert sorted_rows(match(smarts, batch)) == expected(smarts, batch)


def test_more_partial_matches_than_one_step_works_on_are_all_found():
    n_hydrogens = 302
    batch = batch_of("C" * 150)
    found = match("[#1].[#1]", batch)
    assert len(found) == n_hydrogens * (n_hydrogens - 1)
    assert len(np.unique(found, axis=0)) == len(found)


def test_components_of_a_pattern_stay_within_one_molecule_of_the_batch():
    assert match("[#8].[#8]", batch_of("O", "O")).tolist() == []
    assert sorted_rows(match("[#8].[#8]", batch_of("O", "O.O", "O"))) == [(3, 4), (4, 3)]


def test_patterns_match_alike_after_a_batch_was_pickled():
    batch = batch_of(*DIVERSE.values())
    for idx in range(0, batch.n_molecules, 2):
        batch.explicit_molecule(idx)
    copy = pickle.loads(pickle.dumps(batch))
    for smarts in ("[*@](~*)(~*)~*", "*/*=*/*", "[k5]", "[R3]", "[r4]~[x3;v4]", "[^2;z1]", "[2#1,18*]"):
        assert sorted_rows(match(smarts, copy)) == expected(smarts, batch) != []


def test_a_pattern_matches_nothing_in_no_molecules():
    assert match("[#6]-[#6]", GraphBatch.from_molecules([])).shape == (0, 2)


def test_a_hundred_recursive_parts_are_told_apart():
    texts = [
        f"[$([#{element}]{bond}[#{other}])]"
        for element in (6, 7, 8, 16)
        for other in (1, 6, 7, 8, 9)
        for bond in "-=#~:"
    ]
    batch = batch_of(*DIVERSE.values())
    patterns = [parse_pattern(smarts) for smarts in texts]
    classes = Classifier(patterns).classify(batch)
    for pattern in patterns:
        assert pattern.exact
        assert sorted_rows(matches(pattern, batch, classes)) == expected(pattern.smarts, batch)


def test_a_pattern_that_is_not_smarts_is_refused_with_its_text_and_a_reason():
    with pytest.raises(PatternError, match=r"pattern '\[#6': not a SMARTS pattern \(syntax error"):
        match("[#6", batch_of("C"))


def check_kept_patterns(folder, n_molecules):
    with lzma.open(folder / "smarts" / "rdkit_match_counts.json.xz", "rt") as file:
        kept = json.load(file)
    smiles = [molecule["smiles"] for molecule in kept["molecules"]]
    batch = batch_of(*random.Random(0).sample(smiles, n_molecules))
    patterns = [parse_pattern(smarts) for smarts in kept["smarts"]]
    classes = Classifier(patterns).classify(batch)
    for pattern in patterns:
        assert sorted_rows(matches(pattern, batch, classes)) == expected(pattern.smarts, batch), pattern.smarts


def test_patterns_of_a_screening_library_match_a_sample_of_drugs_as_rdkit_does(test_data):
    check_kept_patterns(test_data, 20)


@pytest.mark.full
def test_patterns_of_a_screening_library_match_all_drugs_as_rdkit_does(test_data):
    check_kept_patterns(test_data, 333)
