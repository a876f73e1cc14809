"""The cases of the benchmark of layers: both sides run, agree where they must, and are held against the limit."""

import importlib
from pathlib import Path

import pytest

torch = pytest.importorskip("torch")

from torch import nn  # noqa: E402

# From the import of torch.func.
pytestmark = pytest.mark.filterwarnings("ignore:.torch.jit.script. is deprecated:DeprecationWarning")


@pytest.fixture
def bench(monkeypatch):
    """Imports the benchmark or a part of it."""
    monkeypatch.syspath_prepend(str(Path(__file__).parents[2] / "scripts"))
    for name in ("OMP_NUM_THREADS", "OPENBLAS_NUM_THREADS", "MKL_NUM_THREADS"):
        monkeypatch.setenv(name, "1")
    return importlib.import_module


@pytest.mark.parametrize("kind", ["matrices", "sequences", "images", "tasks"])
def test_both_sides_of_every_case_run_and_find_gradients(bench, kind):
    torch.manual_seed(0)
    for case in bench(f"nn_bench.{kind}").CASES:
        for action in case.make():
            found = action()
            assert found, case.name
            assert all(torch.isfinite(each).all() for each in found), case.name


def test_every_kind_of_layer_is_in_the_table(bench):
    names = {case.name.split(",")[0].split(" ")[0].split(".")[0] for case in bench("nn_bench.cases").CASES}
    assert {"Shared", "HashedLinear", "TiedGateLSTM", "SharedValueAttention", "TiedTransformer"} <= names
    assert {"SharedSqueezeExcite", "C4Conv2d", "GroupPool", "HardShared", "laplacian_penalty", "CoreFast"} <= names


def test_sides_of_other_shapes_are_not_timed(bench):
    with pytest.raises(SystemExit, match=r"gives torch.Size\(\[2, 4\]\), .* torch.Size\(\[2, 5\]\)"):
        bench("nn_bench.case").pair(nn.Linear(3, 4), nn.Linear(3, 5), torch.ones(2, 3))


def test_sides_that_must_be_equal_and_differ_are_not_timed(bench):
    torch.manual_seed(0)
    with pytest.raises(SystemExit, match="the sides disagree"):
        bench("nn_bench.case").equal_pair(nn.Linear(3, 4), nn.Linear(3, 4), torch.ones(2, 3))


def test_a_training_step_gives_gradients_by_all_that_wants_one(bench):
    layer = nn.Linear(3, 4)
    layer.bias.requires_grad_(False)
    found = bench("nn_bench.case").training_step(layer, torch.ones(2, 3))()
    assert [tuple(each.shape) for each in found] == [(4, 3), (2, 3)]


@pytest.mark.parametrize(("limit", "within"), [(1.15, False), (2.0, True), (None, None)])
def test_the_ratio_of_the_fastest_rounds_is_held_against_the_limit(bench, monkeypatch, limit, within):
    bench_nn = bench("bench_nn")
    rounds = iter([1.0, 1.0, 4.0, 2.0, 3.0, 9.0])
    monkeypatch.setattr(bench_nn, "once", lambda action, n_times: next(rounds))
    case = bench("nn_bench.case").Case("ours", "theirs", limit, lambda: (lambda: 0, lambda: 0))
    found = bench_nn.measure(case, 2)
    assert (found["seconds"], found["against_seconds"], found["ratio"], found["within"]) == (3.0, 2.0, 1.5, within)
