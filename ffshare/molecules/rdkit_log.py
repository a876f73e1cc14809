"""RDKit's log, kept off the terminal and turned into reasons.

RDKit's parsers return None and write why to their log. Here the log is silenced while molecules are read, and read back
for the few inputs that fail.
"""

import logging
import re
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from typing import Any

from rdkit import rdBase

from ffshare.molecules.entries import plain_text

_TIME = re.compile(r"^\[\d\d:\d\d:\d\d\]\s*")
# Carets under the input, frames of asterisks and headings give no reason.
_TELLS = re.compile(r"^(?!.*(check for mistakes|Violation$|Range Error$|Invariant Violation)).*\w")
_DISABLED = re.compile(r"(\S+):disabled")
_LABEL = re.compile(r"^(SMILES|SMARTS) Parse Error:\s*")


@contextmanager
def silenced() -> Iterator[None]:
    """A context in which RDKit logs nothing."""
    block = rdBase.BlockLogs()
    try:
        yield
    finally:
        del block


class _Collector(logging.Handler):
    def __init__(self) -> None:
        super().__init__()
        self.messages: list[str] = []

    def emit(self, entry: logging.LogRecord) -> None:
        self.messages.append(entry.getMessage())


def reason_of_failure(action: Callable[[], Any]) -> str:
    """What RDKit logs while it runs an action that fails, in one line, shortened where it repeats a long input.

    RDKit's log is one for the whole process, so this is for the rare failure and not for every molecule.

    Args:
        action: A call of an RDKit parser that returns None.

    Returns:
        RDKit's own reason, '' if it gave none.

    Example:
        >>> from rdkit import Chem
        >>> reason_of_failure(lambda: Chem.MolFromSmiles("C1CC"))
        "unclosed ring for input: 'C1CC'"
    """
    logger, collector = logging.getLogger("rdkit"), _Collector()
    handlers, propagate = logger.handlers[:], logger.propagate
    logger.handlers, logger.propagate = [collector], False
    status = rdBase.LogStatus()
    rdBase.LogToPythonLogger()
    try:
        action()
    finally:
        rdBase.LogToCppStreams()
        # Streams come back open, those too that the caller had silenced.
        for name in _DISABLED.findall(status):
            rdBase.DisableLog(name)
        logger.handlers, logger.propagate = handlers, propagate
    lines = [_LABEL.sub("", _TIME.sub("", message)).strip() for message in collector.messages]
    telling = [part.strip() for line in lines for part in line.splitlines() if _TELLS.search(part)]
    return plain_text(telling[0]) if telling else ""
