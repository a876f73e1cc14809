"""Training of many small LSTMs in one loop: of several seeds, ties and tasks, with their weights stacked.

An update of one small network takes the time of calling torch, not of arithmetic. Networks of one size are therefore
run as one, by `torch.func.vmap` over their weights; each keeps its own parameters, data and loss, so that each is
trained as it would be alone.
"""

from collections.abc import Callable, Sequence

import torch
from torch import Tensor, nn
from torch.func import functional_call, stack_module_state, vmap

from ffshare.nn.lstm import TiedGateLSTM
from ffshare.nn.lstm_steps import by_layer, unroll


class Reader(nn.Module):
    """An LSTM of one layer with a linear map of its output at the last step.

    Args:
        n_inputs: Number of features of a step.
        hidden_size: Number of features of the hidden state.
        n_outputs: Number of outputs.
        tie: Tie of the gates.
    """

    def __init__(self, n_inputs: int, hidden_size: int, n_outputs: int, tie: str) -> None:
        super().__init__()
        self.lstm = TiedGateLSTM(n_inputs, hidden_size, tie=tie)
        self.head = nn.Linear(hidden_size, n_outputs)

    def forward(self, steps: Tensor) -> Tensor:
        """Outputs, shape=(n_batch, n_outputs), for inputs of shape=(n_steps, n_batch, n_inputs)."""
        output: Tensor = self.head(self.lstm(steps)[0][-1])
        return output


class Weights(nn.Module):
    """The weights of a reader as what a call gives, for `torch.func.functional_call`."""

    def __init__(self, reader: Reader) -> None:
        super().__init__()
        self.reader = reader

    def forward(self) -> dict[str, Tensor]:
        """All weights by name, ties expanded."""
        head = self.reader.head
        return self.reader.lstm.weights() | {"slope": head.weight, "intercept": head.bias}


class Ensemble:
    """Networks of one size that run and are trained together.

    Args:
        readers: The networks, changed by `train`. Their ties may differ: those of one tie follow each other.
    """

    def __init__(self, readers: Sequence[Reader]) -> None:
        self.readers = readers
        self.hidden_size = readers[0].lstm.hidden_size
        ties = dict.fromkeys(reader.lstm.tie for reader in readers)
        self._members = [[Weights(reader) for reader in readers if reader.lstm.tie == tie] for tie in ties]
        self._states = [stack_module_state(members) for members in self._members]

    def __call__(self, steps: Tensor) -> Tensor:
        """The outputs of all networks, each on its own batch.

        Args:
            steps: Inputs, shape=(n_readers, n_steps, n_batch, n_inputs).

        Returns:
            Outputs, shape=(n_readers, n_batch, n_outputs).
        """
        stacked = [
            vmap(lambda *state, first=members[0]: functional_call(first, state, ()))(*state)
            for members, state in zip(self._members, self._states, strict=True)
        ]
        weights = {name: torch.cat([each[name] for each in stacked]) for name in stacked[0]}
        slope, intercept = weights.pop("slope"), weights.pop("intercept")
        zeros = steps.new_zeros(1, steps.shape[2], self.hidden_size)

        def last_output(weights: dict[str, Tensor], steps: Tensor) -> Tensor:
            return unroll(steps, None, (zeros, zeros), by_layer(weights))[0][-1]

        return torch.baddbmm(intercept[:, None], vmap(last_output)(weights, steps), slope.mT)

    def train(
        self,
        draw: Callable[[], tuple[Tensor, Tensor]],
        losses: Callable[[Tensor, Tensor], Tensor],
        *,
        n_updates: int,
        learning_rate: float,
    ) -> None:
        """Train all networks, by Adam with a rate that falls to zero as a cosine.

        Args:
            draw: Gives inputs, shape=(n_readers, n_steps, n_batch, n_inputs), and targets, one batch for each network.
            losses: Loss of each network, shape=(n_readers,), for outputs and targets.
            n_updates: Number of updates.
            learning_rate: Rate at the start.
        """
        # The sum of losses that share no parameter has the gradient of each, and Adam scales each number by itself.
        parameters = [parameter for state, _ in self._states for parameter in state.values()]
        optimizer = torch.optim.Adam(parameters, learning_rate, fused=True)
        schedule = torch.optim.lr_scheduler.CosineAnnealingLR(optimizer, n_updates)
        for _ in range(n_updates):
            steps, targets = draw()
            optimizer.zero_grad()
            losses(self(steps), targets).sum().backward()
            optimizer.step()
            schedule.step()
        for members, (state, _) in zip(self._members, self._states, strict=True):
            for k, member in enumerate(members):
                member.load_state_dict({name: values[k] for name, values in state.items()})
