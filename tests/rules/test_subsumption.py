"""A pattern that is proven to be more general matches, on real molecules, whatever the special one does."""

import random
import re
from itertools import pairwise, permutations

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from ffshare.errors import MoleculeError
from ffshare.molecules import GraphBatch, molecule_from_smiles, silenced
from ffshare.rules import load_force_field
from ffshare.rules.subsumption import impossible_atoms, overriders, subsumes
from ffshare.smirks import Classifier, match, matches, parse_pattern
from tests.rules.real_atoms import BATCH, MOLECULES, grown_pattern
from tests.smirks.diverse import assembled

BOTH_WAYS = {n: [tuple(range(n)), tuple(range(n))[::-1]] for n in (2, 3, 4)}
AROUND_CENTRE = [(first, 1, third, fourth) for first, third, fourth in permutations((0, 2, 3))]
ORDERS = {
    "Constraints": BOTH_WAYS[2],
    "Bonds": BOTH_WAYS[2],
    "Angles": BOTH_WAYS[3],
    "ProperTorsions": BOTH_WAYS[4],
    "ImproperTorsions": AROUND_CENTRE,
}
seeds = st.integers(0, 2**32)


def tuples_of(pattern, batch, classes, orders):
    """The tuples that a pattern matches, read in every order."""
    rows = matches(pattern, batch, classes)[:, list(pattern.tagged)]
    return {tuple(row[list(order)]) for row in rows for order in orders or [range(len(pattern.tagged))]}


def rooted(pattern):
    """A pattern with its first atom as the only tagged one."""
    smarts = re.sub(r":\d+\]", "]", pattern.smarts)
    first = parse_pattern(smarts).texts[0]
    inside = first[1:-1] if first.startswith("[") else first
    return parse_pattern(f"[{inside}:1]{smarts[len(first) :]}")


@settings(max_examples=300)
@given(seed=seeds)
def test_random_patterns_that_are_proven_more_general_match_more(seed):
    rng = random.Random(seed)
    first, second = (rooted(grown_pattern(rng)) for _ in range(2))
    for general, special in permutations((first, second)):
        if subsumes(general, special):
            found = [set(match(pattern.smarts, BATCH)[:, pattern.tagged[0]].tolist()) for pattern in (special, general)]
            assert found[0] <= found[1], (general.smarts, special.smarts)


class Piece:
    """A path of tagged atoms in a molecule with some of its neighbours, written with more or less detail."""

    def __init__(self, rng, n_tags):
        self.rng, self.n_tags = rng, n_tags
        molecule = rng.choice(MOLECULES)
        path = [rng.randrange(molecule.GetNumAtoms())]
        while len(path) < n_tags:
            neighbors = [a.GetIdx() for a in molecule.GetAtomWithIdx(path[-1]).GetNeighbors() if a.GetIdx() not in path]
            if not neighbors:
                molecule = rng.choice(MOLECULES)
                path, neighbors = [], range(molecule.GetNumAtoms())
            path.append(rng.choice(list(neighbors)))
        self.atoms = [self.terms(molecule.GetAtomWithIdx(idx)) for idx in path]
        self.bonds = [self.bond(molecule.GetBondBetweenAtoms(*pair)) for pair in pairwise(path)]
        self.branches = []
        for place, idx in enumerate(path):
            for other in molecule.GetAtomWithIdx(idx).GetNeighbors():
                if other.GetIdx() not in path and rng.random() < 0.5:
                    bond = self.bond(molecule.GetBondBetweenAtoms(idx, other.GetIdx()))
                    self.branches.append((place, bond, self.terms(other)))

    def terms(self, atom):
        known = [
            f"#{atom.GetAtomicNum()}",
            f"X{atom.GetDegree()}",
            f"H{atom.GetTotalNumHs(includeNeighbors=True)}",
            "a" if atom.GetIsAromatic() else "A",
            f"{atom.GetFormalCharge():+d}",
            f"x{sum(bond.IsInRing() for bond in atom.GetBonds())}",
            f"$(*~[#{atom.GetNeighbors()[0].GetAtomicNum()}])" if atom.GetDegree() else "X0",
        ]
        return self.rng.sample(known, self.rng.randint(1, 4))

    def bond(self, bond):
        order = {1.0: "-", 1.5: ":", 2.0: "=", 3.0: "#"}[bond.GetBondTypeAsDouble()]
        return [order, "@" if bond.IsInRing() else "!@"]

    def written(self, loosened=False, backwards=False):
        """The pattern; loosened, with some of its terms and branches left out."""
        rng = self.rng

        def some(terms, empty):
            kept = [term for term in terms if not loosened or rng.random() < 0.6]
            return ";".join(kept) if kept else empty

        branches = [branch for branch in self.branches if not loosened or rng.random() < 0.6]
        text = ""
        places = range(self.n_tags)
        for place in reversed(places) if backwards else places:
            if text:
                text += some(self.bonds[place if backwards else place - 1], "~")
            tag = self.n_tags - place if backwards else place + 1
            text += f"[{some(self.atoms[place], '*')}:{tag}]"
            text += "".join(f"({some(bond, '~')}[{some(atom, '*')}])" for at, bond, atom in branches if at == place)
        return text


@settings(max_examples=200)
@given(seed=seeds, n_tags=st.integers(1, 4), backwards=st.booleans())
def test_a_pattern_with_terms_and_branches_left_out_is_proven_to_be_more_general(seed, n_tags, backwards):
    piece = Piece(random.Random(seed), n_tags)
    special = parse_pattern(piece.written())
    general = parse_pattern(piece.written(loosened=True, backwards=backwards and n_tags > 1))
    assert subsumes(general, special, BOTH_WAYS.get(n_tags)), (general.smarts, special.smarts)
    assert subsumes(special, special)


@settings(max_examples=50)
@given(seed=seeds)
def test_more_general_is_transitive_over_patterns_with_parts_left_out(seed):
    piece = Piece(random.Random(seed), 3)
    texts = [piece.written(loosened=True) for _ in range(4)]
    patterns = [parse_pattern(text) for text in texts]
    for first, second, third in permutations(patterns, 3):
        if subsumes(first, second) and subsumes(second, third):
            assert subsumes(first, third)


@pytest.fixture(scope="module")
def random_batch():
    rng = random.Random(11)
    molecules = []
    with silenced():
        while len(molecules) < 120:
            try:
                molecules += GraphBatch.from_molecules([molecule_from_smiles(assembled(rng))]).molecules
            except MoleculeError:  # not every assembled text is a molecule
                continue
    return GraphBatch.from_molecules([*BATCH.molecules, *molecules])


@pytest.mark.parametrize("name", ["openff-2.3.0", "openff-1.3.1"])
def test_proofs_about_released_force_fields_hold_on_molecules(name, random_batch):
    n_proven = 0
    for section, table in load_force_field(name).tables.items():
        patterns = [parse_pattern(smirks) for smirks in table.patterns]
        classes = Classifier(patterns).classify(random_batch)
        orders = ORDERS.get(section)
        found = [tuples_of(pattern, random_batch, classes, orders) for pattern in patterns]
        for general, special in permutations(range(len(patterns)), 2):
            if found[special] and subsumes(patterns[general], patterns[special], orders):
                assert found[special] <= found[general], (patterns[general].smarts, patterns[special].smarts)
                n_proven += 1
    assert n_proven > 100


@pytest.mark.parametrize(
    ("general", "special", "orders"),
    [
        # Terms of atoms and bonds.
        ("[#6:1]~[#7:2]", "[#6X4:1]-[#7X3:2]", None),
        ("[*:1]-,:[*:2]", "[c:1]:[c:2]", None),
        # Readings of one tuple.
        ("[#7:1]~[#6:2]", "[#6:1]-[#7:2]", BOTH_WAYS[2]),
        ("[*:1]-[#6:2]-[#7:3]~[*:4]", "[#1:1]-[#7:2]-[#6:3]-[#1:4]", BOTH_WAYS[4]),
        ("[*:1]~[#6X3:2](~[*:3])~[#8:4]", "[#8X1:1]=[#6X3:2](-[#7:3])-[#1:4]", AROUND_CENTRE),
        # Branches and rings.
        ("[#6:1](-[#1])-[#1]", "[#6:1](-[#1])(-[#1])-[#1]", None),
        ("[*:1]1~[*:2]~[*]1", "[*:1]1-[*:2](-[#1])-[*]1", None),
        ("[#6:1]-[#6](-[#8])-[#7]", "[#6:1]-[#6](-[#7])-[#8X2]-[#6]", None),
        # What the pattern around an atom says of it.
        ("[X{3-}:1]", "[#6:1](-[#1])(-[#6])=[#8]", None),
        ("[!H0;!H1:1]", "[#6:1](-[#1])-[#1]", None),
        ("[r:1]-;@[R:2]", "[#6:1]1-[#6:2]-[#6]-[#6]1", None),
        ("[*;x{2-}:1]", "[*:1]1~[*]~[*]1", None),
        ("[a:1]~[a:2]", "[*:1]:[*:2]", None),
        # Recursive parts.
        ("[#7$(*~[#6X3,#6X2]):1]", "[#7X3$(*-[#6X3]):1]", None),
        ("[#7$(*~[#6]):1]-[*:2]", "[#7:1]-[#6:2]", None),
        ("[#7$(*~[#6]~[#8]):1]", "[#7:1]-[#6](-[#8])-[#8]", None),
        ("[#7;!$(*=[#6X3]):1]", "[#7;!$(*~[#6]):1]", None),
        ("[#6$([#6]~[$(*=O)]):1]", "[#6:1]-[#7]=O", None),
        ("[$([#6]1~[#6]~[#6]1):1]", "[#6:1]1-[#6]-[#6X4]1", None),
        # Components and stereochemistry.
        ("[#8:1].[#1:2]", "[#8X2:1]-[#1:2]", None),
        ("[#8:1].[#1:2]", "[#8X2:1](-[#6]).[#1:2]-[#7]", None),
        ("[C:1](F)(Cl)Br", "[C@:1](F)(Cl)Br", None),
        ("[C@:1](F)(Cl)Br", "[C@:1](F)(Cl)Br", None),
        # A pattern that never matches is no counterexample.
        ("[#8:1]", "[#6;#7:1]", None),
    ],
)
def test_what_is_more_general_is_proven(general, special, orders):
    assert subsumes(parse_pattern(general), parse_pattern(special), orders)


@pytest.mark.parametrize(
    ("general", "special", "orders"),
    [
        ("[#6X4:1]-[#7X3:2]", "[#6:1]~[#7:2]", None),
        ("[#7:1]~[#6:2]", "[#6:1]-[#7:2]", None),
        ("[#6:1]-[#6:2]", "[#6:1]-[#6]-[#6:2]", None),
        ("[#6:1]", "[#6:1]-[#6:2]", None),
        # No two atoms may lie on one.
        ("[#6:1](-[#1])-[#1]", "[#6:1]-[#1]", None),
        ("[#6:1]-[#6]-[#6]", "[#6:1]-[#6X4]", None),
        # A branch that is written need not be the only one.
        ("[#6X1:1]", "[#6:1]-[#1]", None),
        ("[#6:1]-[#1]", "[#6:1]-[#6]", None),
        # A chain is no ring, and a ring is not of known size.
        ("[*:1]1~[*:2]~[*]1", "[*:1]~[*:2]~[*]", None),
        ("[r3:1]", "[*:1]1~[*]~[*]~[*]1", None),
        # Recursive parts.
        ("[#7$(*=[#6X3]):1]", "[#7$(*~[#6]):1]", None),
        ("[#7;!$(*~[#6]):1]", "[#7;!$(*=[#6X3]):1]", None),
        ("[#7$(*~[#6]~[#8]):1]", "[#7:1]-[#6]", None),
        # Stereochemistry.
        ("[C@:1](F)(Cl)Br", "[C:1](F)(Cl)Br", None),
        ("[C@:1](F)(Cl)Br", "[C@@:1](F)(Cl)Br", None),
        ("F/[C:1]=[C:2]/F", "F[C:1]=[C:2]F", None),
        ("[$([C@](F)(Cl)Br):1]", "[C:1](F)(Cl)Br", None),
    ],
)
def test_what_is_not_more_general_is_not_proven(general, special, orders):
    assert not subsumes(parse_pattern(general), parse_pattern(special), orders)


def test_bonds_that_the_smarts_writer_confuses_are_told_apart():
    # RDKit writes both recursive parts as $(C!@,:C).
    assert not subsumes(parse_pattern("[$(C=;!@,:C):1]"), parse_pattern("[$(C!@,:C):1]"))
    assert subsumes(parse_pattern("[$(C!@,:C):1]"), parse_pattern("[$(C=;!@,:C):1]"))


@pytest.mark.parametrize(
    ("smarts", "atoms"),
    [
        ("[#6X4:1]-[#8:2]", ()),
        ("[#6;#7:1]", (0,)),
        ("[#6:1]-[c;A:2]", (1,)),
        ("[#16X1-1:1](-[#6])-[#6]", (0,)),
        ("[#6H0:1]-[#1:2]", (0,)),
        ("[#6;R0:1]1-[#6]-[#6]1", (0,)),
        ("[#6;!r:1]-;@[#6:2]", (0,)),
        ("[C:1]:[C:2]", (0, 1)),
        ("[#6:1]-;=[#6:2]", (0, 1)),
        ("[*:1]1~[*]~;!@[*]1", (1, 2)),
        (
            "[#1:1](-[#6])-[#6]",
            (),
        ),  # a hydrogen may bridge two metals; that it bonds two carbons is chemistry, not logic
    ],
)
def test_atoms_that_nothing_can_match_are_found(smarts, atoms):
    assert impossible_atoms(parse_pattern(smarts)) == atoms
    if atoms:
        assert not len(match(smarts, BATCH))


@pytest.mark.parametrize("section", ["Bonds", "Angles", "ProperTorsions", "ImproperTorsions", "vdW"])
def test_overriders_are_all_later_rules_that_are_proven_more_general(section):
    table = load_force_field("openff-2.3.0").tables[section]
    patterns = [parse_pattern(smirks) for smirks in table.patterns[:90]]
    orders = ORDERS.get(section)
    expected = {
        rule: tuple(o for o in range(rule + 1, len(patterns)) if subsumes(patterns[o], patterns[rule], orders))
        for rule in range(len(patterns))
        if not impossible_atoms(patterns[rule])
    }
    assert overriders(patterns, orders) == {rule: over for rule, over in expected.items() if over}


def test_rules_that_never_match_are_not_overridden():
    assert overriders([parse_pattern("[#6;#7:1]"), parse_pattern("[#8:1]"), parse_pattern("[*:1]")]) == {1: (2,)}
    assert overriders([]) == {}
