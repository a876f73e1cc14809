"""One run at a time in a folder.

The system itself drops the lock when the process ends, in whatever way, so that a run that was killed never stands in
the way of the next one.
"""

import errno
import fcntl
import json
import os
import socket
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from datetime import UTC, datetime
from pathlib import Path

from ffshare.errors import OutputError

LOCK = ".lock"
"""Name of the file that holds the lock; it is gone when no run is under way, or one was killed."""

_NO_LOCKS = {errno.ENOLCK, errno.ENOSYS, errno.EOPNOTSUPP}


@contextmanager
def locked(folder: Path) -> Iterator[None]:
    """A block in which no other process is in such a block for the same folder.

    Args:
        folder: An existing folder.

    Raises:
        OutputError: Another run is under way there: its host, process and time are named; or the folder cannot be
            written to, or lies on a file system without locks.

    Example:
        >>> import tempfile
        >>> with locked(Path(tempfile.mkdtemp())):
        ...     pass
    """
    path = folder / LOCK
    try:
        descriptor = _taken(path)
    except OSError as error:
        if error.errno in _NO_LOCKS:
            advice = "its file system has no locks (flock): name a folder on another one"
        else:
            advice = "name one that you may write to, with room"
        raise OutputError(f"cannot write to {folder}: {error.strerror or error}; {advice}") from error
    try:
        yield
    finally:
        # Before the lock is let go: afterwards the name may be another run's.
        with suppress(OSError):
            path.unlink()
        os.close(descriptor)


def _taken(path: Path) -> int:
    """The open file of the lock, which is now ours."""
    while True:
        descriptor = os.open(path, os.O_RDWR | os.O_CREAT | os.O_CLOEXEC, 0o644)
        try:
            fcntl.flock(descriptor, fcntl.LOCK_EX | fcntl.LOCK_NB)
            # The run before may have taken the name away between both lines; then this file is nobody's.
            if not _is_at(descriptor, path):
                os.close(descriptor)
                continue
            owner = {"host": socket.gethostname(), "process": os.getpid(), "since": _now()}
            os.truncate(descriptor, 0)
            os.pwrite(descriptor, json.dumps(owner).encode(), 0)
            return descriptor
        except BlockingIOError as error:
            owner_text = os.pread(descriptor, 4096, 0)
            os.close(descriptor)
            raise OutputError(f"{path.parent} is in use {_owner(owner_text)}; wait for it, or name another") from error
        except BaseException:
            with suppress(OSError):
                os.close(descriptor)
            raise


def _is_at(descriptor: int, path: Path) -> bool:
    try:
        there = os.stat(path)
    except FileNotFoundError:
        return False
    return os.path.samestat(os.fstat(descriptor), there)


def _owner(text: bytes) -> str:
    try:
        owner = json.loads(text)
        return f"by a run on {owner['host']} since {owner['since']} (process {owner['process']})"
    except (ValueError, KeyError, TypeError):  # it is only beginning
        return "by another run"


def _now() -> str:
    return datetime.now(UTC).strftime("%Y-%m-%d %H:%M:%S UTC")
