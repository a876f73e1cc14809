"""Force-field parameterization built round parameter sharing: assign, fit and count parameters.

The public names load their module when they are first used, so that `import ffshare` stays light.
"""

import importlib
from importlib import metadata
from typing import Any

# Public name to the module that holds it.
_HOMES: dict[str, str] = {
    "Assignment": "ffshare.assign",
    "Counts": "ffshare.assign",
    "FfshareError": "ffshare.errors",
    "ForceField": "ffshare.rules",
    "GraphBatch": "ffshare.molecules",
    "LinearTying": "ffshare.tying",
    "explain": "ffshare.assign",
    "from_smiles": "ffshare.molecules",
    "load_force_field": "ffshare.rules",
    "load_scheme": "ffshare.assign",
    "match": "ffshare.smirks",
    "read": "ffshare.molecules",
    "read_batches": "ffshare.molecules",
}

__all__ = ["__version__", *_HOMES]


def _version() -> str:
    try:
        return metadata.version("ffshare")
    except metadata.PackageNotFoundError:
        return "0+uninstalled"


def __getattr__(name: str) -> Any:
    if name == "__version__":
        value: Any = _version()
    elif name in _HOMES:
        value = getattr(importlib.import_module(_HOMES[name]), name)
    else:
        raise AttributeError(f"module {__name__!r} has no attribute {name!r}")
    # The next look-up finds it without coming here.
    globals()[name] = value
    return value


def __dir__() -> list[str]:
    return sorted(__all__)
