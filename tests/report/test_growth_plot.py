"""The picture of a count is written in each format, and refused before any work where it could not be."""

import pytest

from ffshare.assign.growth import Growth
from ffshare.errors import InputError, MissingDependencyError
from ffshare.report import check_plot, plot_growth

GROWTHS = {
    "few": Growth(n_molecules=3, first_uses={("Bonds", "b1"): (0, 2)}, first_gaps={}),
    "many": Growth(
        n_molecules=3,
        first_uses={("Bonds", "c-c"): (0, 2), ("Bonds", "c-o"): (2, 2)},
        first_gaps={("Bonds", ("c", "n")): 1},
    ),
}


@pytest.mark.parametrize(("suffix", "start"), [(".png", b"\x89PNG"), (".svg", b"<?xml version"), (".pdf", b"%PDF")])
def test_a_picture_is_written_in_each_format(tmp_path, suffix, start):
    pytest.importorskip("matplotlib")
    plot_growth(GROWTHS, tmp_path / f"count{suffix}")
    assert (tmp_path / f"count{suffix}").read_bytes().startswith(start)


def test_the_picture_names_every_scheme_and_shows_gaps_only_of_atom_types(tmp_path):
    pytest.importorskip("matplotlib")
    with_text = {"svg.fonttype": "none"}
    import matplotlib as mpl

    with mpl.rc_context(with_text):
        plot_growth(GROWTHS, tmp_path / "both.svg")
        plot_growth({"few": GROWTHS["few"]}, tmp_path / "few.svg")
    both, few = ((tmp_path / name).read_text() for name in ("both.svg", "few.svg"))
    assert (both.count(">few<"), both.count(">many<")) == (1, 2)
    assert "that no rule names" in both
    assert "that no rule names" not in few


def test_another_suffix_a_missing_folder_and_no_molecules_are_refused(tmp_path):
    pytest.importorskip("matplotlib")
    with pytest.raises(InputError, match=r"cannot plot to .*x\.gif; give a name that ends in \.png, \.svg, \.pdf"):
        check_plot(tmp_path / "x.gif")
    with pytest.raises(InputError, match="does not exist; make it first"):
        check_plot(tmp_path / "none" / "x.png")
    with pytest.raises(InputError, match="no molecule was counted, so there is nothing to plot"):
        plot_growth({}, tmp_path / "x.png")


def test_without_matplotlib_the_message_names_the_extra(tmp_path, monkeypatch):
    monkeypatch.setattr("ffshare.report.growth_plot.find_spec", lambda name: None)
    with pytest.raises(MissingDependencyError, match=r'pip install "ffshare\[plot\]"'):
        check_plot(tmp_path / "x.png")
