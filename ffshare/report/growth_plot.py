"""The picture of a count: how the parameters in use, and the gaps of atom types, grow with the molecules."""

from collections.abc import Mapping
from importlib.util import find_spec
from pathlib import Path

from ffshare.assign.growth import Growth
from ffshare.errors import InputError, MissingDependencyError

FORMATS = (".png", ".svg", ".pdf")


def plot_growth(growths: Mapping[str, Growth], path: Path) -> None:
    """Draw parameters in use and gaps against the number of molecules, one line a scheme.

    Args:
        growths: Growth over the same molecules by the name of the scheme.
        path: File to write: .png, .svg or .pdf.

    Raises:
        InputError: The file has another suffix, or there is nothing to draw.
        MissingDependencyError: matplotlib is not installed.
    """
    check_plot(path)
    if not growths or not any(one.n_molecules for one in growths.values()):
        raise InputError("no molecule was counted, so there is nothing to plot; give at least one")
    from matplotlib.backends.backend_agg import FigureCanvasAgg
    from matplotlib.figure import Figure

    colors = {name: f"C{place}" for place, name in enumerate(growths)}
    panels = [
        ("Parameters that molecules use", "parameters", {name: one.parameters() for name, one in growths.items()}),
        (
            "Type combinations that no rule names",
            "combinations of atom types",
            {name: one.gaps() for name, one in growths.items() if one.first_gaps},
        ),
    ]
    panels = [panel for panel in panels if panel[2]]
    figure = Figure(figsize=(5.0 * len(panels), 4.2), layout="constrained")
    FigureCanvasAgg(figure)
    for axes, (title, what, curves) in zip(figure.subplots(1, len(panels), squeeze=False)[0], panels, strict=True):
        for name, numbers in curves.items():
            axes.step(range(len(numbers)), numbers, where="post", label=name, color=colors[name])
        axes.set(title=title, xlabel="molecules", ylabel=what)
        axes.set_xlim(left=0)
        axes.set_ylim(bottom=0)
        axes.grid(alpha=0.3)
        axes.legend(frameon=False, loc="best", fontsize="small")
    # Without a date the same numbers give the same file.
    figure.savefig(path, dpi=150, metadata={"Date": None} if path.suffix == ".svg" else None)


def check_plot(path: Path) -> None:
    """Refuse a picture that could not be written, before any work is done for it.

    Args:
        path: File to write.

    Raises:
        InputError: It has a suffix that is not one of `FORMATS`, or its folder does not exist.
        MissingDependencyError: matplotlib is not installed.
    """
    if path.suffix not in FORMATS:
        raise InputError(f"cannot plot to {path}; give a name that ends in {', '.join(FORMATS)}")
    if not path.parent.is_dir():
        raise InputError(f"cannot plot to {path}: the folder {path.parent} does not exist; make it first")
    if find_spec("matplotlib") is None:
        raise MissingDependencyError(
            'a plot needs matplotlib, which is not installed; run: pip install "ffshare[plot]"'
        )
