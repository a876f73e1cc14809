"""Force fields and layers stand on one machinery: the same ties, the same penalty, the same hash."""

import numpy as np
import pytest

torch = pytest.importorskip("torch")

from ffshare.assign.controls import hashed  # noqa: E402
from ffshare.fit import priors  # noqa: E402
from ffshare.fit.comparison.scheme import Choice  # noqa: E402
from ffshare.fit.priors import SoftTies  # noqa: E402
from ffshare.nn import HashedLinear, Shared, TiedGaussianField, TiedHMM, laplacian_penalty, multi_task  # noqa: E402
from ffshare.tying import LinearTying, buckets  # noqa: E402
from tests.fit.comparison.samples import parts  # noqa: E402
from tests.fit.synthetic import SMALL, assignment_of, coordinates_of  # noqa: E402


def bond_energies():
    """Design J of bond energies by the force constants of all bonds [kcal/mol], their tie, and the true constants."""
    assignment = assignment_of("openff-2.2.1", SMALL)
    sites, table = assignment.sites["Bonds"], assignment.tables["Bonds"]
    lengths = assignment.tying("Bonds", "length").expand(table.columns["length"].values)
    starts = assignment.batch.atom_offsets[sites.molecule_idxs]
    rows = []
    for molecule, positions in enumerate(coordinates_of(SMALL)):
        of = np.flatnonzero(sites.molecule_idxs == molecule)
        first, second = (sites.atom_idxs[of] - starts[of][:, None]).T
        stretch = np.linalg.norm(positions[:, first] - positions[:, second], axis=2) - lengths[of]
        design = np.zeros((len(positions), len(lengths)))
        design[:, of] = stretch**2 / 2
        rows.append(design - design.mean(axis=0))
    return np.concatenate(rows), assignment.tying("Bonds", "k"), table.columns["k"].values


def test_gradient_descent_on_the_ties_of_a_force_field_ends_at_pooled_least_squares():
    design, tying, truth = bond_energies()
    rng = np.random.default_rng(0)
    energies = design @ tying.expand(truth) + rng.normal(scale=0.1, size=len(design))
    seen = tying.counts > 0
    normal = tying.hessian(design.T @ design)[np.ix_(seen, seen)]
    pooled = np.linalg.solve(normal, tying.pool(design.T @ energies)[seen])
    shared = Shared(tying, theta=np.zeros(tying.n_free), dtype=torch.float64)
    j, e = torch.tensor(design), torch.tensor(energies)
    optimizer = torch.optim.LBFGS(
        shared.parameters(), max_iter=500, tolerance_grad=1e-12, tolerance_change=0, line_search_fn="strong_wolfe"
    )

    def closure():
        optimizer.zero_grad()
        loss = (j @ shared() - e).square().sum()
        loss.backward()
        return loss

    optimizer.step(closure)
    found = shared.theta.detach().numpy()
    np.testing.assert_allclose(found[seen], pooled, rtol=1e-6)
    assert (found[~seen] == 0).all()
    assert np.abs(pooled - truth[seen]).max() < 0.2 * truth[seen].min()


class GoneError(Exception):
    """What a replaced function raises."""


def test_soft_ties_of_rules_and_of_tasks_are_one_penalty(monkeypatch):
    parameters = parts("openff-2.2.1").problem().parameters
    edges, strengths = np.array([[0, 2], [2, 4]]), np.array([0.5, 2.0])
    ties, scales = SoftTies(edges=edges, strengths=strengths), np.ones(len(parameters))
    values = np.random.default_rng(0).normal(size=len(parameters))
    matrix = ties.matrix(parameters, scales)
    penalty = laplacian_penalty(torch.tensor(values[:, None]), edges, strengths)
    assert float(penalty) == pytest.approx(values @ (matrix @ values), rel=1e-12)

    def laplacian(*arguments):
        raise GoneError

    for module in (priors, multi_task):
        monkeypatch.setattr(module, "laplacian", laplacian)
    with pytest.raises(GoneError):
        ties.matrix(parameters, scales)
    with pytest.raises(GoneError):
        laplacian_penalty(torch.tensor(values[:, None]), edges, strengths)


def test_random_schemes_and_hashed_layers_use_one_hash():
    layer = HashedLinear(30, 20, bias=False, compression=1 / 10, seed=4, signed=False)
    tying = layer.shared.tying
    assert isinstance(tying, LinearTying)
    assert (tying.free == buckets(np.arange(600), tying.n_free, seed=4)).all()
    assert hashed.buckets is buckets


def pooled_step():
    rng = np.random.default_rng(0)
    return TiedHMM([0, 1, 0], n_iter=2).fit(rng.normal(size=(60, 1)), [30, 30])


def bucket_average():
    return HashedLinear.from_linear(torch.nn.Linear(12, 8), compression=1 / 4)


def patch_regression():
    rng = np.random.default_rng(0)
    return TiedGaussianField(3).fit(rng.normal(size=(12, 12)), rng.normal(size=(10, 10)))


def starting_point():
    problem = parts("openff-2.2.1").problem()
    return problem.fit(np.arange(len(problem.statistics)), Choice())


@pytest.mark.parametrize("learn", [pooled_step, bucket_average, patch_regression, starting_point])
def test_four_ways_to_learn_are_one_call(monkeypatch, learn):
    def tie(self, phi, weight=None):
        raise GoneError

    learn()
    monkeypatch.setattr(LinearTying, "tie", tie)
    with pytest.raises(GoneError):
        learn()
