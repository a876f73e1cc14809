"""A network whose weights another one generates: the same function, one owner, and counts that can be trusted."""

import copy
import itertools
import pickle

import numpy as np
import pytest

torch = pytest.importorskip("torch")
from torch import nn  # noqa: E402

from ffshare.errors import TyingError  # noqa: E402
from ffshare.nn import HyperNetwork, count  # noqa: E402
from ffshare.nn.hyper_network import Generator  # noqa: E402


def target_of(dtype=torch.float64):
    return nn.Sequential(
        nn.Conv2d(2, 6, 3, dtype=dtype),
        nn.BatchNorm2d(6, dtype=dtype),
        nn.ReLU(),
        nn.Flatten(),
        nn.Linear(96, 20, dtype=dtype),
        nn.Linear(20, 4, dtype=dtype),
    )


def network_of():
    torch.manual_seed(0)
    return HyperNetwork(target_of(), embedding_dim=3, hidden=6, chunk=40)


def test_the_target_runs_with_the_generated_weights_and_its_own_buffers():
    network = network_of()
    plain = target_of()
    given = {**network.form.state_dict(), **network.weights()}
    plain.load_state_dict({name: each.detach().clone() for name, each in given.items()})
    x = torch.randn(5, 2, 6, 6, dtype=torch.float64)
    torch.testing.assert_close(network(x), plain(x), rtol=0, atol=1e-14)
    network.eval(), plain.eval()
    assert int(network.form[1].num_batches_tracked) == 1
    torch.testing.assert_close(network(x), plain(x), rtol=0, atol=1e-14)


def test_every_entry_is_a_chunk_of_its_embedding_times_the_core():
    network = network_of()
    e, v, u = network.shared.tying.parts(network.shared.theta)
    entries = torch.cat([torch.tanh(e[row] @ v) @ u for row in range(len(e))])
    weights = network.weights()
    start = 0
    for name, fan in (("0.weight", 18), ("4.weight", 96), ("5.weight", 20)):
        n = weights[name].numel()
        expected = entries[start : start + n] / (3 * fan) ** 0.5
        torch.testing.assert_close(weights[name].reshape(-1), expected, rtol=0, atol=1e-14)
        start += n


def test_weights_start_with_the_variance_that_their_fan_in_asks_for():
    ratios = []
    for seed in range(30):
        torch.manual_seed(seed)
        network = HyperNetwork(nn.Sequential(nn.Linear(100, 80), nn.Linear(80, 60)), 8, 32, 100)
        ratios.append([float(w.detach().var()) * 3 * w.shape[1] for w in network.weights().values()])
    assert np.mean(ratios, axis=0) == pytest.approx([1.0, 1.0], abs=0.1)


@pytest.mark.parametrize(("n", "e", "h", "c"), [*itertools.product((2, 5, 9), (2, 4), (2, 4, 7), (3, 6))])
def test_the_rank_is_that_of_the_jacobian(n, e, h, c):
    generator = Generator(n_chunks=n, embedding_dim=e, hidden=h, chunk=c)
    theta = np.random.default_rng(1).normal(size=generator.n_free)
    jacobian = generator.jacobian(theta).toarray()
    assert np.linalg.matrix_rank(jacobian, tol=1e-9) == generator.rank
    g = np.random.default_rng(2).normal(size=generator.n_site)
    np.testing.assert_allclose(generator.pool(g, theta), jacobian.T @ g, rtol=1e-12, atol=1e-12)


def test_one_owner_that_survives_copies_and_checkpoints():
    network = network_of()
    names = ["shared.theta", *(f"form.{n}" for n in ("0.bias", "1.weight", "1.bias", "4.bias", "5.bias"))]
    assert sorted(name for name, _ in network.named_parameters()) == sorted(names)
    assert count(network).free == sum(each.numel() for each in network.parameters())
    x = torch.randn(3, 2, 6, 6, dtype=torch.float64)
    network.eval()
    for other in (copy.deepcopy(network), pickle.loads(pickle.dumps(network))):
        assert torch.equal(other(x), network(x))
        with torch.no_grad():
            other.shared.theta.zero_()
        assert not torch.equal(other(x), network(x))


def test_buffers_of_the_target_are_part_of_a_checkpoint():
    network = network_of()
    network(torch.randn(8, 2, 6, 6, dtype=torch.float64))
    other = network_of()
    other.load_state_dict(network.state_dict())
    x = torch.randn(3, 2, 6, 6, dtype=torch.float64)
    assert torch.equal(other.eval()(x), network.eval()(x))


def test_gradients_reach_embeddings_and_core():
    network = network_of()
    network(torch.randn(4, 2, 6, 6, dtype=torch.float64)).square().sum().backward()
    assert all(bool((part != 0).any()) for part in network.shared.tying.parts(network.shared.theta.grad))


def test_a_core_larger_than_what_it_generates_says_so():
    with pytest.warns(UserWarning, match="parameters generate 6 weights"):
        HyperNetwork(nn.Linear(3, 2), embedding_dim=4, hidden=8)


def test_targets_without_weights_or_with_ties_are_refused():
    with pytest.raises(TyingError, match="no weight of two or more axes"):
        HyperNetwork(nn.LayerNorm(3), 2, 2)
    tied = nn.Sequential(nn.Linear(4, 4), nn.Linear(4, 4))
    tied[1].weight = tied[0].weight
    with pytest.raises(TyingError, match="shares a parameter between places"):
        HyperNetwork(tied, 2, 2)
