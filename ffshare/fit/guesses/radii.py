"""Covalent radii by element and bond order, and bond lengths from them.

The length of a bond is the sum of two radii, which were fitted together for single, double and triple bonds. Between
whole orders, as in aromatic rings, the radius is interpolated linearly. An element without a radius for double or
triple bonds keeps that of the next lower order.

Reference:
    P. Pyykkö, M. Atsumi, Chem. Eur. J. 15, 186 (2009), doi:10.1002/chem.200800987 (single bonds).
    P. Pyykkö, M. Atsumi, Chem. Eur. J. 15, 12770 (2009), doi:10.1002/chem.200901472 (double bonds).
    P. Pyykkö, S. Riedel, M. Patzschke, Chem. Eur. J. 11, 3511 (2005), doi:10.1002/chem.200401299 (triple bonds).
"""

import numpy as np

from ffshare.model.coordinates import FloatArray
from ffshare.molecules.ragged import IntArray

# Hydrogen to oganesson [pm], a period a paragraph of lines; 0: none.
_SINGLE = """
    32 46
    133 102 85 75 71 63 64 67
    155 139 126 116 111 103 99 96
    196 171 148 136 134 122 119 116 111 110 112 118 124 121 121 116 114 117
    210 185 163 154 147 138 128 125 125 120 128 136 142 140 140 136 133 131
    232 196 180 163 176 174 173 172 168 169 168 167 166 165 164 170 162 152 146 137 131 129 122 123 124 133 144
    144 151 145 147 142
    223 201 186 175 169 170 171 172 166 166 168 168 165 167 173 176 161 157 149 143 141 134 129 128 121 122 136
    143 162 175 165 157
"""
_DOUBLE = """
    0 0
    124 90 78 67 60 57 59 96
    160 132 113 107 102 94 95 107
    193 147 116 117 112 111 105 109 103 101 115 120 117 111 114 107 109 121
    202 157 130 127 125 121 120 114 110 117 139 144 136 130 133 128 129 135
    209 161 139 137 138 137 135 134 134 135 135 133 133 133 131 129 131 128 126 120 119 116 115 112 121 142 142
    135 141 135 138 145
    218 173 153 143 138 134 136 135 135 136 139 140 140 0 139 159 141 140 136 128 128 125 125 116 116 137 0 0 0
    0 0 0
"""
_TRIPLE = """
    0 0
    0 85 73 60 54 53 53 0
    0 127 111 102 94 95 93 96
    0 133 114 108 106 103 103 102 96 101 120 0 121 114 106 107 110 108
    0 139 124 121 116 113 110 103 106 112 137 0 146 132 127 121 125 122
    0 149 139 131 128 0 0 0 0 132 0 0 0 0 0 0 131 122 119 115 110 109 107 110 123 0 150 137 135 129 138 133
    0 159 140 136 129 118 116 0 0 0 0 0 0 0 0 0 0 131 126 121 119 118 113 112 118 130 0 0 0 0 0 0
"""


def _radii() -> FloatArray:
    """Radii [Å] for bonds of order 1, 2 and 3 by atomic number, shape=(3, 119); those of element 0 are NaN."""
    radii = np.array([text.split() for text in (_SINGLE, _DOUBLE, _TRIPLE)], dtype=np.float64) / 100.0
    for higher in (1, 2):
        radii[higher] = np.where(radii[higher] > 0.0, radii[higher], radii[higher - 1])
    return np.concatenate([np.full((3, 1), np.nan), radii], axis=1)


RADII = _radii()
RADII.flags.writeable = False


def bond_lengths(elements: IntArray, orders: FloatArray) -> FloatArray:
    """Lengths of bonds [Å] from elements and bond orders.

    Args:
        elements: Atomic numbers of both atoms, shape=(n, 2).
        orders: Bond orders, perhaps broken; those below 1 count as 1, those above 3 as 3, shape=(n,).

    Returns:
        Lengths, shape=(n,).

    Example:
        >>> bond_lengths(np.array([[6, 6], [6, 6], [6, 1]]), np.array([1.0, 1.5, 1.0])).round(3)
        array([1.5 , 1.42, 1.07])
    """
    at = np.clip(orders, 1.0, 3.0) - 1.0
    below = np.minimum(np.floor(at).astype(np.int64), 1)
    share = (at - below)[:, None]
    radii = (1.0 - share) * RADII[below[:, None], elements] + share * RADII[below[:, None] + 1, elements]
    lengths: FloatArray = radii.sum(axis=1)
    return lengths
