"""Inputs of identical text, which are worked on once.

Text alone decides what a molecule is labelled with; place in the input and name are each entry's own.
"""

from collections.abc import Sequence
from dataclasses import replace

import numpy as np
import pyarrow as pa

from ffshare.molecules import Entry, Failure
from ffshare.molecules.ragged import IntArray, offsets_of, ranks_in_rows
from ffshare.records import doc, record


@record
class Repeats:
    """Some entries, and the first of each text among them."""

    entries: tuple[Entry, ...] = doc("all entries")
    distinct: tuple[Entry, ...] = doc("the first entry of each text, its index replaced by its place here")
    places: IntArray = doc("for each entry the place of its text in `distinct`, shape=(n_entries,)")

    @classmethod
    def of(cls, entries: Sequence[Entry]) -> "Repeats":
        """Find the entries of identical text.

        Args:
            entries: The entries.

        Returns:
            These, and the first of each text.

        Example:
            >>> texts = ["CCO", "O", "CCO"]
            >>> found = Repeats.of(
            ...     [Entry(index=7 + i, path="-", line=i, name="", kind="smiles", text=t) for i, t in enumerate(texts)]
            ... )
            >>> found.places.tolist(), [entry.text for entry in found.distinct]
            ([0, 1, 0], ['CCO', 'O'])
        """
        place_of: dict[tuple[str, str], int] = {}
        places = np.array([place_of.setdefault((each.kind, each.text), len(place_of)) for each in entries], np.int64)
        firsts = np.unique(places, return_index=True)[1].tolist()
        distinct = tuple(replace(entries[first], index=place) for place, first in enumerate(firsts))
        return cls(entries=tuple(entries), distinct=distinct, places=places)

    def spread(self, table: pa.Table) -> pa.Table:
        """The rows of all entries, given those of the distinct ones.

        Args:
            table: Rows with `molecule_idx`, the place of their text, ascending, and perhaps `molecule`.

        Returns:
            Rows in the order of the entries, with the index and the name of each.
        """
        counts = np.bincount(table["molecule_idx"], minlength=len(self.distinct))
        n_rows = counts[self.places]
        if len(self.distinct) < len(self.entries):
            table = table.take(np.repeat(offsets_of(counts)[:-1][self.places], n_rows) + ranks_in_rows(n_rows))
        owners = np.repeat(np.arange(len(self.entries)), n_rows)
        indices = np.array([entry.index for entry in self.entries], dtype=np.int64)
        names = pa.array([entry.name for entry in self.entries], type=pa.string()).dictionary_encode()
        place = {"molecule_idx": pa.array(indices[owners]), "molecule": names.take(pa.array(owners))}
        columns = [place.get(name, column) for name, column in zip(table.column_names, table.columns, strict=True)]
        return pa.Table.from_arrays(
            [
                in_order_of_appearance(column) if pa.types.is_dictionary(kind) else column.cast(kind)
                for column, kind in zip(columns, table.schema.types, strict=True)
            ],
            schema=table.schema,
        )

    def spread_failures(self, failures: Sequence[Failure]) -> list[Failure]:
        """The failures of all entries, given those of the distinct ones.

        Args:
            failures: Failures whose index is the place of their text.

        Returns:
            Failures in the order of the entries, with the place in the input and the name of each.
        """
        failure_of = {failure.index: failure for failure in failures}
        if not failure_of:
            return []
        return [
            replace(failure_of[place], index=entry.index, path=entry.path, line=entry.line, name=entry.name)
            for entry, place in zip(self.entries, self.places.tolist(), strict=True)
            if place in failure_of
        ]


def by_molecule(table: pa.Table) -> pa.Table:
    """The rows ordered by `molecule_idx`, those of one molecule in the order in which they stand."""
    owners = table["molecule_idx"].to_numpy()
    return table if (np.diff(owners) >= 0).all() else table.take(np.argsort(owners, kind="stable"))


def in_order_of_appearance(column: pa.Array | pa.ChunkedArray) -> pa.DictionaryArray:
    """The same texts, each once in the dictionary and in the order in which they first appear.

    So the bytes of a file do not tell from which pieces a table was put together.

    Args:
        column: Texts as dictionaries.

    Returns:
        One dictionary, without texts that do not appear.

    Example:
        >>> column = pa.array(["b", None, "a", "b"]).dictionary_encode().take(pa.array([2, 1, 3]))
        >>> in_order_of_appearance(column).dictionary.to_pylist()
        ['a', 'b']
    """
    chunks = column if isinstance(column, pa.ChunkedArray) else pa.chunked_array([column])
    array = chunks.unify_dictionaries().combine_chunks()
    if isinstance(array, pa.ChunkedArray):  # of a column without chunks
        array = pa.array([], type=column.type)
    codes = array.indices.fill_null(-1).to_numpy()
    # The last place stands for no text.
    firsts = np.full(len(array.dictionary) + 1, len(codes))
    firsts[codes[::-1]] = np.arange(len(codes))[::-1]
    seen = np.flatnonzero(firsts[:-1] < len(codes))
    order = seen[np.argsort(firsts[seen])]
    place_of = np.full(len(firsts), -1, dtype=np.int32)
    place_of[order] = np.arange(len(order))
    indices = pa.array(place_of[codes], mask=codes < 0)
    return pa.DictionaryArray.from_arrays(indices, array.dictionary.take(pa.array(order)))
