"""Pictures of a fit: parity of energies and forces, parameters before and after, the spectrum of what the data see."""

import io
from collections.abc import Callable, Mapping
from importlib.util import find_spec
from typing import TYPE_CHECKING, Any

import numpy as np
from numpy.typing import NDArray

from ffshare.fit import KINDS, FitRun, Parity
from ffshare.fit.evaluate import ErrorSums
from ffshare.fit.result import UNITS

if TYPE_CHECKING:
    from matplotlib.figure import Figure

_FORMATS = ("png", "svg")
_BINS = 120


def plot_fit(run: FitRun) -> dict[str, bytes]:
    """Pictures of a fit.

    Args:
        run: The fit.

    Returns:
        Content of PNG and SVG files by their names; none where matplotlib is not installed.
    """
    if find_spec("matplotlib") is None:
        return {}
    from matplotlib import rc_context

    found = {}
    # Without a date, and with names that are not by chance, the same numbers give the same file.
    with rc_context({"svg.hashsalt": "ffshare"}):
        for name, draw in _DRAWN.items():
            figure = draw(run)
            if figure is not None:
                for kind in _FORMATS:
                    stream = io.BytesIO()
                    figure.savefig(stream, format=kind, dpi=150, metadata={"Date": None} if kind == "svg" else None)
                    found[f"{name}.{kind}"] = stream.getvalue()
    return found


def _figure(n_panels: int, height: float = 4.2) -> "tuple[Figure, NDArray[Any]]":
    from matplotlib.backends.backend_agg import FigureCanvasAgg
    from matplotlib.figure import Figure

    figure = Figure(figsize=(4.4 * n_panels, height), layout="constrained")
    FigureCanvasAgg(figure)
    return figure, figure.subplots(1, n_panels, squeeze=False)[0]


def _energies(run: FitRun) -> "Figure | None":
    what = "energy from the mean of the molecule"
    return _parity(run.misfit.energy_parity, run.misfit.energies, what, "kcal/mol")


def _forces(run: FitRun) -> "Figure | None":
    return _parity(run.misfit.force_parity, run.misfit.forces, "component of a force", "kcal/mol/Å")


def _parity(numbers: Parity, errors: tuple[ErrorSums, ErrorSums], what: str, unit: str) -> "Figure | None":
    """The force field against the reference, before and after, as densities on the same scales."""
    if not len(numbers.reference):
        return None
    from matplotlib.colors import LogNorm

    figure, panels = _figure(2)
    everything = np.concatenate([numbers.reference, numbers.before, numbers.after])
    low, high = float(everything.min()), float(everything.max())
    margin = 0.03 * max(high - low, 1e-6)
    edges = np.linspace(low - margin, high + margin, _BINS + 1)
    pairs = (("before", numbers.before), ("after", numbers.after))
    counts = {name: np.histogram2d(numbers.reference, values, bins=[edges, edges])[0].T for name, values in pairs}
    norm = LogNorm(vmin=1, vmax=max(2.0, *(float(count.max()) for count in counts.values())))
    for axes, (name, _), of in zip(panels, pairs, errors, strict=True):
        axes.axline((0.0, 0.0), slope=1.0, color="0.6", linewidth=0.8, zorder=0)
        shown = np.ma.masked_equal(counts[name], 0.0)
        axes.pcolormesh(edges, edges, shown, norm=norm, cmap="viridis", rasterized=True)
        axes.set(title=f"{name}: RMSE {of.rmse or 0.0:.3g} {unit}", xlabel=f"reference: {what} [{unit}]")
        axes.set_aspect("equal")
    panels[0].set_ylabel(f"force field [{unit}]")
    return figure


def _parameters(run: FitRun) -> "Figure | None":
    """Each kind of parameter before and after, with error bars of two standard errors where there is one."""
    result = run.result
    kinds = [kind for kind in range(len(KINDS)) if np.any(result.parameters.kinds == kind)]
    if not kinds:
        return None
    figure, panels = _figure(len(kinds))
    for axes, kind in zip(panels, kinds, strict=True):
        mine = result.parameters.kinds == kind
        before, after = result.parameters.values[mine], result.values[mine]
        errors = result.errors[mine]
        given = np.isfinite(errors)
        axes.axline((float(before[0]), float(before[0])), slope=1.0, color="0.6", linewidth=0.8, zorder=0)
        style = {"fmt": "o", "markersize": 3, "linewidth": 0.7}
        axes.errorbar(before[given], after[given], yerr=2.0 * errors[given], color="C0", label="± 2 errors", **style)
        if not given.all():
            axes.plot(before[~given], after[~given], "x", markersize=4, color="C3", label="no error bar, see flags")
        unit = UNITS[KINDS[kind]]
        axes.set(title=KINDS[kind], xlabel=f"before [{unit}]", ylabel=f"after [{unit}]")
        axes.legend(frameon=False, fontsize="small")
        axes.grid(alpha=0.3)
    return figure


def _spectrum(run: FitRun) -> "Figure | None":
    """Eigenvalues of what the data see, in prior widths: above 1 the data say more than the prior."""
    known = run.result.identifiability
    if not len(known.eigenvalues):
        return None
    figure, (axes,) = _figure(1)
    largest = float(known.eigenvalues.max())
    least = max(largest * known.tolerance, np.finfo(np.float64).tiny)
    values = np.maximum(known.eigenvalues, 0.1 * least)
    numbers = np.arange(1, len(values) + 1)
    axes.plot(numbers, values, ".", markersize=4, color="C0")
    axes.axhline(1.0, color="0.4", linewidth=0.8, label="as much as the prior")
    axes.axhline(least, color="C3", linewidth=0.8, linestyle="--", label="least that counts, one block")
    axes.set(
        title=f"{known.rank} of {len(run.result.parameters)} combinations determined",
        xlabel="combination",
        ylabel="eigenvalue of the data, in prior widths",
        yscale="log",
    )
    axes.legend(frameon=False, fontsize="small")
    axes.grid(alpha=0.3)
    return figure


_DRAWN: "Mapping[str, Callable[[FitRun], Figure | None]]" = {
    "energies": _energies,
    "forces": _forces,
    "parameters": _parameters,
    "spectrum": _spectrum,
}
