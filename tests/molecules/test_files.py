"""The laws of reading, for every format: nothing lost, nothing doubled, and everything in its place."""

import gzip
import io
import itertools
import os
import sys
from dataclasses import astuple, dataclass
from pathlib import Path

import pyarrow as pa
import pyarrow.parquet as pq
import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from ffshare.errors import InputError
from ffshare.molecules.entries import Entry, Failure
from ffshare.molecules.files import READERS, read_entries, suffix_of

MOLBLOCK = """{name}
     made by hand

  1  0  0  0  0  0  0  0  0  0999 V2000
    0.0000    0.0000    0.0000 C   0  0
M  END
"""


@dataclass(frozen=True)
class Piece:
    """Some lines of a file: the name of the molecule in them, '' for an unreadable one, None for none at all."""

    text: bytes
    name: str | None


SMILES_PIECES = [
    *[Piece(text, "x") for text in (b"CCO x", b"  CCO\tx\t5", b"C#N |a| x", b"C x  ")],
    *[Piece(text, None) for text in (b"", b" \t", b"# CCO x", b"  #caf\xe9")],
    *[Piece(text, "") for text in (b"\tx", b"CCCCCC caf\xe9", b"CCCCCCC\0", b"C" * 70_000)],
]
CSV_PIECES = [
    *[Piece(text, "x") for text in (b"x,CCO,y", b'x,"C","a ""b"", c"', b'x,C,"two\nlines"', b'x,C,a"b', b"x, C ,")],
    Piece(b'"x\ny",C,z', "x\ny"),
    *[Piece(text, None) for text in (b"", b"  ")],
    *[
        Piece(text, "")
        for text in (b"x,CCO", b"x,,y", b"x,CCCCCC,caf\xe9", b'x,"CCO,y', b"x,CCO,y,z", b"x,C" + b"C" * 70_000)
    ],
]
SDF_PIECES = [
    *[
        Piece(MOLBLOCK.format(name="x").encode() + rest, "x")
        for rest in (b"$$$$", b"> <a>\ncaf\xe9\n\n$$$$", b"$$$$ 1")
    ],
    *[Piece(text, "") for text in (b"$$$$", b"x\n\n$$$$", MOLBLOCK.format(name="x").encode()[:60] + b"\n$$$$")],
    Piece(MOLBLOCK.format(name="caf\xe9").encode("latin-1") + b"$$$$", ""),
]
FORMATS = {
    "a.smi": (b"SMILES name", SMILES_PIECES),
    "a.csv": (b"name,smiles,note", CSV_PIECES),
    "a.tsv": (b"name\tsmiles\tnote", [Piece(p.text.replace(b",", b"\t"), p.name) for p in CSV_PIECES]),
    "a.sdf": (None, SDF_PIECES),
}


def brief(items):
    return [(type(item), *astuple(item)) for item in items]


@pytest.mark.parametrize("name", FORMATS)
@given(data=st.data())
@settings(max_examples=60, suppress_health_check=[HealthCheck.function_scoped_fixture])
def test_every_record_comes_once_in_order_as_an_entry_or_a_failure(tmp_path, name, data):
    heading, pieces = FORMATS[name]
    chosen = data.draw(st.lists(st.sampled_from(pieces), max_size=12).filter(lambda some: any(p.name for p in some)))
    line_end = data.draw(st.sampled_from([b"\n", b"\r\n"]))
    # A byte order mark, an end of the last line or none, and gzip change nothing.
    start, end = data.draw(st.sampled_from([b"", b"\xef\xbb\xbf"])), data.draw(st.sampled_from([b"", line_end]))
    lines = ([] if heading is None else [heading]) + [piece.text for piece in chosen]
    content = start + b"\n".join(lines).replace(b"\n", line_end) + end
    expected, line = [], 1 + (heading is not None)
    for piece in chosen:
        if piece.name is not None:
            expected.append((Entry if piece.name else Failure, len(expected), line, piece.name))
        line += piece.text.count(b"\n") + 1

    path, zipped = tmp_path / name, tmp_path / f"{name}.gz"
    path.write_bytes(content)
    zipped.write_bytes(gzip.compress(content, 1))
    items = list(read_entries([path]))
    assert [(type(i), i.index, i.line, i.name if isinstance(i, Entry) else "") for i in items] == expected
    assert {item.path for item in items} == {str(path)}
    for item, other in zip(items, read_entries([zipped]), strict=True):
        assert other.path == str(zipped)
        assert astuple(item)[2:] == astuple(other)[2:]


@given(cells=st.lists(st.sampled_from(["CCO", b"CC O", None, "", b"C\xff"]), min_size=1, max_size=30))
@settings(max_examples=30, suppress_health_check=[HealthCheck.function_scoped_fixture])
def test_every_row_of_a_parquet_file_comes_once_in_order(tmp_path, cells):
    raw = [cell.encode() if isinstance(cell, str) else cell for cell in cells]
    pq.write_table(pa.table({"smiles": pa.array(raw, pa.binary())}), tmp_path / "a.pq")
    items = list(read_entries([tmp_path / "a.pq"]))
    assert [(i.index, i.line) for i in items] == [(n, n + 1) for n in range(len(cells))]
    assert [isinstance(i, Entry) for i in items] == [cell in ("CCO", b"CC O") for cell in cells]


@given(cut=st.integers(20, 2000))
@settings(max_examples=40, suppress_health_check=[HealthCheck.function_scoped_fixture])
def test_of_a_gz_that_was_cut_short_all_whole_records_come_and_one_failure_for_the_rest(tmp_path, cut):
    # Names that hardly compress, so that a cut in the file is a cut in the lines.
    lines = [b"CCO %x" % (17**40 * number**9) for number in range(1, 60)]
    whole = gzip.compress(b"\n".join(lines) + b"\n")
    path = tmp_path / "a.smi.gz"
    path.write_bytes(whole[: min(cut, len(whole) - 1)])
    *entries, failure = read_entries([path])
    assert [b"%s %s" % (e.text.encode(), e.name.encode()) for e in entries] == lines[: len(entries)]
    assert isinstance(failure, Failure)
    assert (failure.index, failure.line) == (len(entries), len(entries) + 1)
    assert failure.reason.startswith(
        "the compressed data end early or are damaged here, so the rest of the file is lost: "
    )
    assert failure.advice == "get the file again; `gzip -t` tells whether it is whole"


def test_a_gz_cut_within_an_sd_record_names_the_line_where_the_record_starts(tmp_path):
    records = [MOLBLOCK.format(name=f"{17**40 * number**9:x}") + "$$$$\n" for number in range(1, 40)]
    path = tmp_path / "a.sdf.gz"
    path.write_bytes(gzip.compress("".join(records).encode())[:-600])
    *entries, failure = read_entries([path])
    assert 0 < len(entries) < len(records)
    assert failure.line == len(entries) * records[0].count("\n") + 1


def test_reading_goes_on_with_the_next_file_after_a_damaged_one(tmp_path):
    (tmp_path / "a.smi.gz").write_bytes(gzip.compress(b"CCO\n")[:-4])
    (tmp_path / "b.smi").write_bytes(b"CCC\n")
    items = list(read_entries([tmp_path]))
    assert [(type(i), i.index, Path(i.path).name) for i in items] == [
        (Entry, 0, "a.smi.gz"),
        (Failure, 1, "a.smi.gz"),
        (Entry, 2, "b.smi"),
    ]


class Endless(io.RawIOBase):
    """A stream that repeats some bytes for ever and counts what was taken."""

    def __init__(self, content: bytes) -> None:
        self.content = content
        self.n_read = 0

    def readable(self):
        return True

    def readinto(self, buffer):
        n = len(buffer) // len(self.content) * len(self.content)
        buffer[:n] = self.content * (n // len(self.content))
        self.n_read += n
        return n


@pytest.mark.parametrize(
    "content", [b"CCO x\n", b"CCC\xff\n", MOLBLOCK.format(name="x").encode() + b"$$$$\n", b"#\nC\n"]
)
def test_molecules_come_before_the_end_of_the_input_is_read(content):
    stream = Endless(content)
    items = list(itertools.islice(read_entries(["-"], stdin=stream), 10_000))
    assert [item.index for item in items] == list(range(10_000))
    assert stream.n_read < 10_000 * len(content) + 200_000


def test_a_file_is_read_as_its_molecules_are_taken(tmp_path):
    path = tmp_path / "a.smi"
    path.write_bytes(b"CCO x\n" * 100_000)
    entries = read_entries([path])
    first = next(entries)
    # What is written behind the part that was read is read later.
    with path.open("r+b") as file:
        file.seek(-6, os.SEEK_END)
        file.write(b"CCO y\n")
    assert (first.name, list(entries)[-1].name) == ("x", "y")


def test_standard_input_is_smiles_lines_or_an_sd_file_packed_or_not(monkeypatch):
    for content, kind in ((b"CCO x\n", "smiles"), (MOLBLOCK.format(name="x").encode(), "molblock")):
        for given_bytes in (content, gzip.compress(content)):
            [entry] = read_entries(["-"], stdin=io.BytesIO(given_bytes))
            assert (entry.path, entry.line, entry.name, entry.kind) == ("-", 1, "x", kind)
            monkeypatch.setattr(sys, "stdin", io.TextIOWrapper(io.BytesIO(given_bytes)))
            assert brief(read_entries(["-"])) == brief([entry])


def test_a_gz_from_standard_input_that_was_cut_short_loses_nothing_before_the_cut():
    compressed = gzip.compress(b"CCO\n" + os.urandom(300).hex().encode())
    entry, failure = read_entries(["-"], stdin=io.BytesIO(compressed[:-50]))
    assert (entry.text, failure.path, failure.line) == ("CCO", "-", 2)


def test_files_directories_and_standard_input_are_read_in_the_order_given(tmp_path):
    folder = tmp_path / "set"
    for name in ("b.smi", "a/z.SMI.GZ", "a/y.csv", ".hidden.smi", "_part.smi", ".git/x.smi", "notes.txt", "x.pdf"):
        path = folder / name
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_bytes(gzip.compress(b"C\n") if name.endswith("GZ") else b"smiles\nC\n")
    (tmp_path / "own.txt").write_bytes(b"CC\n")
    pq.write_table(pa.table({"smiles": ["CCC"]}), folder / "part-0.parquet")
    given_inputs = [tmp_path / "own.txt", "-", str(folder), tmp_path / "own.txt"]
    entries = list(read_entries(given_inputs, stdin=io.BytesIO(b"CCCC")))
    names = ["own.txt", "-", "set/a/y.csv", "set/a/z.SMI.GZ", "set/b.smi", "set/part-0.parquet", "own.txt"]
    assert [e.path for e in entries] == [name if name == "-" else str(tmp_path / name) for name in names]
    assert [e.index for e in entries] == list(range(7))


def test_one_path_need_not_be_in_a_list(tmp_path):
    (tmp_path / "a.smi").write_bytes(b"C\n")
    assert brief(read_entries(tmp_path / "a.smi")) == brief(read_entries([str(tmp_path / "a.smi")]))


def test_columns_that_the_user_names_hold_for_every_table(tmp_path):
    (tmp_path / "a.csv").write_bytes(b"smiles,mol,cas\nC,CC,x\n")
    pq.write_table(pa.table({"mol": ["CC"], "cas": ["x"], "name": ["y"]}), tmp_path / "a.pq")
    entries = list(read_entries([tmp_path], smiles_column="mol", name_column="cas"))
    assert [(e.text, e.name) for e in entries] == [("CC", "x")] * 2


def test_a_part_without_molecules_is_allowed_among_others(tmp_path):
    pq.write_table(pa.table({"smiles": pa.array([], pa.string())}), tmp_path / "a.pq")
    (tmp_path / "b.csv").write_bytes(b"smiles\n")
    (tmp_path / "c.smi").write_bytes(b"C\n")
    assert [entry.text for entry in read_entries([tmp_path])] == ["C"]
    (tmp_path / "c.smi").unlink()
    with pytest.raises(InputError, match=r"a\.pq, .*b\.csv: no molecule in the whole input"):
        list(read_entries([tmp_path]))


@pytest.mark.parametrize("name", ["a.smi", "a.sdf", "a.csv"])
def test_a_name_that_is_not_utf8_can_be_shown(tmp_path, name):
    path = os.fsencode(tmp_path) + b"/\xff\n" + name.encode()
    content = {"a.smi": b"C\n", "a.sdf": MOLBLOCK.format(name="x").encode(), "a.csv": b"smiles\nC\n"}[name]
    try:
        Path(os.fsdecode(path)).write_bytes(content)
    except OSError:
        pytest.skip("this file system takes UTF-8 names only")
    [entry] = read_entries([os.fsdecode(path)])
    assert entry.path == f"{tmp_path}/\\udcff\\n{name}"


@pytest.mark.parametrize(
    ("name", "content", "message"),
    [
        ("a.smi", b"", "a.smi: is empty; expected molecules$"),
        ("a.csv", b"", "a.csv: is empty; expected molecules$"),
        ("a.sdf.gz", gzip.compress(b""), "a.sdf.gz: is empty; expected molecules$"),
        ("a.smi", b"\n# nothing\n", "a.smi: holds no molecule; check that it is the right file$"),
        ("a.csv", b"smiles,name\n", "a.csv: holds no molecule"),
        ("a.sdf", b"\n\n", "a.sdf: holds no molecule"),
        (
            "a.csv",
            b"x,y\nCCO,a\n",
            "a.csv: no SMILES column 'smiles' .*; its columns are 'x', 'y'; say which one holds",
        ),
        ("a.tsv", b"smiles,y\nCCO,a\n", "a.tsv: no SMILES column 'smiles' .*; its columns are 'smiles,y'; say which"),
        ("a.smi.gz", b"CCO\n", "a.smi.gz: is not gzip data; compress it or take .gz off its name$"),
        (
            "a.smi",
            b"\x7fELF\x02\x01\x01" + bytes(100),
            "a.smi: is not UTF-8 text, but a binary file or another encoding",
        ),
        ("a.smi", "CCO\n".encode("utf-16"), "a.smi: is UTF-16 text; save it as UTF-8$"),
        ("a.parquet", b"smiles\nCCO\n", "a.parquet: is not a Parquet file, or was cut short: .*; write it again$"),
        (
            "a.mol2",
            b"x",
            r"a.mol2: unknown suffix '.mol2'; known are .smi .* .pq, and .gz .*; convert it to SMILES or SDF$",
        ),
        ("a.parquet.gz", b"x", r"unknown suffix '.gz'; known are .smi "),
        ("a", b"x", "a: unknown suffix ''; known are .smi "),
    ],
)
def test_a_file_that_cannot_be_used_is_refused_before_anything_is_read(tmp_path, name, content, message):
    (tmp_path / name).write_bytes(content)
    with pytest.raises(InputError, match=message):
        read_entries([tmp_path / name])


def test_an_absent_file_and_a_directory_of_other_files_are_refused(tmp_path):
    with pytest.raises(InputError, match=r"absent\.smi: no such file or directory; check the path$"):
        read_entries([tmp_path / "absent.smi"])
    (tmp_path / "notes.txt").write_text("CCO")
    with pytest.raises(InputError, match=r": no file of known format in this directory; known are \.smi "):
        read_entries([tmp_path])


def test_no_input_and_standard_input_given_twice_are_refused():
    with pytest.raises(InputError, match=r"^no input given; name a file or a directory, or '-' for standard input$"):
        read_entries([])
    with pytest.raises(InputError, match="given twice"):
        read_entries(["-", "-"], stdin=io.BytesIO(b"C\n"))


@pytest.mark.parametrize(
    ("content", "message"),
    [(b"", "^-: is empty; expected molecules$"), (b"\n# nothing\n", "^-: no molecule in the whole input$")],
)
def test_standard_input_without_molecules_is_an_error_when_it_is_read(content, message):
    entries = read_entries(["-"], stdin=io.BytesIO(content))
    with pytest.raises(InputError, match=message):
        list(entries)


def test_all_faults_of_the_input_are_told_at_once(tmp_path):
    (tmp_path / "good.smi").write_bytes(b"C\n")
    (tmp_path / "empty.smi").write_bytes(b"")
    with pytest.raises(InputError) as caught:
        read_entries([tmp_path / "absent.smi", tmp_path / "good.smi", tmp_path / "empty.smi", tmp_path / "a.xyz"])
    first, *rest = str(caught.value).split("\n")
    assert first == "3 faults in the input"
    assert ["absent" in rest[0], "empty" in rest[1], "a.xyz" in rest[2]] == [True] * 3


def test_a_file_that_cannot_be_read_any_more_is_an_error_with_its_name(tmp_path):
    (tmp_path / "a.smi").write_bytes(b"C\n")
    (tmp_path / "b.smi").write_bytes(b"C\n")
    entries = read_entries([tmp_path])
    next(entries)
    (tmp_path / "b.smi").unlink()
    with pytest.raises(InputError, match=r"b\.smi: cannot be read: No such file or directory$"):
        next(entries)


def test_a_pipe_is_read_once(tmp_path):
    path = tmp_path / "pipe.smi"
    os.mkfifo(path)
    reader = read_entries([path])  # would wait for ever if it looked into the pipe
    descriptor = os.open(path, os.O_RDWR)
    os.write(descriptor, b"CCO\n" * 4)
    assert next(reader).text == "CCO"
    reader.close()
    os.close(descriptor)


@pytest.mark.parametrize("suffix", READERS)
def test_suffixes_are_known_in_any_case_and_text_also_as_gz(suffix):
    assert suffix_of(Path(f"a.b{suffix.upper()}")) == suffix
    assert suffix_of(Path(f"a{suffix}.gz")) == ("" if suffix in (".parquet", ".pq") else suffix)
