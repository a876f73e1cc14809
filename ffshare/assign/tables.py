"""Assignments as Arrow tables: one row a term, and one row a molecule."""

from collections.abc import Mapping, Sequence

import numpy as np
import pyarrow as pa
from rdkit import Chem

from ffshare.assign.sites import COMPLETE_SECTIONS, Sites
from ffshare.molecules import GraphBatch, MappedSmiles, mapped_smiles
from ffshare.molecules.ragged import IntArray
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
    ]
)
MOLECULE_SCHEMA = pa.schema(
    [
        ("molecule_idx", pa.int64()),
        ("molecule", pa.string()),
        ("mapped_smiles", pa.string()),
        ("n_undefined_stereo", pa.int32()),
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

    Rows stand by molecule, then section, then site, so that the way in which the input was cut into batches does not show.

    Args:
        batch: The molecules.
        sites: Sites by section.
        tables: Rules by section.

    Returns:
        A table of `LABEL_SCHEMA`. Atoms are 0-based within the molecule.
    """
    sections = list(sites)
    lengths = [len(sites[section]) for section in sections]
    molecules = _joined([sites[section].molecule_idxs for section in sections])
    order = np.argsort(molecules, kind="stable")
    starts = np.cumsum([0, *(len(tables[section]) for section in sections)])
    winners = [(sites[section].rule_idxs, start) for section, start in zip(sections, starts.tolist(), strict=False)]
    rules = _joined([np.where(rule_idxs < 0, -1, rule_idxs + start) for rule_idxs, start in winners])
    section_codes = np.repeat(np.arange(len(sections)), lengths)
    return pa.Table.from_arrays(
        [
            pa.array(batch.input_idxs[molecules[order]]),
            _coded(molecules[order], batch.names),
            _coded(section_codes[order], sections),
            _atom_lists(batch, [sites[section].atom_idxs for section in sections], order),
            _coded(rules[order], [rule_id for section in sections for rule_id in tables[section].ids]),
            _coded(rules[order], [pattern for section in sections for pattern in tables[section].patterns]),
        ],
        schema=LABEL_SCHEMA,
    )


def molecule_table(batch: GraphBatch) -> pa.Table:
    """One row a molecule: its place in the input, its name, its mapped SMILES and how much stereochemistry that leaves open.

    Args:
        batch: The molecules.

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
        ],
        schema=MOLECULE_SCHEMA,
    )


def unassigned_table(batch: GraphBatch, sites: Mapping[str, Sites]) -> pa.Table:
    """The terms of the complete sections that no rule matches, with their atoms and elements.

    Args:
        batch: The molecules.
        sites: Sites by section.

    Returns:
        A table of `UNASSIGNED_SCHEMA`, by section and then molecule.
    """
    symbol = Chem.GetPeriodicTable().GetElementSymbol
    rows = []
    for section in COMPLETE_SECTIONS:
        if section not in sites:
            continue
        missing = sites[section].rule_idxs < 0
        atoms, molecules = sites[section].atom_idxs[missing], sites[section].molecule_idxs[missing]
        for row, molecule in zip(atoms, molecules.tolist(), strict=True):
            rows.append(
                {
                    "molecule_idx": int(batch.input_idxs[molecule]),
                    "molecule": batch.names[molecule],
                    "section": section,
                    "atoms": batch.local_idxs(row).tolist(),
                    "elements": "-".join(map(symbol, batch.elements[row].tolist())),
                }
            )
    return pa.Table.from_pylist(rows, schema=UNASSIGNED_SCHEMA)


def _joined(parts: Sequence[IntArray]) -> IntArray:
    return np.concatenate([np.zeros(0, dtype=np.int64), *parts])


def _coded(codes: IntArray, texts: Sequence[str]) -> pa.DictionaryArray:
    """Texts by code; code −1 is null. A text that stands twice gets one code, as dictionaries want it."""
    first_code = {text: code for code, text in reversed(list(enumerate(texts)))}
    unique = np.array([first_code[text] for text in texts] or [0], dtype=np.int32)
    mask = codes < 0
    return pa.DictionaryArray.from_arrays(pa.array(unique[codes], mask=mask), pa.array(texts, type=pa.string()))


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
