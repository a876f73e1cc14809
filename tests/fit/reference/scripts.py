"""The scripts of the repository as modules."""

import importlib
import sys
from pathlib import Path

SCRIPTS = Path(__file__).resolve().parents[3] / "scripts"


def script(name):
    """A script, or a module of a package beside them, found where Python finds it when a script runs."""
    if str(SCRIPTS) not in sys.path:
        sys.path.append(str(SCRIPTS))
    return importlib.import_module(name)
