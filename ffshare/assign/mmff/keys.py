"""The terms of a batch, and what a look-up asks of each.

Whatever the value of a term depends on is a number below 128: classes, bond orders, types. These *fields*, packed into
one integer, are the key of the term: equal keys, equal values. Fields stand in an order that the types decide, not the
atoms: the lower type of a bond first; of an angle too, or else the bond of class 1; of a torsion the lower of the two
inner types first, or else of the outer ones; the outer types of an out-of-plane bend ascending.

* Bonds: class, i, j
* Angles and StretchBends: class of the angle, classes of the bonds i–j and j–k, i, j, k
* ProperTorsions: class, second class, twice the order of the bond j–k, i, j, k, l; about a linear atom class 14 alone
* ImproperTorsions: i, j, k, l with the centre j
* vdW: i

An angle has two stretch-bends, one for each of its bonds, which comes first; none if its centre is linear. A centre
with three neighbours has three out-of-plane bends, one for each of them, which comes last; all have one key.
"""

from collections.abc import Callable, Mapping

import numpy as np
from numpy.typing import NDArray

from ffshare.assign.mmff.atom_types import AtomTypes
from ffshare.assign.mmff.classes import angle_classes, bond_classes, torsion_classes
from ffshare.assign.mmff.rows import LINEAR
from ffshare.assign.mmff.typing import TypedBatch
from ffshare.molecules import GraphBatch, tuples
from ffshare.molecules.ragged import IntArray
from ffshare.records import doc, freeze_arrays, record

FIELD_BITS = 7


@record
class Terms:
    """Terms of one section."""

    atoms: IntArray = doc("atoms of the batch as the sites have them, shape=(n_terms, k)")
    ordered: IntArray = doc("the same atoms in the order of the types in `fields`, shape=(n_terms, k)")
    fields: IntArray = doc("what the value depends on, shape=(n_terms, n_fields)")

    def __post_init__(self) -> None:
        freeze_arrays(self, atoms=np.int64, ordered=np.int64, fields=np.int64)

    @property
    def keys(self) -> IntArray:
        """The fields as one integer, shape=(n_terms,)."""
        return packed(self.fields)


def packed(fields: IntArray) -> IntArray:
    """Rows of numbers below 128 as one integer each.

    Args:
        fields: At most nine numbers a row, shape=(n, n_fields).

    Returns:
        Integers, shape=(n,).

    Example:
        >>> packed(np.array([[0, 1, 37]])).tolist()
        [165]
    """
    shifts = FIELD_BITS * np.arange(fields.shape[1])[::-1]
    integers: IntArray = (fields << shifts).sum(axis=1)
    return integers


def terms_of(batch: GraphBatch, typed: TypedBatch, types: AtomTypes) -> Mapping[str, Terms]:
    """The terms of all sections.

    Args:
        batch: The molecules.
        typed: Their types and bond orders.
        types: Properties of the types.

    Returns:
        Terms by section. Molecules without types have bonds, angles, torsions and atoms, of type 0, and no others.
    """
    of_bonds = bond_classes(batch, typed, types)
    return {section: find(batch, typed, types, of_bonds) for section, find in _FIND.items()}


def _bonds(batch: GraphBatch, typed: TypedBatch, types: AtomTypes, of_bonds: IntArray) -> Terms:
    atoms = batch.bonds
    ordered = _turned(atoms, typed.types[atoms[:, 0]] > typed.types[atoms[:, 1]])
    fields = np.column_stack([of_bonds[batch.bond_edges], typed.types[ordered]])
    return Terms(atoms=atoms, ordered=ordered, fields=fields)


def _angles(batch: GraphBatch, typed: TypedBatch, types: AtomTypes, of_bonds: IntArray) -> Terms:
    edges = tuples.angle_edges(batch)
    atoms = tuples.angle_atoms(batch, edges)
    first, last = typed.types[atoms[:, [0, 2]]].T
    is_turned = (first > last) | ((first == last) & (of_bonds[edges[:, 0]] < of_bonds[edges[:, 1]]))
    ordered = _turned(atoms, is_turned)
    classes = angle_classes(batch, edges, of_bonds)
    fields = np.column_stack([classes, of_bonds[_turned(edges, is_turned)], typed.types[ordered]])
    return Terms(atoms=atoms, ordered=ordered, fields=fields)


def _stretch_bends(batch: GraphBatch, typed: TypedBatch, types: AtomTypes, of_bonds: IntArray) -> Terms:
    edges = tuples.angle_edges(batch)
    centre_types = typed.types[batch.sources[edges[:, 0]]]
    edges = edges[(centre_types > 0) & ~types.linear[centre_types]]
    classes = np.repeat(angle_classes(batch, edges, of_bonds), 2)
    both_ways = np.stack([edges, edges[:, ::-1]], axis=1).reshape(-1, 2)
    atoms = tuples.angle_atoms(batch, both_ways)
    fields = np.column_stack([classes, of_bonds[both_ways], typed.types[atoms]])
    return Terms(atoms=atoms, ordered=atoms, fields=fields)


def _propers(batch: GraphBatch, typed: TypedBatch, types: AtomTypes, of_bonds: IntArray) -> Terms:
    edges = tuples.proper_edges(batch)
    atoms = tuples.proper_atoms(batch, edges)
    i, j, k, l = typed.types[atoms].T
    ordered = _turned(atoms, (j > k) | ((j == k) & (i > l)))
    classes, second = torsion_classes(batch, edges, of_bonds, typed)
    fields = np.column_stack([classes, second, typed.orders[edges[:, 1]], typed.types[ordered]])
    fields[types.linear[np.stack([j, k])].any(axis=0)] = [LINEAR, 0, 0, 0, 0, 0, 0]
    return Terms(atoms=atoms, ordered=ordered, fields=fields)


def _impropers(batch: GraphBatch, typed: TypedBatch, types: AtomTypes, of_bonds: IntArray) -> Terms:
    edges = tuples.improper_edges(batch, np.flatnonzero((batch.degrees == 3) & (typed.types > 0)))
    of_centres = tuples.improper_atoms(batch, edges)
    atoms = of_centres[:, [[0, 1, 2, 3], [0, 1, 3, 2], [2, 1, 3, 0]]].reshape(-1, 4)
    outer = atoms[:, [0, 2, 3]]
    outer = np.take_along_axis(outer, np.argsort(typed.types[outer], axis=1, kind="stable"), axis=1)
    ordered = np.column_stack([outer[:, 0], atoms[:, 1], outer[:, 1:]])
    return Terms(atoms=atoms, ordered=ordered, fields=typed.types[ordered])


def _atoms(batch: GraphBatch, typed: TypedBatch, types: AtomTypes, of_bonds: IntArray) -> Terms:
    atoms = np.arange(batch.n_atoms)[:, None]
    return Terms(atoms=atoms, ordered=atoms, fields=typed.types[:, None])


def _turned(rows: IntArray, where: NDArray[np.bool_]) -> IntArray:
    return np.where(where[:, None], rows[:, ::-1], rows)


_FIND: Mapping[str, Callable[[GraphBatch, TypedBatch, AtomTypes, IntArray], Terms]] = {
    "Bonds": _bonds,
    "Angles": _angles,
    "StretchBends": _stretch_bends,
    "ProperTorsions": _propers,
    "ImproperTorsions": _impropers,
    "vdW": _atoms,
}
