"""What is chosen inside the training folds: prior strength, width of barriers and strength of soft ties.

They are chosen one after the other, each as the one of a few candidates with the least objective on one of the training
folds of a fit to the rest of them. Then all training folds are fitted.
"""

from collections.abc import Callable
from dataclasses import replace

from ffshare.errors import InputError
from ffshare.fit.comparison.scheme import Choice
from ffshare.fit.priors import SOFT_STRENGTHS
from ffshare.records import doc, record


@record
class Candidates:
    """What is tried: for each setting some values, ascending, from the middle one on."""

    strengths: tuple[float, ...] = doc("of all prior terms", default=(0.01, 0.1, 1.0, 10.0, 100.0, 1000.0))
    barrier_widths: tuple[float, ...] = doc("of barriers over the usual one", default=(0.01, 0.05, 0.2, 1.0))
    soft: tuple[float, ...] = doc("of soft ties; only where there are any", default=SOFT_STRENGTHS)

    def __post_init__(self) -> None:
        for values in (self.strengths, self.barrier_widths, self.soft):
            if not values or list(values) != sorted(set(values)):
                raise InputError(f"candidates {values}: give one value or more, ascending")


def choose(loss: Callable[[Choice], float], candidates: Candidates, has_soft_ties: bool) -> Choice:
    """The best of some candidates, one setting after the other, each up or down from the middle while that helps.

    Args:
        loss: The objective on the validation molecules of a fit without them.
        candidates: What is tried.
        has_soft_ties: Whether strengths of soft ties are tried.

    Returns:
        The choice. Law: no neighbour in the setting that was tried last is better.
    """
    grids = {
        "strength": candidates.strengths,
        "barrier_width": candidates.barrier_widths,
        "soft": candidates.soft if has_soft_ties else (0.0,),
    }
    begin = {name: len(values) // 2 for name, values in grids.items()}
    best = Choice(**{name: values[begin[name]] for name, values in grids.items()})
    least = loss(best)
    for name, values in grids.items():
        for step in (1, -1):
            place = begin[name] + step
            while 0 <= place < len(values):
                tried = replace(best, **{name: values[place]})
                found = loss(tried)
                if found >= least:
                    break
                best, least, place = tried, found, place + step
            if place != begin[name] + step:
                break
    return best
