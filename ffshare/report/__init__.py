"""Pictures and pages made of results."""

from ffshare.report.comparison_plot import plot_comparison
from ffshare.report.fit_plots import plot_fit
from ffshare.report.growth_plot import check_plot, plot_growth
from ffshare.report.panels import draw_panels

__all__ = ["check_plot", "draw_panels", "plot_comparison", "plot_fit", "plot_growth"]
