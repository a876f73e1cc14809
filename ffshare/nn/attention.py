r"""Multi-head attention whose heads share projections.

Attention with h heads has 3h projections from the model's d features to the d/h of a head, and one back. A head asks
with queries, is found by keys and hands out values; each kind of projection may be one for all heads:

    share=("v",)       heads keep patterns of their own, but read one space of values
    share=("k", "v")   multi-query attention: the cache of keys and values shrinks h times
    share=()           `torch.nn.MultiheadAttention`

A kind that is shared has one block of d · d/h weights and d/h biases in place of h: with values shared, (3 + 1/h)/4 of
all weights are left. Nothing is lost with the biases of keys (softmax ignores them) and of values (the bias of the
output can stand for them), but with the weights there is: whatever the patterns, all that heads retrieve lies in one
space of d/h dimensions, the same for every token.

Projecting is linear, so that expanding the weights and expanding what they make is the same: (Aθ)x = A(θx). The layer
multiplies by the free blocks θ alone, and what is shared is then seen by all heads as a view without a copy.

Reference:
    Vaswani et al., Attention is all you need, NeurIPS 2017, arXiv:1706.03762; Shazeer, Fast transformer decoding: One
    write-head is all you need, arXiv:1911.02150 (keys and values shared).
"""

from collections.abc import Iterable
from typing import Any, Self

import torch
from torch import Tensor, nn
from torch.nn import functional

from ffshare.errors import TyingError
from ffshare.nn import init
from ffshare.nn.attention_inputs import additive_mask, check_inputs
from ffshare.nn.counts import count
from ffshare.nn.shared import Shared
from ffshare.tying import LinearTying

PROJECTIONS = ("q", "k", "v")


class SharedValueAttention(nn.Module):
    r"""A `torch.nn.MultiheadAttention` whose heads share the projection of values, or others.

    .. math::
        \text{head}_i = \operatorname{softmax}\left(
            \frac{Q W_i^Q (K W_i^K)^{\mathsf T}}{\sqrt{d / h}} \right) V W^V, \qquad
        \text{MultiHead}(Q, K, V) = [\text{head}_1, \ldots, \text{head}_h]\, W^O

    Args:
        embed_dim: Number of features d of queries and of the output.
        num_heads: Number of heads h, a divisor of d.
        dropout: Probability that an attention weight is dropped, in training.
        bias: Whether projections have a bias.
        add_bias_kv: Not supported; it has the place that it has in torch.
        add_zero_attn: Not supported; it has the place that it has in torch.
        kdim: Number of features of keys; d by default.
        vdim: Number of features of values; d by default.
        batch_first: Whether batches are ``(batch, seq, feature)`` and not ``(seq, batch, feature)``.
        device: Device of the parameters.
        dtype: Type of the weights.
        share: Which projections are one for all heads: any of ``"q"``, ``"k"``, ``"v"``.

    Shape:
        - Inputs, masks, outputs: as for `torch.nn.MultiheadAttention`, inputs without a batch included. Nested tensors
          are not taken.

    Attributes:
        in_proj_weight (Shared): the projections q, k, v below each other, ``(3 * embed_dim, embed_dim)``; its ``theta``
            has the blocks that are free, ``(n_free, embed_dim / num_heads, embed_dim)``. Where kdim or vdim is another,
            ``q_proj_weight``, ``k_proj_weight`` and ``v_proj_weight`` as in torch.
        in_proj_bias (Shared): their biases, ``(3 * embed_dim,)``, shared in the same way; None without bias.
        out_proj (Linear): the projection of the output.

    Raises:
        TyingError: There is no such projection to share, or an option is not supported.

    Note:
        Without ``need_weights``, `torch.nn.functional.scaled_dot_product_attention` runs, whose fused kernels have no
        second derivative: take it with ``need_weights=True``.

    Example:
        >>> attention = SharedValueAttention(16, 4, bias=False)
        >>> attention
        SharedValueAttention(
          16, 4, bias=False, share=('v',), free=832, sites=1,024, rank=832
          (in_proj_weight): Shared((48, 16), free=576, sites=768, rank=576)
          (out_proj): Linear(in_features=16, out_features=16, bias=False)
        )
        >>> x = torch.zeros(10, 5, 16)
        >>> output, weights = attention(x, x, x)
        >>> output.shape, weights.shape
        (torch.Size([10, 5, 16]), torch.Size([5, 10, 10]))
    """

    __constants__ = ("embed_dim", "num_heads", "dropout", "kdim", "vdim", "batch_first", "share")

    # Transformer layers of torch read this to learn whether their fused kernel may take `in_proj_weight` for a tensor.
    _qkv_same_embed_dim = False
    in_proj_bias: Shared | None

    def __init__(
        self,
        embed_dim: int,
        num_heads: int,
        dropout: float = 0.0,
        bias: bool = True,
        add_bias_kv: bool = False,
        add_zero_attn: bool = False,
        kdim: int | None = None,
        vdim: int | None = None,
        batch_first: bool = False,
        device: Any = None,
        dtype: torch.dtype | None = None,
        *,
        share: Iterable[str] = ("v",),
    ) -> None:
        super().__init__()
        if add_bias_kv or add_zero_attn:
            raise TyingError("add_bias_kv and add_zero_attn are not supported: append the rows to key and value")
        wanted = tuple(share)
        if unknown := [name for name in wanted if name not in PROJECTIONS]:
            raise TyingError(f"there is no projection {unknown[0]!r} to share; there are 'q', 'k', 'v'")
        self.share = tuple(name for name in PROJECTIONS if name in wanted)
        # torch checks the arguments, and names and shapes the weights.
        untied = nn.MultiheadAttention(
            embed_dim, num_heads, dropout, bias, kdim=kdim, vdim=vdim, batch_first=batch_first, device="meta"
        )
        self.embed_dim, self.num_heads, self.head_dim = embed_dim, num_heads, untied.head_dim
        self.kdim, self.vdim = untied.kdim, untied.vdim
        self.dropout, self.batch_first = dropout, batch_first
        # Which projections each weight or bias holds.
        self.places = {
            name: PROJECTIONS if name.startswith("in_proj") else (name[0],)
            for name, _ in untied.named_parameters()
            if not name.startswith("out_proj")
        }
        for name, held in self.places.items():
            shape = tuple(untied.get_parameter(name).shape)
            tying = _tying(held, num_heads, self.share)
            block = (self.head_dim, *shape[1:])
            setattr(self, name, Shared(tying, shape, block=block, device=device, dtype=dtype))
        if not bias:
            self.in_proj_bias = None
        self.out_proj = nn.Linear(embed_dim, embed_dim, bias=bias, device=device, dtype=dtype)
        self.reset_parameters()

    def reset_parameters(self) -> None:
        """Draw all parameters as `torch.nn.MultiheadAttention` does, by the shape of the sites; biases start at zero.

        With nothing shared, the numbers are those of a new layer of torch from the same generator.
        """
        self.out_proj.reset_parameters()
        for name in self.places:
            shared = getattr(self, name)
            if name.endswith("weight"):
                init.xavier_uniform_(shared.theta, shared.tying, shared.shape)
        if self.in_proj_bias is not None:
            nn.init.zeros_(self.in_proj_bias.theta)
            nn.init.zeros_(self.out_proj.bias)

    def weights(self) -> dict[str, Tensor]:
        """The weights and biases by the names of `torch.nn.MultiheadAttention`, ties expanded anew."""
        projections = {name: getattr(self, name)() for name in self.places}
        return projections | {f"out_proj.{name}": each for name, each in self.out_proj.named_parameters()}

    def forward(
        self,
        query: Tensor,
        key: Tensor,
        value: Tensor,
        key_padding_mask: Tensor | None = None,
        need_weights: bool = True,
        attn_mask: Tensor | None = None,
        average_attn_weights: bool = True,
        is_causal: bool = False,
    ) -> tuple[Tensor, Tensor | None]:
        """Let queries attend to keys, and return what they find in the values.

        Args:
            query: Queries, shape=(L, N, embed_dim), (N, L, embed_dim) with ``batch_first``, or (L, embed_dim).
            key: Keys, of kdim features, shape=(S, N, kdim) and so on.
            value: Values, of vdim features, shape=(S, N, vdim) and so on.
            key_padding_mask: Keys that are padding (True), or numbers added to their scores, shape=(N, S) or (S,).
            need_weights: Whether to return attention weights. Without them a fused kernel runs.
            attn_mask: Pairs that may not attend (True), or numbers added to their scores, shape=(L, S) or
                (N * num_heads, L, S).
            average_attn_weights: Whether weights are averaged over the heads.
            is_causal: A hint that ``attn_mask``, which must be given, is the causal mask.

        Returns:
            The output, shaped as the query; the weights, shape=(N, L, S) or, not averaged, (N, num_heads, L, S), or
            None. Without a batch there is no N.

        Raises:
            RuntimeError: A shape is wrong, or ``is_causal`` comes without its mask.
        """
        given = {"query": (query, self.embed_dim), "key": (key, self.kdim), "value": (value, self.vdim)}
        check_inputs(given, batch_first=self.batch_first)
        if is_causal and attn_mask is None:
            raise RuntimeError("is_causal is a hint that attn_mask is the causal mask: give attn_mask as well")
        by_hint = is_causal and key_padding_mask is None and not need_weights
        batch_axis = 0 if self.batch_first else 1
        is_batched = query.dim() == 3
        if not is_batched:
            query, key, value = (each.unsqueeze(batch_axis) for each in (query, key, value))
            key_padding_mask = key_padding_mask if key_padding_mask is None else key_padding_mask.unsqueeze(0)
        q, k, v = self._project((query, key, value), batch_axis)
        scores_shape = (q.shape[0], self.num_heads, q.shape[2], k.shape[2])
        mask = additive_mask(None if by_hint else attn_mask, key_padding_mask, scores_shape, q.dtype)
        dropout = self.dropout if self.training else 0.0
        if need_weights:
            # Heads of size 1, which all share, are folded into rows of the other factor and not copied.
            scores = torch.einsum("nhld,nhsd->nhls", q * self.head_dim**-0.5, k)
            weights = functional.softmax(scores if mask is None else scores + mask, dim=-1).expand(scores_shape)
            weights = functional.dropout(weights, dropout) if dropout else weights
            heads = torch.einsum("nhls,nhsd->nhld", weights, v)
            weights = weights.mean(dim=1) if average_attn_weights else weights
        else:
            q, k, v = (each.expand(-1, self.num_heads, -1, -1) for each in (q, k, v))
            heads = functional.scaled_dot_product_attention(q, k, v, mask, dropout, by_hint)
            weights = None
        output = self.out_proj(heads.movedim((0, 1), (batch_axis, -2)).flatten(-2))
        if is_batched:
            return output, weights
        return output.squeeze(batch_axis), weights if weights is None else weights.squeeze(0)

    @classmethod
    def from_multihead_attention(cls, attention: nn.MultiheadAttention, share: Iterable[str] = ("v",)) -> Self:
        """The layer whose weights come closest to those of an untied one.

        Args:
            attention: The layer to start from, which is left as it is.
            share: As for the class. A shared projection is the mean of those of the heads; what is not shared is exact.

        Returns:
            A layer of the same sizes, options, type and device, with parameters of its own.

        Raises:
            TyingError: There is no such projection to share, or the layer has an option that is not supported.

        Example:
            >>> untied = nn.MultiheadAttention(6, 3)
            >>> blocks = untied.in_proj_weight.detach()[12:].chunk(3)
            >>> tied = SharedValueAttention.from_multihead_attention(untied).weights()["in_proj_weight"]
            >>> torch.testing.assert_close(tied[12:14], sum(blocks) / 3)
        """
        weight = attention.out_proj.weight
        kv_options = {"add_bias_kv": attention.bias_k is not None, "add_zero_attn": attention.add_zero_attn}
        layer = cls(**_options(attention), **kv_options, device="meta", dtype=weight.dtype, share=share)
        layer.to_empty(device=weight.device)
        for name in layer.places:
            getattr(layer, name).tie_(attention.get_parameter(name))
        layer.out_proj.load_state_dict(attention.out_proj.state_dict())
        layer.train(attention.training)
        return layer

    def to_multihead_attention(self) -> nn.MultiheadAttention:
        """The `torch.nn.MultiheadAttention` with the same weights, no longer tied, which computes the same."""
        weights = {name: weight.detach() for name, weight in self.weights().items()}
        out = weights["out_proj.weight"]
        untied = nn.MultiheadAttention(**_options(self), device="meta", dtype=out.dtype).to_empty(device=out.device)
        untied.load_state_dict(weights)
        return untied.train(self.training)

    def extra_repr(self) -> str:
        """Sizes, what differs from the defaults, what is shared and the counts."""
        usual = {"dropout": 0.0, "bias": True, "kdim": self.embed_dim, "vdim": self.embed_dim, "batch_first": False}
        options = _options(self)
        chosen = [f"{name}={options[name]}" for name in usual if options[name] != usual[name]]
        return ", ".join((f"{self.embed_dim}, {self.num_heads}", *chosen, f"share={self.share}", str(count(self))))

    def _project(self, inputs: tuple[Tensor, ...], batch_axis: int) -> list[Tensor]:
        """Queries, keys, values of each head, or of one for all, shape=(N, heads or 1, length, head_dim)."""
        rows: dict[str, list[Tensor]] = {"weight": [], "bias": []}
        for name, held in self.places.items():
            shared = getattr(self, name)
            sizes = [self.head_dim * (1 if each in self.share else self.num_heads) for each in held]
            rows[name.rpartition("_")[2]] += shared.theta.to(shared.site_dtype).flatten(0, 1).split(sizes)
        biases = rows["bias"] or [None] * len(inputs)
        found = []
        for each, weight, bias in zip(inputs, rows["weight"], biases, strict=True):
            features = functional.linear(each, weight, bias).unflatten(-1, (-1, self.head_dim))
            found.append(features.movedim((batch_axis, -2), (0, 1)))
        return found


def _tying(projections: Iterable[str], num_heads: int, share: tuple[str, ...]) -> LinearTying:
    """The heads of some projections, one below the other: one block feeds all heads of a projection that is shared."""
    heads = range(num_heads)
    return LinearTying.groups([name if name in share else (name, head) for name in projections for head in heads])


def _options(attention: nn.Module) -> dict[str, Any]:
    """The arguments that this layer and that of torch have in common."""
    names = ("embed_dim", "num_heads", "dropout", "kdim", "vdim", "batch_first")
    return {name: getattr(attention, name) for name in names} | {"bias": attention.in_proj_bias is not None}
