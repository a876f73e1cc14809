"""Force constants of bonds from elements, bond order and length: Gordy's rule.

With the electronegativities x of both atoms, the bond order N and the length d [Å],

    k = a N (x_A x_B / d²)^¾ + b    [mdyn/Å],    a = 1.67,  b = 0.30,

and a = 1.180, b = 0.040 between hydrogen and alkali atoms, which have but one electron each. Gordy found a mean
deviation of 2 % for small molecules at their measured lengths; lengths from radii make it some ten times that.

Reference:
    W. Gordy, J. Chem. Phys. 14, 305 (1946), doi:10.1063/1.1724138.
    A. L. Allred, J. Inorg. Nucl. Chem. 17, 215 (1961), doi:10.1016/0022-1902(61)80142-5, as completed in the CRC
    Handbook of Chemistry and Physics: electronegativities on Pauling's scale.
"""

import numpy as np

from ffshare.fit.reference.atomic_units import HARTREE
from ffshare.model.coordinates import FloatArray
from ffshare.molecules.ragged import IntArray

# Hydrogen to plutonium, each period on lines of its own; 0: none.
_PAULING = """
    2.20 0
    0.98 1.57 2.04 2.55 3.04 3.44 3.98 0
    0.93 1.31 1.61 1.90 2.19 2.58 3.16 0
    0.82 1.00 1.36 1.54 1.63 1.66 1.55 1.83 1.88 1.91 1.90 1.65 1.81 2.01 2.18 2.55 2.96 3.00
    0.82 0.95 1.22 1.33 1.60 2.16 1.90 2.20 2.28 2.20 1.93 1.69 1.78 1.96 2.05 2.10 2.66 2.60
    0.79 0.89 1.10 1.12 1.13 1.14 0 1.17 0 1.20 0 1.22 1.23 1.24 1.25 0 1.27 1.30 1.50 2.36 1.90 2.20 2.20 2.28
    2.54 2.00 1.62 2.33 2.02 2.00 2.20 0
    0.70 0.90 1.10 1.30 1.50 1.38 1.36 1.28
"""
# For elements that have none: that of a metalloid.
_UNKNOWN = 2.0
_N_ELEMENTS = 118

_SLOPE, _OFFSET = 1.67, 0.30
_SLOPE_OF_ONE, _OFFSET_OF_ONE = 1.180, 0.040
_ONE_ELECTRON = (1, 3, 11, 19, 37, 55, 87)

# 1 mdyn/Å is 1 aJ/Å², and a Hartree is 4.3597447222071 aJ.
MILLIDYNE = HARTREE / 4.3597447222071
"""One mdyn/Å [kcal/mol/Å²]: 143.9."""


def _electronegativities() -> FloatArray:
    """Pauling electronegativities by atomic number, shape=(119,)."""
    given = np.array(_PAULING.split(), dtype=np.float64)
    found = np.full(_N_ELEMENTS + 1, _UNKNOWN)
    found[1 : len(given) + 1] = np.where(given > 0.0, given, _UNKNOWN)
    found.flags.writeable = False
    return found


ELECTRONEGATIVITIES = _electronegativities()


def gordy_k(elements: IntArray, orders: FloatArray, lengths: FloatArray) -> FloatArray:
    """Force constants of bonds by Gordy's rule [kcal/mol/Å²].

    Args:
        elements: Atomic numbers of both atoms, shape=(n, 2).
        orders: Bond orders, shape=(n,).
        lengths: Lengths [Å], shape=(n,).

    Returns:
        Force constants, shape=(n,).

    Example:
        >>> gordy_k(np.array([[6, 6], [6, 1]]), np.array([1.0, 1.0]), np.array([1.54, 1.09])).round()
        array([555., 813.])
    """
    one_electron = np.isin(elements, _ONE_ELECTRON).all(axis=1)
    slope = np.where(one_electron, _SLOPE_OF_ONE, _SLOPE)
    offset = np.where(one_electron, _OFFSET_OF_ONE, _OFFSET)
    product = ELECTRONEGATIVITIES[elements].prod(axis=1)
    k: FloatArray = MILLIDYNE * (slope * orders * (product / lengths**2) ** 0.75 + offset)
    return k
