"""Patterns against a batch: the matches that RDKit's `GetSubstructMatches` finds, as arrays.

Law: for every pattern and molecule, `match` finds the same set of rows as RDKit's
``GetSubstructMatches(query, uniquify=False, useChirality=True)`` on `GraphBatch.explicit_molecule`.
"""

import numpy as np
from numpy.typing import NDArray

from ffshare.molecules import GraphBatch
from ffshare.molecules.ragged import IntArray
from ffshare.smirks.classes import Classifier
from ffshare.smirks.join import Classes, extendable, join
from ffshare.smirks.pattern import Pattern, parse_pattern

_ALL_MATCHES = 2**31 - 1


def match(smarts: str, batch: GraphBatch) -> IntArray:
    """All matches of one pattern in a batch.

    To match many patterns, or many batches, keep a `Classifier` and call `matches`.

    Args:
        smarts: SMARTS or SMIRKS.
        batch: The molecules.

    Returns:
        An atom of the batch for each atom of the pattern, one row a match, shape=(n_matches, n_pattern_atoms), in no
        particular order.

    Raises:
        PatternError: The pattern does not parse.

    Example:
        >>> from ffshare.molecules import molecule_from_smiles
        >>> batch = GraphBatch.from_molecules([molecule_from_smiles("CO")])
        >>> match("[#6]-[#8]-[#1]", batch).tolist()
        [[0, 1, 5]]
    """
    pattern = parse_pattern(smarts)
    return matches(pattern, batch, Classifier([pattern]).classify(batch))


def matches(pattern: Pattern, batch: GraphBatch, classes: Classes) -> IntArray:
    """All matches of a parsed pattern in a classified batch.

    Args:
        pattern: The pattern.
        batch: The molecules.
        classes: Their classes, by a classifier that knows the pattern.

    Returns:
        An atom of the batch for each atom of the pattern, shape=(n_matches, n_pattern_atoms).
    """
    candidates = join(pattern, batch, classes)
    if pattern.exact or not len(candidates):
        return candidates
    return by_rdkit(pattern, batch, np.unique(batch.atom_molecules[candidates[:, 0]]))


def holds(
    pattern: Pattern,
    batch: GraphBatch,
    classes: Classes,
    seeds: IntArray,
    checked: tuple[tuple[int, int], ...] = (),
) -> NDArray[np.bool_]:
    """Which choices of the tagged atoms belong to a match of a pattern.

    Args:
        pattern: A pattern with tags.
        batch: The molecules.
        classes: Their classes, by a classifier that knows the pattern.
        seeds: Distinct atoms of one molecule for the tagged atoms in the order of the tags, shape=(n_seeds, n_tags).
        checked: Pairs of tags, from 0, whose bonds are known to fit in every row; with any, so are all tagged atoms.

    Returns:
        Whether some match holds each row, shape=(n_seeds,).
    """
    if len(pattern.tagged) == 1:
        # The rest of the pattern may be rarer than the tagged atom, so that to match it freely is faster.
        tagged = np.zeros(batch.n_atoms, dtype=bool)
        tagged[matches(pattern, batch, classes)[:, pattern.tagged[0]]] = True
        return tagged[seeds[:, 0]]
    held = extendable(pattern, batch, classes, seeds, checked)
    if pattern.exact or not held.any():
        return held
    found = by_rdkit(pattern, batch, np.unique(batch.atom_molecules[seeds[held, 0]]))
    confirmed = set(map(tuple, found[:, list(pattern.tagged)].tolist()))
    return np.array([tuple(row) in confirmed for row in seeds.tolist()], dtype=bool)


def by_rdkit(pattern: Pattern, batch: GraphBatch, molecule_idxs: IntArray) -> IntArray:
    """The matches of a pattern in some molecules by RDKit's own matcher, in RDKit's order.

    Args:
        pattern: The pattern.
        batch: The molecules.
        molecule_idxs: Molecules of the batch to look at.

    Returns:
        An atom of the batch for each atom of the pattern, shape=(n_matches, n_pattern_atoms).
    """
    found = [np.zeros((0, len(pattern.atoms)), dtype=np.int64)]
    for idx in molecule_idxs.tolist():
        rows = batch.explicit_molecule(idx).GetSubstructMatches(
            pattern.query, uniquify=False, useChirality=True, maxMatches=_ALL_MATCHES
        )
        if rows:
            found.append(np.array(rows, dtype=np.int64) + batch.atom_offsets[idx])
    return np.concatenate(found)
