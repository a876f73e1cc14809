"""Pictures and pages made of results."""

from ffshare.report.growth_plot import check_plot, plot_growth

__all__ = ["check_plot", "plot_growth"]
