"""The options of `torch.nn.Transformer`: read from one, and made into one."""

from collections.abc import Callable, Mapping
from typing import Any

import torch
from torch import Tensor, nn
from torch.nn import functional

from ffshare.errors import TyingError

# What it knows by name.
ACTIVATIONS: dict[str, Callable[[Tensor], Tensor]] = {"relu": functional.relu, "gelu": functional.gelu}

# Its arguments with their defaults, but for custom_encoder, custom_decoder, and those of place and type.
OPTIONS: dict[str, Any] = {
    "d_model": 512,
    "nhead": 8,
    "num_encoder_layers": 6,
    "num_decoder_layers": 6,
    "dim_feedforward": 2048,
    "dropout": 0.1,
    "activation": functional.relu,
    "layer_norm_eps": 1e-5,
    "batch_first": False,
    "norm_first": False,
    "bias": True,
}

LAYERS = (nn.TransformerEncoderLayer, nn.TransformerDecoderLayer)


def activation_of(activation: str | Callable[[Tensor], Tensor]) -> Callable[[Tensor], Tensor]:
    """The function that an activation names or is.

    Args:
        activation: A name, or the function itself.

    Returns:
        The function.

    Raises:
        TyingError: There is no activation of that name.
    """
    if not isinstance(activation, str):
        return activation
    if activation not in ACTIVATIONS:
        raise TyingError(f"there is no activation {activation!r}; there are {', '.join(map(repr, ACTIVATIONS))}")
    return ACTIVATIONS[activation]


def options_of(transformer: nn.Transformer) -> dict[str, Any]:
    """The arguments that make a model like one of torch.

    Args:
        transformer: A model with layers of torch.

    Returns:
        A value for each of `OPTIONS`.

    Raises:
        TyingError: It has other layers, or none.

    Example:
        >>> options_of(nn.Transformer(8, 2, 1, 3, batch_first=True))["num_decoder_layers"]
        3
    """
    stacks = transformer.encoder, transformer.decoder
    layers = [layer for stack in stacks for layer in getattr(stack, "layers", ())]
    if not layers or any(type(layer) not in LAYERS for layer in layers):
        found = ", ".join(dict.fromkeys(type(layer).__name__ for layer in layers)) or "none"
        raise TyingError(f"the layers must be those of torch.nn.Transformer, found {found}")
    layer = layers[0]
    return {
        "d_model": transformer.d_model,
        "nhead": transformer.nhead,
        "num_encoder_layers": len(transformer.encoder.layers),
        "num_decoder_layers": len(transformer.decoder.layers),
        "dim_feedforward": layer.linear1.out_features,
        "dropout": layer.dropout.p,
        "activation": layer.activation,
        "layer_norm_eps": layer.norm1.eps,
        "batch_first": transformer.batch_first,
        "norm_first": layer.norm_first,
        "bias": layer.linear1.bias is not None,
    }


def untied_of(options: Mapping[str, Any], dtype: torch.dtype) -> nn.Transformer:
    """A model of torch on the device "meta".

    Args:
        options: A value for each of `OPTIONS`.
        dtype: Type of its parameters.

    Returns:
        The model, whose encoder does without nested tensors: they would put zeros in the place of padding.
    """
    where: dict[str, Any] = {"device": "meta", "dtype": dtype}
    of_layers = {name: value for name, value in options.items() if not name.startswith("num_")}
    norm = nn.LayerNorm(options["d_model"], options["layer_norm_eps"], bias=options["bias"], **where)
    layer = nn.TransformerEncoderLayer(**of_layers, **where)
    encoder = nn.TransformerEncoder(layer, options["num_encoder_layers"], norm, enable_nested_tensor=False)
    return nn.Transformer(**options, custom_encoder=encoder, **where)
