"""The exceptions of ffshare: one base, a few children, each carrying its data.

A message says what was asked, what came, what was expected and what to do next.
"""

from collections.abc import Sequence
from dataclasses import dataclass


class FfshareError(Exception):
    """Base of all errors that ffshare raises on purpose."""


@dataclass(frozen=True)
class Fault:
    """One thing wrong with a file.

    Attributes:
        message: What is wrong and what to do about it.
        line: 1-based line in the file, or None where it concerns the whole file.
    """

    message: str
    line: int | None = None

    def __str__(self) -> str:
        return self.message if self.line is None else f"line {self.line}: {self.message}"


class RuleFileError(FfshareError):
    """A file of rules cannot be used. Carries every fault found in it.

    Attributes:
        path: The file.
        faults: All faults, in file order.
    """

    def __init__(self, path: str, faults: Sequence[Fault]) -> None:
        self.path = path
        self.faults = tuple(faults)
        count = f"{len(self.faults)} fault{'s' if len(self.faults) != 1 else ''}"
        super().__init__("\n  ".join([f"{path}: {count}", *map(str, self.faults)]))

    def __reduce__(self) -> tuple[type, tuple[str, tuple[Fault, ...]]]:
        return type(self), (self.path, self.faults)


class PatternError(FfshareError):
    """A SMARTS or SMIRKS pattern cannot be used.

    Attributes:
        pattern: The text of the pattern.
        reason: Why.
    """

    def __init__(self, pattern: str, reason: str) -> None:
        self.pattern = pattern
        self.reason = reason
        super().__init__(f"pattern {pattern!r}: {reason}")

    def __reduce__(self) -> tuple[type, tuple[str, str]]:
        return type(self), (self.pattern, self.reason)


class UnitError(FfshareError):
    """Text cannot be read as a quantity in the unit that is needed.

    Attributes:
        text: The text.
        reason: Why.
    """

    def __init__(self, text: str, reason: str) -> None:
        self.text = text
        self.reason = reason
        shown = text if len(text) <= 80 else f"{text[:79]}…"
        super().__init__(f"{shown!r} {reason}")

    def __reduce__(self) -> tuple[type, tuple[str, str]]:
        return type(self), (self.text, self.reason)


class MoleculeError(FfshareError):
    """One molecule cannot be read or labelled. It goes to the failures table; the run goes on.

    Attributes:
        reason: What is wrong.
        advice: What the user can do.
    """

    def __init__(self, reason: str, advice: str) -> None:
        self.reason = reason
        self.advice = advice
        super().__init__(f"{reason}; {advice}")

    def __reduce__(self) -> tuple[type, tuple[str, str]]:
        return type(self), (self.reason, self.advice)


class InputError(FfshareError):
    """An input file as a whole cannot be used (absent, empty, cut short, wrong columns)."""


class OutputError(FfshareError):
    """An output cannot be written."""


class SchemeError(FfshareError):
    """A scheme of that name does not exist, or cannot do what it was asked."""


class MissingDependencyError(FfshareError):
    """An optional package is not installed. The message names the one command that adds it."""


class TyingError(FfshareError):
    """A tying cannot be made, joined or applied: its indices, names or shapes do not fit."""
