"""What a run of labelling found, in numbers that add up, and the first examples of what is worth a look."""

from collections.abc import Mapping
from dataclasses import asdict, fields
from typing import Any, Self

from ffshare.records import doc, record

SHOWN = 10
"""Examples that are kept; all of them are in the tables."""


@record
class LabelNumbers:
    """Numbers of a part of a library. Those of its parts, added in order, are those of the whole."""

    read: int = doc("entries", default=0)
    labelled: int = doc("entries that were labelled", default=0)
    failed: int = doc("entries that could not be used", default=0)
    terms: int = doc("rows of labels", default=0)
    unassigned: int = doc("terms of the complete sections without a rule", default=0)
    guessed: int = doc("terms whose value a fall-back gave", default=0)
    undefined_stereo: int = doc("molecules that leave stereochemistry undefined", default=0)
    n_frustrated: int = doc("molecules in which pair types cannot be told apart", default=0)
    n_arbitrary: int = doc("molecules with a choice between equivalent places", default=0)
    missing: tuple[Mapping[str, Any], ...] = doc("the first terms without a rule", default=())
    frustrated: tuple[str, ...] = doc("names of the first such molecules", default=())
    arbitrary: tuple[str, ...] = doc("names of the first such molecules", default=())
    failures: tuple[str, ...] = doc("the first failures, with place and reason", default=())

    def __add__(self, other: "LabelNumbers") -> "LabelNumbers":
        total: dict[str, Any] = {}
        for field in fields(self):
            both = getattr(self, field.name) + getattr(other, field.name)
            total[field.name] = both if isinstance(both, int) else both[:SHOWN]
        return LabelNumbers(**total)

    def to_json(self) -> dict[str, Any]:
        """The numbers as an object of JSON."""
        return asdict(self)

    @classmethod
    def from_json(cls, written: Mapping[str, Any]) -> Self:
        """The numbers that `to_json` wrote.

        Args:
            written: An object of JSON.

        Returns:
            The numbers.

        Raises:
            TypeError: It is another object.
        """
        values: dict[str, Any] = {name: tuple(v) if isinstance(v, list) else v for name, v in written.items()}
        return cls(**values)
