"""System 8: a Transformer whose attention modules share the projections of keys and values."""

from ffshare.nn.reproduce.transformer.experiment import run

__all__ = ["run"]
