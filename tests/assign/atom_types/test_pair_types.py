"""Signs of pair types: equal across single bonds, opposite across double ones, however atoms are numbered."""

import random
from itertools import product

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from rdkit import Chem

from ffshare.assign.atom_types.annotate import annotate
from ffshare.assign.atom_types.pair_types import MODES, pair_signs
from ffshare.assign.atom_types.typing import Typer
from ffshare.assign.atom_types.typing_rules import PairRule, load_typing_rules
from ffshare.data_files import data_directory
from ffshare.errors import SchemeError
from ffshare.molecules import GraphBatch, from_smiles, molecule_from_smiles
from tests.assign.samples import part

CONJUGATED = PairRule(partners={"cc": "cd"}, same=(1, 7), opposite=(2, 3, 8), one_seed=False)
BIPHENYL = PairRule(partners={"cp": "cq"}, same=(1,), opposite=(2, 3, 7, 8, 9), one_seed=True)
PAIRS = (CONJUGATED, BIPHENYL)

# Conjugated molecules: chains and rings, some of which look the same from both ends.
MOLECULES = {
    "hexatriene": "C=CC=CC=C",
    "octatetraene": "C=CC=CC=CC=C",
    "o-terphenyl": "c1ccccc1-c1ccccc1-c1ccccc1",
    "m-terphenyl": "c1ccccc1-c1cccc(-c2ccccc2)c1",
    "E-stilbene": "c1ccccc1/C=C/c1ccccc1",
    "Z-stilbene": "c1ccccc1/C=C\\c1ccccc1",
    "triphenylene": "c1ccc2c(c1)c1ccccc1c1ccccc21",
    "azulene": "c1ccc2cccc-2cc1",
    "porphine": "C1=CC2=CC3=CC=C(N3)C=C3C=CC(=N3)C=C3C=CC(N3)=CC1=N2",
    "bithiophene": "c1ccsc1-c1cccs1",
    "bifuranylethene": "c1ccoc1/C=C/c1ccco1",
    "azine": "C=CC=NN=CC=C",
    "diyne": "C=CC#CC#CC=C",
    "fulvalene": "C1=CC=CC1=C1C=CC=C1",
    "fluoranthene": "c1ccc2c(c1)-c1cccc3cccc-2c13",
    "imatinib": "Cc1ccc(NC(=O)c2ccc(CN3CCN(C)CC3)cc2)cc1Nc1nccc(-c2cccnc2)n1",
    "caffeine": "CN1C=NC2=C1C(=O)N(C)C(=O)N2C",
    "indole": "c1ccc2[nH]ccc2c1",
    "tetraphenylporphine core": "C1(=C2C=CC(N2)=CC2=NC(=CC3=CC=C(N3)C=C3C=CC1=N3)C=C2)c1ccccc1",
}


@pytest.fixture(scope="module")
def typers():
    return [Typer(load_typing_rules(data_directory("rules") / name / "typing.toml")) for name in ("gaff", "gaff2")]


def typed(typer, batch, mode="canonical"):
    found = annotate(batch)
    return typer.typed_atoms(batch, found.annotations, found.bond_types, mode)


def renumbered(molecule, rng):
    """A molecule with explicit hydrogens, its atoms shuffled, and the old number of each new atom."""
    explicit = Chem.AddHs(molecule)
    order = rng.sample(range(explicit.GetNumAtoms()), explicit.GetNumAtoms())
    return Chem.RenumberAtoms(explicit, order), np.array(order)


@st.composite
def labelled(draw):
    """A molecule, random groups of its atoms and random types of its bonds: many are frustrated."""
    molecule = molecule_from_smiles(draw(st.sampled_from(list(MOLECULES.values()))))
    batch = GraphBatch.from_molecules([molecule, molecule])
    rng = np.random.default_rng(draw(st.integers(0, 2**32)))
    groups = rng.choice([-1, 0, 0, 0, 1], size=batch.n_atoms)
    groups[batch.elements == 1] = -1
    types = np.zeros(len(batch.sources), dtype=np.int64)
    types[batch.bond_edges] = rng.choice([1, 1, 2, 7, 8, 9], size=batch.n_bonds)
    return batch, groups, np.maximum(types, types[batch.reverses])


def links_of(batch, groups, types):
    """Atoms of each bond that hands signs on, and whether it turns them."""
    for edge in batch.bond_edges.tolist():
        first, second = int(batch.sources[edge]), int(batch.targets[edge])
        if groups[first] >= 0 and groups[first] == groups[second]:
            rule = PAIRS[groups[first]]
            if types[edge] in (*rule.same, *rule.opposite):
                yield first, second, int(types[edge]) in rule.opposite


def plain_components(batch, groups, types):
    """Component and colour of each atom by walking from atom to atom, and the atoms of frustrated components."""
    neighbors = {atom: [] for atom in np.flatnonzero(groups >= 0).tolist()}
    for first, second, turns in links_of(batch, groups, types):
        neighbors[first].append((second, turns))
        neighbors[second].append((first, turns))
    component, colour, frustrated = {}, {}, set()
    for start in neighbors:
        if start in component:
            continue
        component[start], colour[start], waiting = start, 1, [start]
        while waiting:
            atom = waiting.pop()
            for other, turns in neighbors[atom]:
                wanted = -colour[atom] if turns else colour[atom]
                if other not in component:
                    component[other], colour[other] = start, wanted
                    waiting.append(other)
                elif colour[other] != wanted:
                    frustrated.add(start)
    return component, colour, {atom for atom in component if component[atom] in frustrated}


@settings(max_examples=150)
@given(case=labelled(), mode=st.sampled_from(sorted(MODES)))
def test_components_are_those_found_by_walking(case, mode):
    batch, groups, types = case
    found = pair_signs(batch, groups, PAIRS, types, mode)
    component, colour, frustrated = plain_components(*case)
    assert (found.components >= 0).tolist() == (groups >= 0).tolist() == (found.signs != 0).tolist()
    assert found.frustrated == tuple(sorted({int(batch.atom_molecules[atom]) for atom in frustrated}))
    for one, two in product(component, component):
        together = one == two or (component[one] == component[two] and one not in frustrated)
        assert (found.components[one] == found.components[two]) == together
        if together and mode == "canonical":
            assert found.signs[one] * found.signs[two] == colour[one] * colour[two]


@settings(max_examples=150)
@given(case=labelled())
def test_canonical_signs_satisfy_every_bond_that_can_be_satisfied(case):
    batch, groups, types = case
    found = pair_signs(batch, groups, PAIRS, types)
    for first, second, turns in links_of(batch, groups, types):
        if found.components[first] == found.components[second]:
            assert (found.signs[first] != found.signs[second]) == turns
    alone = np.bincount(found.components[groups >= 0], minlength=1)[found.components] == 1
    assert (found.signs[(groups >= 0) & alone] == 1).all()


@settings(max_examples=100)
@given(case=labelled(), rng=st.randoms(use_true_random=False))
def test_renumbering_changes_no_relative_sign(case, rng):
    batch, groups, types = case
    found = pair_signs(batch, groups, PAIRS, types)
    molecule, order = renumbered(batch.molecules[0], rng)
    other = GraphBatch.from_molecules([molecule])
    edges = batch.find_edges(order[other.sources], order[other.targets])
    again = pair_signs(other, groups[order], PAIRS, types[edges])
    assert again.frustrated == tuple(idx for idx in found.frustrated if idx == 0)
    together = found.components[order][:, None] == found.components[order]
    assert np.array_equal(together, again.components[:, None] == again.components)
    relative = found.signs[order][:, None] * found.signs[order]
    assert np.array_equal(relative[together], (again.signs[:, None] * again.signs)[together])


def labelled_smiles(molecule, names):
    """SMILES that tells a molecule with its types from every other, bonds and charges left out."""
    plain = Chem.RWMol()
    for _ in names:
        plain.AddAtom(Chem.Atom(0))
    known = sorted(set(names))
    for atom, name in zip(plain.GetAtoms(), names, strict=True):
        atom.SetIsotope(1 + known.index(name))
    for bond in molecule.GetBonds():
        plain.AddBond(bond.GetBeginAtomIdx(), bond.GetEndAtomIdx(), Chem.BondType.SINGLE)
    return " ".join(known) + " " + Chem.MolToSmiles(plain)


@pytest.mark.parametrize("name", MOLECULES)
def test_renumbering_permutes_types_but_for_equivalent_atoms(name, typers):
    rng = random.Random(name)
    molecule = Chem.AddHs(molecule_from_smiles(MOLECULES[name]))
    shuffled = [renumbered(molecule, rng) for _ in range(12)]
    batch = GraphBatch.from_molecules([molecule, *(other for other, _ in shuffled)])
    for typer in typers:
        found = typed(typer, batch)
        seen = set()
        for idx, (other, order) in enumerate([(molecule, np.arange(molecule.GetNumAtoms())), *shuffled]):
            start = int(batch.atom_offsets[idx])
            assert np.array_equal(found.base_types[start : start + len(order)], found.base_types[order])
            types = [found.names[type_idx] for type_idx in found.types[start : start + len(order)].tolist()]
            seen.add(labelled_smiles(other, types))
        assert len(seen) == 1


def test_renumbering_does_change_the_types_of_antechamber(typers):
    signs = {mode: set() for mode in MODES}
    for order in ([0, 1, 2, 3, 4, 5], [5, 4, 3, 2, 1, 0]):
        batch = GraphBatch.from_molecules([Chem.RenumberAtoms(molecule_from_smiles("C=CC=CC=N"), order)])
        for mode in MODES:
            signs[mode].add(tuple(typed(typers[0], batch, mode).signs[np.argsort(order)].tolist()))
    assert {mode: len(found) for mode, found in signs.items()} == {"canonical": 1, "antechamber": 2}


def test_the_two_middle_atoms_of_hexatriene_have_opposite_signs(typers):
    batch = from_smiles("C=CC=CC=C")
    for mode in MODES:
        signs = typed(typers[0], batch, mode).signs[:6]
        assert signs[[0, 5]].tolist() == [0, 0]
        assert (signs[1] * signs[2], signs[2] * signs[3], signs[3] * signs[4]) == (1, -1, 1)


def test_molecules_with_two_components_number_them_apart(typers):
    batch = from_smiles("c1ccoc1Cc1ccco1")
    found = typed(typers[0], batch)
    assert len(np.unique(found.components[found.components >= 0])) == 2
    assert found.frustrated == ()


def test_only_the_first_biphenyl_gets_two_types_from_antechamber(typers):
    # Both biphenylenes hold bonds of rings between heads, which turn signs; the seed is in the first one only.
    batch = from_smiles("c1ccc2c(c1)-c1ccccc1-2.c1ccc2c(c1)-c1ccccc1-2")
    found = typed(typers[0], batch, "antechamber")
    names = np.array(found.names)[found.types]
    second = np.arange(batch.n_atoms) >= 12
    heavy = batch.elements == 6
    assert "cq" in names[~second & heavy]
    assert "cq" not in names[second & heavy]
    canonical = np.array(found.names)[typed(typers[0], batch).types]
    assert "cq" in canonical[second & heavy]


def test_odd_cycles_are_frustrated_and_listed(typers):
    batch = from_smiles("CC", "c1ccc2c(c1)c1ccccc1c1ccccc21", "C1=CC=C1C=C")
    groups = np.full(batch.n_atoms, -1)
    ring = np.flatnonzero(batch.in_ring[batch.row_offsets[:-1]] & (batch.atom_molecules == 1))
    groups[ring] = 0
    # An odd number of turns round a ring of the second molecule.
    types = np.where(batch.in_ring, 1, 9)
    edge = int(np.flatnonzero((groups[batch.sources] == 0) & (groups[batch.targets] == 0))[0])
    types[[edge, batch.reverses[edge]]] = 2
    found = pair_signs(batch, groups, PAIRS, types)
    assert found.frustrated == (1,)
    assert (found.signs[ring] == 1).all()
    assert len(np.unique(found.components[ring])) == len(ring)


def test_a_batch_without_pair_types_has_no_signs():
    batch = from_smiles("CCO", "C")
    for mode in MODES:
        found = pair_signs(batch, np.full(batch.n_atoms, -1), PAIRS, batch.orders // 2, mode)
        assert not found.signs.any()
        assert (found.components == -1).all()
        assert found.frustrated == ()


def test_unknown_modes_are_refused():
    batch = from_smiles("C")
    with pytest.raises(SchemeError, match="mode 'random' of pair types is unknown; expected canonical or antechamber"):
        pair_signs(batch, np.full(batch.n_atoms, -1), PAIRS, batch.orders, "random")


@pytest.mark.parametrize("mode", MODES)
def test_signs_do_not_depend_on_the_batch(mode, some_drugs, typers):
    whole = typed(typers[1], some_drugs, mode)
    alone = [typed(typers[1], part(some_drugs, [idx]), mode) for idx in range(some_drugs.n_molecules)]
    assert whole.types.tolist() == [idx for each in alone for idx in each.types.tolist()]
    assert whole.frustrated == tuple(idx for idx, each in enumerate(alone) if each.frustrated)
