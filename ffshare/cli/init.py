"""`ffshare init`: a settings file for `ffshare fit`, every setting explained."""

import os
from pathlib import Path

from ffshare.cli.outputs import OutputFiles
from ffshare.errors import OutputError
from ffshare.fit import settings_text


def init(file: Path = Path("run.yaml"), /) -> None:
    """Write a settings file for `ffshare fit`: every setting with its meaning, unit and default.

    As it is, it fits openff-2.2.1 to the reference data that ship with ffshare.

    Args:
        file: File to write; one that exists is not replaced.
    """
    if os.path.lexists(file):
        raise OutputError(f"cannot write {file}: it exists already; choose another name, or remove it")
    with OutputFiles() as files:
        files.text(file).write(settings_text(file.name))
    print(f"{file} written; change what you need, then: ffshare fit {file}")
