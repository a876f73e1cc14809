"""Eigenvalues of a symmetric matrix, and the eigenvectors of the lowest alone.

All eigenvectors cost about twice what all eigenvalues do, and of those few are looked at. The matrix is brought to
tridiagonal form once; the eigenvalues are had from that, and so are as many vectors as are asked for, which are then
turned back.

Reference:
    LAPACK Users' Guide, 3rd edition, SIAM 1999, section 2.4.4: xSYTRD, xSTERF, xSTEMR, xORMTR.
"""

import numpy as np
from scipy import linalg

from ffshare.model.coordinates import FloatArray


class Spectrum:
    """The spectrum of a symmetric matrix."""

    def __init__(self, matrix: FloatArray) -> None:
        """The spectrum of a matrix.

        Args:
            matrix: The matrix, of which the lower triangle is looked at, shape=(n, n).

        Example:
            >>> spectrum = Spectrum(np.array([[2.0, 1.0, 0.0], [1.0, 2.0, 0.0], [0.0, 0.0, 5.0]]))
            >>> spectrum.eigenvalues.round(9).tolist()
            [1.0, 3.0, 5.0]
            >>> np.abs(spectrum.lowest(1)).round(6).tolist()
            [[0.707107], [0.707107], [0.0]]
        """
        work, _ = linalg.lapack.dsytrd_lwork(len(matrix), lower=1)
        self._turns, self._diagonal, self._beside, self._factors, _ = linalg.lapack.dsytrd(
            matrix, lower=1, lwork=int(work)
        )
        self.eigenvalues: FloatArray = linalg.eigvalsh_tridiagonal(self._diagonal, self._beside, lapack_driver="sterf")

    def lowest(self, count: int) -> FloatArray:
        """Orthonormal eigenvectors of the lowest eigenvalues.

        Args:
            count: How many, in ascending order.

        Returns:
            The vectors, shape=(n, count).
        """
        n = len(self._diagonal)
        if not count or n == 1:
            return np.ones((n, count))
        found: FloatArray
        _, found = linalg.eigh_tridiagonal(
            self._diagonal, self._beside, select="i", select_range=(0, count - 1), lapack_driver="stemr"
        )
        # The first row is no part of the reflections: the others are those of a QR factorisation.
        work = linalg.lapack.dormqr("L", "N", self._turns[1:, :-1], self._factors, found[1:], -1)[1][0]
        found[1:] = linalg.lapack.dormqr("L", "N", self._turns[1:, :-1], self._factors, found[1:], int(work))[0]
        return found
