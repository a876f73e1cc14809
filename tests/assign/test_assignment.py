"""An assignment keeps sites, rules and molecules together, and shows itself in one line."""

import dataclasses
import pickle

import numpy as np
import pytest

import ffshare
from ffshare.assign.sites import Sites
from ffshare.assign.smirnoff import SmirnoffScheme
from ffshare.rules.table import ForceField
from tests.assign.samples import scheme_of


def test_one_line_says_what_it_holds_and_what_is_missing(boronic_acid):
    assignment = scheme_of("openff-2.3.0").assign(boronic_acid)
    n_sites = assignment.to_table().num_rows
    n_missing = assignment.unassigned().num_rows
    assert repr(assignment) == f"Assignment(openff-2.3.0: 3 molecules, {n_sites} sites, {n_missing} without a rule)"


def test_a_copy_from_another_process_is_the_same(some_drugs):
    assignment = scheme_of("openff-2.3.0").assign(some_drugs)
    copy = pickle.loads(pickle.dumps(assignment))
    assert copy.to_table().equals(assignment.to_table())
    assert copy.count().to_dicts() == assignment.count().to_dicts()
    assert copy.tying().keys == assignment.tying().keys


def test_every_site_lies_in_its_molecule_and_names_a_rule_of_its_section(some_drugs):
    assignment = scheme_of("openff-2.3.0").assign(some_drugs)
    assert list(assignment.sites) == list(assignment.tables)
    for section, sites in assignment.sites.items():
        present = sites.atom_idxs >= 0
        molecules = np.broadcast_to(sites.molecule_idxs[:, None], present.shape)
        assert (some_drugs.atom_molecules[sites.atom_idxs[present]] == molecules[present]).all()
        assert (np.diff(sites.molecule_idxs) >= 0).all()
        assert sites.rule_idxs.min(initial=0) >= -1
        assert sites.rule_idxs.max(initial=-1) < len(assignment.tables[section])


def test_its_parts_cannot_be_written_to(some_drugs):
    assignment = scheme_of("openff-2.3.0").assign(some_drugs)
    with pytest.raises(dataclasses.FrozenInstanceError):
        assignment.scheme = "another"
    with pytest.raises(ValueError, match="read-only"):
        assignment.sites["Bonds"].rule_idxs[0] = 1


def test_the_title_of_its_table_is_escaped():
    force_field = ForceField(name="<script>alert(1)</script>", tables={}, checksums={})
    html = SmirnoffScheme(force_field).assign(ffshare.from_smiles("C"))._repr_html_()
    assert "<script>" not in html
    assert "&lt;script&gt;alert(1)&lt;/script&gt;: 1 molecules" in html


@pytest.mark.parametrize(
    ("atoms", "molecules", "rules"), [([0, 1], [0, 0], [0, 0]), ([[0, 1]], [0, 0], [0]), ([[0, 1]], [0], [0, 1])]
)
def test_sites_whose_arrays_do_not_fit_are_refused(atoms, molecules, rules):
    with pytest.raises(ValueError, match="sites: atom_idxs, molecule_idxs and rule_idxs have shapes"):
        Sites(atom_idxs=np.array(atoms), molecule_idxs=np.array(molecules), rule_idxs=np.array(rules))
