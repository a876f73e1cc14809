"""The controlled comparison of sharing schemes: same data, same terms, same solver, only the sharing changes."""

from ffshare.fit.comparison.choice import Candidates
from ffshare.fit.comparison.compare import ComparisonSettings, compare
from ffshare.fit.comparison.contestants import SCHEMES
from ffshare.fit.comparison.scores import Comparison
from ffshare.fit.comparison.terms import TermsOf

__all__ = ["SCHEMES", "Candidates", "Comparison", "ComparisonSettings", "TermsOf", "compare"]
