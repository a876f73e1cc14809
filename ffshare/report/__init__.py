"""Pictures and pages made of results."""

from ffshare.report.comparison_plot import plot_comparison
from ffshare.report.fit_plots import plot_fit
from ffshare.report.gallery import Exhibit, check_gallery, gallery_page, sentence, with_spread, write_gallery
from ffshare.report.growth_plot import check_plot, plot_growth
from ffshare.report.panels import draw_panels

__all__ = [
    "Exhibit",
    "check_gallery",
    "check_plot",
    "draw_panels",
    "gallery_page",
    "plot_comparison",
    "plot_fit",
    "plot_growth",
    "sentence",
    "with_spread",
    "write_gallery",
]
