"""The strength of soft ties in a run: what the data choose, against fits that are made one by one."""

import json
from dataclasses import asdict, replace

import numpy as np
import pytest

from ffshare.assign.parents import soft_ties
from ffshare.errors import InputError, SchemeError
from ffshare.fit import Parameters, RunInputs, RunSettings, SoftTies, Weights, fit, run_fit, write_run
from ffshare.fit.evaluate import molecule_errors
from ffshare.fit.folds import constitution, folds
from ffshare.fit.run.soft_ties import CANDIDATES, StrengthChoice, Tried
from ffshare.model import Frames, Model
from tests.fit.run_samples import run_of, some_molecules, write_data
from tests.model.samples import scheme_of

# Two of these are stereoisomers, and in none is an angle almost straight.
CHOSEN = (2, 5, 8, 9, 22, 28, 29, 30, 31, 33, 34, 48, 49)
CHOOSE = {"strength": "choose"}
WEIGHTS = Weights(clash=float("inf"))


def reference_of(idxs):
    given = some_molecules(50)
    return replace(given, molecules=tuple(given.molecules[idx] for idx in idxs))


@pytest.fixture(scope="module")
def data(tmp_path_factory):
    path = tmp_path_factory.mktemp("data") / "data.parquet"
    return write_data(path, n=0, more=reference_of(CHOSEN).molecules)


@pytest.fixture(scope="module")
def run(data):
    return run_of(data, soft_ties=CHOOSE, weights={"clash": WEIGHTS.clash})


def squares(assignment, molecules):
    """Squared errors of energies and forces over what is allowed for them."""
    frames = Frames.from_conformers(assignment.batch, [molecule.coords for molecule in molecules])
    found = Model.of(assignment, "gasteiger").evaluate(frames)
    total = 0.0
    for idx, (molecule, forces) in enumerate(zip(molecules, frames.by_molecule(found.forces), strict=True)):
        errors = molecule_errors(molecule, found.energies.of_molecule(idx), forces)
        total += errors.energies.squares / WEIGHTS.energy**2 + errors.forces.squares / WEIGHTS.force**2
    return total


def test_each_strength_is_judged_by_fits_that_never_saw_the_molecules_it_is_judged_on(run):
    """Another way to the same: assign and fit the training molecules alone, and compute energies of the others."""
    scheme, reference = scheme_of("openff-2.2.1"), reference_of(CHOSEN)
    whole = scheme.assign(reference.batch())
    keys = whole.tying().keys
    pairs = [(keys[child], keys[parent]) for child, parent in soft_ties(whole).tolist()]
    names = [constitution(molecule) for molecule in whole.batch.molecules]
    assert len(set(names)) == len(names) - 1
    expected = np.zeros(len(CANDIDATES))
    for fold in folds(names, 5, seed=1):
        training, held_out = (replace(reference, molecules=tuple(reference.molecules[idx] for idx in of))
                              for of in (fold.training, fold.held_out))  # fmt: skip
        seen, unseen = scheme.assign(training.batch()), scheme.assign(held_out.batch())
        for place, strength in enumerate(CANDIDATES):
            ties = SoftTies.between(Parameters.of(seen), pairs, strength)
            result = fit(seen, training, "gasteiger", weights=WEIGHTS, soft_ties=ties)
            assert not result.left_out
            expected[place] += squares(replace(unseen, tables=result.tables()), held_out.molecules)
    choice = run.soft_ties.choice
    assert [tried.strength for tried in choice.candidates] == list(CANDIDATES)
    assert [tried.held_out_objective for tried in choice.candidates] == pytest.approx(expected, rel=1e-6)
    assert np.ptp(expected) > 0.01 * expected.min()
    assert run.soft_ties.strength == CANDIDATES[int(np.argmin(expected))]
    assert choice.n_residuals == run.result.n_residuals
    assert all(tried.converged for tried in choice.candidates)


def test_a_fit_of_a_chosen_strength_is_the_fit_of_that_number(data, run):
    given = run_of(data, soft_ties={"strength": run.soft_ties.strength}, weights={"clash": WEIGHTS.clash})
    assert given.result.values.tobytes() == run.result.values.tobytes()
    assert given.result.errors.tobytes() == run.result.errors.tobytes()
    assert given.soft_ties.choice is None
    assert given.soft_ties.strength == run.soft_ties.strength


class Killed(Exception):
    """What ends a run."""


def test_a_run_that_is_killed_while_it_chooses_ends_in_the_same_bits(data, run, tmp_path):
    told = RunSettings(
        scheme="openff-2.2.1",
        reference=str(data),
        charges="gasteiger",
        soft_ties=CHOOSE,
        weights={"clash": WEIGHTS.clash},
    )
    seen = []

    def kill(stage, n_done, n_all):
        if stage == "choosing the strength of soft ties":
            seen.append((n_done, n_all))
            if n_done == 12:
                raise Killed

    with pytest.raises(Killed):
        run_fit(RunInputs.of(told), tmp_path, kill)
    assert seen == [(n, 5 * len(CANDIDATES)) for n in range(1, 13)]
    stamps = {path: path.stat().st_mtime_ns for path in tmp_path.iterdir()}
    again = run_fit(RunInputs.of(told), tmp_path)
    assert {path: path.stat().st_mtime_ns for path in tmp_path.iterdir()} == stamps
    assert asdict(again.soft_ties.choice) == asdict(run.soft_ties.choice)
    assert again.result.values.tobytes() == run.result.values.tobytes()


def test_rules_that_are_like_their_parents_get_strong_ties_and_rules_that_are_not_get_none(tmp_path):
    scheme, reference = scheme_of("openff-2.2.1"), reference_of(CHOSEN)
    assignment = scheme.assign(reference.batch())
    alike = with_values_of_parents(assignment)
    strengths = []
    for name, truth in (("own", assignment), ("parents", alike)):
        frames = Frames.from_conformers(assignment.batch, [each.coords for each in reference.molecules])
        found = Model.of(truth, "gasteiger").evaluate(frames)
        molecules = tuple(
            replace(each, energies=found.energies.of_molecule(idx), forces=forces)
            for idx, (each, forces) in enumerate(
                zip(reference.molecules, frames.by_molecule(found.forces), strict=True)
            )
        )
        run = run_of(write_data(tmp_path / f"{name}.parquet", n=0, more=molecules), soft_ties=CHOOSE)
        strengths.append(run.soft_ties.strength)
    assert strengths == [0.0, max(CANDIDATES)]


def with_values_of_parents(assignment):
    """A force field whose parameters are those of the first ancestors of their rules."""
    parameters = Parameters.of(assignment)
    values = parameters.values.copy()
    keys = assignment.tying().keys
    numbers = {key: number for number, key in enumerate(parameters.keys)}
    # Parents stand before their children.
    for child, parent in soft_ties(assignment).tolist():
        if keys[child] in numbers:
            values[numbers[keys[child]]] = values[numbers[keys[parent]]]
    tables = dict(assignment.tables)
    for number, (section, _, name, _) in enumerate(parameters.keys):
        column = tables[section].columns[name]
        numbers_of = column.values.copy()
        numbers_of[parameters.entries[number]] = values[number]
        tables[section] = replace(
            tables[section], columns={**tables[section].columns, name: replace(column, values=numbers_of)}
        )
    return replace(assignment, tables=tables)


def test_the_report_has_every_strength_that_was_tried(run, tmp_path):
    write_run(run, tmp_path, b"")
    told = json.loads((tmp_path / "fit.json").read_text(encoding="utf-8"))
    found, choice = told["soft_ties"], run.soft_ties.choice
    assert found["strength"] == choice.strength
    assert found["n_ties"] == len(run.soft_ties.ties.edges)
    assert (found["choice"]["n_folds"], found["choice"]["seed"]) == (5, 1)
    assert [each["strength"] for each in found["choice"]["candidates"]] == list(CANDIDATES)
    best = min(found["choice"]["candidates"], key=lambda each: each["held_out_objective"])
    assert best["strength"] == found["strength"]
    assert told["settings"]["soft_ties"]["strength"] == "choose"


def test_of_strengths_that_do_as_well_the_weakest_is_taken():
    tried = [(0.0, 5.0), (0.1, 3.0), (1.0, 3.0), (10.0, 4.0)]
    choice = StrengthChoice(
        candidates=tuple(Tried(strength=s, held_out_objective=q, converged=True) for s, q in tried),
        n_residuals=10,
        n_folds=5,
        seed=1,
    )
    assert choice.strength == 0.1


def test_parameters_that_are_fixed_are_fixed_while_the_strength_is_chosen(data, run):
    fixed = [name for name in run.result.parameters.names if name.endswith((".k", ".length", ".angle"))]
    held = run_of(data, soft_ties=CHOOSE, fixed=fixed, sections=["Bonds", "Angles"])
    one_of_each = {tried.held_out_objective for tried in held.soft_ties.choice.candidates}
    assert len(one_of_each) == 1
    assert held.soft_ties.strength == 0.0


def test_without_enough_molecules_or_without_smirks_nothing_can_be_chosen(tmp_path):
    # Six molecules, of which two are one but for their stereochemistry, and one has no rules.
    few = reference_of((5, 9, 48, 49, 31))
    path = write_data(tmp_path / "few.parquet", n=0, more=few.molecules)
    with pytest.raises(
        InputError,
        match=r"soft_ties.strength: choose splits the molecules into 5 folds, and there are 4 molecules; give",
    ):
        run_of(path, soft_ties=CHOOSE)
    with pytest.raises(SchemeError, match="are not SMIRKS"):
        run_of(path, "gaff2", soft_ties=CHOOSE)
