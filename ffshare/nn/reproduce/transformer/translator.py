"""A Transformer that rewrites sequences, its training, and decoding without being told what came before.

Teacher-forced accuracy lets a model predict each sign from the true ones before it; free-running decoding feeds it its
own. Only the second is what a model is for, and only the first needs a causal mask to mean anything.
"""

from typing import Any

import torch
from torch import Tensor, nn
from torch.nn import functional

from ffshare.nn.reproduce.transformer.sequences import Pairs
from ffshare.nn.transformer import TiedTransformer


class Translator(nn.Module):
    """Embeddings, a Transformer, and a linear map to the scores of the signs, all without biases.

    Args:
        n_source: Number of signs of sources, the last of which fills them up.
        n_target: Number of signs of targets, of which the last but one starts them and the last stops them; None where
            source and target are written, and embedded, with the same signs.
        n_places: The most signs that a sequence has.
        d_model: Number of features.
        **options: What else `TiedTransformer` takes.
    """

    def __init__(self, n_source: int, n_target: int | None, n_places: int, d_model: int, **options: Any) -> None:
        super().__init__()
        self.n_signs = n_source if n_target is None else n_target
        self.start, self.stop, self.filled = self.n_signs - 2, self.n_signs - 1, n_source - 1
        self.signs = nn.ModuleList(
            nn.Embedding(n, d_model) for n in ((n_source,) if n_target is None else (n_source, n_target))
        )
        self.places = nn.ModuleList(nn.Embedding(n_places, d_model) for _ in range(2))
        self.transformer = TiedTransformer(d_model, batch_first=True, bias=False, **options)
        self.scores = nn.Linear(d_model, self.n_signs, bias=False)

    def forward(self, source: Tensor, written: Tensor) -> Tensor:
        """Scores of what comes next, after each sign that is written.

        Args:
            source: Signs, shape=(n, S).
            written: Signs from the start on, shape=(n, T).

        Returns:
            Scores, shape=(n, T, n_signs).
        """
        n_written = written.shape[1]
        is_later = torch.ones(n_written, n_written, dtype=torch.bool).triu(1)
        is_filled = source == self.filled
        embedded = [
            signs(each) + places.weight[: each.shape[1]]
            for signs, places, each in zip((self.signs[0], self.signs[-1]), self.places, (source, written), strict=True)
        ]
        output = self.transformer(
            *embedded,
            tgt_mask=is_later,
            tgt_is_causal=True,
            src_key_padding_mask=is_filled,
            memory_key_padding_mask=is_filled,
        )
        scores: Tensor = self.scores(output)
        return scores


def loss(translator: Translator, pairs: Pairs) -> Tensor:
    """Mean cross-entropy of the signs to predict, in nats."""
    scores = translator(pairs.source, pairs.target[:, :-1])
    counts = pairs.counts
    return functional.cross_entropy(scores[counts], pairs.target[:, 1:][counts])


@torch.no_grad()
def forced_accuracy(translator: Translator, pairs: Pairs) -> float:
    """Share of sequences of which every sign is predicted from the true ones before it."""
    best = translator(pairs.source, pairs.target[:, :-1]).argmax(dim=-1)
    is_right = (best == pairs.target[:, 1:]) | ~pairs.counts
    return float(is_right.all(dim=1).double().mean())


@torch.no_grad()
def greedy(translator: Translator, source: Tensor, longest: int) -> Tensor:
    """What the model writes: at each step what it thinks most likely after all that it wrote.

    Args:
        translator: The model.
        source: Signs, shape=(n, S).
        longest: The most signs to write.

    Returns:
        The signs, filled up with the one that stops, shape=(n, longest).
    """
    written = torch.full((len(source), 1), translator.start)
    has_stopped = torch.zeros(len(source), dtype=torch.bool)
    for _ in range(longest):
        following = translator(source, written)[:, -1].argmax(dim=-1).masked_fill(has_stopped, translator.stop)
        has_stopped = has_stopped | (following == translator.stop)
        written = torch.cat([written, following[:, None]], dim=1)
    return written[:, 1:]


def greedy_accuracy(translator: Translator, pairs: Pairs) -> float:
    """Share of sequences that the model writes rightly, and stops, on its own."""
    expected = pairs.target[:, 1:]
    return float((greedy(translator, pairs.source, expected.shape[1]) == expected).all(dim=1).double().mean())
