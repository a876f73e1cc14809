"""The table of the experiments."""

from collections.abc import Callable, Sequence

import torch

from ffshare.errors import InputError
from ffshare.nn.reproduce import (
    attention,
    autoencoder,
    c4,
    core_fast,
    gaussian_field,
    hashed,
    hmm,
    low_rank,
    lstm,
    multi_task,
    squeeze_excite,
    starting_values,
    time_tied,
    transformer,
)
from ffshare.nn.reproduce.outcome import Outcome
from ffshare.records import doc, record


@record
class System:
    """One experiment."""

    number: int = doc("its number")
    name: str = doc("its name")
    title: str = doc("what is shared")
    claim: str = doc("what is claimed of it, in a sentence without its stop")
    experiment: Callable[[bool], Outcome] = doc("runs it: fewer repetitions and smaller sizes where it is given True")

    def run(self, quick: bool) -> Outcome:
        """Run the experiment on one thread, so that sums do not depend on how many there are.

        Args:
            quick: Fewer repetitions and smaller sizes.

        Returns:
            Its outcome.

        Raises:
            MissingDependencyError: Its data are not installed.
        """
        n_threads = torch.get_num_threads()
        torch.set_num_threads(1)
        try:
            return self.experiment(quick)
        finally:
            torch.set_num_threads(n_threads)


SYSTEMS: tuple[System, ...] = (
    System(
        number=1,
        name="gaussian-field",
        title="Weights of a Gaussian field",
        claim=(
            "a convolution kernel is the shared weight of a Gaussian graphical model: pooling all patches is its "
            "maximum-likelihood estimate, efficient and identified, where untied weights are neither"
        ),
        experiment=gaussian_field.run,
    ),
    System(
        number=2,
        name="autoencoder",
        title="Encoder and decoder",
        claim=(
            "a linear autoencoder whose decoder is the transpose of its encoder finds the principal components by "
            "gradient descent, with orthonormal weights that nothing asks for and no loss against two free matrices"
        ),
        experiment=autoencoder.run,
    ),
    System(
        number=3,
        name="hmm",
        title="Emissions of hidden states",
        claim=(
            "states that share an emission pool what they have seen: the tied Baum-Welch step is a weighted mean over "
            "the states of a class, climbs the likelihood, and finds the shared means far better than untied states do"
        ),
        experiment=hmm.run,
    ),
    System(
        number=4,
        name="time",
        title="Steps of a recurrent network",
        claim="tied over time, one sequence identifies a system; untied, nothing that holds for the next step",
        experiment=time_tied.run,
    ),
    System(
        number=5,
        name="init",
        title="Starting values under sharing",
        claim="the variance of a shared weight follows the fan of one application, however often it is used again",
        experiment=starting_values.run,
    ),
    System(
        number=6,
        name="lstm",
        title="The input matrices of the gates of an LSTM",
        claim=(
            "one input matrix for three gates costs nothing on digits read row by row, and harms where one event must "
            "move gates in opposite directions"
        ),
        experiment=lstm.run,
    ),
    System(
        number=7,
        name="attention",
        title="The projection of values, across the heads of attention",
        claim=(
            "sharing values leaves (3 + 1/h)/4 of the weights, and an error only where heads together need more than "
            "d/h dimensions"
        ),
        experiment=attention.run,
    ),
    System(
        number=8,
        name="transformer",
        title="Keys and values across attention modules",
        claim=(
            "one W_K and one W_V for all attention modules save 24 % of the parameters and cost neither steps nor "
            "accuracy in copying and reversing; small models with narrow heads underfit"
        ),
        experiment=transformer.run,
    ),
    System(
        number=9,
        name="squeeze-excite",
        title="Squeeze-and-excitation across depth",
        claim=(
            "one recalibration for all depths is estimated (Bn - C - 1)/(n - C - 1) times better where depths follow "
            "one law, and worse where they do not"
        ),
        experiment=squeeze_excite.run,
    ),
    System(
        number=10,
        name="hashed",
        title="Weights in hash buckets",
        claim=(
            "averaging N trained weights into K hash buckets loses the share 1 - r(1 - e^(-1/r)) of them, r = K/N; "
            "training through the buckets does not"
        ),
        experiment=hashed.run,
    ),
    System(
        number=11,
        name="low-rank",
        title="Weights generated from a shared core",
        claim="the best weight UV of rank h is the truncated singular value decomposition, and training finds it",
        experiment=low_rank.run,
    ),
    System(
        number=12,
        name="c4",
        title="Kernels tied over quarter turns",
        claim="a network tied over quarter turns turns with its input, and learns turned digits from fewer images",
        experiment=c4.run,
    ),
    System(
        number=13,
        name="multi-task",
        title="The coefficients of related tasks",
        claim=(
            "soft ties along a graph lead from independent tasks to complete sharing within each component, and a "
            "strength chosen by cross-validation beats both ends"
        ),
        experiment=multi_task.run,
    ),
    System(
        number=14,
        name="core-fast",
        title="A core for all tasks, fast parameters for each",
        claim=(
            "two numbers adapted beside a shared core tell a new task from ten examples better than adapting all "
            "weights; what a task cannot move it cannot spoil for another"
        ),
        experiment=core_fast.run,
    ),
)


def select(wanted: Sequence[str] = ()) -> tuple[System, ...]:
    """Experiments by name or number.

    Args:
        wanted: Names or numbers; all by default.

    Returns:
        The experiments, in the order of their numbers, each once.

    Raises:
        InputError: There is no such experiment.
    """
    known = {text: system for system in SYSTEMS for text in (system.name, str(system.number))}
    unknown = [text for text in wanted if text not in known]
    if unknown:
        listed = ", ".join(f"{system.number} {system.name}" for system in SYSTEMS)
        raise InputError(f"there is no experiment {', '.join(map(repr, unknown))}; there are {listed}")
    chosen = {known[text].number for text in wanted} or {system.number for system in SYSTEMS}
    return tuple(system for system in SYSTEMS if system.number in chosen)
