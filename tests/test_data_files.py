"""Where ffshare finds its own data."""

import pytest

from ffshare.data_files import data_directory
from ffshare.errors import InputError


@pytest.fixture
def package(tmp_path):
    folder = tmp_path / "site-packages" / "ffshare"
    folder.mkdir(parents=True)
    return folder


def test_an_installed_package_has_its_data_inside(package):
    (package / "data" / "rules").mkdir(parents=True)
    assert data_directory("rules", package) == package / "data" / "rules"


def test_a_clone_has_its_data_at_the_top(package):
    (package.parent / "pyproject.toml").touch()
    (package.parent / "rules").mkdir()
    assert data_directory("rules", package) == package.parent / "rules"


def test_a_folder_beside_an_installed_package_is_somebody_elses(package):
    (package.parent / "rules").mkdir()
    with pytest.raises(InputError, match=r"ffshare's own 'rules' folder is missing.*reinstall"):
        data_directory("rules", package)
