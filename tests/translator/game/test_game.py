import numpy as np
import pytest
import torch
from torch import nn

from spectragan import CycleGANTranslator
from spectragan.training.devices import seeded
from spectragan.translator.domain_data import DomainData
from spectragan.translator.game.setup import N_SPLIT, STEPS_PER_EPOCH, build_game
from spectragan.translator.networks.conv import AdaptedConvTranslator
from spectragan.translator.networks.subspace import SubspaceCritic, SubspaceTranslator

N_SYNTHETIC, N_OBSERVED, N_PIXELS = 300, 200, 60


def domain(n_rows, known, seed):
    """Return a curved two-dimensional family of spectra, (n_rows, 60)."""
    rng, lines = np.random.default_rng(seed), np.random.default_rng(9).normal(size=(4, N_PIXELS))
    labels = rng.uniform(-1, 1, size=(n_rows, 2))
    curved = np.hstack([labels, labels**2])
    sigma = 0.01 if known else 0.0
    flux = 1 + 0.05 * curved @ lines + sigma * rng.normal(size=(n_rows, N_PIXELS))
    weights = np.full(flux.shape, 1e4 if known else 1.0)
    return DomainData(flux, weights, np.full(n_rows, known), np.full(n_rows, not known))


@pytest.fixture(scope="module")
def domains():
    return domain(N_SYNTHETIC, False, 0), domain(N_OBSERVED, True, 1)


def game(domains, **parameters):
    parameters = CycleGANTranslator(verbose=0, **parameters).get_params(deep=False)
    with seeded(0) as rng:
        return build_game(domains, parameters, torch.device("cpu"), rng)


def test_game_takes_as_many_shared_latents_as_spectra_vary_in(domains):
    found = game(domains)
    x = found.rows.parts["synthetic"].inputs["x"]
    shared, split = found.module.encode(x, 1)
    assert shared.shape[1] in (2, 3)
    assert split.shape[1] <= N_SPLIT
    assert isinstance(found.module, SubspaceTranslator)
    assert isinstance(found.critic, SubspaceCritic)


def test_game_gives_the_latents_that_were_asked_for(domains):
    found = game(domains, n_shared=2, n_split=1, n_components=4)
    shared, split = found.module.encode(torch.zeros(1, 4), 1)
    assert (shared.shape[1], split.shape[1]) == (2, 1)


def test_game_starts_at_a_translation_that_closes_most_of_the_gap(domains):
    """Before training, the network is its linear start: whitened encoders and generators."""
    synthetic, observed = domains
    moved = DomainData(observed.flux + 0.3, observed.weights, observed.known, observed.exact)
    found = game((synthetic, moved), n_split=0, n_shared=4)
    pixels = found.representation.to_pixels(found.module.double(), (synthetic, moved))
    with torch.no_grad():
        shared, split = pixels.encode(torch.tensor(synthetic.flux), 0)
        translated = pixels.decode(shared, split, 1).numpy()
    error = np.sqrt(np.mean((translated - synthetic.flux - 0.3) ** 2))
    assert error < 0.1 * 0.3


def test_game_plays_shorter_epochs_with_small_sets(domains):
    assert game(domains).settings.n_batches == -(-8 * N_SYNTHETIC // 256)
    assert game(domains, batch_size=8).settings.n_batches == STEPS_PER_EPOCH
    assert game(domains, steps_per_epoch=7).settings.n_batches == 7
    assert game(domains, batch_size=10**6).settings.batch_size == N_SYNTHETIC


def test_game_never_warms_up_longer_than_it_plays(domains):
    assert game(domains, max_epochs=3, warmup_epochs=10).settings.warmup_epochs == 3


def test_convolutional_game_centres_on_the_means(domains):
    found = game(domains, network="conv", width=0.125)
    assert isinstance(found.module, AdaptedConvTranslator)
    for d, data in enumerate(domains):
        mean = data.flux.mean(axis=0)
        np.testing.assert_allclose(found.module.centre[d].ravel(), mean, rtol=1e-5)


def test_game_leaves_a_users_own_networks_alone(domains):
    network, critic = nn.Linear(2, 2), nn.Linear(2, 2)
    found = game(domains, network=network, critic=critic)
    assert found.module is not network
    assert found.critic is not critic
    assert torch.equal(found.module.weight, network.weight)


def test_identity_scale_is_half_the_typical_change(domains):
    synthetic, observed = domains
    moved = DomainData(observed.flux + 0.3, observed.weights, observed.known, observed.exact)
    assert game((synthetic, moved)).settings.identity_scale == pytest.approx(0.15, rel=0.1)
