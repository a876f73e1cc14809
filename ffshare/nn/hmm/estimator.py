"""What all tied hidden Markov models do: fit, score, decode and sample, in the style of scikit-learn."""

# ruff: noqa: N803 - X is what observations are called by everyone who uses such models
import inspect
from abc import ABC, abstractmethod
from collections.abc import Mapping
from typing import Any, ClassVar, Self

import numpy as np
from numpy.typing import ArrayLike, NDArray

from ffshare.errors import InputError
from ffshare.nn.counts import Counts, counts_of
from ffshare.nn.hmm.climb import Ties, climb, expected, log_densities_by_state
from ffshare.nn.hmm.monitor import Monitor
from ffshare.nn.hmm.packed import IntArray, checked_lengths
from ffshare.nn.hmm.probabilities import check_probabilities, random_probabilities, random_states
from ffshare.nn.hmm.recursions import FloatArray
from ffshare.nn.hmm.smooth import log_likelihoods
from ffshare.nn.hmm.ties import Classes, of_classes
from ffshare.nn.hmm.viterbi import Path, most_likely_path


class ByState:
    """An attribute that shows the values of a section by state, and keeps them by class."""

    def __init__(self, section: str) -> None:
        self.section = section

    def __get__(self, model: Any, owner: type | None = None) -> Any:
        if model is None:
            return self
        if self.section not in model.theta_:
            raise AttributeError(f"{self.section}_ is not known: call fit first, or set it")
        return model.ties.of(self.section).expand(model.theta_[self.section])

    def __set__(self, model: Any, by_state: ArrayLike) -> None:
        name, ties = f"{self.section}_", model.ties
        values = of_classes(name, ties.of(self.section), by_state)
        if self.section in ("startprob", "transmat"):
            shape = (ties.rows.n_site,) * (1 if self.section == "startprob" else 2)
            if np.shape(by_state) != shape:
                raise InputError(f"{name} has shape {np.shape(by_state)}, expected {shape}")
            check_probabilities(name, values)
        else:
            values = ties.emission.checked_values(self.section, values)
        model.theta_[self.section] = values
        model._given.add(self.section)


class MarkovEstimator(ABC):
    """A hidden Markov model with tied states; its subclasses say what the states emit.

    Parameters are kept as they were given and can be read and set by name, as scikit-learn does it.
    """

    startprob_ = ByState("startprob")
    transmat_ = ByState("transmat")
    monitor_: Monitor

    _sections: ClassVar[Mapping[str, str]]
    """The sections by their letters, in the order in which they are shown."""

    classes: Classes
    params: str
    init_params: str
    n_iter: int
    tol: float
    n_init: int
    random_state: Any

    def __init__(self) -> None:
        self.theta_: dict[str, FloatArray] = {}
        self._given: set[str] = set()

    @property
    @abstractmethod
    def ties(self) -> Ties:
        """What is tied, made from the parameters.

        Raises:
            TyingError: A class map does not fit.
            InputError: Another parameter does not.
        """

    def get_params(self, deep: bool = True) -> dict[str, Any]:
        """The parameters that the model was made with, by name.

        Args:
            deep: Not used.

        Returns:
            The parameters.
        """
        return {name: getattr(self, name) for name in inspect.signature(type(self)).parameters}

    def set_params(self, **params: Any) -> Self:
        """Set parameters by name.

        Args:
            **params: The parameters.

        Returns:
            The model.

        Raises:
            InputError: There is no such parameter.
        """
        for name, value in params.items():
            if name not in self.get_params():
                raise InputError(f"{type(self).__name__} has no parameter {name!r}: {', '.join(self.get_params())}")
            setattr(self, name, value)
        return self

    def fit(self, X: ArrayLike, lengths: ArrayLike | None = None) -> Self:
        """Find the parameters with the greatest likelihood, or a local one.

        Args:
            X: Observations, the sequences one after another, shape=(n_rows, n_features).
            lengths: Length of each sequence; None: all rows are one sequence.

        Returns:
            The model. Whether it converged is in `monitor_`.

        Raises:
            InputError: The observations or settings cannot be used.
            TyingError: A class map does not fit.
        """
        ties = self.ties
        observations = ties.emission.checked(X)
        sizes = checked_lengths(lengths, len(observations))
        sections = self._named("params")
        drawn = self._named("init_params")
        overwritten = sorted(drawn & self._given)
        if overwritten:
            raise InputError(
                f"{overwritten[0]}_ was set, but init_params={self.init_params!r} asks to draw it anew: leave out "
                f"{overwritten[0][0]!r}"
            )
        if self.n_iter < 1 or self.n_init < 1:
            raise InputError(f"n_iter is {self.n_iter} and n_init {self.n_init}, expected 1 or more")
        ends = []
        for rng in np.random.default_rng(self.random_state).spawn(self.n_init):
            started = self._started(ties, observations, rng)
            start = {s: started[s] if s in drawn or s not in self.theta_ else self.theta_[s] for s in started}
            ends.append(climb(ties, observations, sizes, start, sections=sections, n_iter=self.n_iter, tol=self.tol))
        # The best of all; of equal ones the first.
        self.theta_, self.monitor_ = max(ends, key=lambda end: end[1].history[-1:] or (-np.inf,))
        self._given = set()
        return self

    def score(self, X: ArrayLike, lengths: ArrayLike | None = None) -> float:
        """The log-likelihood of all sequences.

        Args:
            X: Observations, as for `fit`.
            lengths: Length of each sequence, as for `fit`.

        Returns:
            The sum over the sequences, natural logarithm.
        """
        ties, observations, sizes = self._ready(X, lengths)
        densities = log_densities_by_state(ties, observations, self.theta_)
        return float(log_likelihoods(self.startprob_, self.transmat_, densities, sizes).sum())

    def score_samples(self, X: ArrayLike, lengths: ArrayLike | None = None) -> tuple[float, FloatArray]:
        """The log-likelihood, and the probability of each state at each step.

        Args:
            X: Observations, as for `fit`.
            lengths: Length of each sequence, as for `fit`.

        Returns:
            Log-likelihood of all sequences; posterior probabilities, shape=(n_rows, n_states).
        """
        seen = expected(*self._ready(X, lengths), self.theta_)
        return float(seen.log_likelihoods.sum()), seen.posteriors

    def predict_proba(self, X: ArrayLike, lengths: ArrayLike | None = None) -> FloatArray:
        """The probability of each state at each step, given the whole sequence, shape=(n_rows, n_states)."""
        return self.score_samples(X, lengths)[1]

    def decode(self, X: ArrayLike, lengths: ArrayLike | None = None) -> tuple[float, IntArray]:
        """The most likely path through the states (Viterbi).

        Args:
            X: Observations, as for `fit`.
            lengths: Length of each sequence, as for `fit`.

        Returns:
            Log density of the observations and the path, summed over the sequences; states, shape=(n_rows,).
        """
        ties, observations, sizes = self._ready(X, lengths)
        densities = log_densities_by_state(ties, observations, self.theta_)
        path: Path = most_likely_path(self.startprob_, self.transmat_, densities, sizes)
        return float(path.log_probabilities.sum()), path.states

    def predict(self, X: ArrayLike, lengths: ArrayLike | None = None) -> IntArray:
        """The states of the most likely path, see `decode`, shape=(n_rows,)."""
        return self.decode(X, lengths)[1]

    def sample(
        self, n_samples: int = 1, random_state: Any = None, currstate: int | None = None, *, n_sequences: int = 1
    ) -> tuple[NDArray[Any], IntArray]:
        """Draw sequences from the model.

        Args:
            n_samples: Length of each.
            random_state: Seed or generator; by default that of the model.
            currstate: State to start in; drawn by default.
            n_sequences: How many.

        Returns:
            Observations, the sequences one after another, shape=(n_sequences · n_samples, n_features); their states.
        """
        rng = np.random.default_rng(self.random_state if random_state is None else random_state)
        self._check_known()
        states = random_states(self.startprob_, self.transmat_, (n_sequences, n_samples), rng, currstate).ravel()
        return self.ties.emission.sample(states, self.theta_, rng), states

    def aic(self, X: ArrayLike, lengths: ArrayLike | None = None) -> float:
        """Akaike's information criterion, 2k - 2 log L with k independent parameters; less is better."""
        return 2.0 * self.n_parameters_ - 2.0 * self.score(X, lengths)

    def bic(self, X: ArrayLike, lengths: ArrayLike | None = None) -> float:
        """The Bayesian information criterion, k log n - 2 log L of n rows; less is better."""
        return self.n_parameters_ * float(np.log(len(np.asarray(X)))) - 2.0 * self.score(X, lengths)

    @property
    def counts_(self) -> dict[str, Counts]:
        """Free numbers, numbers at the states, and independent ones, by section.

        Distributions sum to 1, which the rank knows: a row of n probabilities has rank n - 1.
        """
        self._check_known()
        return {section: self._counts_of(section) for section in self._sections.values()}

    @property
    def n_parameters_(self) -> int:
        """Number of independent parameters: the ranks of all sections."""
        return sum(counts.rank for counts in self.counts_.values())

    def __repr__(self) -> str:
        name = type(self).__name__
        if not set(self._sections.values()) <= set(self.theta_):
            return f"{name}(classes={self.classes!r}, not fitted)"
        tying = next(iter(self.ties.emission.ties.values()))
        total = sum(self.counts_.values(), Counts(free=0, sites=0, rank=0))
        return f"{name}({tying.n_site} states in {tying.n_free} classes, {total})"

    def _counts_of(self, section: str) -> Counts:
        ties = self.ties
        n_states = ties.rows.n_site
        if section == "startprob":
            return Counts(free=n_states, sites=n_states, rank=n_states - 1)
        one = counts_of(ties.of(section))
        if section == "transmat":
            return Counts(free=one.free * n_states, sites=one.sites * n_states, rank=one.rank * (n_states - 1))
        n, rank = ties.emission.n_numbers(section, self.theta_), ties.emission.n_independent(section, self.theta_)
        return Counts(free=one.free * n, sites=one.sites * n, rank=one.rank * rank)

    def _named(self, parameter: str) -> frozenset[str]:
        """The sections whose letters a parameter holds."""
        letters = getattr(self, parameter)
        unknown = sorted(set(letters) - set(self._sections))
        if unknown:
            known = ", ".join(f"{letter!r} ({section})" for letter, section in self._sections.items())
            raise InputError(f"{parameter} is {letters!r}: there is no {unknown[0]!r}, only {known}")
        return frozenset(self._sections[letter] for letter in letters)

    def _started(self, ties: Ties, observations: NDArray[Any], rng: np.random.Generator) -> dict[str, FloatArray]:
        """Values to start from.

        States of a class see the same densities; only how they move tells them apart, so transitions start at random.
        From equal rows such states would stay equal for ever: a saddle of the likelihood that no step leaves.
        """
        n_states = ties.rows.n_site
        return {
            "startprob": np.full(n_states, 1.0 / n_states),
            "transmat": random_probabilities(ties.rows.n_free, n_states, rng),
            **ties.emission.start(observations, rng),
        }

    def _check_known(self) -> None:
        for section in self._sections.values():
            if section not in self.theta_:
                raise InputError(f"{section}_ is not known: call fit first, or set it")

    def _ready(self, X: ArrayLike, lengths: ArrayLike | None) -> tuple[Ties, NDArray[Any], IntArray]:
        """The ties, and the observations and lengths checked."""
        self._check_known()
        ties = self.ties
        observations = ties.emission.checked(X)
        return ties, observations, checked_lengths(lengths, len(observations))
