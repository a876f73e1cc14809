"""Some molecules of an assignment are what the scheme gives for them alone, and straight torsions are found."""

import numpy as np
import pytest

import ffshare
from ffshare.errors import SchemeError
from ffshare.fit import FitProblem, Parameters, bases_in_use
from ffshare.fit.parameters import BONDED
from ffshare.fit.parts import part_of, uncovered
from ffshare.fit.straight import straight_counts
from ffshare.model import Frames, bonded_terms, rule_ties, straight_frames
from ffshare.molecules import GraphBatch
from tests.fit.synthetic import assignment_of
from tests.model.samples import VARIED, conformers, scheme_of


@pytest.mark.parametrize("name", ["openff-2.2.1", "gaff2"])
@pytest.mark.parametrize("chosen", [[0], [1, 4, 5], [14], []])
def test_a_part_is_what_the_scheme_gives_for_its_molecules_alone(name, chosen):
    whole = scheme_of(name).assign(ffshare.from_smiles(*VARIED))
    part = part_of(whole, np.array(chosen, dtype=np.int64))
    alone = scheme_of(name).assign(GraphBatch.from_molecules([whole.batch.molecules[idx] for idx in chosen]))
    assert part.batch.n_atoms == alone.batch.n_atoms
    for section, sites in alone.sites.items():
        np.testing.assert_array_equal(part.sites[section].atom_idxs, sites.atom_idxs)
        np.testing.assert_array_equal(part.sites[section].molecule_idxs, sites.molecule_idxs)
        ids = [[each.tables[section].ids[rule] for rule in each.sites[section].rule_idxs] for each in (part, alone)]
        assert ids[0] == ids[1]
        if section in BONDED:
            strengths = [
                each.tying(section, "k").expand(each.tables[section].columns["k"].values) for each in (part, alone)
            ]
            np.testing.assert_array_equal(*strengths)


def test_uncovered_molecules_are_those_with_a_site_without_a_rule():
    assignment = assignment_of("openff-1.3.1", ("CCO", "CN(C)[N+](=O)[O-]", "CCN"))
    assert uncovered(assignment).tolist() == [1]


@pytest.mark.parametrize("name", ["openff-2.2.1", "gaff2"])
def test_straight_torsions_are_those_that_are_measured_as_such(name):
    smiles = ("CC#CC", "CC#N", "N#CC(C)=C", "CCO", "CN=C=O", "O")
    batch = ffshare.from_smiles(*smiles)
    terms = bonded_terms(scheme_of(name).assign(batch))
    frames = Frames.from_conformers(batch, conformers(batch, n_conformers=6, scale=0.05))
    counts = straight_counts(terms, frames)
    for section, each in terms.items():
        np.testing.assert_array_equal(counts[section], straight_frames(each, frames))
    assert counts["ProperTorsions"].any()
    assert not counts["Bonds"].any()


def test_bases_hold_no_function_that_no_site_needs():
    assignment = assignment_of("openff-2.2.1", ("CCO",))
    bases = bases_in_use(assignment)
    assert bases["ProperTorsions"].names == ("cos 1", "cos 3")
    assert FitProblem.of(assignment).sections == ("Bonds", "Angles", "ProperTorsions", "ImproperTorsions")


def test_parameters_are_named_as_their_users_know_them():
    parameters = Parameters.of(assignment_of("openff-2.2.1", ("CCO",)))
    names = dict(zip(parameters.keys, parameters.names, strict=True))
    assert names["Bonds", "b1", "k", 0] == "b1.k"
    assert names["Angles", "a1", "angle", 0] == "a1.angle"
    assert names["ProperTorsions", "t1", "k", 0] == "t1.k1"
    both = Parameters.of(assignment_of("hashed:openff-2.2.1", ("CCO",)))
    assert len(set(both.names)) == len(both)
    assert both.names[0] == "Bonds b00000.k"


def test_a_rest_value_is_not_taken_without_its_force_constant():
    parameters = Parameters.of(assignment_of("openff-2.2.1", ("CCO",)))
    with pytest.raises(SchemeError, match=r"'length', 0\) was chosen without the force constant of its rule"):
        parameters.part(np.array([90]))


def test_only_tied_columns_are_parameters():
    problem = FitProblem.of(assignment_of("openff-2.2.1", ("CCO",)), tied=False)
    with pytest.raises(SchemeError, match="only tied ones are parameters"):
        _ = problem.parameters


def test_a_problem_says_what_it_is_and_refuses_sections_that_are_none():
    problem = FitProblem.of(assignment_of("openff-2.2.1", ("CCO",)), "gasteiger")
    assert repr(problem) == "FitProblem(openff-2.2.1: 1 molecules, 577 columns)"
    with pytest.raises(SchemeError, match="cannot fit Bond; sections are Bonds, Angles"):
        FitProblem.of(problem.assignment, sections=["Bond"])


@pytest.mark.parametrize("name", ["openff-2.2.1", "gaff2", "untied:openff-2.2.1"])
def test_parameters_are_numbered_as_the_ties_are(name):
    assignment = assignment_of(name, ("CCO", "CSC"))
    parameters, ties = Parameters.of(assignment), rule_ties(assignment, bases_in_use(assignment))
    rest = {"Bonds": "length", "Angles": "angle"}
    expected = [
        (section, rule_id, rest[section] if column == "k*x0" else column, term)
        for section, rule_id, column, term in ties.keys
    ]
    assert list(parameters.keys) == expected
    for number in np.flatnonzero(parameters.partners >= 0).tolist():
        assert parameters.keys[int(parameters.partners[number])][:2] == parameters.keys[number][:2]
