"""Whole comparisons: nothing leaks, and nothing but the data and the settings changes a number."""

import dataclasses
from functools import partial

import numpy as np
import pytest
from rdkit import Chem

from ffshare.assign.parents import parent_edges
from ffshare.errors import InputError, SchemeError
from ffshare.fit import gather
from ffshare.fit.comparison import Candidates
from ffshare.fit.comparison.contest import FITTING, Contest, Task
from ffshare.fit.comparison.contestants import Contestant
from ffshare.fit.comparison.scheme import Choice
from ffshare.fit.folds import constitution, folds
from ffshare.molecules import GraphBatch, mapped_smiles, molecule_from_smiles
from tests.fit.comparison.run_samples import SCHEMES, SETTINGS, SMILES, as_json, hessians_of, molecules, plain, run
from tests.fit.comparison.samples import COMMON, OWN, WEIGHTS, hessian_of, parts_of, reference_of, spoilt


def held_out(given):
    names = [constitution(molecule) for molecule in reference_of(given).batch().molecules]
    return [fold.held_out for fold in folds(names, 3, SETTINGS.seed)]


def renumbered(molecule, order):
    """The same molecule with its atoms in another order."""
    given = Chem.RenumberAtoms(molecule_from_smiles(molecule.smiles), order.tolist())
    return dataclasses.replace(
        molecule,
        smiles=mapped_smiles(GraphBatch.from_molecules([given]), 0).smiles,
        coords=molecule.coords[:, order],
        forces=molecule.forces[:, order],
    )


def numbers(value):
    """All numbers of a JSON value, in their order."""
    if isinstance(value, dict):
        return [number for each in value.values() for number in numbers(each)]
    if isinstance(value, list | tuple):
        return [number for each in value for number in numbers(each)]
    return [float(value)] if isinstance(value, int | float) and value is not None else []


def test_what_is_held_out_changes_no_choice_and_no_fit_of_its_fold():
    given, number = molecules(), 1
    out = held_out(given)[number]
    others = [spoilt(each) if idx in out else each for idx, each in enumerate(given)]
    hessians = hessians_of(given)
    hessians |= {given[idx].smiles: hessian_of(given[idx], 900.0) for idx in out}
    for before, after in zip(plain().schemes, run(others, hessians=hessians).schemes, strict=True):
        first, second = before.folds[number], after.folds[number]
        assert (first.choice, first.training_squares) == (second.choice, second.training_squares)
        assert first.squares != second.squares
        # Where these molecules train, they count.
        for rest in (0, 2):
            assert before.folds[rest].training_squares != after.folds[rest].training_squares


@pytest.mark.parametrize(("name", "is_soft"), [("gaff", False), ("openff-2.2.1", True)])
def test_choices_are_the_best_on_one_training_fold_of_fits_to_the_others(name, is_soft):
    """By hand: a fit to the inner molecules of every candidate, its objective on the validation molecules."""
    candidates = Candidates(
        strengths=(1.0, 4.0, 20.0, 90.0), barrier_widths=(0.03, 0.1, 0.3, 1.0), soft=(0.1, 1.0, 9.0)
    )
    made = parts_of(name, molecules())
    contestant = Contestant(group=name, scheme=name, is_soft=is_soft)
    edges = None
    if is_soft:
        tables = {section: made.labelled.tables[section] for section in made.bases}
        edges = parent_edges(tables, contestant.parents())
    problem = made.problem(edges)
    splits = folds([constitution(molecule) for molecule in made.sites.batch.molecules], 3, seed=1)
    contest = Contest(COMMON, made.sites, made.bases, made.sums, made.values, splits, candidates)
    found = [contest(Task(contestant=contestant, fold=number)) for number in range(3)]

    def loss(fold, **setting):
        errors = made.sums.errors(problem.fit(fold.inner, Choice(**setting), FITTING).amplitudes).squares
        return (errors[fold.validation] / np.square([WEIGHTS.energy, WEIGHTS.force])).sum()

    for fold, scores in zip(splits, found, strict=True):
        setting = {"strength": 20.0, "barrier_width": 0.3, "soft": 1.0 if is_soft else 0.0}
        for key, values in (
            ("strength", candidates.strengths),
            ("barrier_width", candidates.barrier_widths),
            ("soft", candidates.soft if is_soft else (0.0,)),
        ):
            losses = [loss(fold, **(setting | {key: value})) for value in values]
            # Up from the middle while that helps; down where it does not help at once.
            place = middle = len(values) // 2
            while place + 1 < len(values) and losses[place + 1] < losses[place]:
                place += 1
            while place <= middle and place > 0 and losses[place - 1] < losses[place]:
                place -= 1
            setting[key] = values[place]
        assert scores.choice == setting
        # Then all training molecules are fitted.
        fitted = problem.fit(fold.training, Choice(**setting), FITTING)
        expected = made.sums.errors(fitted.amplitudes).squares
        assert scores.molecules == tuple(fold.held_out.tolist())
        # To the tolerance of the solver, which may have started elsewhere.
        np.testing.assert_allclose(scores.squares, expected[fold.held_out], rtol=1e-3)
        np.testing.assert_allclose(scores.training_squares, expected[fold.training].sum(axis=0), rtol=1e-3)
    assert len({tuple(scores.choice.values()) for scores in found}) > 1


def test_every_molecule_is_held_out_once_and_stereoisomers_together():
    first, second = SMILES.index("C/C=C/C"), SMILES.index(r"C/C=C\C")
    for scheme in plain().schemes:
        of_fold = [fold.molecules for fold in scheme.folds]
        assert sorted(idx for of in of_fold for idx in of) == list(range(len(SMILES)))
        assert any({first, second} <= set(of) for of in of_fold)


def test_schemes_differ_and_beat_the_table():
    openff, gaff, table = plain().rows
    assert (openff["scheme"], gaff["scheme"], table["scheme"]) == (*SCHEMES, "table alone")
    assert openff["exercised"] != gaff["exercised"]
    for row in (openff, gaff):
        assert 0 < row["identifiable"] <= row["exercised"] <= row["defined"]
        assert row["training"]["force"] < table["training"]["force"]
        assert row["statuses"] == ["converged"]
        assert row["held_out"]["force"]["rmse"] > row["training"]["force"]


def test_the_order_of_the_atoms_changes_nothing():
    rng = np.random.default_rng(8)
    orders = [rng.permutation(each.n_atoms) for each in molecules()]
    turned = [renumbered(each, order) for each, order in zip(molecules(), orders, strict=True)]
    hessians = {}
    for old, new, order in zip(molecules(), turned, orders, strict=True):
        found, places = hessians_of(molecules())[old.smiles], (3 * order[:, None] + np.arange(3)).ravel()
        hessians[new.smiles] = found._replace(coords=found.coords[order], hessian=found.hessian[np.ix_(places, places)])
    first, second = plain(), run(turned, hessians=hessians)
    for before, after in zip(first.rows, second.rows, strict=True):
        assert before["choices"] == after["choices"]
        np.testing.assert_allclose(numbers(before), numbers(after), rtol=1e-8, atol=1e-8)


def test_the_order_of_the_schemes_changes_no_score():
    turned = run(schemes=SCHEMES[::-1], hessians=hessians_of(molecules()))
    rows = {row["scheme"]: row for row in plain().rows}
    for row in turned.rows:
        for subset in ("held_out", "covered", "seen"):
            for kind in ("energy", "force"):
                expected = rows[row["scheme"]][subset][kind]
                assert (row[subset][kind]["rmse"], row[subset][kind]["interval"]) == (
                    expected["rmse"],
                    expected["interval"],
                )
        assert (row["choices"], row["training"]) == (
            rows[row["scheme"]]["choices"],
            rows[row["scheme"]]["training"],
        )


def test_other_workers_give_the_same_numbers_to_the_last_bit(elsewhere):
    found = run(hessians=hessians_of(molecules()), engine=elsewhere)
    assert as_json(found) == as_json(plain())


@pytest.mark.parametrize("molecules_at_once", [1, 7])
def test_what_is_worked_on_together_changes_no_more_than_rounding(monkeypatch, molecules_at_once):
    given = hessians_of(molecules())
    monkeypatch.setattr("ffshare.fit.comparison.sums.gather", partial(gather, molecules_at_once=molecules_at_once))
    for before, after in zip(plain().schemes, run(hessians=given).schemes, strict=True):
        for one, other in zip(before.folds, after.folds, strict=True):
            np.testing.assert_allclose(one.training_squares, other.training_squares, rtol=1e-12)


def test_draws_of_a_control_and_soft_ties_take_part():
    schemes = ("openff-2.2.1", "openff-2.2.1+soft", "untied", "hashed:openff-2.2.1")
    few = Candidates(strengths=(1.0,), barrier_widths=(1.0,), soft=(5.0,))
    found = run(schemes=schemes, settings=dataclasses.replace(SETTINGS, candidates=few))
    rows = {row["scheme"]: row for row in found.rows}
    assert tuple(rows) == (*schemes, "table alone")
    assert [rows[name]["n_draws"] for name in schemes] == [1, 1, 1, 2]
    assert len(found.schemes) == 5
    plain_rules = rows["openff-2.2.1"]
    for name in schemes[3:]:
        low, high = rows[name]["held_out"]["force"]["range_of_draws"]
        assert low <= rows[name]["held_out"]["force"]["rmse"] <= high
        assert rows[name]["defined"] == plain_rules["exercised"]
        assert rows[name]["exercised"] <= plain_rules["exercised"]
    assert rows["openff-2.2.1+soft"]["exercised"] == plain_rules["exercised"]
    assert rows["openff-2.2.1+soft"]["share_without_parameter"] < plain_rules["share_without_parameter"]
    assert {choice["soft"] for choice in plain_rules["choices"]} == {0.0}
    assert {choice["soft"] for choice in rows["openff-2.2.1+soft"]["choices"]} == {5.0}
    # Molecules of other constitutions share nothing with what is held out.
    for kind in ("energy", "force"):
        assert rows["untied"]["held_out"][kind]["rmse"] == rows["table alone"]["held_out"][kind]["rmse"]
    assert rows["untied"]["share_without_parameter"] == 1.0


def test_own_terms_are_compared_where_there_are_any():
    found = run(schemes=("openff-2.2.1", "gaff"), settings=dataclasses.replace(SETTINGS, terms=OWN))
    assert found.terms == "each scheme's own periodicities and phases"
    assert found.rows[0]["exercised"] != plain().rows[0]["exercised"]


def test_no_scheme_and_unknown_schemes_are_refused():
    with pytest.raises(InputError, match="name one scheme or more"):
        run(schemes=())
    with pytest.raises(SchemeError, match="no-such-scheme"):
        run(schemes=("no-such-scheme",))
    with pytest.raises(SchemeError, match="are not SMIRKS"):
        run(schemes=("mmff94+soft",))


def test_too_few_molecules_are_refused():
    with pytest.raises(InputError, match="2 molecules cannot be split into 3 folds"):
        run(molecules()[2:5])


def test_data_without_charges_need_another_method():
    with pytest.raises(InputError, match="the reference data give no charges for CCO and 8 others"):
        run(settings=dataclasses.replace(SETTINGS, charges="reference"))
