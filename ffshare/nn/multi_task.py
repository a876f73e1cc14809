r"""Several tasks at once: a trunk that they share, heads of their own, and soft ties between what is not shared.

Hard sharing is a tie over whole networks. The sites are the trunks of the tasks, one vector φ_t each; tasks of a group
read the same free vector,

    φ_t = θ_group(t),      dL/dθ_g = Σ over tasks t of the group, dL/dφ_t,

so that one group for all is the usual multi-task network, a group for each task is independent networks, and the
connected components of a graph of tasks lie between. Soft sharing leaves each task its own vector and adds
λ Σ_edges w_ij ‖θ_i - θ_j‖² to the loss: nothing at λ = 0, and as λ grows hard sharing within each connected component
of the graph, never across. `TaskGraph` solves this in closed form for linear tasks and chooses λ.

Reference:
    Caruana, Multitask learning, Machine Learning 28 (1997) 41; Evgeniou, Micchelli and Pontil, Learning multiple tasks
    with kernel methods, J. Mach. Learn. Res. 6 (2005) 615.
"""

import copy
from collections.abc import Hashable, Mapping, Sequence
from typing import Any

import numpy as np
import torch
from numpy.typing import ArrayLike
from scipy import sparse
from torch import Tensor, nn

from ffshare.errors import TyingError
from ffshare.nn.counts import count
from ffshare.nn.flat_module import FlatModule
from ffshare.nn.shared import Shared
from ffshare.tying import LinearTying, laplacian


def laplacian_penalty(thetas: Tensor | Sequence[Tensor], edges: ArrayLike, weights: ArrayLike | None = None) -> Tensor:
    r"""The penalty of soft ties between tasks, each edge once.

    .. math::
        \sum_{(i, j) \in E} w_{ij} \, \lVert \theta_i - \theta_j \rVert^2
        = \operatorname{tr}(\Theta^{\mathsf T} L \Theta)

    Edges and weights are those of `ffshare.tying.laplacian`, and L is its matrix. The sum is taken over differences, so
    it is never negative, and zero where all tied tasks are equal. Its gradient by θ is 2LΘ.

    Args:
        thetas: Parameters of the tasks along the first axis, or a tensor for each task, all of one shape.
        edges: The two tasks of each soft tie, in either order, shape=(n_edges, 2).
        weights: Weight of each edge, 0 or more, shape=(n_edges,); 1 by default. λ is a factor of all.

    Returns:
        The penalty, a scalar.

    Raises:
        TyingError: An edge is given twice, leaves the range, joins a task with itself, or has a wrong weight.

    Example:
        >>> thetas = torch.tensor([[1.0, 0.0], [3.0, 0.0], [3.0, 1.0]])
        >>> laplacian_penalty(thetas, [(0, 1), (1, 2)], weights=[1.0, 10.0])
        tensor(14.)
    """
    stacked = thetas if isinstance(thetas, Tensor) else torch.stack(list(thetas))
    ties = sparse.triu(laplacian(len(stacked), edges, weights), 1).tocoo()
    # Each edge is a site at both its ends: with D for the difference of the two expansions, L = Dᵀ diag(w) D.
    at_row, at_col = (LinearTying.index(ends, keys=range(len(stacked))) for ends in (ties.row, ties.col))
    differences = at_row.expand(stacked) - at_col.expand(stacked)
    strengths = torch.as_tensor(-ties.data, dtype=stacked.dtype, device=stacked.device)
    return (strengths * differences.square().flatten(1).sum(1)).sum()


class HardShared(nn.Module):
    r"""Networks of several tasks: a trunk shared by all of them, or by groups, and a head for each.

    .. math::
        y_t = h_t\bigl(f(x; \phi_t)\bigr), \qquad \phi_t = \theta_{g(t)}

    Args:
        trunk: What is shared: a module of one input, which is copied. Each group starts from its parameters; their
            names and buffers (statistics of a BatchNorm among them) are common to all tasks.
        heads: The module of each task that follows the trunk, by name of the task, or in a row.
        groups: Group of each task, in the order of the heads: numbers or names, such as ``TaskGraph.components``.
            Default: one group.

    Shape:
        - Input: what the trunk takes; or a dict of that by task.
        - Output: a dict of what the heads return by task, or one of them.

    Attributes:
        tying: ``LinearTying.groups(groups)``: a site for each task.
        shared (Shared): the parameters of the trunks, :math:`(n_\text{groups}, n)`.
        trunk (FlatModule): the trunk without its parameters.
        heads (ModuleDict): the heads.

    Raises:
        TyingError: There is no task, or the groups are not one for each; or the trunk has no parameters or some of
            several types.

    Examples:
        >>> tasks = HardShared(nn.Linear(4, 8), {"colour": nn.Linear(8, 3), "size": nn.Linear(8, 1)})
        >>> {task: tuple(y.shape) for task, y in tasks(torch.ones(5, 4)).items()}
        {'colour': (5, 3), 'size': (5, 1)}
        >>> tasks(torch.ones(5, 4), "size").shape
        torch.Size([5, 1])
        >>> tasks.shared.counts
        free=40, sites=80, rank=40
    """

    def __init__(
        self,
        trunk: nn.Module,
        heads: Mapping[str, nn.Module] | Sequence[nn.Module],
        groups: Sequence[Hashable] | ArrayLike | None = None,
    ) -> None:
        super().__init__()
        named = dict(heads) if isinstance(heads, Mapping) else {str(k): head for k, head in enumerate(heads)}
        self.trunk = FlatModule(trunk)
        self.heads = nn.ModuleDict(named)
        labels: Any = np.zeros(len(named), dtype=np.int64) if groups is None else groups
        self.tying = LinearTying.groups(labels)
        if not named or self.tying.n_site != len(named) or self.tying.nnz != len(named):
            raise TyingError(
                f"expected a task or more and a group for each, got {len(named)} tasks and groups {groups!r}"
            )
        n = self.trunk.n_parameters
        start = self.trunk.flat(trunk)
        self.shared = Shared(
            self.tying,
            dict.fromkeys(named, (n,)),
            block=(n,),
            theta=start.repeat(self.tying.n_free, 1),
            device=start.device,
            dtype=start.dtype,
        )
        self._group_of = dict(zip(named, self.tying.free.tolist(), strict=True))

    def reset_parameters(self) -> None:
        """Draw the trunk of each group and all heads anew."""
        with torch.no_grad():
            for row in self.shared.theta:
                row.copy_(self.trunk.drawn(row))
        for module in self.heads.modules():
            if callable(reset := getattr(module, "reset_parameters", None)):
                reset()

    def forward(self, input: Any, task: str | None = None) -> Any:
        """The outputs of all tasks for the same input, or of some tasks for inputs of their own, or of one.

        Args:
            input: The input of all tasks, for which the trunk runs once for each group; or a dict of task to input.
            task: Name of the only task to run.

        Returns:
            A dict of task to output; the output alone where a task is named.

        Raises:
            TyingError: There is no task of that name.
        """
        # The sites of a group are one vector, its free one: it is read where it lies, and not expanded for each task.
        trunks = [self.trunk.bound(phi) for phi in self.shared.theta.to(self.shared.site_dtype)]
        if task is not None:
            self._check((task,))
            return self.heads[task](trunks[self._group_of[task]](input))
        if isinstance(input, Mapping):
            self._check(input)
            return {name: self.heads[name](trunks[self._group_of[name]](each)) for name, each in input.items()}
        features = [trunk(input) for trunk in trunks]
        return {name: head(features[self._group_of[name]]) for name, head in self.heads.items()}

    def module_of(self, task: str) -> nn.Sequential:
        """Trunk and head of a task as plain modules with parameters of their own, which compute the same.

        Args:
            task: Name of the task.

        Returns:
            The network.

        Raises:
            TyingError: There is no task of that name.
        """
        self._check((task,))
        return nn.Sequential(self.trunk.with_parameters(self.shared(task)), copy.deepcopy(self.heads[task]))

    def extra_repr(self) -> str:
        """Tasks, groups, and the counts of all."""
        return f"tasks={len(self.heads)}, groups={self.tying.n_free}, {count(self)}"

    def _check(self, names: Any) -> None:
        unknown = [name for name in names if name not in self.heads]
        if unknown:
            raise TyingError(f"there is no task {unknown[0]!r}; there are {', '.join(map(repr, self.heads))}")
