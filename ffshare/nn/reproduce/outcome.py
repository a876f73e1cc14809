"""What an experiment reports: checks of its claims against what was expected, and panels to draw.

A check holds what was expected and by how much a measurement may differ, so that whether it passed follows from its
numbers and not from a word of the experiment.
"""

import math
from collections.abc import Sequence
from typing import Any

from ffshare.records import doc, record


@record
class Check:
    """One claim, what was expected, and what was measured. Made by `near`, `at_most` and `at_least`."""

    claim: str = doc("what is claimed, a sentence")
    expected: float | str = doc("the number expected, or a bound: '≤ 0.03', '≥ 2'")
    tolerance: float = doc("by how much the measurement may differ from the number, 0 for a bound")
    measured: float = doc("what was measured")
    error: float | None = doc("standard error of what was measured; None where nothing in it is random")
    passed: bool = doc("whether it is as expected")

    def to_json(self, system: str) -> dict[str, Any]:
        """The check as an object of JSON.

        Args:
            system: Name of the system.

        Returns:
            Keys: system, claim, expected, tolerance, measured, error, passed. What is not finite is null.
        """
        return {
            "system": system,
            "claim": self.claim,
            "expected": self.expected,
            "tolerance": self.tolerance,
            "measured": self.measured if math.isfinite(self.measured) else None,
            "error": self.error,
            "passed": self.passed,
        }


def near(claim: str, expected: float, measured: float, tolerance: float, error: float | None = None) -> Check:
    """A check that a number is what was expected, within a tolerance.

    Args:
        claim: What is claimed.
        expected: The number expected.
        measured: The number measured; NaN never passes.
        tolerance: The most by which they may differ.
        error: Standard error of the measurement.

    Returns:
        The check.

    Example:
        >>> near("the slope is that of one over a root", -0.5, -0.53, 0.1).passed
        True
    """
    return _check(claim, float(expected), tolerance, measured, error, abs(measured - expected) <= tolerance)


def at_most(claim: str, bound: float, measured: float, error: float | None = None) -> Check:
    """A check that a number is not above a bound, with the arguments of `near`.

    Example:
        >>> at_most("both agree", 1e-6, 9.7e-8).expected
        '≤ 1e-06'
    """
    return _check(claim, f"≤ {bound:g}", 0.0, measured, error, measured <= bound)


def at_least(claim: str, bound: float, measured: float, error: float | None = None) -> Check:
    """A check that a number is not below a bound, with the arguments of `near`."""
    return _check(claim, f"≥ {bound:g}", 0.0, measured, error, measured >= bound)


def _check(
    claim: str, expected: float | str, tolerance: float, measured: float, error: float | None, passed: bool
) -> Check:
    return Check(
        claim=claim,
        expected=expected,
        tolerance=float(tolerance),
        measured=float(measured),
        error=None if error is None or not math.isfinite(error) else float(error),
        passed=bool(passed),
    )


@record
class Series:
    """Points of one kind in a panel."""

    label: str = doc("name in the legend; '' for none")
    x: Sequence[float] | Sequence[str] = doc("abscissas, or names of bars")
    y: Sequence[float] = doc("ordinates")
    error: Sequence[float] | None = doc("standard errors of the ordinates; None: not drawn", default=None)
    style: str = doc("'line' (points joined), 'points', 'bars' or 'dashed' (a line without points)", default="line")


@record
class Panel:
    """One set of axes."""

    title: str = doc("title")
    x_label: str = doc("what the abscissa is, with its unit")
    y_label: str = doc("what the ordinate is, with its unit")
    series: tuple[Series, ...] = doc("what is drawn")
    x_scale: str = doc("'linear' or 'log'", default="linear")
    y_scale: str = doc("'linear' or 'log'", default="linear")


@record
class Outcome:
    """What an experiment found."""

    checks: tuple[Check, ...] = doc("checks of the claims, in the order in which they are shown")
    panels: tuple[Panel, ...] = doc("what the figure of the system shows")
    remarks: tuple[str, ...] = doc("what was seen where a claim in words is too strong", default=())

    @property
    def passed(self) -> bool:
        """Whether all checks passed."""
        return all(check.passed for check in self.checks)
