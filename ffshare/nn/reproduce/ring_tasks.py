"""Linear tasks on a ring, whose coefficients vary smoothly around it."""

import numpy as np
from numpy.typing import NDArray

from ffshare.nn.task_graph import TaskGraph
from ffshare.records import doc, freeze_arrays, record

Floats = NDArray[np.float64]

N_TASKS, N_INPUTS = 20, 10
ROUGHNESS = 0.15
RING = TaskGraph(n_tasks=N_TASKS, edges=np.array([(t, (t + 1) % N_TASKS) for t in range(N_TASKS)]))
# Even and odd tasks on a ring each: tasks of the two components alternate.
TWO_RINGS = TaskGraph(n_tasks=N_TASKS, edges=np.array([(t, (t + 2) % N_TASKS) for t in range(N_TASKS)]))


@record
class Tasks:
    """Data of all tasks."""

    thetas: Floats = doc("true coefficients, shape=(n_tasks, n_inputs)")
    inputs: Floats = doc("shape=(n_tasks, n_rows, n_inputs)")
    outputs: Floats = doc("with noise of variance 1, shape=(n_tasks, n_rows)")

    def __post_init__(self) -> None:
        freeze_arrays(self, thetas=np.float64, inputs=np.float64, outputs=np.float64)


def ring_tasks(seed: int, n_rows: int) -> Tasks:
    """Draw coefficients, one wave around the ring plus roughness, and data with noise.

    Args:
        seed: Any whole number.
        n_rows: Rows of each task.

    Returns:
        The tasks.
    """
    rng = np.random.default_rng([seed, n_rows])
    angles = 2 * np.pi * np.arange(N_TASKS)[:, None] / N_TASKS
    mean, cosine, sine = rng.normal(size=(3, N_INPUTS))
    smooth = mean + 0.5 * (np.cos(angles) * cosine + np.sin(angles) * sine)
    thetas = smooth + ROUGHNESS * rng.normal(size=(N_TASKS, N_INPUTS))
    inputs = rng.normal(size=(N_TASKS, n_rows, N_INPUTS))
    outputs = np.einsum("tni,ti->tn", inputs, thetas) + rng.normal(size=(N_TASKS, n_rows))
    return Tasks(thetas=thetas, inputs=inputs, outputs=outputs)
