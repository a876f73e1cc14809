"""The reference data that ship are sound, of one level of theory, and cover most rules several times."""

import numpy as np
import pytest

import ffshare
from ffshare.data_files import data_directory
from ffshare.fit import read_reference

VALENCE = ("Bonds", "Angles", "ProperTorsions", "ImproperTorsions")


@pytest.fixture(scope="module")
def reference():
    return read_reference(data_directory("reference") / "gfn2.parquet")


def test_there_are_as_many_molecules_and_conformers_as_the_page_says(reference):
    n_conformers = sum(len(one.energies) for one in reference.molecules)
    assert (len(reference.molecules), n_conformers) == (499, 11_056)
    page = (data_directory("reference") / "README.md").read_text()
    assert f"{len(reference.molecules)} molecules, {n_conformers:,} conformers" in page
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
    assert len(exercised) == 296
    assert (exercised >= 5).mean() >= 0.8
