"""The one hash: published numbers, frozen numbers, and the statistics of chance."""

import os
import subprocess
import sys

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from ffshare.errors import TyingError
from ffshare.tying import buckets, hash_keys, signs, splitmix64

MASK = 2**64 - 1


def reference_generator(seed, n):
    """SplitMix64 as published, one number after another, in Python's own integers."""
    outputs = []
    for _ in range(n):
        seed = (seed + 0x9E3779B97F4A7C15) & MASK
        z = ((seed ^ (seed >> 30)) * 0xBF58476D1CE4E5B9) & MASK
        z = ((z ^ (z >> 27)) * 0x94D049BB133111EB) & MASK
        outputs.append(z ^ (z >> 31))
    return outputs


@given(seed=st.integers(0, MASK))
def test_hashes_are_the_outputs_of_the_published_generator(seed):
    assert splitmix64(np.arange(20), seed).tolist() == reference_generator(seed, 20)


@pytest.mark.parametrize(
    ("seed", "outputs"),
    [
        (0, [0xE220A8397B1DCDAF, 0x6E789E6AA1B965F4, 0x06C45D188009454F]),
        (
            1234567,
            [
                6457827717110365317,
                3203168211198807973,
                9817491932198370423,
                4593380528125082431,
                16408922859458223821,
            ],
        ),
    ],
)
def test_hashes_are_the_published_test_vectors(seed, outputs):
    assert splitmix64(np.arange(len(outputs)), seed).tolist() == outputs


def test_frozen_numbers_have_not_changed():
    keys = hash_keys(["", "a", "[#6X4:1]-[#1:2]", "é"])
    assert keys.tolist() == [13020603013274838756, 3405396810240292928, 8191229345403290857, 3394012004367669963]
    assert splitmix64(keys, 7).tolist() == [
        9667643663113925999,
        9417190433995735281,
        3419335304379156682,
        9457890641652627508,
    ]
    assert buckets(keys, 1000, 7).tolist() == [999, 281, 682, 508]
    assert signs(np.arange(12), 7).tolist() == [1.0, -1.0, 1.0, 1.0, 1.0, -1.0, 1.0, -1.0, -1.0, 1.0, 1.0, -1.0]


@given(keys=st.lists(st.integers(0, MASK), max_size=20), seed=st.integers(-5, MASK))
def test_a_hash_depends_on_its_key_alone(keys, seed):
    together = splitmix64(np.array(keys, dtype=np.uint64), seed)
    assert together.tolist() == [int(splitmix64(np.uint64(key), seed)) for key in keys]
    assert splitmix64(np.array(keys, dtype=np.uint64).reshape(1, -1), seed).shape == (1, len(keys))


@given(keys=st.lists(st.integers(0, MASK)), n=st.integers(1, 50), seed=st.integers(0, 5))
def test_buckets_are_in_range_and_signs_are_signs(keys, n, seed):
    numbers = np.array(keys, dtype=np.uint64)
    assert all(0 <= bucket < n for bucket in buckets(numbers, n, seed))
    assert set(signs(numbers, seed).tolist()) <= {1.0, -1.0}


def test_buckets_and_signs_are_spread_and_independent():
    keys, n = np.arange(100_000), 8
    placed, sign = buckets(keys, n), signs(keys)
    counts = np.bincount(placed, minlength=n)
    assert np.sum((counts - keys.size / n) ** 2) / (keys.size / n) < 24.3  # chi-square, 7 degrees, p = 0.001
    by_bucket = np.bincount(placed, weights=sign, minlength=n) / np.sqrt(counts)
    assert np.abs(by_bucket).max() < 3.5
    assert abs(np.sum(sign * signs(keys, 1))) / np.sqrt(keys.size) < 3.5


def test_strings_hash_alike_in_every_process():
    code = "from ffshare.tying import hash_keys; print(*hash_keys(['C-H', 'C-C']))"
    outputs = {
        subprocess.run(
            [sys.executable, "-c", code],
            env={**os.environ, "PYTHONHASHSEED": salt, "PYTHONPATH": os.pathsep.join(filter(None, sys.path))},
            capture_output=True,
            check=True,
            text=True,
        ).stdout
        for salt in ("1", "2")
    }
    assert outputs == {" ".join(map(str, hash_keys(["C-H", "C-C"]))) + "\n"}


@pytest.mark.parametrize(
    ("call", "message"),
    [
        (lambda: hash_keys("C-H"), r"expected several strings, got the one string 'C-H'"),
        (lambda: splitmix64(["C-H"]), r"strings become keys by hash_keys"),
        (lambda: splitmix64([0.5]), r"keys are whole numbers, got float64"),
        (lambda: buckets([1], 0), r"expected at least one bucket, got 0"),
    ],
)
def test_what_cannot_be_hashed_is_refused(call, message):
    with pytest.raises(TyingError, match=message):
        call()
