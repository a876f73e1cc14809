"""What users do to hashed layers: copies, files, devices, types, transforms, exports."""

import copy
import io
import pickle

import pytest

torch = pytest.importorskip("torch")

from torch.func import functional_call, grad, vmap  # noqa: E402

from ffshare.nn.hashed import HashedLinear  # noqa: E402
from ffshare.nn.hashed_conv import HashedConv2d  # noqa: E402
from ffshare.nn.hashed_embedding import HashedEmbedding  # noqa: E402

# Each layer with an input that it takes, and the way to its plain layer.
LAYERS = {
    "linear": (lambda **k: HashedLinear(8, 6, **k), lambda: torch.randn(3, 8), "to_linear"),
    "conv": (lambda **k: HashedConv2d(4, 6, 3, padding=1, **k), lambda: torch.randn(2, 4, 5, 5), "to_conv2d"),
    "embedding": (
        lambda **k: HashedEmbedding(9, 32, 2, **k),
        lambda: torch.tensor([[1, 8, 1], [0, 2, 5]]),
        "to_embedding",
    ),
    "embedding by entries": (
        lambda **k: HashedEmbedding(9, 8, chunk=1, **k),
        lambda: torch.tensor([3, 3, 0]),
        "to_embedding",
    ),
}


@pytest.fixture(params=list(LAYERS))
def case(request):
    torch.manual_seed(0)
    return LAYERS[request.param]


def double(case):
    """The layer of a case in double precision, an input, and the plain layer."""
    make, draw, to_plain = case
    layer, x = make(compression=0.3).double(), draw()
    return layer, x.double() if x.is_floating_point() else x, getattr(layer, to_plain)()


def test_drawing_again_gives_other_parameters_of_the_same_tie(case):
    layer = case[0]()
    before = copy.deepcopy(layer.state_dict())
    layer.reset_parameters()
    assert all(not torch.equal(before[name], tensor) for name, tensor in layer.state_dict().items())


def test_the_state_dict_holds_parameters_and_no_index(case):
    layer, x, plain = double(case)
    names = ["shared.theta"] if plain.state_dict().keys() == {"weight"} else ["bias", "shared.theta"]
    assert sorted(layer.state_dict()) == sorted(name for name, _ in layer.named_parameters()) == names
    other = case[0](compression=0.3).double()
    other.load_state_dict(layer.state_dict())
    assert torch.equal(other(x), layer(x))


def test_copies_compute_the_same_and_are_independent(case):
    layer, x, _ = double(case)
    file = io.BytesIO()
    torch.save(layer, file)
    file.seek(0)
    for twin in (copy.deepcopy(layer), pickle.loads(pickle.dumps(layer)), torch.load(file, weights_only=False)):
        assert torch.equal(twin(x), layer(x))
        twin.reset_parameters()
        assert not torch.equal(twin(x), layer(x))


def test_a_layer_without_memory_is_filled_and_loaded(case):
    layer, x, _ = double(case)
    with torch.device("meta"):
        twin = case[0](compression=0.3)
    assert all(tensor.is_meta for tensor in (*twin.parameters(), *twin.buffers()))
    assigned = copy.deepcopy(twin)
    twin.to_empty(device="cpu").double().load_state_dict(layer.state_dict())
    assigned.double().load_state_dict(layer.state_dict(), assign=True)
    assert torch.equal(twin(x), layer(x))
    assert torch.equal(assigned(x), layer(x))


def test_half_precision_is_for_the_weight_and_gradients_are_pooled_in_single(case):
    layer, x, _ = double(case)
    halved = copy.deepcopy(layer).bfloat16()
    output = halved(x.bfloat16() if x.is_floating_point() else x)
    assert output.dtype == halved.weight.dtype == torch.bfloat16
    torch.testing.assert_close(output.double(), layer(x), rtol=0.05, atol=0.05)
    output.sum().backward()
    assert halved.shared.theta.grad.dtype == torch.float32
    assert case[0](dtype=torch.float16).weight.dtype == torch.float16


def test_a_functional_call_maps_over_parameters(case):
    layer, x, _ = double(case)
    state = {name: tensor.detach() for name, tensor in layer.named_parameters()}
    many = {name: torch.stack([tensor, 2 * tensor]) for name, tensor in state.items()}

    def loss(parameters):
        return functional_call(layer, parameters, (x,)).square().sum()

    torch.testing.assert_close(vmap(loss)(many), torch.stack([loss(state), 4 * loss(state)]))
    torch.testing.assert_close(vmap(grad(loss))(many)["shared.theta"][1], 2 * grad(loss)(state)["shared.theta"])


def test_gradients_and_their_gradients_are_right(case):
    layer, x, _ = double(case)
    rest = {name: tensor.detach() for name, tensor in layer.named_parameters()}

    def output(theta):
        return functional_call(layer, {**rest, "shared.theta": theta}, (x,)).tanh()

    theta = layer.shared.theta.detach().requires_grad_()
    assert torch.autograd.gradcheck(output, (theta,))
    assert torch.autograd.gradgradcheck(output, (theta,))


def test_it_compiles_to_one_graph_and_is_exported(case):
    layer, x, _ = double(case)
    torch._dynamo.reset()
    compiled = torch.compile(layer, fullgraph=True, backend="eager")
    torch.testing.assert_close(compiled(x), layer(x))
    program = torch.export.export(layer, (x,))
    assert sorted(program.state_dict) == sorted(layer.state_dict())
    torch.testing.assert_close(program.module()(x), layer(x))


def test_safetensors_takes_it(case, tmp_path):
    safetensors = pytest.importorskip("safetensors.torch")
    layer, x, _ = double(case)
    safetensors.save_file(layer.state_dict(), tmp_path / "layer.safetensors")
    other = case[0](compression=0.3).double()
    other.load_state_dict(safetensors.load_file(tmp_path / "layer.safetensors"))
    assert torch.equal(other(x), layer(x))
