"""SMIRNOFF assignment by a plain loop over RDKit's matcher: slow, obvious, and nothing of the engine in it.

Every rule of a section is matched in file order against every molecule. A match is filed under the key of its tuple,
and the last rule under a key wins.
"""

from collections.abc import Iterator
from typing import Any

from rdkit import Chem

from ffshare.assign.assignment import Assignment
from ffshare.molecules import GraphBatch
from ffshare.rules.table import ForceField, RuleTable

Key = tuple[Any, ...]


def matches_in_order(smirks: str, batch: GraphBatch) -> Iterator[tuple[int, ...]]:
    """Atoms of the batch for tags 1, 2, …, once for every match, in RDKit's order."""
    query = Chem.MolFromSmarts(smirks)
    tagged = sorted((atom.GetAtomMapNum(), atom.GetIdx()) for atom in query.GetAtoms() if atom.GetAtomMapNum())
    for idx in range(batch.n_molecules):
        start = int(batch.atom_offsets[idx])
        for match in batch.explicit_molecule(idx).GetSubstructMatches(
            query, uniquify=False, useChirality=True, maxMatches=2**31 - 1
        ):
            yield tuple(start + match[place] for _, place in tagged)


def canonical_path(row: Key) -> Key:
    return row if row[0] < row[-1] else row[::-1]


def canonical_improper(row: Key) -> Key:
    first, second, third = sorted((row[0], row[2], row[3]))
    return first, row[1], second, third


CANONICAL = {
    "Constraints": canonical_path,
    "Bonds": canonical_path,
    "Angles": canonical_path,
    "ProperTorsions": canonical_path,
    "ImproperTorsions": canonical_improper,
    "vdW": tuple,
    "LibraryCharges": tuple,
}


def every_match(table: RuleTable, batch: GraphBatch) -> dict[Key, list[int]]:
    """All rules that match each tuple, in the order in which later ones win."""
    canonical = CANONICAL[table.section]
    found: dict[Key, list[int]] = {}
    for rule, smirks in enumerate(table.patterns):
        for key in {canonical(row) for row in matches_in_order(smirks, batch)}:
            found.setdefault(key, []).append(rule)
    return found


def last_match(table: RuleTable, batch: GraphBatch) -> dict[Key, int]:
    return {key: rules[-1] for key, rules in every_match(table, batch).items()}


def charge_increments(table: RuleTable, batch: GraphBatch) -> dict[Key, int]:
    """One match stays of all on the same set of atoms: of the last rule the one found last, found again or not."""
    found: dict[frozenset[int], tuple[Key, int]] = {}
    for rule, smirks in enumerate(table.patterns):
        for row in dict.fromkeys(matches_in_order(smirks, batch)):
            found[frozenset(row)] = row, rule
    return dict(found.values())


def virtual_sites(table: RuleTable, batch: GraphBatch) -> dict[Key, int]:
    """The atom tagged 1 carries one site of each name, that of the last rule. Keys are (name, *atoms)."""
    found: dict[Key, list[tuple[int, Key]]] = {}
    for rule, smirks in enumerate(table.patterns):
        for row in dict.fromkeys(matches_in_order(smirks, batch)):
            found.setdefault((row[0], table.names[rule]), []).append((rule, row))
    sites: dict[Key, int] = {}
    for (_, name), placed in found.items():
        winner = placed[-1][0]
        rows = [row for rule, row in placed if rule == winner]
        if table.attributes[winner].get("match") == "once":
            rows = rows[:1]
        sites |= {(name, *row): winner for row in rows}
    return sites


SECTIONS = dict.fromkeys(CANONICAL, last_match) | {
    "ChargeIncrementModel": charge_increments,
    "VirtualSites": virtual_sites,
}


def label(force_field: ForceField, batch: GraphBatch) -> dict[str, dict[Key, int]]:
    """The rule that wins each tuple that a rule matches, section by section."""
    return {name: SECTIONS[name](table, batch) for name, table in force_field.tables.items() if name in SECTIONS}


def labels_of(assignment: Assignment) -> dict[str, dict[Key, int]]:
    """What an assignment says, in the same form; sites without a rule are left out."""
    found: dict[str, dict[Key, int]] = {}
    for section, sites in assignment.sites.items():
        names = assignment.tables[section].names
        rows = zip(sites.atom_idxs.tolist(), sites.rule_idxs.tolist(), strict=True)
        labels = [(tuple(atom for atom in row if atom >= 0), rule) for row, rule in rows if rule >= 0]
        found[section] = {(names[rule], *row) if section == "VirtualSites" else row: rule for row, rule in labels}
        assert len(found[section]) == len(labels), f"{section}: a tuple stands twice"
    return found
