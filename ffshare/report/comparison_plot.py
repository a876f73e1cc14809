"""The picture of a comparison: errors on molecules that no fit has seen against the number of parameters."""

from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

from ffshare.report.growth_plot import check_plot

_PANELS = (("energy", "energies [kcal/mol]"), ("force", "force components [kcal/mol/Å]"))
# Where a label stands beside its point, in turn, so that neighbours do not cover each other.
_PLACES = ((6, 5), (6, -11), (-6, 8), (6, 12))


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

    # The same numbers give the same file: no date, no random ids.
    with matplotlib.rc_context({"svg.hashsalt": "ffshare", "svg.fonttype": "none"}):
        figure = Figure(figsize=(10.0, 4.6), layout="constrained")
        FigureCanvasAgg(figure)
        for axes, (kind, what) in zip(figure.subplots(1, len(_PANELS)), _PANELS, strict=True):
            for place, row in enumerate(rows):
                found = row[subset][kind]
                if found["rmse"] is None:
                    continue
                if not row["exercised"]:
                    axes.axhline(found["rmse"], color="0.5", linestyle=":", linewidth=1)
                    axes.annotate(
                        row["scheme"], (0.01, found["rmse"]), xycoords=("axes fraction", "data"), fontsize="small",
                        color="0.4", va="bottom",
                    )  # fmt: skip
                    continue
                low, high = found["interval"] or (found["rmse"],) * 2
                axes.errorbar(
                    row["exercised"],
                    found["rmse"],
                    yerr=[[found["rmse"] - low], [high - found["rmse"]]],
                    fmt="o",
                    color=f"C{place}",
                    capsize=3,
                )
                axes.plot(row["exercised"], row["training"][kind], "o", mfc="none", color=f"C{place}")
                axes.annotate(
                    row["scheme"],
                    (row["exercised"], found["rmse"]),
                    textcoords="offset points",
                    xytext=_PLACES[place % len(_PLACES)],
                    fontsize="small",
                    color=f"C{place}",
                    ha="left" if _PLACES[place % len(_PLACES)][0] > 0 else "right",
                )
            axes.set(xscale="log", xlabel="parameters that the molecules exercise", ylabel=f"RMSE of {what}")
            axes.set_ylim(bottom=0)
            axes.margins(x=0.15)
            axes.grid(alpha=0.3)
            axes.set_title("held out (filled, 95 % interval) and in training (open)", fontsize="medium")
        figure.savefig(path, dpi=150, metadata={"Date": None} if path.suffix == ".svg" else None)
