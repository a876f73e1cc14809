import itertools
import tracemalloc
from importlib.util import find_spec
from itertools import count
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st
from rdkit import Chem

from ffshare.molecules.entries import Entry, Failure
from ffshare.molecules.files import read_entries
from ffshare.molecules.rdkit_log import silenced
from ffshare.molecules.sdf_files import looks_like_sdf, sdf_entries, sdf_records


def molblock(smiles: str, name: str = "") -> str:
    molecule = Chem.MolFromSmiles(smiles)
    molecule.SetProp("_Name", name)
    return Chem.MolToMolBlock(molecule)


ETHANOL = molblock("CCO", "ethanol")
DATA = "> <note>\nliquid\n\n"


def read(data: str | bytes) -> list[Entry | Failure]:
    return list(sdf_entries(iter([data.encode() if isinstance(data, str) else data]), "a.sdf", count()))


@given(
    records=st.lists(
        st.lists(st.sampled_from([b"", b"C", b"$$$", b" $$$$", b"C$$$$"]), max_size=3).map(
            lambda lines: b"".join(line + b"\n" for line in lines)
        )
    ),
    ends=st.lists(st.sampled_from([b"$$$$\n", b"$$$$\r\n", b"$$$$ more\n"]), min_size=30, max_size=30),
    last=st.sampled_from([b"", b"\n\n", b"C", b"C\nC\n"]),
    places=st.lists(st.integers(0, 10_000), max_size=8),
)
def test_records_do_not_depend_on_how_the_stream_is_cut(records, ends, last, places):
    data = b"".join(record + end for record, end in zip(records, itertools.cycle(ends), strict=False)) + last
    expected, line = [], 1
    for record in records:
        expected.append((line, record))
        line += record.count(b"\n") + 1
    if last.strip():
        expected.append((line, last))
    edges = sorted({place % (len(data) + 1) for place in places} | {0, len(data)})
    blocks = [data[start:end] for start, end in itertools.pairwise(edges)]
    assert list(sdf_records(iter(blocks))) == expected


def test_a_record_without_end_takes_no_memory_and_keeps_the_lines_of_what_follows():
    tracemalloc.start()
    try:
        blocks = itertools.chain(itertools.repeat(b"C" * 99 + b"\n", 100_000), [b"$$$$\nnext\n"])
        (first, _), following = sdf_records(blocks, longest=1000)
        peak = tracemalloc.get_traced_memory()[1]
    finally:
        tracemalloc.stop()
    assert first == 1
    assert following == (100_002, b"next\n")
    assert peak < 1_000_000


def test_an_entry_is_the_connection_table_without_the_data():
    [entry] = read(ETHANOL + DATA + "$$$$\n")
    assert (entry.index, entry.line, entry.name, entry.kind, entry.text) == (0, 1, "ethanol", "molblock", ETHANOL)


@pytest.mark.parametrize("end", ["", "$$$$", "$$$$\n", DATA, "\n\n", DATA + "$$$$\n\n"])
def test_the_last_record_needs_no_delimiter(end):
    first, last = read(ETHANOL + "$$$$\n" + ETHANOL.replace("ethanol", "last") + end)
    assert (first.name, last.name) == ("ethanol", "last")
    assert last.line == ETHANOL.count("\n") + 2


def test_line_ends_of_windows_change_nothing():
    data = ETHANOL + DATA + "$$$$\n" + ETHANOL
    plain, windows = read(data), read(data.replace("\n", "\r\n"))
    assert [(e.line, e.name, e.text) for e in plain] == [(e.line, e.name, e.text) for e in windows]


def test_data_in_another_encoding_or_with_a_whole_molecule_in_it_do_no_harm():
    [entry] = read(ETHANOL.encode() + b"> <caf\xe9>\n" + ETHANOL.encode() + b"\n$$$$\n")
    assert entry.text == ETHANOL


@pytest.mark.parametrize(
    ("record", "reason", "name"),
    [
        (ETHANOL[: len(ETHANOL) // 2] + "\n", "SD record cut short: no 'M  END' line", "ethanol"),
        ("\n", "empty SD record", ""),
        ("", "empty SD record", ""),
        (ETHANOL + ETHANOL, "SD record with two 'M  END' lines", "ethanol"),
        (ETHANOL.replace("ethanol", "a\0b"), "SD record with a zero byte", "a\\x00b"),
        (ETHANOL.encode().replace(b"RDKit", b"RDK\xeft"), "SD record is not UTF-8: byte 0xef in its line 2", "ethanol"),
        ("x" * (1 << 24) + "y\n", "SD record longer than 16,777,216 bytes without 'M  END' line", "x" * 199 + "…"),
    ],
)
def test_a_record_that_is_none_is_a_failure_and_the_next_is_read(record, reason, name):
    data = record.encode() if isinstance(record, str) else record
    failure, entry = read(data + b"$$$$\n" + ETHANOL.encode())
    assert isinstance(failure, Failure)
    assert (failure.index, failure.line, failure.reason, failure.name) == (0, 1, reason, name)
    assert failure.advice
    assert (entry.index, entry.line, entry.name) == (1, data.count(b"\n") + 2, "ethanol")


@pytest.mark.parametrize("n_lines", [2, 5, 9])
def test_a_file_cut_within_its_last_record_says_so(n_lines):
    cut = "\n".join(ETHANOL.split("\n")[:n_lines])
    entry, failure = read(ETHANOL + "$$$$\n" + cut)
    assert (entry.name, failure.name, failure.line) == ("ethanol", "ethanol", ETHANOL.count("\n") + 2)
    assert failure.reason == "SD record cut short: no 'M  END' line"


@pytest.mark.parametrize(
    ("head", "is_sdf"),
    [
        (ETHANOL, True),
        (ETHANOL.replace("\n", "\r\n"), True),
        (Chem.MolToV3KMolBlock(Chem.MolFromSmiles("C")), True),
        ("$$$$\n", True),
        ("CCO V2000\nC\nC\nC\n", False),
        ("CCO a$$$$\nCC M  END\n", False),
    ],
)
def test_standard_input_is_told_apart_by_its_beginning(head, is_sdf):
    assert looks_like_sdf(head.encode()) is is_sdf


def test_records_and_names_are_those_that_rdkit_finds():
    spec = find_spec("openff.toolkit")
    if spec is None:
        pytest.skip("openff-toolkit, whose MiniDrugBank.sdf is read here, is not installed")
    path = Path(spec.submodule_search_locations[0], "data", "molecules", "MiniDrugBank.sdf")
    entries = list(read_entries([path]))
    with silenced(), path.open("rb") as file:
        molecules = list(Chem.ForwardSDMolSupplier(file, removeHs=False))
        assert len(entries) == len(molecules) == 371
        assert [e.name for e, m in zip(entries, molecules, strict=True) if m is not None] == [
            m.GetProp("_Name") for m in molecules if m is not None
        ]
        for entry, molecule in list(zip(entries, molecules, strict=True))[::7]:
            own = Chem.MolFromMolBlock(entry.text, removeHs=False)
            assert (own is None) == (molecule is None)
            if own is not None:
                assert Chem.MolToSmiles(own) == Chem.MolToSmiles(molecule)
