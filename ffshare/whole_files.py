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
def replacing(path: Path) -> Iterator[Path]:
    """A name to write to, which becomes another one when the block ends well, and vanishes where it does not.

    Args:
        path: The name that the file is to have; what was there is replaced.

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
    unfinished = path.with_name(f".{path.name}.{secrets.token_hex(4)}{UNFINISHED}")
    try:
        yield unfinished
        with unfinished.open("rb") as file:
            os.fsync(file.fileno())
        os.replace(unfinished, path)
    finally:
        with suppress(OSError):
            unfinished.unlink()


@contextmanager
def writing(path: Path) -> Iterator[Path]:
    """As `replacing`, with what the system refuses as an error that names the file.

    Args:
        path: The name that the file is to have.

    Yields:
        The name to write to.

    Raises:
        OutputError: The file cannot be written.
    """
    try:
        with replacing(path) as unfinished:
            yield unfinished
    except OSError as error:
        raise OutputError(f"cannot write {path}: {error.strerror or error}; choose another name or folder") from error
