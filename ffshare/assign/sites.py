"""Where parameters are needed, and which rule gives each."""

import numpy as np
from numpy.typing import NDArray

from ffshare.molecules.ragged import IntArray
from ffshare.records import doc, freeze_arrays, record

# Sections in which every bonded tuple needs a parameter; in the others a tuple without a rule is no site.
COMPLETE_SECTIONS = ("Bonds", "Angles", "ProperTorsions", "vdW")


@record
class Coded:
    """A text for each site, the same ones many times."""

    idxs: IntArray = doc("text of each site, −1 where it has none, shape=(n_sites,)")
    texts: tuple[str, ...] = doc("the texts")

    def __post_init__(self) -> None:
        freeze_arrays(self, idxs=np.int64)


@record
class Sites:
    """The places of one section that need parameters, and the rule that gives them."""

    atom_idxs: IntArray = doc("atoms of the batch, −1 where a site has fewer, shape=(n_sites, k)")
    molecule_idxs: IntArray = doc("molecules of the batch, ascending, shape=(n_sites,)")
    rule_idxs: IntArray = doc("rules of the section's table, −1 where none matches, shape=(n_sites,)")
    patterns: Coded | None = doc("pattern that chose the rule, where the rule itself does not tell it", default=None)
    fallbacks: Coded | None = doc(
        "of values that are not the table's own for this term: where they come from, in words", default=None
    )
    weights: NDArray[np.float64] | None = doc(
        "share of the rule's barrier that each site takes, by default all of it, shape=(n_sites,)", default=None
    )

    def __post_init__(self) -> None:
        freeze_arrays(self, atom_idxs=np.int64, molecule_idxs=np.int64, rule_idxs=np.int64)
        if self.weights is not None:
            freeze_arrays(self, weights=np.float64)
        n_sites = len(self.rule_idxs)
        if self.atom_idxs.ndim != 2 or len(self.atom_idxs) != n_sites or self.molecule_idxs.shape != (n_sites,):
            shapes = f"{self.atom_idxs.shape}, {self.molecule_idxs.shape} and {self.rule_idxs.shape}"
            raise ValueError(f"sites: atom_idxs, molecule_idxs and rule_idxs have shapes {shapes}")
        lengths = [len(coded.idxs) for coded in (self.patterns, self.fallbacks) if coded is not None]
        lengths += [] if self.weights is None else [len(self.weights)]
        if any(length != n_sites for length in lengths):
            raise ValueError(f"sites: patterns, fallbacks and weights must have {n_sites} entries each")

    def __len__(self) -> int:
        return len(self.rule_idxs)

    @property
    def guessed(self) -> NDArray[np.bool_]:
        """Whether a site's value comes from a named fall-back, shape=(n_sites,)."""
        if self.fallbacks is None:
            return np.zeros(len(self), dtype=bool)
        found: NDArray[np.bool_] = self.fallbacks.idxs >= 0
        return found
