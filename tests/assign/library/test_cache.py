"""Labels that come from a cache are those that are made; it holds no more than it may, and nothing that is damaged."""

import sqlite3
from concurrent.futures import ProcessPoolExecutor
from dataclasses import replace
from functools import partial
from multiprocessing import get_context

import pytest

from ffshare.assign import load_scheme
from ffshare.assign.library import LabelCache, Labeller
from ffshare.assign.library import labeller as module
from ffshare.data_files import data_directory
from ffshare.errors import OutputError
from tests.assign.library import cached
from tests.assign.library.cached import entries

TEXTS = [line.split()[0] for line in data_directory("molecules").joinpath("drugs.smi").read_text().splitlines()[::12]]


@pytest.fixture
def cache(tmp_path):
    return LabelCache(folder=tmp_path / "cache", salt="one", most_bytes=10**9)


@pytest.fixture(scope="module")
def plain():
    return Labeller(scheme=load_scheme("alkethoh-smirks"))


@pytest.fixture
def made(monkeypatch):
    """Texts that were read and labelled, and did not come from a cache."""
    texts = []
    original = module.batch_of_entries
    monkeypatch.setattr(
        module, "batch_of_entries", lambda given: texts.extend(e.text for e in given) or original(given)
    )
    return texts


def same(one, two):
    tables = [(one.labels, two.labels), (one.molecules, two.molecules), (one.failure_table(), two.failure_table())]
    # Dictionaries too: files of both have the same bytes.
    assert all(left.equals(right) for left, right in tables)
    assert [chunk.dictionary for chunk in one.labels["rule_id"].chunks] == [
        chunk.dictionary for chunk in two.labels["rule_id"].chunks
    ]
    assert one.numbers.to_json() == two.numbers.to_json()
    return True


def test_what_is_known_is_not_made_again_and_comes_back_the_same(cache, plain, made):
    labeller = replace(plain, cache=cache)
    mixed = entries([*TEXTS[3:9], "C1CC", *TEXTS[:6], TEXTS[4]], first=70)
    expected = plain(mixed)
    first, known = labeller(entries(TEXTS[:6])), TEXTS[:6]
    assert same(first, plain(entries(TEXTS[:6])))
    made.clear()
    assert same(labeller(mixed), expected)
    assert sorted(made) == sorted({text for text in [*TEXTS[3:9], "C1CC"] if text not in known})
    made.clear()
    assert same(labeller(mixed), expected)
    assert made == ["C1CC"]  # what could not be used is read again


def test_other_schemes_find_nothing(cache, plain, made):
    replace(plain, cache=cache)(entries(TEXTS[:3]))
    made.clear()
    replace(plain, cache=replace(cache, salt="two"))(entries(TEXTS[:3]))
    assert made == TEXTS[:3]


def test_a_text_of_another_kind_is_another_input(cache, plain):
    replace(plain, cache=cache)(entries(["O"]))
    found = replace(plain, cache=cache)([replace(entries(["O"])[0], kind="molblock")])
    assert len(found.failures) == 1


@pytest.mark.parametrize("damage", ["x'00'", "value || x'00'", "substr(value, 1, 200)"])
def test_what_is_damaged_is_made_again(cache, plain, made, damage):
    labeller = replace(plain, cache=cache)
    expected = labeller(entries(TEXTS[:4]))
    with sqlite3.connect(next(cache.folder.glob("*.sqlite"))) as connection:
        connection.execute(f"UPDATE known SET value = {damage} WHERE number = 2")
    connection.close()
    made.clear()
    assert same(labeller(entries(TEXTS[:4])), expected)
    assert made == [TEXTS[1]]


def test_a_file_that_is_no_cache_is_an_error_that_says_what_to_do(cache, plain):
    cache.folder.mkdir()
    (cache.folder / "labels-1.sqlite").write_bytes(b"not a database, and rather long for one" * 40)
    with pytest.raises(OutputError, match="cannot be used: file is not a database; remove it"):
        replace(plain, cache=cache)(entries(TEXTS[:1]))


def test_it_grows_to_its_bound_and_the_oldest_make_room(cache, plain, made):
    small = replace(plain, cache=replace(cache, most_bytes=200_000))
    texts = [f"{'C' * n}O{'C' * m}" for n in range(1, 9) for m in range(1, 9)]
    for text in texts:
        small(entries([text]))
    n_bytes = sum(path.stat().st_size for path in cache.folder.glob("*.sqlite"))
    assert n_bytes < 300_000
    made.clear()
    small(entries([texts[-1]]))
    assert made == []
    small(entries([texts[0]]))
    assert made == [texts[0]]


def test_several_processes_use_it_at_once(cache, plain):
    with ProcessPoolExecutor(2, mp_context=get_context("spawn")) as pool:
        found = list(pool.map(partial(cached.labels_of, cache.folder), [TEXTS, TEXTS[::-1]]))
    expected = [plain(entries([text])).labels.to_pylist() for text in TEXTS]
    assert found == [expected, expected[::-1]]
