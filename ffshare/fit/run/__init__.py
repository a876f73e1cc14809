"""Fits that are run from a settings file, and the folder that they leave."""

from ffshare.fit.run.files import write_run
from ffshare.fit.run.folder import RunFolder
from ffshare.fit.run.inputs import RunInputs, reference_path
from ffshare.fit.run.misfit import Misfit, Parity
from ffshare.fit.run.run import FitRun, run_fit
from ffshare.fit.run.settings import RunSettings
from ffshare.fit.run.settings_file import parse_settings, read_settings
from ffshare.fit.run.template import settings_text

__all__ = [
    "FitRun",
    "Misfit",
    "Parity",
    "RunFolder",
    "RunInputs",
    "RunSettings",
    "parse_settings",
    "read_settings",
    "reference_path",
    "run_fit",
    "settings_text",
    "write_run",
]
