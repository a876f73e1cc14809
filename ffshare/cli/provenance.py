"""What made an output: version, scheme, checksums of force field and inputs, settings."""

from collections import Counter
from pathlib import Path
from typing import Any

from ffshare import __version__
from ffshare.assign import Scheme
from ffshare.data_files import checksum
from ffshare.molecules import STANDARD_INPUT


def provenance(scheme: Scheme, inputs: tuple[str, ...], settings: dict[str, Any]) -> dict[str, Any]:
    """What made an output.

    Args:
        scheme: The scheme.
        inputs: Paths, or '-', which has no checksum.
        settings: Options of the command that show in the outcome.

    Returns:
        A dictionary fit for JSON.
    """
    return {
        "ffshare": __version__,
        "scheme": scheme.name,
        "force_field_checksums": checksums_by_name(scheme),
        "input_checksums": {path: mark for given in inputs for path, mark in _of_input(given).items()},
        "settings": settings,
    }


def checksums_by_name(scheme: Scheme) -> dict[str, str]:
    """Checksums of the files of a scheme by their names, since an environment may have moved.

    Args:
        scheme: The scheme.

    Returns:
        The checksums in the order of the files; by path where two files have one name.
    """
    n_of = Counter(Path(path).name for path in scheme.checksums)
    names = {path: Path(path).name for path in scheme.checksums}
    return {names[path] if n_of[names[path]] == 1 else path: mark for path, mark in scheme.checksums.items()}


def _of_input(given: str) -> dict[str, str | None]:
    """Checksums of an input by file; standard input has none."""
    path = Path(given)
    if given == STANDARD_INPUT or not path.exists():
        return {given: None}
    files = sorted(each for each in path.rglob("*") if each.is_file()) if path.is_dir() else [path]
    return {str(each): checksum(each) if each.is_file() else None for each in files}
