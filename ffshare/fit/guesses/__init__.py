"""Guesses for force constants and rest values of single sites, from Hessians or from a table of elements."""

from ffshare.fit.guesses.element_table import element_values
from ffshare.fit.guesses.guesses import Guesses, first_known
from ffshare.fit.guesses.hessians import MinimumHessian, read_hessians
from ffshare.fit.guesses.seminario import seminario

__all__ = ["Guesses", "MinimumHessian", "element_values", "first_known", "read_hessians", "seminario"]
