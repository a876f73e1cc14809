"""SD files: records cut at the lines that start with ``$$$$``, without parsing them.

Of each record the connection table is kept, from the name line to ``M  END``; its data fields are left behind, so that
their size and their encoding do not matter. A last record without ``$$$$`` counts if it has its ``M  END``, which makes
a MOL file an SD file of one record. A record without ``M  END`` was cut short; one with two lost the ``$$$$`` between
two molecules.
"""

import re
from collections.abc import Iterator

from ffshare.errors import MoleculeError
from ffshare.molecules.columns import Columns
from ffshare.molecules.entries import Entry, Failure
from ffshare.molecules.sources import BLOCK_SIZE, DamageError, Source, shown_text

LONGEST_RECORD = 1 << 24

_DELIMITER = b"\n$$$$"
_TABLE_END = b"\nM  END"
_SDF_START = re.compile(rb"\A(?:[^\n]*\n){3}[^\n]*V[23]000|^M  END|^\$\$\$\$", re.MULTILINE)


def read_sdf(source: Source, indices: Iterator[int], columns: Columns) -> Iterator[Entry | Failure]:
    """The molecules of an SD or MOL file.

    Args:
        source: The file.
        indices: Gives the next molecule its index.
        columns: Not used: an SD file has no columns.

    Yields:
        An entry or a failure for every record.

    Raises:
        InputError: The file is empty or not text.
        DamageError: The compressed data end early or are damaged.
    """
    return sdf_entries(source.blocks(), source.shown, indices)


def sdf_entries(blocks: Iterator[bytes], shown: str, indices: Iterator[int]) -> Iterator[Entry | Failure]:
    """The molecules of a stream of SD records.

    Args:
        blocks: The content, cut anywhere.
        shown: Path as the entries give it.
        indices: Gives the next molecule its index.

    Yields:
        An entry or a failure for every record.
    """
    for line, content in sdf_records(blocks):
        try:
            text = _connection_table(content)
        except MoleculeError as error:
            yield Failure(
                index=next(indices),
                path=shown,
                line=line,
                name=shown_text(content.partition(b"\n")[0].strip()),
                text=shown_text(content),
                reason=error.reason,
                advice=error.advice,
            )
            continue
        name = text[: text.index("\n")].strip()
        yield Entry(index=next(indices), path=shown, line=line, name=name, kind="molblock", text=text)


def looks_like_sdf(head: bytes) -> bool:
    """Whether the beginning of a file is that of an SD or MOL file: by its fourth line, or a line that ends a molecule.

    Args:
        head: Four lines or more, where the file has them.
    """
    return _SDF_START.search(head) is not None


def sdf_records(blocks: Iterator[bytes], longest: int = LONGEST_RECORD) -> Iterator[tuple[int, bytes]]:
    r"""The records of an SD file, without their ``$$$$`` lines.

    Of a record much longer than allowed, somewhat more than `longest` bytes come; the rest is skipped.

    Args:
        blocks: The content, cut anywhere.
        longest: Bytes that a record may have.

    Yields:
        1-based line where the record starts, and its bytes.

    Raises:
        DamageError: From the blocks, with the line where the first record that is not whole starts.

    Example:
        >>> list(sdf_records(iter([b"one\n$$", b"$$\ntwo\nM  END"])))
        [(1, b'one\n'), (3, b'two\nM  END')]
    """
    # The buffer starts with what is left of the delimiter's line, so that a record starts after its first line feed.
    buffer, line, searched, n_skipped_lines = bytearray(b"\n"), 1, 0, 0
    try:
        for block in blocks:
            buffer += block
            while (end := buffer.find(_DELIMITER, searched)) >= 0:
                yield line, bytes(buffer[: end + 1]).partition(b"\n")[2]
                line += buffer.count(b"\n", 0, end + 1) + n_skipped_lines
                del buffer[: end + len(_DELIMITER)]
                searched = n_skipped_lines = 0
            searched = max(0, len(buffer) - len(_DELIMITER) + 1)
            kept = longest + BLOCK_SIZE
            if searched > kept:
                n_skipped_lines += buffer.count(b"\n", kept, searched)
                del buffer[kept:searched]
                searched = kept
    except DamageError as damage:
        raise damage.at(line) from damage
    last = bytes(buffer).partition(b"\n")[2]
    if last.strip():
        yield line, last


def _connection_table(content: bytes) -> str:
    if not content.strip():
        raise MoleculeError("empty SD record", "remove it")
    end = content.find(_TABLE_END)
    if end < 0 and len(content) > LONGEST_RECORD:
        raise MoleculeError(
            f"SD record longer than {LONGEST_RECORD:,} bytes without 'M  END' line", "look for a missing '$$$$' line"
        )
    if end < 0:
        raise MoleculeError("SD record cut short: no 'M  END' line", "get the file again, or complete the record")
    second = content.find(_TABLE_END, end + 1)
    # Data fields may quote a whole MOL block; before the first of them a second table is a second molecule.
    if second >= 0 and b"\n>" not in content[end:second]:
        raise MoleculeError("SD record with two 'M  END' lines", "put a '$$$$' line between the two molecules")
    table = content[: end + len(_TABLE_END)]
    if b"\0" in table:
        raise MoleculeError("SD record with a zero byte", "get the file again")
    try:
        text = table.decode()
    except UnicodeDecodeError as error:
        line = table.count(b"\n", 0, error.start) + 1
        reason = f"SD record is not UTF-8: byte 0x{table[error.start]:02x} in its line {line}"
        raise MoleculeError(reason, "save the file as UTF-8") from error
    return text.replace("\r\n", "\n").replace("\r", "\n") + "\n"
