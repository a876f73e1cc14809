"""Transformers that learn to rewrite sequences, with one W_K and one W_V for all attention modules and without.

Measured are what sharing costs (steps to learn, accuracy, running free) on tasks where a letter has to be found again,
what it does to keys, where it underfits, and its cost on real words.
"""

import math
from collections.abc import Mapping, Sequence

import numpy as np
import torch

from ffshare.nn.reproduce.outcome import Check, Outcome, Panel, Series, at_least, at_most, near
from ffshare.nn.reproduce.seeds import mean_and_error
from ffshare.nn.reproduce.transformer.exact import FULL_SIZE, exact_checks
from ffshare.nn.reproduce.transformer.sequences import draw
from ffshare.nn.reproduce.transformer.spelling import phoneme_error_rate
from ffshare.nn.reproduce.transformer.training import Size, Trained, key_cosines, train, translator

QUICK_SIZE = Size(d_model=32, n_layers=1, lengths=(3, 6), n_places=8)
KINDS = {"none": "nothing shared", "kv-all": "keys and values shared"}
EVERY = 100

Runs = Mapping[str, Sequence[Trained]]
"""Trained models of each kind, one for each seed."""


def run(quick: bool) -> Outcome:
    """Run the experiment.

    Args:
        quick: Copying alone, by smaller models and of one seed.

    Returns:
        The outcome.
    """
    size, seeds, tasks = (QUICK_SIZE, 1, ("copy",)) if quick else (FULL_SIZE, 3, ("copy", "reverse"))
    runs = {
        task: {
            share: [train(task, size, share, seed, most=2000, every=EVERY) for seed in range(seeds)] for share in KINDS
        }
        for task in tasks
    }
    checks = exact_checks()
    for task in tasks:
        checks += accuracy_checks(task, runs[task])
        checks += [] if quick else [steps_check(task, runs[task])]
    cosines = _cosines(size, runs[tasks[-1]])
    checks += cosine_checks(cosines)
    panels = [_learning(tasks[-1], runs[tasks[-1]]), _keys(cosines)]
    remarks = [
        "Sharing keys and values is said to make copying much easier. At this size nothing of the kind is seen: about "
        "as many steps and the same accuracy, with 24 % fewer parameters.",
        "Keys of a letter in source and target are alike with sharing before any training, since both come from one "
        "embedding through one matrix; training takes part of that back.",
    ]
    if not quick:
        ratios = {name: _loss_ratios(task, nhead, seeds) for name, (task, nhead) in SMALL_MODELS.items()}
        checks += underfitting_checks(ratios)
        panels.append(_underfitting(ratios))
        rates = {share: [phoneme_error_rate(share, seed, 800) for seed in range(seeds)] for share in KINDS}
        checks += spelling_checks(rates)
        remarks.append(
            "Small models with several heads underfit with sharing when they copy as well as when they encipher: it is "
            "the few dimensions of a head that count, and not that the alphabets differ."
        )
    return Outcome(checks=tuple(checks), panels=tuple(panels), remarks=tuple(remarks))


def accuracy_checks(task: str, runs: Runs) -> list[Check]:
    """Whether models have learned a task.

    Args:
        task: Its name.
        runs: The models.

    Returns:
        The checks.
    """
    checks = []
    for share, trained in runs.items():
        forced, forced_error = mean_and_error([each.forced for each in trained])
        free, free_error = mean_and_error([each.greedy for each in trained])
        told = f"with {KINDS[share]}, the model learns to {task} sequences of several lengths"
        checks += [
            at_least(f"{told} (teacher-forced, share of sequences without an error)", 0.99, forced, forced_error),
            at_least(f"{told} (running free, on the longest sequences)", 0.95, free, free_error),
        ]
    return checks


def steps_check(task: str, runs: Runs) -> Check:
    """Whether both kinds learn in the same time.

    Args:
        task: Its name.
        runs: The models.

    Returns:
        The check.
    """
    (untied, untied_error), (tied, tied_error) = (
        mean_and_error([each.steps for each in runs[share]]) for share in ("none", "kv-all")
    )
    ratio = tied / untied
    error = ratio * math.hypot(tied_error / tied, untied_error / untied)
    return near(
        f"sharing neither speeds up nor slows down learning to {task} by half (steps with it over steps without)",
        1.0,
        ratio,
        0.5,
        error,
    )


def cosine_checks(cosines: Mapping[str, tuple[float, float]]) -> list[Check]:
    """Whether shared projections bring keys of source and target together.

    Args:
        cosines: Mean cosine and its error, by what was looked at.

    Returns:
        The checks.
    """
    return [
        at_most(
            "with nothing shared, keys of a letter in the source and of the same letter once written have nothing in "
            "common (size of their mean cosine)",
            0.15,
            abs(cosines["nothing shared"][0]),
            cosines["nothing shared"][1],
        ),
        at_least(
            "with keys shared, the two are alike (mean cosine)",
            0.2,
            *cosines["shared"],
        ),
    ]


# Models of 16 features: what they are to do, and with how many heads.
SMALL_MODELS = {
    "cipher, 4 heads": ("cipher", 4),
    "copy, 4 heads": ("copy of half the letters", 4),
    "cipher, 1 head": ("cipher", 1),
}


def underfitting_checks(ratios: Mapping[str, Sequence[float]]) -> list[Check]:
    """Where sharing costs something.

    Args:
        ratios: Logarithms of the loss with sharing over the loss without, of each seed.

    Returns:
        The checks.
    """
    many, one = (_geometric_mean(ratios[name]) for name in ("cipher, 4 heads", "cipher, 1 head"))
    return [
        at_least(
            "a model of 16 features with 4 heads underfits a cipher into another alphabet when keys and values are "
            "shared (loss over that without sharing, after as many steps)",
            1.5,
            *many,
        ),
        at_most(
            "with one head, as wide as the model, it does not (loss over that without sharing)",
            1.5,
            *one,
        ),
    ]


def spelling_checks(rates: Mapping[str, Sequence[float]]) -> list[Check]:
    """What sharing costs on words.

    Args:
        rates: Phoneme error rate of each seed, for each kind.

    Returns:
        The checks.
    """
    checks = [
        at_most(
            f"with {KINDS[share]}, the model learns to pronounce short English words that it has not seen (phoneme "
            "error rate)",
            0.2,
            *mean_and_error(rates[share]),
        )
        for share in KINDS
    ]
    excess = mean_and_error(np.subtract(rates["kv-all"], rates["none"]))
    return [*checks, at_most("and sharing adds little to that rate (rate with it less rate without)", 0.02, *excess)]


def _cosines(size: Size, runs: Runs) -> dict[str, tuple[float, float]]:
    """Mean over decoder layers of the cosine of keys, over seeds."""
    pairs = draw("copy", 500, size.lengths, torch.Generator().manual_seed(1))
    models = {
        "nothing shared": [each.translator for each in runs["none"]],
        "shared": [each.translator for each in runs["kv-all"]],
        "shared,\nbefore training": [translator(size, "kv-all", seed) for seed in range(len(runs["kv-all"]))],
    }
    return {
        name: mean_and_error([np.mean(key_cosines(each, pairs)) for each in those]) for name, those in models.items()
    }


def _loss_ratios(task: str, nhead: int, seeds: int) -> list[float]:
    """Logarithms of the loss with sharing over that without, of small models after as many steps."""
    size = Size(d_model=16, nhead=nhead)
    losses = [[train(task, size, share, seed, most=400, every=0).loss for seed in range(seeds)] for share in KINDS]
    return [math.log(tied / untied) for untied, tied in zip(*losses, strict=True)]


def _geometric_mean(logarithms: Sequence[float]) -> tuple[float, float]:
    """The mean and its standard error."""
    mean, error = mean_and_error(logarithms)
    return math.exp(mean), math.exp(mean) * error


def _learning(task: str, runs: Runs) -> Panel:
    longest = max(len(each.curve) for trained in runs.values() for each in trained)
    series = []
    for share, trained in runs.items():
        # A model that has learned stops, and stays what it is.
        curves = np.array([[0.0, *each.curve] + [each.curve[-1]] * (longest - len(each.curve)) for each in trained])
        found = [mean_and_error(column) for column in curves.T]
        series.append(
            Series(
                label=KINDS[share],
                x=[EVERY * number for number in range(longest + 1)],
                y=[mean for mean, _ in found],
                error=[error for _, error in found] if len(trained) > 1 else None,
            )
        )
    return Panel(
        title=f"Learning to {task}",
        x_label="steps",
        y_label="sequences without an error, teacher-forced",
        series=tuple(series),
    )


def _keys(cosines: Mapping[str, tuple[float, float]]) -> Panel:
    return Panel(
        title="Keys of a letter in the source and once written",
        x_label="",
        y_label="mean cosine",
        series=(_bars(cosines),),
    )


def _underfitting(ratios: Mapping[str, Sequence[float]]) -> Panel:
    return Panel(
        title="Where sharing underfits: 16 features",
        x_label="",
        y_label="loss with sharing / loss without",
        series=(_bars({name: _geometric_mean(each) for name, each in ratios.items()}),),
        y_scale="log",
    )


def _bars(found: Mapping[str, tuple[float, float]]) -> Series:
    errors = [error for _, error in found.values()]
    return Series(
        label="",
        x=list(found),
        y=[mean for mean, _ in found.values()],
        error=errors if all(map(math.isfinite, errors)) else None,
        style="bars",
    )
