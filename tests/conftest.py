"""What all tests share: a profile of hypothesis that makes every run the same, and the data kept beside the project."""

import os
from pathlib import Path

import pytest
from hypothesis import settings

from ffshare.parallel import Engine

# Seeded by the test itself, so that a pass stays a pass; no deadline, since machines differ.
settings.register_profile("reproducible", derandomize=True, deadline=None, database=None)
settings.load_profile("reproducible")


@pytest.fixture(scope="session")
def test_data():
    """The folder of data kept beside the project, too large or too foreign to be part of it."""
    given = os.environ.get("FFSHARE_TEST_DATA")
    folder = Path(given) if given else Path(__file__).resolve().parents[2] / "shared" / "data"
    if not folder.is_dir():
        pytest.skip(f"no test data at {folder}; set FFSHARE_TEST_DATA to their folder")
    return folder


@pytest.fixture(scope="session")
def cluster_address():
    """The scheduler of two worker processes of dask on this machine, with two threads each."""
    distributed = pytest.importorskip("distributed", reason="distributed is not installed")
    with distributed.LocalCluster(n_workers=2, threads_per_worker=2, dashboard_address=":0") as made:
        yield made.scheduler_address


@pytest.fixture(params=["processes", "cluster"])
def elsewhere(request):
    """Engines that do no work in this process."""
    if request.param == "processes":
        return Engine(workers=2)
    return Engine(scheduler=request.getfixturevalue("cluster_address"))
