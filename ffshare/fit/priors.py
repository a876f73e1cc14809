"""What is known of parameters before the data: Gaussian priors, soft ties, bounds.

A parameter p of a kind with width w and prior mean m adds ((p - m)/w)² to the objective. A soft tie of strength s
between two parameters of a kind adds s ((p_i - p_j)/w)²: with s = 1 it is as if their difference were known to be zero
to within one prior width.
"""

from collections.abc import Iterable, Mapping

import numpy as np
from numpy.typing import ArrayLike
from scipy import sparse

from ffshare.errors import InputError, TyingError
from ffshare.fit.parameters import KINDS, Key, Parameters
from ffshare.model.coordinates import FloatArray
from ffshare.molecules.ragged import IntArray
from ffshare.records import doc, freeze_arrays, record
from ffshare.tying import laplacian

PRIOR_WIDTHS: Mapping[str, float] = {
    "bond k": 100.0,
    "length": 0.1,
    "angle k": 100.0,
    "angle": float(np.radians(20.0)),
    "barrier": 5.0,
}
"""Widths by kind [kcal/mol/Å², Å, kcal/mol/rad², rad, kcal/mol]: wide, as is usual in fits to quantum chemistry."""

LEAST_STIFFNESS = 1e-3
"""Force constants stay above this times their prior width."""


@record
class Priors:
    """Widths of the priors by kind of parameter, and how much they count."""

    widths: Mapping[str, float] = doc(
        "width of each kind [unit of the parameter]; those of `PRIOR_WIDTHS` where not given", default_factory=dict
    )
    strength: float = doc("factor of all prior terms; 0: no prior, widths only scale", default=1.0)

    def __post_init__(self) -> None:
        unknown = sorted(set(self.widths) - set(KINDS))
        if unknown:
            raise InputError(f"priors: there is no kind {unknown[0]!r} of parameters; kinds are {', '.join(KINDS)}")
        object.__setattr__(self, "widths", {**PRIOR_WIDTHS, **self.widths})
        for kind, width in self.widths.items():
            if not (np.isfinite(width) and width > 0):
                raise InputError(f"priors: the width of {kind} is {width}; expected a number above 0")
        if not self.strength >= 0:
            raise InputError(f"priors: strength is {self.strength}; expected 0 or more")

    def scales(self, parameters: Parameters) -> FloatArray:
        """The width of each parameter, shape=(n,)."""
        return np.array([self.widths[kind] for kind in KINDS])[parameters.kinds]


SOFT_STRENGTHS = (0.1, 1.0, 10.0, 100.0)
"""Strengths of soft ties that are tried where one is chosen."""


@record
class SoftTies:
    """Pairs of parameters that are drawn together."""

    edges: IntArray = doc("the two parameters of each, shape=(n_edges, 2)")
    strengths: FloatArray = doc("strength of each, in prior widths, shape=(n_edges,)")

    def __post_init__(self) -> None:
        edges = np.asarray(self.edges, dtype=np.int64).reshape(-1, 2)
        object.__setattr__(self, "edges", edges)
        given = np.asarray(self.strengths, dtype=np.float64)
        object.__setattr__(self, "strengths", np.array(np.broadcast_to(given, (len(edges),))))
        freeze_arrays(self, edges=np.int64, strengths=np.float64)

    @classmethod
    def between(cls, parameters: Parameters, pairs: Iterable[tuple[Key, Key]], strength: float) -> "SoftTies":
        """Soft ties of one strength between parameters that are known by their keys, such as a child's and a parent's.

        Args:
            parameters: The parameters.
            pairs: Two keys each; a pair of which one is not among the parameters is passed over.
            strength: Strength of each.

        Returns:
            The ties.

        Example:
            >>> import ffshare
            >>> parameters = Parameters.of(ffshare.load_scheme("openff-2.2.1").assign(ffshare.from_smiles("CCO")))
            >>> pairs = [(("Bonds", "b1", "k", 0), ("Bonds", "b2", "k", 0))]
            >>> SoftTies.between(parameters, pairs, strength=1.0).edges.tolist()
            [[0, 1]]
        """
        numbers = {key: number for number, key in enumerate(parameters.keys)}
        edges = [(numbers[first], numbers[last]) for first, last in pairs if first in numbers and last in numbers]
        return cls(edges=np.array(edges, dtype=np.int64).reshape(-1, 2), strengths=np.full(len(edges), strength))

    def matrix(self, parameters: Parameters, scales: FloatArray) -> sparse.csr_array:
        """The matrix L of the penalty pᵀLp.

        Args:
            parameters: The parameters.
            scales: Width of each, shape=(n,).

        Returns:
            The matrix, shape=(n, n).

        Raises:
            TyingError: A tie joins parameters of two kinds, or is given twice.
        """
        kinds = parameters.kinds[self.edges]
        mixed = np.flatnonzero(kinds[:, 0] != kinds[:, 1]) if len(kinds) else np.zeros(0, dtype=np.int64)
        if len(mixed):
            first, second = (parameters.names[int(idx)] for idx in self.edges[mixed[0]])
            raise TyingError(f"a soft tie joins {first} and {second}, which are of different kinds")
        weights = self.strengths / scales[self.edges[:, 0]] ** 2 if len(self.edges) else self.strengths
        return laplacian(len(parameters), self.edges, weights)


NO_SOFT_TIES = SoftTies(edges=np.zeros((0, 2), dtype=np.int64), strengths=np.zeros(0))


def bounds(parameters: Parameters, scales: FloatArray, start: ArrayLike) -> tuple[FloatArray, FloatArray]:
    """The least and greatest value of each parameter.

    Force constants of springs stay positive (a little above zero, or at zero where they start there), lengths stay
    positive, and rest angles within 0 and 180°. Barriers may have either sign.

    Args:
        parameters: The parameters.
        scales: Width of each, shape=(n,).
        start: Where the fit starts, shape=(n,).

    Returns:
        Both, shape=(n,).
    """
    kinds = np.array(KINDS)[parameters.kinds]
    stiff = np.isin(kinds, ("bond k", "angle k"))
    lower = np.full(len(parameters), -np.inf)
    lower[stiff] = np.minimum(LEAST_STIFFNESS * scales, np.maximum(np.asarray(start), 0.0))[stiff]
    lower[np.isin(kinds, ("length", "angle"))] = 0.0
    return lower, np.where(kinds == "angle", np.pi, np.inf)
