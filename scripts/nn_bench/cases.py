"""What is timed against what: the cases of all kinds of layers."""

from collections.abc import Sequence

from nn_bench import images, matrices, sequences, tasks
from nn_bench.case import Case

CASES: Sequence[Case] = (*matrices.CASES, *sequences.CASES, *images.CASES, *tasks.CASES)
