"""The reference data that ship are sound, of one level of theory, and cover most rules several times."""

import numpy as np
import pytest

import ffshare
from ffshare.data_files import data_directory
from ffshare.fit import ReferenceData, read_reference
from ffshare.fit.reference import all_have_charges, reference_charges, reference_metadata
from ffshare.model.nagl import NAGL_MODEL, nagl_charges

FOLDER = data_directory("reference")
PAGE = (FOLDER / "README.md").read_text(encoding="utf-8")
B3LYP = FOLDER / "b3lyp.parquet"
VALENCE = ("Bonds", "Angles", "ProperTorsions", "ImproperTorsions")


@pytest.fixture(scope="module")
def reference():
    return read_reference(FOLDER / "gfn2.parquet")


def test_there_are_as_many_molecules_and_conformers_as_the_page_says(reference):
    n_conformers = sum(len(one.energies) for one in reference.molecules)
    assert (len(reference.molecules), n_conformers) == (499, 10_986)
    assert f"{len(reference.molecules)} molecules, {n_conformers:,} conformers" in PAGE
    assert {one.level for one in reference.molecules} == {"GFN2-xTB"}


def test_none_fails_the_checks_and_all_have_energies_and_forces(reference):
    assert reference.failures == ()
    for one in reference.molecules:
        assert one.forces is not None
        assert one.forces.shape == one.coords.shape
        assert np.isfinite(one.energies).all()
        assert np.abs(one.forces.sum(axis=1)).max() < 1e-3
        assert one.energies.min() == 0.0
        assert one.energies.max() <= 40.0


def test_most_exercised_rules_of_openff_occur_in_five_molecules_or_more(reference):
    assignment = ffshare.load_scheme("openff-2.2.1").assign(reference.batch())
    seen = np.concatenate(
        [
            np.bincount(
                np.unique(np.column_stack([sites.rule_idxs, sites.molecule_idxs]), axis=0)[:, 0],
                minlength=len(assignment.tables[section]),
            )
            for section, sites in assignment.sites.items()
            if section in VALENCE
        ]
    )
    assert assignment.count()["all"].unassigned == 0
    exercised = seen[seen > 0]
    often = int((exercised >= 5).sum())
    assert often >= 0.8 * len(exercised)
    # As measured and as the folder's README says.
    assert (len(exercised), often) == (296, 261)
    assert "Of the 296 rules of openff-2.2.1" in PAGE
    assert "261 (88 %)" in PAGE


def test_every_molecule_has_charges_that_add_up_and_some_that_matter(reference):
    assert reference.has_charges
    assert all_have_charges(FOLDER / "gfn2.parquet")
    batch = reference.batch()
    formal = np.bincount(batch.atom_molecules, weights=batch.charges)
    np.testing.assert_allclose([one.charges.sum() for one in reference.molecules], formal, atol=1e-5)
    assert min(np.ptp(one.charges) for one in reference.molecules if one.n_atoms > 2) > 0.05
    assert reference_metadata(FOLDER / "gfn2.parquet")["charges"]["model"] == NAGL_MODEL


# NAGL leaves the file of its model open.
@pytest.mark.filterwarnings("ignore::pytest.PytestUnraisableExceptionWarning", "ignore::ResourceWarning")
def test_charges_are_those_that_nagl_gives(reference):
    pytest.importorskip("openff.nagl", reason="NAGL is not installed")
    pytest.importorskip("openff.nagl_models", reason="NAGL's models are not installed")
    some = reference.molecules[::50]
    batch = ReferenceData(molecules=some, level=reference.level).batch()
    found = nagl_charges(batch, np.arange(batch.n_molecules))
    np.testing.assert_allclose(reference_charges(some), found, rtol=0, atol=1e-5)


def test_the_files_are_small():
    assert sum(path.stat().st_size for path in FOLDER.glob("*.parquet")) < 20e6


@pytest.mark.skipif(not B3LYP.exists(), reason="reference/b3lyp.parquet has not been made")
def test_the_b3lyp_data_are_of_small_molecules_of_the_other_file(reference):
    found = read_reference(B3LYP)
    assert found.failures == ()
    assert found.level == "B3LYP-D3BJ/DZVP"
    assert found.n_conformers >= 300
    assert f"{found.n_molecules} molecules, {found.n_conformers} conformers" in PAGE
    assert found.has_forces
    assert found.has_charges
    known = {one.smiles: one for one in reference.molecules}
    for one in found.molecules:
        elements = ReferenceData(molecules=(one,), level=one.level).batch().elements
        assert np.sum(elements > 1) <= 7
        # Single points at geometries of the other file.
        apart = np.abs(known[one.smiles].coords[None] - one.coords[:, None]).max(axis=(2, 3)).min(axis=1)
        assert apart.max() == 0.0
        np.testing.assert_allclose(one.charges, known[one.smiles].charges, rtol=0, atol=1e-6)
