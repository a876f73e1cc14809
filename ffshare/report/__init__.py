"""Pictures and pages made of results."""

from ffshare.report.comparison_plot import plot_comparison
from ffshare.report.fit_plots import plot_fit
from ffshare.report.growth_plot import check_plot, plot_growth

__all__ = ["check_plot", "plot_comparison", "plot_fit", "plot_growth"]
