"""Schemes: ways to hand shared parameters to the sites of molecules."""

from ffshare.assign.assignment import Assignment
from ffshare.assign.atom_types.scheme import AtomTypedScheme
from ffshare.assign.compare import TermDifference, term_differences
from ffshare.assign.contract import Scheme
from ffshare.assign.count import CountRow, Counts, counts
from ffshare.assign.explain import Explanation, RuleMatch, explain
from ffshare.assign.observe import observe
from ffshare.assign.scheme import load_scheme
from ffshare.assign.sites import COMPLETE_SECTIONS, Coded, Sites
from ffshare.assign.smirnoff import SmirnoffScheme
from ffshare.assign.tables import LABEL_SCHEMA, MOLECULE_SCHEMA, label_table, molecule_table
from ffshare.assign.tally import Tally, tally

__all__ = [
    "COMPLETE_SECTIONS",
    "LABEL_SCHEMA",
    "MOLECULE_SCHEMA",
    "Assignment",
    "AtomTypedScheme",
    "Coded",
    "CountRow",
    "Counts",
    "Explanation",
    "RuleMatch",
    "Scheme",
    "Sites",
    "SmirnoffScheme",
    "Tally",
    "TermDifference",
    "counts",
    "explain",
    "label_table",
    "load_scheme",
    "molecule_table",
    "observe",
    "tally",
    "term_differences",
]
