"""Pictures of plain panels: lines, points and bars with their errors, whatever they are of."""

from collections.abc import Sequence
from pathlib import Path
from typing import Any, Protocol

from ffshare.report.growth_plot import check_plot


class Curve(Protocol):
    """Points of one kind: what `draw_panels` needs to know of them."""

    @property
    def label(self) -> str:
        """Name in the legend; '' for none."""
        ...

    @property
    def x(self) -> Sequence[float] | Sequence[str]:
        """Abscissas, or names of bars."""
        ...

    @property
    def y(self) -> Sequence[float]:
        """Ordinates."""
        ...

    @property
    def error(self) -> Sequence[float] | None:
        """Standard errors of the ordinates."""
        ...

    @property
    def style(self) -> str:
        """'line', 'points', 'bars' or 'dashed'."""
        ...


class Axes(Protocol):
    """One set of axes: what `draw_panels` needs to know of it."""

    @property
    def title(self) -> str:
        """Title."""
        ...

    @property
    def x_label(self) -> str:
        """What the abscissa is."""
        ...

    @property
    def y_label(self) -> str:
        """What the ordinate is."""
        ...

    @property
    def x_scale(self) -> str:
        """'linear' or 'log'."""
        ...

    @property
    def y_scale(self) -> str:
        """'linear' or 'log'."""
        ...

    @property
    def series(self) -> Sequence[Curve]:
        """What is drawn."""
        ...


_FORMATS = {"line": "o-", "points": "o", "dashed": "--"}


def draw_panels(panels: Sequence[Axes], path: Path, title: str = "") -> None:
    """Draw panels side by side.

    Args:
        panels: One or more sets of axes.
        path: File to write: .png, .svg or .pdf. The same panels give the same file.
        title: Title above all.

    Raises:
        InputError: The file has another suffix.
        MissingDependencyError: matplotlib is not installed.
    """
    check_plot(path)
    import matplotlib
    from matplotlib.backends.backend_agg import FigureCanvasAgg
    from matplotlib.figure import Figure

    # The same numbers give the same file: no date, no random ids.
    with matplotlib.rc_context({"svg.hashsalt": "ffshare", "svg.fonttype": "none"}):
        figure = Figure(figsize=(5.0 * len(panels), 4.2), layout="constrained")
        FigureCanvasAgg(figure)
        for axes, panel in zip(figure.subplots(1, len(panels), squeeze=False)[0], panels, strict=True):
            _draw(axes, panel)
        if title:
            figure.suptitle(title, fontsize="medium")
        figure.savefig(path, dpi=150, metadata={"Date": None} if path.suffix == ".svg" else None)


def _draw(axes: Any, panel: Axes) -> None:
    bars = [curve for curve in panel.series if curve.style == "bars"]
    for curve in panel.series:
        label = curve.label or None
        if curve.style == "bars":
            width = 0.8 / len(bars)
            shift = (bars.index(curve) - (len(bars) - 1) / 2) * width
            places = [place + shift for place in range(len(curve.x))]
            axes.bar(places, curve.y, width=width, yerr=curve.error, capsize=3, label=label)
            axes.set_xticks(range(len(curve.x)), [str(name) for name in curve.x])
        else:
            axes.errorbar(curve.x, curve.y, yerr=curve.error, fmt=_FORMATS[curve.style], capsize=3, ms=4, label=label)
    axes.set(title=panel.title, xlabel=panel.x_label, ylabel=panel.y_label)
    # A scale that is set drops the names of bars.
    if panel.x_scale != "linear":
        axes.set_xscale(panel.x_scale)
    axes.set_yscale(panel.y_scale)
    axes.title.set_fontsize("medium")
    axes.grid(alpha=0.3)
    if any(curve.label for curve in panel.series):
        axes.legend(frameon=False, fontsize="small")
