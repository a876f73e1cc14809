"""What attention takes, as `torch.nn.MultiheadAttention` does: shapes that belong together, and masks.

A mask forbids (True) or adds numbers to scores; there may be one of pairs and one of keys. Both together are a sum, in
which -∞ forbids. Its shape is only as large as the masks need: it is broadcast over heads and batch, not repeated.
"""

from collections.abc import Mapping

import torch
from torch import Tensor

ScoresShape = tuple[int, int, int, int]


def check_inputs(given: Mapping[str, tuple[Tensor, int]], *, batch_first: bool) -> None:
    """Refuse queries, keys and values that do not belong together.

    Args:
        given: Query, key and value, each with its number of features, by name.
        batch_first: Whether the axis of the batch, if any, comes first and not second.

    Raises:
        RuntimeError: A shape is wrong.
    """
    shapes = {name: tuple(tensor.shape) for name, (tensor, _) in given.items()}
    n_axes = len(shapes["query"])
    for name, shape in shapes.items():
        n_features = given[name][1]
        if len(shape) not in (2, 3) or len(shape) != n_axes or shape[-1] != n_features:
            raise RuntimeError(
                f"{name} has shape {shape}, expected {n_features} features, and 3 axes or, all without a batch, 2"
            )
    batch_axis = 0 if batch_first else 1
    is_one_batch = n_axes == 2 or shapes["query"][batch_axis] == shapes["key"][batch_axis]
    if shapes["key"][:-1] != shapes["value"][:-1] or not is_one_batch:
        listed = ", ".join(f"{name} {shape}" for name, shape in shapes.items())
        raise RuntimeError(f"{listed}: all need one batch size, key and value one length")


def additive_mask(
    attn_mask: Tensor | None, key_padding_mask: Tensor | None, scores_shape: ScoresShape, dtype: torch.dtype
) -> Tensor | None:
    """What the masks add to scores.

    Args:
        attn_mask: Pairs that may not attend (True), or numbers to add, shape=(L, S) or (N * heads, L, S).
        key_padding_mask: Keys that none may attend to (True), or numbers to add, shape=(N, S).
        scores_shape: N, heads, L, S.
        dtype: Type of the scores.

    Returns:
        The sum, which broadcasts to the shape of the scores; None without masks.

    Raises:
        RuntimeError: A mask has another shape, or is neither of bools nor of real numbers.

    Example:
        >>> additive_mask(torch.tensor([[False, True]]), torch.tensor([[0.5, 0.5]]), (1, 3, 1, 2), torch.float32)
        tensor([[[[0.5000,   -inf]]]])
    """
    n_batch, n_heads, n_queries, n_keys = scores_shape
    total = None
    if attn_mask is not None:
        pairs = (n_queries, n_keys)
        _check("attn_mask", attn_mask, pairs, (n_batch * n_heads, *pairs))
        total = _summand(attn_mask, dtype)
        total = total if total.dim() == 2 else total.unflatten(0, (n_batch, n_heads))
    if key_padding_mask is not None:
        _check("key_padding_mask", key_padding_mask, (n_batch, n_keys))
        of_keys = _summand(key_padding_mask, dtype)[:, None, None, :]
        total = of_keys if total is None else total + of_keys
    return total


def _summand(mask: Tensor, dtype: torch.dtype) -> Tensor:
    if mask.dtype != torch.bool:
        return mask.to(dtype)
    return torch.zeros_like(mask, dtype=dtype).masked_fill(mask, float("-inf"))


def _check(name: str, mask: Tensor, *shapes: tuple[int, ...]) -> None:
    if tuple(mask.shape) not in shapes:
        raise RuntimeError(f"{name} has shape {tuple(mask.shape)}, expected {' or '.join(map(str, shapes))}")
    if mask.dtype != torch.bool and not mask.is_floating_point():
        raise RuntimeError(f"{name} is of type {mask.dtype}, expected bool or a floating-point type")
