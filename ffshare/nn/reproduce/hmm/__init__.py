"""System 3: a hidden Markov model whose states share emissions."""

from ffshare.nn.reproduce.hmm.experiment import run

__all__ = ["run"]
