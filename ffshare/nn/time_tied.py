"""Recurrent networks as what they are: a network as deep as the sequence is long, with one tie over all its steps.

Unrolled over time, a cell is applied with parameters φ_t at step t. A recurrent network ties them, φ_t = θ for all t;
without the tie each step has its own. Both are the same code here, with one tying exchanged for another, so that it can
be asked what one sequence says of either: with J the derivative of the outputs by the parameters of all steps,
``tying.rank(J)`` is the number of independent facts about θ in the data. Tied, it soon reaches the number of
parameters; untied, each output speaks only of the steps before it, and there are never enough.

Reference:
    Ljung, System Identification: Theory for the User, Prentice Hall 1999, chapters 4 and 7.
"""

from collections.abc import Callable
from typing import Any, Self

import torch
from torch import Tensor, nn
from torch.func import jacrev

from ffshare.errors import TyingError
from ffshare.nn.flat_module import FlatModule
from ffshare.nn.recurrence import Recurrence, State, by_step
from ffshare.nn.shared import Shared
from ffshare.tying import LinearTying

LAYERS: dict[type[nn.Module], Callable[..., nn.Module]] = {
    nn.RNNCell: nn.RNN,
    nn.GRUCell: nn.GRU,
    nn.LSTMCell: nn.LSTM,
}
"""The layer of torch that runs each cell of torch over a sequence."""


class TimeTied(nn.Module):
    r"""A cell unrolled over the steps of a sequence, with the same parameters at every step or with others at each.

    .. math::
        h_t = f(x_t, h_{t-1}; \phi_t), \qquad
        (\phi_1, \dots, \phi_T) = (\theta, \dots, \theta) \text{ (tied)} \quad\text{or}\quad \theta \text{ (untied)}

    Args:
        cell: What is applied at each step: a module that is called as ``cell(x, state)``, with None for the state of
            the first step where none is given, and returns the next state, as those of torch do. It is copied; every
            step starts from its parameters.
        n_steps: Number of steps: the longest sequence.
        tied: Whether all steps share their parameters. Default: ``True``.
        batch_first: Whether inputs and outputs are (batch, time, feature). Default: ``False``.
        device: Device of the parameters. Default: that of the cell.
        dtype: Type of the parameters at the steps. Default: that of the cell.

    Shape:
        - input: :math:`(T, N, H_\text{in})`, or :math:`(N, T, H_\text{in})` if ``batch_first``, or :math:`(T,
          H_\text{in})` without a batch, :math:`1 \le T \le` ``n_steps``; further axes as the cell takes them.
        - hx: the state before the first step, as the cell takes it.
        - output: the state after each step (its first tensor where it is a tuple), along the axis of time.
        - state: the state after the last step.

    Attributes:
        tying: ``LinearTying.repeat(n_steps, n)``, or ``identity(n_steps * n)`` for a cell of n parameters.
        shared (Shared): the parameters, tied so.
        cell: the cell without parameters; its buffers are common to all steps.

    Note:
        Untied, each pass makes the parameters of all steps; tied, those of one. For long sequences `to_rnn` gives the
        layer of torch.

    Raises:
        TyingError: There is no step, or the cell has no parameters or some of several types.

    Example:
        >>> network = TimeTied(nn.RNNCell(2, 3), n_steps=10)
        >>> output, state = network(torch.ones(10, 5, 2))
        >>> output.shape, state.shape
        (torch.Size([10, 5, 3]), torch.Size([5, 3]))
        >>> network.shared.counts, network.unroll(tied=False).shared.counts
        (free=21, sites=210, rank=21, free=210, sites=210, rank=210)
    """

    def __init__(
        self,
        cell: nn.Module,
        n_steps: int,
        tied: bool = True,
        batch_first: bool = False,
        *,
        device: Any = None,
        dtype: torch.dtype | None = None,
    ) -> None:
        super().__init__()
        kinds = {parameter.dtype for parameter in cell.parameters()}
        if n_steps < 1 or len(kinds) != 1:
            raise TyingError(
                f"expected 1 step or more and parameters of one type, got {n_steps} and {sorted(map(str, kinds))}"
            )
        self.n_steps = n_steps
        self.tied = tied
        self.batch_first = batch_first
        # Not registered: its cell is, below.
        object.__setattr__(self, "_recurrence", FlatModule(Recurrence(cell)))
        start = self._recurrence.flat(Recurrence(cell))
        n = self._recurrence.n_parameters
        self.tying = LinearTying.repeat(n_steps, n) if tied else LinearTying.identity(n_steps * n)
        self.shared = Shared(
            self.tying,
            {str(step): (n,) for step in range(n_steps)},
            theta=start if tied else start.repeat(n_steps),
            device=start.device if device is None else device,
            dtype=start.dtype if dtype is None else dtype,
        )
        self.cell = self._recurrence.module.cell

    def reset_parameters(self) -> None:
        """Draw θ as the cell draws its parameters: once, or anew for each step where steps share nothing."""
        with torch.no_grad():
            for theta in self.shared.theta.view(-1, self._recurrence.n_parameters):
                theta.copy_(self._recurrence.drawn(theta))

    def forward(self, input: Tensor, hx: State = None) -> tuple[Tensor, State]:
        """The outputs of all steps and the last state.

        Args:
            input: The sequence.
            hx: The state before its first step; what the cell makes of None by default.

        Returns:
            Output and state, of the shapes given above.

        Raises:
            TyingError: The sequence is empty, or longer than n_steps.
        """
        return self._run(None if self.tied else self.sites(), input, hx, None)

    def one_step(self, input: Tensor, states: State) -> Tensor:
        """What each step makes of a given state: predictions one step ahead, from observed states.

        Args:
            input: The sequence.
            states: The state before each step, along the axis of time; a tuple where the cell has one.

        Returns:
            The output of each step, along the axis of time.

        Raises:
            TyingError: The sequence is empty, or longer than n_steps.
        """
        return self._run(None if self.tied else self.sites(), input, None, states)[0]

    def jacobian(self, input: Tensor, hx: State = None, states: State = None) -> Tensor:
        """The derivative of all outputs by the sites: the parameters at all steps, tied or not.

        Args:
            input: The sequence.
            hx: The state before its first step.
            states: The state before each step; then the outputs are those of `one_step`.

        Returns:
            A dense matrix, one row for each number in the output, shape=(n_outputs, n_site).
        """
        sites = self.sites().detach()
        derivative = jacrev(lambda phi: self._run(phi, input, hx, states)[0].reshape(-1))(sites)
        return derivative.reshape(-1, sites.numel())

    def rank(self, input: Tensor, hx: State = None, states: State = None) -> int:
        """How many independent numbers of θ these outputs identify, near the present θ; arguments as of `jacobian`.

        Example:
            >>> tied = TimeTied(nn.RNNCell(2, 3, bias=False, dtype=torch.float64), n_steps=10)
            >>> x = torch.randn(10, 2, dtype=torch.float64, generator=torch.Generator().manual_seed(0))
            >>> tied.rank(x), tied.unroll(tied=False).rank(x)  # of 15 and of 150 parameters
            (15, 30)
        """
        return self.tying.rank(self.jacobian(input, hx, states).cpu().numpy())

    def unroll(self, tied: bool) -> "TimeTied":
        """The same cell over the same steps, with the tie or without.

        Args:
            tied: Whether all steps of the result share their parameters.

        Returns:
            A network of its own. Untied from tied, it computes the same; tied from untied, it has the mean of the
            steps.
        """
        other = TimeTied(self.cell_at(0), self.n_steps, tied, self.batch_first, dtype=self.shared.site_dtype)
        other.shared.tie_(self.tying.expand(self.shared.theta.detach()))
        return other

    def cell_at(self, step: int) -> nn.Module:
        """A copy of the cell with the parameters of one step, as a module of its own.

        Args:
            step: Number of the step, from 0.

        Returns:
            The cell.
        """
        cell: nn.Module = self._recurrence.with_parameters(self.shared(str(step))).cell
        return cell

    @classmethod
    def from_rnn(cls, layer: nn.RNNBase, n_steps: int, tied: bool = True) -> Self:
        """The same network as an `nn.RNN`, `nn.GRU` or `nn.LSTM` of one layer.

        Args:
            layer: The layer of torch.
            n_steps: Number of steps.
            tied: Whether all steps share their parameters.

        Returns:
            The network. It computes the same; states have no axis of layers.

        Raises:
            TyingError: The layer has several layers, two directions, or projections.
        """
        cell_of = {each: cell for cell, each in LAYERS.items()}
        if type(layer) not in cell_of or layer.num_layers != 1 or layer.bidirectional or layer.proj_size:
            raise TyingError(f"expected an RNN, GRU or LSTM of one layer in one direction without projections: {layer}")
        options = {"nonlinearity": layer.nonlinearity} if isinstance(layer, nn.RNN) else {}
        kind = {"device": layer.weight_ih_l0.device, "dtype": layer.weight_ih_l0.dtype}
        cell = cell_of[type(layer)](layer.input_size, layer.hidden_size, bias=layer.bias, **options, **kind)
        cell.load_state_dict({name.removesuffix("_l0"): values for name, values in layer.state_dict().items()})
        return cls(cell, n_steps, tied, layer.batch_first)

    def to_rnn(self) -> nn.RNNBase:
        """The same network as an `nn.RNN`, `nn.GRU` or `nn.LSTM`, for a sequence of any length.

        Returns:
            The layer of torch, with parameters of its own.

        Raises:
            TyingError: Steps have parameters of their own, or the cell is none of torch.
        """
        if not self.tied or type(self.cell) not in LAYERS:
            raise TyingError(
                f"torch has no layer for {'this cell' if self.tied else 'steps that share nothing'}: {self}"
            )
        cell = self.cell_at(0)
        options = {"nonlinearity": cell.nonlinearity} if isinstance(cell, nn.RNNCell) else {}
        kind = {"device": cell.weight_ih.device, "dtype": cell.weight_ih.dtype, "batch_first": self.batch_first}
        layer = LAYERS[type(cell)](cell.input_size, cell.hidden_size, bias=cell.bias, **options, **kind)
        layer.load_state_dict({f"{name}_l0": values for name, values in cell.state_dict().items()})
        return layer

    def extra_repr(self) -> str:
        """Steps and tie; the counts are those of `shared`."""
        return f"n_steps={self.n_steps}, tied={self.tied}, batch_first={self.batch_first}"

    def sites(self) -> Tensor:
        """The parameters at all steps, shape=(n_steps, n)."""
        return torch.stack(list(self.shared().values()))

    def _run(self, sites: Tensor | None, input: Tensor, hx: State, states: State) -> tuple[Tensor, State]:
        """Outputs and last state; without sites all steps take those of the first."""
        axis = 1 if self.batch_first and input.dim() > 2 else 0
        inputs = input.unbind(axis)
        if not 0 < len(inputs) <= self.n_steps:
            raise TyingError(f"the sequence has {len(inputs)} steps, expected 1 to {self.n_steps}")
        given: list[State] = [] if states is None else list(by_step(states, axis))
        if sites is None:
            outputs, state = self._recurrence(self.shared("0"), inputs, hx, given)
        else:
            state, outputs = hx, []
            for step, parameters in enumerate(sites.unbind(0)[: len(inputs)]):
                one, state = self._recurrence(parameters, inputs[step : step + 1], state, given[step : step + 1])
                outputs += one
        return torch.stack(outputs, axis), state
