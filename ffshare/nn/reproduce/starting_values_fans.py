"""Rules for the fan of a weight that is used again and again, and the variance after one application that they give."""

import torch
from torch import Tensor
from torch.nn import functional

from ffshare.nn import init
from ffshare.records import doc, record
from ffshare.tying import LinearTying

CHANNELS, KERNEL, WIDTH = 32, 3, 32
N_PLACES = WIDTH**2
N_INPUTS, N_HIDDEN, N_STEPS = 32, 64, 100


@record
class Rule:
    """What is taken for the fan of a weight, and the ratio of variances, after one application to before, it gives."""

    layer: str = doc("what it is applied in")
    fan: str = doc("what is taken for the fan, as shown in the figure")
    claim: str = doc("what is claimed of it")
    factor: float = doc("the true fan over the one taken: the ratio of variances expected")


RULES = (
    Rule(
        layer="convolution",
        fan="one application",
        claim="With the fan k² C of the kernel, a convolution keeps the variance of its input",
        factor=1.0,
    ),
    Rule(
        layer="convolution",
        fan="times its reuse",
        claim="With its 1,024 places multiplied into the fan, the variance is 1,024 times too small",
        factor=1 / N_PLACES,
    ),
    Rule(
        layer="convolution",
        fan="a part of it",
        claim="With the channels only, it is k² = 9 times too large",
        factor=KERNEL**2,
    ),
    Rule(
        layer="recurrent layer",
        fan="one application",
        claim="With the fan n_x + n_h of one step, a recurrent layer has the variance of its input and state",
        factor=1.0,
    ),
    Rule(
        layer="recurrent layer",
        fan="times its reuse",
        claim="With its 100 steps multiplied into the fan, the variance is 100 times too small",
        factor=1 / N_STEPS,
    ),
    Rule(
        layer="recurrent layer",
        fan="a part of it",
        claim="With the state only, it is (n_x + n_h) / n_h = 1.5 times too large",
        factor=(N_INPUTS + N_HIDDEN) / N_HIDDEN,
    ),
)


def convolution(generator: torch.Generator, factor: float = 1.0, rectify: bool = False) -> float:
    """The ratio of variances of one draw: a kernel that all places of an image share, on white noise.

    Args:
        generator: Source of random numbers.
        factor: The true fan over the one taken.
        rectify: Whether a ReLU comes before, and Kaiming's rule is used in place of Xavier's.

    Returns:
        Variance of the responses over that of the noise.
    """
    shape = (CHANNELS, CHANNELS, KERNEL, KERNEL)
    places = {f"{place}": shape for place in range(N_PLACES)}
    theta, tying = torch.empty(1, *shape), LinearTying.repeat(N_PLACES)
    if rectify:
        init.kaiming_normal_(theta, tying, places, nonlinearity="relu", generator=generator)
    else:
        init.xavier_normal_(theta, tying, places, generator=generator)
    noise = torch.randn(1, CHANNELS, WIDTH, WIDTH, generator=generator)
    margin = KERNEL // 2
    padded = functional.pad(noise.relu() if rectify else noise, (margin,) * 4, mode="circular")
    return _ratio(functional.conv2d(padded, theta[0] * factor**0.5), noise)


def recurrent_layer(generator: torch.Generator, factor: float = 1.0) -> float:
    """The ratio of variances of one draw: the weights that all steps share, on white inputs and states.

    Args:
        generator: Source of random numbers.
        factor: The true fan over the one taken.

    Returns:
        Variance after a step over that of inputs and states.
    """
    shape = (N_HIDDEN, N_INPUTS + N_HIDDEN)
    theta = torch.empty(1, *shape)
    steps = {f"{step}": shape for step in range(N_STEPS)}
    init.kaiming_normal_(theta, LinearTying.repeat(N_STEPS), steps, nonlinearity="linear", generator=generator)
    inputs_and_states = torch.randn(N_STEPS, shape[1], generator=generator)
    return _ratio(inputs_and_states @ theta[0].T * factor**0.5, inputs_and_states)


LAYERS = {"convolution": convolution, "recurrent layer": recurrent_layer}


def _ratio(after: Tensor, before: Tensor) -> float:
    return float(after.square().mean() / before.square().mean())
