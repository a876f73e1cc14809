r"""A long short-term memory whose gates share weights.

An LSTM has four blocks of weights: of the input gate i, the forget gate f, the cell g and the output gate o. Ties:

    "input"    W_ii = W_if = W_io       the three gates see the input through one projection; recurrent weights and
                                        biases stay apart, and so does the cell
    "cifg"     f = 1 - i                forgetting is coupled to writing. As 1 - σ(z) = σ(-z) it is a linear tie with a
                                        sign: W_f = -W_i and b_f = -b_i, for both weights and both biases
    "none"     nothing                  `torch.nn.LSTM`

A layer with n inputs, h hidden units and B bias vectors has 4h(n + h + B) parameters; "input" saves 2hn of them, and
"cifg" a quarter.

The first tie holds the bias that the same features tell what to write, what to forget and what to show. It does harm
where a task contradicts it: to overwrite what is stored, one event must open the input gate and close the forget gate,
but a projection that the gates share moves both the same way.

Ties are expanded once a forward pass, and torch's own kernel runs on the result: speed, packed sequences and all other
behaviour are those of `torch.nn.LSTM`.

Reference:
    Hochreiter and Schmidhuber, Long short-term memory, Neural Computation 9 (1997) 1735; Greff et al., LSTM: A search
    space odyssey, IEEE Trans. Neural Netw. Learn. Syst. 28 (2017) 2222, arXiv:1503.04069 (coupled gates).
"""

import math
from typing import Any, Self

import torch
from torch import Tensor, nn
from torch.nn.utils.rnn import PackedSequence

from ffshare.errors import TyingError
from ffshare.nn.counts import count
from ffshare.nn.lstm_steps import State, by_layer, unroll
from ffshare.nn.shared import Shared
from ffshare.tying import LinearTying

SAME_PROJECTION = LinearTying.groups(["gate", "gate", "cell", "gate"])
OPPOSITE = LinearTying.index([0, 0, 1, 2], scale=[1.0, -1.0, 1.0, 1.0])

# Name of a tie to the kinds of weights that it ties, and how: over the blocks i, f, g, o.
TIES: dict[str, dict[str, LinearTying]] = {
    "none": {},
    "input": {"weight_ih": SAME_PROJECTION},
    "cifg": dict.fromkeys(("weight_ih", "weight_hh", "bias_ih", "bias_hh"), OPPOSITE),
}

# Arguments of `torch.nn.LSTM` with their defaults.
OPTIONS = {
    "num_layers": 1,
    "bias": True,
    "batch_first": False,
    "dropout": 0.0,
    "bidirectional": False,
    "proj_size": 0,
}


class TiedGateLSTM(nn.Module):
    r"""A `torch.nn.LSTM` whose gates share weights.

    .. math::
        \begin{aligned}
            i_t &= \sigma(W_{ii} x_t + b_{ii} + W_{hi} h_{t-1} + b_{hi}) \\
            f_t &= \sigma(W_{if} x_t + b_{if} + W_{hf} h_{t-1} + b_{hf}) \\
            g_t &= \tanh(W_{ig} x_t + b_{ig} + W_{hg} h_{t-1} + b_{hg}) \\
            o_t &= \sigma(W_{io} x_t + b_{io} + W_{ho} h_{t-1} + b_{ho}) \\
            c_t &= f_t \odot c_{t-1} + i_t \odot g_t, \qquad h_t = o_t \odot \tanh(c_t)
        \end{aligned}

    with :math:`W_{ii} = W_{if} = W_{io}` (``"input"``), or with :math:`f_t = 1 - i_t` by weights and biases of opposite
    sign (``"cifg"``).

    Args:
        input_size: Number of features of the input.
        hidden_size: Number of features of the hidden state.
        num_layers: Number of layers, each fed by the outputs of the one before.
        bias: Whether there are the two bias vectors of torch.
        batch_first: Whether batches are ``(batch, seq, feature)`` and not ``(seq, batch, feature)``.
        dropout: Probability that an output is dropped on its way to the next layer, in training.
        bidirectional: Whether a second set of weights reads from the end.
        proj_size: Size that outputs are projected to; 0 for no projection.
        device: Device of the parameters.
        dtype: Type of the weights.
        tie: ``"input"``, ``"cifg"`` or ``"none"``.
        fused: Whether torch's kernel runs. ``False`` (also later, it is an attribute) is for `torch.func.vmap` and
            forward-mode derivatives: then `unroll` takes the steps one by one. Within ``torch.compile`` it always does,
            as torch cannot train its kernel there; packed sequences break the compiled graph.

    Shape:
        - Input, initial and last states, output: as for `torch.nn.LSTM`, packed and unbatched sequences included.

    Attributes:
        weight_ih_l[k], weight_hh_l[k], bias_ih_l[k], bias_hh_l[k], weight_hr_l[k], each also with ``_reverse``: as in
            `torch.nn.LSTM`, a parameter; where it is tied, a `Shared` whose ``theta`` holds the blocks that are free,
            :math:`(n_\text{free}, H, \ldots)`.

    Raises:
        TyingError: There is no such tie.

    Example:
        >>> lstm = TiedGateLSTM(8, 32)
        >>> lstm
        TiedGateLSTM(
          8, 32, tie='input', free=4,864, sites=5,376, rank=4,864
          (weight_ih_l0): Shared((128, 8), free=512, sites=1,024, rank=512)
        )
        >>> output, (h_n, c_n) = lstm(torch.zeros(10, 5, 8))
        >>> output.shape, h_n.shape
        (torch.Size([10, 5, 32]), torch.Size([1, 5, 32]))
    """

    __constants__ = ("input_size", "hidden_size", *OPTIONS, "tie", "fused")

    def __init__(
        self,
        input_size: int,
        hidden_size: int,
        num_layers: int = 1,
        bias: bool = True,
        batch_first: bool = False,
        dropout: float = 0.0,
        bidirectional: bool = False,
        proj_size: int = 0,
        device: Any = None,
        dtype: torch.dtype | None = None,
        *,
        tie: str = "input",
        fused: bool = True,
    ) -> None:
        super().__init__()
        if tie not in TIES:
            raise TyingError(f"there is no tie {tie!r}; there are {', '.join(map(repr, TIES))}")
        self.input_size, self.hidden_size = input_size, hidden_size
        self.num_layers, self.bias, self.batch_first = num_layers, bias, batch_first
        self.dropout, self.bidirectional, self.proj_size = dropout, bidirectional, proj_size
        self.tie, self.fused = tie, fused
        # torch checks the arguments, and names and shapes the weights.
        untied = nn.LSTM(**_options(self), device="meta")
        self.weight_names = tuple(name for name, _ in untied.named_parameters())
        for name, weight in untied.named_parameters():
            tying = TIES[tie].get(name.partition("_l")[0])
            shape = tuple(weight.shape)
            if tying is None:
                setattr(self, name, nn.Parameter(torch.empty(shape, device=device, dtype=dtype)))
            else:
                block = (hidden_size, *shape[1:])
                setattr(self, name, Shared(tying, shape, block=block, device=device, dtype=dtype))
        self.reset_parameters()

    def reset_parameters(self) -> None:
        """Draw all parameters from the uniform distribution of `torch.nn.LSTM`, up to 1/√hidden_size on either side.

        A site takes one parameter times 1 or -1, so the sites have the distribution that they have there.
        """
        bound = 1 / math.sqrt(self.hidden_size)
        for parameter in self.parameters():
            nn.init.uniform_(parameter, -bound, bound)

    def flatten_parameters(self) -> None:
        """Nothing, for code that calls it on a `torch.nn.LSTM`: weights are made anew at each call."""

    def weights(self) -> dict[str, Tensor]:
        """The weights by the names of `torch.nn.LSTM` and in its order, ties expanded anew."""
        owners = ((name, getattr(self, name)) for name in self.weight_names)
        return {name: owner() if isinstance(owner, Shared) else owner for name, owner in owners}

    def forward(self, input: Tensor | PackedSequence, hx: State | None = None) -> tuple[Tensor | PackedSequence, State]:
        """Run over a batch of sequences, a single one, or packed ones of several lengths.

        Args:
            input: The sequences.
            hx: Initial outputs and cells; zeros by default.

        Returns:
            The outputs of the last layer at each step, in the form of the input, and the last outputs and cells of all
            layers and directions.

        Raises:
            ValueError: The input has not two or three axes, or not the type of the weights.
            RuntimeError: Another size is wrong.
        """
        weights = self.weights()
        if isinstance(input, PackedSequence):
            return self._packed(input, hx, weights)
        if input.dim() not in (2, 3):
            raise ValueError(f"input has {input.dim()} axes, expected 3, or 2 for a single sequence")
        if input.dim() == 3:
            steps_first = input.transpose(0, 1) if self.batch_first else input
            output, state = self._run(steps_first, None, hx, weights)
            return output.transpose(0, 1) if self.batch_first else output, state
        batch = None if hx is None else (hx[0].unsqueeze(1), hx[1].unsqueeze(1))
        output, (h_n, c_n) = self._run(input.unsqueeze(1), None, batch, weights)
        return output.squeeze(1), (h_n.squeeze(1), c_n.squeeze(1))

    @classmethod
    def from_lstm(cls, lstm: nn.LSTM, tie: str = "input", *, fused: bool = True) -> Self:
        """The layer whose weights come closest to those of an LSTM.

        Args:
            lstm: The layer to start from, which is left as it is.
            tie: As for the class. ``"input"`` takes the mean of the three blocks, ``"cifg"`` half the difference of the
                two, ``"none"`` is exact.
            fused: As for the class.

        Returns:
            A layer of the same sizes, options, type and device, with parameters of its own.

        Raises:
            TyingError: There is no such tie.

        Example:
            >>> lstm = torch.nn.LSTM(3, 4, batch_first=True)
            >>> blocks = lstm.weight_ih_l0.detach().chunk(4)
            >>> tied = TiedGateLSTM.from_lstm(lstm).weights()["weight_ih_l0"]
            >>> torch.testing.assert_close(tied[:4], (blocks[0] + blocks[1] + blocks[3]) / 3)
        """
        layer = cls(**_options(lstm), device="meta", dtype=lstm.weight_ih_l0.dtype, tie=tie, fused=fused)
        layer.to_empty(device=lstm.weight_ih_l0.device)
        with torch.no_grad():
            for name, weight in lstm.named_parameters():
                owner = getattr(layer, name)
                if isinstance(owner, Shared):
                    owner.tie_(weight)
                else:
                    owner.copy_(weight)
        layer.train(lstm.training)
        return layer

    def to_lstm(self) -> nn.LSTM:
        """A `torch.nn.LSTM` that computes the same, its weights no longer tied and its own."""
        weights = {name: weight.detach() for name, weight in self.weights().items()}
        first = weights["weight_ih_l0"]
        lstm = nn.LSTM(**_options(self), device="meta", dtype=first.dtype).to_empty(device=first.device)
        lstm.load_state_dict(weights)
        return lstm.train(self.training)

    def extra_repr(self) -> str:
        """Sizes, what differs from the defaults, the tie and the counts."""
        usual = OPTIONS | {"fused": True}
        chosen = [f"{name}={getattr(self, name)}" for name in usual if getattr(self, name) != usual[name]]
        sizes = (str(self.input_size), str(self.hidden_size))
        return ", ".join((*sizes, *chosen, f"tie={self.tie!r}", str(count(self))))

    def _packed(
        self, packed: PackedSequence, hx: State | None, weights: dict[str, Tensor]
    ) -> tuple[PackedSequence, State]:
        """Run over sequences of several lengths; states are in the order of the caller."""
        data, batch_sizes, to_sorted, to_given = packed
        output, state = self._run(data, batch_sizes, hx if hx is None else _reordered(hx, to_sorted), weights)
        return PackedSequence(output, batch_sizes, to_sorted, to_given), _reordered(state, to_given)

    def _run(
        self, data: Tensor, batch_sizes: Tensor | None, hx: State | None, weights: dict[str, Tensor]
    ) -> tuple[Tensor, State]:
        """Run over a checked batch: steps first, or packed where there are batch sizes."""
        n_states = self.num_layers * (2 if self.bidirectional else 1)
        n_batch = data.shape[1] if batch_sizes is None else int(batch_sizes[0])
        sizes = [(n_states, n_batch, self.proj_size or self.hidden_size), (n_states, n_batch, self.hidden_size)]
        self._check(data, weights["weight_ih_l0"].dtype)
        if hx is None:
            hx = data.new_zeros(sizes[0]), data.new_zeros(sizes[1])
        for name, given, size in zip(("h_0", "c_0"), hx, sizes, strict=True):
            if tuple(given.shape) != size:
                raise RuntimeError(f"{name} has shape {tuple(given.shape)}, expected {size} for this input")
        if not self.fused or (torch.compiler.is_compiling() and not torch.compiler.is_exporting()):
            dropout = self.dropout if self.training else 0.0
            return unroll(data, batch_sizes, hx, by_layer(weights), bidirectional=self.bidirectional, dropout=dropout)
        options = (self.bias, self.num_layers, self.dropout, self.training, self.bidirectional)
        flat = tuple(weights.values())
        if batch_sizes is None:
            output, h_n, c_n = torch.lstm(data, hx, flat, *options, False)
        else:
            output, h_n, c_n = torch.lstm(data, batch_sizes, hx, flat, *options)
        return output, (h_n, c_n)

    def _check(self, data: Tensor, dtype: torch.dtype) -> None:
        if data.dtype != dtype and not torch.is_autocast_enabled(data.device.type):
            raise ValueError(f"the input is of type {data.dtype}, but the weights are of type {dtype}: convert one")
        if data.shape[-1] != self.input_size:
            raise RuntimeError(f"input has {data.shape[-1]} features, expected input_size = {self.input_size}")


def _reordered(state: State, order: Tensor | None) -> State:
    """The states of the sequences of a batch in another order."""
    return state if order is None else (state[0].index_select(1, order), state[1].index_select(1, order))


def _options(lstm: nn.Module) -> dict[str, Any]:
    """The arguments that this layer and that of torch have in common."""
    return {name: getattr(lstm, name) for name in ("input_size", "hidden_size", *OPTIONS)}
