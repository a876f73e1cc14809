"""A linear layer whose weight is generated as a product of two thin factors.

The factors are the free parameters, the entries of the weight the sites. A rank-h product UV has h(m + n) free
parameters but only h(m + n - h) directions in which it can move: UV = (UG)(G⁻¹V), so the factors are known only up to
an invertible h × h matrix. The closest product to a given weight is its truncated singular value decomposition, at the
squared distance of the singular values left out.
"""

import math
import warnings
from typing import Any, Self

import torch
from torch import Tensor, nn
from torch.nn import functional

from ffshare.nn.counts import Counts
from ffshare.nn.shared import Shared
from ffshare.tying import LowRank


class HyperLinear(nn.Module):
    r"""Applies :math:`y = x (UV)^{\mathsf T} + b` with a weight of rank ``rank`` that is never formed.

    .. math::
        W = U V, \qquad U \in \mathbb{R}^{m \times h},\; V \in \mathbb{R}^{h \times n}

    Args:
        in_features: size of each input sample, :math:`n`
        out_features: size of each output sample, :math:`m`
        bias: If set to ``False``, the layer will not learn an additive bias. Default: ``True``
        rank: the bottleneck :math:`h`. Below :math:`mn/(m+n)` the layer has fewer parameters than ``torch.nn.Linear``;
            from there on it warns.

    Shape:
        - Input: :math:`(*, n)`
        - Output: :math:`(*, m)`

    Attributes:
        shared: owner of the factors, ``shared.theta``, whose sites are the weight :math:`(m, n)`.
        bias: the learnable bias :math:`(m)`, or ``None``.

    Raises:
        TyingError: The rank is not between 1 and the smaller side of the weight.

    Reference:
        Eckart and Young, Psychometrika 1, 211 (1936), DOI 10.1007/BF02288367.

    Example:
        >>> layer = HyperLinear(40, 60, rank=5)
        >>> layer
        HyperLinear(
          in_features=40, out_features=60, bias=True, h=5, free=500, sites=2,400, rank=475
          (shared): Shared((60, 40), free=500, sites=2,400, rank=475)
        )
        >>> layer(torch.zeros(8, 40)).shape
        torch.Size([8, 60])
    """

    __constants__ = ("in_features", "out_features", "rank")

    def __init__(
        self,
        in_features: int,
        out_features: int,
        bias: bool = True,
        device: Any = None,
        dtype: torch.dtype | None = None,
        *,
        rank: int,
    ) -> None:
        super().__init__()
        self.in_features = in_features
        self.out_features = out_features
        self.rank = rank
        tying = LowRank(out_features, in_features, rank)
        if tying.n_free >= tying.n_site:
            warnings.warn(
                f"rank {rank} takes {tying.n_free:,} parameters for a weight of {tying.n_site:,} entries; "
                f"below rank {tying.n_site / (out_features + in_features):.4g} there are fewer",
                stacklevel=2,
            )
        self.shared = Shared(tying, (out_features, in_features), device=device, dtype=dtype)
        self.bias = nn.Parameter(torch.empty(out_features, device=device, dtype=dtype)) if bias else None
        self.reset_parameters()

    @property
    def counts(self) -> Counts:
        """Free parameters, sites and rank of the weight."""
        return self.shared.counts

    def reset_parameters(self) -> None:
        """Draw factors whose product has the variance of the weight of a `torch.nn.Linear`, and its bias."""
        self.shared.reset_parameters()
        if self.bias is not None:
            bound = 1 / math.sqrt(self.in_features) if self.in_features else 0.0
            nn.init.uniform_(self.bias, -bound, bound)

    def forward(self, input: Tensor) -> Tensor:
        """The layer's output, shape=(..., out_features)."""
        cut = self.out_features * self.rank
        theta = self.shared.theta.to(self.shared.site_dtype)
        u = theta[:cut].view(self.out_features, self.rank)
        v = theta[cut:].view(self.rank, self.in_features)
        return functional.linear(functional.linear(input, v), u, self.bias)

    @classmethod
    def from_linear(cls, linear: nn.Linear, rank: int) -> Self:
        """The layer closest to another one: its weight's truncated singular value decomposition, its bias as it is.

        Args:
            linear: The layer to come close to.
            rank: Rank of the new weight.

        Returns:
            A new layer.
        """
        weight = linear.weight
        layer = cls(
            linear.in_features, linear.out_features, linear.bias is not None, weight.device, weight.dtype, rank=rank
        )
        layer.shared.tie_(weight)
        if layer.bias is not None:
            layer.bias.data.copy_(linear.bias)
        return layer

    @torch.no_grad()
    def to_linear(self) -> nn.Linear:
        """A `torch.nn.Linear` with the product as its weight.

        Returns:
            A new layer that gives the same outputs, up to rounding.
        """
        weight = self.shared()
        linear = nn.Linear(
            self.in_features, self.out_features, self.bias is not None, device=weight.device, dtype=weight.dtype
        )
        linear.weight.copy_(weight)
        if self.bias is not None:
            linear.bias.copy_(self.bias)
        return linear

    def extra_repr(self) -> str:
        """Sizes and counts."""
        return (
            f"in_features={self.in_features}, out_features={self.out_features}, bias={self.bias is not None}, "
            f"h={self.rank}, {self.counts}"
        )
