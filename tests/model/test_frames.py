"""Conformers as flat arrays: nothing is lost, and cutting them into pieces and putting the pieces together is exact."""

import numpy as np
import pytest

import ffshare
from ffshare.errors import InputError
from ffshare.model import Frames

SMILES = ("CCO", "O", "[Na+]", "CC")
COUNTS = (3, 0, 5, 1)


@pytest.fixture(scope="module")
def batch():
    return ffshare.from_smiles(*SMILES)


def random_conformers(batch, counts=COUNTS):
    rng = np.random.default_rng(3)
    return [
        rng.normal(size=(count, int(n_atoms), 3))
        for count, n_atoms in zip(counts, np.diff(batch.atom_offsets), strict=True)
    ]


def test_frames_give_back_the_conformers_that_they_were_made_from(batch):
    conformers = random_conformers(batch)
    frames = Frames.from_conformers(batch, conformers)
    assert len(frames) == sum(COUNTS)
    assert frames.molecule_idxs.tolist() == [0, 0, 0, 2, 2, 2, 2, 2, 3]
    for mine, theirs in zip(frames.by_molecule(frames.coordinates), conformers, strict=True):
        np.testing.assert_array_equal(mine, theirs)


def test_the_points_of_an_atom_are_its_places_in_the_frames(batch):
    conformers = random_conformers(batch)
    frames = Frames.from_conformers(batch, conformers)
    atom = int(batch.atom_offsets[2])
    points = slice(*frames.point_offsets[atom : atom + 2])
    np.testing.assert_array_equal(frames.coordinates[:, points].T, conformers[2][:, 0])


def test_one_conformer_may_come_without_an_axis_for_conformers(batch):
    conformers = random_conformers(batch, (1, 1, 1, 1))
    frames = Frames.from_conformers(batch, [one[0] for one in conformers])
    np.testing.assert_array_equal(frames.coordinates, Frames.from_conformers(batch, conformers).coordinates)


@pytest.mark.parametrize("most_entries", [1, 7, 20, 40, 10**6])
def test_pieces_put_together_are_all_the_frames(batch, most_entries):
    frames = Frames.from_conformers(batch, random_conformers(batch))
    n_terms = np.array([9, 3, 1, 8])
    points, seen = np.zeros_like(frames.coordinates), []
    for piece in frames.pieces(most_entries, n_terms):
        frames.put(points, piece, piece.frames.coordinates)
        seen += range(piece.of_frames.start, piece.of_frames.stop)
        work = int((n_terms[piece.molecules] * piece.frames.n_conformers).sum())
        assert work <= most_entries or len(piece.frames) == 1
    np.testing.assert_array_equal(points, frames.coordinates)
    assert seen == list(range(len(frames)))


def test_arrays_cannot_be_written_to(batch):
    frames = Frames.from_conformers(batch, random_conformers(batch))
    with pytest.raises(ValueError, match="read-only"):
        frames.coordinates[0, 0] = 1.0


def test_a_batch_needs_conformers_for_each_of_its_molecules(batch):
    with pytest.raises(InputError, match="conformers of 3 molecules for a batch of 4"):
        Frames.from_conformers(batch, random_conformers(batch)[:3])


def test_conformers_of_another_number_of_atoms_are_refused(batch):
    conformers = random_conformers(batch)
    conformers[3] = conformers[3][:, :5]
    with pytest.raises(InputError, match=r"molecule 3 have shape \(1, 5, 3\), expected \(n_conformers, 8, 3\)"):
        Frames.from_conformers(batch, conformers)


def test_coordinates_that_are_not_finite_are_refused(batch):
    conformers = random_conformers(batch)
    conformers[0][1, 2, 0] = np.nan
    with pytest.raises(InputError, match="molecule 0 hold coordinates that are not finite"):
        Frames.from_conformers(batch, conformers)
