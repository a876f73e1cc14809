"""One thread for linear algebra, in libraries too that were loaded after the first look at them."""

import os
import subprocess
import sys

import pytest
from threadpoolctl import threadpool_info

from ffshare.parallel import one_thread

LATE = """
from ffshare.parallel import one_thread
with one_thread():
    pass
import torch
before = torch.get_num_threads()
with one_thread():
    print(before, torch.get_num_threads())
print(torch.get_num_threads())
"""


def test_all_libraries_have_one_thread_inside_and_theirs_again_outside():
    before = threadpool_info()
    assert before
    with one_thread(), one_thread():
        assert {each["num_threads"] for each in threadpool_info()} == {1}
    assert threadpool_info() == before


def test_what_is_loaded_later_has_one_thread_too():
    pytest.importorskip("torch", reason="torch is not installed")
    environment = {**os.environ, "OMP_NUM_THREADS": "2", "MKL_NUM_THREADS": "2"}
    done = subprocess.run([sys.executable, "-c", LATE], env=environment, capture_output=True, text=True, check=True)
    assert done.stdout == "2 1\n2\n"
