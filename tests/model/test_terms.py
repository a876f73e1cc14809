"""Terms and their coordinates in every frame, against the same computed one by one."""

import numpy as np
import pytest

import ffshare
from ffshare.model import Frames, Terms, bonded_terms, straight_frames
from ffshare.model.coordinates import COORDINATES
from ffshare.model.terms import FORMS, measure
from tests.model.oracle import angle, dihedral, length
from tests.model.samples import VARIED, conformers, scheme_of

PLAIN = {"length": length, "angle": angle, "dihedral": dihedral, "trefoil": dihedral}


@pytest.fixture(scope="module")
def terms():
    return bonded_terms(scheme_of("openff-2.2.1").assign(ffshare.from_smiles(*VARIED)))


@pytest.fixture(scope="module")
def given():
    return conformers(ffshare.from_smiles(*VARIED), n_conformers=3)


@pytest.fixture(scope="module")
def frames(given):
    return Frames.from_conformers(ffshare.from_smiles(*VARIED), given)


@pytest.mark.parametrize("section", ["Bonds", "Angles", "ProperTorsions", "ImproperTorsions"])
def test_every_entry_is_what_its_atoms_measure_in_its_frame(terms, frames, given, section):
    found, offsets = measure(terms[section], frames), frames.atom_offsets
    orders = FORMS[terms[section].form]
    for entry in range(0, len(found.terms), 7):
        molecule = terms[section].molecule_idxs[found.terms[entry]]
        positions = given[molecule][found.frames[entry] - frames.frame_offsets[molecule]]
        atoms = terms[section].atom_idxs[found.terms[entry]] - offsets[molecule]
        expected = [PLAIN[terms[section].form](positions[atoms[list(order)]]) for order in orders]
        np.testing.assert_allclose(found.values[:, entry], expected, atol=1e-9)
        np.testing.assert_array_equal(frames.coordinates[:, found.points[:, entry]].T, positions[atoms])


def test_derivatives_of_a_trefoil_stand_in_the_order_of_the_atoms_of_the_term(terms, frames):
    found = measure(terms["ImproperTorsions"], frames)
    positions = frames.coordinates[:, found.points]
    assert len(found.terms)
    for place, order in enumerate(FORMS["trefoil"]):
        expected = COORDINATES[4](positions[:, list(order)]).gradients
        np.testing.assert_array_equal(found.gradients[place][list(order)], expected)


def test_the_three_dihedrals_of_a_trefoil_go_round_the_outer_atoms():
    assert FORMS["trefoil"] == ((1, 0, 2, 3), (1, 2, 3, 0), (1, 3, 0, 2))


def test_terms_of_a_molecule_without_a_conformer_have_no_entry(terms):
    batch = ffshare.from_smiles(*VARIED)
    given = conformers(batch, n_conformers=2)
    given[0] = given[0][:0]
    found = measure(terms["Bonds"], Frames.from_conformers(batch, given))
    assert set(terms["Bonds"].molecule_idxs[found.terms].tolist()) == set(range(1, len(VARIED))) - {9}


def test_straight_frames_counts_the_frames_of_each_dihedral_with_a_straight_inner_angle():
    assignment = scheme_of("openff-2.2.1").assign(ffshare.from_smiles("CC#CC", "CC=O"))
    terms = bonded_terms(assignment)["ProperTorsions"]
    given = conformers(assignment.batch, n_conformers=4, scale=0.0)
    # Of four conformers of 2-butyne one is bent at C2, far from a line.
    given[0][1, 0] += [0.8, 0.8, 0.8]
    frames = Frames.from_conformers(assignment.batch, given)
    local = assignment.batch.local_idxs(terms.atom_idxs)
    for most_entries in (1, 30_000):
        found = straight_frames(terms, frames, most_entries)
        is_butyne = terms.molecule_idxs == 0
        # Those about C2–C3 have both angles as inner ones, those about C1–C2 that at C2.
        assert found[~is_butyne].tolist() == [0] * int((~is_butyne).sum())
        at_c3 = is_butyne & np.any(np.isin(local[:, 1:3], 2), axis=1)
        assert (found[at_c3] == 4).all()
        only_c2 = is_butyne & ~at_c3
        assert (found[only_c2] == 3).all()
        assert only_c2.any()
        assert at_c3.any()


def test_a_form_needs_its_number_of_atoms():
    with pytest.raises(ValueError, match="terms of form angle need 3 atoms each"):
        Terms(form="angle", atom_idxs=[[0, 1]], molecule_idxs=[0])


def test_terms_stand_in_the_order_of_their_molecules():
    with pytest.raises(ValueError, match="order of their molecules"):
        Terms(form="length", atom_idxs=[[3, 4], [0, 1]], molecule_idxs=[1, 0])
