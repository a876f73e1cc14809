"""A linear layer whose weight is made by a tie, or read off another layer.

There are two ways to share. A layer may own its weight as the sites of a tying, φ = Aθ + b: groups of entries, hash
buckets, a symmetric matrix. Or it owns none and refers to that of another layer or place, which it reads transposed
in every forward pass: the decoder of an autoencoder with tied weights. The reference is to a module and never to a
parameter, and it is not registered: there is one parameter under one name, which stays the same one through `deepcopy`,
`to`, `to_empty` and ``load_state_dict(assign=True)``; the parameter of a layer that took ``weight.t()`` would not.
"""

import math
from typing import Any, Self

import torch
from torch import Tensor, nn
from torch.nn import functional

from ffshare.errors import TyingError
from ffshare.nn.shared import Shape, Shared, Site
from ffshare.tying import LinearTying, Parametrization


class WeightOf(Site):
    """The weight of a layer, read anew at each call: a `Site` of any module with a ``weight`` of two axes.

    Args:
        layer: The owner of the weight: a `torch.nn.Linear`, a `TiedLinear`.
        transposed: Whether the two axes are exchanged.

    Example:
        >>> WeightOf(nn.Linear(3, 2)).T().shape
        torch.Size([3, 2])
    """

    __slots__ = ()

    def __init__(self, layer: nn.Module, transposed: bool = False) -> None:
        super().__init__(layer, "weight", transposed)

    def __call__(self) -> Tensor:
        """The weight, as it is now."""
        weight: Tensor = self.shared.weight
        return weight.mT if self.transposed else weight

    @property
    def T(self) -> "WeightOf":  # noqa: N802 - as tensors call it
        """The same weight with its two axes exchanged."""
        return WeightOf(self.shared, not self.transposed)

    @property
    def shape(self) -> Shape:
        """Shape of the weight."""
        return tuple(self().shape)


class TiedLinear(nn.Module):
    r"""A linear layer whose weight has ties within or is that of another layer.

    .. math::
        y = x W^{\mathsf T} + b, \qquad \operatorname{vec} W = A\theta + c
        \quad\text{or}\quad W = W_\text{other}^{\mathsf T}

    Args:
        in_features: Size of an input.
        out_features: Size of an output.
        bias: Whether to add a bias, which is not tied.
        device: Device of the parameters.
        dtype: Type of the weight and the bias.
        tying: Which free parameter feeds which entry of the weight, in C order of :math:`(out, in)`. Default: each its
            own, as in :class:`torch.nn.Linear`.
        site: A weight that another module owns and registers, instead of one of its own. `transpose_of` makes it.

    Shape:
        - Input: :math:`(*, in)`
        - Output: :math:`(*, out)`

    Attributes:
        shared (Shared): the free parameters and their tie, registered here; None where the weight is another's.
        bias (Parameter): :math:`(out,)`, or None.

    Raises:
        TyingError: The tying or the place has another shape, or both are given.

    Examples:
        >>> symmetric = TiedLinear(2, 2, bias=False, tying=LinearTying.groups([0, 1, 1, 2]))
        >>> symmetric
        TiedLinear(
          in_features=2, out_features=2, bias=False, free=3, sites=4, rank=3
          (shared): Shared((2, 2), free=3, sites=4, rank=3)
        )
        >>> encoder = nn.Linear(8, 3)
        >>> decoder = TiedLinear.transpose_of(encoder)
        >>> decoder
        TiedLinear(in_features=3, out_features=8, bias=True, weight of another)
        >>> [name for name, _ in nn.Sequential(encoder, decoder).named_parameters()]
        ['0.weight', '0.bias', '1.bias']
    """

    __constants__ = ("in_features", "out_features")
    in_features: int
    out_features: int
    shared: Shared | None
    bias: Tensor | None

    def __init__(
        self,
        in_features: int,
        out_features: int,
        bias: bool = True,
        device: Any = None,
        dtype: torch.dtype | None = None,
        *,
        tying: LinearTying | Parametrization | None = None,
        site: Site | None = None,
    ) -> None:
        super().__init__()
        self.in_features = in_features
        self.out_features = out_features
        shape = (out_features, in_features)
        self.shared = None
        if site is None:
            tying = LinearTying.identity(math.prod(shape)) if tying is None else tying
            self.shared = Shared(tying, shape, device=device, dtype=dtype)
        elif tying is not None:
            raise TyingError("a weight is either tied here or another's: give a tying or a site")
        elif (found := _example(site).shape) != shape:
            raise TyingError(f"the place has shape {tuple(found)}, expected (out_features, in_features) = {shape}")
        # Not an attribute that holds a module: nothing to register.
        self.site = site
        self.register_parameter(
            "bias", nn.Parameter(torch.empty(out_features, device=device, dtype=dtype)) if bias else None
        )
        self._reset_bias()

    @classmethod
    def transpose_of(cls, layer: nn.Module | Site, bias: bool = True) -> Self:
        """A layer back: from the outputs of another to its inputs, by its weight transposed.

        It has no weight of its own, so the model must register the other layer, too (a model without it trains and
        saves the bias alone). A copy of this layer alone carries its own copy of the other.

        Args:
            layer: A `torch.nn.Linear`, a `TiedLinear` or any module with a ``weight`` of two axes; or a place of a
                `Shared`.
            bias: Whether to add a bias of its own.

        Returns:
            The layer, with device and type of the other's weight.

        Raises:
            TyingError: The layer has no weight of two axes.

        Example:
            >>> encoder = nn.Linear(4, 2, bias=False)
            >>> decoder = TiedLinear.transpose_of(encoder, bias=False)
            >>> x = torch.ones(1, 4)
            >>> bool(torch.equal(decoder(encoder(x)), x @ encoder.weight.T @ encoder.weight))
            True
        """
        site = layer.T if isinstance(layer, Site) else WeightOf(layer).T
        weight = _example(site)
        return cls(weight.shape[1], weight.shape[0], bias, weight.device, weight.dtype, site=site)

    @classmethod
    def from_linear(cls, linear: nn.Linear, tying: LinearTying | Parametrization | None = None) -> Self:
        """The layer whose weight comes closest to that of a `torch.nn.Linear`.

        Args:
            linear: The layer, which is not changed.
            tying: The tie. Default: none, which keeps the weight exactly.

        Returns:
            The layer; its outputs are the same where the weight has the ties already.
        """
        has_bias = linear.bias is not None
        layer = cls(
            linear.in_features, linear.out_features, has_bias, linear.weight.device, linear.weight.dtype, tying=tying
        )
        if layer.shared is not None:
            layer.shared.tie_(linear.weight)
        if layer.bias is not None:
            with torch.no_grad():
                layer.bias.copy_(linear.bias)
        return layer

    @torch.no_grad()
    def to_linear(self) -> nn.Linear:
        """The same map as a `torch.nn.Linear`, whose weight has no tie any more."""
        weight = self.weight
        linear = nn.Linear(
            self.in_features, self.out_features, self.bias is not None, device=weight.device, dtype=weight.dtype
        )
        linear.weight.copy_(weight)
        if self.bias is not None:
            linear.bias.copy_(self.bias)
        return linear

    @property
    def weight(self) -> Tensor:
        """The weight, expanded anew or read off its owner, shape=(out_features, in_features)."""
        owner: Any = self.site if self.shared is None else self.shared
        values: Tensor = owner()
        return values

    def reset_parameters(self) -> None:
        """Draw what is owned here, as `torch.nn.Linear` does: the entries of the weight by fan-in, the bias."""
        if self.shared is not None:
            self.shared.reset_parameters()
        self._reset_bias()

    def forward(self, input: Tensor, weight: Tensor | None = None) -> Tensor:
        """The outputs.

        Args:
            input: Inputs, shape=(..., in_features).
            weight: The weight, where the caller has expanded it already for use at several places.

        Returns:
            Outputs, shape=(..., out_features).
        """
        return functional.linear(input, self.weight if weight is None else weight, self.bias)

    def extra_repr(self) -> str:
        """Sizes, and the counts of the weight."""
        counts = "weight of another" if self.shared is None else str(self.shared.counts)
        return (
            f"in_features={self.in_features}, out_features={self.out_features}, bias={self.bias is not None}, {counts}"
        )

    def _reset_bias(self) -> None:
        if self.bias is not None:
            bound = 1.0 / math.sqrt(self.in_features) if self.in_features else 0.0
            nn.init.uniform_(self.bias, -bound, bound)


def _example(site: Site) -> Tensor:
    """The weight as it is now, for its shape, type and device."""
    try:
        with torch.no_grad():
            weight: Any = site()
    except AttributeError as error:
        raise TyingError(f"there is no weight to share: {error}") from error
    if not isinstance(weight, Tensor) or weight.ndim != 2:
        raise TyingError(f"expected a weight of two axes, got {getattr(weight, 'shape', weight)}")
    return weight
