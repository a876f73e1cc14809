"""Layers that share weights, built on PyTorch and on the same `LinearTying` that shares force-field parameters.

`Shared` owns free parameters and makes the sites that they feed; layers use it; `init` draws starting values; `count`
says how many parameters are free, how many places they feed, and in how many directions these can move. It needs torch:
``pip install 'ffshare[nn]'``.
"""

from importlib import util

from ffshare.errors import MissingDependencyError

if util.find_spec("torch") is None:
    raise MissingDependencyError("layers need torch: pip install 'ffshare[nn]'")

from ffshare.nn import init
from ffshare.nn.attention import SharedValueAttention
from ffshare.nn.autoencoder import TiedAutoencoder
from ffshare.nn.c4 import C4Conv2d, orbit_tying
from ffshare.nn.c4_check import check_equivariance
from ffshare.nn.c4_pool import C4AvgPool2d, C4MaxPool2d, GroupPool
from ffshare.nn.core_fast import CoreFast, WithContext
from ffshare.nn.counts import Counts, count, counts_of, free_parameters
from ffshare.nn.gaussian_field import TiedGaussianField
from ffshare.nn.hashed import HashedLinear
from ffshare.nn.hashed_conv import HashedConv2d
from ffshare.nn.hashed_embedding import HashedEmbedding
from ffshare.nn.hmm import TiedCategoricalHMM, TiedHMM
from ffshare.nn.hyper_linear import HyperLinear
from ffshare.nn.hyper_network import HyperNetwork
from ffshare.nn.lstm import TiedGateLSTM
from ffshare.nn.multi_task import HardShared, laplacian_penalty
from ffshare.nn.shared import Shared, Site
from ffshare.nn.squeeze_excite import SharedSqueezeExcite
from ffshare.nn.task_graph import TaskGraph
from ffshare.nn.tied_linear import TiedLinear
from ffshare.nn.time_tied import TimeTied
from ffshare.nn.transformer import TiedTransformer
from ffshare.tying import LowRank as LowRankTying

__all__ = [
    "C4AvgPool2d",
    "C4Conv2d",
    "C4MaxPool2d",
    "CoreFast",
    "Counts",
    "GroupPool",
    "HardShared",
    "HashedConv2d",
    "HashedEmbedding",
    "HashedLinear",
    "HyperLinear",
    "HyperNetwork",
    "LowRankTying",
    "Shared",
    "SharedSqueezeExcite",
    "SharedValueAttention",
    "Site",
    "TaskGraph",
    "TiedAutoencoder",
    "TiedCategoricalHMM",
    "TiedGateLSTM",
    "TiedGaussianField",
    "TiedHMM",
    "TiedLinear",
    "TiedTransformer",
    "TimeTied",
    "WithContext",
    "check_equivariance",
    "count",
    "counts_of",
    "free_parameters",
    "init",
    "laplacian_penalty",
    "orbit_tying",
]
