"""The same likelihood by other means: gradients of the recursion, and a recursion with plain numbers."""

import numpy as np
import torch
from torch import Tensor

from ffshare.nn.reproduce.hmm.truth import CLASSES, MEANS, N_STATES, TRANSITIONS, FloatArray
from ffshare.tying import LinearTying


def most_likely(observations: Tensor) -> tuple[FloatArray, float]:
    """The means by class with the greatest likelihood, by gradients, and that log-likelihood."""
    tying = LinearTying.groups(CLASSES)
    means = torch.tensor([0.0, 2.0], dtype=torch.float64, requires_grad=True)
    log_variances = torch.zeros(2, dtype=torch.float64, requires_grad=True)
    # A transition of probability 0 keeps it, here as in the steps: the gradient by its logit, -inf, is 0.
    rows = torch.tensor(TRANSITIONS).log().requires_grad_()
    start = torch.zeros(N_STATES, dtype=torch.float64, requires_grad=True)
    optimizer = torch.optim.LBFGS(
        [means, log_variances, rows, start],
        max_iter=500,
        history_size=30,
        tolerance_grad=1e-8,
        tolerance_change=1e-13,
        line_search_fn="strong_wolfe",
    )

    def minus_log_likelihood() -> Tensor:
        mu, log_s = tying.expand(means), tying.expand(log_variances)
        squares = (observations[..., None] - mu) ** 2 / log_s.exp()
        densities = -0.5 * (squares + log_s + np.log(2 * np.pi))
        steps = rows.log_softmax(dim=1)
        forward = start.log_softmax(dim=0) + densities[:, 0]
        for t in range(1, observations.shape[1]):
            forward = (forward[:, :, None] + steps).logsumexp(dim=1) + densities[:, t]
        return -forward.logsumexp(dim=1).sum()

    def closure() -> Tensor:
        optimizer.zero_grad()
        loss = minus_log_likelihood()
        loss.backward()
        return loss

    optimizer.step(closure)
    with torch.no_grad():
        return means.numpy(), -float(minus_log_likelihood())


def scaled_log_likelihood(observations: FloatArray) -> float:
    """The log-likelihood of a sequence under the true model, by plain numbers divided by their sum at each step.

    Args:
        observations: The sequence, shape=(n_steps, 1).

    Returns:
        The log-likelihood.
    """
    densities = np.exp(-0.5 * (observations - MEANS[:, 0]) ** 2) / np.sqrt(2 * np.pi)
    forward, total = np.full(N_STATES, 1.0 / N_STATES), 0.0
    for row in densities:
        forward = forward * row
        total += float(np.log(forward.sum()))
        forward = forward / forward.sum() @ TRANSITIONS
    return total
