"""The picture of a comparison."""

import re

import pytest

from ffshare.errors import InputError
from ffshare.report import plot_comparison


def row(scheme, exercised, rmse, interval):
    error = {"rmse": rmse, "interval": interval, "less_first": None, "range_of_draws": None}
    errors = {"energy": error, "force": error}
    return {
        "scheme": scheme,
        "exercised": exercised,
        "training": {"energy": rmse and rmse / 2, "force": rmse and rmse / 2},
        **dict.fromkeys(("held_out", "covered", "seen"), errors),
    }


ROWS = (
    row("few rules", 40, 3.0, [2.5, 3.5]),
    row("many rules", 4000, 2.0, [1.8, 2.3]),
    row("table alone", 0, 6.0, [5.0, 7.0]),
)


@pytest.mark.parametrize("suffix", [".png", ".svg", ".pdf"])
def test_a_picture_is_written_in_the_format_of_its_suffix(tmp_path, suffix):
    pytest.importorskip("matplotlib", reason="matplotlib draws the picture")
    path = tmp_path / f"picture{suffix}"
    plot_comparison(ROWS, path)
    start = {".png": b"\x89PNG", ".svg": b"<?xml", ".pdf": b"%PDF"}[suffix]
    assert path.read_bytes().startswith(start)


def test_every_scheme_is_named_once_for_both_panels(tmp_path):
    pytest.importorskip("matplotlib", reason="matplotlib draws the picture")
    path = tmp_path / "picture.svg"
    plot_comparison(ROWS, path)
    texts = re.findall(r"<text[^>]*>([^<]*)</text>", path.read_text())
    for each in ROWS:
        assert texts.count(each["scheme"]) == 1
    assert any("energies [kcal/mol]" in text for text in texts)
    assert any("force components [kcal/mol/Å]" in text for text in texts)


def test_the_same_numbers_give_the_same_picture_and_others_another(tmp_path):
    pytest.importorskip("matplotlib", reason="matplotlib draws the picture")
    paths = [tmp_path / f"{number}.svg" for number in range(3)]
    for path, rows in zip(paths, (ROWS, ROWS, ROWS[:2]), strict=True):
        plot_comparison(rows, path)
    first, second, third = (path.read_bytes() for path in paths)
    assert first == second
    assert first != third


def test_schemes_without_an_error_or_an_interval_are_passed_over_or_drawn_without(tmp_path):
    pytest.importorskip("matplotlib", reason="matplotlib draws the picture")
    path = tmp_path / "picture.svg"
    plot_comparison((*ROWS, row("unknown", 10, None, None), row("plain", 70, 2.5, None)), path, subset="covered")
    texts = re.findall(r"<text[^>]*>([^<]*)</text>", path.read_text())
    assert texts.count("unknown") == 0
    assert texts.count("plain") == 1


def test_another_suffix_is_refused(tmp_path):
    with pytest.raises(InputError, match=r"\.txt"):
        plot_comparison(ROWS, tmp_path / "picture.txt")
    assert list(tmp_path.iterdir()) == []
