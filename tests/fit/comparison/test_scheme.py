"""The fits of one scheme: against independent fits, and what they say of sites that no training molecule feeds."""

import dataclasses

import numpy as np
import pytest
from scipy.optimize import least_squares

from ffshare.fit import FitSettings, SolverSettings
from ffshare.fit.accumulate import accumulate
from ffshare.fit.comparison.scheme import Choice, SlotValues
from ffshare.fit.fit import fit_sums
from ffshare.fit.parameters import BONDED
from ffshare.fit.problem import FitProblem
from ffshare.model import Model
from tests.fit.comparison.samples import (
    COMMON,
    COVERED,
    OWN,
    VARIED,
    WEIGHTS,
    data,
    hessian_of,
    parts,
    parts_of,
    spoilt,
    with_numbers,
)

EXACT = SolverSettings(max_steps=200, tolerance=1e-14)
CHOICE = Choice(strength=3.0, barrier_width=0.3)


def everything(made):
    return np.arange(len(made.molecules))


def without_rule(made, problem):
    """Slots of sites without a rule."""
    return problem.rules[problem.slot_sites] < 0


def hessians_of(molecules):
    return {each.smiles: hessian_of(each, 200.0 + 40.0 * idx) for idx, each in enumerate(molecules)}


@pytest.mark.parametrize("terms", [COMMON, OWN], ids=["common", "own"])
@pytest.mark.parametrize("name", ["openff-2.2.1", "gaff"])
def test_a_fit_to_all_molecules_is_that_of_fit_sums(name, terms):
    made = parts(name, terms=terms)
    problem = made.problem()
    # Nothing but the rules: what no rule feeds has the value 0 in a plain fit.
    table = np.where(without_rule(made, problem), 0.0, made.values.table)
    problem = made._replace(values=dataclasses.replace(made.values, table=table)).problem()
    found = problem.fit(everything(made), CHOICE, EXACT)
    plain = FitProblem.of(made.labelled, weights=WEIGHTS, background=made.background, bases=made.bases, sections=BONDED)
    means = np.zeros(len(problem.parameters))
    takes_part = np.isin(np.array(problem.parameters.names), found.parameters.names)
    means[takes_part] = found.objective.means
    settings = FitSettings(priors=CHOICE.priors, solver=EXACT)
    expected = fit_sums(made.labelled, plain.parameters, accumulate(plain, made.molecules), settings, means=means)
    assert found.parameters.keys == expected.parameters.keys
    assert len(found.parameters) > 70
    moved = np.abs(expected.values - found.objective.means) / found.objective.scales
    assert moved.max() > 0.1
    np.testing.assert_allclose(found.solution.values, expected.values, rtol=1e-6, atol=1e-6)


def test_a_fit_is_the_least_squares_of_plain_residuals():
    made = parts(smiles=("CO", "O"))
    problem = made.problem()
    found = problem.fit(everything(made), CHOICE, EXACT)
    chosen = np.flatnonzero(np.isin(np.array(problem.parameters.names), found.parameters.names))
    means, widths = found.objective.means, CHOICE.priors.scales(found.parameters)

    def residuals(scaled):
        values = np.zeros(len(problem.parameters))
        values[chosen] = scaled * widths
        model = Model.of(with_numbers(made, values), "gasteiger")
        frames = model.frames([molecule.coords for molecule in made.molecules])
        computed = model.evaluate(frames)
        rows = [np.sqrt(CHOICE.strength) * (scaled - means / widths)]
        for idx, (molecule, forces) in enumerate(zip(made.molecules, frames.by_molecule(computed.forces), strict=True)):
            errors = computed.energies.of_molecule(idx) - molecule.energies
            rows += [(errors - errors.mean()) / WEIGHTS.energy, (forces - molecule.forces).ravel() / WEIGHTS.force]
        return np.concatenate(rows)

    oracle = least_squares(residuals, means / widths, xtol=1e-12, ftol=1e-14, gtol=1e-10)
    assert np.abs(oracle.x - means / widths).max() > 0.1
    np.testing.assert_allclose(found.solution.values / widths, oracle.x, atol=1e-4)
    assert found.solution.objective == pytest.approx(2 * oracle.cost, rel=1e-6)


def test_prior_means_are_plain_means_over_training_sites():
    molecules = data()
    made = parts_of("openff-2.2.1", molecules, hessians=hessians_of(molecules))
    assert not np.allclose(made.values.guess, made.values.table)
    problem = made.problem()
    training = np.array([0, 2, 5])
    found = problem.fit(training, Choice())
    n_checked = 0
    for (section, rule_id, column, term), mean in zip(found.parameters.keys, found.objective.means, strict=True):
        guesses = guesses_of(made, section, rule_id, column, term, training)
        assert mean == pytest.approx(guesses, rel=1e-9)
        n_checked += 1
    assert n_checked > 40


def guesses_of(made, section, rule_id, column, term, training):
    """The mean guess of the training sites of a rule, site by site."""
    first = 0
    for name, basis in made.bases.items():
        sites, width = made.labelled.sites[name], len(basis.names)
        amplitudes = made.values.guess[first : first + width * len(sites)].reshape(-1, width)
        first += width * len(sites)
        if name != section:
            continue
        rule = made.labelled.tables[section].ids.index(rule_id)
        mine = amplitudes[[
            place for place, (of, molecule) in enumerate(zip(sites.rule_idxs, sites.molecule_idxs, strict=True))
            if of == rule and molecule in training
        ]]  # fmt: skip
        if section in ("Bonds", "Angles"):
            k, k_rest = mine.mean(axis=0)
            return k if column == "k" else k_rest / k
        # A trefoil has a third of the barrier in each of its terms.
        return mine[:, term].mean() * (3.0 if section == "ImproperTorsions" else 1.0)
    raise AssertionError(section)


def test_what_is_held_out_changes_no_fit():
    molecules = data()
    held_out = (1, 4)
    others = tuple(spoilt(each) if idx in held_out else each for idx, each in enumerate(molecules))
    hessians, stiff = hessians_of(molecules), hessians_of(molecules)
    for idx in held_out:
        stiff[molecules[idx].smiles] = hessian_of(molecules[idx], 999.0)
    training = np.array([idx for idx in range(len(molecules)) if idx not in held_out])
    first, second = (
        parts_of("openff-2.2.1", of, hessians=given).problem() for of, given in ((molecules, hessians), (others, stiff))
    )
    assert not np.array_equal(first.values.guess, second.values.guess)
    found = [each.fit(training, CHOICE) for each in (first, second)]
    np.testing.assert_array_equal(found[0].amplitudes, found[1].amplitudes)
    np.testing.assert_array_equal(found[0].given, found[1].given)
    both = [each.fit(everything(parts()), CHOICE) for each in (first, second)]
    assert not np.allclose(both[0].amplitudes, both[1].amplitudes)


def test_training_data_and_training_hessians_change_a_fit():
    molecules = data()
    training = np.array([0, 2, 3])
    hessians, stiff = hessians_of(molecules), hessians_of(molecules)
    stiff[molecules[2].smiles] = hessian_of(molecules[2], 999.0)
    spoiled = (*molecules[:2], spoilt(molecules[2]), *molecules[3:])
    plain, other_data, other_hessian = (
        parts_of("openff-2.2.1", of, hessians=given).problem().fit(training, CHOICE)
        for of, given in ((molecules, hessians), (spoiled, hessians), (molecules, stiff))
    )
    assert not np.allclose(plain.amplitudes, other_data.amplitudes)
    assert not np.allclose(plain.amplitudes, other_hessian.amplitudes)
    assert not np.allclose(plain.objective.means, other_hessian.objective.means)


@pytest.mark.parametrize("name", ["openff-2.2.1", "gaff", "mmff94", "untied"])
def test_sites_that_no_training_site_feeds_have_the_value_of_the_table(name):
    made = parts(name, smiles=VARIED)
    problem = made.problem()
    training = np.array([0, 4, 8])
    found = problem.fit(training, Choice())
    seen = {int(problem.rules[site]) for site, molecule in zip(problem.slot_sites, problem.slot_molecules, strict=True)
            if molecule in training and problem.rules[site] >= 0}  # fmt: skip
    given = np.array([int(rule) in seen for rule in problem.rules])
    assert found.given.tolist() == given.tolist()
    assert given.any()
    assert not given.all()
    of_slots = given[problem.slot_sites]
    np.testing.assert_array_equal(found.amplitudes[~of_slots], made.values.table[~of_slots])
    assert not np.allclose(found.amplitudes[of_slots], made.values.table[of_slots])


def test_sites_without_a_rule_have_the_value_of_the_table_in_training_too():
    made = parts()
    kept = dict(made.labelled.sites)
    bonds = kept["Bonds"]
    lost = bonds.rule_idxs == bonds.rule_idxs[0]
    kept["Bonds"] = dataclasses.replace(bonds, rule_idxs=np.where(lost, -1, bonds.rule_idxs))
    made = made._replace(labelled=dataclasses.replace(made.labelled, sites=kept))
    problem = made.problem()
    assert problem.covered(("Bonds",)).tolist() == [
        not lost[bonds.molecule_idxs == idx].any() for idx in range(len(COVERED))
    ]
    found = problem.fit(everything(made), CHOICE, EXACT)
    slots = without_rule(made, problem)
    assert slots.sum() >= 2 * lost.sum() > 0
    np.testing.assert_array_equal(found.amplitudes[slots], made.values.table[slots])
    # The objective knows of them: it is that of the amplitudes, table values included.
    errors = made.sums.errors(found.amplitudes).squares.sum(axis=0)
    from_errors = (errors / np.square([WEIGHTS.energy, WEIGHTS.force])).sum()
    assert found.objective.squared_residuals(found.solution.values) == pytest.approx(from_errors, rel=1e-8)


def test_untied_says_of_other_molecules_what_the_table_says():
    made = parts("untied", smiles=VARIED)
    found = made.problem().fit(np.array([0, 1, 2, 3]), Choice())
    errors, alone = made.sums.errors(found.amplitudes), made.sums.errors(made.values.table)
    np.testing.assert_array_equal(errors.squares[4:], alone.squares[4:])
    assert (errors.squares[:4].sum(axis=0) < alone.squares[:4].sum(axis=0)).all()


def test_of_a_fit_to_no_molecule_everything_is_the_table():
    made = parts()
    found = made.problem().fit(np.zeros(0, dtype=np.int64), Choice())
    np.testing.assert_array_equal(found.amplitudes, made.values.table)
    assert len(found.parameters) == 0


def test_a_strong_prior_holds_everything_at_its_mean():
    made = parts()
    found = made.problem().fit(everything(made), Choice(strength=1e12), EXACT)
    np.testing.assert_allclose(found.solution.values, found.objective.means, rtol=1e-5, atol=1e-5)


def test_a_narrow_width_of_barriers_holds_barriers_alone():
    made = parts()
    found = made.problem().fit(everything(made), Choice(barrier_width=1e-6), EXACT)
    away = np.abs(found.solution.values - found.objective.means) / CHOICE.priors.scales(found.parameters)
    barriers = np.array([key[0].endswith("Torsions") for key in found.parameters.keys])
    assert away[barriers].max() < 1e-4
    assert away[~barriers].max() > 0.1


def test_guesses_and_table_are_of_all_slots_and_read_only():
    values = parts().values
    assert isinstance(values, SlotValues)
    assert values.guess.shape == values.table.shape == (len(parts().problem().slot_sites),)
    with pytest.raises(ValueError, match="read-only"):
        values.table[0] = 1.0
