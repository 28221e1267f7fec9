"""The translator with networks between pixels: the convolutional ones, and a user's own."""

import numpy as np
import pytest
import torch
from torch import nn

from spectragan import MeanShiftTranslator, Spectra
from spectragan.datasets import make_mock_domains

CONV = {"network": "conv", "width": 0.125, "max_epochs": 1, "steps_per_epoch": 1, "batch_size": 6}


class OwnNetwork(nn.Module):
    """Two mean spectra, behind layers that behave differently in training."""

    def __init__(self, n_pixels):
        super().__init__()
        self.means = nn.Parameter(torch.ones(2, n_pixels))
        self.dropout = nn.Dropout(0.2)
        self.norm = nn.BatchNorm1d(n_pixels, affine=False)

    def encode(self, x, domain):
        residual = x - self.means[domain]
        self.norm(residual.detach())  # only to have running statistics
        return self.dropout(residual), x[:, :0]

    def decode(self, shared, split, domain):
        return shared + self.means[domain]


class OwnCritic(nn.Module):
    def __init__(self, n_pixels):
        super().__init__()
        self.layers = nn.ModuleList(nn.Linear(n_pixels, 1) for _ in range(2))

    def forward(self, x, shared, split, domain):
        return self.layers[domain](x).squeeze(1)


def rms(translator, mock):
    found = translator.transform(mock.synthetic_of_observed).flux
    return np.sqrt(np.mean((found - mock.observed_truth.flux) ** 2)) / mock.raw_gap


def domains(n_pixels, n_rows=8):
    """Return a few smooth spectra of both domains, for any number of pixels."""
    rng = np.random.default_rng(n_pixels)
    phase = rng.uniform(0, 1, size=(2 * n_rows, 1))
    flux = 1 + 0.1 * np.sin(2 * np.pi * (np.linspace(0, 3, n_pixels) + phase))
    return flux[:n_rows], 0.95 * flux[n_rows:]


@pytest.mark.slow
def test_convolutional_translator_beats_mean_shift_at_300_pixels(quick):
    mock = make_mock_domains(200, 200, n_pixels=300, random_state=0)
    longer = {"max_epochs": 4, "warmup_epochs": 2, "steps_per_epoch": 8}
    translator = quick(network="conv", width=0.25, **longer).fit(mock.synthetic, mock.observed)
    assert translator.history_["cycle"][-1] < 0.4 * translator.history_["cycle"][0]
    baseline = MeanShiftTranslator().fit(mock.synthetic, mock.observed)
    assert rms(translator, mock) < 0.95 * rms(baseline, mock)


def test_one_step_does_not_unlearn_the_means(quick):
    synthetic, observed = domains(343)
    translator = quick(**CONV).fit(synthetic, observed)
    gap = np.abs(synthetic.mean() - observed.mean())
    assert np.abs(translator.transform(synthetic).mean() - observed.mean()) < 0.2 * gap
    assert np.abs(translator.inverse_transform(observed).mean() - synthetic.mean()) < 0.2 * gap


def test_convolutional_translator_never_reads_masked_values(quick):
    synthetic, flux = domains(300)
    ivar = np.ones_like(flux)
    ivar[:, 100:110] = 0
    results = []
    for value in (1.0, 1e6):
        observed = Spectra(np.where(ivar > 0, flux, value), None, ivar=ivar)
        translator = quick(**CONV).fit(synthetic, observed)
        back = translator.inverse_transform(observed).flux
        results.append([translator.transform(synthetic), back, *translator.encode(observed, 1)])
    for a, b in zip(*results, strict=True):
        np.testing.assert_array_equal(a, b)


def test_convolutional_latents_are_flat_for_users(quick):
    synthetic, observed = domains(300)
    translator = quick(**CONV, n_shared=6, n_split=2).fit(synthetic, observed)
    shared, split = translator.encode(observed, "observed")
    assert shared.shape == (8, translator.n_shared_)
    assert split.shape == (8, translator.n_split_)
    assert translator.n_shared_ == 3 * translator.n_split_
    np.testing.assert_allclose(
        translator.decode(shared, split, 0), translator.inverse_transform(observed)
    )
    assert translator.sample(synthetic, 2, random_state=0).shape == (2, 8, 300)


@pytest.fixture
def own(mock, quick):
    modules = OwnNetwork(80), OwnCritic(80)
    parameters = {"max_epochs": 6, "warmup_epochs": 6, "steps_per_epoch": 30, "learning_rate": 1e-2}
    parameters |= {"latent_weight": 0.0, "ema_decay": 0.9}
    translator = quick(network=modules[0], critic=modules[1], **parameters)
    return translator.fit(mock.synthetic, mock.observed), modules


def test_own_networks_train(own):
    learned = own[0].network_.network.means.detach().numpy()
    means = own[0].subspace_.means
    gap = means[1] - means[0]
    assert np.linalg.norm(learned[1] - learned[0] - gap) < 0.5 * np.linalg.norm(gap)


def test_own_networks_are_copied_and_left_untrained(own):
    assert (own[1][0].means == 1).all()
    assert own[0].network is own[1][0]


def test_own_networks_translate_in_evaluation_mode(own, mock):
    translator = own[0]
    assert not translator.network_.network.training
    first, again = (translator.transform(mock.synthetic).flux for _ in range(2))
    np.testing.assert_array_equal(first, again)
    assert translator.network_.network.norm.num_batches_tracked > 0, "statistics of the training"


def test_own_networks_play_against_their_critic(mock, quick):
    translator = quick(network=OwnNetwork(80), critic=OwnCritic(80), max_epochs=2, warmup_epochs=0)
    history = translator.fit(mock.synthetic, mock.observed).history_
    assert np.isfinite(history["critic"] + history["adversarial"]).all()
