"""SMARTS and SMIRKS patterns, compiled once and matched against whole batches of molecules."""

from ffshare.smirks.annotations import Annotations
from ffshare.smirks.arms import ARM_BITS, BOND_BITS, ArmTable
from ffshare.smirks.classes import Classifier
from ffshare.smirks.interner import Interner
from ffshare.smirks.join import Classes
from ffshare.smirks.match import by_rdkit, holds, match, matches
from ffshare.smirks.pattern import Pattern, parse_pattern, with_conditions

__all__ = [
    "ARM_BITS",
    "BOND_BITS",
    "Annotations",
    "ArmTable",
    "Classes",
    "Classifier",
    "Interner",
    "Pattern",
    "by_rdkit",
    "holds",
    "match",
    "matches",
    "parse_pattern",
    "with_conditions",
]
