"""Runs into folders of labels, small enough to be made many times, and ways to damage what they made."""

from contextlib import closing
from functools import cache

import pyarrow as pa
import pyarrow.parquet as pq

from ffshare.assign import load_scheme
from ffshare.assign.library import LabelFolder, Labeller
from ffshare.data_files import data_directory
from ffshare.molecules import Entry, Failure
from ffshare.parallel import HERE

SIZE = 10
SETTINGS = {"scheme": "alkethoh-smirks", "input_checksums": {"in.smi": "1234"}, "settings": {"mode": "compat"}}
KINDS = ("labels", "molecules", "failures")


def entry(index, text, name):
    return Entry(index=index, path="in.smi", line=index + 1, name=name, kind="smiles", text=text)


def inputs(first=0):
    """44 entries, five parts: some come twice, one is no molecule, one has no rules, one was lost in the reading."""
    lines = (data_directory("molecules") / "alkethoh.smi").read_text().splitlines()[first : first + 30]
    pairs = [tuple(line.split()) for line in (*lines[:12], "C1CC broken", *lines[12:], *lines[5:17], "[Xe] xenon")]
    found = [entry(index, *pair) for index, pair in enumerate(pairs)]
    found[20] = Failure(
        index=20, path="in.smi", line=21, name="", text="?", reason="not UTF-8", advice="save the file as UTF-8"
    )
    return found


@cache
def labeller():
    return Labeller(scheme=load_scheme("alkethoh-smirks"))


def make(path, entries=None, *, engine=HERE, size=SIZE, stop_after=None, made_from=SETTINGS, strict=False):
    """A run, which may stop when some parts are made."""
    with LabelFolder(path, made_from, size, strict=strict) as folder:
        waiting = folder.waiting(inputs() if entries is None else entries)
        with closing(waiting), closing(engine.map(folder.writer(labeller()), waiting)) as parts:
            for number, part in enumerate(parts, start=1):
                folder.take(part)
                if number == stop_after:
                    return folder
        folder.finish()
    return folder


def contents(folder):
    """All there is below a folder: bytes of files, None for folders."""
    return {
        str(path.relative_to(folder)): path.read_bytes() if path.is_file() else None
        for path in sorted(folder.rglob("*"))
    }


def table(folder, kind):
    paths = sorted((folder / kind).glob("*.parquet"))
    # Repeated text is written as a dictionary, each file with its own.
    return pa.Table.from_pylist([row for path in paths for row in pq.read_table(path).to_pylist()])


def cut(path):
    path.write_bytes(path.read_bytes()[:-7])


def flip(path, at=100):
    data = bytearray(path.read_bytes())
    data[at] ^= 1
    path.write_bytes(bytes(data))
