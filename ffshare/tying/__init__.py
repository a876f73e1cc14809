"""Ties between free parameters and the sites that they feed: one machinery for force fields and neural layers.

`LinearTying` maps free parameters to sites and pools what the sites learned; `Parametrization` is its smooth
counterpart; `laplacian` ties softly; `hash_keys`, `splitmix64`, `buckets` and `signs` are the one hash of the
project.
"""

from ffshare.tying.hashing import buckets, hash_keys, signs, splitmix64
from ffshare.tying.kernels import multiply_accumulate, segment_sum
from ffshare.tying.laplacian import laplacian
from ffshare.tying.linear import LinearTying
from ffshare.tying.low_rank import LowRank
from ffshare.tying.positive import Exp, Softplus
from ffshare.tying.smooth import Compose, Parametrization

__all__ = [
    "Compose",
    "Exp",
    "LinearTying",
    "LowRank",
    "Parametrization",
    "Softplus",
    "buckets",
    "hash_keys",
    "laplacian",
    "multiply_accumulate",
    "segment_sum",
    "signs",
    "splitmix64",
]
