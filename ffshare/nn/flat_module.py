"""A module whose parameters are one vector that the caller passes: the function that a tie over whole modules needs.

Where whole networks are shared, by the tasks of a group or at the steps of a sequence, a site of the tie is the vector
of all their parameters. The module itself is kept without parameters, so that no optimizer, file or count sees a
second set of them.
"""

import copy
from collections.abc import Callable
from typing import Any

import torch
from torch import Tensor, nn
from torch.func import functional_call

from ffshare.errors import TyingError


class FlatModule(nn.Module):
    """A module called with its parameters as a vector: f(φ, x).

    Args:
        module: The module, which is copied. Its buffers are kept: they are common to all vectors.

    Attributes:
        module: the copy, without parameters.
        n_parameters (int): length of the vector; a parameter of two names counts once.

    Raises:
        TyingError: The module has no parameters, or some of several types.

    Example:
        >>> flat = FlatModule(nn.Linear(3, 2))
        >>> flat.n_parameters
        8
        >>> flat(torch.zeros(8), torch.ones(5, 3)).shape
        torch.Size([5, 2])
        >>> list(flat.parameters())
        []
    """

    def __init__(self, module: nn.Module) -> None:
        super().__init__()
        named = dict(module.named_parameters(remove_duplicate=False))
        kinds = {parameter.dtype for parameter in named.values()}
        if len(kinds) != 1:
            raise TyingError(f"expected a module with parameters of one type, got {sorted(map(str, kinds)) or 'none'}")
        distinct = {id(parameter): parameter for parameter in named.values()}
        order = {key: number for number, key in enumerate(distinct)}
        self._shapes = [tuple(parameter.shape) for parameter in distinct.values()]
        self._sizes = [parameter.numel() for parameter in distinct.values()]
        self._number_of = {name: order[id(parameter)] for name, parameter in named.items()}
        self.n_parameters = sum(self._sizes)
        self.module = copy.deepcopy(module)
        for each in self.module.modules():
            each._parameters.update(dict.fromkeys(each._parameters))

    def forward(self, phi: Tensor, *inputs: Any) -> Any:
        """What the module computes with these parameters.

        Args:
            phi: The parameters, shape=(n_parameters,).
            *inputs: What the module is called with.

        Returns:
            Its result.
        """
        return self.bound(phi)(*inputs)

    def bound(self, phi: Tensor) -> Callable[..., Any]:
        """The module with these parameters, for several calls: their gradients are summed before they become a vector.

        Args:
            phi: The parameters, shape=(n_parameters,).

        Returns:
            The function of what the module is called with.
        """
        pieces = self._split(phi)
        named = {name: pieces[number] for name, number in self._number_of.items()}
        return lambda *inputs: functional_call(self.module, named, inputs)

    def flat(self, module: nn.Module) -> Tensor:
        """The parameters of a module of the same form as a vector, detached, shape=(n_parameters,)."""
        named = dict(module.named_parameters(remove_duplicate=False))
        numbered = {number: named[name] for name, number in self._number_of.items()}
        return torch.cat([numbered[number].detach().reshape(-1) for number in range(len(self._sizes))])

    def with_parameters(self, phi: Tensor) -> nn.Module:
        """A copy of the module that has these values as parameters of its own.

        Args:
            phi: The values, shape=(n_parameters,).

        Returns:
            The module.
        """
        module = copy.deepcopy(self.module)
        parameters = [nn.Parameter(piece.detach().clone()) for piece in self._split(phi)]
        for name, number in self._number_of.items():
            path, _, leaf = name.rpartition(".")
            module.get_submodule(path).register_parameter(leaf, parameters[number])
        return module

    def drawn(self, like: Tensor) -> Tensor:
        """A vector drawn as the module draws its parameters; zeros for those that no ``reset_parameters`` draws.

        Args:
            like: A vector of the type and on the device that the result shall have, shape=(n_parameters,).
        """
        module = self.with_parameters(torch.zeros_like(like))
        for each in module.modules():
            if callable(reset := getattr(each, "reset_parameters", None)):
                reset()
        return self.flat(module)

    def _split(self, phi: Tensor) -> list[Tensor]:
        """The parameters in their shapes."""
        return [piece.reshape(shape) for piece, shape in zip(phi.split(self._sizes), self._shapes, strict=True)]
