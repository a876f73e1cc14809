"""MMFF94 and MMFF94s: atom types with rows looked up by classes and types, stepping down where there is no row.

RDKit types the molecules and gives the numbers (`typing`, `getters`). Which row a number came from is found here:
`rows`, `atom_types` and `tables` read the published rows, `classes` and `keys` say what a term is, `ladder` steps down,
`lookup` compares with RDKit and remembers, `scheme` puts all together.
"""

from ffshare.assign.mmff.scheme import MmffScheme
from ffshare.assign.mmff.tables import MMFF_SCHEMES

__all__ = ["MMFF_SCHEMES", "MmffScheme"]
