"""Sums of the data: they are those of the rows, and add up and pool as they must."""

import dataclasses

import numpy as np
import pytest

from ffshare.errors import InputError, TyingError
from ffshare.fit import FitProblem, NormalEquations, ReferenceMolecule, Weights, accumulate, gather, row_factor
from ffshare.fit.residuals import Chunk
from ffshare.model import Design, Frames, Model, bonded_terms, rule_ties
from tests.fit.synthetic import SMALL, assignment_of, coordinates_of, exact

SCHEMES = ("openff-2.2.1", "gaff2", "untied:openff-2.2.1")
UNEVEN = Weights(energy=0.7, force=3.0, softening=20.0, energy_per="atom", clash=float("inf"))


@pytest.fixture(scope="module", params=SCHEMES)
def case(request):
    assignment, reference = exact(request.param)
    return FitProblem.of(assignment, "gasteiger", weights=UNEVEN), reference


def close(mine, theirs, tolerance=1e-12):
    scale = max(abs(theirs.matrix).max(), 1.0)
    assert abs(mine.matrix - theirs.matrix).max() <= tolerance * scale
    np.testing.assert_allclose(mine.vector, theirs.vector, atol=tolerance * np.abs(theirs.vector).max(), rtol=0)
    assert mine.sum_squares == pytest.approx(theirs.sum_squares, rel=tolerance)
    assert (mine.n_residuals, mine.n_molecules) == (theirs.n_residuals, theirs.n_molecules)
    np.testing.assert_array_equal(mine.n_touching, theirs.n_touching)


def plain_rows(problem, reference):
    """Every row by plain loops over conformers, with the constant of each molecule's energies as a column of its own.

    Torsions that are left out are taken from the design by hand.
    """
    assignment = problem.assignment
    model = Model.of(assignment, "gasteiger")
    behind = [name for name in model.interactions if name not in problem.sections]
    sums = accumulate(problem, reference)
    left_out, touched = sums.left_out, sums.equations.touched
    ties = rule_ties(assignment, problem.bases).matrix[:, touched].tolil()
    first = 0
    for section, basis in problem.bases.items():
        sites, width = assignment.sites[section], len(basis.names)
        for site in range(len(sites)):
            idx = int(sites.molecule_idxs[site])
            atoms = tuple((sites.atom_idxs[site] - assignment.batch.atom_offsets[idx]).tolist())
            if any((each.section, each.molecule_idx, each.atom_idxs) == (section, idx, atoms) for each in left_out):
                ties[first + site * width : first + (site + 1) * width] = 0.0
        first += len(sites) * width
    n_molecules = len(reference)
    rows, targets = [], []
    for idx, molecule in enumerate(reference):
        precisions = problem.weights.of(molecule, np.zeros(molecule.n_conformers))
        for conformer in range(molecule.n_conformers):
            given = [each.coords[:0] for each in reference]
            given[idx] = molecule.coords[conformer]
            frames = Frames.from_conformers(assignment.batch, given)
            (found,) = Design(bonded_terms(assignment), problem.bases).by_molecule(frames)
            background = model.only(behind).evaluate(frames)
            mine = ties[found.columns].toarray()
            constants = np.eye(n_molecules)[idx]
            root = np.sqrt(precisions.energies[conformer])
            rows.append(root * np.concatenate([mine.T @ found.energies[:, 0], constants]))
            targets.append(root * (molecule.energies[conformer] - background.energies.total[0]))
            root = np.sqrt(precisions.forces[conformer])
            forces = np.einsum("ns,nxa->axs", mine, found.forces[..., 0])
            target = molecule.forces[conformer] - background.forces.T
            for row, value in zip(forces.reshape(-1, mine.shape[1]), target.ravel(), strict=True):
                rows.append(root * np.concatenate([row, np.zeros(n_molecules)]))
                targets.append(root * value)
    return np.array(rows), np.array(targets)


def test_sums_are_those_of_plain_rows_with_a_free_constant_for_each_molecule(case):
    problem, reference = case
    rows, targets = plain_rows(problem, reference)
    sums = accumulate(problem, reference).equations
    touched = sums.touched
    constants = rows[:, len(touched) :]
    # What is left when each constant is chosen best.
    hat = constants @ np.linalg.pinv(constants)
    rows = rows[:, : len(touched)]
    mine, left = rows - hat @ rows, targets - hat @ targets
    expected = mine.T @ mine
    np.testing.assert_allclose(sums.matrix[touched][:, touched].toarray(), expected, atol=1e-9 * expected.max())
    np.testing.assert_allclose(sums.vector[touched], mine.T @ left, atol=1e-7 * np.abs(mine.T @ left).max())
    assert sums.sum_squares == pytest.approx(left @ left, rel=1e-8)
    assert sums.n_residuals == len(targets) - len(reference)


def test_sums_add_up_however_the_molecules_are_cut(case):
    problem, reference = case
    whole = accumulate(problem, reference)
    for size in (1, 2, 5):
        close(accumulate(problem, reference, molecules_at_once=size).equations, whole.equations)
    molecules = list(whole.molecules)
    for cut in (0, 1, 4):
        halves = [NormalEquations.of(part, problem.n_columns) for part in (molecules[:cut], molecules[cut:])]
        close(halves[0] + halves[1], whole.equations)


def test_cutting_the_conformers_of_a_molecule_changes_nothing(case, monkeypatch):
    problem, reference = case
    whole = accumulate(problem, reference).equations
    monkeypatch.setattr("ffshare.model.design._MOST_NUMBERS", 20_000)
    close(accumulate(problem, reference).equations, whole)


def test_tied_sums_are_the_pooled_sums_of_the_slots(case):
    tied, reference = case
    slots = FitProblem.of(tied.assignment, "gasteiger", weights=UNEVEN, bases=tied.bases, tied=False)
    ties = rule_ties(tied.assignment, tied.bases).matrix
    of_slots = gather(slots, reference)
    expected = accumulate(tied, reference).equations
    pooled = of_slots.tied(ties).equations
    # A scheme touches the columns of torsions that are left out in one way only.
    assert abs(pooled.matrix - expected.matrix).max() <= 1e-12 * abs(expected.matrix).max()
    assert (
        abs(ties.T @ of_slots.summed().equations.matrix @ ties - expected.matrix).max()
        <= 1e-12 * abs(expected.matrix).max()
    )
    atol = 1e-12 * np.abs(expected.vector).max()
    np.testing.assert_allclose(pooled.vector, expected.vector, atol=atol, rtol=0)
    assert pooled.n_residuals == expected.n_residuals


def test_the_factor_of_the_rows_squared_is_the_normal_matrix_along_the_directions(case):
    problem, reference = case
    directions = np.random.default_rng(2).normal(size=(problem.n_columns, 6))
    factor = row_factor(problem, reference, directions)
    expected = directions.T @ accumulate(problem, reference).equations.matrix @ directions
    np.testing.assert_allclose(factor.T @ factor, expected, atol=1e-12 * expected.max())


def test_straight_torsions_are_left_out_and_listed():
    assignment, reference = exact("openff-2.2.1")
    sums = accumulate(FitProblem.of(assignment, "gasteiger"), reference)
    assert sums.left_out
    nitrile = SMALL.index("CC#N")
    assert {each.molecule_idx for each in sums.left_out} == {nitrile}
    assert {each.section for each in sums.left_out} == {"ProperTorsions"}
    # The hydrogens about the straight C-C≡N.
    assert {each.atom_idxs for each in sums.left_out} == {(2, 1, 0, 3), (2, 1, 0, 4), (2, 1, 0, 5)}
    assert all(1 <= each.n_conformers <= 12 for each in sums.left_out)


def test_energies_alone_and_forces_alone_add_up_to_both():
    assignment, reference = exact("openff-2.2.1")
    inf = float("inf")

    def sums(weights):
        return accumulate(FitProblem.of(assignment, "gasteiger", weights=weights), reference).equations

    both, energies, forces = (sums(Weights(energy=e, force=f)) for e, f in ((1.0, 5.0), (1.0, inf), (inf, 5.0)))
    assert abs(energies.matrix + forces.matrix - both.matrix).max() <= 1e-12 * abs(both.matrix).max()
    assert energies.n_residuals + forces.n_residuals == both.n_residuals
    assert energies.sum_squares + forces.sum_squares == pytest.approx(both.sum_squares, rel=1e-12)


def test_conformers_with_a_background_far_too_high_are_left_out_and_counted():
    assignment, reference = exact("openff-2.2.1", ("CCO", "CSC"))
    # Two atoms of the first molecule that nothing binds to one another nearly touch.
    coords = np.array(reference[0].coords)
    coords[3, 8] = coords[3, 3] + [0.6, 0.0, 0.0]
    clashing = dataclasses.replace(reference[0], coords=coords)
    problem = FitProblem.of(assignment, "gasteiger", weights=Weights(softening=30.0))
    found = accumulate(problem, [clashing, reference[1]])
    assert found.clashes == {0: 1}
    without = accumulate(problem, [clashing.part(np.arange(12) != 3), reference[1]])
    assert without.clashes == {}
    close(found.equations, without.equations)


def test_a_constant_on_the_energies_of_a_molecule_changes_nothing():
    assignment, reference = exact("openff-2.2.1")
    problem = FitProblem.of(assignment, "gasteiger", weights=UNEVEN)
    moved = [
        ReferenceMolecule(
            smiles=each.smiles,
            coords=each.coords,
            energies=each.energies + 50.0 * idx,
            forces=each.forces,
            level=each.level,
        )
        for idx, each in enumerate(reference)
    ]
    close(accumulate(problem, moved).equations, accumulate(problem, reference).equations, tolerance=1e-10)


def test_molecules_that_no_rule_covers_are_skipped_and_named():
    smiles = ("CCO", "CN(C)[N+](=O)[O-]", "CCN")
    assignment = assignment_of("openff-1.3.1", smiles)
    coordinates = coordinates_of(smiles, 3)
    reference = [
        ReferenceMolecule(smiles=str(i), coords=each, energies=np.zeros(3), forces=np.zeros_like(each))
        for i, each in enumerate(coordinates)
    ]
    sums = accumulate(FitProblem.of(assignment, "gasteiger"), reference)
    assert sums.skipped.tolist() == [1]
    assert [each.molecule_idx for each in sums.molecules] == [0, 2]


def test_data_of_other_molecules_are_refused():
    assignment, reference = exact("openff-2.2.1")
    problem = FitProblem.of(assignment, "gasteiger")
    with pytest.raises(InputError, match=r"molecule 0 has 9 atoms, its reference data 11; the batch must be that of"):
        accumulate(problem, reference[1:])
    with pytest.raises(InputError, match="reference data of 6 molecules for a batch of 7"):
        accumulate(problem, reference[:-1])
    with pytest.raises(InputError, match="reference data go on after the 7 molecules"):
        accumulate(problem, [*reference, reference[0]])


def test_sums_by_different_columns_do_not_add_up():
    with pytest.raises(TyingError, match="sums by 2 and by 3 columns"):
        NormalEquations.zero(2) + NormalEquations.zero(3)


def test_a_molecule_that_nothing_is_fitted_to_gives_an_empty_sum():
    smiles = ("[Na+]", "CCO")
    assignment = assignment_of("openff-2.2.1", smiles)
    coords = [np.zeros((2, 1, 3)), coordinates_of(("CCO",), 2)[0]]
    reference = [
        ReferenceMolecule(smiles=str(i), coords=each, energies=np.arange(2.0), forces=np.zeros_like(each))
        for i, each in enumerate(coords)
    ]
    problem = FitProblem.of(assignment, "gasteiger")
    first, _ = accumulate(problem, reference).molecules
    assert (len(first.columns), first.n_residuals) == (0, 7)
    chunk = Chunk.of(problem, np.array([0]), reference[:1])
    assert [rows.values.shape for rows in chunk.rows(chunk.straight())] == [(0, 6), (0, 2)]


@pytest.mark.parametrize("given", [{"energy": 0.0}, {"force": -1.0}, {"softening": float("nan")}])
def test_errors_allowed_must_be_above_zero(given):
    with pytest.raises(InputError, match=f"weights: {next(iter(given))} is"):
        Weights(**given)
