"""Plain panels are drawn with their labels, and the same panels give the same file."""

from dataclasses import dataclass

import pytest

from ffshare.errors import InputError
from ffshare.report import draw_panels


@dataclass
class Curve:
    label: str
    x: list
    y: list
    error: list | None = None
    style: str = "line"


@dataclass
class Axes:
    title: str
    series: list
    x_label: str = "number"
    y_label: str = "error"
    x_scale: str = "linear"
    y_scale: str = "linear"


PANELS = [
    Axes(
        "curves",
        [Curve("tied", [1.0, 10.0], [1.0, 0.1], [0.1, 0.01]), Curve("", [1.0, 10.0], [2.0, 2.0], None, "dashed")],
    ),
    Axes("bars", [Curve(name, ["near", "far"], [1.0, 2.0], None, "bars") for name in ("one", "two")], y_scale="log"),
]


def test_labels_titles_and_names_of_bars_are_in_the_picture(tmp_path):
    pytest.importorskip("matplotlib")
    draw_panels(PANELS, tmp_path / "panels.svg", "both")
    text = (tmp_path / "panels.svg").read_text(encoding="utf-8")
    for word in ("both", "curves", "tied", "bars", "near", "far", "one", "two", "number", "error"):
        assert f">{word}<" in text


def test_the_same_panels_give_the_same_file(tmp_path):
    pytest.importorskip("matplotlib")
    for name in ("first.svg", "second.svg"):
        draw_panels(PANELS, tmp_path / name)
    assert (tmp_path / "first.svg").read_bytes() == (tmp_path / "second.svg").read_bytes()


def test_another_suffix_is_refused(tmp_path):
    with pytest.raises(InputError, match="txt"):
        draw_panels(PANELS, tmp_path / "panels.txt")
