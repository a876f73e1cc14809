"""Data files: those that ffshare brings along (`rules`, `molecules`, `reference`), and what identifies a file.

In an installed package they lie in ``ffshare/data/``; in a clone they lie at the top of the repository.
"""

import hashlib
from pathlib import Path

from ffshare.errors import InputError

_PACKAGE = Path(__file__).parent


def data_directory(kind: str, package: Path = _PACKAGE) -> Path:
    """The folder with ffshare's own data of one kind.

    Args:
        kind: ``rules``, ``molecules`` or ``reference``.
        package: Folder of the package `ffshare`.

    Returns:
        An existing folder.

    Raises:
        InputError: Neither the installed package nor the clone round it has the folder.

    Example:
        >>> data_directory("rules").is_dir()
        True
    """
    installed = package / "data" / kind
    if installed.is_dir():
        return installed
    # Only in a clone: next to an installed package a folder of this name would be somebody else's.
    clone = package.parent
    if (clone / "pyproject.toml").is_file() and (clone / kind).is_dir():
        return clone / kind
    raise InputError(f"ffshare's own {kind!r} folder is missing from {package}; reinstall ffshare")


def checksum(path: Path) -> str:
    """The BLAKE2b checksum of a file's bytes.

    Args:
        path: The file.

    Returns:
        128 bits as hexadecimal text.
    """
    with open(path, "rb") as stream:
        return hashlib.file_digest(stream, lambda: hashlib.blake2b(digest_size=16)).hexdigest()
