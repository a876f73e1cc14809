"""The variance of tied sites over the one wanted, where θ is drawn and where it is not drawn as it should be."""

import numpy as np
import torch
from numpy.typing import NDArray

from ffshare.nn import init
from ffshare.tying import LinearTying

Floats = NDArray[np.float64]

SITES = (256, 256)


def tied_ratio(generator: torch.Generator, tying: LinearTying, average: bool) -> float:
    """The variance of 256 × 256 sites of one draw over the one wanted.

    Args:
        generator: Source of random numbers.
        tying: Their tying.
        average: Whether the sites are drawn, and θ is what comes closest to them; else θ is drawn.

    Returns:
        The ratio.
    """
    drawing = LinearTying.identity(tying.n_site) if average else tying
    theta = init.xavier_normal_(torch.empty(drawing.n_free), drawing, SITES, generator=generator).numpy()
    return float(np.square(tying.expand(tying.tie(theta) if average else theta)).mean() * sum(SITES) / 2)


def row_ratio(generator: torch.Generator, tying: LinearTying, follow_norms: bool = True) -> float:
    """The variance of 32 × 32 sites of one draw over the one wanted.

    Args:
        generator: Source of random numbers.
        tying: Their tying.
        follow_norms: Whether θ is drawn by the norms of the rows; else with the variance wanted of the sites.

    Returns:
        The ratio.
    """
    shape = (32, 32)
    wanted = 2 / sum(shape)
    if follow_norms:
        theta = init.xavier_normal_(torch.empty(tying.n_free), tying, shape, generator=generator)
    else:
        theta = torch.randn(tying.n_free, generator=generator) * wanted**0.5
    return float(np.square(tying.expand(theta.double().numpy())).mean() / wanted)
