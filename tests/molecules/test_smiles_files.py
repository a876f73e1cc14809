from itertools import count

import pytest

from ffshare.molecules.entries import Entry, Failure
from ffshare.molecules.smiles_files import smiles_entries


def read(data: bytes) -> list[Entry | Failure]:
    return list(smiles_entries(iter([data]), "a.smi", count()))


@pytest.mark.parametrize(
    ("line", "smiles", "name"),
    [
        ("CCO", "CCO", ""),
        ("  CCO  ", "CCO", ""),
        ("CCO ethanol", "CCO", "ethanol"),
        ("CCO ethyl alcohol  ", "CCO", "ethyl alcohol"),
        ("CCO\tethyl alcohol\t46.07\tliquid", "CCO", "ethyl alcohol"),
        ("CCO \t ethanol", "CCO", "ethanol"),
        ("C#N # hydrogen cyanide", "C#N", "# hydrogen cyanide"),
        ("CCO |a|", "CCO |a|", ""),
        ("[CH3] |^1:0| methyl radical", "[CH3] |^1:0|", "methyl radical"),
        ("[CH3]\t|^1:0,$a b$|\tmethyl\t7", "[CH3]\t|^1:0,$a b$|", "methyl"),
        ("CCO |half", "CCO", "|half"),
        ("CCO |1|2", "CCO", "|1|2"),
        ("CCO a|b|c", "CCO", "a|b|c"),
        ("CCO Äthanol\u00a0rein", "CCO", "Äthanol\u00a0rein"),
    ],
)
def test_a_line_is_smiles_with_its_extension_and_then_a_name(line, smiles, name):
    [entry] = read(line.encode())
    assert (entry.kind, entry.text, entry.name) == ("smiles", smiles, name)


@pytest.mark.parametrize("heading", ["SMILES", "smiles id", "Canonical_SMILES\tName", "isosmiles name", "SMILES\r"])
def test_a_heading_is_no_molecule(heading):
    [entry] = read(f"\n# made by hand\n{heading}\nCCO smiles\n".encode())
    assert (entry.index, entry.line, entry.text) == (0, 4, "CCO")


def test_only_the_first_line_can_be_a_heading():
    assert [item.text for item in read(b"CCO\nsmiles\n")] == ["CCO", "smiles"]


def test_blank_lines_and_comments_are_skipped_whatever_their_bytes():
    [entry] = read(b"\r\n \t \r\n# caf\xe9\n  #\0\n#" + b"x" * 100_000 + b"\nCCO\r\n")
    assert (entry.index, entry.line, entry.text, entry.name) == (0, 6, "CCO", "")


@pytest.mark.parametrize(
    ("line", "reason", "shown"),
    [
        (b"\tethanol", "no SMILES at the start of the line", "\\tethanol"),
        (b"CC caf\xe9", "not UTF-8: byte 0xe9 at position 7", "CC caf\\xe9"),
        (b"C" * 100_000, "longer than 65,536 bytes", "C" * 199 + "…"),
        (b" " * 100_000, "longer than 65,536 bytes", " " * 199 + "…"),
        (b"CC\0C", "control character '\\x00' at position 3", "CC\\x00C"),
    ],
)
def test_a_line_that_holds_no_molecule_is_a_failure_and_the_next_is_read(line, reason, shown):
    failure, entry = read(line + b"\nCCO\n")
    assert isinstance(failure, Failure)
    assert (failure.index, failure.line, failure.reason, failure.text) == (0, 1, reason, shown)
    assert failure.advice
    assert (entry.index, entry.line, entry.text) == (1, 2, "CCO")
