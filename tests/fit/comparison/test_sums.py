"""Sums by the slots of the common sites: errors against a plain evaluation of the same parameters."""

import dataclasses

import numpy as np
import pytest

from ffshare.errors import InputError
from ffshare.fit import Weights
from ffshare.fit.comparison import TermsOf
from ffshare.fit.comparison.sums import Errors, shifted
from ffshare.fit.evaluate import evaluate, molecule_errors
from ffshare.fit.parameters import Parameters
from ffshare.model import Model, rule_ties
from tests.fit.comparison.samples import (
    COMMON,
    COVERED,
    OWN,
    WEIGHTS,
    data,
    parts,
    parts_of,
    spoilt,
    with_numbers,
)
from tests.model.samples import scheme_of

WIDE = TermsOf(periodicities=(1, 2, 3, 4, 5, 6))


def random_values(parameters, seed):
    """Numbers of the size that parameters have."""
    rng = np.random.default_rng(seed)
    lows, highs = np.array([[400, 0.9, 60, 1.6, -3], [900, 1.6, 200, 2.3, 3]])[:, parameters.kinds]
    return rng.uniform(lows, highs)


def evaluated(assignment, molecules):
    """Squared errors of a plain evaluation, and how many there are, shape=(n_molecules, 2) each."""
    model = Model.of(assignment, "gasteiger")
    frames = model.frames([molecule.coords for molecule in molecules])
    found = model.evaluate(frames)
    forces = frames.by_molecule(found.forces)
    errors = [
        molecule_errors(molecule, found.energies.of_molecule(idx), forces[idx])
        for idx, molecule in enumerate(molecules)
    ]
    return sums_of(errors)


def sums_of(errors):
    squares = np.array([[each.energies.squares, each.forces.squares] for each in errors])
    counts = np.array([[each.energies.count, each.forces.count] for each in errors])
    return squares, counts


@pytest.mark.parametrize("seed", range(3))
@pytest.mark.parametrize("terms", [COMMON, WIDE, OWN], ids=["common", "wide", "own"])
@pytest.mark.parametrize("name", ["openff-2.2.1", "gaff"])
def test_errors_are_those_of_a_plain_evaluation(name, terms, seed):
    made = parts(name, terms=terms)
    parameters = Parameters.of(made.labelled, tuple(made.bases))
    values = random_values(parameters, seed)
    amplitudes = rule_ties(made.labelled, made.bases).expand(parameters.unknowns(values))
    found = made.sums.errors(amplitudes)
    squares, counts = evaluated(with_numbers(made, values), made.molecules)
    assert squares.min() > 1e-3
    np.testing.assert_allclose(found.squares, squares, rtol=1e-9)
    np.testing.assert_array_equal(found.counts, counts)


def own_values(made, scheme):
    """The numbers of a force field as a comparison has them: impropers without their phase of 180°, nothing divided."""
    assignment = scheme.assign(made.sites.batch)
    given = Parameters.of(assignment, tuple(made.bases))
    assert given.keys == Parameters.of(made.labelled, tuple(made.bases)).keys
    sections = np.array([key[0] for key in given.keys])
    factors = np.where(sections == "ImproperTorsions", -1.0, 1.0)
    divisors = assignment.tables["ProperTorsions"].columns["idivf"].values
    factors[sections == "ProperTorsions"] /= divisors
    return given.values * factors


@pytest.mark.parametrize(
    "smiles", [COVERED, ("NCc1cccs1", "NC1(C(=O)O)CC1", "CC(=O)NC")], ids=["plain phases", "odd phases and divisors"]
)
def test_errors_with_the_values_of_a_force_field_are_those_of_evaluate(smiles):
    molecules = tuple(map(spoilt, data(smiles, 3, "openff-2.2.1")))
    made, scheme = parts_of("openff-2.2.1", molecules, OWN), scheme_of("openff-2.2.1")
    assert made.bases["ProperTorsions"].sines
    unknowns = Parameters.of(made.labelled, tuple(made.bases)).unknowns(own_values(made, scheme))
    found = made.sums.errors(rule_ties(made.labelled, made.bases).expand(unknowns))
    squares, counts = sums_of(evaluate(scheme, molecules, "gasteiger"))
    np.testing.assert_allclose(found.squares, squares, rtol=1e-9)
    np.testing.assert_array_equal(found.counts, counts)


@pytest.mark.parametrize("name", ["openff-2.2.1", "gaff", "mmff94"])
def test_a_barrier_is_that_of_each_torsion_whatever_a_scheme_divides_it_by(name):
    """Else one prior width would be a narrow one for a scheme that divides by nine."""
    smiles = ("CC", "CC=O", "CC(N)=O", "CCO", "NCc1cccs1")
    for terms in (COMMON, OWN):
        made = parts_of(name, data(smiles, 2, "openff-2.2.1"), terms)
        waves, n_propers = made.bases["ProperTorsions"], len(made.sites.atom_idxs["ProperTorsions"])
        first = 2 * (len(made.sites.atom_idxs["Bonds"]) + len(made.sites.atom_idxs["Angles"]))
        matrix = rule_ties(made.labelled, made.bases).matrix[first : first + n_propers * len(waves.names)]
        n_checked = 0
        for n in {*waves.cosines, *waves.sines}:
            slots = [place for place, each in enumerate(waves.names) if each.endswith(f" {n}")]
            rows = matrix[np.concatenate([np.arange(place, matrix.shape[0], len(waves.names)) for place in slots])]
            # cos² and sin² of the phase of each site and parameter.
            squares = sum(np.square(rows[i * n_propers : (i + 1) * n_propers].toarray()) for i in range(len(slots)))
            n_checked += squares.any()
            np.testing.assert_allclose(squares[squares > 0], 1.0, rtol=1e-12)
        assert n_checked >= 2


def test_a_molecule_with_one_conformer_counts_in_no_error_of_energies():
    molecules = list(data())
    molecules[2] = molecules[2].part(np.array([1]))
    made = parts_of("openff-2.2.1", tuple(molecules))
    found = made.sums.errors(np.zeros(len(made.values.table)))
    assert found.counts[:, 0].tolist() == [0 if idx == 2 else 4 for idx in range(len(molecules))]
    assert found.squares[2, 0] == pytest.approx(0.0, abs=1e-12)
    assert found.squares[2, 1] > 1.0


def test_data_without_forces_have_errors_of_energies_alone():
    molecules = tuple(dataclasses.replace(each, forces=None) for each in data())
    found = parts_of("openff-2.2.1", molecules)
    errors, expected = (each.sums.errors(each.values.table) for each in (found, parts()))
    np.testing.assert_allclose(errors.squares[:, 0], expected.squares[:, 0], rtol=1e-9)
    assert not errors.counts[:, 1].any()
    assert np.isnan(errors.rmse()[1])


def test_data_of_which_some_lack_forces_have_errors_of_what_is_there():
    molecules = [dataclasses.replace(each, forces=None) if idx % 2 else each for idx, each in enumerate(data())]
    made = parts_of("openff-2.2.1", tuple(molecules))
    errors, expected = (each.sums.errors(each.values.table) for each in (made, parts()))
    np.testing.assert_allclose(errors.squares[:, 0], expected.squares[:, 0], rtol=1e-9)
    np.testing.assert_allclose(errors.squares[::2, 1], expected.squares[::2, 1], rtol=1e-9)
    assert not errors.counts[1::2, 1].any()


def test_shifted_sums_give_the_same_squares():
    made = parts()
    rng = np.random.default_rng(5)
    first, second = rng.normal(size=(2, len(made.values.table)))
    for each in made.sums.forces.molecules:
        moved = shifted(each, first)
        assert shifted(moved, second).sum_squares == pytest.approx(shifted(each, first + second).sum_squares, rel=1e-9)


def test_tied_sums_are_the_objective_of_energies_and_forces():
    made = parts()
    problem = made.problem()
    values = random_values(problem.parameters, seed=4)
    unknowns = problem.parameters.unknowns(values)
    errors = made.sums.errors(problem.ties.expand(unknowns)).squares / np.square([WEIGHTS.energy, WEIGHTS.force])
    for each, squares in zip(problem.statistics, errors, strict=True):
        own = unknowns[each.columns]
        objective = own @ each.matrix @ own - 2 * each.vector @ own + each.sum_squares
        assert objective == pytest.approx(squares.sum(), rel=1e-8)


def test_energies_alone_or_forces_alone_can_be_fitted():
    for weights, kept in ((Weights(force=np.inf), 0), (Weights(energy=np.inf), 1)):
        made = parts_of("openff-2.2.1", data(), weights=weights)
        problem = made.problem()
        total = made.sums.errors(problem.ties.expand(np.zeros(len(problem.parameters)))).squares[:, kept]
        sigma = (weights.energy, weights.force)[kept]
        found = [each.sum_squares for each in problem.statistics]
        assert found == pytest.approx((total / sigma**2).tolist(), rel=1e-9)


def test_sums_in_a_folder_are_those_in_memory_to_the_last_bit(tmp_path):
    molecules = [dataclasses.replace(each, forces=None) if idx == 1 else each for idx, each in enumerate(data())]
    in_memory, on_disk = (
        parts_of("openff-2.2.1", tuple(molecules), folder=folder) for folder in (None, tmp_path / "sums")
    )
    problems = [made.problem() for made in (in_memory, on_disk)]
    for mine, theirs in zip(*(problem.statistics for problem in problems), strict=True):
        for name in ("columns", "matrix", "vector"):
            assert getattr(mine, name).tobytes() == getattr(theirs, name).tobytes()
        assert (mine.sum_squares, mine.n_residuals) == (theirs.sum_squares, theirs.n_residuals)
    amplitudes = np.random.default_rng(3).normal(size=len(in_memory.values.table))
    chosen = np.array([1, 2, 6])
    mine, theirs, some = (
        sums.errors(amplitudes) for sums in (in_memory.sums, on_disk.sums, on_disk.sums.of_molecules(chosen))
    )
    assert mine.squares.tobytes() == theirs.squares.tobytes()
    assert mine.squares[chosen].tobytes() == some.squares.tobytes()
    np.testing.assert_array_equal(mine.counts, theirs.counts)
    np.testing.assert_array_equal(mine.counts[chosen], some.counts)


def test_weights_that_depend_on_the_conformer_or_the_molecule_are_refused():
    for weights in (Weights(softening=10.0), Weights(energy_per="atom")):
        with pytest.raises(InputError, match="one error for all energies"):
            parts_of("openff-2.2.1", data(), weights=weights)


def test_errors_pool_over_molecules_that_may_be_named_twice():
    errors = Errors(squares=[[4.0, 9.0], [0.0, 7.0], [2.0, 0.0]], counts=[[2, 3], [0, 7], [2, 0]])
    assert errors.rmse().tolist() == pytest.approx([np.sqrt(6 / 4), np.sqrt(16 / 10)])
    assert errors.rmse(np.array([0, 0, 2])).tolist() == pytest.approx([np.sqrt(10 / 6), np.sqrt(3)])
    assert np.isnan(errors.rmse(np.array([1]))[0])
