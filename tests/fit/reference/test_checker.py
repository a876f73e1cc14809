"""Records are checked alike by whoever does it, however many at a time."""

from dataclasses import replace

import numpy as np
import pytest

from ffshare.fit import read_reference, stream_reference
from ffshare.fit.reference import Checker, checker, chunked_records, stream_records
from ffshare.molecules import Failure
from tests.fit.run_samples import some_molecules, write_data


@pytest.fixture
def path(tmp_path):
    """Data of nine molecules, one of which is broken and one of which has a broken conformer."""
    bad = some_molecules().molecules[5]
    partly = bad.coords.copy()
    partly[0] = np.nan
    more = (replace(bad, coords=np.full(bad.coords.shape, np.nan)), replace(bad, coords=partly))
    return write_data(tmp_path / "data.parquet", n=7, more=more)


def seen(data):
    """All of some data, as what can be compared."""
    return [
        (each.smiles, each.level, each.coords.tobytes(), each.energies.tobytes(), each.forces.tobytes())
        for each in data.molecules
    ], [(each.index, each.reason) for each in data.failures]


def test_data_are_the_same_whoever_checks_them(path, elsewhere, monkeypatch):
    monkeypatch.setattr(checker, "_MOST_RECORDS", 2)
    here = seen(read_reference(path))
    assert [len(each) for each in here] == [8, 2]
    assert seen(read_reference(path, engine=elsewhere)) == here
    streamed = list(stream_reference(path, engine=elsewhere))
    assert [each.smiles for each in streamed if not isinstance(each, Failure)] == [one[0] for one in here[0]]


@pytest.mark.parametrize("most", [1, 7, 32])
def test_how_many_are_checked_together_changes_nothing(path, monkeypatch, most):
    whole = seen(read_reference(path))
    monkeypatch.setattr(checker, "_MOST_RECORDS", most)
    assert [len(chunk) for chunk in chunked_records(stream_records(path))] == {1: [1] * 9, 7: [7, 2], 32: [9]}[most]
    assert seen(read_reference(path)) == whole


def test_records_are_cut_where_their_numbers_are_many(path, monkeypatch):
    sizes = [np.size(each.coords) for each in stream_records(path)]
    monkeypatch.setattr(checker, "_MOST_NUMBERS", sizes[0] + 1)
    first, *_ = chunked_records(stream_records(path))
    assert len(first) == 2


def test_a_level_that_is_not_wanted_is_a_failure(path):
    first, *_ = chunked_records(stream_records(path))
    (found,) = Checker(level="other")(first[:1])
    assert found.molecule is None
    assert [each.reason for each in found.failures] == ["its level of theory is GFN2-xTB, not other"]
