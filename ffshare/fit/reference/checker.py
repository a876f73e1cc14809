"""Raw records → molecules, some records at a time, so that the work can be done wherever there are workers.

Checking takes longer than reading, and longer than a fit: chemistry is perceived, units and signs are tried against
the geometries. One record says nothing of another, so that chunks may be of any size.
"""

from collections.abc import Iterable, Iterator, Sequence
from dataclasses import replace
from typing import TypeVar

import numpy as np

from ffshare.fit.reference.check import Checked, check
from ffshare.fit.reference.data import ReferenceMolecule, level_key
from ffshare.fit.reference.raw import RawRecord
from ffshare.molecules import Failure
from ffshare.parallel import one_thread
from ffshare.records import doc, record

Record = TypeVar("Record", bound=RawRecord | ReferenceMolecule | Failure)

# Numbers in the coordinates of the records that a worker gets at once: a few megabytes.
_MOST_NUMBERS = 300_000
_MOST_RECORDS = 200


@record
class Checker:
    """Makes molecules of raw records. Picklable."""

    level: str | None = doc("level of theory that is wanted; None: any")

    def __call__(self, records: Sequence[RawRecord | Failure]) -> tuple[Checked, ...]:
        """What becomes of each of some records, in order."""
        with one_thread():
            return tuple(
                Checked(molecule=None, failures=(each,)) if isinstance(each, Failure) else check_level(each, self.level)
                for each in records
            )


def check_level(raw: RawRecord, wanted: str | None) -> Checked:
    """The molecule of a record if it is of the level that is wanted.

    Args:
        raw: What a reader gives.
        wanted: Level of theory; a record that does not state its own is taken to be of this one. None: any.

    Returns:
        The molecule and the failures.
    """
    if wanted is not None and raw.level and level_key(raw.level) != level_key(wanted):
        reason = f"its level of theory is {raw.level}, not {wanted}"
        return Checked(molecule=None, failures=(raw.failure(reason, "nothing need be done, or say the other level"),))
    return check(raw if wanted is None else replace(raw, level=wanted))


def chunked_records(records: Iterable[Record]) -> Iterator[list[Record]]:
    """Records in groups of bounded size.

    Args:
        records: Records or molecules, and failures.

    Yields:
        The same in lists.
    """
    chunk: list[Record] = []
    n_numbers = 0
    for each in records:
        chunk.append(each)
        n_numbers += 0 if isinstance(each, Failure) else np.size(each.coords)
        if n_numbers >= _MOST_NUMBERS or len(chunk) >= _MOST_RECORDS:
            yield chunk
            chunk, n_numbers = [], 0
    if chunk:
        yield chunk
