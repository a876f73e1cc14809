"""Training of translators: until they are right, or for a given time; then down to a rate of zero."""

import math
from collections.abc import Callable

import torch

from ffshare.nn.reproduce.seeds import seeded
from ffshare.nn.reproduce.transformer.sequences import LETTERS, SIGNS, Pairs, draw
from ffshare.nn.reproduce.transformer.translator import Translator, forced_accuracy, greedy_accuracy, loss
from ffshare.nn.transformer_layers import keys_and_values
from ffshare.records import doc, record

RATE = 1e-3
BATCH = 32
ENOUGH = 0.99


@record
class Size:
    """Size of a model and of its task."""

    d_model: int = doc("number of features")
    nhead: int = doc("number of heads", default=4)
    n_layers: int = doc("number of layers of the encoder, and of the decoder", default=2)
    lengths: tuple[int, int] = doc("least and largest number of letters", default=(5, 12))
    n_places: int = doc("number of positions that have an embedding", default=16)


@record
class Trained:
    """A trained model and how it got there."""

    translator: Translator = doc("the model")
    curve: tuple[float, ...] = doc("teacher-forced accuracy at each look, over sequences")
    steps: float = doc("steps until the accuracy was enough; infinite where it never was")
    forced: float = doc("teacher-forced accuracy over new sequences")
    greedy: float = doc("accuracy over the longest new sequences, running free")
    loss: float = doc("cross-entropy over new sequences [nat/sign]")


def translator(size: Size, share: str, seed: int) -> Translator:
    """A model for letters.

    Args:
        size: Its size.
        share: As for `TiedTransformer`.
        seed: Another seed gives other starting values.

    Returns:
        The model, before training.
    """
    with seeded(seed):
        return Translator(
            SIGNS,
            None,
            size.n_places,
            size.d_model,
            nhead=size.nhead,
            num_encoder_layers=size.n_layers,
            num_decoder_layers=size.n_layers,
            dim_feedforward=2 * size.d_model,
            dropout=0.0,
            share=share,
        )


def descend(
    model: Translator, optimizer: torch.optim.Optimizer, batch: Callable[[], Pairs], n_steps: int, fade: float = 0.0
) -> None:
    """Take steps down the loss.

    Args:
        model: What is trained.
        optimizer: Of all its parameters.
        batch: What makes a batch.
        n_steps: How many.
        fade: Over which part of the steps, the last, the rate falls to zero.
    """
    for step in range(n_steps):
        left = (n_steps - step) / n_steps
        for group in optimizer.param_groups:
            group["lr"] = RATE * (min(1.0, left / fade) if fade else 1.0)
        optimizer.zero_grad()
        loss(model, batch()).backward()
        optimizer.step()


def train(task: str, size: Size, share: str, seed: int, *, most: int, every: int = 100, settle: int = 200) -> Trained:
    """Train a model until its accuracy is enough, then settle.

    Args:
        task: What is to be done, a name among `TASKS`.
        size: Size of the model.
        share: As for `TiedTransformer`.
        seed: Another seed gives other starting values and sequences; these are the same for all kinds of sharing.
        most: The most steps.
        every: Steps between looks at the accuracy; 0 never looks, and trains for all steps.
        settle: Steps that follow, in which the rate falls to zero.

    Returns:
        The model and its course.
    """
    generators = [torch.Generator().manual_seed(10 * seed + which) for which in range(4)]
    model = translator(size, share, seed)
    optimizer = torch.optim.AdamW(model.parameters(), lr=RATE)
    look = draw(task, 200, size.lengths, generators[1])

    def batch() -> Pairs:
        return draw(task, BATCH, size.lengths, generators[0])

    curve: list[float] = []
    if not every:
        descend(model, optimizer, batch, most)
    while every and len(curve) * every < most and max(curve, default=0.0) < ENOUGH:
        descend(model, optimizer, batch, every)
        curve.append(forced_accuracy(model, look))
    descend(model, optimizer, batch, settle, fade=1.0)
    new = draw(task, 500, size.lengths, generators[2])
    longest = draw(task, 200, (size.lengths[1], size.lengths[1]), generators[3])
    with torch.no_grad():
        new_loss = float(loss(model, new))
    return Trained(
        translator=model,
        curve=tuple(curve),
        steps=len(curve) * every if max(curve, default=0.0) >= ENOUGH else math.inf,
        forced=forced_accuracy(model, new),
        greedy=greedy_accuracy(model, longest),
        loss=new_loss,
    )


@torch.no_grad()
def key_cosines(model: Translator, pairs: Pairs) -> list[float]:
    """How alike the keys of a letter are where the decoder sees it in the source and where it has written it.

    The keys of a letter are averaged over all its places, and what all letters have in common, which no pattern of
    attention depends on, is subtracted.

    Args:
        model: The model.
        pairs: Sequences to look at.

    Returns:
        For each layer of the decoder, the mean over letters of the cosine between both keys.
    """
    found: list[float] = []

    def look(layer: torch.nn.Module, given: tuple[torch.Tensor, ...]) -> None:
        written, projection, mask, memory = given
        own = keys_and_values(written, projection, layer.nhead, mask)
        centred = []
        for keys, letters in ((memory.keys, pairs.source), (own.keys, pairs.target[:, :-1])):
            by_place = keys.transpose(1, 2).flatten(2)
            means = torch.stack([by_place[letters == letter].mean(dim=0) for letter in range(LETTERS)])
            centred.append(means - means.mean(dim=0))
        found.append(float(torch.cosine_similarity(*centred).mean()))

    hooks = [layer.register_forward_pre_hook(look) for layer in model.transformer.decoder.layers]
    model(pairs.source, pairs.target[:, :-1])
    for hook in hooks:
        hook.remove()
    return found
