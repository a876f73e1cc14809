"""Linear tasks on a graph: the fit with soft ties in closed form, from none to complete sharing.

Each task t has inputs X_t and outputs y_t, and coefficients θ_t; tasks joined by an edge are drawn together. The fit
minimises

    Σ_t ‖y_t - X_t θ_t‖² + λ Σ_edges w_ij ‖θ_i - θ_j‖² + ρ Σ_t ‖θ_t‖²,

a linear system, (blockdiag(X_tᵀX_t + ρ) + λ L ⊗ 1) θ = (X_tᵀy_t), with the Laplacian L of the graph. At λ = 0 tasks are
independent. As λ grows, the fit tends to the one that shares θ within each connected component, from which it differs
by O(1/λ); that limit is a hard tie, and its normal equations are pooled by it. Tasks of different components never
meet, so each component is solved by itself.

Reference:
    Evgeniou, Micchelli and Pontil, Learning multiple tasks with kernel methods, J. Mach. Learn. Res. 6 (2005) 615.
"""

import math
from collections.abc import Iterable

import numpy as np
from numpy.typing import ArrayLike, NDArray
from scipy import linalg, sparse

from ffshare.errors import TyingError
from ffshare.records import doc, freeze_arrays, record
from ffshare.tying import LinearTying, laplacian

Floats = NDArray[np.float64]


@record
class StrengthChoice:
    """What cross-validation found."""

    strength: float = doc("λ of the least error")
    strengths: Floats = doc("what was tried, shape=(n,)")
    errors: Floats = doc("mean squared error of the rows left out, shape=(n,)")
    standard_errors: Floats = doc("their standard errors over the folds, shape=(n,)")


@record
class TaskGraph:
    """Tasks and how they are related.

    Raises:
        TyingError: An edge is given twice, leaves the range, joins a task with itself, or has a wrong weight.

    Example:
        >>> graph = TaskGraph(n_tasks=3, edges=[(0, 1)])
        >>> graph.components
        array([0, 0, 1])
        >>> Xs, ys = [np.ones((1, 1))] * 3, [[0.0], [4.0], [7.0]]
        >>> for strength in (0.0, 1.0, math.inf):
        ...     print(graph.fit(Xs, ys, strength)[:, 0].round(3))
        [0. 4. 7.]
        [1.333 2.667 7.   ]
        [2. 2. 7.]
    """

    n_tasks: int = doc("number of tasks")
    edges: NDArray[np.int64] = doc("the two tasks of each edge, in either order, shape=(n_edges, 2)")
    weights: Floats | None = doc("weight of each edge, 0 or more, shape=(n_edges,); None: 1 each", default=None)

    def __post_init__(self) -> None:
        laplacian(self.n_tasks, self.edges, self.weights)
        freeze_arrays(self, edges=np.int64)
        if self.weights is not None:
            freeze_arrays(self, weights=np.float64)

    @property
    def laplacian(self) -> sparse.csr_array:
        """L with θᵀLθ = Σ w (θ_i - θ_j)², each edge once, shape=(n_tasks, n_tasks)."""
        return laplacian(self.n_tasks, self.edges, self.weights)

    @property
    def components(self) -> NDArray[np.int64]:
        """Number of the connected component of each task, shape=(n_tasks,); an edge of weight 0 joins nothing."""
        return _components(self.laplacian)

    @property
    def hard(self) -> LinearTying:
        """The tie that the soft ones tend to: a parameter for each component."""
        return LinearTying.groups(self.components)

    def fit(
        self,
        Xs: Iterable[ArrayLike],  # noqa: N803 - as everybody calls them
        ys: Iterable[ArrayLike],
        strength: float,
        ridge: float = 0.0,
    ) -> Floats:
        """The coefficients of all tasks.

        Dense, so for tasks times inputs up to a few thousand a component.

        Args:
            Xs: Inputs of each task, shape=(n_t, n_inputs).
            ys: Outputs of each task, shape=(n_t,).
            strength: λ, 0 or more; infinite for hard sharing within components.
            ridge: ρ, 0 or more.

        Returns:
            Coefficients, shape=(n_tasks, n_inputs); the shortest ones where the data leave some open.

        Raises:
            TyingError: A shape is wrong, or λ or ρ is negative.
        """
        return self._solve(*_normal_equations(*self._tasks(Xs, ys)), strength, ridge)

    def choose_strength(
        self,
        Xs: Iterable[ArrayLike],  # noqa: N803
        ys: Iterable[ArrayLike],
        strengths: ArrayLike,
        *,
        rng: np.random.Generator,
        folds: int = 5,
        ridge: float = 0.0,
    ) -> StrengthChoice:
        """The λ that predicts best what it has not seen, by cross-validation within the data given.

        The rows of each task are dealt out to the folds at random. Give it training data only: a test set that had a
        part in the choice of λ tests nothing.

        Args:
            Xs: Inputs of each task, shape=(n_t, n_inputs).
            ys: Outputs of each task, shape=(n_t,).
            strengths: λ to try, 0 and infinity allowed, shape=(n,).
            rng: Deals the rows out.
            folds: Number of folds.
            ridge: ρ of all fits.

        Returns:
            The choice and what it rests on; the first of several equal ones.

        Raises:
            TyingError: A shape is wrong, a number is negative, or no task has a row for each fold.
        """
        inputs, outputs = self._tasks(Xs, ys)
        tried = np.asarray(strengths, dtype=np.float64)
        longest = max(map(len, outputs))
        if not 2 <= folds <= longest or tried.ndim != 1 or not tried.size:
            raise TyingError(f"expected strengths to try and 2 to {longest} folds, got {tried.shape} and {folds}")
        # Each task is dealt out evenly, its odd rows to folds at random.
        fold_of = [rng.permutation(folds)[rng.permutation(len(y)) % folds] for y in outputs]
        grams, moments = _normal_equations(inputs, outputs)
        sums, numbers = np.zeros((folds, tried.size)), np.zeros(folds)
        for fold in range(folds):
            left_out = [each == fold for each in fold_of]
            inputs_out = [x[rows] for x, rows in zip(inputs, left_out, strict=True)]
            outputs_out = [y[rows] for y, rows in zip(outputs, left_out, strict=True)]
            grams_out, moments_out = _normal_equations(inputs_out, outputs_out)
            numbers[fold] = sum(map(len, outputs_out))
            for column, strength in enumerate(tried.tolist()):
                thetas = self._solve(grams - grams_out, moments - moments_out, strength, ridge)
                sums[fold, column] = sum(
                    ((y - x @ theta) ** 2).sum() for x, y, theta in zip(inputs_out, outputs_out, thetas, strict=True)
                )
        errors = sums.sum(axis=0) / numbers.sum()
        return StrengthChoice(
            strength=float(tried[errors.argmin()]),
            strengths=tried,
            errors=errors,
            standard_errors=(sums / numbers[:, None]).std(axis=0, ddof=1) / math.sqrt(folds),
        )

    def _tasks(
        self, given_inputs: Iterable[ArrayLike], given_outputs: Iterable[ArrayLike]
    ) -> tuple[list[Floats], list[Floats]]:
        """Inputs and outputs as arrays, checked."""
        inputs = [np.asarray(x, dtype=np.float64) for x in given_inputs]
        outputs = [np.asarray(y, dtype=np.float64) for y in given_outputs]
        if len(inputs) != self.n_tasks or len(outputs) != self.n_tasks:
            raise TyingError(f"expected inputs and outputs of {self.n_tasks} tasks, got {len(inputs)}, {len(outputs)}")
        for task, (x, y) in enumerate(zip(inputs, outputs, strict=True)):
            if x.ndim != 2 or y.shape != x.shape[:1] or x.shape[1] != inputs[0].shape[1]:
                raise TyingError(
                    f"task {task} has inputs of shape {x.shape} and outputs of shape {y.shape}, expected (n, n_inputs) "
                    "and (n,), with the same inputs in all tasks"
                )
        return inputs, outputs

    def _solve(self, grams: Floats, moments: Floats, strength: float, ridge: float) -> Floats:
        """The coefficients from X_tᵀX_t and X_tᵀy_t of each task, shape=(n_tasks, n_inputs)."""
        if not (strength >= 0 and 0 <= ridge < math.inf):
            raise TyingError(f"strength and ridge must be 0 or more, got {strength} and {ridge}")
        grams = grams + ridge * np.eye(moments.shape[1])
        if math.isinf(strength):
            tying = self.hard
            return np.asarray(tying.expand(_each_alone(tying.pool(grams), tying.pool(moments))))
        if strength == 0:
            return _each_alone(grams, moments)
        edges = self.laplacian
        soft = strength * edges.toarray()
        thetas = np.empty_like(moments)
        for tasks in _members(edges):
            thetas[tasks] = _coupled(grams[tasks], moments[tasks], soft[np.ix_(tasks, tasks)])
        return thetas


def _components(edges: sparse.csr_array) -> NDArray[np.int64]:
    """Number of the connected component of each task."""
    return np.asarray(sparse.csgraph.connected_components(edges, directed=False)[1], dtype=np.int64)


def _members(edges: sparse.csr_array) -> list[NDArray[np.int64]]:
    """The tasks of each component."""
    components = _components(edges)
    return [np.flatnonzero(components == number) for number in range(components.max(initial=-1) + 1)]


def _normal_equations(inputs: list[Floats], outputs: list[Floats]) -> tuple[Floats, Floats]:
    """X_tᵀX_t, shape=(n_tasks, n_inputs, n_inputs), and X_tᵀy_t, shape=(n_tasks, n_inputs)."""
    return np.array([x.T @ x for x in inputs]), np.array([x.T @ y for x, y in zip(inputs, outputs, strict=True)])


def _each_alone(grams: Floats, moments: Floats) -> Floats:
    """Coefficients of tasks that nothing joins, shape=(n_tasks, n_inputs)."""
    soft = np.zeros((1, 1))
    return np.array([_coupled(gram[None], moment[None], soft)[0] for gram, moment in zip(grams, moments, strict=True)])


def _coupled(grams: Floats, moments: Floats, soft: Floats) -> Floats:
    """Coefficients of the tasks of a component, the shortest where the data leave some open; soft is λL."""
    k, n = moments.shape
    hessian = np.einsum("st,ij->sitj", soft, np.eye(n))
    hessian[np.arange(k), :, np.arange(k), :] += grams
    try:
        factor = linalg.cho_factor(hessian.reshape(k * n, k * n), lower=True)
    except linalg.LinAlgError:
        return _shortest(grams, moments, soft)
    pivots = np.diag(factor[0]) ** 2
    # A heuristic: the least pivot of a singular matrix is of the order of the rounding error of the largest.
    if pivots.min() <= 100 * k * n * np.finfo(np.float64).eps * pivots.max():
        return _shortest(grams, moments, soft)
    return np.asarray(linalg.cho_solve(factor, moments.ravel())).reshape(k, n)


def _shortest(grams: Floats, moments: Floats, soft: Floats) -> Floats:
    """The same by least squares on roots of both terms, which tells what is open from what is merely weak beside λ."""
    k, n = moments.shape
    values, vectors = np.linalg.eigh(grams)
    is_known = values > n * np.finfo(np.float64).eps * values.max(axis=1, keepdims=True)
    roots = np.sqrt(np.where(is_known, values, 0.0))
    rotated = np.einsum("tij,ti->tj", vectors, moments)
    targets = np.divide(rotated, roots, out=np.zeros_like(rotated), where=is_known)
    rows = linalg.block_diag(*(roots[:, :, None] * vectors.mT))
    pairs = np.argwhere(np.triu(soft, 1))
    differences = LinearTying.increments(pairs, k).matrix.T.toarray() * np.sqrt(-soft[*pairs.T])[:, None]
    system = np.vstack((rows, np.kron(differences, np.eye(n))))
    right = np.concatenate((targets.ravel(), np.zeros(len(pairs) * n)))
    return np.asarray(np.linalg.lstsq(system, right, rcond=None)[0]).reshape(k, n)
