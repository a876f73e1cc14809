r"""The layers of a `TiedTransformer`: those of torch, with keys and values from weights that are handed down.

An attention module here owns what it asks with, W_Q, and what it answers with, W_O. Its keys and values come from
outside, made by `keys_and_values` with one W_K and W_V, which may be those of any number of modules. So a layer holds
no reference to what is shared, and whoever owns it expands it once.

Names and formulas are those of `torch.nn.TransformerEncoderLayer` and `torch.nn.TransformerDecoderLayer`; batches come
first.
"""

import math
from collections.abc import Callable
from typing import Any, NamedTuple

from torch import Tensor, nn
from torch.nn import functional

from ffshare.nn.attention_inputs import additive_mask


class Projection(NamedTuple):
    """W_K above W_V, shape=(2 * d_model, d_model), and their biases in the same order, or None."""

    weight: Tensor
    bias: Tensor | None


class Mask(NamedTuple):
    """What is added to scores, or None, and whether instead position t sees positions up to t."""

    summand: Tensor | None
    is_causal: bool


class Memory(NamedTuple):
    """Keys and values of each head, shape=(N, nhead, S, d_model / nhead), and who may see them."""

    keys: Tensor
    values: Tensor
    mask: Mask


def mask_of(
    queries: Tensor, keys: Tensor, nhead: int, pairs: Tensor | None, padding: Tensor | None, is_causal: bool | None
) -> Mask:
    """One mask from those that torch takes.

    Args:
        queries: The sequence that attends, shape=(N, L, d_model).
        keys: The sequence that it attends to, shape=(N, S, d_model).
        nhead: Number of heads.
        pairs: Pairs that may not attend (True), or numbers to add, shape=(L, S) or (N * nhead, L, S).
        padding: Keys that none may attend to (True), or numbers to add, shape=(N, S).
        is_causal: A hint that ``pairs`` is the causal mask.

    Returns:
        The mask.

    Raises:
        RuntimeError: A mask has another shape, or the hint comes without its mask.
    """
    if is_causal and pairs is None:
        raise RuntimeError("a hint that a mask is causal comes without the mask: give both")
    shape = (queries.shape[0], nhead, queries.shape[1], keys.shape[1])
    by_hint = bool(is_causal) and padding is None
    return Mask(additive_mask(None if by_hint else pairs, padding, shape, queries.dtype), by_hint)


def keys_and_values(x: Tensor, projection: Projection, nhead: int, mask: Mask) -> Memory:
    """Project a sequence to the keys and values of all heads.

    Args:
        x: The sequence, shape=(N, S, d_model).
        projection: W_K and W_V.
        nhead: Number of heads.
        mask: Who may see what.

    Returns:
        Keys and values with their mask.
    """
    features = functional.linear(x, *projection).unflatten(-1, (2 * nhead, -1)).transpose(1, 2)
    keys, values = features.split(nhead, dim=1)
    return Memory(keys, values, mask)


class QueryAttention(nn.Module):
    """Attention to keys and values that are given: W_Q and W_O with their biases.

    Args:
        d_model: Number of features.
        nhead: Number of heads.
        dropout: Probability that an attention weight is dropped, in training.
        **factory: ``bias``, ``device`` and ``dtype`` of the projections.
    """

    def __init__(self, d_model: int, nhead: int, dropout: float, **factory: Any) -> None:
        super().__init__()
        self.nhead, self.dropout = nhead, dropout
        self.q_proj = nn.Linear(d_model, d_model, **factory)
        self.out_proj = nn.Linear(d_model, d_model, **factory)
        self.reset_parameters()

    def reset_parameters(self) -> None:
        """Draw W_Q as the part of a matrix of queries, keys and values, as torch does; biases start at zero."""
        nn.init.xavier_uniform_(self.q_proj.weight, gain=math.sqrt(0.5))
        nn.init.xavier_uniform_(self.out_proj.weight)
        if self.q_proj.bias is not None:
            nn.init.zeros_(self.q_proj.bias)
            nn.init.zeros_(self.out_proj.bias)

    def forward(self, x: Tensor, memory: Memory) -> Tensor:
        """What each position of x, shape=(N, L, d_model), finds in the memory, in the same shape."""
        queries = self.q_proj(x).unflatten(-1, (self.nhead, -1)).transpose(1, 2)
        dropout = self.dropout if self.training else 0.0
        heads = functional.scaled_dot_product_attention(
            queries, memory.keys, memory.values, memory.mask.summand, dropout, memory.mask.is_causal
        )
        output: Tensor = self.out_proj(heads.transpose(1, 2).flatten(-2))
        return output


class TransformerLayer(nn.Module):
    """A layer of an encoder, or of a decoder, which looks at the memory as well.

    Args:
        attends_to_memory: Whether it is the layer of a decoder.
        d_model: Number of features.
        nhead: Number of heads.
        dim_feedforward: Number of hidden features of the feed-forward network.
        dropout: Probability of dropping attention weights, hidden features and the outputs of each part, in training.
        activation: What follows the first map of the feed-forward network.
        layer_norm_eps: What normalisation adds to a variance.
        norm_first: Whether the input of each part is normalised, and not the sum with its output.
        **factory: ``bias``, ``device`` and ``dtype`` of the parameters.
    """

    def __init__(
        self,
        attends_to_memory: bool,
        d_model: int,
        nhead: int,
        dim_feedforward: int,
        dropout: float,
        activation: Callable[[Tensor], Tensor],
        layer_norm_eps: float,
        norm_first: bool,
        **factory: Any,
    ) -> None:
        super().__init__()
        self.nhead, self.norm_first, self.activation = nhead, norm_first, activation
        self.self_attn = QueryAttention(d_model, nhead, dropout, **factory)
        if attends_to_memory:
            self.multihead_attn = QueryAttention(d_model, nhead, dropout, **factory)
        self.linear1 = nn.Linear(d_model, dim_feedforward, **factory)
        self.dropout = nn.Dropout(dropout)
        self.linear2 = nn.Linear(dim_feedforward, d_model, **factory)
        for number in range(1, 4 if attends_to_memory else 3):
            setattr(self, f"norm{number}", nn.LayerNorm(d_model, layer_norm_eps, **factory))
            setattr(self, f"dropout{number}", nn.Dropout(dropout))
        self.reset_parameters()

    def reset_parameters(self) -> None:
        """Draw all parameters from the distributions of `torch.nn.Transformer`."""
        for module in self.children():
            if hasattr(module, "reset_parameters"):
                module.reset_parameters()
        for linear in (self.linear1, self.linear2):
            nn.init.xavier_uniform_(linear.weight)

    def forward(self, x: Tensor, projection: Projection, mask: Mask, memory: Memory | None = None) -> Tensor:
        """Pass a sequence through the layer.

        Args:
            x: The sequence, shape=(N, L, d_model).
            projection: W_K and W_V of its attention to itself.
            mask: Which of its positions see which.
            memory: Keys and values of the encoder's output, for a decoder.

        Returns:
            The output, shape=(N, L, d_model).
        """

        def to_itself(y: Tensor) -> Tensor:
            return self.self_attn(y, keys_and_values(y, projection, self.nhead, mask))

        def feed_forward(y: Tensor) -> Tensor:
            return self.linear2(self.dropout(self.activation(self.linear1(y))))

        x = self._add(x, to_itself, self.norm1, self.dropout1)
        if memory is None:
            return self._add(x, feed_forward, self.norm2, self.dropout2)
        x = self._add(x, lambda y: self.multihead_attn(y, memory), self.norm2, self.dropout2)
        return self._add(x, feed_forward, self.norm3, self.dropout3)

    def _add(self, x: Tensor, part: Callable[[Tensor], Tensor], norm: nn.Module, dropout: nn.Module) -> Tensor:
        """The sum of an input and what a part makes of it."""
        output: Tensor = x + dropout(part(norm(x))) if self.norm_first else norm(x + dropout(part(x)))
        return output


class Stack(nn.Module):
    """Layers with a normalisation at their end, named as in `torch.nn.TransformerEncoder`.

    Args:
        layers: The layers.
        norm: The normalisation.
    """

    def __init__(self, layers: list[TransformerLayer], norm: nn.LayerNorm) -> None:
        super().__init__()
        self.layers = nn.ModuleList(layers)
        self.norm = norm
