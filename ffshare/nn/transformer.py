r"""An encoder-decoder Transformer whose attention modules share the projections of keys and values.

With L_e layers of encoder and L_d of decoder there are L_e + 2 L_d attention modules, each with four matrices of d · d:
of queries, keys, values and the output. Keys and values may have one matrix each for many modules:

    share="kv-all"     one W_K and one W_V for all: source and target are looked up in one space
    share="kv-stack"   one pair for the encoder, one for the decoder (to itself and to the source)
    share="none"       `torch.nn.Transformer`

Of 4 (L_e + 2 L_d) d² weights of attention, 2 (L_e + 2 L_d - 1) d² are saved with "kv-all". The pairs of all modules are
sites of one `Shared`, φ = Aθ, expanded once in each forward pass and handed down.

With one head nothing is lost, since W_Q and W_O can make up for any invertible W_K and W_V; with h heads, a head reads
the same d/h dimensions in all modules. And what is shared need not be computed twice: all layers of a decoder look at
the same output of the encoder, whose keys and values are projected once for all of them.

Reference:
    Vaswani et al., NeurIPS 2017, arXiv:1706.03762; Lan et al. (ALBERT, layers shared whole), arXiv:1909.11942.
"""

import math
from collections.abc import Callable, Iterator
from typing import Any, Self

import torch
from torch import Tensor, nn
from torch.nn import functional

from ffshare.errors import TyingError
from ffshare.nn import init
from ffshare.nn.attention_inputs import check_inputs
from ffshare.nn.counts import count
from ffshare.nn.shared import Shared
from ffshare.nn.transformer_layers import Projection, QueryAttention, Stack, TransformerLayer, keys_and_values, mask_of
from ffshare.nn.transformer_options import OPTIONS, activation_of, options_of, untied_of
from ffshare.tying import LinearTying

# Who owns the keys and values of a module with this path.
OWNERS: dict[str, Callable[[str], str]] = {
    "none": lambda path: path,
    "kv-stack": lambda path: path.partition(".")[0],
    "kv-all": lambda path: "all",
}


class TiedTransformer(nn.Module):
    r"""A `torch.nn.Transformer` whose attention modules share the projections of keys and values.

    .. math::
        \text{Attention}_m(x, y) = \operatorname{softmax}\left(
            \frac{x W^Q_m (y W^K)^{\mathsf T}}{\sqrt{d / h}} \right) y W^V W^O_m

    for each of h heads and every module m, which attends to its own input (y = x) or, in the decoder, to the output of
    the encoder (y), the memory.

    Args:
        d_model: Number of features d.
        nhead: Number of heads h, a divisor of d.
        num_encoder_layers: Number of layers of the encoder.
        num_decoder_layers: Number of layers of the decoder.
        dim_feedforward: Number of hidden features of the feed-forward networks.
        dropout: Probability that a feature or an attention weight is dropped, in training.
        activation: ``"relu"``, ``"gelu"`` or a function.
        custom_encoder: Not supported; it has the place that it has in torch.
        custom_decoder: Not supported; it has the place that it has in torch.
        layer_norm_eps: What normalisation adds to a variance.
        batch_first: Whether batches are ``(batch, seq, feature)`` and not ``(seq, batch, feature)``.
        norm_first: Whether the input of each part of a layer is normalised, and not the sum with its output.
        bias: Whether linear maps and normalisations have biases.
        device: Device of the parameters.
        dtype: Type of the weights.
        share: ``"kv-all"``, ``"kv-stack"`` or ``"none"``.

    Shape:
        - Inputs, masks, output: as for `torch.nn.Transformer`, without a batch as well; no nested tensors.

    Attributes:
        kv_weight (Shared): :math:`W^K` and :math:`W^V` of each attention module, by its path; ``theta`` holds those
            that are free, :math:`(2, d, d)` with ``"kv-all"``.
        kv_bias (Shared): their biases, shared in the same way, :math:`(2, d)`; None without bias.
        encoder, decoder: all other parameters, named as in torch; those of queries are ``q_proj``.

    Raises:
        TyingError: There is no such way to share, an option is not supported, or a stack has no layers.

    Note:
        In evaluation, the encoder of torch may give zeros for padded positions; here they are computed as any others.

    Example:
        >>> transformer = TiedTransformer(64, 4, 2, 2, 128, bias=False)
        >>> count(transformer), count(TiedTransformer(64, 4, 2, 2, 128, bias=False, share="none"))
        (free=123,648, sites=164,608, rank=123,648, free=164,608, sites=164,608, rank=164,608)
        >>> source, target = torch.zeros(10, 5, 64), torch.zeros(7, 5, 64)
        >>> transformer(source, target).shape
        torch.Size([7, 5, 64])
        >>> transformer.kv_weight.tying.keys
        (('all', 'k'), ('all', 'v'))
    """

    __constants__ = ("d_model", "nhead", "batch_first", "share")
    kv_bias: Shared | None

    def __init__(
        self,
        d_model: int = 512,
        nhead: int = 8,
        num_encoder_layers: int = 6,
        num_decoder_layers: int = 6,
        dim_feedforward: int = 2048,
        dropout: float = 0.1,
        activation: str | Callable[[Tensor], Tensor] = functional.relu,
        custom_encoder: None = None,
        custom_decoder: None = None,
        layer_norm_eps: float = 1e-5,
        batch_first: bool = False,
        norm_first: bool = False,
        bias: bool = True,
        device: Any = None,
        dtype: torch.dtype | None = None,
        *,
        share: str = "kv-all",
    ) -> None:
        super().__init__()
        if custom_encoder is not None or custom_decoder is not None:
            raise TyingError("custom_encoder and custom_decoder are not supported: their keys and values are theirs")
        if share not in OWNERS:
            raise TyingError(f"there is no way {share!r} to share; there are {', '.join(map(repr, OWNERS))}")
        if d_model % nhead:
            raise TyingError(f"d_model = {d_model} features cannot be split among nhead = {nhead} heads")
        activation = activation_of(activation)
        self.d_model, self.nhead, self.batch_first, self.share = d_model, nhead, batch_first, share
        self.num_encoder_layers, self.num_decoder_layers = num_encoder_layers, num_decoder_layers
        self.dim_feedforward, self.dropout, self.activation = dim_feedforward, dropout, activation
        self.layer_norm_eps, self.norm_first, self.bias = layer_norm_eps, norm_first, bias
        where: dict[str, Any] = {"bias": bias, "device": device, "dtype": dtype}
        sizes = (d_model, nhead, dim_feedforward, dropout, activation, layer_norm_eps, norm_first)
        for name, n_layers in (("encoder", num_encoder_layers), ("decoder", num_decoder_layers)):
            if n_layers < 1:
                raise TyingError(f"the {name} needs a layer or more, got num_{name}_layers={n_layers}")
            layers = [TransformerLayer(name == "decoder", *sizes, **where) for _ in range(n_layers)]
            setattr(self, name, Stack(layers, nn.LayerNorm(d_model, layer_norm_eps, **where)))
        paths = [path for path, module in self.named_modules() if isinstance(module, QueryAttention)]
        tying = LinearTying.groups([(OWNERS[share](path), kind) for path in paths for kind in "kv"])
        for name, rest in (("kv_weight", (d_model,)), ("kv_bias", ())):
            places = dict.fromkeys(paths, (2 * d_model, *rest))
            shared = Shared(tying, places, block=(d_model, *rest), device=device, dtype=dtype)
            setattr(self, name, shared if bias or rest else None)
        self.reset_parameters()

    def reset_parameters(self) -> None:
        """Draw all parameters from the distributions of `torch.nn.Transformer`, keys and values by their sites."""
        for stack in (self.encoder, self.decoder):
            for module in (*stack.layers, stack.norm):
                module.reset_parameters()
        # Torch draws queries, keys and values as one matrix: of three times as many outputs, not of two.
        kv = self.kv_weight
        init.xavier_uniform_(kv.theta, kv.tying, kv.shapes, gain=math.sqrt(0.75))
        if self.kv_bias is not None:
            nn.init.zeros_(self.kv_bias.theta)

    def forward(
        self,
        src: Tensor,
        tgt: Tensor,
        src_mask: Tensor | None = None,
        tgt_mask: Tensor | None = None,
        memory_mask: Tensor | None = None,
        src_key_padding_mask: Tensor | None = None,
        tgt_key_padding_mask: Tensor | None = None,
        memory_key_padding_mask: Tensor | None = None,
        src_is_causal: bool | None = None,
        tgt_is_causal: bool | None = None,
        memory_is_causal: bool = False,
    ) -> Tensor:
        """Encode a source and decode a target that looks at it.

        Args:
            src: The source, shape=(S, N, d_model), (N, S, d_model) with ``batch_first``, or (S, d_model).
            tgt: The target, shape=(T, N, d_model) and so on.
            src_mask: Pairs of the source that may not attend (True), or numbers added to their scores, shape=(S, S) or
                (N * nhead, S, S).
            tgt_mask: The same for the target, shape=(T, T) or (N * nhead, T, T).
            memory_mask: The same for the target attending to the source, shape=(T, S) or (N * nhead, T, S).
            src_key_padding_mask: Positions of the source that are padding (True), or numbers added to their scores,
                shape=(N, S) or (S,).
            tgt_key_padding_mask: The same for the target, shape=(N, T) or (T,).
            memory_key_padding_mask: The same for the source as the target sees it, shape=(N, S) or (S,).
            src_is_causal: A hint that ``src_mask``, which must be given, is the causal mask.
            tgt_is_causal: The same for ``tgt_mask``.
            memory_is_causal: The same for ``memory_mask``.

        Returns:
            The output of the decoder, shaped as the target.

        Raises:
            RuntimeError: A shape is wrong, or a hint comes without its mask.
        """
        attending = {"query": tgt, "key": src, "value": src}
        check_inputs({name: (x, self.d_model) for name, x in attending.items()}, batch_first=self.batch_first)
        paddings = [src_key_padding_mask, tgt_key_padding_mask, memory_key_padding_mask]
        is_batched = src.dim() == 3
        if not is_batched:
            src, tgt = src.unsqueeze(0), tgt.unsqueeze(0)
            paddings = [each if each is None else each.unsqueeze(0) for each in paddings]
        elif not self.batch_first:
            src, tgt = src.transpose(0, 1), tgt.transpose(0, 1)
        pairs = ((src, src), (tgt, tgt), (tgt, src))
        masks = (src_mask, tgt_mask, memory_mask)
        hints = (src_is_causal, tgt_is_causal, memory_is_causal)
        given = zip(pairs, masks, paddings, hints, strict=True)
        of_src, of_tgt, of_memory = (mask_of(*pair, self.nhead, *rest) for pair, *rest in given)
        kv = self._projections()
        for number, layer in enumerate(self.encoder.layers):
            src = layer(src, kv[f"encoder.layers.{number}.self_attn"], of_src)
        src = self.encoder.norm(src)
        memory = None
        for number, layer in enumerate(self.decoder.layers):
            path = f"decoder.layers.{number}"
            if memory is None or self.share == "none":
                memory = keys_and_values(src, kv[f"{path}.multihead_attn"], self.nhead, of_memory)
            tgt = layer(tgt, kv[f"{path}.self_attn"], of_tgt, memory)
        tgt = self.decoder.norm(tgt)
        if not is_batched:
            return tgt.squeeze(0)
        return tgt if self.batch_first else tgt.transpose(0, 1)

    def weights(self) -> dict[str, Tensor]:
        """The weights and biases by the names of `torch.nn.Transformer`, ties expanded anew."""
        found = dict(self.named_parameters())
        for kind, shared in self._shared():
            del found[f"kv_{kind}.theta"]
            for path, kv in shared().items():
                found[f"{path}.in_proj_{kind}"] = torch.cat([found.pop(f"{path}.q_proj.{kind}"), kv])
        return found

    @classmethod
    def from_transformer(cls, transformer: nn.Transformer, share: str = "kv-all") -> Self:
        """The model whose weights come closest to those of an untied one.

        Args:
            transformer: The model to start from, which is left as it is.
            share: As for the class. A shared projection is the mean of those of the modules; the rest is exact.

        Returns:
            A model of the same sizes, options, type and device, with parameters of its own.

        Raises:
            TyingError: There is no such way to share, or the layers are not those of torch.

        Example:
            >>> untied = nn.Transformer(8, 2, 1, 1, 16, batch_first=True)
            >>> tied = TiedTransformer.from_transformer(untied, share="none")
            >>> source, target = torch.ones(3, 5, 8), torch.ones(3, 4, 8)
            >>> torch.testing.assert_close(tied.eval()(source, target), untied.eval()(source, target))
        """
        options = options_of(transformer)
        state = {name: parameter.detach() for name, parameter in transformer.named_parameters()}
        like = transformer.decoder.norm.weight
        tied = cls(**options, device="meta", dtype=like.dtype, share=share)
        tied.to_empty(device=like.device)
        for kind, shared in tied._shared():
            sites = []
            for path in shared.shapes:
                q, kv = state.pop(f"{path}.in_proj_{kind}").tensor_split([tied.d_model])
                state[f"{path}.q_proj.{kind}"] = q
                sites.append(kv)
            state[f"kv_{kind}.theta"] = shared.tie_(torch.cat(sites)).theta.detach()
        tied.load_state_dict(state)
        tied.train(transformer.training)
        return tied

    def to_transformer(self) -> nn.Transformer:
        """The `torch.nn.Transformer` with the same weights, no longer tied, which computes the same."""
        weights = {name: weight.detach() for name, weight in self.weights().items()}
        like = self.decoder.norm.weight
        untied = untied_of(self._options(), like.dtype).to_empty(device=like.device)
        untied.load_state_dict(weights)
        return untied.train(self.training)

    def extra_repr(self) -> str:
        """Sizes, what differs from the defaults, what is shared and the counts."""
        chosen = [f"{name}={each}" for name, each in self._options().items() if each != OPTIONS[name]]
        return ", ".join((*chosen, f"share={self.share!r}", str(count(self))))

    def _options(self) -> dict[str, Any]:
        """The arguments that it was made with, but for those of place and type."""
        return {name: getattr(self, name) for name in OPTIONS}

    def _shared(self) -> Iterator[tuple[str, Shared]]:
        """What is shared, by kind."""
        yield "weight", self.kv_weight
        if self.kv_bias is not None:
            yield "bias", self.kv_bias

    def _projections(self) -> dict[str, Projection]:
        """W_K and W_V of each attention module by its path, expanded once."""
        weights = self.kv_weight()
        biases = dict.fromkeys(weights) if self.kv_bias is None else self.kv_bias()
        return {path: Projection(weight, biases[path]) for path, weight in weights.items()}
