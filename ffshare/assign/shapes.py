"""Kinds of bonded tuples: tuples whose atoms and bonds have the same classes are decided once.

An angle is two arms of its centre (see `ffshare.smirks`), a proper two arms and the bond between them, an improper
three arms. Numbering combinations of arms turns a hundred thousand torsions into a few thousand combinations.
"""

from collections.abc import Callable, Mapping

import numpy as np

from ffshare.molecules import GraphBatch, tuples
from ffshare.molecules.ragged import IntArray
from ffshare.records import doc, record
from ffshare.smirks import ARM_BITS, BOND_BITS, ArmTable, Classes


@record
class Combinations:
    """Combinations of classes, one row each, in the order of the tuple's atoms."""

    atoms: IntArray = doc("class of each atom, shape=(n_combinations, n_tags)")
    bonds: IntArray = doc("class of each bond of the skeleton, shape=(n_combinations, n_tags - 1)")


@record
class Shape:
    """One kind of tuple: how to list it, to key it, and what its skeleton is."""

    n_tags: int = doc("atoms of the tuple")
    skeleton: tuple[tuple[int, int], ...] = doc("bonds between its atoms, as positions in the tuple")
    orders: tuple[tuple[int, ...], ...] = doc("orders of the atoms in which a pattern may match the same tuple")
    edges: Callable[[GraphBatch, IntArray], IntArray] = doc("edges of all tuples, given the atoms that may be centres")
    atoms: Callable[[GraphBatch, IntArray], IntArray] = doc("atoms of tuples, given their edges")
    keys: Callable[[IntArray, Classes], IntArray] = doc("key of each tuple from its edges and their classes")
    combinations: Callable[[IntArray, ArmTable], Combinations] = doc("what the keys stand for")
    aligned: Callable[[IntArray, IntArray, Classes], IntArray] = doc(
        "atoms in the order of their combination, given edges and atoms in canonical order"
    )


def _pair_key(first: IntArray, second: IntArray) -> IntArray:
    """One key for two arms, whichever comes first."""
    key: IntArray = (np.minimum(first, second) << ARM_BITS) | np.maximum(first, second)
    return key


def _as_they_are(edges: IntArray, atoms: IntArray, classes: Classes) -> IntArray:
    return atoms


def _lower_arm_first(edges: IntArray, atoms: IntArray, classes: Classes) -> IntArray:
    turned = classes.arms[edges[:, 0]] > classes.arms[edges[:, -1]]
    return np.where(turned[:, None], atoms[:, ::-1], atoms)


def _arms_ascending(edges: IntArray, atoms: IntArray, classes: Classes) -> IntArray:
    outer = np.take_along_axis(atoms[:, [0, 2, 3]], np.argsort(classes.arms[edges], axis=1), axis=1)
    return np.stack([outer[:, 0], atoms[:, 1], outer[:, 1], outer[:, 2]], axis=1)


def _bond_keys(edges: IntArray, classes: Classes) -> IntArray:
    return classes.arms[edges[:, 0]]


def _angle_keys(edges: IntArray, classes: Classes) -> IntArray:
    return _pair_key(classes.arms[edges[:, 0]], classes.arms[edges[:, 1]])


def _proper_keys(edges: IntArray, classes: Classes) -> IntArray:
    outer = _pair_key(classes.arms[edges[:, 0]], classes.arms[edges[:, 2]])
    key: IntArray = (outer << BOND_BITS) | classes.edges[edges[:, 1]]
    return key


def _improper_keys(edges: IntArray, classes: Classes) -> IntArray:
    low, middle, high = np.sort(classes.arms[edges], axis=1).T
    key: IntArray = (((low << ARM_BITS) | middle) << ARM_BITS) | high
    return key


def _split(keys: IntArray, count: int) -> list[IntArray]:
    mask = (1 << ARM_BITS) - 1
    # Where arms fill a key, they must fit in 63 bits: three of 21, or two and a bond class.
    return [(keys >> (ARM_BITS * place)) & mask for place in reversed(range(count))]


def _bond_combinations(keys: IntArray, arms: ArmTable) -> Combinations:
    return Combinations(
        atoms=np.stack([arms.sources[keys], arms.targets[keys]], axis=1),
        bonds=arms.bonds[keys][:, None],
    )


def _angle_combinations(keys: IntArray, arms: ArmTable) -> Combinations:
    first, second = _split(keys, 2)
    return Combinations(
        atoms=np.stack([arms.targets[first], arms.sources[first], arms.targets[second]], axis=1),
        bonds=np.stack([arms.bonds[first], arms.bonds[second]], axis=1),
    )


def _proper_combinations(keys: IntArray, arms: ArmTable) -> Combinations:
    first, second = _split(keys >> BOND_BITS, 2)
    central = keys & ((1 << BOND_BITS) - 1)
    return Combinations(
        atoms=np.stack([arms.targets[first], arms.sources[first], arms.sources[second], arms.targets[second]], axis=1),
        bonds=np.stack([arms.bonds[first], central, arms.bonds[second]], axis=1),
    )


def _improper_combinations(keys: IntArray, arms: ArmTable) -> Combinations:
    first, second, third = _split(keys, 3)
    return Combinations(
        atoms=np.stack([arms.targets[first], arms.sources[first], arms.targets[second], arms.targets[third]], axis=1),
        bonds=np.stack([arms.bonds[first], arms.bonds[second], arms.bonds[third]], axis=1),
    )


BOND = Shape(
    n_tags=2,
    skeleton=((0, 1),),
    orders=((0, 1), (1, 0)),
    edges=lambda batch, centres: batch.bond_edges[:, None],
    atoms=tuples.bond_atoms,
    keys=_bond_keys,
    combinations=_bond_combinations,
    aligned=_as_they_are,
)
ANGLE = Shape(
    n_tags=3,
    skeleton=((0, 1), (1, 2)),
    orders=((0, 1, 2), (2, 1, 0)),
    edges=lambda batch, centres: tuples.angle_edges(batch),
    atoms=tuples.angle_atoms,
    keys=_angle_keys,
    combinations=_angle_combinations,
    aligned=_lower_arm_first,
)
PROPER = Shape(
    n_tags=4,
    skeleton=((0, 1), (1, 2), (2, 3)),
    orders=((0, 1, 2, 3), (3, 2, 1, 0)),
    edges=lambda batch, centres: tuples.proper_edges(batch),
    atoms=tuples.proper_atoms,
    keys=_proper_keys,
    combinations=_proper_combinations,
    aligned=_lower_arm_first,
)
IMPROPER = Shape(
    n_tags=4,
    skeleton=((0, 1), (1, 2), (1, 3)),
    orders=((0, 1, 2, 3), (0, 1, 3, 2), (2, 1, 0, 3), (2, 1, 3, 0), (3, 1, 0, 2), (3, 1, 2, 0)),
    edges=tuples.improper_edges,
    atoms=tuples.improper_atoms,
    keys=_improper_keys,
    combinations=_improper_combinations,
    aligned=_arms_ascending,
)
ATOM = Shape(
    n_tags=1,
    skeleton=(),
    orders=((0,),),
    edges=lambda batch, centres: np.arange(batch.n_atoms)[:, None],
    atoms=lambda batch, edges: edges,
    keys=lambda edges, classes: classes.atoms[edges[:, 0]],
    combinations=lambda keys, arms: Combinations(atoms=keys[:, None], bonds=np.zeros((len(keys), 0), dtype=np.int64)),
    aligned=_as_they_are,
)

SHAPES: Mapping[str, Shape] = {
    "Constraints": BOND,
    "Bonds": BOND,
    "Angles": ANGLE,
    "ProperTorsions": PROPER,
    "ImproperTorsions": IMPROPER,
    "vdW": ATOM,
}
