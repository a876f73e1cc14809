"""The hidden Markov model whose states emit symbols from distributions that they share."""

from collections.abc import Mapping
from typing import Any, ClassVar

import numpy as np
from numpy.typing import ArrayLike, NDArray

from ffshare.errors import InputError
from ffshare.nn.hmm.climb import Ties
from ffshare.nn.hmm.emissions import Theta
from ffshare.nn.hmm.estimator import ByState, MarkovEstimator
from ffshare.nn.hmm.probabilities import check_probabilities, random_probabilities
from ffshare.nn.hmm.recursions import FloatArray
from ffshare.nn.hmm.ties import Classes, pooled, states_in_classes
from ffshare.records import doc, record
from ffshare.tying import LinearTying, segment_sum


@record
class CategoricalEmission:
    """A distribution over symbols for each class."""

    ties: Mapping[str, LinearTying] = doc("the tying of the distributions of the states")
    n_symbols: int | None = doc("number of symbols; None: one more than the largest that is seen")

    def checked(self, observations: ArrayLike) -> NDArray[np.int64]:
        """The observations as symbols, shape=(n_rows, 1), see `Emission`."""
        rows = np.asarray(observations)
        if rows.ndim != 2 or rows.shape[1] != 1 or not rows.size:
            raise InputError(f"X has shape {rows.shape}, expected (n_rows, 1) with 1 row or more: X.reshape(-1, 1)")
        if rows.dtype.kind not in "iu" or rows.min() < 0:
            raise InputError("X must hold symbols as whole numbers from 0 up")
        if self.n_symbols is not None and rows.max() >= self.n_symbols:
            raise InputError(f"X holds symbol {rows.max()}, but there are {self.n_symbols}, numbered from 0")
        return rows.astype(np.int64)

    def checked_values(self, section: str, values: FloatArray) -> FloatArray:
        """Distributions, see `Emission`."""
        if values.ndim != 2 or self.n_symbols not in (None, values.shape[1]):
            wanted = "n_symbols" if self.n_symbols is None else self.n_symbols
            raise InputError(f"{section}_ must have shape (n_states, {wanted})")
        check_probabilities(f"{section}_", values)
        return values

    def start(self, observations: NDArray[np.int64], rng: np.random.Generator) -> dict[str, FloatArray]:
        """Random distributions, see `Emission`."""
        n_symbols = int(observations.max()) + 1 if self.n_symbols is None else self.n_symbols
        return {"emissionprob": random_probabilities(self.ties["emissionprob"].n_free, n_symbols, rng)}

    def log_densities(self, observations: NDArray[np.int64], theta: Theta) -> FloatArray:
        """Log probabilities, see `Emission`."""
        chances = theta["emissionprob"]
        if observations.max() >= chances.shape[1]:
            raise InputError(
                f"X holds symbol {observations.max()}, but the model knows {chances.shape[1]}, numbered from 0"
            )
        with np.errstate(divide="ignore"):
            return np.asarray(np.log(chances).take(observations[:, 0], axis=1))

    def maximised(
        self, observations: NDArray[np.int64], posteriors: FloatArray, theta: Theta, sections: frozenset[str]
    ) -> dict[str, FloatArray]:
        """Pooled frequencies of symbols, see `Emission`."""
        before = theta["emissionprob"]
        if "emissionprob" not in sections:
            return {"emissionprob": before}
        counts = segment_sum(posteriors, observations[:, 0], before.shape[1]).T
        weights = counts.sum(axis=1)
        shares = np.divide(counts, weights[:, None], out=np.zeros_like(counts), where=weights[:, None] > 0)
        return {"emissionprob": pooled(self.ties["emissionprob"], shares, weights, before)}

    def sample(self, states: NDArray[np.int64], theta: Theta, rng: np.random.Generator) -> NDArray[np.int64]:
        """Random symbols, shape=(n_rows, 1), see `Emission`."""
        sums = np.cumsum(theta["emissionprob"], axis=1)[self.ties["emissionprob"].free[states]]
        # The last sum may be rounded to less than 1.
        return np.asarray((sums[:, :-1] <= rng.random((len(states), 1))).sum(axis=1, keepdims=True))

    def n_numbers(self, section: str, theta: Theta) -> int:
        """Number of symbols, see `Emission`."""
        return int(theta[section].shape[1])

    def n_independent(self, section: str, theta: Theta) -> int:
        """One less, as they sum to 1, see `Emission`."""
        return int(theta[section].shape[1]) - 1

    def at_floor(self, theta: Theta) -> tuple[str, ...]:
        """None: no likelihood of symbols runs away, see `Emission`."""
        return ()


class TiedCategoricalHMM(MarkovEstimator):
    r"""A hidden Markov model whose states share distributions over symbols and rows of transition probabilities.

    .. math::
        z_1 \sim \pi, \qquad z_{t+1} \mid z_t \sim A_{r(z_t)}, \qquad P(x_t = v \mid z_t) = B_{c(z_t) v}

    As `TiedHMM`, with symbols 0, 1, 2, … for real numbers; without ties (``classes=range(n)``) it is the model of
    ``hmmlearn.hmm.CategoricalHMM``.

    Args:
        classes: Class of emission of each state: whole numbers from 0, or names.
        transition_classes: Class of each state whose rows of transition probabilities are equal. Default: one a state.
        n_symbols: Number of symbols. Default: one more than the largest that `fit` sees.
        n_iter: Most steps.
        tol: Gain of the log-likelihood below which to stop.
        n_init: How many starts; the one that ends with the greatest likelihood is kept.
        random_state: Seed or generator of the starts.
        params: What `fit` changes: letters of startprob, transmat, emissionprob.
        init_params: What `fit` draws before it starts: take out the letters of what you set yourself.

    Shape:
        - X: :math:`(n_\text{rows}, 1)`, whole numbers, the sequences one after another.
        - lengths: :math:`(n_\text{sequences},)`.

    Attributes:
        startprob_: start probabilities, :math:`(n_\text{states},)`.
        transmat_: transition probabilities, rows from, columns to, :math:`(n_\text{states}, n_\text{states})`.
        emissionprob_: probabilities of the symbols by state, :math:`(n_\text{states}, n_\text{symbols})`.
        theta_: the free parameters: each of these by class, by its name without the underscore.
        monitor_: history and status of the fit, see `Monitor`.
        counts_: free parameters, sites and rank by section.

    Example:
        >>> import numpy as np
        >>> helix = np.array([0, 0, 1, 0, 2, 2, 1, 2, 2, 0, 0, 0])
        >>> model = TiedCategoricalHMM(["a", "a", "b"]).fit(helix.reshape(-1, 1))
        >>> model.emissionprob_.shape, bool((model.emissionprob_[0] == model.emissionprob_[1]).all())
        ((3, 3), True)
        >>> model.counts_["emissionprob"]
        free=6, sites=9, rank=4
    """

    emissionprob_ = ByState("emissionprob")

    _sections: ClassVar = {"s": "startprob", "t": "transmat", "e": "emissionprob"}

    def __init__(
        self,
        classes: Classes,
        *,
        transition_classes: Classes | None = None,
        n_symbols: int | None = None,
        n_iter: int = 500,
        tol: float = 1e-4,
        n_init: int = 1,
        random_state: Any = 0,
        params: str = "ste",
        init_params: str = "ste",
    ) -> None:
        super().__init__()
        self.classes = classes
        self.transition_classes = transition_classes
        self.n_symbols = n_symbols
        self.n_iter = n_iter
        self.tol = tol
        self.n_init = n_init
        self.random_state = random_state
        self.params = params
        self.init_params = init_params

    @property
    def ties(self) -> Ties:
        """What is tied, made from the parameters, see `MarkovEstimator`."""
        tying = states_in_classes("classes", self.classes)
        rows = LinearTying.identity(tying.n_site)
        if self.transition_classes is not None:
            rows = states_in_classes("transition_classes", self.transition_classes, tying.n_site)
        return Ties(rows=rows, emission=CategoricalEmission(ties={"emissionprob": tying}, n_symbols=self.n_symbols))
