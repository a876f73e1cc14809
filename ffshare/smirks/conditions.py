"""Conditions on annotations: what a pattern asks of an atom or a bond beyond SMARTS.

A condition is text such as ``RG6=1 AR1|AR2 !DL``: parts divided by blanks must all hold, and of those divided by ``|``
one must. A part is a name and what the number of that name is to be: ``RG6=1`` exactly 1, ``AR1`` at least 1, ``!DL``
none. The numbers come with the batch as `Annotations`; a bond has 0 or 1 of each name.
"""

import re
from collections.abc import Callable, Iterable, Mapping
from typing import NamedTuple

import numpy as np
from numpy.typing import NDArray

from ffshare.molecules.ragged import IntArray
from ffshare.records import doc, record

_REQUIREMENT = re.compile(r"(?P<none>!?)(?P<name>[A-Za-z]\w*)(?:=(?P<number>\d+))?", re.ASCII)


class Requirement(NamedTuple):
    """One part of a condition. Equal requirements have equal answers.

    Attributes:
        name: Name of the annotation.
        number: The number that it must be; None for at least one.
    """

    name: str
    number: int | None

    def __str__(self) -> str:
        return {None: self.name, 0: f"!{self.name}"}.get(self.number, f"{self.name}={self.number}")

    def of(self, values: IntArray) -> NDArray[np.bool_]:
        """Whether it holds of each of some values of its annotation."""
        held: NDArray[np.bool_] = values > 0 if self.number is None else values == self.number
        return held


@record
class Condition:
    """A parsed condition. Equal texts mean equal conditions."""

    text: str = doc("the condition, evenly written")
    clauses: tuple[tuple[Requirement, ...], ...] = doc("of each group of requirements one must hold")

    @property
    def requirements(self) -> tuple[Requirement, ...]:
        """Its requirements, in the order of the text."""
        return tuple(requirement for clause in self.clauses for requirement in clause)

    def holds(self, answer: Callable[[Requirement], NDArray[np.bool_]]) -> NDArray[np.bool_]:
        """Whether it holds of each of some atoms or bonds.

        Args:
            answer: Gives what a requirement says of each of them.

        Returns:
            Truth values in the same order.
        """
        clauses = [np.logical_or.reduce([answer(requirement) for requirement in clause]) for clause in self.clauses]
        held: NDArray[np.bool_] = np.logical_and.reduce(clauses)
        return held


def parse_condition(text: str) -> Condition:
    """The condition that a text states.

    Args:
        text: Names with what their numbers are to be, see the module.

    Returns:
        The condition.

    Raises:
        ValueError: The text is no condition.

    Example:
        >>> parse_condition("RG6=1  AR1|AR2 !DL").clauses[1]
        (Requirement(name='AR1', number=None), Requirement(name='AR2', number=None))
        >>> parse_condition("AR1 & AR2")
        Traceback (most recent call last):
            ...
        ValueError: '&' in condition 'AR1 & AR2'; expected NAME, !NAME or NAME=2, with a blank for 'and', | for 'or'
    """
    clauses = tuple(tuple(_requirement(part, text) for part in clause.split("|")) for clause in text.split())
    if not clauses:
        raise ValueError("the condition is empty; leave it out where nothing is asked")
    return Condition(text=" ".join("|".join(map(str, clause)) for clause in clauses), clauses=clauses)


def _requirement(part: str, text: str) -> Requirement:
    found = _REQUIREMENT.fullmatch(part)
    if found is None or (found["none"] and found["number"]):
        expected = "expected NAME, !NAME or NAME=2, with a blank for 'and', | for 'or'"
        raise ValueError(f"{part!r} in condition {text!r}; {expected}")
    return Requirement(found["name"], 0 if found["none"] else None if found["number"] is None else int(found["number"]))


def answers_of(
    requirements: Iterable[Requirement], annotations: Mapping[str, IntArray], kind: str
) -> dict[Requirement, NDArray[np.bool_]]:
    """What requirements say of all atoms or edges of a batch.

    Args:
        requirements: The requirements.
        annotations: Their numbers, by name.
        kind: What they are of, for messages.

    Returns:
        Truth values of each requirement.

    Raises:
        ValueError: A requirement asks about a name that the annotations lack.
    """
    requirements = list(requirements)
    missing = sorted({requirement.name for requirement in requirements} - set(annotations))
    if missing:
        held = ", ".join(sorted(annotations)) or "none"
        raise ValueError(f"patterns ask about {', '.join(missing)} of {kind}; the annotations of the batch are: {held}")
    return {requirement: requirement.of(annotations[requirement.name]) for requirement in requirements}
