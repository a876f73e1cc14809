"""Classes of sites are the orbits of sites under the automorphisms of their molecule."""

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

import ffshare
from ffshare.assign.controls.classes import site_classes
from ffshare.assign.controls.symmetry import symmetry
from tests.assign.controls.graphs import (
    NAMED,
    SECTIONS,
    all_sites,
    automorphisms,
    batch_of,
    orbits,
    random_cage,
    same_partition,
)
from tests.smirks.diverse import DIVERSE


def classes_of(batch, section):
    found = site_classes(symmetry(batch), all_sites(batch, section), section)
    return [found.names[number] for number in found.site_classes.tolist()]


def short(names):
    """Names without their molecule, each once."""
    return sorted({name.partition(":")[2] for name in names})


def assert_classes_are_orbits(batch):
    found = symmetry(batch)
    n_compared = 0
    for molecule in range(batch.n_molecules):
        images = automorphisms(batch, molecule)
        if images is None:
            continue
        n_compared += 1
        for section in SECTIONS:
            if not len(all_sites(batch, section)):
                continue
            atoms, expected = orbits(batch, molecule, section, images)
            assert same_partition(site_classes(found, atoms, section).site_classes, expected)
    return n_compared


@pytest.mark.parametrize("name", NAMED)
def test_classes_are_orbits_in_symmetric_molecules(name):
    assert assert_classes_are_orbits(ffshare.from_smiles(NAMED[name])) == 1


def test_classes_are_orbits_in_molecules_of_all_kinds():
    connected = [smiles for smiles in DIVERSE.values() if "." not in smiles]
    assert assert_classes_are_orbits(ffshare.from_smiles(*connected)) > 0.9 * len(connected)


@settings(max_examples=60)
@given(n_atoms=st.sampled_from([6, 8, 10, 12, 14]), seed=st.integers(0, 10_000))
def test_classes_are_orbits_in_cages(n_atoms, seed):
    assert assert_classes_are_orbits(batch_of(random_cage(n_atoms, seed))) == 1


def test_paths_of_four_round_a_face_of_cubane_and_out_of_it_are_two_classes():
    batch = ffshare.from_smiles(NAMED["cubane"])
    names = classes_of(batch, "ProperTorsions")
    assert short(names) == ["1-1-1-1/1", "1-1-1-1/2", "1-1-1-2", "2-1-1-2"]
    assert short(classes_of(batch, "Bonds")) == ["1-1", "1-2"]
    by_class = {}
    for name, (first, _, _, last) in zip(names, all_sites(batch, "ProperTorsions"), strict=True):
        closed = batch.find_edges(all_sites(batch, "vdW")[first], all_sites(batch, "vdW")[last])[0] >= 0
        by_class.setdefault(name.partition(":")[2], set()).add(bool(closed))
    assert by_class["1-1-1-1/1"] != by_class["1-1-1-1/2"]
    assert all(len(kinds) == 1 for kinds in by_class.values())


def test_a_class_is_read_from_its_lower_end():
    for name in classes_of(ffshare.from_smiles("CC(N)O"), "ProperTorsions"):
        ranks = [int(rank) for rank in name.partition(":")[2].partition("/")[0].split("-")]
        assert ranks <= ranks[::-1]


def test_equal_molecules_have_equal_classes_and_others_do_not():
    batch = ffshare.from_smiles("CCO", "OCC", "COC")
    for section in ("Bonds", "Angles", "ProperTorsions", "vdW"):
        by_molecule = [set(), set(), set()]
        for name, row in zip(classes_of(batch, section), all_sites(batch, section), strict=True):
            by_molecule[batch.atom_molecules[row[0]]].add(name)
        assert by_molecule[0] == by_molecule[1]
        assert not by_molecule[0] & by_molecule[2]
