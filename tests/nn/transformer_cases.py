"""Models, sequences and masks that the tests of `TiedTransformer` use."""

import torch

from ffshare.nn.transformer import TiedTransformer

SHARES = ("none", "kv-stack", "kv-all")
D, HEADS, BATCH, S, T = 12, 3, 4, 6, 5


def model(share="kv-all", seed=0, n=2, **options):
    torch.manual_seed(seed)
    transformer = TiedTransformer(
        D, HEADS, n, n, 16, **{"dropout": 0.0, "dtype": torch.float64, **options}, share=share
    )
    with torch.no_grad():
        for name, parameter in transformer.named_parameters():
            if "bias" in name or "norm" in name:
                parameter.add_(0.3 * torch.randn_like(parameter))
    return transformer


def inputs(batch_first=False, is_batched=True, dtype=torch.float64):
    source, target = (torch.linspace(-2.0, 9.0, BATCH * n * D, dtype=torch.float64) for n in (S, T))
    source, target = ((40 * each).sin().reshape(BATCH, -1, D).to(dtype) for each in (source, target))
    if not is_batched:
        return source[0], target[0]
    return (source, target) if batch_first else (source.transpose(0, 1), target.transpose(0, 1))


def causal(n=T):
    return torch.ones(n, n, dtype=torch.bool).triu(1)


def filled(n):
    return torch.arange(n) >= torch.tensor([[n], [n - 1], [2], [1]])


def as_numbers(mask):
    generator = torch.Generator().manual_seed(2)
    return torch.randn(mask.shape, dtype=torch.float64, generator=generator).masked_fill(mask, -torch.inf)


def close(found, expected, tolerance=1e-12):
    torch.testing.assert_close(found, expected, rtol=0, atol=tolerance)
