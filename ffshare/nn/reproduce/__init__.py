"""Experiments that measure what is claimed of parameter sharing, each with fixed seeds and stated tolerances.

`SYSTEMS` names them; `select` finds some by name or number; each is run with ``system.run(quick=...)`` and gives an
`Outcome`: checks that passed or failed, panels to draw, and remarks where words were too strong.
"""

from ffshare.nn.reproduce.outcome import Check, Outcome, Panel, Series, at_least, at_most, near
from ffshare.nn.reproduce.systems import SYSTEMS, System, select

__all__ = ["SYSTEMS", "Check", "Outcome", "Panel", "Series", "System", "at_least", "at_most", "near", "select"]
