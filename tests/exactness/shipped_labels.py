"""Labels that come with the data kept beside the project: openff-toolkit's, made on another machine.

One line a molecule: for each section the rule ids over its sorted terms, ``None`` where no rule matches; for
impropers, which need no rule, the atoms too. SMIRKS are not given.
"""

import json
import lzma
import tempfile
from pathlib import Path
from typing import Any

import ffshare
from ffshare.assign import Scheme
from tests.exactness.labels import Comparison, ffshare_labels
from tests.exactness.molecule_sets import data_beside_the_project

SHIPPED = (
    "openff_unconstrained-1.3.1",
    "openff_unconstrained-2.2.1",
    "openff_unconstrained-2.3.0",
    "smirnoff99Frosst-1.1.0",
)
_COMPLETE = {"B": "Bonds", "A": "Angles", "P": "ProperTorsions", "V": "vdW"}


def compare_shipped(force_field: str, path: Path) -> Comparison:
    """The labels of ffshare against the shipped ones.

    Args:
        force_field: One of `SHIPPED`.
        path: The molecules as a SMILES file.
    """
    assignment = _scheme(force_field).assign(ffshare.read(path))
    batch = assignment.batch
    labels = ffshare_labels(assignment)
    ids: list[dict[str, list[str]]] = [{key: [] for key in _COMPLETE} for _ in labels]
    for key, section in _COMPLETE.items():
        sites, table = assignment.sites[section], assignment.tables[section]
        rows = sorted(zip(sites.atom_idxs.tolist(), sites.rule_idxs.tolist(), strict=True))
        for atoms, rule in rows:
            ids[batch.atom_molecules[atoms[0]]][key].append(table.ids[rule] if rule >= 0 else "None")
    found = Comparison(terms=0, differences=())
    for theirs in _rows(force_field):
        idx = theirs["i"]
        impropers = [[*label.atoms, label.rule_id] for label in labels[idx] if label.section == "ImproperTorsions"]
        found += _compared(batch.names[idx], ids[idx], sorted(impropers), theirs)
    return found


def _compared(name: str, ids: dict[str, list[str]], impropers: list[list[Any]], theirs: dict[str, Any]) -> Comparison:
    pairs = [
        (f"{name} {_COMPLETE[key]} {place}", ours, other)
        for key in _COMPLETE
        for place, (ours, other) in enumerate(zip(ids[key], theirs[key].split(), strict=True))
    ]
    others = {tuple(atoms): rule for *atoms, rule in theirs["I"]}
    found = {tuple(atoms): rule for *atoms, rule in impropers}
    pairs += [(f"{name} improper {atoms}", found.get(atoms), others.get(atoms)) for atoms in {**found, **others}]
    wrong = [f"{term}: ffshare {ours}; openff-toolkit {other}" for term, ours, other in pairs if ours != other]
    return Comparison(terms=len(pairs), differences=tuple(wrong))


def _rows(force_field: str) -> list[dict[str, Any]]:
    with lzma.open(data_beside_the_project() / "assign" / f"labels_{force_field}.jsonl.xz", "rt") as lines:
        return [json.loads(line) for line in lines]


def _scheme(force_field: str) -> Scheme:
    packed = data_beside_the_project() / "assign" / f"{force_field}.offxml.xz"
    if not packed.exists():
        return ffshare.load_scheme(force_field)
    with tempfile.TemporaryDirectory() as folder:
        unpacked = Path(folder) / f"{force_field}.offxml"
        unpacked.write_bytes(lzma.decompress(packed.read_bytes()))
        return ffshare.load_scheme(unpacked)
