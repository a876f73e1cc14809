"""Plots of a fit."""

from dataclasses import replace

import pytest

from ffshare.report import plot_fit
from tests.fit.run_samples import run_of, some_molecules, write_data

NAMES = ("energies", "forces", "parameters", "spectrum")


@pytest.fixture(scope="module", autouse=True)
def _needs_matplotlib():
    pytest.importorskip("matplotlib", reason="matplotlib is not installed")


@pytest.fixture(scope="module")
def run(tmp_path_factory):
    return run_of(write_data(tmp_path_factory.mktemp("data") / "data.parquet", n=6))


def test_each_plot_comes_as_png_and_svg_and_the_same_fit_gives_the_same_bytes(run):
    found = plot_fit(run)
    assert sorted(found) == sorted(f"{name}.{kind}" for name in NAMES for kind in ("png", "svg"))
    assert all(content.startswith(b"\x89PNG") for name, content in found.items() if name.endswith("png"))
    assert all(b"<svg" in content[:1000] for name, content in found.items() if name.endswith("svg"))
    assert plot_fit(run) == found


def test_the_titles_say_the_errors_of_all_numbers_and_the_rank(run):
    from matplotlib import rc_context

    with rc_context({"svg.fonttype": "none"}):
        found = plot_fit(run)
    for name, (before, after), unit in (
        ("energies", run.misfit.energies, "kcal/mol"),
        ("forces", run.misfit.forces, "kcal/mol/Å"),
    ):
        text = found[f"{name}.svg"].decode()
        assert f"before: RMSE {before.rmse:.3g} {unit}<" in text
        assert f"after: RMSE {after.rmse:.3g} {unit}<" in text
    known = run.result.identifiability
    title = f"{known.rank} of {len(run.result.parameters)} combinations determined"
    assert title in found["spectrum.svg"].decode()


def test_without_forces_there_is_no_plot_of_forces(tmp_path):
    molecules = tuple(replace(each, forces=None) for each in some_molecules().molecules[:4])
    found = plot_fit(run_of(write_data(tmp_path / "data.parquet", n=0, more=molecules)))
    assert sorted(found) == sorted(f"{name}.{kind}" for name in NAMES if name != "forces" for kind in ("png", "svg"))
