"""What an entry becomes does not depend on its company, and what stands twice is worked on once."""

import json
from functools import reduce
from operator import add

import pyarrow as pa
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from ffshare.assign import load_scheme
from ffshare.assign.library import Labeller, LabelNumbers
from ffshare.assign.library import labeller as module
from ffshare.molecules import Entry, Failure

TEXTS = ["CCO", "c1ccccc1", "C1CC", "O", "FC(Cl)Br", "[Xe]", "CC(F)Cl", ""]


@pytest.fixture(scope="module")
def labeller():
    return Labeller(scheme=load_scheme("alkethoh-smirks"))


def entry(index, text, name=""):
    return Entry(index=index, path="in.smi", line=index + 1, name=name, kind="smiles", text=text)


def failure(index):
    return Failure(index=index, path="in.smi", line=index + 1, name="", text="?", reason="not UTF-8", advice="save it")


@st.composite
def inputs(draw):
    """Entries with many repeats, each with a name of its own, and failures of the reading between them."""
    chosen = draw(st.lists(st.sampled_from([*TEXTS, None]), max_size=12))
    return [failure(i) if text is None else entry(10 + i, text, f"m{i}") for i, text in enumerate(chosen)]


def rows(found):
    return [table.to_pylist() for table in (found.labels, found.molecules, found.failure_table())]


@settings(max_examples=40)
@given(entries=inputs())
def test_entries_together_become_what_they_become_alone(labeller, entries):
    together, alone = labeller(entries), [labeller([each]) for each in entries]
    assert rows(together)[:2] == [[row for one in alone for row in rows(one)[kind]] for kind in range(2)]
    by_index = sorted((row for one in alone for row in rows(one)[2]), key=lambda row: row["molecule_idx"])
    assert rows(together)[2] == by_index
    numbers = reduce(add, (one.numbers for one in alone), LabelNumbers())
    assert {**together.numbers.to_json(), "failures": ()} == {**numbers.to_json(), "failures": ()}
    assert together.numbers.read == together.numbers.labelled + together.numbers.failed == len(entries)


def test_what_stands_twice_is_read_and_labelled_once(labeller, monkeypatch):
    seen = []
    original = module.batch_of_entries
    monkeypatch.setattr(module, "batch_of_entries", lambda given: seen.extend(given) or original(given))
    found = labeller([entry(i, TEXTS[i % 3], f"m{i}") for i in range(30)])
    assert [each.text for each in seen] == TEXTS[:3]
    assert found.molecules["molecule"].to_pylist() == [f"m{i}" for i in range(30) if i % 3 < 2]
    assert [one.line for one in found.failures] == [i + 1 for i in range(30) if i % 3 == 2]


def test_an_sd_record_and_a_smiles_of_one_text_are_two_inputs(labeller):
    one = entry(0, "O")
    other = Entry(index=1, path="in.sdf", line=1, name="", kind="molblock", text="O")
    found = labeller([one, other])
    assert found.molecules["molecule_idx"].to_pylist() == [0]
    assert [failed.index for failed in found.failures] == [1]


def test_nothing_becomes_empty_tables_of_the_same_columns(labeller):
    nothing, something = labeller([]), labeller([entry(0, "CCO")])
    for name in ("labels", "molecules"):
        assert isinstance(getattr(nothing, name), pa.Table)
        assert getattr(nothing, name).schema == getattr(something, name).schema
    assert nothing.failure_table().schema == something.failure_table().schema
    assert nothing.numbers.to_json() == LabelNumbers().to_json()


def test_numbers_come_back_from_json(labeller):
    numbers = labeller([entry(0, "FC(Cl)Br"), entry(1, "C1CC")]).numbers
    assert numbers.missing
    written = json.dumps(numbers.to_json())
    assert json.dumps(LabelNumbers.from_json(json.loads(written)).to_json()) == written


def test_few_examples_are_kept_of_many(labeller):
    numbers = labeller([entry(i, "C1CC") for i in range(500)]).numbers
    assert (numbers.failed, len(numbers.failures)) == (500, 10)
    assert numbers.failures[0].startswith("in.smi, line 1 (C1CC): SMILES does not parse")
