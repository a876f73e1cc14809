"""What `ffshare count` says of reference data: their molecules, and the parameters that they identify."""

from collections.abc import Iterator, Sequence
from typing import Any

import numpy as np

from ffshare.assign import Assignment, Scheme, Tally, tally
from ffshare.assign.growth import Growth, growth
from ffshare.errors import MoleculeError, SchemeError
from ffshare.fit import ReferenceData, identifiable, read_reference
from ffshare.fit.identifiable import Identifiable
from ffshare.fit.parts import part_of
from ffshare.fit.reference import canonical_smiles
from ffshare.fit.run import reference_path
from ffshare.records import doc, record

_SUMS = ("valence and vdW", "all")
_MOST_SENTENCES = 3


@record
class ReferenceCount:
    """One scheme on reference data."""

    scheme: str = doc("name of the scheme")
    tally: Tally = doc("how often its rules are used by the molecules, each counted once")
    growth: Growth | None = doc("how that grows with the molecules, where it was asked for")
    identified: Identifiable | None = doc("what the data identify; None where that cannot be said")
    reason: str = doc("why it cannot be said", default="")

    def of(self, section: str) -> int | None:
        """The identifiable parameters of a section or sum; None where there is no such number."""
        if self.identified is None:
            return None
        return self.identified.total if section in _SUMS else self.identified.sections.get(section)

    def to_dict(self) -> dict[str, Any]:
        """What is not in the table of counts, for JSON."""
        if self.identified is None:
            return {"scheme": self.scheme, "reason": self.reason}
        return {
            "scheme": self.scheme,
            "total": self.identified.total,
            "touched": self.identified.n_touched,
            "entries": self.identified.n_molecules,
            "skipped": self.identified.n_skipped,
            "not_alone": list(self.identified.identifiability.sentences),
        }

    def notes(self) -> Iterator[str]:
        """Lines on what the numbers do not say."""
        if self.identified is None:
            yield f"{self.scheme}: no identifiable number: {self.reason}"
            return
        if self.identified.n_skipped:
            number = self.identified.n_skipped + self.identified.n_molecules
            skipped = f"{self.identified.n_skipped:,} of {number:,} entries"
            yield f"{self.scheme}: {skipped} have a term without a rule and identify nothing"
        sentences = self.identified.identifiability.sentences
        for sentence in sentences[:_MOST_SENTENCES]:
            yield f"{self.scheme}: {sentence}"
        if len(sentences) > _MOST_SENTENCES:
            yield f"{self.scheme}: {len(sentences) - _MOST_SENTENCES:,} more such combinations; --json lists them"


def read(inputs: Sequence[str], *, strict: bool, **options: Any) -> ReferenceData:
    """The reference data of some files.

    Args:
        inputs: Files and folders.
        strict: Whether the first record that cannot be used ends the run.
        **options: As for `read_reference`.

    Returns:
        The data.

    Raises:
        MoleculeError: `strict`, and a record cannot be used.
    """
    data = read_reference(*(reference_path(name) for name in inputs), **options)
    if strict and data.failures:
        first = data.failures[0]
        raise MoleculeError(
            f"{first.path}, line {first.line} ({first.name or first.text}): {first.reason}", first.advice
        )
    return data


def shown(data: ReferenceData) -> dict[str, Any]:
    """What reference data are, for JSON."""
    return {
        "entries": data.n_molecules,
        "conformers": data.n_conformers,
        "level": data.level,
        "failed": len(data.failures),
    }


def count_reference(scheme: Scheme, data: ReferenceData, with_growth: bool) -> ReferenceCount:
    """Count a scheme on reference data.

    Args:
        scheme: The scheme.
        data: The data.
        with_growth: Whether to watch how its use grows.

    Returns:
        Its count; without an identifiable number where the scheme is no sum of springs and cosines.
    """
    whole = scheme.assign(data.batch())
    once = part_of(whole, _first_entries(data))
    identified, reason = _identified(whole, data)
    return ReferenceCount(
        scheme=scheme.name,
        tally=tally(once.batch.n_molecules, once.sites, once.tables),
        growth=growth(once) if with_growth else None,
        identified=identified,
        reason=reason,
    )


def _identified(assignment: Assignment, data: ReferenceData) -> tuple[Identifiable | None, str]:
    try:
        return identifiable(assignment, data.molecules), ""
    except SchemeError as error:
        return None, f"only springs and cosines are counted, and {error}"


def _first_entries(data: ReferenceData) -> np.ndarray[Any, np.dtype[np.int64]]:
    """The first entry of each molecule."""
    firsts = {canonical_smiles(one.smiles): idx for idx, one in reversed(list(enumerate(data.molecules)))}
    return np.array(sorted(firsts.values()), dtype=np.int64)
