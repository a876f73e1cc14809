"""From entries to tables of labels: what a worker does."""

from collections.abc import Sequence

import numpy as np
import pyarrow as pa

from ffshare.assign.contract import Scheme
from ffshare.assign.library.cache import LabelCache
from ffshare.assign.library.numbers import SHOWN, LabelNumbers
from ffshare.assign.library.repeats import Repeats, by_molecule
from ffshare.assign.tables import LABEL_SCHEMA, MOLECULE_SCHEMA, UNASSIGNED_SCHEMA, molecule_table
from ffshare.molecules import Entry, Failure, batch_of_entries, chunked
from ffshare.records import doc, record

FAILURE_SCHEMA = pa.schema(
    [
        ("molecule_idx", pa.int64()),
        ("file", pa.string()),
        ("line", pa.int64()),
        ("name", pa.string()),
        ("input", pa.string()),
        ("reason", pa.string()),
        ("advice", pa.string()),
    ]
)

_SCHEMAS = (LABEL_SCHEMA, MOLECULE_SCHEMA, UNASSIGNED_SCHEMA)


@record
class Labelled:
    """What became of some entries."""

    labels: pa.Table = doc("a row a term, of `LABEL_SCHEMA`")
    molecules: pa.Table = doc("a row a molecule, of `MOLECULE_SCHEMA`")
    failures: tuple[Failure, ...] = doc("entries that could not be used")
    numbers: LabelNumbers = doc("how many of what")

    @property
    def n_read(self) -> int:
        """Entries."""
        return self.numbers.read

    def failure_table(self) -> pa.Table:
        """The failures as a table of `FAILURE_SCHEMA`."""
        rows = [(one.index, one.path, one.line, one.name, one.text, one.reason, one.advice) for one in self.failures]
        columns = zip(*rows, strict=True) if rows else [()] * len(FAILURE_SCHEMA)
        return pa.Table.from_arrays(
            [pa.array(column, type=field.type) for column, field in zip(columns, FAILURE_SCHEMA, strict=True)],
            schema=FAILURE_SCHEMA,
        )


@record
class Labeller:
    """Labels entries by one scheme, entries of identical text once. Picklable.

    Law: what an entry becomes does not depend on the others.
    """

    scheme: Scheme = doc("the scheme")
    cache: LabelCache | None = doc("labels of earlier runs", default=None)

    def __call__(self, entries: Sequence[Entry | Failure]) -> Labelled:
        """The labels of some entries.

        Args:
            entries: Molecules as text, and failures of the reading, which are passed on.

        Returns:
            Labels and failures; each entry is in one of both.
        """
        repeats = Repeats.of([entry for entry in entries if isinstance(entry, Entry)])
        tables, unusable = self._of_texts(repeats.distinct)
        labels, molecules, missing = map(repeats.spread, tables)
        failures = [entry for entry in entries if isinstance(entry, Failure)]
        failures += repeats.spread_failures(unusable)
        failures.sort(key=lambda failure: failure.index)
        frustrated, arbitrary = (molecules.filter(molecules[name]) for name in ("frustrated", "arbitrary"))
        return Labelled(
            labels=labels,
            molecules=molecules,
            failures=tuple(failures),
            numbers=LabelNumbers(
                read=len(entries),
                labelled=len(molecules),
                failed=len(failures),
                terms=len(labels),
                unassigned=len(missing),
                guessed=len(labels) - labels["fallback"].null_count,
                undefined_stereo=int(np.count_nonzero(molecules["n_undefined_stereo"])),
                n_frustrated=len(frustrated),
                n_arbitrary=len(arbitrary),
                missing=tuple(missing.slice(0, SHOWN).to_pylist()),
                frustrated=_names(frustrated),
                arbitrary=_names(arbitrary),
                failures=tuple(f"{one.place}: {one.reason}; {one.advice}" for one in failures[:SHOWN]),
            ),
        )

    def _of_texts(self, entries: Sequence[Entry]) -> tuple[list[pa.Table], list[Failure]]:
        """Tables of labels, of molecules and of terms without a rule, and what could not be used, ordered by index."""
        waiting, known = (entries, ()) if self.cache is None else self.cache.find(entries, _SCHEMAS)
        found = [known] if known else []
        failures: list[Failure] = []
        for part in chunked(waiting):
            batch = batch_of_entries(part)
            assignment = self.scheme.assign(batch)
            molecules = molecule_table(batch, assignment.frustrated, assignment.arbitrary)
            tables = (assignment.to_table(), molecules, assignment.unassigned())
            if self.cache is not None:
                self.cache.keep(part, tables)
            found.append(tables)
            failures += batch.failures
        empty = tuple(schema.empty_table() for schema in _SCHEMAS)
        return [by_molecule(pa.concat_tables(kind)) for kind in zip(empty, *found, strict=True)], failures


def _names(molecules: pa.Table) -> tuple[str, ...]:
    return tuple(
        row["molecule"] or f"molecule {row['molecule_idx']}"
        for row in molecules.slice(0, SHOWN).select(["molecule_idx", "molecule"]).to_pylist()
    )
