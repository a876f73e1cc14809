"""What holds exactly for tasks on a graph: both ends of the soft ties, gradients, and what components keep apart."""

import numpy as np
import torch
from torch import nn

from ffshare.nn.multi_task import HardShared, laplacian_penalty
from ffshare.nn.reproduce.outcome import Check, at_most, near
from ffshare.nn.reproduce.ring_tasks import N_INPUTS, N_TASKS, RING, TWO_RINGS, Floats, Tasks, ring_tasks
from ffshare.nn.reproduce.seeds import mean_and_error, seeded
from ffshare.nn.task_graph import TaskGraph

N_ROWS = 8
LARGE = (1e3, 1e4, 1e5, 1e6)


def exact_checks() -> tuple[Check, ...]:
    """What holds to rounding, on the smallest data."""
    tasks = ring_tasks(0, N_ROWS)
    ridge = 0.5
    separate = [
        np.linalg.solve(x.T @ x + ridge * np.eye(N_INPUTS), x.T @ y)
        for x, y in zip(tasks.inputs, tasks.outputs, strict=True)
    ]
    none = RING.fit(tasks.inputs, tasks.outputs, 0.0, ridge)
    return (
        at_most(
            "Without soft ties the fit of all tasks is that of separate ridge regressions (largest difference).",
            1e-10,
            float(np.abs(none - separate).max()),
        ),
        at_most(
            "Gradient descent on the squared error of all rows plus the penalty reaches the solution in closed form "
            "(relative difference).",
            1e-5,
            _descent_difference(tasks, strength=10.0),
        ),
        at_most(
            "In a network with a trunk for all tasks, the gradient of the trunk is the sum of what separate trunks get "
            "from each task (relative difference).",
            1e-12,
            _gradient_difference(),
        ),
        near(
            "On a graph in two parts, other data in one part change nothing in the other.",
            0.0,
            _leak(tasks, strength=10.0),
            0.0,
        ),
        near(
            "The gradient of the penalty by the tasks of one part does not depend on those of the other.",
            0.0,
            _penalty_leak(tasks),
            0.0,
        ),
    )


def _descent_difference(tasks: Tasks, strength: float) -> float:
    inputs, outputs = torch.tensor(tasks.inputs), torch.tensor(tasks.outputs)
    thetas = torch.zeros(N_TASKS, N_INPUTS, dtype=torch.float64, requires_grad=True)
    weights = np.full(len(RING.edges), strength)
    # No eigenvalue of the loss's second derivative is above this: of the rows of one task, and of a ring (4 λ).
    bound = 2 * (np.linalg.norm(tasks.inputs, axis=(1, 2)).max() ** 2 + 4 * strength)
    descent = torch.optim.SGD([thetas], lr=1 / bound, momentum=0.9)
    for _ in range(300):
        descent.zero_grad()
        residuals = outputs - torch.einsum("tni,ti->tn", inputs, thetas)
        (residuals.square().sum() + laplacian_penalty(thetas, RING.edges, weights)).backward()
        descent.step()
    expected = RING.fit(tasks.inputs, tasks.outputs, strength)
    return float(np.linalg.norm(thetas.detach().numpy() - expected) / np.linalg.norm(expected))


def _gradient_difference() -> float:
    """A trunk for three tasks, or one for each."""
    with seeded(0):
        trunk = nn.Sequential(nn.Linear(5, 8, dtype=torch.float64), nn.Tanh(), nn.Linear(8, 4, dtype=torch.float64))
        tasks = HardShared(trunk, [nn.Linear(4, 2, dtype=torch.float64) for _ in range(3)])
        inputs = {task: torch.randn(7, 5, dtype=torch.float64) for task in tasks.heads}
    sum(output.square().sum() for output in tasks(inputs).values()).backward()
    separate = torch.zeros_like(tasks.shared.theta)
    for task, each in inputs.items():
        network = tasks.module_of(task)
        network(each).square().sum().backward()
        separate += torch.cat([parameter.grad.reshape(-1) for parameter in network[0].parameters()])
    return float((tasks.shared.theta.grad - separate).norm() / separate.norm())


def _leak(tasks: Tasks, strength: float) -> float:
    """The most that coefficients of even tasks change with the data of odd ones."""
    outputs = tasks.outputs.copy()
    outputs[1::2] *= -3.0
    before, after = (TWO_RINGS.fit(tasks.inputs, each, strength) for each in (tasks.outputs, outputs))
    return float(np.abs(before - after)[::2].max())


def _penalty_leak(tasks: Tasks) -> float:
    def gradient(factor: float) -> torch.Tensor:
        thetas = torch.tensor(tasks.thetas)
        thetas[1::2] *= factor
        thetas.requires_grad_()
        laplacian_penalty(thetas, TWO_RINGS.edges).backward()
        even: torch.Tensor = thetas.grad[::2]
        return even

    return float((gradient(1.0) - gradient(-3.0)).abs().max())


def distances_to_hard(seed: int) -> Floats:
    """Root mean squared difference from sharing by hand, shape=(2 graphs, number of `LARGE`)."""
    tasks = ring_tasks(seed, N_ROWS)
    return np.array(
        [
            [
                np.sqrt(((graph.fit(tasks.inputs, tasks.outputs, each) - _shared_by_hand(graph, tasks)) ** 2).mean())
                for each in LARGE
            ]
            for graph in (RING, TWO_RINGS)
        ]
    )


def _shared_by_hand(graph: TaskGraph, tasks: Tasks) -> Floats:
    """Least squares on the rows of each component together."""
    thetas = np.empty_like(tasks.thetas)
    for component in np.unique(graph.components):
        inside = graph.components == component
        rows, outputs = tasks.inputs[inside].reshape(-1, N_INPUTS), tasks.outputs[inside].ravel()
        thetas[inside] = np.linalg.lstsq(rows, outputs, rcond=None)[0]
    return thetas


def limit_checks(distances: Floats) -> tuple[Check, ...]:
    """What happens as the soft ties grow; distances of shape=(n_seeds, 2 graphs, number of `LARGE`)."""
    checks = []
    for name, each in zip(("one ring", "two rings that nothing joins"), distances.swapaxes(0, 1), strict=True):
        slope, slope_error = mean_and_error(np.polyfit(np.log(LARGE), np.log(each).T, 1)[0])
        last, last_error = mean_and_error(each[:, -1])
        checks += [
            near(
                f"On {name}, strong soft ties tend to complete sharing within a component: the difference falls as one "
                "over their strength (slope of the logarithms).",
                -1.0,
                slope,
                0.05,
                slope_error,
            ),
            at_most(
                f"On {name}, soft ties of strength 10⁶ differ from that by (root mean squared, 8 rows a task)",
                1e-4,
                last,
                last_error,
            ),
        ]
    return tuple(checks)
