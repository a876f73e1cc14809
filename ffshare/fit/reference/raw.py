"""What readers hand on: conformers as a file gives them, in internal units, before any chemistry is checked."""

from collections.abc import Callable, Iterator
from pathlib import Path

import numpy as np
from numpy.typing import ArrayLike, NDArray

from ffshare.errors import FfshareError, MoleculeError
from ffshare.fit.reference.data import UNKNOWN_LEVEL
from ffshare.molecules import Failure
from ffshare.records import doc, record

MOST_NUMBERS = 10_000_000
"""Coordinates, or forces, that one record may have: 80 MB. SPICE has 20,000, and no molecule of it 200 atoms."""

MOST_ATOMS = 2_000
"""Atoms that a molecule of reference data may have, since all pairs of atoms are looked at."""


def as_numbers(values: ArrayLike, what: str) -> NDArray[np.float64]:
    """Numbers from a file as a flat array.

    Args:
        values: Numbers in any shape.
        what: What they are, for the message.

    Returns:
        The numbers, shape=(n,).

    Raises:
        MoleculeError: They are no numbers, or too many.

    Example:
        >>> as_numbers([[1, 2], [3, 4]], "charges")
        array([1., 2., 3., 4.])
    """
    try:
        flat = np.asarray(values, dtype=np.float64).reshape(-1)
    except (TypeError, ValueError, OverflowError) as error:
        raise MoleculeError(f"the {what} are no numbers: {error}", "correct or remove the record") from error
    check_count(len(flat), what)
    return flat


def check_count(n_numbers: int, what: str) -> None:
    """Refuse more numbers than a record may have.

    Args:
        n_numbers: How many a file gives or states.
        what: What they are, for the message.

    Raises:
        MoleculeError: They are too many.
    """
    if n_numbers > MOST_NUMBERS:
        raise MoleculeError(
            f"{n_numbers:,} {what}; at most {MOST_NUMBERS:,} numbers are taken", "cut the record into smaller ones"
        )


@record
class ReadOptions:
    """What the user says about files that do not say it themselves."""

    smiles: str | None = doc("SMILES of molecules whose file gives none", default=None)
    level: str | None = doc("level of theory; of files that hold several, the one to take", default=None)
    energy_unit: str | None = doc("energy unit of an XYZ file; eV by default", default=None)
    length_unit: str | None = doc("length unit of an XYZ file; angstrom by default", default=None)


@record
class RawRecord:
    """Conformers of one molecule that share one zero of energy, as a file gives them."""

    index: int = doc("position in the whole input, from 0")
    path: str = doc("file")
    line: int = doc("1-based line, row or frame where it starts; 0 where that makes no sense")
    name: str = doc("name; '' where the file gives none")
    smiles: str = doc("SMILES; '' where the file gives none")
    elements: NDArray[np.int64] | None = doc(
        "atomic numbers in the order of the coordinates, shape=(n_atoms,); None: that of the mapped SMILES",
        default=None,
    )
    coords: ArrayLike = doc("atoms of the conformers [Å], n_conformers · n_atoms · 3 numbers in any shape")
    energies: ArrayLike = doc("of the conformers [kcal/mol], shape=(n_conformers,)")
    forces: ArrayLike | None = doc("minus the gradient [kcal/mol/Å], as many as coords; None: not known", default=None)
    charges: ArrayLike | None = doc("partial charges of the atoms [e], shape=(n_atoms,); None: not given", default=None)
    level: str = doc("level of theory; '' where the file does not state it", default=UNKNOWN_LEVEL)
    absolute: bool = doc("whether energies of different records of one molecule may be compared", default=False)

    def failure(self, reason: str, advice: str) -> Failure:
        """The row of the failures table for this record."""
        return Failure(
            index=self.index,
            path=self.path,
            line=self.line,
            name=self.name,
            text=self.smiles,
            reason=reason,
            advice=advice,
        )


Reader = Callable[[Path, ReadOptions, Iterator[int]], Iterator[RawRecord | Failure]]
"""Reads a file. Each record or failure takes the next index. What makes the whole file useless is an `InputError`."""


class DamagedFileError(FfshareError):
    """The rest of a file cannot be read: one failure stands for it.

    Attributes:
        reason: What is wrong.
        advice: What the user can do.
        line: 1-based line, row or frame where the unreadable part begins; 0 where it is not known.
    """

    def __init__(self, reason: str, advice: str, line: int = 0) -> None:
        self.reason = reason
        self.advice = advice
        self.line = line
        super().__init__(f"{reason}; {advice}")

    def __reduce__(self) -> tuple[type, tuple[str, str, int]]:
        return type(self), (self.reason, self.advice, self.line)
