"""Folders of labels, finished or stopped half way; tests damage copies of them."""

import shutil
from pathlib import Path

import pytest

from tests.assign.library.folders import contents, make


@pytest.fixture(scope="module")
def finished(tmp_path_factory):
    """A folder that nothing disturbed; copied, never touched."""
    path = tmp_path_factory.mktemp("finished") / "out"
    make(path)
    return path


@pytest.fixture(scope="module")
def undisturbed(finished):
    return contents(finished)


@pytest.fixture(scope="module")
def half_way(tmp_path_factory):
    """A folder whose run stopped after three of five parts."""
    path = tmp_path_factory.mktemp("half") / "out"
    make(path, stop_after=3)
    return path


@pytest.fixture
def copied(tmp_path):
    """Copies a folder, to be damaged."""
    return lambda folder: Path(shutil.copytree(folder, tmp_path / "out"))
