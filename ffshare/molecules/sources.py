"""The bytes of an input: opened, decompressed, checked at their start, and cut into lines.

Everything is read in blocks of 64 KiB, so memory does not grow with the input. Gzip is known by its first two bytes and
not by the name. When compressed data end early or are damaged, all that could be decompressed before is handed on
first; then `DamageError` says where the readable part ends. What no line can make good (an empty file, a binary one,
UTF-16) is an `InputError` at the first block.
"""

import codecs
import gzip
import io
import re
import zlib
from collections.abc import Iterator
from pathlib import Path
from typing import Any, BinaryIO, cast

from ffshare.errors import FfshareError, InputError, MoleculeError
from ffshare.records import doc, record

BLOCK_SIZE = 1 << 16
LONGEST_LINE = 1 << 16

_GZIP_START = b"\x1f\x8b"
_NOT_TEXT = {
    codecs.BOM_UTF16_LE: "UTF-16 text; save it as UTF-8",
    codecs.BOM_UTF16_BE: "UTF-16 text; save it as UTF-8",
    b"PAR1": "a Parquet file; name it .parquet",
    b"PK\x03\x04": "a zip archive or a spreadsheet; extract it, or export it as CSV",
    b"BZh": "compressed by bzip2; use gzip or no compression",
    b"\xfd7zXZ": "compressed by xz; use gzip or no compression",
    b"\x28\xb5\x2f\xfd": "compressed by zstd; use gzip or no compression",
    b"%PDF": "a PDF document; export the molecules as SMILES or SDF",
}
_CONTROL = re.compile("[\x00-\x08\x0a-\x1f\x7f]")
# Heuristic: random bytes give 0.5 to 0.6, text in a western 8-bit encoding under 0.1.
_BINARY_SHARE = 0.3
_BINARY_SAMPLE = 8192
_TOO_SHORT_TO_TELL = 64


class DamageError(FfshareError):
    """The rest of a file cannot be read: one failure stands for all molecules in it.

    Attributes:
        reason: What is wrong.
        advice: What the user can do.
        line: 1-based line (row of a Parquet file) where the unreadable part begins; 0 while not known.
    """

    def __init__(self, reason: str, advice: str, line: int = 0) -> None:
        self.reason = reason
        self.advice = advice
        self.line = line
        super().__init__(f"{reason}; {advice}")

    def __reduce__(self) -> tuple[type, tuple[str, str, int]]:
        return type(self), (self.reason, self.advice, self.line)

    def at(self, line: int) -> "DamageError":
        """The same, with its place."""
        return DamageError(self.reason, self.advice, line)


@record
class Source:
    """One file to read, or standard input."""

    shown: str = doc("path as messages and tables show it; '-' for standard input")
    path: Path | None = doc("the file; None for standard input")
    stream: BinaryIO | None = doc("standard input; None for a file")

    def blocks(self) -> Iterator[bytes]:
        """The decompressed content in blocks, without byte order mark.

        The first block holds at least four lines where the input does, enough to tell formats apart.

        Raises:
            InputError: The input is empty or not UTF-8 text.
            DamageError: The compressed data end early or are damaged.
        """
        if self.path is not None:
            with self.path.open("rb") as file:
                yield from _checked_blocks(file, self.shown)
        elif isinstance(self.stream, io.BufferedReader):
            yield from _checked_blocks(self.stream, self.shown)
        elif self.stream is not None:
            buffered = io.BufferedReader(cast(Any, self.stream))
            try:
                yield from _checked_blocks(buffered, self.shown)
            finally:
                buffered.detach()  # else the stream, which is not ours, would be closed


def _checked_blocks(file: io.BufferedReader, shown: str) -> Iterator[bytes]:
    blocks = _decompressed_blocks(file, shown)
    head, damage = b"", None
    try:
        for block in blocks:
            head += block
            if len(head) >= BLOCK_SIZE or head.count(b"\n") >= 4:
                break
    except DamageError as error:
        damage = error
    if not head and damage is None:
        raise InputError(f"{shown}: is empty; expected molecules")
    _check_start(head, shown)
    yield head.removeprefix(codecs.BOM_UTF8)
    if damage is not None:
        raise damage
    yield from blocks


def _decompressed_blocks(file: io.BufferedReader, shown: str) -> Iterator[bytes]:
    start = file.peek(2)[:2]
    is_gzip = start == _GZIP_START
    if start and not is_gzip and shown.lower().endswith(".gz"):
        raise InputError(f"{shown}: is not gzip data; compress it or take .gz off its name")
    content = gzip.GzipFile(fileobj=file) if is_gzip else file
    try:
        while block := content.read1(BLOCK_SIZE):
            yield block
    except (EOFError, gzip.BadGzipFile, zlib.error) as error:
        raise DamageError(
            f"the compressed data end early or are damaged here, so the rest of the file is lost: {error}",
            "get the file again; `gzip -t` tells whether it is whole",
        ) from error


def _check_start(head: bytes, shown: str) -> None:
    sample = head[:_BINARY_SAMPLE].decode("utf-8", "replace")
    n_odd = sample.count("\ufffd") + len(_CONTROL.findall(sample.replace("\r", "").replace("\n", "")))
    for start, what in _NOT_TEXT.items():
        # Nothing but text is text, whatever its first letters: an SD file may begin with the name of a PAR1 antagonist.
        if n_odd and head.startswith(start):
            raise InputError(f"{shown}: is {what}")
    if len(sample) >= _TOO_SHORT_TO_TELL and n_odd > _BINARY_SHARE * len(sample):
        raise InputError(
            f"{shown}: is not UTF-8 text, but a binary file or another encoding; "
            "give its format by its suffix, or convert it to UTF-8"
        )


def numbered_lines(blocks: Iterator[bytes], longest: int = LONGEST_LINE) -> Iterator[tuple[int, bytes]]:
    r"""The lines of a stream with their 1-based numbers, without their line feeds.

    Of a line longer than allowed, `longest` + 1 bytes come, so that its length tells; the rest is skipped.

    Args:
        blocks: The content, cut anywhere.
        longest: Bytes that a line may have.

    Yields:
        Number and bytes of each line.

    Raises:
        DamageError: From the blocks, with the number of the first line that is not whole.

    Example:
        >>> list(numbered_lines(iter([b"CC", b"O\nC", b"CC\n"])))
        [(1, b'CCO'), (2, b'CCC')]
    """
    number, rest = 1, b""
    try:
        for block in blocks:
            *lines, rest = (rest + block).split(b"\n")
            for line in lines:
                yield number, line[: longest + 1]
                number += 1
            rest = rest[: longest + 1]
    except DamageError as damage:
        raise damage.at(number) from damage
    if rest:
        yield number, rest


def text_of(line: bytes) -> str:
    r"""The text of a line or cell, without a carriage return at its end.

    Args:
        line: UTF-8 bytes.

    Returns:
        The text, free of control characters other than the tabulator.

    Raises:
        MoleculeError: The line is too long, not UTF-8, or holds control characters.

    Example:
        >>> text_of(b"CCO\tethanol\r")
        'CCO\tethanol'
    """
    if len(line) > LONGEST_LINE:
        raise MoleculeError(
            f"longer than {LONGEST_LINE:,} bytes", "check that the line is one molecule; give very large ones as SDF"
        )
    try:
        text = line.decode().removesuffix("\r")
    except UnicodeDecodeError as error:
        raise MoleculeError(
            f"not UTF-8: byte 0x{line[error.start]:02x} at position {error.start + 1}", "save the file as UTF-8"
        ) from error
    if not text.isprintable() and (control := _CONTROL.search(text)):
        raise MoleculeError(
            f"control character {control.group()!a} at position {control.start() + 1}",
            "remove it; lines end with LF or CRLF",
        )
    return text


def shown_text(line: bytes) -> str:
    """Bytes as a failure shows them: what is not UTF-8 as escapes."""
    return line[: LONGEST_LINE // 64].decode("utf-8", "backslashreplace")
