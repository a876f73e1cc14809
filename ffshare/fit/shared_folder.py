"""A folder that workers read and write: those of a cluster run elsewhere, where its name may mean another one."""

import secrets
import socket
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from pathlib import Path

from ffshare.errors import OutputError
from ffshare.parallel import Engine
from ffshare.records import doc, record
from ffshare.whole_files import UNFINISHED, naming_folder


@record
class SharedFolder:
    """A folder, and how a worker knows that it sees the same one. Picklable."""

    path: Path = doc("the folder, from the root, since workers may stand elsewhere")
    token: str = doc("name of a file that only this folder has; '.', the folder itself, where all work is done here")

    def check(self) -> None:
        """Make sure that this process sees the folder.

        Raises:
            OutputError: It does not: it runs on a machine that does not share it.
        """
        if not (self.path / self.token).exists():
            raise OutputError(
                f"the worker on {socket.gethostname()} does not see {self.path}, where this run keeps what is done; "
                "with a scheduler, name a folder (--out) on a file system that all workers share"
            )


@contextmanager
def shared(folder: Path, engine: Engine) -> Iterator[SharedFolder]:
    """A block in which workers can tell a folder from others of its name.

    Args:
        folder: An existing folder.
        engine: Where the work is done. Processes of this machine see what this one sees.

    Yields:
        The folder for workers.

    Raises:
        OutputError: The folder cannot be written to.
    """
    if engine.scheduler is None:
        yield SharedFolder(path=folder.absolute(), token=".")
        return
    # Named as what a killed run leaves, so that the next run removes it.
    token = f".{secrets.token_hex(8)}{UNFINISHED}"
    with naming_folder(folder):
        (folder / token).touch()
    try:
        yield SharedFolder(path=folder.absolute(), token=token)
    finally:
        with suppress(OSError):
            (folder / token).unlink()
