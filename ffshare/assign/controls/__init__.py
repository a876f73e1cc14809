"""Controls: schemes that share by symmetry alone or by chance, beside which chemistry must prove its worth.

Each takes sites, terms and values to start from from another scheme, its *base*, and changes only which sites share. Of
a base's sections Bonds, Angles, ProperTorsions, ImproperTorsions and vdW are kept. Constraints, charges, virtual sites
and cross terms are not: a comparison of schemes fits none of them.
"""

from ffshare.assign.controls.control import Control
from ffshare.assign.controls.hashed import HashedScheme
from ffshare.assign.controls.hashed_element import HashedElementScheme
from ffshare.assign.controls.names import is_control, parse_control
from ffshare.assign.controls.symmetry import molecule_keys
from ffshare.assign.controls.untied import UntiedScheme

__all__ = [
    "Control",
    "HashedElementScheme",
    "HashedScheme",
    "UntiedScheme",
    "is_control",
    "molecule_keys",
    "parse_control",
]
