"""What the data can tell: the spectrum of what they see, and the directions that they do not see.

At the solution the data see the parameters through A = JᵀGJ, the normal matrix. In parameters scaled by their prior
widths W its eigenvalues have a meaning: 1 where the data say as much of a direction as the prior does. A direction
counts as identified where its eigenvalue is above `tolerance` times the largest of its block, a statement about the
data and not about the prior; and above the *floor*, what rounding alone makes of zero:

    floor = ε n max diag(W |J|ᵀ|G||J| W).

The normal matrix squares the condition of the problem, so that the floor is far higher than that of the rows. Where
rows can be had, directions in doubt are therefore looked at again through them: with V the directions below
`doubt` times the largest eigenvalue, the singular values of the rows times V are computed by a QR of the rows.

Directions without effect are given as a basis with few entries (pivoted QR), and in words: which parameters the data
determine only together.
"""

from collections.abc import Callable, Mapping, Sequence
from typing import NamedTuple

import numpy as np
from numpy.typing import NDArray
from scipy import linalg, sparse

from ffshare.fit.objective import Block, Objective
from ffshare.fit.sparse_basis import complement, sparse_basis
from ffshare.fit.spectrum import Spectrum
from ffshare.model.coordinates import FloatArray
from ffshare.molecules.ragged import IntArray
from ffshare.records import doc, freeze_arrays, record

RowFactor = Callable[[FloatArray], FloatArray]
"""Directions of the unknowns, shape=(n, k), to the triangular factor of the rows along them, shape=(k, k)."""


@record
class IdentifiabilitySettings:
    """What counts as identified."""

    tolerance: float = doc("least eigenvalue over the largest of its block", default=1e-10)
    doubt: float = doc("eigenvalues below this over the largest are confirmed by the rows", default=1e-7)


@record
class Identifiability:
    """What the data identify, of the parameters that they touch."""

    eigenvalues: FloatArray = doc("of the normal matrix over the prior widths, descending, shape=(n,)")
    floor: float = doc("what rounding makes of zero, the largest of all blocks")
    tolerance: float = doc("least eigenvalue over the largest of its block that counts")
    rank: int = doc("number of combinations that the data identify")
    n_determined: int = doc("combinations of which the data say more than the prior: eigenvalues above 1")
    confirmed: bool = doc("whether directions in doubt were looked at through the rows")
    null_directions: sparse.csc_array = doc("directions without effect, in parameters, shape=(n, n - rank)")
    sentences: tuple[str, ...] = doc("the same in words")

    def __post_init__(self) -> None:
        freeze_arrays(self, eigenvalues=np.float64)

    def __repr__(self) -> str:
        return f"Identifiability({self.rank} of {len(self.eigenvalues)} combinations identified)"

    @property
    def unidentified(self) -> IntArray:
        """Parameters that take part in a direction without effect, ascending."""
        return np.unique(self.null_directions.indices.astype(np.int64))


class _Seen(NamedTuple):
    """What the data see of one block."""

    eigenvalues: FloatArray
    floor: float
    null: FloatArray
    """Orthonormal directions without effect, scaled, shape=(n, n_null)."""
    confirmed: bool


def identify(
    objective: Objective,
    values: FloatArray,
    settings: IdentifiabilitySettings | None = None,
    row_factor: RowFactor | None = None,
) -> Identifiability:
    """What the data identify at some parameters.

    Args:
        objective: The objective of a fit; its prior widths are the scales, its priors do not count.
        values: The parameters, as a rule the solution, shape=(n,).
        settings: What counts as identified.
        row_factor: The triangular factor of the rows along some directions, see `ffshare.fit.rows`; None: the normal
            matrix has to do.

    Returns:
        Rank, spectrum and what is not identified.
    """
    limits = IdentifiabilitySettings() if settings is None else settings
    names = objective.parameters.names
    jacobian = objective.parameters.jacobian(values)
    seen, columns, sentences = [], [], []
    for block in objective.blocks:
        factor = row_factor and _along(row_factor, jacobian, block, objective)
        hessian, floor = _scaled_hessian(objective, block, values)
        found = _seen(hessian, None, floor, limits, factor)
        seen.append(found)
        if found.null.shape[1]:
            basis = sparse_basis(found.null)
            sentences += _sentences(basis, objective.scales[block.idxs], [names[idx] for idx in block.idxs.tolist()])
            natural = basis * objective.scales[block.idxs][:, None]
            natural /= np.abs(natural).max(axis=0)
            full = np.zeros((len(values), basis.shape[1]))
            full[block.idxs] = natural
            columns.append(sparse.csc_array(full))
    eigenvalues = np.sort(np.concatenate([np.zeros(0), *(each.eigenvalues for each in seen)]))[::-1]
    null = sparse.hstack(columns, format="csc") if columns else sparse.csc_array((len(values), 0))
    return Identifiability(
        eigenvalues=eigenvalues,
        floor=max((each.floor for each in seen), default=0.0),
        tolerance=limits.tolerance,
        rank=len(values) - int(null.shape[1]),
        n_determined=int((eigenvalues > 1.0).sum()),
        confirmed=row_factor is not None and any(each.confirmed for each in seen),
        null_directions=null,
        sentences=tuple(sentences),
    )


def _along(
    row_factor: RowFactor, jacobian: sparse.csr_array, block: Block, objective: Objective
) -> Callable[[FloatArray], FloatArray]:
    """The factor of the rows along scaled directions of a block."""

    def factor(directions: FloatArray) -> FloatArray:
        full = np.zeros((len(objective.scales), directions.shape[1]))
        full[block.idxs] = directions * objective.scales[block.idxs][:, None]
        return row_factor(jacobian @ full)

    return factor


def ranks_alone(
    objective: Objective,
    values: FloatArray,
    groups: Mapping[str, NDArray[np.bool_]],
    settings: IdentifiabilitySettings | None = None,
    row_factor: RowFactor | None = None,
) -> dict[str, int]:
    """How many combinations of some parameters the data identify where all others are known.

    Args:
        objective: As for `identify`.
        values: The parameters, shape=(n,).
        groups: Parameters by name of the group, shape=(n,) each.
        settings: What counts as identified: over the largest eigenvalue of the whole block, as for `identify`.
        row_factor: As for `identify`.

    Returns:
        Rank by group. Law: no rank is above that of all parameters, and that is at most the sum over groups that part
        them.
    """
    limits = IdentifiabilitySettings() if settings is None else settings
    jacobian = objective.parameters.jacobian(values)
    ranks = dict.fromkeys(groups, 0)
    for block in objective.blocks:
        factor = row_factor and _along(row_factor, jacobian, block, objective)
        hessian, floor = _scaled_hessian(objective, block, values)
        largest = float(linalg.eigvalsh(hessian, subset_by_index=[len(hessian) - 1] * 2)[0])
        for name, chosen in groups.items():
            places = np.flatnonzero(chosen[block.idxs])
            if len(places):
                found = _seen(
                    hessian[np.ix_(places, places)], largest, floor, limits, _only(factor, places, len(hessian))
                )
                ranks[name] += len(places) - found.null.shape[1]
    return ranks


def _only(
    factor: Callable[[FloatArray], FloatArray] | None, places: IntArray, n: int
) -> Callable[[FloatArray], FloatArray] | None:
    """The factor of the rows along directions of some places of a block."""
    if factor is None:
        return None

    def of_some(directions: FloatArray) -> FloatArray:
        full = np.zeros((n, directions.shape[1]))
        full[places] = directions
        return factor(full)

    return of_some


def _scaled_hessian(objective: Objective, block: Block, values: FloatArray) -> tuple[FloatArray, float]:
    """The normal matrix of a block over the prior widths, and its floor."""
    scales, own = objective.scales[block.idxs], values[block.idxs]
    size = block.rounding(own) * scales**2
    floor = float(np.finfo(np.float64).eps * len(own) * size.max())
    hessian = block.data_hessian(own)
    hessian *= scales
    hessian *= scales[:, None]
    return hessian, floor


def _seen(
    hessian: FloatArray,
    largest: float | None,
    floor: float,
    limits: IdentifiabilitySettings,
    factor: Callable[[FloatArray], FloatArray] | None,
) -> _Seen:
    """What is seen by a normal matrix; the largest eigenvalue is its own where none is given."""
    spectrum = Spectrum(hessian)
    eigenvalues = spectrum.eigenvalues
    largest = float(eigenvalues[-1]) if largest is None else largest
    least = max(limits.tolerance * largest, floor)
    n_doubted = int((eigenvalues < max(limits.doubt * largest, 100.0 * floor)).sum())
    if factor is None or not n_doubted or largest <= 0.0:
        null = spectrum.lowest(int((eigenvalues <= least).sum()))
        return _Seen(np.maximum(eigenvalues, 0.0), floor, null, confirmed=False)
    doubted = spectrum.lowest(n_doubted)
    _, singular, turn = linalg.svd(factor(doubted))
    eigenvalues = np.concatenate([singular**2, eigenvalues[n_doubted:]])
    null = doubted @ turn.T[:, singular**2 <= limits.tolerance * largest]
    return _Seen(eigenvalues, floor, null, confirmed=True)


def _sentences(basis: FloatArray, scales: FloatArray, names: Sequence[str]) -> list[str]:
    """Directions without effect in words, those that share parameters together."""
    taking_part = np.flatnonzero(basis.any(axis=1))
    linked = basis[taking_part].astype(bool)
    count, member = sparse.csgraph.connected_components(sparse.csr_array(linked @ linked.T), directed=False)
    sentences = []
    for group in range(count):
        places = taking_part[member == group]
        directions = basis[places]
        directions = directions[:, directions.any(axis=0)]
        sentences.append(_sentence(directions, scales[places], [names[place] for place in places.tolist()]))
    return sentences


def _sentence(directions: FloatArray, scales: FloatArray, names: Sequence[str]) -> str:
    """What is determined of some parameters, or how they can change unseen, whichever is shorter."""
    n, n_null = directions.shape
    if n == n_null:
        return f"{_listed(names)} {'is' if n == 1 else 'are'} not determined"
    seen = complement(directions)
    if seen.shape[1] <= n_null:
        combinations = _combinations(seen / scales[:, None], names)
        if n == 2 and combinations[0] == f"{names[0]} + {names[1]}":
            return f"{_listed(names)} only as a sum"
        if n == 2 and combinations[0] == f"{names[0]} - {names[1]}":
            return f"{_listed(names)} only as a difference"
        return f"{_listed(names)} only as {_listed(combinations)}"
    return f"no effect has a change along {_listed(_combinations(directions * scales[:, None], names))}"


def _combinations(columns: FloatArray, names: Sequence[str]) -> list[str]:
    """Columns as sums with factors, the largest of which is one."""
    found = []
    for column in columns.T:
        places = np.flatnonzero(column)
        factors = column[places] / np.abs(column).max() * np.sign(column[places[0]])
        found.append(_combination(factors.tolist(), [names[place] for place in places.tolist()]))
    return found


def _combination(factors: Sequence[float], names: Sequence[str]) -> str:
    """A sum with factors, the first of which is positive: 'a + 0.5 b - c'."""
    text = ""
    for factor, name in zip(factors, names, strict=True):
        shown = "" if abs(abs(factor) - 1.0) < 1e-3 else f"{abs(factor):.3g} "
        sign = " + " if factor > 0 else " - "
        text += f"{sign if text else ''}{shown}{name}"
    return text


def _listed(texts: Sequence[str], most: int = 12) -> str:
    shown = [*texts[:most], f"{len(texts) - most} more"] if len(texts) > most else list(texts)
    return shown[0] if len(shown) == 1 else f"{', '.join(shown[:-1])} and {shown[-1]}"
