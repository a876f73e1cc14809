"""The parent of a SMIRKS rule, and soft ties of rules to their parents.

Rules of a SMIRNOFF force field go from the general to the special, and a later rule takes sites from earlier ones. The
*parent* of a rule is the earlier rule that matches most of the sites that it wins; of several with as many, the later
one, which is the more special. It is what those sites would mostly get if the rule were not there, so a rule that few
data touch is best drawn towards it. A rule that wins nothing, and one whose sites no earlier rule matches, has none.

With n_cp the number of sites that rule c wins and rule p matches too,

    parent(c) = argmax_{p<c} (n_cp, p)   where n_cp > 0.

The numbers n_cp add up over batches, so that parents are found in one pass over any amount of data.

A parameter is tied to that of the same column and term of the parent. The terms of torsions are not known by their
place: one is tied to the term of its parent of the same periodicity, phase and idivf, if there is one.
"""

from collections.abc import Mapping

import numpy as np
from numpy.typing import NDArray

from ffshare.assign.assignment import Assignment
from ffshare.assign.shapes import SHAPES
from ffshare.assign.smirnoff import SmirnoffScheme
from ffshare.errors import FfshareError, SchemeError
from ffshare.molecules import GraphBatch
from ffshare.molecules.ragged import IntArray
from ffshare.molecules.rdkit_log import silenced
from ffshare.rules.table import Column, ForceField, RuleTable

NO_PARENT = -1
_STRUCTURE = ("periodicity", "phase", "idivf")


def parents(section: str, assignment: Assignment) -> IntArray:
    """The parent of each rule of a section.

    Args:
        section: Bonds, Angles, ProperTorsions, ImproperTorsions, vdW or Constraints.
        assignment: Molecules with SMIRKS rules.

    Returns:
        Rule of the same table, −1 for a rule without a parent, shape=(n_rules,).

    Raises:
        SchemeError: The assignment has no such section, or its rules are not SMIRKS.

    Example:
        >>> import ffshare
        >>> labels = ffshare.load_scheme("openff-2.2.1").assign(ffshare.from_smiles("CCO"))
        >>> ids = labels.tables["Angles"].ids
        >>> {ids[rule]: ids[parent] for rule, parent in enumerate(parents("Angles", labels)) if parent >= 0}
        {'a2': 'a1'}
    """
    return parents_of(overlaps(_scheme_of(section, assignment), assignment.batch, section))


def overlaps(scheme: SmirnoffScheme, batch: GraphBatch, section: str) -> IntArray:
    """How many sites each rule wins that each other rule matches too. They add up over batches.

    Args:
        scheme: SMIRKS rules.
        batch: The molecules.
        section: A section of bonded tuples or atoms.

    Returns:
        Sites that the first rule wins and the second matches, on the diagonal all that a rule wins,
        shape=(n_rules, n_rules).
    """
    n_rules = len(scheme.tables[section])
    _, tuples, rules = scheme.every_match(batch, section)
    last = np.ones(len(tuples), dtype=bool)
    last[:-1] = tuples[1:] != tuples[:-1]
    # The winner of each match's tuple: that of the next entry that is the last of its tuple.
    winners = rules[np.flatnonzero(last)[np.cumsum(last) - last]]
    return np.bincount(winners * n_rules + rules, minlength=n_rules * n_rules).reshape(n_rules, n_rules)


def parents_of(overlap: IntArray) -> IntArray:
    """The parents that follow from overlaps.

    Args:
        overlap: Sum of `overlaps` over all batches, shape=(n_rules, n_rules).

    Returns:
        Parent of each rule, −1 where it has none, shape=(n_rules,).

    Example:
        >>> parents_of(np.array([[5, 0, 0, 0], [2, 3, 0, 0], [2, 2, 4, 0], [0, 0, 0, 0]])).tolist()
        [-1, 0, 1, -1]
    """
    n_rules = len(overlap)
    if not n_rules:
        return np.zeros(0, dtype=np.int64)
    earlier = np.tril(overlap, k=-1)
    # From the last to the first, so that the later one of ties comes first.
    found = n_rules - 1 - np.argmax(earlier[:, ::-1], axis=1)
    return np.where(earlier.max(axis=1) > 0, found, NO_PARENT)


def parent_edges(tables: Mapping[str, RuleTable], found: Mapping[str, IntArray]) -> IntArray:
    """Soft ties of parameters to those of the parents of their rules.

    Args:
        tables: Rules by section, as `Assignment.tables` has them.
        found: Parents of the rules by section; parameters of other sections are not tied.

    Returns:
        Free parameters of `Assignment.tying()`, child and parent, each edge once: edges for
        `ffshare.tying.laplacian`, shape=(n_edges, 2).

    Example:
        >>> import ffshare
        >>> from ffshare.tying import laplacian
        >>> labels = ffshare.load_scheme("openff-2.2.1").assign(ffshare.from_smiles("CCO"))
        >>> ties, edges = labels.tying(), soft_ties(labels)
        >>> [(ties.keys[child][1:3], ties.keys[parent][1:3]) for child, parent in edges[:2]]
        [(('a2', 'angle'), ('a1', 'angle')), (('a2', 'k'), ('a1', 'k'))]
        >>> laplacian(ties.n_free, edges).shape == (ties.n_free, ties.n_free)
        True
    """
    edges, first = [np.zeros((0, 2), dtype=np.int64)], 0
    for section, table in tables.items():
        for column in table.columns.values():
            if column.free:
                if section in found:
                    edges.append(first + _column_edges(table, column, found[section]))
                first += len(column.values)
    return np.concatenate(edges)


def soft_ties(assignment: Assignment) -> IntArray:
    """The edges that draw every parameter of an assignment to that of its rule's parent.

    Args:
        assignment: Molecules with SMIRKS rules.

    Returns:
        Pairs of free parameters of ``assignment.tying()``, see `parent_edges`, shape=(n_edges, 2).

    Raises:
        SchemeError: Its rules are not SMIRKS.
    """
    sections = [section for section in assignment.tables if section in SHAPES]
    return parent_edges(assignment.tables, {section: parents(section, assignment) for section in sections})


def _column_edges(table: RuleTable, column: Column, found: IntArray) -> NDArray[np.int64]:
    """Entries of a column that are tied, child and parent."""
    names = _structures(table, column)
    place_of: dict[tuple[int, object], int] = {}
    for place, (rule, name) in enumerate(zip(column.rule_idxs.tolist(), names, strict=True)):
        place_of.setdefault((rule, name), place)
    edges = []
    for (rule, name), place in place_of.items():
        parent = place_of.get((int(found[rule]), name))
        if parent is not None:
            edges.append((place, parent))
    return np.array(edges, dtype=np.int64).reshape(-1, 2)


def _structures(table: RuleTable, column: Column) -> list[object]:
    """What a term is known by within its rule: what is fixed of it, in torsions, else its place."""
    fixed = [table.columns[name] for name in _STRUCTURE if name in table.columns]
    if not fixed:
        return list(column.terms.tolist())
    values: dict[tuple[int, int], list[float]] = {}
    for one in fixed:
        for rule, term, value in zip(one.rule_idxs.tolist(), one.terms.tolist(), one.values.tolist(), strict=True):
            # NaN is an idivf that is left to the molecule, and equals itself.
            values.setdefault((rule, term), []).append(-1.0 if np.isnan(value) else value)
    places = zip(column.rule_idxs.tolist(), column.terms.tolist(), strict=True)
    return [tuple(values.get(place, ())) for place in places]


def _scheme_of(section: str, assignment: Assignment) -> SmirnoffScheme:
    """The rules of one section as a scheme."""
    if section not in assignment.tables or section not in SHAPES:
        known = ", ".join(name for name in assignment.tables if name in SHAPES)
        raise SchemeError(f"{assignment.scheme} has no parents in section {section!r}; sections with rules: {known}")
    table = assignment.tables[section]
    try:
        with silenced():
            scheme = SmirnoffScheme(ForceField(name=assignment.scheme, tables={section: table}, checksums={}))
        n_tags = {len(pattern.tagged) for pattern in scheme.patterns[section]}
    except FfshareError:
        n_tags = {0}
    if n_tags - {SHAPES[section].n_tags}:
        raise SchemeError(f"the rules of {assignment.scheme} in {section} are not SMIRKS, so that none matches another")
    return scheme
