"""`ffshare diff`: what a new force field changes, in its rules and in the terms of molecules."""

from collections.abc import Iterator, Sequence
from pathlib import Path
from typing import Annotated, Any

import pyarrow as pa
from cyclopts import Parameter

from ffshare import __version__
from ffshare.assign import term_differences
from ffshare.cli.console import note, print_json, print_table
from ffshare.cli.labelling import Input, smirnoff_scheme_of
from ffshare.cli.outputs import OutputFiles
from ffshare.molecules import read_batches
from ffshare.rules import RuleDiff, SectionDiff, diff_rules

_RULE_HEADS = {
    "section": "section",
    "what": "what",
    "old_id": "old id",
    "new_id": "new id",
    "pattern": "pattern",
    "values": "values, old → new",
}
_TERM_HEADS = {
    "section": "section",
    "old_rule": "old rule",
    "new_rule": "new rule",
    "what": "what differs",
    "terms": "terms",
    "molecules": "molecules",
    "example": "example",
}
_TERM_SCHEMA = pa.schema(
    [
        ("molecule_idx", pa.int64()),
        ("molecule", pa.string()),
        ("section", pa.string()),
        ("atoms", pa.list_(pa.int32())),
        ("old_rule", pa.string()),
        ("new_rule", pa.string()),
        ("old_pattern", pa.string()),
        ("new_pattern", pa.string()),
        ("what", pa.string()),
    ]
)


def diff(
    old: str,
    new: str,
    *inputs: Input,
    out: Path | None = None,
    smiles_column: str | None = None,
    name_column: str | None = None,
    json: Annotated[bool, Parameter(negative="")] = False,
) -> None:
    """Show which rules differ between two force fields, and which terms of molecules get another pattern or value.

    Rules are compared by SMIRKS, not by id: ids are renumbered between releases. Terms are listed by pairs of rules;
    --out or --json gives every term.

    Args:
        old: A force field by name or file.
        new: Another.
        inputs: Molecules to compare terms on: files as `ffshare assign` takes them. Without any, only rules.
        out: File for the terms that differ: .parquet, .csv or .json.
        smiles_column: Heading of the SMILES column of tables.
        name_column: Heading of the name column of tables.
        json: Print as JSON.
    """
    schemes = smirnoff_scheme_of(old), smirnoff_scheme_of(new)
    rules = list(_rule_rows(diff_rules(schemes[0].force_field, schemes[1].force_field)))
    terms: list[dict[str, Any]] = []
    n_molecules = n_failed = 0
    for batch in read_batches(*inputs, smiles_column=smiles_column, name_column=name_column) if inputs else ():
        n_molecules, n_failed = n_molecules + batch.n_molecules, n_failed + len(batch.failures)
        for one in term_differences(schemes[0].assign(batch), schemes[1].assign(batch)):
            place = one.molecule_idx
            row = {name: getattr(one, name) for name in _TERM_SCHEMA.names if hasattr(one, name)}
            terms.append(row | {"molecule_idx": int(batch.input_idxs[place]), "molecule": batch.names[place]})
    if out is not None:
        with OutputFiles(inputs) as files:
            metadata = {"ffshare": __version__, "old": schemes[0].name, "new": schemes[1].name, "inputs": list(inputs)}
            files.table(out, _TERM_SCHEMA, metadata).write(pa.Table.from_pylist(terms, schema=_TERM_SCHEMA))
    if json:
        molecules = {"read": n_molecules + n_failed, "compared": n_molecules, "failed": n_failed}
        print_json(
            {"old": schemes[0].name, "new": schemes[1].name, "molecules": molecules, "rules": rules, "terms": terms}
        )
        return
    print_table(f"rules: {schemes[0].name} → {schemes[1].name}", rules, _RULE_HEADS)
    if inputs:
        print_table(f"terms that differ on {n_molecules:,} molecules", _term_rows(terms), _TERM_HEADS)
        note(f"{n_molecules + n_failed:,} molecules read = {n_molecules:,} compared + {n_failed:,} failed")


def _rule_rows(found: RuleDiff) -> Iterator[dict[str, Any]]:
    for section, differences in found.sections.items():
        yield from _section_rows(found, section, differences)


def _section_rows(found: RuleDiff, section: str, differences: SectionDiff) -> Iterator[dict[str, Any]]:
    def row(what: str, old_id: str | None, new_id: str | None, pattern: str, values: str = "") -> dict[str, Any]:
        return {
            "section": section,
            "what": what,
            "old_id": old_id,
            "new_id": new_id,
            "pattern": pattern,
            "values": values,
        }

    for rule in differences.removed.tolist():
        table = found.old.tables[section]
        yield row("removed", table.ids[rule], None, table.patterns[rule])
    for rule in differences.added.tolist():
        table = found.new.tables[section]
        yield row("added", None, table.ids[rule], table.patterns[rule])
    for change in differences.changed:
        numbers = [
            f"{value.column}{value.term + 1 if value.term else ''} "
            f"{_number(value.old)} → {_number(value.new)} {value.unit}"
            for value in change.values
        ]
        texts = [f"{text.name} {text.old!r} → {text.new!r}" for text in change.texts]
        yield row("changed", change.old_id, change.new_id, change.pattern, "; ".join(map(str.strip, numbers + texts)))
    for change in differences.moved:
        yield row("moved", change.old_id, change.new_id, change.pattern)
    for change in differences.renamed:
        yield row("renamed", change.old_id, change.new_id, change.pattern)
    for setting in differences.settings:
        yield row("setting", None, None, setting.name, f"{setting.old!r} → {setting.new!r}")


def _number(value: float | None) -> str:
    return "none" if value is None else f"{value:.6g}"


def _term_rows(terms: Sequence[dict[str, Any]]) -> list[dict[str, Any]]:
    """Terms counted by section and pair of rules, most first within a section."""
    groups: dict[tuple[Any, ...], list[dict[str, Any]]] = {}
    for term in terms:
        groups.setdefault((term["section"], term["old_rule"], term["new_rule"], term["what"]), []).append(term)
    sections = {section: place for place, section in enumerate(dict.fromkeys(term["section"] for term in terms))}
    ordered = sorted(groups.items(), key=lambda item: (sections[item[0][0]], -len(item[1])))
    rows = []
    for (section, old_rule, new_rule, what), members in ordered:
        first = members[0]
        name = first["molecule"] or f"molecule {first['molecule_idx']}"
        rows.append(
            {
                "section": section,
                "old_rule": old_rule,
                "new_rule": new_rule,
                "what": what,
                "terms": len(members),
                "molecules": len({member["molecule_idx"] for member in members}),
                "example": f"{name} {'-'.join(map(str, first['atoms']))}",
            }
        )
    return rows
