"""Where parameters are needed, and which rule gives each."""

import numpy as np

from ffshare.molecules.ragged import IntArray
from ffshare.records import doc, freeze_arrays, record

# Sections in which every bonded tuple needs a parameter; in the others a tuple without a rule is no site.
COMPLETE_SECTIONS = ("Bonds", "Angles", "ProperTorsions", "vdW")


@record
class Sites:
    """The places of one section that need parameters, and the rule that gives them."""

    atom_idxs: IntArray = doc("atoms of the batch, −1 where a site has fewer, shape=(n_sites, k)")
    molecule_idxs: IntArray = doc("molecules of the batch, ascending, shape=(n_sites,)")
    rule_idxs: IntArray = doc("rules of the section's table, −1 where none matches, shape=(n_sites,)")

    def __post_init__(self) -> None:
        freeze_arrays(self, atom_idxs=np.int64, molecule_idxs=np.int64, rule_idxs=np.int64)
        n_sites = len(self.rule_idxs)
        if self.atom_idxs.ndim != 2 or len(self.atom_idxs) != n_sites or self.molecule_idxs.shape != (n_sites,):
            shapes = f"{self.atom_idxs.shape}, {self.molecule_idxs.shape} and {self.rule_idxs.shape}"
            raise ValueError(f"sites: atom_idxs, molecule_idxs and rule_idxs have shapes {shapes}")

    def __len__(self) -> int:
        return len(self.rule_idxs)
