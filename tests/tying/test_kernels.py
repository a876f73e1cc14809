"""Gather and segment sum on NumPy arrays."""

import os
import subprocess
import sys

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from ffshare.errors import TyingError
from ffshare.tying import multiply_accumulate, segment_sum


@given(
    segments=st.lists(st.integers(0, 4), max_size=20),
    shape=st.sampled_from([(), (1,), (3,), (2, 2), (0,)]),
    dtype=st.sampled_from([np.float16, np.float32, np.float64]),
    seed=st.integers(0, 100),
)
def test_segments_are_summed_as_a_loop_would(segments, shape, dtype, seed):
    values = np.random.default_rng(seed).integers(-8, 8, size=(len(segments), *shape)).astype(dtype)
    expected = np.zeros((5, *shape))
    for segment, value in zip(segments, values, strict=True):
        expected[segment] += value
    sums = segment_sum(values, segments if segments else np.array([], dtype=np.int64), 5)
    assert sums.dtype == dtype
    np.testing.assert_array_equal(sums, expected)


@given(seed=st.integers(0, 100))
def test_exchanging_from_and_to_gives_the_transpose(seed):
    rng = np.random.default_rng(seed)
    to, origin, coef = rng.integers(0, 4, 10), rng.integers(0, 3, 10), rng.normal(size=10)
    x, y = rng.normal(size=3), rng.normal(size=4)
    forth = multiply_accumulate(to, origin, coef, x, 4) @ y
    assert multiply_accumulate(origin, to, coef, y, 3) @ x == pytest.approx(forth, rel=1e-12)


def test_indices_in_order_need_not_be_given():
    values = np.array([1.0, 2.0, 4.0])
    assert multiply_accumulate(None, [2, 0], [10.0, 1.0], values, 2).tolist() == [40.0, 1.0]
    assert multiply_accumulate([1, 1, 0], None, None, values, 2).tolist() == [4.0, 3.0]


def test_a_segment_beyond_the_last_is_refused():
    with pytest.raises(TyingError, match=r"a segment is numbered 3, but there are 3, numbered from 0"):
        segment_sum([1.0], [3], 3)


def test_importing_the_package_loads_nothing_heavy():
    code = "import sys, ffshare.tying; print(sorted({'torch', 'rdkit', 'pandas', 'pyarrow'} & sys.modules.keys()))"
    path = os.pathsep.join(filter(None, sys.path))
    loaded = subprocess.run(
        [sys.executable, "-c", code], env={**os.environ, "PYTHONPATH": path}, capture_output=True, check=True, text=True
    )
    assert loaded.stdout == "[]\n"
