"""The one hash of the project: the same numbers on every platform, in every process, for ever.

Two steps. A string becomes a 64-bit key once, by BLAKE2b with a digest of 8 bytes read as a little-endian integer.
Keys then become hashes by SplitMix64, as often as wanted and for any seed: key k gets the k-th output of that
generator,

    z = seed + (k + 1) · 0x9E3779B97F4A7C15
    z = (z xor z >> 30) · 0xBF58476D1CE4E5B9
    z = (z xor z >> 27) · 0x94D049BB133111EB
    z xor z >> 31                                             (all modulo 2^64)

Python's own ``hash`` will not do: it is salted anew in every process.

Reference:
    BLAKE2b: RFC 7693. SplitMix64: Steele, Lea, Flood, Fast splittable pseudorandom number generators, OOPSLA 2014,
    DOI 10.1145/2660193.2660195.
"""

import hashlib
from collections.abc import Iterable

import numpy as np
from numpy.typing import ArrayLike, NDArray

from ffshare.errors import TyingError

_GAMMA = np.uint64(0x9E3779B97F4A7C15)
_MULTIPLIER_1 = np.uint64(0xBF58476D1CE4E5B9)
_MULTIPLIER_2 = np.uint64(0x94D049BB133111EB)
_MASK = 2**64 - 1
# Any constant would do (these are the first digits of pi after the point): it makes the signs a stream of their own.
_SIGN_SEED = 0x243F6A8885A308D3


def hash_keys(strings: Iterable[str]) -> NDArray[np.uint64]:
    """The 64-bit key of each string: BLAKE2b of its UTF-8 bytes, 8 bytes, little-endian, no key and no salt.

    Args:
        strings: The strings.

    Returns:
        Keys, shape=(n_strings,).

    Raises:
        TyingError: One string was given in place of several.

    Example:
        >>> hash_keys(["[#6:1]-[#1:2]"])
        array([8562753901784254725], dtype=uint64)
    """
    if isinstance(strings, str):
        raise TyingError(f"expected several strings, got the one string {strings!r}: put it into a list")
    digests = b"".join(hashlib.blake2b(string.encode(), digest_size=8).digest() for string in strings)
    return np.frombuffer(digests, dtype="<u8").astype(np.uint64)


def splitmix64(keys: ArrayLike, seed: int = 0) -> NDArray[np.uint64]:
    """The hash of each key: output number `key`, from 0, of the SplitMix64 generator started with the seed.

    Args:
        keys: Whole numbers, taken modulo 2^64, any shape.
        seed: Whole number, taken modulo 2^64.

    Returns:
        Hashes, the shape of the keys.

    Raises:
        TyingError: The keys are not whole numbers.

    Example:
        >>> splitmix64([0, 1], seed=1234567)
        array([6457827717110365317, 3203168211198807973], dtype=uint64)
    """
    numbers = np.asarray(keys)
    if numbers.dtype.kind not in "iu" and numbers.size:
        raise TyingError(f"keys are whole numbers, got {numbers.dtype}: strings become keys by hash_keys")
    with np.errstate(over="ignore"):  # NumPy warns of wrapped scalars, and wrapping is what is wanted
        z = (numbers.astype(np.uint64) + np.uint64(1)) * _GAMMA + np.uint64(seed & _MASK)
        z = (z ^ (z >> np.uint64(30))) * _MULTIPLIER_1
        z = (z ^ (z >> np.uint64(27))) * _MULTIPLIER_2
    return np.asarray(z ^ (z >> np.uint64(31)), dtype=np.uint64)


def buckets(keys: ArrayLike, n_buckets: int, seed: int = 0) -> NDArray[np.int64]:
    """The bucket of each key: its hash modulo the number of buckets.

    Args:
        keys: Whole numbers, any shape.
        n_buckets: Number of buckets.
        seed: Another seed gives an independent placing.

    Returns:
        Buckets, 0 to n_buckets - 1, the shape of the keys.

    Raises:
        TyingError: There is no bucket, or the keys are not whole numbers.

    Example:
        >>> buckets([0, 1, 2, 3], 10, seed=1234567)
        array([7, 3, 3, 1])
    """
    if n_buckets < 1:
        raise TyingError(f"expected at least one bucket, got {n_buckets}")
    return np.asarray(splitmix64(keys, seed) % np.uint64(n_buckets)).astype(np.int64)


def signs(keys: ArrayLike, seed: int = 0) -> NDArray[np.float64]:
    """A sign for each key, independent of its bucket: the highest bit of the hash of its hash.

    Args:
        keys: Whole numbers, any shape.
        seed: The seed that the buckets were drawn with, or another.

    Returns:
        1.0 or -1.0, the shape of the keys.

    Raises:
        TyingError: The keys are not whole numbers.

    Example:
        >>> signs([0, 1, 2, 3, 4, 5])
        array([-1.,  1., -1., -1.,  1., -1.])
    """
    # Taken from the hash itself, the sign would depend on the bucket wherever both read the same bits.
    bits = splitmix64(splitmix64(keys, seed), _SIGN_SEED) >> np.uint64(63)
    return 1.0 - 2.0 * bits.astype(np.float64)
