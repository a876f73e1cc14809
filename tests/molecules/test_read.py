"""Entries become molecules or failures: none is lost, and one that fails changes nothing for the others."""

import io

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

import ffshare
from ffshare.errors import MoleculeError
from ffshare.molecules import Entry, Failure, batch_of_entries, chunked, read_batches
from tests.smirks.diverse import DIVERSE

ARRAYS = ("elements", "charges", "aromatic", "targets", "orders", "n_rings", "min_ring_sizes", "in_ring", "reverses")
# What fails, and the reason that is given.
BAD = {
    "C1CC": "SMILES does not parse: unclosed ring",
    "": "no atoms",
    "C(C)(C)(C)(C)C": "not a valid molecule: Explicit valence",
    "*C": "atom 0 is a dummy atom",
    "[CH3]": "atom 0 (C) has 1 unpaired electrons",
    "CC~C": "the bond between atoms 1 and 2 has no order",
    "not a molecule": "SMILES does not parse",
}
# The last has dative bonds: the step that makes them single is the one that refuses radicals and dummy atoms.
GOOD = [*list(DIVERSE.values())[:20], "C1CN->[Zn+2]<-N1"]


def entry(index, text):
    return Entry(index=index, path="a.smi", line=index + 1, name=f"m{index}", kind="smiles", text=text)


@settings(max_examples=60)
@given(texts=st.lists(st.sampled_from([*BAD, *GOOD]) | st.text(max_size=8), max_size=8))
def test_molecules_and_failures_together_are_the_entries(texts):
    batch = batch_of_entries([entry(index, text) for index, text in enumerate(texts)])
    failed = [failure.index for failure in batch.failures]
    assert failed == sorted(failed)
    assert sorted([*batch.input_idxs.tolist(), *failed]) == list(range(len(texts)))
    assert batch.names == tuple(f"m{index}" for index in batch.input_idxs)


@settings(max_examples=60)
@given(texts=st.lists(st.sampled_from([*BAD, *GOOD]), max_size=8))
def test_a_molecule_that_fails_changes_nothing_for_the_others(texts):
    batch = batch_of_entries([entry(index, text) for index, text in enumerate(texts)])
    alone = ffshare.from_smiles(*(text for text in texts if text not in BAD))
    assert batch.input_idxs.tolist() == [index for index, text in enumerate(texts) if text not in BAD]
    for name in ARRAYS:
        assert np.array_equal(getattr(batch, name), getattr(alone, name)), name


@pytest.mark.parametrize("text", BAD)
def test_a_failure_says_where_what_and_why(text):
    (failure,) = batch_of_entries([entry(0, "CCO"), entry(1, text)]).failures
    assert (failure.index, failure.path, failure.line, failure.name, failure.text) == (1, "a.smi", 2, "m1", text)
    assert failure.reason.startswith(BAD[text])
    assert failure.advice


def test_failures_of_the_first_stage_are_passed_on_in_their_place():
    cut = Failure(index=1, path="a.smi", line=2, name="", text="", reason="cut short", advice="fetch it again")
    batch = batch_of_entries([entry(0, "C1CC"), cut, entry(2, "*C"), entry(3, "C")])
    assert [failure.index for failure in batch.failures] == [0, 1, 2]
    assert batch.failures[1] is cut


@pytest.mark.parametrize("text", BAD)
def test_a_smiles_that_cannot_be_used_is_named_in_the_error(text):
    with pytest.raises(MoleculeError) as caught:
        ffshare.from_smiles("CCO", text, "*CC*")
    assert caught.value.reason.startswith(f"{text!r}: {BAD[text]}")
    assert caught.value.advice


@given(length=st.integers(0, 20), size=st.integers(1, 7))
def test_chunks_hold_the_entries_in_order_and_are_full_but_the_last(length, size):
    entries = [entry(index, "C") for index in range(length)]
    chunks = list(chunked(iter(entries), size))
    assert [one for chunk in chunks for one in chunk] == entries
    assert all(len(chunk) == size for chunk in chunks[:-1])
    assert all(chunks)


@pytest.mark.parametrize("batch_size", [1, 2, 500])
def test_a_stream_of_batches_holds_what_one_batch_holds(batch_size, tmp_path):
    path = tmp_path / "some.smi"
    path.write_text("CCO ethanol\nC1CC broken\nO water\n*C dummy\nc1ccccc1 benzene\n")
    whole, batches = ffshare.read(path), list(read_batches(path, batch_size=batch_size))
    assert [name for batch in batches for name in batch.names] == list(whole.names) == ["ethanol", "water", "benzene"]
    assert np.concatenate([batch.input_idxs for batch in batches]).tolist() == whole.input_idxs.tolist() == [0, 2, 4]
    assert [one.index for batch in batches for one in batch.failures] == [one.index for one in whole.failures] == [1, 3]


def test_batches_are_read_as_they_are_asked_for():
    class Endless(io.RawIOBase):
        """Water again and again."""

        def readable(self):
            return True

        def readinto(self, buffer):
            line = b"O\n" * (len(buffer) // 2)
            buffer[: len(line)] = line
            return len(line)

    batches = read_batches("-", batch_size=3, stdin=Endless())
    assert [next(batches).n_molecules for _ in range(4)] == [3] * 4


def test_columns_of_a_table_may_be_named(tmp_path):
    path = tmp_path / "some.csv"
    path.write_text("structure,label\nCCO,ethanol\n")
    batch = ffshare.read(path, smiles_column="structure", name_column="label")
    assert (batch.names, batch.n_atoms) == (("ethanol",), 9)
