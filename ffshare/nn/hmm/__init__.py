"""Hidden Markov models whose states share emissions and transitions.

`TiedHMM` has Gaussian emissions, `TiedCategoricalHMM` symbols. Both take any map from states to classes and pool, in
each Baum-Welch step, what the states of a class have seen.
"""

from ffshare.nn.hmm.categorical import TiedCategoricalHMM
from ffshare.nn.hmm.monitor import Monitor
from ffshare.nn.hmm.tied_hmm import TiedHMM

__all__ = ["Monitor", "TiedCategoricalHMM", "TiedHMM"]
