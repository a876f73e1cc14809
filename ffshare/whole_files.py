"""Files that appear whole or not at all: written beside their name, forced to disk, and renamed."""

import os
import secrets
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from pathlib import Path

from ffshare.errors import OutputError

UNFINISHED = ".part"
"""How the names of files end that are being written."""


@contextmanager
def replacing(path: Path, inside: Path | None = None) -> Iterator[Path]:
    """A name to write to, which becomes another one when the block ends well, and vanishes where it does not.

    Args:
        path: The name that the file is to have; what was there is replaced.
        inside: Folder for the name to write to, on the same file system; by default the one of the file.

    Yields:
        The name to write to. By chance and not by the number of the process, since two containers may share a folder.

    Raises:
        OSError: The system refuses.

    Example:
        >>> import tempfile
        >>> path = Path(tempfile.mkdtemp()) / "table.csv"
        >>> with replacing(path) as unfinished:
        ...     written = unfinished.write_text("a,b")
        >>> path.read_text()
        'a,b'
    """
    unfinished = (inside or path.parent) / f".{path.name}.{secrets.token_hex(4)}{UNFINISHED}"
    try:
        yield unfinished
        to_disk(unfinished)
        os.replace(unfinished, path)
        # Until then a power cut may take the new name away. Some file systems refuse it for folders.
        with suppress(OSError):
            to_disk(path.parent)
    finally:
        with suppress(OSError):
            unfinished.unlink()


@contextmanager
def writing(path: Path, inside: Path | None = None) -> Iterator[Path]:
    """As `replacing`, with what the system refuses as an error that names the file.

    Args:
        path: The name that the file is to have.
        inside: Folder for the name to write to; by default the one of the file.

    Yields:
        The name to write to.

    Raises:
        OutputError: The file cannot be written.
    """
    try:
        with replacing(path, inside) as unfinished:
            yield unfinished
    except OSError as error:
        raise OutputError(f"cannot write {path}: {error.strerror or error}; choose another name or folder") from error


@contextmanager
def naming_folder(folder: Path) -> Iterator[None]:
    """A block in which what the system refuses becomes an error that names a folder.

    Args:
        folder: The folder that is written to.

    Raises:
        OutputError: The system refuses something.
    """
    try:
        yield
    except OSError as error:
        raise OutputError(
            f"cannot write to {folder}: {error.strerror or error}; name one that you may write to, with room"
        ) from error


def to_disk(path: Path) -> None:
    """Force a file, or the names in a folder, to disk.

    Args:
        path: The file or folder.

    Raises:
        OSError: The system refuses.
    """
    descriptor = os.open(path, os.O_RDONLY)
    try:
        os.fsync(descriptor)
    finally:
        os.close(descriptor)
