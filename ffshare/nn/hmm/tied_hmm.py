"""The hidden Markov model with Gaussian emissions that states share."""

from typing import Any, ClassVar

from ffshare.nn.hmm.climb import Ties
from ffshare.nn.hmm.covariances import covariance_of
from ffshare.nn.hmm.emissions import GaussianEmission
from ffshare.nn.hmm.estimator import ByState, MarkovEstimator
from ffshare.nn.hmm.ties import Classes, states_in_classes
from ffshare.tying import LinearTying


class TiedHMM(MarkovEstimator):
    r"""A hidden Markov model whose states share Gaussian emissions and rows of transition probabilities.

    .. math::
        z_1 \sim \pi, \qquad z_{t+1} \mid z_t \sim A_{r(z_t)}, \qquad
        x_t \mid z_t \sim \mathcal N(\mu_{c(z_t)}, \Sigma_{c(z_t)})

    with a class :math:`c(k)` of emission and a class :math:`r(k)` of row for each state :math:`k`. States of one class
    look the same and are told apart by how they move: dwell times that are not geometric, order, memory. The maximum
    of the likelihood is climbed by Baum-Welch steps, in which the statistics of a class are pooled:
    :math:`\theta = \text{LinearTying.groups(classes).tie(state means, weight=state posteriors)}`.

    Without ties (``classes=range(n)``) it is the model of ``hmmlearn.hmm.GaussianHMM`` without priors. The differences
    in use: values by state have the shape of their kind of covariance, ``diag`` (n_states, n_features) for instance;
    there are no priors but a floor; ``monitor_.converged`` is false where the steps ran out.

    Args:
        classes: Class of emission of each state: whole numbers from 0, or names.
        transition_classes: Class of each state whose rows of transition probabilities are equal. Default: one a state.
        covariance_classes: Class of each state whose covariances are equal, where more states share these than share a
            mean; ``[0] * n_states`` with ``covariance="full"`` is what hmmlearn calls tied. Default: ``classes``.
        covariance: ``"spherical"`` (one variance), ``"diag"`` (one a feature) or ``"full"``.
        n_iter: Most steps.
        tol: Gain of the log-likelihood below which to stop.
        n_init: How many starts; the one that ends with the greatest likelihood is kept.
        random_state: Seed or generator of the starts.
        min_covar: Least variance along any direction, squared unit of the observations; without one the likelihood
            of a class that shrinks onto one point is infinite.
        params: What `fit` changes: letters of startprob, transmat, means, covars.
        init_params: What `fit` draws before it starts: take out the letters of what you set yourself.

    Shape:
        - X: :math:`(n_\text{rows}, n_\text{features})`, the sequences one after another.
        - lengths: :math:`(n_\text{sequences},)`.

    Attributes:
        startprob_: start probabilities, :math:`(n_\text{states},)`.
        transmat_: transition probabilities, rows from, columns to, :math:`(n_\text{states}, n_\text{states})`.
        means_: means by state, :math:`(n_\text{states}, n_\text{features})`.
        covars_: covariances by state, :math:`(n_\text{states},)`, :math:`(n_\text{states}, n_\text{features})` or
            :math:`(n_\text{states}, n_\text{features}, n_\text{features})`.
        theta_: the free parameters: each of these by class, by its name without the underscore.
        monitor_: history and status of the fit, see `Monitor`.
        counts_: free parameters, sites and rank by section.

    Reference:
        Rabiner, Proc. IEEE 77, 257 (1989); Young and Woodland, Computer Speech and Language 8, 369 (1994).

    Example:
        >>> import numpy as np
        >>> truth = TiedHMM(["low", "high", "low"], random_state=1)
        >>> truth.startprob_ = [1.0, 0.0, 0.0]
        >>> truth.transmat_ = [[0.5, 0.5, 0.0], [0.0, 0.5, 0.5], [0.1, 0.0, 0.9]]
        >>> truth.means_ = [[0.0], [5.0], [0.0]]
        >>> truth.covars_ = [[1.0], [2.0], [1.0]]
        >>> X, states = truth.sample(100, n_sequences=5)
        >>> model = TiedHMM(["low", "high", "low"], tol=1e-2).fit(X, lengths=[100] * 5)
        >>> model.monitor_.converged
        True
        >>> model.means_.round(1).tolist()
        [[-0.1], [5.0], [-0.1]]
        >>> model
        TiedHMM(3 states in 2 classes, free=16, sites=18, rank=12)
    """

    means_ = ByState("means")
    covars_ = ByState("covars")

    _sections: ClassVar = {"s": "startprob", "t": "transmat", "m": "means", "c": "covars"}

    def __init__(
        self,
        classes: Classes,
        *,
        transition_classes: Classes | None = None,
        covariance_classes: Classes | None = None,
        covariance: str = "diag",
        n_iter: int = 500,
        tol: float = 1e-4,
        n_init: int = 1,
        random_state: Any = 0,
        min_covar: float = 1e-6,
        params: str = "stmc",
        init_params: str = "stmc",
    ) -> None:
        super().__init__()
        self.classes = classes
        self.transition_classes = transition_classes
        self.covariance_classes = covariance_classes
        self.covariance = covariance
        self.n_iter = n_iter
        self.tol = tol
        self.n_init = n_init
        self.random_state = random_state
        self.min_covar = min_covar
        self.params = params
        self.init_params = init_params

    @property
    def ties(self) -> Ties:
        """What is tied, made from the parameters, see `MarkovEstimator`."""
        means = states_in_classes("classes", self.classes)
        n_states = means.n_site
        rows, covars = LinearTying.identity(n_states), means
        if self.transition_classes is not None:
            rows = states_in_classes("transition_classes", self.transition_classes, n_states)
        if self.covariance_classes is not None:
            covars = states_in_classes("covariance_classes", self.covariance_classes, n_states)
        emission = GaussianEmission(
            ties={"means": means, "covars": covars}, kind=covariance_of(self.covariance), floor=self.min_covar
        )
        return Ties(rows=rows, emission=emission)
