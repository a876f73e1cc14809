"""A long short-term memory unrolled step by step: plain tensor operations in the place of torch's fused kernel.

The fused kernel is about twice as fast, but `torch.func.vmap` has no rule for it, oneDNN's version of it has no
forward-mode derivative, and ``torch.compile`` cannot train it. These steps know no such limits. Both compute

    (i, f, g, o) = W_ih x_t + b_ih + W_hh h_{t-1} + b_hh          blocks of rows, in this order
    c_t = σ(f) * c_{t-1} + σ(i) * tanh(g)                         * is elementwise
    h_t = W_hr (σ(o) * tanh(c_t))                                 W_hr: where there is a projection

Sequences of a batch lie step after step in one flat axis, as in a `torch.nn.utils.rnn.PackedSequence`: the first
batch_sizes[t] of them, which are sorted from long to short, have a step t. Sequences of one length are the case of
equal batch sizes.
"""

from collections.abc import Mapping, Sequence

import torch
from torch import Tensor
from torch.nn import functional

from ffshare.records import doc, record

State = tuple[Tensor, Tensor]


@record
class LayerWeights:
    """The weights of one layer and direction."""

    weight_ih: Tensor = doc("from the inputs to the gates, shape=(4 hidden_size, n_inputs)")
    weight_hh: Tensor = doc("from the outputs to the gates, shape=(4 hidden_size, n_outputs)")
    bias_ih: Tensor | None = doc("added to the gates, shape=(4 hidden_size,)", default=None)
    bias_hh: Tensor | None = doc("added to the gates, too, shape=(4 hidden_size,)", default=None)
    weight_hr: Tensor | None = doc("projection of the outputs, shape=(n_outputs, hidden_size)", default=None)


def by_layer(weights: Mapping[str, Tensor]) -> list[LayerWeights]:
    """Weights by layer and direction.

    Args:
        weights: By the names of `torch.nn.LSTM`, as ``weight_ih_l0_reverse``, in its order.

    Returns:
        Those of each layer, each direction.
    """
    places: dict[str, dict[str, Tensor]] = {}
    for name, weight in weights.items():
        kind, _, place = name.partition("_l")
        places.setdefault(place, {})[kind] = weight
    return [LayerWeights(**kinds) for kinds in places.values()]


def unroll(
    inputs: Tensor,
    batch_sizes: Tensor | None,
    state: State,
    weights: Sequence[LayerWeights],
    *,
    bidirectional: bool = False,
    dropout: float = 0.0,
) -> tuple[Tensor, State]:
    """Outputs and last states of all layers.

    Args:
        inputs: Inputs, shape=(n_steps, n_batch, n_inputs), or packed, shape=(sum of batch_sizes, n_inputs).
        batch_sizes: How many sequences have each step, never rising; None where the inputs are not packed.
        state: Outputs and cells before the first step, shape=(n_layers · n_directions, n_batch, n_outputs) and
            (…, hidden_size).
        weights: Those of each layer, each direction.
        bidirectional: Whether each layer also runs from the last step to the first.
        dropout: Probability that an output of a layer is dropped on its way to the next.

    Returns:
        Outputs of the last layer, shape=(n_steps, n_batch, n_directions · n_outputs) or packed as the inputs, and the
        state after the last step of each sequence, of the shapes of `state`.
    """
    n_directions = 2 if bidirectional else 1
    sizes = [inputs.shape[1]] * inputs.shape[0] if batch_sizes is None else batch_sizes.tolist()
    flow = inputs.flatten(0, -2)
    last_outputs, last_cells = [], []
    for first in range(0, len(weights), n_directions):
        if first and dropout:
            flow = functional.dropout(flow, dropout)
        directions = []
        for k in range(first, first + n_directions):
            run = _backward if k > first else _forward
            outputs, output, cell = run(flow, sizes, state[0][k], state[1][k], weights[k])
            directions.append(outputs)
            last_outputs.append(output)
            last_cells.append(cell)
        flow = torch.cat(directions, -1)
    return flow.unflatten(0, inputs.shape[:-1]), (torch.stack(last_outputs), torch.stack(last_cells))


def _forward(
    inputs: Tensor, batch_sizes: Sequence[int], output: Tensor, cell: Tensor, weights: LayerWeights
) -> tuple[Tensor, Tensor, Tensor]:
    """One layer from the first step to the last: its outputs, and the last output and cell of each sequence."""
    steps, ended = [], []
    for gates in _input_gates(inputs, batch_sizes, weights):
        n = len(gates)
        if n < len(output):
            ended.append((output[n:], cell[n:]))
            output, cell = output[:n], cell[:n]
        output, cell = _step(gates, output, cell, weights)
        steps.append(output)
    # The shortest sequences, which ended first, are the last of the batch.
    last = [(output, cell), *reversed(ended)]
    return torch.cat(steps), torch.cat([pair[0] for pair in last]), torch.cat([pair[1] for pair in last])


def _backward(
    inputs: Tensor, batch_sizes: Sequence[int], first_output: Tensor, first_cell: Tensor, weights: LayerWeights
) -> tuple[Tensor, Tensor, Tensor]:
    """The same from the last step to the first: a sequence enters at its own last step."""
    steps: list[Tensor] = []
    output, cell = first_output[:0], first_cell[:0]
    for gates in reversed(_input_gates(inputs, batch_sizes, weights)):
        n = len(gates)
        if n > len(output):
            entering = slice(len(output), n)
            output, cell = torch.cat((output, first_output[entering])), torch.cat((cell, first_cell[entering]))
        output, cell = _step(gates, output, cell, weights)
        steps.append(output)
    return torch.cat(steps[::-1]), output, cell


def _input_gates(inputs: Tensor, batch_sizes: Sequence[int], weights: LayerWeights) -> Sequence[Tensor]:
    """What does not depend on outputs, both biases included: one product for all steps, cut into steps."""
    bias = None if weights.bias_ih is None else weights.bias_ih + weights.bias_hh
    steps: Sequence[Tensor] = functional.linear(inputs, weights.weight_ih, bias).split(list(batch_sizes))
    return steps


def _step(gates: Tensor, output: Tensor, cell: Tensor, weights: LayerWeights) -> State:
    """One step: the next output and cell."""
    i, f, g, o = torch.addmm(gates, output, weights.weight_hh.mT).chunk(4, -1)
    cell = f.sigmoid() * cell + i.sigmoid() * g.tanh()
    output = o.sigmoid() * cell.tanh()
    return (output if weights.weight_hr is None else functional.linear(output, weights.weight_hr)), cell
