"""Which columns of a table hold the SMILES and the names.

A column that the user asks for has to be there, in any case of its letters. Otherwise the usual headings are tried in
order; a table without a name column has nameless molecules.
"""

from collections.abc import Sequence

from ffshare.errors import InputError
from ffshare.molecules.entries import plain_text
from ffshare.records import doc, record

SMILES_COLUMNS = ("smiles", "canonical_smiles", "isosmiles")
NAME_COLUMNS = ("name", "id", "title", "compound", "molecule")

_MOST_LISTED = 20


@record
class Columns:
    """The columns that the user asked for."""

    smiles: str | None = doc("heading of the SMILES column; None: the first usual one", default=None)
    name: str | None = doc("heading of the name column; None: the first usual one, if any", default=None)

    def find(self, present: Sequence[str], shown: str) -> tuple[int, int | None]:
        """Where the SMILES and the names stand.

        Args:
            present: The headings of the table.
            shown: Path for the message.

        Returns:
            Position of the SMILES column; that of the name column, None where there is none.

        Raises:
            InputError: A column is not there. The message lists those that are.

        Example:
            >>> Columns().find(["ID", "SMILES"], "a.csv")
            (1, 0)
        """
        smiles = _position(present, (self.smiles,) if self.smiles is not None else SMILES_COLUMNS)
        name = _position(present, (self.name,) if self.name is not None else NAME_COLUMNS)
        if smiles is None:
            asked = repr(self.smiles) if self.smiles is not None else " or ".join(map(repr, SMILES_COLUMNS))
            raise InputError(f"{shown}: no SMILES column {asked}; {_listed(present)}; say which one holds the SMILES")
        if name is None and self.name is not None:
            raise InputError(
                f"{shown}: no name column {self.name!r}; {_listed(present)}; say which one holds the names"
            )
        return smiles, name


def _position(present: Sequence[str], wanted: Sequence[str]) -> int | None:
    """First of the wanted headings that is there: as written if possible, else in any case of its letters."""
    plain = [heading.strip() for heading in present]
    lower = [heading.lower() for heading in plain]
    for heading in wanted:
        if heading in plain:
            return plain.index(heading)
        if heading.lower() in lower:
            return lower.index(heading.lower())
    return None


def _listed(present: Sequence[str]) -> str:
    names = [plain_text(repr(heading), 60) for heading in present[:_MOST_LISTED]]
    more = f" and {len(present) - _MOST_LISTED} more" if len(present) > _MOST_LISTED else ""
    return f"its columns are {', '.join(names)}{more}"
