"""Counting from a folder of labels, by duckdb and part by part: nothing is labelled again, and memory stays small."""

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import replace
from functools import reduce
from operator import add
from pathlib import Path
from typing import Any

import numpy as np

from ffshare.assign import Scheme, Tally
from ffshare.assign.library import missing_parts, read_manifest
from ffshare.assign.tally import SectionTally, groups_of
from ffshare.cli.console import progress_bar
from ffshare.cli.labelling import scheme_of
from ffshare.cli.provenance import checksums_by_name
from ffshare.errors import InputError, MissingDependencyError, SchemeError
from ffshare.rules import RuleTable

_BY_RULE = """
    SELECT section, rule_id, count(*), count(DISTINCT molecule_idx), count(fallback)
    FROM read_parquet(?) GROUP BY ALL
"""
_LACKING = """
    SELECT section, list(DISTINCT molecule_idx)
    FROM read_parquet(?) WHERE rule_id IS NULL OR fallback IS NOT NULL GROUP BY ALL
"""


def labels_folder(inputs: tuple[str, ...]) -> Path | None:
    """The folder of labels that the inputs of a command are.

    Args:
        inputs: What was given.

    Returns:
        The folder; None where they are molecules.

    Raises:
        InputError: A folder of labels is one of several inputs, or its run has not ended.
    """
    found = [Path(one) for one in inputs if read_manifest(Path(one)) is not None]
    if found and len(inputs) > 1:
        raise InputError(f"{found[0]} is a folder of labels: count it by itself")
    return found[0] if found else None


def tally_of_labels(folder: Path, names: Sequence[str]) -> tuple[Scheme, Tally, int]:
    """How often each rule is used in a folder of labels.

    Args:
        folder: A finished folder of `ffshare assign`.
        names: Scheme that was asked for; none: the one that made the labels.

    Returns:
        The scheme, its tally, the same as by labelling the molecules, and how many inputs could not be used.

    Raises:
        InputError: Parts are gone, or another scheme is asked for.
        SchemeError: The scheme is not as it was when it made the labels, or makes rules for the molecules at hand.
        MissingDependencyError: duckdb is not installed.
    """
    manifest = read_manifest(folder) or {}
    gone = missing_parts(folder, manifest)
    if gone:
        raise InputError(
            f"{folder}: {len(gone)} files are gone or cut short ({gone[0]}); run the same ffshare assign again, it "
            "makes them anew"
        )
    made_by = manifest["scheme"]
    if any(name != made_by for name in names):
        raise InputError(f"{folder} holds labels of {made_by}; leave --scheme out, or count the molecules themselves")
    scheme = scheme_of(made_by, manifest["settings"]["mode"])
    if checksums_by_name(scheme) != manifest["force_field_checksums"]:
        raise SchemeError(f"{made_by} is not what it was when it made {folder}; label the molecules again")
    parts = [str(folder / part) for one in manifest["parts"] for part in one["files"] if part.startswith("labels/")]
    with progress_bar("counting", what="parts") as bar:
        bar.update(bar.task_ids[0], total=len(parts))

        def tallies() -> Iterator[Tally]:
            for number, found in enumerate(_parts(parts, scheme.tables), start=1):
                yield found
                bar.update(bar.task_ids[0], completed=number)

        counted = reduce(add, tallies())
    numbers = manifest["numbers"]
    return scheme, replace(counted, n_molecules=numbers["labelled"]), numbers["failed"]


def _parts(paths: list[str], tables: Mapping[str, RuleTable]) -> Iterator[Tally]:
    try:
        import duckdb
    except ImportError as error:
        raise MissingDependencyError("labels are counted by duckdb: pip install 'ffshare[query]'") from error
    rows = {section: {rule_id: row for row, rule_id in enumerate(table.ids)} for section, table in tables.items()}
    with duckdb.connect() as connection:
        for path in paths:
            sections: dict[str, _Use] = {section: _Use(len(table)) for section, table in tables.items()}
            for section, rule_id, *numbers in connection.execute(_BY_RULE, [path]).fetchall():
                if rule_id is None:
                    sections[section].n_unassigned += numbers[0]
                    continue
                row = rows[section].get(rule_id)
                if row is None or len(rows[section]) < len(tables[section]):
                    raise SchemeError(
                        f"{path}: the rule {rule_id} of {section} is not one of the scheme by itself, or its name is "
                        "not unique; count the molecules themselves"
                    )
                sections[section].numbers[:, row] += numbers
            lacking = {section: set(idxs) for section, idxs in connection.execute(_LACKING, [path]).fetchall()}
            yield Tally(
                n_molecules=0,
                sections={section: use.tally() for section, use in sections.items()},
                incomplete={
                    label: len(set().union(*(lacking.get(name, ()) for name in names)))
                    for label, names in groups_of(list(tables)).items()
                },
            )


class _Use:
    """Use of the rules of a section in one part."""

    def __init__(self, n_rules: int) -> None:
        self.numbers: np.ndarray[Any, np.dtype[np.int64]] = np.zeros((3, n_rules), dtype=np.int64)
        self.n_unassigned = 0

    def tally(self) -> SectionTally:
        n_sites, n_molecules, n_guessed = self.numbers
        return SectionTally(
            n_sites=n_sites, n_molecules=n_molecules, n_guessed=n_guessed, n_unassigned=self.n_unassigned
        )
