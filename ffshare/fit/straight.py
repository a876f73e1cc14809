"""Torsions that a fit leaves out, since an inner angle of them is almost straight in some conformer.

What such a torsion is worth is hardly defined, and its derivatives grow as one over the sine of the angle. Few
molecules have one, so the angles are looked at first, each once and by its cosine alone; only torsions with an angle
that comes near are measured.
"""

import math
from collections.abc import Mapping

import numpy as np
from numpy.typing import NDArray

from ffshare.model import STRAIGHT_ANGLE, Frames, Terms, straight_frames
from ffshare.model.coordinates import FloatArray
from ffshare.model.terms import FORMS
from ffshare.molecules.ragged import IntArray, offsets_of
from ffshare.records import doc, record

# Angles times conformers that are looked at together.
_MOST_ENTRIES = 50_000

# A little less than the cosine at which a torsion is marked, so that nothing is missed.
_COSINE = math.cos(STRAIGHT_ANGLE - math.radians(0.5)) ** 2


@record
class LeftOut:
    """A torsion that is left out of a fit."""

    section: str = doc("ProperTorsions or ImproperTorsions")
    molecule_idx: int = doc("molecule of the batch")
    atom_idxs: tuple[int, ...] = doc("atoms of the molecule")
    n_conformers: int = doc("conformers in which an inner angle of it is almost straight")


def straight_counts(terms: Mapping[str, Terms], frames: Frames) -> dict[str, IntArray]:
    """In how many conformers each torsion is almost straight.

    Args:
        terms: Terms by section; those that are no torsions are never straight.
        frames: Conformers.

    Returns:
        Counts by section, shape=(n_terms,) each.
    """
    return {section: _counts(each, frames) for section, each in terms.items()}


def left_out(
    counts: Mapping[str, IntArray], terms: Mapping[str, Terms], frames: Frames, molecule_idxs: IntArray
) -> tuple[LeftOut, ...]:
    """The torsions that are left out, as records.

    Args:
        counts: Counts by section, as `straight_counts` gives them.
        terms: Terms by section.
        frames: The conformers.
        molecule_idxs: What the molecules of the terms are called in the records, shape=(n_molecules,).

    Returns:
        One record for each torsion with a count above 0.
    """
    found = []
    for section, of_terms in counts.items():
        for term in np.flatnonzero(of_terms).tolist():
            number = int(terms[section].molecule_idxs[term])
            atoms = terms[section].atom_idxs[term] - frames.atom_offsets[number]
            found.append(
                LeftOut(
                    section=section,
                    molecule_idx=int(molecule_idxs[number]),
                    atom_idxs=tuple(atoms.tolist()),
                    n_conformers=int(of_terms[term]),
                )
            )
    return tuple(found)


def _counts(terms: Terms, frames: Frames) -> IntArray:
    counts = np.zeros(len(terms), dtype=np.int64)
    orders = FORMS[terms.form]
    if len(orders[0]) < 4 or not len(terms):
        return counts
    inner = [terms.atom_idxs[:, list(part)] for order in orders for part in (order[:3], order[1:])]
    triples, (places, one_of) = _distinct(np.concatenate(inner))
    of_triples = _near_straight(triples, np.tile(terms.molecule_idxs, len(inner))[one_of], frames)
    near: NDArray[np.bool_] = np.any(of_triples[places].reshape(len(inner), len(terms)), axis=0)
    chosen = np.flatnonzero(near)
    some = Terms(form=terms.form, atom_idxs=terms.atom_idxs[chosen], molecule_idxs=terms.molecule_idxs[chosen])
    counts[chosen] = straight_frames(some, frames)
    return counts


def _distinct(triples: IntArray) -> tuple[IntArray, tuple[IntArray, IntArray]]:
    """The distinct angles, the one of each triple, and a triple of each angle."""
    turned = np.where((triples[:, 0] > triples[:, 2])[:, None], triples[:, ::-1], triples)
    codes = (turned[:, 0] * (turned.max() + 1) + turned[:, 1]) * (turned.max() + 1) + turned[:, 2]
    _, first, inverse = np.unique(codes, return_index=True, return_inverse=True)
    return turned[first], (inverse, first)


def _near_straight(triples: IntArray, molecule_idxs: IntArray, frames: Frames) -> NDArray[np.bool_]:
    """Whether each angle comes near 0 or 180° in any conformer, shape=(n,)."""
    near = np.zeros(len(triples), dtype=bool)
    counts = frames.n_conformers[molecule_idxs]
    # Angles without a conformer have no entry to look at.
    seen = np.flatnonzero(counts)
    entries = offsets_of(counts[seen])
    first = 0
    while first < len(seen):
        last = max(first + 1, int(np.searchsorted(entries, entries[first] + _MOST_ENTRIES, side="right")) - 1)
        chosen = seen[first:last]
        ends, middle, others = frames.positions(triples[chosen].T, molecule_idxs[chosen]).transpose(1, 0, 2)
        cosines = _squared_cosines(ends - middle, others - middle)
        near[chosen] = np.maximum.reduceat(cosines, entries[first:last] - entries[first]) >= _COSINE
        first = last
    return near


def _squared_cosines(u: FloatArray, v: FloatArray) -> FloatArray:
    dot = _dot(u, v)
    lengths = _dot(u, u) * _dot(v, v)
    # Atoms in one place have no angle: as near to straight as can be.
    found: FloatArray = np.divide(dot * dot, lengths, out=np.ones_like(dot), where=lengths > 0.0)
    return found


def _dot(u: FloatArray, v: FloatArray) -> FloatArray:
    product: FloatArray = u[0] * v[0]
    product += u[1] * v[1]
    product += u[2] * v[2]
    return product
