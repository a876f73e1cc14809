"""The experiment with the tied autoencoder: its quick run passes, and what is not tied, or not trained, does not."""

import dataclasses

import numpy as np
import pytest

torch = pytest.importorskip("torch")
pytest.importorskip("sklearn")

from torch import nn  # noqa: E402

from ffshare.nn.autoencoder import TiedAutoencoder  # noqa: E402
from ffshare.nn.reproduce import autoencoder  # noqa: E402


@pytest.fixture(scope="module")
def outcome():
    return autoencoder.run(quick=True)


@pytest.fixture(scope="module")
def data():
    return autoencoder.centred(np.random.default_rng(0).normal(size=(100, 8)) * 0.7 ** np.arange(8))


def failed(checks):
    return [number for number, check in enumerate(checks) if not check.passed]


def test_every_check_of_the_quick_run_passes(outcome):
    assert outcome.passed, [check for check in outcome.checks if not check.passed]
    assert len(outcome.checks) == 8


def test_the_untied_model_has_a_gauge_and_the_panels_show_both(outcome):
    ranks = [check for check in outcome.checks if "rank" in check.claim]
    assert [check.measured for check in ranks] == [2 * (2 * 64 - 2), 2 * 64 - 1]
    assert [[series.label for series in panel.series] for panel in outcome.panels] == [
        ["principal components", "tied", "untied, on top of it"],
        ["tied", "untied"],
    ]
    assert all(len(series.x) == len(series.y) for panel in outcome.panels for series in panel.series)
    assert "the untied model is the slower one" in outcome.remarks[0]


def test_two_free_matrices_passed_off_as_tied_do_not_pass(data):
    tied = {2: autoencoder._best_of(data, 2, range(2), 300, tied=True)}
    untied = {2: autoencoder._best_of(data, 2, range(2), 300, tied=False)}
    assert failed(autoencoder._optimum(tied, untied)) == []
    # The error is the same; that the weight is orthonormal is what the tie gives.
    assert 2 in failed(autoencoder._optimum(untied, untied))
    assert failed(autoencoder._posedness(tied[2], untied[2])) == []
    assert 1 in failed(autoencoder._posedness(dataclasses.replace(tied[2], decoder=untied[2].decoder), untied[2]))


def test_a_model_stopped_early_does_not_pass(data):
    early = {2: autoencoder._best_of(data, 2, range(1), 5, tied=True)}
    assert {0, 1, 2} <= set(failed(autoencoder._optimum(early, early)))


class Loose(TiedAutoencoder):
    """Its decoder starts as the transpose and goes its own way."""

    def __init__(self, in_features, latent, device=None, dtype=None):
        super().__init__(in_features, latent, device, dtype)
        self.decoder = nn.Linear(latent, in_features, bias=False, device=device, dtype=dtype)
        with torch.no_grad():
            self.decoder.weight.copy_(self.encoder.weight.mT)

    def forward(self, input):
        return self.decoder(self.encoder(input))


def test_a_decoder_that_only_starts_as_the_transpose_does_not_pass(data, monkeypatch):
    assert autoencoder._gradient(data, 2).passed
    monkeypatch.setattr(autoencoder, "TiedAutoencoder", Loose)
    assert not autoencoder._gradient(data, 2).passed
    loose = {2: autoencoder._best_of(data, 2, range(1), 300, tied=True)}
    assert 2 in failed(autoencoder._optimum(loose, loose))
