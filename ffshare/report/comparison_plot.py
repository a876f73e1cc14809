"""The picture of a comparison: errors on molecules that no fit has seen against the number of parameters."""

from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

from ffshare.report.growth_plot import check_plot

_PANELS = (("energy", "energies [kcal/mol]"), ("force", "force components [kcal/mol/Å]"))


def plot_comparison(rows: Sequence[Mapping[str, Any]], path: Path, subset: str = "held_out") -> None:
    """Draw the errors of each scheme against the parameters that it exercises.

    Args:
        rows: A row a scheme, as `ffshare.fit.comparison.Comparison` has them; one without parameters is drawn as a
            line across.
        path: File to write: .png, .svg or .pdf.
        subset: Molecules that count: ``held_out``, ``covered`` or ``seen``.

    Raises:
        InputError: The file has another suffix.
        MissingDependencyError: matplotlib is not installed.
    """
    check_plot(path)
    import matplotlib
    from matplotlib.backends.backend_agg import FigureCanvasAgg
    from matplotlib.figure import Figure
    from matplotlib.ticker import LogLocator, MaxNLocator, ScalarFormatter

    # The same numbers give the same file: no date, no random ids.
    with matplotlib.rc_context({"svg.hashsalt": "ffshare", "svg.fonttype": "none"}):
        figure = Figure(figsize=(10.0, 5.0), layout="constrained")
        FigureCanvasAgg(figure)
        panels = figure.subplots(1, len(_PANELS))
        for axes, (kind, what) in zip(panels, _PANELS, strict=True):
            for place, row in enumerate(rows):
                _draw(axes, row, row[subset][kind], row["training"][kind], f"C{place}")
            axes.set(
                xscale="log", yscale="log", xlabel="parameters that the molecules exercise", ylabel=f"RMSE of {what}"
            )
            axes.xaxis.set_major_locator(LogLocator(subs=(1.0, 2.0, 5.0)))
            axes.yaxis.set_major_locator(MaxNLocator(nbins=8, steps=[1, 2, 5, 10]))
            for axis in (axes.xaxis, axes.yaxis):
                axis.set_major_formatter(ScalarFormatter())
            axes.minorticks_off()
            axes.margins(x=0.1)
            axes.grid(alpha=0.3)
        handles, names = panels[0].get_legend_handles_labels()
        figure.legend(handles, names, loc="outside lower center", ncols=4, frameon=False, fontsize="small")
        figure.suptitle("held out (filled, 95 % interval) and in training (open)", fontsize="medium")
        figure.savefig(path, dpi=150, metadata={"Date": None} if path.suffix == ".svg" else None)


def _draw(axes: Any, row: Mapping[str, Any], found: Mapping[str, Any], training: float, color: str) -> None:
    """One scheme: a point with its interval and the error in training, or a line where it has no parameters."""
    if found["rmse"] is None:
        return
    if not row["exercised"]:
        axes.axhline(found["rmse"], color="0.5", linestyle=":", linewidth=1, label=row["scheme"])
        return
    low, high = found["interval"] or (found["rmse"],) * 2
    spread = [[found["rmse"] - low], [high - found["rmse"]]]
    axes.errorbar(row["exercised"], found["rmse"], yerr=spread, fmt="o", color=color, capsize=3, label=row["scheme"])
    axes.plot(row["exercised"], training, "o", mfc="none", color=color)
