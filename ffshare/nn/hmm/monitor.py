"""How a climb of the likelihood ended."""

from collections.abc import Mapping

from ffshare.records import doc, record

CONVERGED, TOO_MANY_STEPS, FELL, NOT_FINITE = "converged", "too many steps", "fell", "not finite"

ADVICE: Mapping[str, str] = {
    CONVERGED: "",
    TOO_MANY_STEPS: "raise n_iter, or tol if the gain of the last steps (see the history) does not matter",
    FELL: "the likelihood fell by more than rounding: this should not happen, please report it",
    NOT_FINITE: (
        "the model holds a sequence impossible, or a likelihood is infinite: look for zeros in startprob_, transmat_ "
        "and emissionprob_, and for observations that are far off; the parameters are those before that step"
    ),
}
"""What to do, by status."""

# Of the size of the log-likelihood: a fall below this is rounding.
ROUNDING = 1e-8


@record
class Monitor:
    """The history of a fit.

    Example:
        >>> monitor = Monitor(history=(-210.5, -200.25), status=TOO_MANY_STEPS)
        >>> monitor
        Monitor(too many steps after 2, log-likelihood -200.25)
        >>> monitor.converged, monitor.advice[:12]
        (False, 'raise n_iter')
    """

    history: tuple[float, ...] = doc("log-likelihood before each step")
    status: str = doc("a key of `ADVICE`")
    at_floor: tuple[str, ...] = doc("classes with a variance at the least that is allowed", default=())

    def __repr__(self) -> str:
        last = f", log-likelihood {self.history[-1]:.6g}" if self.history else ""
        return f"{type(self).__name__}({self.status} after {self.iter}{last})"

    @property
    def iter(self) -> int:
        """Number of steps."""
        return len(self.history)

    @property
    def converged(self) -> bool:
        """Whether the last step gained less than the tolerance; not whether the steps ran out."""
        return self.status == CONVERGED

    @property
    def advice(self) -> str:
        """What to do; empty where there is nothing."""
        floor = (
            f"the variance of {', '.join(self.at_floor)} is at min_covar: fewer classes, or more data for them"
            if self.at_floor
            else ""
        )
        return "; ".join(text for text in (ADVICE[self.status], floor) if text)


def status_of(history: list[float], n_iter: int, tol: float) -> str | None:
    """How it ended, if it did.

    Args:
        history: Log-likelihoods so far, one or more.
        n_iter: Most steps.
        tol: The gain below which to stop.

    Returns:
        A key of `ADVICE`, or None where it goes on.

    Example:
        >>> status_of([-20.0, -19.0], 100, 1e-3), status_of([-20.0, -19.9999], 100, 1e-3)
        (None, 'converged')
    """
    gain = history[-1] - history[-2] if len(history) > 1 else float("inf")
    if gain < -ROUNDING * abs(history[-1]):
        return FELL
    if gain < tol:
        return CONVERGED
    return TOO_MANY_STEPS if len(history) >= n_iter else None
