"""Assignments as Arrow tables: one row a term, and one row a molecule."""

from collections.abc import Mapping, Sequence

import numpy as np
import pyarrow as pa
from rdkit import Chem

from ffshare.assign.sites import COMPLETE_SECTIONS, Coded, Sites
from ffshare.molecules import GraphBatch, MappedSmiles, mapped_smiles
from ffshare.molecules.ragged import IntArray, offsets_of
from ffshare.rules.table import RuleTable

_TEXT = pa.dictionary(pa.int32(), pa.string())

LABEL_SCHEMA = pa.schema(
    [
        ("molecule_idx", pa.int64()),
        ("molecule", _TEXT),
        ("section", _TEXT),
        ("atoms", pa.list_(pa.int32())),
        ("rule_id", _TEXT),
        ("pattern", _TEXT),
        ("fallback", _TEXT),
    ]
)
MOLECULE_SCHEMA = pa.schema(
    [
        ("molecule_idx", pa.int64()),
        ("molecule", pa.string()),
        ("mapped_smiles", pa.string()),
        ("n_undefined_stereo", pa.int32()),
        ("frustrated", pa.bool_()),
        ("arbitrary", pa.bool_()),
    ]
)
UNASSIGNED_SCHEMA = pa.schema(
    [
        ("molecule_idx", pa.int64()),
        ("molecule", pa.string()),
        ("section", pa.string()),
        ("atoms", pa.list_(pa.int32())),
        ("elements", pa.string()),
    ]
)


def label_table(batch: GraphBatch, sites: Mapping[str, Sites], tables: Mapping[str, RuleTable]) -> pa.Table:
    """One row a term: molecule, section, atoms, rule and pattern; rule and pattern are null where nothing matched.

    Rows stand by molecule, then section, then site, so that the way in which the input was cut into batches does not
    show.

    Args:
        batch: The molecules.
        sites: Sites by section.
        tables: Rules by section.

    Returns:
        A table of `LABEL_SCHEMA`. Atoms are 0-based within the molecule; `fallback` says where a value comes from that
        is not the table's own for the term.
    """
    sections = list(sites)
    order, section_codes = _row_order(sites)
    rules = {section: found.rule_idxs for section, found in sites.items()}
    ids = [Coded(idxs=rules[section], texts=tables[section].ids) for section in sections]
    patterns = [
        found.patterns or Coded(idxs=rules[section], texts=tables[section].patterns) for section, found in sites.items()
    ]
    fallbacks = [found.fallbacks or Coded(idxs=np.full(len(found), -1), texts=()) for found in sites.values()]
    molecules = _joined([found.molecule_idxs for found in sites.values()])[order]
    return pa.Table.from_arrays(
        [
            pa.array(batch.input_idxs[molecules]),
            _coded(molecules, batch.names),
            _coded(section_codes, sections),
            _atom_lists(batch, [found.atom_idxs for found in sites.values()], order),
            _texts(ids, order),
            _texts(patterns, order),
            _texts(fallbacks, order),
        ],
        schema=LABEL_SCHEMA,
    )


def molecule_table(batch: GraphBatch, frustrated: Sequence[int] = (), arbitrary: Sequence[int] = ()) -> pa.Table:
    """One row a molecule: its place in the input, its name, its mapped SMILES and the stereochemistry that leaves open.

    Args:
        batch: The molecules.
        frustrated: Those in which pair types cannot be told apart.
        arbitrary: Those with a choice between equivalent places for a charge or double bonds.

    Returns:
        A table of `MOLECULE_SCHEMA`. Atom i of a molecule carries map number i + 1.
    """
    mapped: Sequence[MappedSmiles] = [mapped_smiles(batch, idx) for idx in range(batch.n_molecules)]
    return pa.Table.from_arrays(
        [
            pa.array(batch.input_idxs),
            pa.array(batch.names, type=pa.string()),
            pa.array([one.smiles for one in mapped], type=pa.string()),
            pa.array([one.n_undefined_stereo for one in mapped], type=pa.int32()),
            *(pa.array(np.isin(np.arange(batch.n_molecules), list(named))) for named in (frustrated, arbitrary)),
        ],
        schema=MOLECULE_SCHEMA,
    )


def unassigned_table(batch: GraphBatch, sites: Mapping[str, Sites]) -> pa.Table:
    """The terms of the complete sections that no rule matches, with their atoms and elements.

    Args:
        batch: The molecules.
        sites: Sites by section.

    Returns:
        A table of `UNASSIGNED_SCHEMA`, in the order of `label_table`. Elements are symbols with hyphens between.
    """
    missing = {section: _without_rule(sites[section]) for section in sites if section in COMPLETE_SECTIONS}
    sections = list(missing)
    order, section_codes = _row_order(missing)
    molecules = _joined([found.molecule_idxs for found in missing.values()])[order]
    numbers = [row for found in missing.values() for row in batch.elements[found.atom_idxs].tolist()]
    symbol = Chem.GetPeriodicTable().GetElementSymbol
    return pa.Table.from_arrays(
        [
            pa.array(batch.input_idxs[molecules]),
            pa.array([batch.names[molecule] for molecule in molecules.tolist()], type=pa.string()),
            pa.array([sections[code] for code in section_codes.tolist()], type=pa.string()),
            _atom_lists(batch, [found.atom_idxs for found in missing.values()], order),
            pa.array(["-".join(map(symbol, numbers[row])) for row in order.tolist()], type=pa.string()),
        ],
        schema=UNASSIGNED_SCHEMA,
    )


def _without_rule(sites: Sites) -> Sites:
    missing = sites.rule_idxs < 0
    return Sites(
        atom_idxs=sites.atom_idxs[missing],
        molecule_idxs=sites.molecule_idxs[missing],
        rule_idxs=sites.rule_idxs[missing],
    )


def _row_order(sites: Mapping[str, Sites]) -> tuple[IntArray, IntArray]:
    """The order of all sites by molecule, then section, then place; and, so ordered, the section that each is of."""
    sections = _joined([np.full(len(found), code) for code, found in enumerate(sites.values())])
    order = np.argsort(_joined([found.molecule_idxs for found in sites.values()]), kind="stable")
    return order, sections[order]


def _joined(parts: Sequence[IntArray]) -> IntArray:
    return np.concatenate([np.zeros(0, dtype=np.int64), *parts])


def _texts(parts: Sequence[Coded], order: IntArray) -> pa.DictionaryArray:
    """The texts of the sites of all sections, in the order of the rows."""
    firsts = offsets_of(np.array([len(part.texts) for part in parts], dtype=np.int64)).tolist()
    codes = [np.where(part.idxs < 0, -1, part.idxs + first) for part, first in zip(parts, firsts[:-1], strict=True)]
    return _coded(_joined(codes)[order], [text for part in parts for text in part.texts])


def _coded(codes: IntArray, texts: Sequence[str]) -> pa.DictionaryArray:
    """Texts by their numbers; −1 is null. A text that stands twice is once in the dictionary."""
    places: dict[str, int] = {}
    place_of = np.array([places.setdefault(text, len(places)) for text in texts] or [0], dtype=np.int32)
    indices = pa.array(place_of[codes], mask=codes < 0)
    return pa.DictionaryArray.from_arrays(indices, pa.array(list(places), type=pa.string()))


def _atom_lists(batch: GraphBatch, atoms: Sequence[IntArray], order: IntArray) -> pa.ListArray:
    width = max((part.shape[1] for part in atoms), default=1)
    padded = np.full((sum(map(len, atoms)), width), -1, dtype=np.int32)
    row = 0
    for part in atoms:
        local = np.where(part < 0, -1, batch.local_idxs(part))
        padded[row : row + len(part), : part.shape[1]] = local
        row += len(part)
    padded = padded[order]
    present = padded >= 0
    offsets = np.zeros(len(padded) + 1, dtype=np.int32)
    np.cumsum(present.sum(axis=1), out=offsets[1:])
    return pa.ListArray.from_arrays(pa.array(offsets), pa.array(padded[present]))
