"""The numbers that a fit moves, and how they make the unknowns that the data are linear in.

The energy is linear in u, the numbers of the ties of a scheme (see `ffshare.model.rule_ties`): k and k·x0 of a spring,
the barrier of a torsion term. A user thinks, and priors and bounds act, in the *parameters* p: k and x0, and the same
barrier. They are numbered alike: where u holds k·x0 of a rule, p holds its x0. So

    u_i = p_i,    and  u_j = k x0  with  ∂u_j/∂k = x0,  ∂u_j/∂x0 = k    for the rest value j of a spring.
"""

from collections import Counter
from collections.abc import Mapping, Sequence
from typing import cast

import numpy as np
from scipy import sparse

from ffshare.assign import Assignment
from ffshare.errors import SchemeError
from ffshare.fit.springs import Springs
from ffshare.model.coordinates import FloatArray
from ffshare.molecules.ragged import IntArray
from ffshare.records import doc, freeze_arrays, record
from ffshare.rules.table import RuleTable

Key = tuple[str, str, str, int]

BONDED = ("Bonds", "Angles", "ProperTorsions", "ImproperTorsions")
"""The sections that a fit can move."""

KINDS: tuple[str, ...] = ("bond k", "length", "angle k", "angle", "barrier")
"""Kinds of parameters: those of one kind have one unit and one prior width."""

# Section to its columns, the force constant first, and their kinds.
_COLUMNS: Mapping[str, tuple[tuple[str, str], ...]] = {
    "Bonds": (("k", "bond k"), ("length", "length")),
    "Angles": (("k", "angle k"), ("angle", "angle")),
    "ProperTorsions": (("k", "barrier"),),
    "ImproperTorsions": (("k", "barrier"),),
}


@record
class Parameters:
    """The parameters of some sections of a force field, numbered as the free parameters of its ties are."""

    keys: tuple[Key, ...] = doc("section, rule id, column and term of each")
    kinds: IntArray = doc("kind of each, an index into `KINDS`, shape=(n,)")
    entries: IntArray = doc("entry of its column in the table of its section, shape=(n,)")
    partners: IntArray = doc("of a rest value the parameter that is its force constant, else −1, shape=(n,)")
    values: FloatArray = doc("values in the tables [unit of the column], NaN where a rule has none, shape=(n,)")

    def __post_init__(self) -> None:
        integers = dict.fromkeys(("kinds", "entries", "partners"), np.int64)
        freeze_arrays(self, values=np.float64, **integers)

    def __len__(self) -> int:
        return len(self.keys)

    def __repr__(self) -> str:
        counts = Counter(self.kinds.tolist())
        return f"Parameters({', '.join(f'{counts[i]} {kind}' for i, kind in enumerate(KINDS) if counts[i])})"

    @classmethod
    def of(cls, assignment: Assignment, sections: Sequence[str] = BONDED) -> "Parameters":
        """The parameters of an assignment, in the order of `rule_ties` with the bases of these sections.

        Args:
            assignment: Any assignment whose bonds and angles are springs and whose torsions are cosines.
            sections: Sections, in the order of the bases; those that the assignment lacks are left out.

        Returns:
            The parameters, those that no site uses included.

        Example:
            >>> import ffshare
            >>> Parameters.of(ffshare.load_scheme("openff-2.2.1").assign(ffshare.from_smiles("CC")))
            Parameters(90 bond k, 90 length, 44 angle k, 44 angle, 309 barrier)
        """
        keys: list[Key] = []
        none = np.zeros(0, dtype=np.int64)
        columns: dict[str, list[IntArray]] = {name: [none] for name in ("kinds", "entries", "partners")}
        values: list[FloatArray] = [np.zeros(0)]
        for section in sections:
            if section not in assignment.sites:
                continue
            table, first = assignment.tables[section], len(keys)
            (k_name, _), *_rest = _COLUMNS[section]
            k_keys = cast("Sequence[Key]", assignment.tying(section, k_name).keys)
            for place, (column, kind) in enumerate(_COLUMNS[section]):
                entries = _aligned_entries(table, k_name, column)
                keys += [(section, rule_id, column, term) for _, rule_id, _, term in k_keys]
                columns["kinds"].append(np.full(len(entries), KINDS.index(kind)))
                columns["entries"].append(entries)
                columns["partners"].append(first + np.arange(len(entries)) if place else np.full(len(entries), -1))
                found = table.columns[column].values if column in table.columns else np.zeros(0)
                values.append(np.append(found, np.nan)[entries])
        return cls(
            keys=tuple(keys),
            kinds=np.concatenate(columns["kinds"]),
            entries=np.concatenate(columns["entries"]),
            partners=np.concatenate(columns["partners"]),
            values=np.concatenate(values),
        )

    @property
    def names(self) -> tuple[str, ...]:
        """Names that a user knows: ``b1.k``, ``a3.angle``, ``t19.k1``; with the section where two are the same."""
        plain = [
            f"{rule_id}.{column}" + (str(term + 1) if section.endswith("Torsions") else "")
            for section, rule_id, column, term in self.keys
        ]
        counts = Counter(plain)
        return tuple(
            name if counts[name] == 1 else f"{key[0]} {name}" for name, key in zip(plain, self.keys, strict=True)
        )

    def with_partners(self, touched: IntArray) -> IntArray:
        """Some of the parameters, and the other one of each spring of which one is among them.

        Args:
            touched: Parameters, shape=(n,).

        Returns:
            These and their partners, ascending, each once.
        """
        takes_part = np.zeros(len(self), dtype=bool)
        takes_part[touched] = True
        rest = np.flatnonzero(self.partners >= 0)
        stiff = self.partners[rest]
        takes_part[rest] |= takes_part[stiff]
        takes_part[stiff] |= takes_part[rest]
        return np.flatnonzero(takes_part)

    def part(self, chosen: IntArray) -> "Parameters":
        """Some of the parameters; a rest value only with its force constant.

        Args:
            chosen: Parameters, ascending, shape=(n,).

        Returns:
            These, in this order.

        Raises:
            SchemeError: A rest value was chosen without its force constant.
        """
        numbers = np.full(len(self) + 1, -1)
        numbers[chosen] = np.arange(len(chosen))
        partners = numbers[self.partners[chosen]]
        lost = np.flatnonzero((partners < 0) & (self.partners[chosen] >= 0))
        if len(lost):
            raise SchemeError(f"{self.keys[int(chosen[lost[0]])]} was chosen without the force constant of its rule")
        return Parameters(
            keys=tuple(self.keys[idx] for idx in chosen.tolist()),
            kinds=self.kinds[chosen],
            entries=self.entries[chosen],
            partners=partners,
            values=self.values[chosen],
        )

    def unknowns(self, values: FloatArray) -> FloatArray:
        """What the data are linear in: u, with k·x0 for x0.

        Args:
            values: The parameters, shape=(n,).

        Returns:
            Their unknowns, shape=(n,).
        """
        return Springs.among(self.partners, np.arange(len(self))).unknowns(values)

    def jacobian(self, values: FloatArray) -> sparse.csr_array:
        """The derivatives of the unknowns by the parameters, ∂u_i/∂p_j.

        Args:
            values: The parameters, shape=(n,).

        Returns:
            The matrix, shape=(n, n).
        """
        rest = np.flatnonzero(self.partners >= 0)
        diagonal = np.ones(len(self))
        diagonal[rest] = values[self.partners[rest]]
        rows = np.concatenate([np.arange(len(self)), rest])
        columns = np.concatenate([np.arange(len(self)), self.partners[rest]])
        data = np.concatenate([diagonal, values[rest]])
        return sparse.csr_array(sparse.coo_array((data, (rows, columns)), shape=(len(self), len(self))))


def _aligned_entries(table: RuleTable, k_name: str, column: str) -> IntArray:
    """For each entry of the force constant the entry of a column of the same rule and term, −1 where it has none."""
    k = table.columns[k_name]
    if column == k_name:
        return np.arange(len(k.values))
    if column not in table.columns:
        return np.full(len(k.values), -1)
    other = table.columns[column]
    places = {pair: i for i, pair in enumerate(zip(other.rule_idxs.tolist(), other.terms.tolist(), strict=True))}
    pairs = zip(k.rule_idxs.tolist(), k.terms.tolist(), strict=True)
    return np.array([places.get(pair, -1) for pair in pairs], dtype=np.int64)
