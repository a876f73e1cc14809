"""Sequences of letters to be rewritten: copied, reversed, or enciphered into another alphabet.

Letters are numbered from 0; after them come a sign that starts a sequence and one that stops it. A sequence is filled
up with the sign that stops it, so that batches may hold several lengths.
"""

from collections.abc import Callable, Sequence

import torch
from torch import Tensor

from ffshare.records import doc, record

LETTERS = 20
START, STOP = LETTERS, LETTERS + 1
SIGNS = LETTERS + 2

# The cipher: letter i of the first alphabet becomes letter 7i + 3 of the second.
ALPHABET = LETTERS // 2


@record
class Pairs:
    """Sources and what they are to be rewritten to."""

    source: Tensor = doc("letters, then STOP, shape=(n, length of the longest)")
    target: Tensor = doc("START, letters, then STOP at least once, shape=(n, length of the longest + 2)")

    def __getitem__(self, rows: Tensor | slice) -> "Pairs":
        """Some of the pairs, at their full width."""
        return Pairs(source=self.source[rows], target=self.target[rows])

    @property
    def counts(self) -> Tensor:
        """Which signs of the target, after START, a model has to predict: its letters and the first STOP."""
        after = self.target[:, 1:] == self.stop
        return after.cumsum(dim=1) <= 1

    @property
    def stop(self) -> int:
        """The sign that stops a sequence, which all targets end with."""
        return int(self.target[0, -1])


def pairs_of(
    sources: Sequence[Sequence[int]], targets: Sequence[Sequence[int]], start: int = START, stop: int = STOP
) -> Pairs:
    """Fill up sequences to one length.

    Args:
        sources: Letters of each source.
        targets: Letters of each target.
        start: Sign that starts a target.
        stop: Sign that ends a sequence.

    Returns:
        The pairs.

    Example:
        >>> pairs_of([[1, 2], [3]], [[2, 1], [3]], start=8, stop=9).target
        tensor([[8, 2, 1, 9],
                [8, 3, 9, 9]])
    """
    filled = []
    for sequences, before, after in ((sources, [], []), (targets, [start], [stop])):
        lists = [[*before, *each, *after] for each in sequences]
        width = max(map(len, lists))
        filled.append(torch.tensor([[*each, *[stop] * (width - len(each))] for each in lists]))
    return Pairs(source=filled[0], target=filled[1])


def _reverse(source: Tensor, lengths: Tensor) -> Tensor:
    places = (lengths[:, None] - 1 - torch.arange(source.shape[1])).clamp(min=0)
    return source.gather(1, places)


# How letters are rewritten, and how many there are to draw from.
TASKS: dict[str, tuple[Callable[[Tensor, Tensor], Tensor], int]] = {
    "copy": (lambda source, lengths: source, LETTERS),
    "reverse": (_reverse, LETTERS),
    "copy of half the letters": (lambda source, lengths: source, ALPHABET),
    "cipher": (lambda source, lengths: ALPHABET + (7 * source + 3) % ALPHABET, ALPHABET),
}


def draw(task: str, n: int, lengths: tuple[int, int], generator: torch.Generator) -> Pairs:
    """Random sequences of random lengths.

    Args:
        task: A name among `TASKS`.
        n: Number of sequences.
        lengths: The shortest and the longest.
        generator: Source of random numbers.

    Returns:
        The pairs, all as wide as the longest could be.
    """
    rewrite, n_letters = TASKS[task]
    shortest, longest = lengths
    length = torch.randint(shortest, longest + 1, (n,), generator=generator)
    letters = torch.randint(n_letters, (n, longest), generator=generator)
    is_filled = torch.arange(longest) >= length[:, None]
    source = letters.masked_fill(is_filled, STOP)
    target = rewrite(letters, length).masked_fill(is_filled, STOP)
    ends = torch.ones(n, 1, dtype=torch.int64)
    return Pairs(source=source, target=torch.cat([START * ends, target, STOP * ends], dim=1))
