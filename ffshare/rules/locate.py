"""Where force fields lie: paths, ffshare's own rule files, and the directories that installed packages publish.

Packages with offxml files publish their directories through the entry point group
``openforcefield.smirnoff_forcefield_directory``. openff-toolkit takes any file whose path *ends* with the name asked
for, so that ``2.0.0.offxml`` or ``tip3p.offxml`` in the current directory finds surprising files; here a name is the
whole name of a file, with or without its extension.
"""

import difflib
import importlib.util
from collections.abc import Iterator
from importlib import metadata
from pathlib import Path

from ffshare.data_files import data_directory
from ffshare.errors import MissingDependencyError, SchemeError

EXTENSIONS = (".offxml", ".toml")

TYPING_FILE = "typing.toml"
_ENTRY_POINTS = "openforcefield.smirnoff_forcefield_directory"


def available_force_fields() -> tuple[str, ...]:
    """The names of all force fields that `load_force_field` finds, sorted.

    Names of files in sub-folders carry the folder: ``old/hbonds.offxml``.

    Returns:
        File names with their extension.

    Example:
        >>> "openff-2.3.0.offxml" in available_force_fields()
        True
    """
    return tuple(
        sorted(
            {
                path.relative_to(directory).as_posix()
                for directory in _directories()
                for path in directory.rglob("*")
                if path.suffix in EXTENSIONS and not is_atom_typed(path.parent)
            }
        )
    )


def locate(name: str | Path) -> Path:
    """The file of a force field.

    Args:
        name: Path of an ``.offxml`` or ``.toml`` file, or the name of an installed force field with or without
        extension.

    Returns:
        An existing file. A path comes before an installed force field of that name.

    Raises:
        SchemeError: There is no such file and no such force field.
        MissingDependencyError: There is none, and the packages that hold the released ones are not installed.

    Example:
        >>> locate("openff-2.3.0").name
        'openff-2.3.0.offxml'
    """
    found = _found(name)
    if found is None:
        raise _not_found(str(name))
    return found


def force_field_exists(name: str | Path) -> bool:
    """Whether `locate` finds a file.

    Args:
        name: As for `locate`.

    Returns:
        Whether there is such a file or installed force field.

    Example:
        >>> force_field_exists("alkethoh-smirks"), force_field_exists("alkethoh-smirk")
        (True, False)
    """
    return _found(name) is not None


def _found(name: str | Path) -> Path | None:
    path = Path(name)
    if path.suffix in (*EXTENSIONS, ".xml") and _is_file(path):
        return path
    text = str(name)
    candidates = [text] if text.endswith(EXTENSIONS) else [text + extension for extension in EXTENSIONS]
    for directory in _directories():
        for candidate in candidates:
            if _is_file(directory / candidate):
                return directory / candidate
    return None


def is_atom_typed(folder: str | Path) -> bool:
    """Whether a folder holds an atom-typed force field: typing rules and tables, no SMIRNOFF rules.

    Args:
        folder: A path, which need not exist.

    Returns:
        Whether it has typing rules.

    Example:
        >>> is_atom_typed(data_directory("rules") / "gaff"), is_atom_typed("openff-2.3.0")
        (True, False)
    """
    return _is_file(Path(folder) / TYPING_FILE)


def _is_file(path: Path) -> bool:
    try:
        return path.is_file()
    except OSError:  # a name longer than the file system takes, such as the content of a file
        return False


def _directories() -> Iterator[Path]:
    """Directories with force fields, in the order of look-up; where a name occurs twice, the first counts."""
    yield data_directory("rules")
    for entry_point in metadata.entry_points(group=_ENTRY_POINTS):
        yield from map(Path, entry_point.load()())
    toolkit = _package_directory("openff.toolkit")
    if toolkit is not None:
        yield toolkit / "data" / "test_forcefields"


def _package_directory(package: str) -> Path | None:
    """Where a package lies, without importing it; None where it is not installed."""
    try:
        spec = importlib.util.find_spec(package)
    except ModuleNotFoundError:  # of the parent package
        return None
    locations = list(spec.submodule_search_locations or ()) if spec is not None else []
    return Path(locations[0]) if locations else None


def _not_found(name: str) -> SchemeError | MissingDependencyError:
    shown = name if len(name) <= 80 else f"{name[:79]}…"
    if _package_directory("openforcefields") is None:
        return MissingDependencyError(
            f"force field {shown!r} is no file and not one of ffshare's own, and the released OpenFF force fields are "
            'not installed: pip install "ffshare[openff]" (or openff-forcefields from conda-forge)'
        )
    stems = [known.removesuffix(".offxml").removesuffix(".toml") for known in available_force_fields()]
    wanted = name.removesuffix(".offxml").removesuffix(".toml")
    closest = difflib.get_close_matches(wanted, stems, n=3) if len(name) <= 80 else []
    advice = f"closest are {', '.join(closest)}" if closest else "none has a similar name"
    return SchemeError(
        f"no file and no installed force field is called {shown!r}; {advice}; "
        "ffshare.rules.available_force_fields() lists all"
    )
