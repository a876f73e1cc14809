"""The bytes of a rule file, bounded: whatever stands there, no more than some megabytes come into memory."""

from pathlib import Path

from ffshare.errors import Fault, RuleFileError

# The largest released force field has 4 MB.
MOST_BYTES = 20_000_000


def read_content(path: str | Path) -> bytes:
    """The content of a rule file.

    Args:
        path: The file.

    Returns:
        Its bytes.

    Raises:
        RuleFileError: It cannot be read, or is larger than any force field.
    """
    try:
        with open(path, "rb") as stream:
            content = stream.read(MOST_BYTES + 1)
    except OSError as error:
        raise RuleFileError(str(path), [Fault(f"the file cannot be read: {error.strerror or error}")]) from error
    if len(content) > MOST_BYTES:
        raise RuleFileError(str(path), [Fault(f"the file has more than {MOST_BYTES:,} bytes; is it a force field?")])
    return content
