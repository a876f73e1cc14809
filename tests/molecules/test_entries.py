import dataclasses
import pickle

import pytest
from hypothesis import given
from hypothesis import strategies as st

from ffshare.errors import MoleculeError
from ffshare.molecules.entries import Entry, Failure, failure_from, plain_text

ANY_TEXT = st.text(st.characters(codec=None))


@given(text=ANY_TEXT, longest=st.integers(1, 300))
def test_plain_text_prints_is_short_and_stays_as_it_is_when_made_plain_again(text, longest):
    plain = plain_text(text, longest)
    assert plain.isprintable()
    assert len(plain) <= longest
    assert plain_text(plain, longest) == plain


@given(text=ANY_TEXT)
def test_a_failure_can_always_be_written_as_utf8(text):
    failure = Failure(index=0, path="a.smi", line=1, name=text, text=text, reason="", advice="")
    assert (failure.name + failure.text).encode().decode() == failure.name + failure.text


@pytest.mark.parametrize(
    ("text", "plain"),
    [
        ("C/C=C\\C", "C/C=C\\C"),
        ("a\tb\r\n", "a\\tb\\r\\n"),
        ("\x1b[31mred", "\\x1b[31mred"),
        ("name\u202etxt.exe", "name\\u202etxt.exe"),
        ("Prüfstück 物", "Prüfstück 物"),
        ("C" * 201, "C" * 199 + "…"),
        ("C" * 200, "C" * 200),
    ],
)
def test_plain_text_shows_what_does_not_print(text, plain):
    assert plain_text(text) == plain


def test_a_later_stage_makes_a_failure_of_an_entry():
    entry = Entry(index=3, path="a.smi", line=5, name="x\0", kind="smiles", text="C" * 300)
    failure = failure_from(entry, MoleculeError("too long", "cut it"))
    assert dataclasses.asdict(failure) == {
        "index": 3,
        "path": "a.smi",
        "line": 5,
        "name": "x\\x00",
        "text": "C" * 199 + "…",
        "reason": "too long",
        "advice": "cut it",
    }


def test_entries_and_failures_travel_to_other_processes():
    entry = Entry(index=3, path="a.smi", line=5, name="x", kind="smiles", text="C")
    failure = failure_from(entry, MoleculeError("too long", "cut it"))
    for item in (entry, failure):
        assert dataclasses.asdict(pickle.loads(pickle.dumps(item))) == dataclasses.asdict(item)
