"""The rings of GAFF are the chordless cycles that networkx finds among eligible atoms."""

import numpy as np
import pytest
from hypothesis import assume, given, settings
from hypothesis import strategies as st
from rdkit import Chem

from ffshare.assign.atom_types import rings as rings_module
from ffshare.assign.atom_types.rings import perceive_rings
from ffshare.errors import MoleculeError
from ffshare.molecules import GraphBatch, from_smiles
from tests.smirks.diverse import DIVERSE, assembled

nx = pytest.importorskip("networkx", reason="networkx is not installed")

C60 = (
    "c12c3c4c5c1c1c6c7c2c2c8c3c3c9c4c4c%10c5c5c1c1c6c6c%11c7c2c2c7c8c3c3c8c9c4c4c9c%10c5c5c1c1c6c6c%11c2c2c7c3c3c8c4c4"
    "c9c5c1c1c6c2c3c41"
)

# Bridged, peri-fused, propellanes, cages, spiro, large rings, rings with atoms that are not eligible.
CAGES = {
    "norbornane": "C1CC2CCC1C2",
    "quinuclidine": "C1CN2CCC1CC2",
    "tropane": "CN1C2CCC1CCC2",
    "pinene": "CC1=CCC2CC1C2(C)C",
    "dodecahedrane": "C12C3C4C5C1C6C7C2C8C3C9C4C1C5C6C2C7C8C9C12",
    "[1.1.1]propellane": "C1C23CC12C3",
    "[2.2.2]propellane": "C1CC23CCC12CC3",
    "acenaphthylene": "C1=Cc2cccc3cccc1c23",
    "phenalene": "C1C=Cc2cccc3cccc1c23",
    "pyracylene": "C1=Cc2ccc3c4c2c1ccc4C=C3",
    "corannulene": "c1cc2ccc3ccc4ccc5ccc1c1c2c3c4c51",
    "fullerene": C60,
    "cyclobutadiene fused to cyclobutadiene": "C1=C2C=CC2=C1",
    "paddlane": "C1CCC2(CC1)CCC1(CC2)CCCCC1",
    "twistane": "C1CC2CC3CC1CC2C3",
    "cyclodecane": "C1CCCCCCCCC1",
    "cycloundecane": "C1CCCCCCCCCC1",
    "bicyclo[5.5.5]": "C1CCCC2CCCCCC(C1)CCCCC2",
    "cyclooctyne": "C1CCCC#CCC1",
    "silole": "C1=C[SiH2]C=C1",
    "norbornane with silicon in the bridge": "C1CC2CCC1[SiH2]2",
    "borane cage": "C1CB2CCC1CC2",
    "white phosphorus": "P12P3P1P23",
    "tricyclic phosphine": "C1P2CN3CN(C2)CN1C3",
    "crown bridged twice": "C1COCCN2CCOCCN(CCO1)CCOCC2",
    "zinc porphine": "C1=CC2=CC3=CC=C4C=C5C=CC6=[N]5[Zn]7(N34)[N]2=C1C=C1C=CC(=C6)N17",
    "biphenyl joined to cyclophane": "C1Cc2ccc(cc2)CCc2ccc1cc2",
    "steroid": "CC12CCC3C(CCC4=CC(=O)CCC34C)C1CCC2O",
}
ALL = {**DIVERSE, **CAGES}


def sets_of(batch, rings):
    atoms = np.split(rings.atoms, rings.offsets[1:-1]) if len(rings) else []
    return sorted(sorted(ring.tolist()) for ring in atoms)


def eligible(batch, atom):
    fewest = {6: 3, 7: 0, 8: 2, 15: 0, 16: 2}
    return len(batch.targets[batch.sources == atom]) >= fewest.get(int(batch.elements[atom]), 99)


def chordless(batch):
    graph = nx.Graph()
    graph.add_edges_from((a, b) for a, b in batch.bonds.tolist() if eligible(batch, a) and eligible(batch, b))
    return sorted(sorted(cycle) for cycle in nx.chordless_cycles(graph, length_bound=10))


@pytest.mark.parametrize("name", ALL)
def test_rings_are_the_chordless_cycles_of_three_to_ten_eligible_atoms(name):
    batch = from_smiles(ALL[name])
    rings = perceive_rings(batch)
    assert sets_of(batch, rings) == chordless(batch)


@settings(max_examples=60, deadline=None)
@given(smiles=st.lists(st.sampled_from(list(ALL.values())), max_size=8), rng=st.randoms(use_true_random=False))
def test_rings_of_a_batch_are_those_of_its_molecules(smiles, rng):
    try:
        batch = from_smiles(*smiles, assembled(rng))
    except MoleculeError:
        assume(False)
    assert sets_of(batch, perceive_rings(batch)) == chordless(batch)


@st.composite
def frameworks(draw):
    """Connected skeletons of up to 14 atoms with up to 9 rings, saturated, in no chemical likeness."""
    n_atoms = draw(st.integers(3, 14))
    elements = draw(st.lists(st.sampled_from([6, 6, 6, 7, 8, 15, 16, 5, 14]), min_size=n_atoms, max_size=n_atoms))
    most = {6: 4, 7: 3, 8: 2, 15: 3, 16: 2, 5: 3, 14: 4}
    molecule, degrees = Chem.RWMol(), [0] * n_atoms
    for element in elements:
        molecule.AddAtom(Chem.Atom(element))

    def join(first, second):
        free = degrees[first] < most[elements[first]] and degrees[second] < most[elements[second]]
        if first != second and free and molecule.GetBondBetweenAtoms(first, second) is None:
            molecule.AddBond(first, second, Chem.BondType.SINGLE)
            degrees[first] += 1
            degrees[second] += 1

    for atom in range(1, n_atoms):
        join(draw(st.integers(max(0, atom - 3), atom - 1)), atom)
    ends = st.integers(0, n_atoms - 1)
    for first, second in draw(st.lists(st.tuples(ends, ends), max_size=12)):
        join(first, second)
    Chem.SanitizeMol(molecule)
    return molecule.GetMol()


@settings(max_examples=300, deadline=None)
@given(molecules=st.lists(frameworks(), min_size=1, max_size=3))
def test_rings_of_random_frameworks_are_their_chordless_cycles(molecules):
    batch = GraphBatch.from_molecules(molecules)
    assert sets_of(batch, perceive_rings(batch)) == chordless(batch)


@pytest.mark.parametrize("name", ["norbornane", "fullerene", "steroid", "pyrene", "paddlane"])
def test_each_edge_joins_an_atom_of_a_ring_with_the_next(name):
    batch = from_smiles("CCO", ALL[name])
    rings = perceive_rings(batch)
    assert np.array_equal(batch.sources[rings.edges], rings.atoms)
    for start, end in zip(rings.offsets[:-1].tolist(), rings.offsets[1:].tolist(), strict=True):
        assert batch.targets[rings.edges[start:end]].tolist() == np.roll(rings.atoms[start:end], -1).tolist()


def test_no_ring_system_whose_rings_form_a_tree_is_searched(monkeypatch):
    searched = []
    monkeypatch.setattr(rings_module, "_searched", lambda bonds: searched.append(bonds) or [])
    for name in ("steroid", "biphenyl joined to cyclophane", "spiropentane", "[2.2.2]propellane", "biphenylene"):
        perceive_rings(from_smiles(ALL[name]))
    names = [name for name in ("norbornane", "acenaphthylene", "cubane") if perceive_rings(from_smiles(ALL[name]))]
    # A cyclophane is bridged; the propellane shares one bond among three rings, which is a tree too.
    assert len(searched) == 1 + 3
    assert names == []


def test_the_portions_in_which_paths_grow_do_not_matter(monkeypatch):
    batch = from_smiles(*CAGES.values())
    expected = sets_of(batch, perceive_rings(batch))
    monkeypatch.setattr(rings_module, "_PORTION", 7)
    assert sets_of(batch, perceive_rings(batch)) == expected


def test_cubane_has_six_squares_and_the_four_hexagons_round_its_diagonals():
    rings = perceive_rings(from_smiles(ALL["cubane"]))
    assert np.bincount(rings.sizes).tolist() == [0, 0, 0, 0, 6, 0, 4]


def test_fullerene_has_the_rings_of_a_football():
    rings = perceive_rings(from_smiles(C60))
    assert np.bincount(rings.sizes).tolist() == [0, 0, 0, 0, 0, 12, 20]


def test_a_batch_without_rings_has_no_rings():
    batch = from_smiles("CCO", "[Na+].[Cl-]")
    rings = perceive_rings(batch)
    assert len(rings) == 0
    assert rings.sums(rings.atoms).tolist() == []
    assert rings.counts(np.zeros(0, dtype=bool), batch.n_atoms).tolist() == [0] * batch.n_atoms
    assert not rings.holds_edges(np.zeros(0, dtype=bool), batch).any()
    assert len(perceive_rings(GraphBatch.from_molecules([]))) == 0


def test_counts_and_edges_are_those_of_the_wanted_rings():
    batch = from_smiles("c1ccc2[nH]ccc2c1")  # indole: atoms 0-3, 7, 8 in the ring of six, 3-7 in the ring of five
    rings = perceive_rings(batch)
    five = rings.sizes == 5
    assert rings.counts(five, batch.n_atoms)[:9].tolist() == [0, 0, 0, 1, 1, 1, 1, 1, 0]
    joined = rings.holds_edges(five, batch)
    assert sorted(zip(batch.sources[joined].tolist(), batch.targets[joined].tolist(), strict=True)) == sorted(
        pair for a, b in [(3, 4), (4, 5), (5, 6), (6, 7), (3, 7)] for pair in [(a, b), (b, a)]
    )
