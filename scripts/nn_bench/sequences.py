"""Layers over sequences: recurrences, attention, an encoder-decoder."""

from collections.abc import Callable, Sequence

import torch
from torch import Tensor, nn
from torch.nn import functional

from ffshare.nn import SharedValueAttention, TiedGateLSTM, TiedTransformer, TimeTied
from nn_bench.case import Action, Case, equal_pair, pair


class UnfusedLSTM(nn.Module):
    """The loop over steps that anybody would write, with untied weights."""

    def __init__(self, n_in: int, n_hidden: int) -> None:
        super().__init__()
        self.cell = nn.LSTMCell(n_in, n_hidden)

    def forward(self, steps: Tensor) -> Tensor:
        weights = self.cell.weight_ih, self.cell.weight_hh, self.cell.bias_ih, self.cell.bias_hh
        h = c = steps.new_zeros(steps.shape[1], self.cell.hidden_size)
        found = []
        for x in functional.linear(steps, weights[0], weights[2]):
            i, f, g, o = (x + functional.linear(h, weights[1], weights[3])).chunk(4, dim=1)
            c = torch.sigmoid(f) * c + torch.sigmoid(i) * torch.tanh(g)
            h = torch.sigmoid(o) * torch.tanh(c)
            found.append(h)
        return torch.stack(found)


class RepeatedCell(nn.Module):
    """A cell applied step by step."""

    def __init__(self, cell: nn.Module) -> None:
        super().__init__()
        self.cell = cell

    def forward(self, steps: Tensor) -> Tensor:
        h = steps.new_zeros(steps.shape[1], self.cell.hidden_size)
        found = []
        for x in steps:
            h = self.cell(x, h)
            found.append(h)
        return torch.stack(found)


def _lstm(standard: Callable[[], nn.Module]) -> tuple[Action, Action]:
    return pair(TiedGateLSTM(64, 128), standard(), torch.randn(50, 32, 64))


def _attention() -> tuple[Action, Action]:
    steps = torch.randn(64, 16, 256)
    return pair(SharedValueAttention(256, 8), nn.MultiheadAttention(256, 8), steps, steps, steps)


def _transformer(share: str, d_model: int, nhead: int, n_steps: int, n_batch: int) -> tuple[Action, Action]:
    """A step of training to translate: the target sees what came before it, and nobody sees the padding."""
    tied = TiedTransformer(d_model, nhead, 2, 2, 4 * d_model, batch_first=True, share=share)
    source, target = (torch.randn(n_batch, n_steps, d_model) for _ in range(2))
    lengths = torch.linspace(n_steps // 2, n_steps, n_batch)
    padding = torch.arange(n_steps) >= lengths[:, None]
    return equal_pair(
        tied,
        tied.to_transformer(),
        source,
        target,
        tgt_mask=torch.ones(n_steps, n_steps, dtype=torch.bool).triu(1),
        tgt_is_causal=True,
        src_key_padding_mask=padding,
        tgt_key_padding_mask=padding,
        memory_key_padding_mask=padding,
    )


CASES: Sequence[Case] = (
    Case("TimeTied, RNNCell 64, 50 steps, batch 32", "a loop over nn.RNNCell", 1.15,
         lambda: pair(TimeTied(nn.RNNCell(64, 64), 50), RepeatedCell(nn.RNNCell(64, 64)), torch.randn(50, 32, 64))),
    Case("TiedGateLSTM, 64 → 128, 50 steps, batch 32", "an unfused loop over untied gates", 1.15,
         lambda: _lstm(lambda: UnfusedLSTM(64, 128))),
    Case("TiedGateLSTM, 64 → 128, 50 steps, batch 32", "nn.LSTM, the fused kernel", None,
         lambda: _lstm(lambda: nn.LSTM(64, 128))),
    Case("SharedValueAttention, 256, 8 heads, 64 steps, batch 16", "nn.MultiheadAttention", 1.15, _attention),
    Case("TiedTransformer, kv-all, 64, 4 heads, 16 steps, batch 32", "nn.Transformer", 1.15,
         lambda: _transformer("kv-all", 64, 4, 16, 32)),
    Case("TiedTransformer, kv-stack, 64, 4 heads, 16 steps, batch 32", "nn.Transformer", 1.15,
         lambda: _transformer("kv-stack", 64, 4, 16, 32)),
    Case("TiedTransformer, kv-all, 256, 8 heads, 32 steps, batch 16", "nn.Transformer", 1.15,
         lambda: _transformer("kv-all", 256, 8, 32, 16)),
)  # fmt: skip
