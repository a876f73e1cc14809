"""The contenders of the benchmark of fits do the same work: equal rows, equal steps, equal sums."""

import importlib
from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest
from rdkit import Chem

import ffshare
from ffshare.fit import FitProblem, ReferenceData, accumulate, write_reference
from tests.fit.synthetic import coordinates_of, reference_of

# From the import of torch.func.
pytestmark = pytest.mark.filterwarnings("ignore:.torch.jit.script. is deprecated:DeprecationWarning")

SMILES = ("CCO", "CC(=O)OC", "CSC", "COC", "CC=O", "CC#N", "CNC(C)=O")


@pytest.fixture
def bench(monkeypatch):
    """Imports a part of the benchmark."""
    monkeypatch.syspath_prepend(str(Path(__file__).parents[2] / "scripts"))
    return lambda name: importlib.import_module(f"fit_bench.{name}")


@pytest.fixture(scope="module")
def molecules():
    """Exact data of openff-2.2.1 with noise, so that residuals are not zero."""
    # Mapped, since the benchmark reads molecules from their reference data.
    batch = ffshare.from_smiles(*SMILES)
    mapped = []
    for idx in range(len(SMILES)):
        molecule = Chem.Mol(batch.explicit_molecule(idx))
        for atom in molecule.GetAtoms():
            atom.SetAtomMapNum(atom.GetIdx() + 1)
        mapped.append(Chem.MolToSmiles(molecule))
    assignment = ffshare.load_scheme("openff-2.2.1").assign(batch)
    noisy = reference_of(assignment, coordinates_of(SMILES, 6), energy_noise=1.0, force_noise=5.0)
    return tuple(replace(each, smiles=smiles) for each, smiles in zip(noisy, mapped, strict=True))


@pytest.fixture
def comparison(bench, molecules):
    return bench("autograd").Comparison("openff-2.2.1", molecules)


def test_torch_has_the_rows_and_the_step_of_ffshare_however_it_is_fed(bench, comparison):
    pytest.importorskip("torch", reason="torch is not installed")
    autograd, torch_fit = bench("autograd"), bench("torch_fit")
    assert comparison.sums.left_out  # nothing is straight about acetonitrile but its angle
    rows = torch_fit.molecules_of(
        comparison.problem, comparison.objective, comparison.molecules, comparison.sums.left_out
    )
    check = autograd._checked(comparison, rows)
    assert check["residuals"] <= 1e-9
    assert check["jacobian"] <= 1e-9
    assert check[autograd.STEPPED] <= 1e-8


def test_torch_that_disagrees_is_not_timed(bench, comparison):
    pytest.importorskip("torch", reason="torch is not installed")
    autograd, torch_fit = bench("autograd"), bench("torch_fit")
    rows = torch_fit.molecules_of(
        comparison.problem, comparison.objective, comparison.molecules, comparison.sums.left_out
    )
    rows[0] = rows[0]._replace(coefs=1.001 * rows[0].coefs)
    with pytest.raises(SystemExit, match="torch and ffshare disagree"):
        autograd._checked(comparison, rows)


def test_a_fit_by_torch_ends_no_lower_than_that_of_ffshare(bench, comparison):
    pytest.importorskip("torch", reason="torch is not installed")
    autograd = bench("autograd")
    found = autograd.against_torch(comparison, 1)
    assert found["fit_objective"]["ffshare status"] == "converged"
    assert found["fit_objective"]["ffshare less torch"] <= 1e-6
    assert set(autograd.MODES) | {"ffshare"} == set(found["autograd_seconds"])


def test_without_torch_its_numbers_are_null(bench, comparison, monkeypatch, capsys):
    autograd = bench("autograd")
    monkeypatch.setattr("importlib.util.find_spec", lambda name: None)
    assert autograd.against_torch(comparison, 1)["speedup_over_autograd"] is None
    assert "torch is not installed" in capsys.readouterr().err


def test_central_differences_are_the_derivatives(bench, comparison):
    found = bench("autograd").against_finite_differences(comparison, 1)
    assert found["finite_difference_check"]["jacobian"] <= 1e-6


def test_a_scheme_tied_to_the_gathered_sums_has_the_sums_of_its_own_pass(bench, molecules, tmp_path):
    schemes = bench("schemes")
    path = tmp_path / "molecules.parquet"
    write_reference(ReferenceData(molecules=molecules, level=molecules[0].level), path)
    sharing = schemes.Sharing(path, ("openff-2.2.1", "openff-2.3.0"))
    gathered = sharing.gather()
    for number in (0, 1):
        problem, sums = sharing.tie(gathered, number)
        own = FitProblem.of(sharing.assignments[number], bases=sharing.bases, background=sharing.background)
        direct = accumulate(own, sharing.molecules)
        scale = abs(direct.equations.matrix).max()
        assert problem.n_columns == direct.n_columns
        assert abs(sums.equations.matrix - direct.equations.matrix).max() <= 1e-12 * scale


def test_schemes_with_other_sites_have_nothing_to_share(bench, molecules, tmp_path):
    path = tmp_path / "molecules.parquet"
    write_reference(ReferenceData(molecules=molecules, level=molecules[0].level), path)
    with pytest.raises(SystemExit, match=r"openff-2\.2\.1 and gaff2 have other sites in ImproperTorsions"):
        bench("schemes").Sharing(path, ("openff-2.2.1", "gaff2"))


def test_conformers_that_are_used_again_are_near_their_own(bench, molecules):
    data = bench("data")
    given = list(data.repeated(molecules, 10, 9))
    assert [each.n_conformers for each in given] == [10] * 9
    assert given[7].smiles == molecules[0].smiles
    away = given[0].coords[:6] - molecules[0].coords
    assert 0.0 < np.abs(away).max() < 10 * data.DISPLACEMENT
    np.testing.assert_array_equal(given[0].energies[6:], molecules[0].energies[:4])
