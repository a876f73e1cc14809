"""Patterns with conditions match where RDKit's matcher does and the conditions hold of the atoms and bonds it finds."""

import numpy as np
import pytest
from hypothesis import assume, given, settings
from hypothesis import strategies as st
from rdkit import Chem, rdBase

from ffshare.errors import MoleculeError, PatternError
from ffshare.molecules import GraphBatch, molecule_from_smiles
from ffshare.smirks import Annotations, Classifier, match, matches, parse_pattern, with_conditions
from ffshare.smirks.conditions import parse_condition
from tests.smirks.diverse import DIVERSE, assembled
from tests.smirks.grow import grown_rule

NAMES = ("A1", "B", "c_d")


def batch_of(*smiles):
    return GraphBatch.from_molecules([molecule_from_smiles(text) for text in smiles])


@st.composite
def batches(draw):
    smiles = draw(st.lists(st.sampled_from(list(DIVERSE.values())), min_size=1, max_size=2))
    try:
        with rdBase.BlockLogs():
            return batch_of(*smiles, assembled(draw(st.randoms(use_true_random=False))))
    except MoleculeError:
        assume(False)


def random_annotations(rng, batch):
    atoms = {name: np.array([rng.randrange(4) for _ in range(batch.n_atoms)]) for name in NAMES}
    edges = {}
    for name in NAMES:
        flags = np.zeros(len(batch.sources), dtype=np.int64)
        flags[batch.bond_edges] = [rng.randrange(2) for _ in range(batch.n_bonds)]
        edges[name] = np.maximum(flags, flags[batch.reverses])
    return Annotations(atoms=atoms, edges=edges)


def random_condition(rng, most):
    def part():
        name = rng.choice(NAMES)
        return rng.choice([name, f"!{name}", f"{name}={rng.randint(0, most)}"])

    return " ".join("|".join(part() for _ in range(rng.randint(1, 2))) for _ in range(rng.randint(1, 2)))


def conditioned(rng, batch):
    """A random pattern with random conditions, and the conditions."""
    molecule = batch.explicit_molecule(rng.randrange(batch.n_molecules))
    pattern = parse_pattern(grown_rule(rng, molecule, rng.randint(1, 4)))
    assume(pattern.exact)
    tags = {atom: str(tag) for tag, atom in enumerate(pattern.tagged, start=1)}
    bonds = ["-".join(sorted((tags[i], tags[j]))) for i, j, _ in pattern.bonds if i in tags and j in tags]
    conditions = {tag: random_condition(rng, 3) for tag in tags.values() if rng.random() < 0.6}
    conditions |= {bond: random_condition(rng, 1) for bond in bonds if rng.random() < 0.6}
    return with_conditions(pattern, conditions), conditions


def holds(text, values):
    """Whether a condition holds of numbers by name, read off its text."""

    def one(part):
        name, _, number = part.strip("!").partition("=")
        if part.startswith("!"):
            return values[name] == 0
        return values[name] == int(number) if number else values[name] > 0

    return all(any(map(one, clause.split("|"))) for clause in text.split())


def expected(pattern, conditions, batch, annotations):
    """Matches by RDKit's matcher and a plain look at every condition."""
    tagged = dict(zip("1234", pattern.tagged, strict=False))
    found = []
    for idx in range(batch.n_molecules):
        rows = batch.explicit_molecule(idx).GetSubstructMatches(
            pattern.query, uniquify=False, useChirality=True, maxMatches=2**31 - 1
        )
        for row in rows:
            atoms = np.array(row) + batch.atom_offsets[idx]
            for name, text in conditions.items():
                ends = [atoms[tagged[tag]] for tag in name.split("-")]
                place = ends[0] if len(ends) == 1 else batch.find_edges(*np.array(ends)[:, None])[0]
                source = annotations.atoms if len(ends) == 1 else annotations.edges
                if not holds(text, {key: values[place] for key, values in source.items()}):
                    break
            else:
                found.append(tuple(atoms.tolist()))
    return sorted(found)


@settings(max_examples=50)
@given(batch=batches(), later=batches(), rng=st.randoms(use_true_random=False))
def test_matches_are_those_of_rdkit_of_which_all_conditions_hold(batch, later, rng):
    patterns = [conditioned(rng, batch) for _ in range(4)]
    # The same patterns without conditions, beside those that have some, keep their matches.
    patterns += [(parse_pattern(pattern.smarts.split(" {")[0]), {}) for pattern, _ in patterns]
    classifier = Classifier([pattern for pattern, _ in patterns])
    for each in (batch, later, batch):
        annotations = random_annotations(rng, each)
        classes = classifier.classify(each, annotations)
        for pattern, conditions in patterns:
            rows = sorted(map(tuple, matches(pattern, each, classes).tolist()))
            assert rows == expected(pattern, conditions, each, annotations), pattern.smarts


def test_a_pattern_without_conditions_is_left_as_it_is():
    pattern = parse_pattern("[#6:1]-[#8:2]")
    assert with_conditions(pattern, {}) is pattern


def test_conditions_are_written_evenly_behind_the_pattern():
    pattern = with_conditions(parse_pattern("[#6:1]-[#8:2]"), {"1-2": "SB=0   DB|!TB", "2": "RG=01"})
    assert pattern.smarts == "[#6:1]-[#8:2] {1-2: !SB DB|!TB, 2: RG=1}"
    assert Chem.MolFromSmarts(pattern.smarts).GetNumAtoms() == 2


def test_recursive_parts_and_conditions_go_together():
    batch = batch_of("CCO", "CCC")
    pattern = with_conditions(parse_pattern("[#6;$([#6]-[$([#8]-[#1])]):1]"), {"1": "n"})
    plain = match("[#6;$([#6]-[$([#8]-[#1])]):1]", batch)[:, 0]
    for chosen in (plain, plain + 1):
        marks = np.zeros(batch.n_atoms, dtype=np.int64)
        marks[chosen] = 1
        classes = Classifier([pattern]).classify(batch, Annotations(atoms={"n": marks}, edges={}))
        assert matches(pattern, batch, classes)[:, 0].tolist() == [atom for atom in plain if marks[atom]]


@pytest.mark.parametrize(
    ("conditions", "message"),
    [
        ({"3": "AR1"}, "condition 'AR1' is of 3; the pattern has 1, 2, 1-2"),
        ({"2-1": "SB"}, "condition 'SB' is of 2-1; the pattern has 1, 2, 1-2"),
        ({"1": "AR1 & AR2"}, "'&' in condition 'AR1 & AR2'; expected NAME, !NAME or NAME=2"),
        ({"1": "!AR1=2"}, "'!AR1=2' in condition"),
        ({"1": "AR1|"}, "'' in condition 'AR1|'"),
        ({"1": " "}, "the condition is empty"),
        ({"1": "AR1 =", "1-3": "SB"}, "'=' in condition 'AR1 ='.*; condition 'SB' is of 1-3"),
    ],
)
def test_faulty_conditions_are_named_all_at_once(conditions, message):
    with pytest.raises(PatternError, match=r"pattern '\[#6:1\]-\[#8:2\]': ") as caught:
        with_conditions(parse_pattern("[#6:1]-[#8:2]"), conditions)
    assert_matches(caught.value.reason, message)


def assert_matches(text, message):
    position = 0
    for part in message.split(".*"):
        position = text.find(part, position)
        assert position >= 0, text


def test_stereo_and_conditions_do_not_go_together():
    with pytest.raises(PatternError, match="conditions need a pattern of plain queries without stereo"):
        with_conditions(parse_pattern("[#6:1]/[#6]=[#6]/[#6]"), {"1": "AR1"})


@pytest.mark.parametrize("given", [None, Annotations(atoms={"RG4": np.zeros(9)}, edges={})])
def test_names_that_the_annotations_lack_are_told(given):
    pattern = with_conditions(parse_pattern("[#6:1]"), {"1": "RG3 AR1"})
    held = "RG4" if given else "none"
    with pytest.raises(ValueError, match=f"patterns ask about AR1, RG3 of atoms; the annotations of .* are: {held}"):
        Classifier([pattern]).classify(batch_of("CCO"), given)


def test_a_condition_keeps_its_meaning_when_written_out():
    for text in ("A", "!A", "A=3", "A=0|B c_d=2"):
        condition = parse_condition(text)
        assert parse_condition(condition.text).clauses == condition.clauses
