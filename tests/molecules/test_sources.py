import gzip
import io
import itertools
import pickle
import tracemalloc

import pytest
from hypothesis import given
from hypothesis import strategies as st

from ffshare.errors import InputError, MoleculeError
from ffshare.molecules.sources import LONGEST_LINE, DamageError, Source, numbered_lines, shown_text, text_of


def cut(data: bytes, places: list[int]) -> list[bytes]:
    """The data in pieces, cut at places that wrap round their length."""
    ends = sorted({place % (len(data) + 1) for place in places} | {0, len(data)})
    return [data[start:end] for start, end in itertools.pairwise(ends)]


def content(data: bytes, shown: str = "a.smi") -> bytes:
    return b"".join(Source(shown=shown, path=None, stream=io.BytesIO(data)).blocks())


PLACES = st.lists(st.integers(0, 10_000), max_size=8)


@given(data=st.lists(st.sampled_from([b"C", b"\n", b"\r\n", b"CCCC", b"\xff"])).map(b"".join), places=PLACES)
def test_lines_do_not_depend_on_how_the_stream_is_cut(data, places):
    expected = data.split(b"\n")
    if not expected[-1]:
        expected.pop()
    assert list(numbered_lines(iter(cut(data, places)))) == list(enumerate(expected, 1))


@given(lines=st.lists(st.integers(0, 12).map(lambda length: b"C" * length), min_size=1), places=PLACES)
def test_a_line_that_is_too_long_keeps_its_number_and_tells_by_its_length(lines, places):
    data = b"".join(line + b"\n" for line in lines)
    found = list(numbered_lines(iter(cut(data, places)), longest=5))
    assert found == [(number, line[:6]) for number, line in enumerate(lines, 1)]


def test_a_line_without_end_takes_no_memory():
    tracemalloc.start()
    try:
        [(number, line)] = numbered_lines(b"C" * 65536 for _ in range(500))
        peak = tracemalloc.get_traced_memory()[1]
    finally:
        tracemalloc.stop()
    assert (number, len(line)) == (1, LONGEST_LINE + 1)
    assert peak < 2_000_000


@given(
    data=st.lists(st.sampled_from([b"CCO\n", b"\r\n", b" caf\xe9", "é".encode(), b"C" * 70_000]), min_size=1).map(
        b"".join
    )
)
def test_the_content_comes_back_whole_and_gzip_changes_nothing(data):
    assert content(data) == data
    assert content(gzip.compress(data)) == data
    half = len(data) // 2
    assert content(gzip.compress(data[:half]) + gzip.compress(data[half:]), "a.smi.gz") == data


@pytest.mark.parametrize("n_bytes", [1, 15, 100, 3000])
def test_what_was_compressed_before_a_cut_is_read_and_then_the_line_of_the_cut_is_told(n_bytes):
    # Lines that hardly compress, so that a cut in the file is a cut in the lines.
    lines = [b"%x" % (17**40 * number**9) for number in range(1, 400)]
    compressed = gzip.compress(b"\n".join(lines) + b"\n")
    blocks = Source(shown="a.smi.gz", path=None, stream=io.BytesIO(compressed[: len(compressed) - n_bytes])).blocks()
    found = []
    with pytest.raises(DamageError, match="end early or are damaged here") as caught:
        found.extend(numbered_lines(blocks))  # extend keeps what came before the error
    assert [line for _, line in found] == lines[: len(found)]
    assert caught.value.line == len(found) + 1


def test_an_error_of_the_checksum_is_damage():
    compressed = bytearray(gzip.compress(b"CCO\n"))
    compressed[-6] ^= 0xFF
    with pytest.raises(DamageError, match="CRC"):
        content(bytes(compressed))


def test_bytes_after_gzip_data_are_damage_and_not_lost_in_silence():
    with pytest.raises(DamageError, match="damaged"):
        content(gzip.compress(b"CCO\n") + b"CCC\n")


def test_a_byte_order_mark_is_no_part_of_the_first_line():
    assert content(b"\xef\xbb\xbfCCO\n") == b"CCO\n"
    assert content(gzip.compress(b"\xef\xbb\xbfCCO\n")) == b"CCO\n"


@pytest.mark.parametrize(
    ("shown", "data", "message"),
    [
        ("a.smi", b"", "^a.smi: is empty; expected molecules$"),
        ("a.smi.gz", gzip.compress(b""), "^a.smi.gz: is empty"),
        ("a.smi.gz", b"CCO\n", "is not gzip data; compress it or take .gz off its name"),
        ("a.smi", "CCO\n".encode("utf-16"), "is UTF-16 text; save it as UTF-8"),
        ("a.smi", b"PAR1\x15\x04\x15\x10", "is a Parquet file; name it .parquet"),
        ("a.smi", b"PK\x03\x04\x14\x00", "a zip archive or a spreadsheet"),
        ("a.smi", b"BZh91AY&SY\xff", "compressed by bzip2"),
        ("a.smi", b"\xfd7zXZ\x00", "compressed by xz"),
        ("a.smi", b"\x28\xb5\x2f\xfd\x04", "compressed by zstd"),
        ("a.smi", b"%PDF-1.7\n%\xe2\xe3", "a PDF document"),
        ("a.smi", bytes(range(256)), "not UTF-8 text, but a binary file or another encoding"),
        ("a.smi", ("CCO ethanol\n" * 20).encode("utf-16-le"), "not UTF-8 text"),
    ],
)
def test_what_is_no_text_is_refused_with_advice(shown, data, message):
    with pytest.raises(InputError, match=message):
        content(data, shown)


def test_text_that_begins_like_another_format_is_text():
    data = b"PAR1 antagonist\n     RDKit\n\n  0  0\n"
    assert content(data) == data


def test_some_names_in_another_encoding_do_not_make_a_file_binary():
    data = b"CCO \xe9thanol\n" * 20
    assert content(data) == data


def test_a_stream_that_was_given_stays_open():
    stream = io.BytesIO(b"CCO\n")
    list(Source(shown="-", path=None, stream=stream).blocks())
    assert not stream.closed


@pytest.mark.parametrize(
    ("line", "reason"),
    [
        (b"C" * 100_000, "^longer than 65,536 bytes"),
        (b"CC \xe9thane", "^not UTF-8: byte 0xe9 at position 4"),
        (b"CC\0O", r"^control character '\\x00' at position 3"),
        (b"CCO\rCCC\r", r"^control character '\\r' at position 4"),
    ],
)
def test_a_line_that_is_no_text_says_why(line, reason):
    with pytest.raises(MoleculeError, match=reason):
        text_of(line)


def test_what_is_shown_of_a_line_keeps_its_odd_bytes_as_escapes():
    assert shown_text(b"CC \xe9thane") == "CC \\xe9thane"


def test_damage_travels_to_other_processes():
    damage = pickle.loads(pickle.dumps(DamageError("cut", "get it again", 7)))
    assert (damage.reason, damage.advice, damage.line) == ("cut", "get it again", 7)
    assert damage.at(9).line == 9
