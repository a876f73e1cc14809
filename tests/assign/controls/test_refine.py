"""Colour refinement equals a plain one, sees what it should, and its numbers never change."""

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

import ffshare
from ffshare.assign.controls.refine import (
    bag_keys,
    class_sizes,
    graph_of,
    refined,
    reordered,
    restricted,
    runs,
    sequence_keys,
    stable_colours,
)
from ffshare.tying import splitmix64
from tests.assign.controls.graphs import NAMED, batch_of, random_cage, same_partition
from tests.smirks.diverse import DIVERSE

MASK = 2**64 - 1


def hashed(number):
    return int(splitmix64(np.uint64(number & MASK)))


def plain_round(colours, batch):
    """One round of the formula, atom by atom in Python's own integers."""
    new = []
    for atom, colour in enumerate(colours):
        edges = range(int(batch.row_offsets[atom]), int(batch.row_offsets[atom + 1]))
        messages = (hashed(hashed(colours[batch.targets[edge]]) + int(batch.orders[edge])) for edge in edges)
        new.append(hashed(hashed(colour) + sum(messages)))
    return new


def plain_classes(batch):
    """Classes of atoms by refinement on nested tuples, without any hash, until nothing changes."""
    colours = list(zip(batch.elements.tolist(), batch.charges.tolist(), strict=True))
    while True:
        rows = [
            (colours[atom], sorted((int(batch.orders[edge]), colours[batch.targets[edge]]) for edge in edges))
            for atom, edges in enumerate(map(range, batch.row_offsets[:-1].tolist(), batch.row_offsets[1:].tolist()))
        ]
        names = {row: number for number, row in enumerate(sorted(set(map(repr, rows))))}
        new = [names[repr(row)] for row in rows]
        if len(set(new)) == len(set(colours)):
            return np.array(new)
        colours = new


def stable(batch):
    start = sequence_keys([batch.elements, batch.charges])
    parts = batch.atom_molecules
    return stable_colours(start, graph_of(batch), parts, batch.n_molecules)


@pytest.mark.parametrize("name", ["caffeine", "cubane", "zwitterionic glutathione"])
def test_a_round_is_the_formula(name):
    batch = ffshare.from_smiles(DIVERSE[name])
    colours = sequence_keys([batch.elements])
    assert refined(colours, graph_of(batch)).tolist() == plain_round(colours.tolist(), batch)
    twice = plain_round(plain_round(colours.tolist(), batch), batch)
    assert refined(colours, graph_of(batch), 2).tolist() == twice


@pytest.mark.parametrize("smiles", [*NAMED.values(), *list(DIVERSE.values())[::3]])
def test_stable_classes_are_those_of_refinement_without_a_hash(smiles):
    batch = ffshare.from_smiles(smiles)
    assert same_partition(stable(batch), plain_classes(batch))


def test_stable_colours_do_not_depend_on_what_else_is_in_the_batch():
    smiles = ["C" * 60, "CCO", "c1ccccc1CC(N)C(=O)O", "C"]  # they need very different numbers of rounds
    together = stable(ffshare.from_smiles(*smiles))
    alone = np.concatenate([stable(ffshare.from_smiles(one)) for one in smiles])
    assert together.tolist() == alone.tolist()


@given(seed=st.integers(0, 50), rng=st.randoms(use_true_random=False))
def test_a_restricted_graph_holds_the_edges_between_its_nodes(seed, rng):
    batch = batch_of(random_cage(8, seed))
    graph, kept = graph_of(batch), np.array([rng.random() < 0.7 for _ in range(batch.n_atoms)])
    nodes = np.flatnonzero(kept)
    part = restricted(graph, kept)
    expected = {
        (a, b) for a, b in zip(batch.sources.tolist(), batch.targets.tolist(), strict=True) if kept[a] & kept[b]
    }
    assert set(zip(nodes[part.sources].tolist(), nodes[part.targets].tolist(), strict=True)) == expected


@given(seed=st.integers(0, 50), rng=st.randoms(use_true_random=False))
def test_a_reordered_graph_is_the_same_graph(seed, rng):
    batch = batch_of(random_cage(8, seed))
    order = np.array(rng.sample(range(batch.n_atoms), batch.n_atoms))
    graph, turned = graph_of(batch), reordered(graph_of(batch), order)
    assert set(zip(order[turned.sources].tolist(), order[turned.targets].tolist(), strict=True)) == set(
        zip(graph.sources.tolist(), graph.targets.tolist(), strict=True)
    )
    colours = sequence_keys([batch.elements])
    assert refined(colours[order], turned).tolist() == refined(colours, graph)[order].tolist()


def test_runs_of_nodes_are_refined_each_alone():
    batch = ffshare.from_smiles("CO", "CCO", "N")
    starts, counts = batch.atom_offsets[[1, 0, 1]], np.diff(batch.atom_offsets)[[1, 0, 1]]
    colours = sequence_keys([batch.elements])
    nodes = np.concatenate([np.arange(first, first + count) for first, count in zip(starts, counts, strict=True)])
    found = refined(colours[nodes], runs(graph_of(batch), starts, counts), 3)
    assert found.tolist() == refined(colours, graph_of(batch), 3)[nodes].tolist()


@given(rows=st.lists(st.lists(st.integers(0, MASK), max_size=4), max_size=6), rng=st.randoms(use_true_random=False))
def test_a_bag_does_not_know_its_order_and_a_sequence_does(rows, rng):
    keys = np.array([key for row in rows for key in row], dtype=np.uint64)
    numbers = np.array([number for number, row in enumerate(rows) for _ in row], dtype=np.int64)
    order = np.array(rng.sample(range(len(keys)), len(keys)), dtype=np.int64)
    assert bag_keys(keys[order], numbers[order], len(rows)).tolist() == bag_keys(keys, numbers, len(rows)).tolist()
    assert len(set(bag_keys(keys, numbers, len(rows)).tolist())) == len({tuple(sorted(row)) for row in rows})
    pairs = np.array([[1, 2], [2, 1], [1, 2], [0, 0], [0, 0]])
    assert len(set(sequence_keys([*pairs.T]).tolist())) == 3


def test_sizes_of_classes_are_counted_part_by_part():
    colours = np.array([7, 7, 7, 8, 7], dtype=np.uint64)
    assert class_sizes(colours, np.array([0, 0, 1, 1, 1])).tolist() == [2, 2, 2, 1, 2]


def test_frozen_numbers_have_not_changed():
    assert sequence_keys([np.array([6, -1]), np.array([0, 3])]).tolist() == [
        9602181629072571094,
        17909611376780542444,
    ]
    assert bag_keys(np.array([1, 2, 3], dtype=np.uint64), np.array([0, 0, 1]), 2).tolist() == [
        9637994484784875701,
        1399016497573053987,
    ]
    batch = ffshare.from_smiles("C=O")
    assert refined(sequence_keys([batch.elements]), graph_of(batch), 2).tolist() == [
        14271790090265052103,
        7717725338070933865,
        1369621618647242458,
        1369621618647242458,
    ]
