"""Atom types of a batch: what typing hands to the look-up of parameters."""

import numpy as np

from ffshare.molecules.ragged import IntArray
from ffshare.records import doc, freeze_arrays, record


@record
class TypedAtoms:
    """The type of every atom, with the signs that tell the two types of a pair (cc/cd, cp/cq, …) apart.

    Law: renumbering the atoms of a molecule permutes `base_types`, `rules` and, but for their numbering, `components`;
    the signs of a component that is not frustrated are the same but for one common factor.
    """

    names: tuple[str, ...] = doc("names of all types, sorted; the arrays below index them")
    types: IntArray = doc("type of each atom, its sign applied; −1: no rule matches it, shape=(n_atoms,)")
    base_types: IntArray = doc("type before signs: cc where `types` says cc or cd, shape=(n_atoms,)")
    rules: IntArray = doc("typing rule that gave each base type, −1: none, shape=(n_atoms,)")
    signs: IntArray = doc("+1 or −1 for atoms of pair types, else 0, shape=(n_atoms,)")
    components: IntArray = doc(
        "number of the connected component of pair types that an atom belongs to, −1 for others. Relative signs mean "
        "something within one component only; each atom of a frustrated component is a component of its own, "
        "shape=(n_atoms,)"
    )
    frustrated: tuple[int, ...] = doc("molecules with a component whose signs cannot all be satisfied")

    def __post_init__(self) -> None:
        arrays = ("types", "base_types", "rules", "signs", "components")
        freeze_arrays(self, **dict.fromkeys(arrays, np.int64))
