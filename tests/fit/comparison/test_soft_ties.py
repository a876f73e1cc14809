"""Rules that are drawn towards their parents: what happens as the ties grow strong, and where no data are."""

import dataclasses

import numpy as np
import pytest

from ffshare.assign.parents import parent_edges, parents
from ffshare.errors import SchemeError
from ffshare.fit import SolverSettings
from ffshare.fit.comparison.contestants import Contestant
from ffshare.fit.comparison.scheme import Choice
from ffshare.tying import laplacian
from tests.fit.comparison.samples import COMMON, COVERED, OWN, parts, parts_of
from tests.model.samples import scheme_of

EXACT = SolverSettings(max_steps=300, tolerance=1e-14)
SEEN = (*COVERED, "CC(C)=O", "CNC", "COC=O")


def edges_of(made):
    """Edges of openff rules to their parents, found in the molecules of the comparison themselves."""
    assignment = scheme_of("openff-2.2.1").assign(made.sites.batch)
    tables = {section: made.labelled.tables[section] for section in made.bases}
    return parent_edges(tables, {section: parents(section, assignment) for section in made.bases})


@pytest.fixture(scope="module")
def made():
    return parts(smiles=SEEN)


@pytest.fixture(scope="module")
def problem(made):
    return made.problem(edges_of(made))


def numbers_of(found, problem):
    """Place of each parameter of the problem among those fitted, −1 where it does not take part."""
    places = {key: place for place, key in enumerate(found.parameters.keys)}
    return np.array([places.get(key, -1) for key in problem.parameters.keys])


@pytest.mark.parametrize("terms", [COMMON, OWN], ids=["common", "own"])
def test_edges_join_the_same_term_of_a_rule_and_its_parent(terms):
    made = parts(smiles=SEEN, terms=terms)
    problem = made.problem(edges_of(made))
    assert len(problem.edges) > 30
    assignment = scheme_of("openff-2.2.1").assign(made.sites.batch)
    of_section = {section: parents(section, assignment) for section in made.bases}
    for child, parent in problem.edges.tolist():
        section, rule_id, column, term = problem.parameters.keys[child]
        ids = assignment.tables[section].ids
        above = ids[of_section[section][ids.index(rule_id)]]
        assert problem.parameters.keys[parent][:3] == (section, above, column)
        if terms is COMMON:
            assert problem.parameters.keys[parent][3] == term


def test_strength_zero_is_a_fit_without_soft_ties(made, problem):
    training = np.arange(len(SEEN))
    plain, soft = made.problem().fit(training, Choice()), problem.fit(training, Choice(soft=0.0))
    np.testing.assert_array_equal(plain.amplitudes, soft.amplitudes)
    assert not np.allclose(plain.amplitudes, problem.fit(training, Choice(soft=10.0)).amplitudes)


def test_strong_ties_make_children_equal_to_their_parents(problem):
    found = problem.fit(np.arange(len(SEEN)), Choice(soft=1e10), EXACT)
    places, widths = numbers_of(found, problem), found.objective.scales
    edges = places[problem.edges]
    edges = edges[(edges >= 0).all(axis=1)]
    assert len(edges) > 10
    values = found.solution.values / widths
    assert np.abs(values[edges[:, 0]] - values[edges[:, 1]]).max() < 1e-4
    # And loose ones do not, for the data know better.
    loose = problem.fit(np.arange(len(SEEN)), Choice(soft=1e-3), EXACT).solution.values / widths
    assert np.abs(loose[edges[:, 0]] - loose[edges[:, 1]]).max() > 0.1


def nearest_fed(problem, parameter, fed):
    """The nearest ancestor of a parameter that data feed, None where there is none."""
    parent_of = dict(problem.edges.tolist())
    above = parent_of.get(parameter)
    while above is not None and above not in fed:
        above = parent_of.get(above)
    return above


def fed_by(problem, training):
    return {column for idx in training for column in problem.statistics[idx].columns.tolist()}


@pytest.mark.parametrize("strength", [1.0, 1000.0])
@pytest.mark.parametrize("training", [(0, 2), (0, 8), (3, 8)])
def test_an_unseen_child_has_the_fitted_value_of_its_nearest_seen_ancestor(made, problem, training, strength):
    found = problem.fit(np.array(training), Choice(strength=strength, soft=3.0))
    fed = fed_by(problem, training)
    values = dict(zip(found.parameters.keys, found.parameters.unknowns(found.solution.values), strict=True))
    assert set(values) == {problem.parameters.keys[idx] for idx in fed}
    matrix = problem.ties.matrix.tocsr()
    n_inherited = n_table = 0
    for slot in range(matrix.shape[0]):
        row = slice(*matrix.indptr[slot : slot + 2])
        sources = [idx if idx in fed else nearest_fed(problem, idx, fed) for idx in matrix.indices[row].tolist()]
        if not sources or None in sources:
            # No rule, or none whose ancestors are known.
            n_table += bool(sources)
            assert found.amplitudes[slot] == made.values.table[slot]
        else:
            n_inherited += any(idx not in fed for idx in matrix.indices[row].tolist())
            expected = sum(coef * values[problem.parameters.keys[source]]
                           for coef, source in zip(matrix.data[row], sources, strict=True))  # fmt: skip
            assert found.amplitudes[slot] == pytest.approx(expected, rel=1e-12)
    assert n_table > 0
    assert n_inherited > 0


def test_rules_without_data_do_not_change_the_fit_of_others(made, problem):
    """An unseen rule is no second prior of its parent: the fit is that of a force field without it."""
    training = np.array([0, 2])
    fed = fed_by(problem, training)
    seen = np.array([edge for edge in problem.edges.tolist() if set(edge) <= fed]).reshape(-1, 2)
    assert 0 < len(seen) < len(problem.edges)
    assert all(nearest_fed(problem, child, fed) in (parent, None) for child, parent in problem.edges.tolist()
               if child in fed)  # fmt: skip
    choice = Choice(soft=3.0)
    with_all, without = problem.fit(training, choice, EXACT), made.problem(seen).fit(training, choice, EXACT)
    np.testing.assert_allclose(with_all.solution.values, without.solution.values, rtol=1e-12)


def test_a_child_whose_parent_no_data_feed_is_drawn_to_the_next_ancestor(made):
    """Of three generations of bonds, the second without data."""
    keys = made.problem().parameters.keys
    fed = fed_by(made.problem(), range(len(SEEN)))
    stiff = [idx for idx, key in enumerate(keys) if key[0] == "Bonds" and key[2] == "k"]
    rest = {key[1]: idx for idx, key in enumerate(keys) if key[0] == "Bonds" and key[2] == "length"}
    first, last = [idx for idx in stiff if idx in fed][:2]
    middle = next(idx for idx in stiff if idx not in fed)
    chain = [(last, middle), (middle, first)]
    chain += [(rest[keys[child][1]], rest[keys[parent][1]]) for child, parent in chain]
    everything = np.arange(len(SEEN))
    short = [(last, first), (rest[keys[last][1]], rest[keys[first][1]])]
    found = [made.problem(np.array(edges)).fit(everything, Choice(soft=50.0), EXACT) for edges in (chain, short)]
    np.testing.assert_allclose(found[0].solution.values, found[1].solution.values, rtol=1e-12)
    plain = made.problem().fit(everything, Choice(), EXACT)
    assert not np.allclose(found[0].solution.values, plain.solution.values)


def test_the_penalty_is_the_laplacian_of_the_edges_in_prior_widths(problem):
    choice = Choice(strength=2.0, barrier_width=0.2, soft=7.0)
    found = problem.fit(np.arange(len(SEEN)), choice)
    places, widths = numbers_of(found, problem), choice.priors.scales(found.parameters)
    edges = places[problem.edges]
    edges = edges[(edges >= 0).all(axis=1)]
    expected = laplacian(len(widths), edges, 7.0 / widths[edges[:, 0]] ** 2) + np.diag(2.0 / widths**2)
    np.testing.assert_allclose(found.objective.penalty.toarray(), np.asarray(expected), rtol=1e-12)


def test_a_soft_contestant_finds_parents_in_molecules_without_reference_data():
    contestant = Contestant(group="openff-2.2.1+soft", scheme="openff-2.2.1", is_soft=True)
    found = contestant.parents()
    assert set(found) == {"Bonds", "Angles", "ProperTorsions", "ImproperTorsions"}
    for section, of in found.items():
        assert (of < np.arange(len(of))).all(), section
        assert (of >= 0).any()


def test_a_scheme_without_smirks_has_no_parents():
    contestant = Contestant(group="mmff94+soft", scheme="mmff94", is_soft=True)
    with pytest.raises(SchemeError, match="are not SMIRKS"):
        contestant.parents()


def test_soft_ties_leak_nothing_of_what_is_held_out(made, problem):
    training = np.arange(5)
    molecules = list(made.molecules)
    molecules[6] = dataclasses.replace(molecules[6], energies=molecules[6].energies * 2, forces=-molecules[6].forces)
    other = parts_of("openff-2.2.1", tuple(molecules)).problem(problem.edges)
    first, second = (each.fit(training, Choice(soft=5.0)).amplitudes for each in (problem, other))
    np.testing.assert_array_equal(first, second)
