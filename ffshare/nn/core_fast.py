r"""Learning to learn: a core that all tasks share, and fast parameters that each task adapts from a few examples.

The parameters of a network are split in two. The core :math:`\theta` is tied across tasks, the fast ones
:math:`\psi_t` are free in each. A task starts from the common :math:`\psi_0` and takes a few steps down the loss of its
own examples,

.. math::
    \psi_t^{(k+1)} = \psi_t^{(k)} - \eta \, \nabla_\psi L_t(\theta, \psi_t^{(k)}).

The meta-gradient of what the adapted networks lose on other examples of their tasks flows through these steps to
:math:`\psi_0` and to the core, where it is the sum over tasks: the transpose of the tie. It holds second derivatives of
:math:`L_t`; the first-order variant leaves them out and is another gradient. The size of the fast set is the choice
that matters: with all parameters fast this is MAML, with the last layer ANIL, with a few inputs beside the data CAVIA.
What a task cannot move it cannot spoil for another.

All is functional: parameters and buffers of the module are read and never written, and no copy of it is made.

Reference:
    Finn, Abbeel and Levine, Model-agnostic meta-learning for fast adaptation of deep networks, ICML 2017,
    arXiv:1703.03400; Raghu et al., Rapid learning or feature reuse?, ICLR 2020, arXiv:1909.09157; Zintgraf et al., Fast
    context adaptation via meta-learning, ICML 2019, arXiv:1810.03642.
"""

from collections.abc import Callable, Mapping, Sequence
from contextlib import nullcontext
from fnmatch import fnmatchcase
from typing import Any

import torch
from torch import Tensor, nn
from torch.func import functional_call, grad

from ffshare.errors import TyingError
from ffshare.nn.tie_counts import Counts, counts_of
from ffshare.records import doc, record
from ffshare.tying import LinearTying


@record
class Adapted:
    """A network as one task has it, called as the module is. Made by `CoreFast.adapt` and `CoreFast.with_fast`.

    It refers to the core and does not copy it: where the core is trained afterwards, this network changes too. Buffers
    are copied for each call, and what is written to the copy, as a BatchNorm does in training, is dropped.
    """

    fast: Mapping[str, Tensor] = doc("fast parameters of the task, by their names in the module")
    core: Mapping[str, Tensor] = doc("parameters that all tasks share")
    buffers: Mapping[str, Tensor] = doc("buffers of the module")
    module: nn.Module = doc("the module")

    def __call__(self, *inputs: Any, **named: Any) -> Any:
        """What the module computes with these parameters."""
        buffers = {name: buffer.clone() for name, buffer in self.buffers.items()}
        return functional_call(self.module, {**self.core, **buffers, **self.fast}, inputs, named)


class CoreFast(nn.Module):
    r"""A network of which some parameters adapt to each task, and the others are shared by all.

    Args:
        module: The network. It is kept, not copied: optimizers move its parameters, the core and the start of the
            fast ones.
        fast: Patterns of the names of fast parameters, such as ``"head.*"``, as in a shell; ``"*"`` means all.

    Shape:
        - Input and output: those of the module, which runs as it is, adapted to no task.

    Attributes:
        module (Module): the network.
        fast_names (tuple): names of the fast parameters in the module.
        n_fast, n_core (int): how many numbers adapt, and how many do not.

    Raises:
        TyingError: A pattern fits no parameter.

    Examples:
        >>> network = nn.Sequential(nn.Linear(1, 40), nn.ReLU(), nn.Linear(40, 1))
        >>> core = CoreFast(network, fast=["2.*"])
        >>> x, y = torch.randn(10, 1), torch.randn(10, 1)
        >>> adapted = core.adapt(lambda net: (net(x) - y).square().mean(), steps=3, lr=0.01)
        >>> adapted(x).shape, sorted(adapted.fast)
        (torch.Size([10, 1]), ['2.bias', '2.weight'])
        >>> core.counts(n_tasks=100)
        free=4,180, sites=12,100, rank=4,180
    """

    def __init__(self, module: nn.Module, fast: str | Sequence[str]) -> None:
        super().__init__()
        self.module = module
        patterns = (fast,) if isinstance(fast, str) else tuple(fast)
        # A parameter of two names is fast if either is.
        aliases: dict[int, list[str]] = {}
        for name, parameter in module.named_parameters(remove_duplicate=False):
            aliases.setdefault(id(parameter), []).append(name)
        for pattern in patterns:
            if not any(fnmatchcase(name, pattern) for names in aliases.values() for name in names):
                known = ", ".join(name for names in aliases.values() for name in names)
                raise TyingError(f"no parameter is called {pattern!r}; there are {known or 'none'}")
        self.fast_names = tuple(
            names[0]
            for names in aliases.values()
            if any(fnmatchcase(name, pattern) for name in names for pattern in patterns)
        )
        sizes = {name: parameter.numel() for name, parameter in module.named_parameters()}
        self.n_fast = sum(sizes[name] for name in self.fast_names)
        self.n_core = sum(sizes.values()) - self.n_fast

    def forward(self, *inputs: Any, **named: Any) -> Any:
        """What the module computes, adapted to no task."""
        return self.module(*inputs, **named)

    def adapt(
        self,
        loss_fn: Callable[[Adapted], Tensor],
        steps: int = 1,
        lr: float | Tensor = 0.01,
        create_graph: bool = False,
        first_order: bool = False,
        *,
        start: Mapping[str, Tensor] | None = None,
    ) -> Adapted:
        """The network after steps of gradient descent in the fast parameters; the module stays as it is.

        For many tasks at once, call this in a function of one task's examples and give that to `torch.func.vmap`.

        Args:
            loss_fn: The loss of the task: called with the network as it is at a step, returns a scalar.
            steps: Number of steps.
            lr: Length of a step: what the gradient is multiplied by. A tensor may itself be learnt.
            create_graph: Whether the result can be differentiated with respect to the core and the start, for
                meta-training.
            first_order: With ``create_graph``, take the gradients of the steps for constants. The result is a
                cheaper, different meta-gradient, which is not that of MAML.
            start: Fast parameters to start from, such as those of another result; missing ones are the module's.

        Returns:
            The adapted network.

        Raises:
            TyingError: The start names what is not fast.
        """
        # No graph outside: the gradients of the steps do not need it.
        with nullcontext() if create_graph else torch.no_grad():
            begin = self.with_fast(start or {})

            def loss(fast: Mapping[str, Tensor]) -> Tensor:
                return loss_fn(_with(begin, fast))

            fast = begin.fast
            for _ in range(steps):
                slopes = grad(loss)(fast)
                fast = {
                    name: value - lr * (slopes[name].detach() if first_order else slopes[name])
                    for name, value in fast.items()
                }
            return _with(begin, fast)

    def with_fast(self, fast: Mapping[str, Tensor]) -> Adapted:
        """The network with given fast parameters, such as those of a task seen before.

        Args:
            fast: Values by name; of missing ones, a copy of the module's.

        Returns:
            The network.

        Raises:
            TyingError: A name is not that of a fast parameter.

        Example:
            >>> core = CoreFast(nn.Linear(1, 1), fast="bias")
            >>> core.with_fast({"bias": torch.tensor([2.0])})(torch.zeros(1)).item()
            2.0
        """
        unknown = [name for name in fast if name not in self.fast_names]
        if unknown:
            raise TyingError(f"{unknown[0]!r} is not fast; fast are {', '.join(self.fast_names) or 'none'}")
        own = dict(self.module.named_parameters())
        return Adapted(
            fast={name: fast[name] if name in fast else own[name].clone() for name in self.fast_names},
            core={name: parameter for name, parameter in own.items() if name not in self.fast_names},
            buffers=dict(self.module.named_buffers()),
            module=self.module,
        )

    def tying(self, n_tasks: int) -> LinearTying:
        """Which free parameter feeds which task: the core feeds all, each task has fast ones of its own.

        Args:
            n_tasks: Number of tasks.

        Returns:
            The tying, whose sites are the cores of the tasks, one after the other, and then their fast parameters.
        """
        return LinearTying.repeat(n_tasks, self.n_core) | LinearTying.identity(n_tasks * self.n_fast)

    def counts(self, n_tasks: int = 1) -> Counts:
        """Free parameters, places and rank of the networks of so many tasks."""
        return counts_of(self.tying(n_tasks))

    def extra_repr(self) -> str:
        """How many numbers adapt, and how many are shared."""
        return f"fast={self.n_fast:,}, core={self.n_core:,}"


class WithContext(nn.Module):
    r"""A network that is given a few numbers beside its input: what a task is, as a fast vector to be adapted.

    .. math::
        y = f\bigl([x, c]\bigr)

    ``CoreFast(WithContext(network, n), fast="context")`` adapts these alone, and shares all weights. The context
    starts at zero and is not meant to be trained itself, since the biases after it can take its part.

    Args:
        module: The network, whose first layer takes the features of the input and those of the context.
        n_context: Numbers in the context.
        device: Device of the context.
        dtype: Type of the context.

    Shape:
        - Input: :math:`(*, n)`.
        - Output: that of the module for :math:`(*, n + n_\text{context})`.

    Attributes:
        module (Module): the network.
        context (Parameter): the context, :math:`(n_\text{context})`, with ``requires_grad=False``.

    Example:
        >>> CoreFast(WithContext(nn.Linear(1 + 2, 1), 2), fast="context").extra_repr()
        'fast=2, core=4'
    """

    def __init__(self, module: nn.Module, n_context: int, device: Any = None, dtype: torch.dtype | None = None) -> None:
        super().__init__()
        self.module = module
        self.context = nn.Parameter(torch.zeros(n_context, device=device, dtype=dtype), requires_grad=False)

    def reset_parameters(self) -> None:
        """Set the context to zero."""
        nn.init.zeros_(self.context)

    def forward(self, input: Tensor) -> Any:
        """What the network computes from input and context."""
        return self.module(torch.cat([input, self.context.expand(*input.shape[:-1], -1)], dim=-1))

    def extra_repr(self) -> str:
        """Numbers in the context."""
        return f"n_context={self.context.numel()}"


def _with(network: Adapted, fast: Mapping[str, Tensor]) -> Adapted:
    return Adapted(fast=fast, core=network.core, buffers=network.buffers, module=network.module)
