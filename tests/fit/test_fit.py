"""Whole fits: results, tables that evaluate, fits that go on where they were stopped."""

import math
from dataclasses import replace

import numpy as np
import pytest

from ffshare.assign import COMPLETE_SECTIONS
from ffshare.errors import InputError, SchemeError
from ffshare.fit import (
    Background,
    FitProblem,
    FitSettings,
    Priors,
    SoftTies,
    Weights,
    accumulate,
    fit,
    fit_sums,
)
from ffshare.model import Frames, Model, charges_by_name
from tests.fit.synthetic import SMALL, assignment_of, coordinates_of, exact, reference_of

BONDED = ("Bonds", "Angles", "ProperTorsions", "ImproperTorsions")
SCHEMES = ("openff-2.2.1", "gaff2", "untied:openff-2.2.1")


def spoilt(assignment, seed=1):
    """The assignment with other numbers for all bonded parameters."""
    rng = np.random.default_rng(seed)
    tables = dict(assignment.tables)
    for section in BONDED:
        columns = dict(tables[section].columns)
        for name in ("k", "length", "angle"):
            if name in columns:
                values = columns[name].values * rng.uniform(0.9, 1.1, size=len(columns[name].values))
                columns[name] = replace(
                    columns[name], values=np.minimum(values, math.pi) if name == "angle" else values
                )
        tables[section] = replace(tables[section], columns=columns)
    return replace(assignment, tables=tables)


def misfit(assignment, reference):
    """Root mean square of centred energies and of forces."""
    model = Model.of(assignment, "gasteiger")
    frames = Frames.from_conformers(assignment.batch, [each.coords for each in reference])
    found = model.evaluate(frames)
    forces = np.concatenate(
        [(mine - each.forces).ravel() for mine, each in zip(frames.by_molecule(found.forces), reference, strict=True)]
    )
    energies = np.concatenate(
        [found.energies.of_molecule(idx) - each.energies for idx, each in enumerate(reference)]
    ).reshape(len(reference), -1)
    return np.std(energies - energies.mean(axis=1, keepdims=True)), np.sqrt(np.mean(forces**2))


@pytest.mark.parametrize("name", SCHEMES)
def test_the_fitted_tables_evaluate_to_the_data(name):
    smiles = SMALL[:-1]  # without the straight torsions, which a fit leaves out
    truth, reference = exact(name, smiles)
    start = spoilt(truth)
    result = fit(start, reference, "gasteiger", settings=FitSettings(priors=Priors(strength=1e-8)))
    assert result.status == "converged"
    fitted = replace(start, tables=result.tables())
    before, after = misfit(start, reference), misfit(fitted, reference)
    assert before[0] > 0.1
    assert before[1] > 1.0
    assert after[0] < 1e-3 * before[0]
    assert after[1] < 1e-3 * before[1]
    assert result.squared_residuals[1] < 1e-5 * result.squared_residuals[0]
    # What the data do not touch, and what is no parameter, is as it was.
    for section, table in result.tables().items():
        used = {
            entry
            for key, entry in zip(result.parameters.keys, result.parameters.entries, strict=True)
            if key[0] == section
        }
        for column, values in table.columns.items():
            if column in ("k", "length", "angle") and section in BONDED:
                untouched = [i for i in range(len(values.values)) if i not in used]
                np.testing.assert_array_equal(
                    values.values[untouched], start.tables[section].columns[column].values[untouched]
                )
            else:
                assert values is start.tables[section].columns[column]


def test_a_table_has_a_row_for_each_parameter_and_no_error_where_there_is_none():
    assignment = assignment_of("openff-2.2.1")
    # Data of a force field whose angle at sp carbon is beyond 180°.
    angles = assignment.tables["Angles"]
    straight = angles.columns["angle"].values > 3.14
    beyond = replace(angles.columns["angle"], values=np.where(straight, 3.3, angles.columns["angle"].values))
    tables = {**assignment.tables, "Angles": replace(angles, columns={**angles.columns, "angle": beyond})}
    result = fit(assignment, reference_of(replace(assignment, tables=tables), coordinates_of()), "gasteiger")
    table = result.to_table()
    assert table.num_rows == len(result.parameters)
    rows = {row["name"]: row for row in table.to_pylist()}
    first = rows["b1.k"]
    assert (first["section"], first["rule_id"], first["column"], first["term"]) == ("Bonds", "b1", "k", 1)
    assert (first["unit"], rows["b1.length"]["unit"], rows["a1.angle"]["unit"]) == ("kcal/mol/Å²", "Å", "rad")
    (at_bound,) = (row for row in rows.values() if "at a bound" in row["flags"])
    assert at_bound["column"] == "angle"
    assert at_bound["after"] == math.pi
    assert at_bound["standard_error"] is None
    assert all(row["standard_error"] > 0.0 for row in rows.values() if not row["flags"])
    assert result.by_key["Bonds", "b1", "k", 0] == first["after"]
    findings = result.identifiability_table().to_pylist()
    assert {"subject": "b4.k", "finding": "no data touch it"} in findings
    assert any(row["finding"].startswith("left out: almost straight in") for row in findings)
    assert len(result.untouched) + len(result.parameters) == 577
    assert set(result.provenance) >= {"ffshare", "numpy", "scipy", "scheme", "level of theory", "settings", "weights"}
    assert result.provenance["level of theory"] == "synthetic"
    assert repr(result).startswith("FitResult(openff-2.2.1: converged, ")


def test_sections_that_are_not_fitted_stay_as_they_are():
    truth, reference = exact("openff-2.2.1", SMALL[:-1])
    start = spoilt(truth)
    tables = {**truth.tables, "ProperTorsions": start.tables["ProperTorsions"]}
    mixed = replace(truth, tables=tables)
    result = fit(
        mixed, reference, "gasteiger", sections=["ProperTorsions"], settings=FitSettings(priors=Priors(strength=1e-8))
    )
    assert {key[0] for key in result.parameters.keys} == {"ProperTorsions"}
    # Linear, so that one Gauss-Newton step does it.
    assert [step.n_taken > 0 for step in result.solution.history] == [True, False]
    assert misfit(replace(mixed, tables=result.tables()), reference)[1] < 1e-4
    with pytest.raises(SchemeError, match="cannot fit vdW; sections are Bonds, Angles"):
        fit(truth, reference, "gasteiger", sections=["vdW"])


def test_the_background_may_be_that_of_another_force_field():
    truth, reference = exact("openff-2.2.1", SMALL[:-1])
    untied = assignment_of("untied:openff-2.2.1", SMALL[:-1])
    background = Background(assignment=truth, charges="gasteiger", sections=("vdW", "Electrostatics"))
    with_own, with_other = (
        accumulate(FitProblem.of(untied, "gasteiger", background=each), reference).equations
        for each in (None, background)
    )
    np.testing.assert_allclose(with_own.vector, with_other.vector, rtol=1e-9, atol=1e-6)


def test_charges_may_be_given_atom_by_atom():
    assignment, reference = exact("openff-2.2.1", SMALL[:3])
    from_name = accumulate(FitProblem.of(assignment, "gasteiger"), reference).equations
    charges = charges_by_name(assignment, "gasteiger")
    from_array = accumulate(FitProblem.of(assignment, charges), reference, molecules_at_once=2).equations
    np.testing.assert_allclose(from_array.vector, from_name.vector, rtol=1e-12, atol=1e-9)


class Stop(Exception):
    """What a kill looks like to the code."""


def stopping(reference, after):
    for number, molecule in enumerate(reference):
        if number == after:
            raise Stop
        yield molecule


def test_a_fit_that_was_stopped_goes_on_and_ends_in_the_same_bits(tmp_path):
    assignment = assignment_of("openff-2.2.1")
    noisy = reference_of(assignment, coordinates_of(), energy_noise=0.5, force_noise=2.0)
    problem = FitProblem.of(assignment, "gasteiger")
    once = accumulate(problem, noisy, tmp_path / "once", molecules_at_once=2)
    with pytest.raises(Stop):
        accumulate(problem, stopping(noisy, 5), tmp_path / "twice", molecules_at_once=2)
    done = sorted(path.name for path in (tmp_path / "twice").iterdir())
    assert done == ["statistics-000000.npz", "statistics-000001.npz"]
    stamps = {path.name: path.stat().st_mtime_ns for path in (tmp_path / "twice").iterdir()}
    # Cut short, as by a full disk.
    broken = tmp_path / "twice" / "statistics-000001.npz"
    broken.write_bytes(broken.read_bytes()[:200])
    twice = accumulate(problem, noisy, tmp_path / "twice", molecules_at_once=2)
    assert (tmp_path / "twice" / "statistics-000000.npz").stat().st_mtime_ns == stamps["statistics-000000.npz"]
    in_memory = accumulate(problem, noisy, molecules_at_once=2)
    results = [fit_sums(assignment, problem.parameters, sums) for sums in (once, twice, in_memory)]
    for other in results[1:]:
        assert other.values.tobytes() == results[0].values.tobytes()
        assert other.errors.tobytes() == results[0].errors.tobytes()
        assert other.solution.history[-1].objective == results[0].solution.history[-1].objective
        assert [each.atom_idxs for each in other.left_out] == [each.atom_idxs for each in results[0].left_out]


@pytest.mark.parametrize("changed", ["weights", "data", "background", "charges"])
def test_sums_of_another_problem_are_not_taken_for_those_of_this_one(tmp_path, changed):
    assignment, reference = exact("openff-2.2.1", SMALL[:3])
    problem = FitProblem.of(assignment, "gasteiger")
    accumulate(problem, reference, tmp_path)
    if changed == "weights":
        problem = FitProblem.of(assignment, "gasteiger", weights=Weights(energy=2.0))
    elif changed == "charges":
        problem = FitProblem.of(assignment, None)
    elif changed == "data":
        reference = (replace(reference[0], energies=2.0 * reference[0].energies), *reference[1:])
    else:
        table = assignment.tables["vdW"]
        deeper = replace(table.columns["epsilon"], values=1.1 * table.columns["epsilon"].values)
        tables = {**assignment.tables, "vdW": replace(table, columns={**table.columns, "epsilon": deeper})}
        problem = FitProblem.of(replace(assignment, tables=tables), "gasteiger")
    found = accumulate(problem, reference, tmp_path).equations
    expected = accumulate(problem, reference).equations
    np.testing.assert_array_equal(found.vector, expected.vector)
    assert found.sum_squares == expected.sum_squares


def test_sums_serve_a_fit_from_another_start(tmp_path):
    """What is fitted is not in the background: other starting values find the same files."""
    assignment, reference = exact("openff-2.2.1", SMALL[:3])
    accumulate(FitProblem.of(assignment, "gasteiger"), reference, tmp_path)
    (path,) = tmp_path.iterdir()
    stamp = path.stat().st_mtime_ns
    accumulate(FitProblem.of(spoilt(assignment), "gasteiger"), reference, tmp_path)
    assert path.stat().st_mtime_ns == stamp


def test_some_of_the_molecules_are_fitted_as_if_they_were_all():
    assignment, reference = exact("openff-2.2.1", SMALL[:5])
    problem = FitProblem.of(assignment, "gasteiger")
    some = accumulate(problem, reference).of_molecules(lambda each: each.molecule_idx < 3)
    few, few_reference = exact("openff-2.2.1", SMALL[:3])
    alone = accumulate(FitProblem.of(few, "gasteiger", bases=problem.bases), few_reference)
    np.testing.assert_allclose(some.equations.vector, alone.equations.vector, rtol=1e-9, atol=1e-6)
    assert some.equations.n_molecules == 3


def test_soft_ties_reach_parameters_that_no_data_touch():
    assignment, reference = exact("openff-2.2.1", SMALL[:3])
    start = spoilt(assignment)
    problem = FitProblem.of(start, "gasteiger")
    parameters = problem.parameters
    touched = set(accumulate(problem, reference).equations.touched.tolist())
    parent = parameters.keys.index(("Bonds", "b1", "k", 0))
    child = parameters.keys.index(("Bonds", "b2", "k", 0))
    assert parent in touched
    assert child not in touched
    soft = SoftTies(edges=[(parent, child)], strengths=1e4)
    result = fit(start, reference, "gasteiger", soft_ties=soft)
    values = result.by_key
    assert values["Bonds", "b1", "k", 0] == pytest.approx(values["Bonds", "b2", "k", 0], rel=1e-3)


def test_fixed_parameters_stay_and_have_no_error():
    assignment, reference = exact("openff-2.2.1", SMALL[:3])
    start = spoilt(assignment)
    parameters = FitProblem.of(start, "gasteiger").parameters
    number = parameters.keys.index(("Bonds", "b1", "length", 0))
    result = fit(start, reference, "gasteiger", fixed=[number])
    row = next(row for row in result.to_table().to_pylist() if row["name"] == "b1.length")
    assert row["after"] == row["before"] == parameters.values[number]
    assert (row["standard_error"], row["flags"]) == (None, "fixed")


def test_the_molecules_of_a_batch_must_be_covered_for_a_fit_to_use_them():
    smiles = ("CCO", "CN(C)[N+](=O)[O-]")
    assignment = assignment_of("openff-1.3.1", smiles)
    assert any((assignment.sites[section].rule_idxs < 0).any() for section in COMPLETE_SECTIONS)
    reference = reference_of(assignment_of("openff-2.2.1", smiles), coordinates_of(smiles))
    result = fit(assignment, reference, "gasteiger")
    assert result.skipped.tolist() == [1]
    assert result.n_molecules == 1


@pytest.mark.parametrize(("name", "value"), [("errors", "robust"), ("noise", "unknown")])
def test_settings_name_what_they_know(name, value):
    with pytest.raises(InputError, match=f"{name} is '{value}'; expected"):
        FitSettings(**{name: value})
