"""How many numbers of a scheme reference data identify: ranks of the rows themselves, written out plainly."""

from dataclasses import replace

import numpy as np
import pytest
from scipy import sparse

import ffshare
from ffshare.errors import InputError, SchemeError
from ffshare.fit import FitProblem, Priors, ReferenceMolecule, Weights, accumulate, fit, identifiable
from ffshare.fit.parameters import BONDED
from ffshare.fit.residuals import Chunk
from tests.fit.synthetic import SMALL, assignment_of, coordinates_of, exact, reference_of
from tests.model.samples import scheme_of

SCHEMES = ("openff-2.2.1", "gaff2", "untied:openff-2.2.1", "hashed:openff-2.2.1")
NONE = dict.fromkeys(BONDED, 0)


def water(lengths, angles):
    """Water with one O-H bond and its angle moved together, without forces."""
    return ReferenceMolecule(
        smiles="[O:1]([H:2])[H:3]",
        coords=[
            [[0, 0, 0], [0.96, 0, 0], [length * np.cos(angle), length * np.sin(angle), 0]]
            for length, angle in zip(lengths, np.radians(angles), strict=True)
        ],
        energies=np.zeros(len(lengths)),
    )


def ranks(assignment, reference, weights=None):
    """The rank of all columns, and of those of each section, by SVD of the rows."""
    problem = FitProblem.of(assignment, weights=weights)
    left = [idx for idx in range(len(reference)) if idx not in problem.skipped]
    chunk = Chunk.of(problem, np.array(left), [reference[idx] for idx in left])
    touched = accumulate(problem, reference).equations.touched
    parts = []
    for rows in chunk.rows(chunk.straight()):
        part = np.zeros((rows.values.shape[1], len(touched)))
        part[:, np.searchsorted(touched, rows.columns)] = rows.values.T
        parts.append(part)
    parameters = problem.parameters.part(touched)
    design = np.concatenate(parts) @ parameters.jacobian(parameters.values).toarray() * Priors().scales(parameters)
    of = np.array([key[0] for key in parameters.keys])
    # Over the largest of the columns that hang together, as the tolerance is meant, which is of squares.
    count, member = sparse.csgraph.connected_components(np.abs(design).T @ np.abs(design), directed=False)
    design = np.linalg.qr(design, mode="r")
    total, sections = 0, dict.fromkeys(problem.sections, 0)
    for number in range(count):
        mine = design[:, member == number]
        least = 1e-5 * np.linalg.norm(mine, ord=2)
        total += np.sum(np.linalg.svd(mine, compute_uv=False) > least)
        for name in sections:
            alone = mine[:, of[member == number] == name]
            sections[name] += np.sum(np.linalg.svd(alone, compute_uv=False) > least) if alone.size else 0
    return total, sections


@pytest.mark.parametrize("name", SCHEMES)
@pytest.mark.parametrize("with_forces", [True, False])
def test_the_numbers_are_the_ranks_of_the_rows(name, with_forces):
    assignment, reference = exact(name, SMALL[:-1])  # a torsion that is almost straight is at the edge of any tolerance
    weights = Weights() if with_forces else Weights(force=float("inf"))
    found = identifiable(assignment, reference, weights=weights)
    total, sections = ranks(assignment, reference, weights)
    assert found.total == total
    assert found.sections == sections
    assert max(sections.values()) <= total <= min(sum(sections.values()), found.n_touched)
    if not with_forces:
        assert total < found.n_touched


def test_a_fit_that_starts_at_its_solution_identifies_as_many():
    assignment, reference = exact("openff-2.2.1")
    result = fit(assignment, reference, "gasteiger")
    assert identifiable(assignment, reference).total == result.identifiability.rank


def test_a_combination_across_sections_counts_once_in_the_total():
    # Of three conformers, less their constant, two numbers are seen; a spring has as many.
    assignment = scheme_of("openff-2.2.1").assign(ffshare.from_smiles("O"))
    both = identifiable(assignment, [water([0.94, 0.96, 0.98], [103.0, 105.0, 106.5])])
    assert (both.n_touched, both.total) == (4, 2)
    assert both.sections == NONE | {"Bonds": 2, "Angles": 2}
    assert len(both.identifiability.sentences) == 1
    bond = identifiable(assignment, [water([0.94, 0.96, 0.98], [105.0, 105.0, 105.0])])
    assert (bond.sections, bond.total) == (NONE | {"Bonds": 2}, 2)
    apart = identifiable(assignment, [water([0.94, 0.96, 0.98, 0.96, 0.96], [104.0, 104.0, 104.0, 103.0, 106.0])])
    assert (apart.sections, apart.total) == (NONE | {"Bonds": 2, "Angles": 2}, 4)


def test_a_single_conformer_without_forces_identifies_nothing():
    assignment = scheme_of("openff-2.2.1").assign(ffshare.from_smiles("O"))
    found = identifiable(assignment, [water([0.96], [104.0])])
    assert (found.total, found.n_touched) == (0, 4)


@pytest.mark.parametrize("name", ["openff-2.2.1", "gaff2", "hashed:openff-2.2.1"])
def test_no_more_is_identified_than_is_exercised(name):
    assignment, reference = exact(name)
    found, used = identifiable(assignment, reference), assignment.count()
    assert set(found.sections) <= set(BONDED)
    for section, number in found.sections.items():
        assert 0 <= number <= used[section].exercised
    assert 0 < found.total <= used["valence and vdW"].exercised - used["vdW"].exercised


def test_guessed_values_are_taken_as_known():
    # Angles of the ring have no rule, and an empirical formula gives their values.
    smiles = ("CCO", "FC1CCC1")
    assignment = assignment_of("gaff2", smiles)
    guessed = {name: used for name, used in ((name, assignment.count()[name].guessed) for name in BONDED) if used}
    assert guessed
    reference = reference_of(assignment, coordinates_of(smiles))
    found = identifiable(assignment, reference)
    problem = FitProblem.of(assignment)
    assert found.n_touched < len(accumulate(problem, reference).equations.touched)
    for section in guessed:
        assert found.sections[section] <= assignment.count()[section].exercised


def test_molecules_with_a_term_without_a_rule_take_no_part():
    smiles = ("CCO", "C[SiH3]")
    assignment = scheme_of("openff-2.2.1").assign(ffshare.from_smiles(*smiles))
    known = exact("openff-2.2.1", smiles[:1])
    rng = np.random.default_rng(1)
    coords = np.concatenate([coordinates_of(("CC",))[0][:, :2], rng.normal(size=(12, 6, 3))], axis=1)
    silane = ReferenceMolecule(smiles="silane", coords=coords, energies=np.arange(12.0), level="synthetic")
    found = identifiable(assignment, [*known[1], silane])
    assert (found.n_molecules, found.n_skipped) == (1, 1)
    assert found.sections == identifiable(*known).sections


def test_what_is_no_spring_or_cosine_is_refused_in_words():
    smiles = SMALL[:1]
    with pytest.raises(SchemeError, match="section Bonds has the potential"):
        identifiable(assignment_of("mmff94", smiles), exact("openff-2.2.1", smiles)[1])


def test_a_parameter_without_a_value_is_named():
    assignment, reference = exact("openff-2.2.1", SMALL[:1])
    table = assignment.tables["Bonds"]
    k = replace(table.columns["k"], values=np.full(len(table.columns["k"].values), np.nan))
    bonds = replace(table, columns={**table.columns, "k": k})
    with pytest.raises(SchemeError, match=r"parameters have no value, the first b\d+\.k"):
        identifiable(replace(assignment, tables={**assignment.tables, "Bonds": bonds}), reference)


def test_data_of_other_molecules_are_refused():
    assignment, reference = exact("openff-2.2.1")
    with pytest.raises(InputError, match="atoms"):
        identifiable(assignment, reference[::-1])
