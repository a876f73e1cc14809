"""The three numbers of one tie: how many parameters are free, how many sites they feed, and its rank."""

import numpy as np

from ffshare.records import doc, record
from ffshare.tying import LinearTying, Parametrization


@record
class Counts:
    """Three numbers of a tying or a model.

    Example:
        >>> Counts(free=2, sites=6, rank=2)
        free=2, sites=6, rank=2
    """

    free: int = doc("numbers that an optimizer moves")
    sites: int = doc("places that they feed")
    rank: int = doc("independent directions in which the sites can move")

    def __repr__(self) -> str:
        return f"free={self.free:,}, sites={self.sites:,}, rank={self.rank:,}"

    def __add__(self, other: "Counts") -> "Counts":
        return Counts(free=self.free + other.free, sites=self.sites + other.sites, rank=self.rank + other.rank)

    def __mul__(self, times: int) -> "Counts":
        return Counts(free=self.free * times, sites=self.sites * times, rank=self.rank * times)


def counts_of(tying: LinearTying | Parametrization) -> Counts:
    """The counts of a tying.

    Args:
        tying: Any map from free parameters to sites.

    Returns:
        The counts. The rank of a smooth map is that at almost every θ: its attribute ``rank`` where it has one, else
        that of the derivative at a θ drawn at random.

    Example:
        >>> from ffshare.tying import LowRank
        >>> counts_of(LinearTying.groups([0, 1, 0])), counts_of(LowRank(4, 3, 2))
        (free=2, sites=3, rank=2, free=14, sites=12, rank=10)
    """
    if isinstance(tying, LinearTying):
        rank = tying.rank()
    elif isinstance(known := getattr(tying, "rank", None), int):
        rank = known
    else:
        theta = np.random.default_rng(0).normal(size=tying.n_free)
        rank = LinearTying.basis(tying.jacobian(theta)).rank()
    return Counts(free=tying.n_free, sites=tying.n_site, rank=rank)
