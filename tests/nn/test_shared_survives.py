"""What users do to a model, and what breaks other ways of tying: copies, files, devices, transforms, exports."""

import copy
import io
import pickle

import numpy as np
import pytest

torch = pytest.importorskip("torch")

from torch import nn  # noqa: E402
from torch.func import functional_call, grad, vmap  # noqa: E402
from torch.nn.utils import parametrize, prune  # noqa: E402
from torch.utils.checkpoint import checkpoint  # noqa: E402

from ffshare.nn import Shared, free_parameters  # noqa: E402
from ffshare.tying import Compose, Exp, LinearTying, LowRank  # noqa: E402


class Layer(nn.Module):
    """Reads its weight from a place that the root owns."""

    def __init__(self, weight):
        super().__init__()
        self.weight = weight

    def forward(self, x):
        return torch.tanh(x @ self.weight())


class Model(nn.Module):
    """Two layers that read one `Shared`, the second a place of it turned round."""

    def __init__(self, tying, dtype=torch.float64, theta=None):
        super().__init__()
        self.shared = Shared(tying, {"encoder": (4, 3), "decoder": (4, 3)}, theta=theta, dtype=dtype)
        self.encoder = Layer(self.shared.site("encoder"))
        self.decoder = Layer(self.shared.site("decoder").T)

    def forward(self, x):
        return self.decoder(self.encoder(x))


TIES = {
    "nothing shared": LinearTying.identity(24),
    "a gather": LinearTying.repeat(2, 12),
    "factors, constants and a fixed site": LinearTying.index(
        [-1, *range(11)] * 2, scale=np.linspace(0.5, 2, 24), offset=np.linspace(-0.1, 0.1, 24)
    ),
    "sums": LinearTying.shared_plus_deviation(np.arange(24) % 5),
    "a product": LowRank(6, 4, 2),
}


@pytest.fixture(params=list(TIES), scope="module")
def tying(request):
    return TIES[request.param]


@pytest.fixture
def model(tying):
    torch.manual_seed(0)
    return Model(tying)


@pytest.fixture
def x():
    return torch.linspace(-1, 1, 8, dtype=torch.float64).reshape(2, 4)


def assert_tied(model, x, like):
    """The model computes what the other does, and both its layers move when its one parameter does."""
    expected = like(x)
    torch.testing.assert_close(model(x.to(model.shared.site_dtype)).to(expected), expected)
    assert model.encoder.weight.shared is model.decoder.weight.shared is model.shared
    assert [name for name, _ in model.named_parameters()] == ["shared.theta"]
    torch.autograd.grad(model.encoder.weight().sum() + model.decoder.weight().sum(), model.shared.theta)


def assert_independent(model, other):
    with torch.no_grad():
        other.shared.theta += 1.0
    assert not torch.equal(model.shared.theta, other.shared.theta)


def test_the_state_dict_names_theta_once(model):
    assert list(model.state_dict()) == ["shared.theta"]
    assert [name for name, _ in model.named_parameters()] == ["shared.theta"]
    assert len(list(model.shared.parameters())) == 1


def test_a_deep_copy_is_tied_to_itself(model, x):
    twin = copy.deepcopy(model)
    assert_tied(twin, x, model)
    assert_independent(model, twin)
    assert isinstance(model.shared.tying, LowRank) or twin.shared.tying is model.shared.tying


def test_a_copy_of_one_layer_alone_has_parameters_of_its_own(model):
    layer = copy.deepcopy(model.encoder)
    assert torch.equal(layer.weight(), model.encoder.weight())
    assert layer.weight.shared is not model.shared


def test_pickle_keeps_the_tie(model, x):
    assert_tied(pickle.loads(pickle.dumps(model)), x, model)


def test_a_saved_module_keeps_the_tie(model, x):
    file = io.BytesIO()
    torch.save(model, file)
    file.seek(0)
    assert_tied(torch.load(file, weights_only=False), x, model)


def test_a_saved_state_dict_is_loaded_with_weights_only(tying, model, x):
    file = io.BytesIO()
    torch.save(model.state_dict(), file)
    file.seek(0)
    twin = Model(tying)
    twin.load_state_dict(torch.load(file, weights_only=True))
    assert_tied(twin, x, model)


def test_moving_to_a_type_keeps_the_tie(tying, model, x):
    single = Model(tying, dtype=torch.float32).to("cpu", torch.float64)
    single.load_state_dict(model.state_dict())
    assert_tied(single, x, model)
    assert_tied(copy.deepcopy(model).to(torch.float32), x, copy.deepcopy(model).float().double())


@pytest.mark.parametrize("to_half", [nn.Module.half, nn.Module.bfloat16], ids=lambda f: f.__name__)
def test_half_precision_is_for_the_sites_alone(model, x, to_half):
    halved = to_half(copy.deepcopy(model))
    assert halved.shared.theta.dtype == torch.float32
    assert halved.encoder.weight().dtype == halved(x.to(halved.shared.site_dtype)).dtype == halved.shared.site_dtype
    torch.testing.assert_close(halved(x.to(halved.shared.site_dtype)).double(), model(x), rtol=0.05, atol=0.05)


def test_memory_taken_anew_after_meta_is_filled(model, x):
    twin = copy.deepcopy(model).to("meta")
    assert {tensor.device.type for tensor in (*twin.parameters(), *twin.buffers())} == {"meta"}
    assert twin(x.to("meta")).is_meta
    twin.to_empty(device="cpu").load_state_dict(model.state_dict())
    assert_tied(twin, x, model)


def test_memory_taken_anew_without_meta_is_filled(model, x):
    twin = copy.deepcopy(model).to_empty(device="cpu")
    twin.load_state_dict(model.state_dict())
    assert_tied(twin, x, model)


def test_a_model_made_on_meta_takes_the_tensors_of_a_checkpoint(tying, model, x):
    with torch.device("meta"):
        twin = Model(tying)
    assert twin.shared.theta.is_meta
    twin.load_state_dict(model.state_dict(), assign=True)
    assert not any(buffer.is_meta for buffer in twin.buffers())
    assert_tied(twin, x, model)


def test_an_assigned_checkpoint_of_another_type_is_exact_and_wide(tying, model, x):
    twin = Model(tying, dtype=torch.float32)
    twin.load_state_dict(model.state_dict(), assign=True)
    assert twin.shared.theta.dtype == torch.float64
    assert twin.shared().popitem()[1].dtype == torch.float32
    assert_tied(twin, x, model)
    twin.load_state_dict({"shared.theta": model.shared.theta.detach().half()}, assign=True)
    assert twin.shared.theta.dtype == torch.float32
    assert twin.shared.theta.requires_grad


def test_a_module_without_memory_can_be_drawn(tying):
    with torch.device("meta"):
        twin = Model(tying)
    twin.to_empty(device="cpu").shared.reset_parameters()
    assert all(sites.abs().max() > 0 for sites in twin.shared().values())


def test_safetensors_saves_and_loads_it(tying, model, x, tmp_path):
    safetensors = pytest.importorskip("safetensors.torch")
    path = tmp_path / "model.safetensors"
    safetensors.save_file(model.state_dict(), path)
    twin = Model(tying)
    twin.load_state_dict(safetensors.load_file(path))
    assert_tied(twin, x, model)
    safetensors.save_model(model, str(path))
    assert safetensors.load_model(twin, str(path)) == (set(), [])
    assert_tied(twin, x, model)


@pytest.mark.parametrize("use_buffers", [False, True])
def test_an_averaged_model_averages_theta(model, x, use_buffers):
    average = torch.optim.swa_utils.AveragedModel(model, use_buffers=use_buffers)
    start = model.shared.theta.detach().clone()
    for step in (0.0, 2.0):
        with torch.no_grad():
            model.shared.theta.copy_(start + step)
        average.update_parameters(model)
    with torch.no_grad():
        model.shared.theta.copy_(start + 1.0)
    assert_tied(average.module, x, model)


def test_a_functional_call_puts_other_values_everywhere(model, x):
    other = copy.deepcopy(model)
    assert_independent(model, other)
    before = model(x)
    called = functional_call(model, {"shared.theta": other.shared.theta}, (x,))
    torch.testing.assert_close(called, other(x))
    torch.testing.assert_close(model(x), before)


def test_many_thetas_are_run_at_once(model, x):
    thetas = model.shared.theta.detach() + torch.arange(3.0, dtype=torch.float64)[:, None]

    def loss(theta):
        return functional_call(model, {"shared.theta": theta}, (x,)).square().sum()

    torch.testing.assert_close(vmap(loss)(thetas), torch.stack([loss(theta) for theta in thetas]))
    torch.testing.assert_close(vmap(grad(loss))(thetas), torch.stack([grad(loss)(theta) for theta in thetas]))


def test_gradients_of_gradients_are_right(model, x):
    def output(theta):
        return functional_call(model, {"shared.theta": theta}, (x,))

    theta = model.shared.theta.detach().requires_grad_()
    assert torch.autograd.gradcheck(output, (theta,))
    assert torch.autograd.gradgradcheck(output, (theta,))


def test_it_compiles_to_one_graph(model, x):
    torch._dynamo.reset()
    compiled = torch.compile(model, fullgraph=True, backend="eager")
    torch.testing.assert_close(compiled(x), model(x))
    compiled(x).sum().backward()
    pooled = model.shared.theta.grad.clone()
    model.zero_grad()
    model(x).sum().backward()
    torch.testing.assert_close(pooled, model.shared.theta.grad)


def test_an_exported_program_holds_theta_once(model, x):
    program = torch.export.export(model, (x,))
    assert list(program.state_dict) == ["shared.theta"]
    torch.testing.assert_close(program.module()(x), model(x))
    file = io.BytesIO()
    torch.export.save(program, file)
    file.seek(0)
    torch.testing.assert_close(torch.export.load(file).module()(x), model(x))


def test_an_exported_program_learns_as_the_model(model, x):
    exported = torch.export.export(model, (x,)).module()
    exported(x).sum().backward()
    model(x).sum().backward()
    (found,) = (parameter.grad for parameter in exported.parameters() if parameter.grad is not None)
    torch.testing.assert_close(found, model.shared.theta.grad)


@pytest.mark.parametrize("optimizer", ["SGD", "AdamW", "LBFGS"])
def test_an_optimizer_has_one_entry_and_steps_once(model, x, optimizer):
    (theta,) = free_parameters(model)
    before = theta.detach().clone()
    stepper = getattr(torch.optim, optimizer)(free_parameters(model), lr=0.01)
    assert [id(each) for group in stepper.param_groups for each in group["params"]] == [id(theta)]

    def closure():
        stepper.zero_grad()
        loss = model(x).square().mean()
        loss.backward()
        return loss.detach()

    first = float(closure())
    gradient = theta.grad.clone()
    stepper.step(closure)
    assert float(closure()) < first
    if optimizer == "SGD":
        torch.testing.assert_close(theta.detach(), before - 0.01 * gradient)


def test_checkpointed_activations_give_the_same_gradient(model, x):
    x = x.requires_grad_()
    checkpoint(model, x, use_reentrant=False).sum().backward()
    found = model.shared.theta.grad.clone()
    model.zero_grad()
    model(x).sum().backward()
    torch.testing.assert_close(found, model.shared.theta.grad)


def test_its_gradient_is_ready_once_a_step_however_many_places_read_it(model, x):
    calls = []
    model.shared.theta.register_post_accumulate_grad_hook(calls.append)
    model(x).sum().backward()
    assert len(calls) == 1


def test_pruning_acts_on_theta_and_so_at_every_place(model, x):
    prune.l1_unstructured(model.shared, "theta", amount=0.5)
    optimizer = torch.optim.SGD(model.parameters(), lr=0.1)
    for _ in range(2):
        optimizer.zero_grad()
        model(x).sum().backward()
        optimizer.step()
    expected = model.shared.tying.expand((model.shared.theta_orig * model.shared.theta_mask).detach())
    found = torch.cat([model.encoder.weight().reshape(-1), model.decoder.weight.T().reshape(-1)])
    torch.testing.assert_close(found.detach(), expected)
    prune.remove(model.shared, "theta")
    assert list(model.state_dict()) == ["shared.theta"]
    assert int((model.shared.theta == 0).sum()) == round(model.shared.theta.numel() / 2)


def test_a_parametrization_acts_on_theta_and_so_at_every_place():
    tying, theta = LinearTying.repeat(2, 12), np.linspace(-1, 1, 12)
    model, positive = Model(tying, theta=theta), Model(Compose(tying, Exp(12)), theta=theta)
    parametrize.register_parametrization(model.shared, "theta", _Exponential())
    assert torch.equal(model.encoder.weight(), positive.encoder.weight())
    halved = model.half()
    assert halved.shared.parametrizations.theta.original.dtype == torch.float32
    assert halved.encoder.weight().dtype == torch.float16


class _Exponential(nn.Module):
    def forward(self, theta):
        return theta.exp()


def test_theta_goes_to_a_vector_and_back(model, x):
    twin = copy.deepcopy(model)
    vector = nn.utils.parameters_to_vector(model.parameters())
    assert vector.shape == (model.shared.tying.n_free,)
    assert_independent(model, twin)
    nn.utils.vector_to_parameters(vector, twin.parameters())
    assert_tied(twin, x, model)


@pytest.fixture(scope="module")
def hashed():
    class Hashed(nn.Module):
        def __init__(self):
            super().__init__()
            self.shared = Shared(LinearTying.hashed(64 * 64, 50), (64, 64))

        def forward(self, x):
            return x @ self.shared()

    torch.manual_seed(0)
    return Hashed()


# The exporter's own: torch 2.13 warns of its use of deprecated parts.
@pytest.mark.filterwarnings("ignore::DeprecationWarning", "ignore::FutureWarning", "ignore::UserWarning")
@pytest.mark.parametrize("optimize", [False, True])
def test_onnx_keeps_the_tie_unless_it_folds_constants(hashed, optimize):
    runtime = pytest.importorskip("onnxruntime")
    pytest.importorskip("onnx")
    pytest.importorskip("onnxscript", reason="torch.onnx.export needs onnxscript")
    x = torch.linspace(-1, 1, 128).reshape(2, 64)
    program = torch.onnx.export(hashed, (x,), dynamo=True, optimize=optimize, verbose=False)
    graph = program.model_proto.graph
    sizes = sorted(int(np.prod(each.dims)) for each in graph.initializer)
    if optimize:
        assert sizes == [64 * 64]
    else:
        assert {50, 64 * 64} <= set(sizes)
        assert "Gather" in {node.op_type for node in graph.node}
        (theta,) = (each for each in graph.initializer if list(each.dims) == [50])
        assert theta.name == "shared.theta"
    session = runtime.InferenceSession(program.model_proto.SerializeToString(), providers=["CPUExecutionProvider"])
    (found,) = session.run(None, {graph.input[0].name: x.numpy()})
    np.testing.assert_allclose(found, hashed(x).detach().numpy(), rtol=1e-4, atol=1e-5)
