"""How many parameters a model has: three numbers, never one.

Free parameters are what an optimizer moves and a checkpoint holds; sites are the places that they feed, which decide
the arithmetic; the rank is how many independent directions the sites can move in, at most as many as are free.
Counting a tied tensor at every place where it appears gives the sites and calls them parameters; the usual summaries
do.
"""

import math
from collections.abc import Iterator
from typing import Any

from torch import nn

from ffshare.errors import TyingError
from ffshare.nn.shared import Shared, Site
from ffshare.nn.tie_counts import Counts, counts_of

__all__ = ["Counts", "count", "counts_of", "free_parameters"]


def count(model: nn.Module) -> Counts:
    """The counts of a whole model: those of its ties, and one site for each parameter that is not tied.

    Args:
        model: Any module.

    Returns:
        The sums over its `Shared` and its other parameters, each taken once. A weight that a layer reads off another
        layer, transposed, feeds a place more.

    Raises:
        TyingError: A module reads a `Shared` that no module of the model registers.

    Example:
        >>> import torch
        >>> count(torch.nn.Linear(3, 2))
        free=8, sites=8, rank=8
    """
    _check_owned(model)
    total = Counts(free=0, sites=0, rank=0)
    tied: set[int] = set()
    for module in model.modules():
        if isinstance(module, Shared) and (own := {id(parameter) for parameter in module.parameters()}):
            total += module.counts
            tied |= own
    n_rest = sum(parameter.numel() for parameter in model.parameters() if id(parameter) not in tied)
    # The places of a `Shared` are its own; another layer's weight has one place, and this is a second.
    n_read = sum(math.prod(site.shape) for _, site in _references(model) if not isinstance(site.shared, Shared))
    return total + Counts(free=n_rest, sites=n_rest + n_read, rank=n_rest)


def free_parameters(model: nn.Module) -> Iterator[nn.Parameter]:
    """The parameters to give to an optimizer: each once, however many places it feeds.

    Weight decay acts on θ: in the space of the sites it is a penalty that counts a parameter once and not once a site.

    Args:
        model: Any module.

    Yields:
        Parameters that want a gradient.

    Raises:
        TyingError: A module reads a `Shared` that no module of the model registers: no optimizer would move it.

    Example:
        >>> import torch
        >>> layer = torch.nn.Linear(3, 3)
        >>> len(list(free_parameters(torch.nn.Sequential(layer, layer))))
        2
    """
    _check_owned(model)
    for parameter in model.parameters():
        if parameter.requires_grad:
            yield parameter


def _check_owned(model: nn.Module) -> None:
    owned = {id(module) for module in model.modules()}
    for path, site in _references(model):
        if id(site.shared) not in owned:
            raise TyingError(
                f"{path} reads a {type(site.shared).__name__} that no module of the model registers, so neither an "
                "optimizer nor a state_dict of the model knows it: make it an attribute of the model"
            )


def _references(model: nn.Module) -> Iterator[tuple[str, Site]]:
    """The references to places that modules hold, with the path to the attribute."""
    for path, module in model.named_modules():
        for name, value in vars(module).items():
            for site in _sites_in(value):
                yield ".".join(filter(None, (path, name))), site


def _sites_in(value: Any) -> Iterator[Site]:
    """The references to places that an attribute holds, alone or in a list, a tuple or a dict."""
    held = value.values() if isinstance(value, dict) else value if isinstance(value, list | tuple) else (value,)
    return (each for each in held if isinstance(each, Site))
