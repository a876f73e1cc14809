"""What GAFF's typing rules ask about atoms and bonds: rings by size and kind, bonds by kind."""

from collections.abc import Mapping

import numpy as np

from ffshare.assign.atom_types.bond_types import bond_types, is_double
from ffshare.assign.atom_types.equivalent_places import arbitrary_molecules
from ffshare.assign.atom_types.ring_kinds import ring_kinds
from ffshare.assign.atom_types.rings import LARGEST, SMALLEST, Rings, perceive_rings
from ffshare.molecules import GraphBatch
from ffshare.molecules.ragged import IntArray
from ffshare.records import doc, freeze_arrays, record
from ffshare.smirks import Annotations


@record
class _Kind:
    """One named kind of bonds; the definition asks more of an atom that counts its bonds than of one bond."""

    counted: tuple[int, ...] = doc("AMBER bond types that count among the bonds of an atom")
    of_edge: tuple[int, ...] = doc("AMBER bond types of a bond that is of this kind")


_KINDS: Mapping[str, _Kind] = {
    "SB": _Kind(counted=(1, 9), of_edge=(1, 9)),
    "sb": _Kind(counted=(1, 7, 9), of_edge=(1, 7, 9)),
    "DB": _Kind(counted=(2,), of_edge=(2, 9)),
    "db": _Kind(counted=(2, 8), of_edge=(2, 8, 9)),
    "TB": _Kind(counted=(3,), of_edge=(3,)),
    "tb": _Kind(counted=(3,), of_edge=(3,)),
    "DL": _Kind(counted=(9,), of_edge=(9,)),
    "AB": _Kind(counted=(7, 8), of_edge=(7, 8)),
}
# More than the highest bond type.
_N_TYPES = 16


@record
class Perception:
    """What is perceived of a batch before atoms are typed."""

    annotations: Annotations = doc("named counts and flags that typing rules ask about")
    bond_types: IntArray = doc("AMBER bond type of each edge, shape=(n_edges,)")
    rings: Rings = doc("chordless rings of 3 to 10 atoms")
    ring_kinds: IntArray = doc("kind of each ring: 1 for AR1 to 5 for AR5, shape=(n_rings,)")
    arbitrary: tuple[int, ...] = doc(
        "molecules in which a charge or double bonds were placed at one of several equivalent places, ascending"
    )

    def __post_init__(self) -> None:
        freeze_arrays(self, bond_types=np.int64, ring_kinds=np.int64)


def annotate(batch: GraphBatch) -> Perception:
    """Rings, their kinds, and bond types of a batch, by the names that typing rules use.

    Counts of atoms: `RG3` to `RG10` and `RG` for rings of a size and all rings, `AR1` to `AR5` for rings of a kind,
    `SB` to `AB` for bonds of a kind. Flags of edges: `SB` to `AB`.

    Law: neither the order of the atoms, nor the Kekulé structure that was read, nor where charges were written changes
    any of them, but for which of several equal atoms a charge or double bond goes to (`Perception.arbitrary`).

    Args:
        batch: The molecules.

    Returns:
        What typing rules ask about.

    Example:
        >>> from ffshare.molecules import from_smiles
        >>> perceived = annotate(from_smiles("O=C1C=CNC=C1"))
        >>> perceived.annotations.atoms["AR3"].tolist(), perceived.annotations.atoms["db"].tolist()
        ([0, 1, 1, 1, 1, 1, 1, 0, 0, 0, 0, 0], [1, 1, 1, 1, 0, 1, 1, 0, 0, 0, 0, 0])
    """
    rings = perceive_rings(batch)
    types = bond_types(batch, rings)
    kinds = ring_kinds(batch, rings, is_double(types))
    n_atoms, every = batch.n_atoms, np.ones(len(rings), dtype=bool)
    atoms = {f"RG{size}": rings.counts(rings.sizes == size, n_atoms) for size in range(SMALLEST, LARGEST + 1)}
    atoms["RG"] = rings.counts(every, n_atoms)
    atoms |= {f"AR{kind}": rings.counts(kinds == kind, n_atoms) for kind in range(1, 6)}
    of_type = np.bincount(batch.sources * _N_TYPES + types, minlength=n_atoms * _N_TYPES).reshape(n_atoms, _N_TYPES)
    atoms |= {name: of_type[:, list(kind.counted)].sum(axis=1) for name, kind in _KINDS.items()}
    edges = {name: _indicator(kind.of_edge)[types] for name, kind in _KINDS.items()}
    return Perception(
        annotations=Annotations(atoms=atoms, edges=edges),
        bond_types=types,
        rings=rings,
        ring_kinds=kinds,
        arbitrary=arbitrary_molecules(batch, rings, kinds, types),
    )


def _indicator(types: tuple[int, ...]) -> IntArray:
    return np.isin(np.arange(_N_TYPES), types).astype(np.int64)
