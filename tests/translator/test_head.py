import numpy as np
import pytest

from spectragan.translator import representation as module
from spectragan.translator.representation import fit_head

N_STARS, N_PIXELS = 200, 40


@pytest.fixture
def features():
    latents = np.random.default_rng(0).normal(size=(N_STARS, 4))
    return np.hstack([np.ones((N_STARS, 1)), latents])


def noise(sigma, seed=1):
    return sigma * np.random.default_rng(seed).normal(size=(N_STARS, N_PIXELS))


def planted():
    """Return a head with one line that follows one latent."""
    head = np.zeros((5, N_PIXELS))
    head[2, 18:22] = [0.1, 0.3, 0.3, 0.1]
    return head


def test_fit_head_recovers_a_line_that_follows_a_latent(features):
    found = fit_head(features, features @ planted() + noise(0.05), np.ones((N_STARS, N_PIXELS)))
    assert np.abs(found[2, 18:22] - planted()[2, 18:22]).max() < 0.02
    assert np.linalg.norm(found - planted()) < 0.15 * np.linalg.norm(planted())


def test_fit_head_switches_off_on_noise(features):
    residual = noise(0.1)
    found = fit_head(features, residual, np.ones_like(residual))
    plain = np.linalg.lstsq(features, residual, rcond=None)[0]
    assert np.linalg.norm(features @ found) < 1e-3 * np.linalg.norm(features @ plain)


def test_fit_head_never_learns_from_masked_pixels(features):
    residual = features @ planted() + noise(0.05)
    weights = (np.random.default_rng(2).random(residual.shape) > 0.3).astype(float)
    garbage = np.where(weights > 0, residual, 1e3)
    np.testing.assert_array_equal(
        fit_head(features, garbage, weights), fit_head(features, residual, weights)
    )


def test_fit_head_follows_the_better_spectra(features):
    sigma = np.where(np.arange(N_STARS) % 2, 0.5, 0.02)[:, None]
    residual = features @ planted() + noise(1.0) * sigma
    weights = np.broadcast_to(sigma**-2, residual.shape)
    weighted, even = (fit_head(features, residual, w) for w in (weights, np.ones_like(residual)))
    assert np.linalg.norm(weighted - planted()) < 0.3 * np.linalg.norm(even - planted())


def test_fit_head_is_the_same_however_pixels_are_chunked(features, monkeypatch):
    residual = features @ planted() + noise(0.05)
    expected = fit_head(features, residual, np.ones_like(residual))
    monkeypatch.setattr(module, "CHUNK_PIXELS", 7)
    found = fit_head(features, residual, np.ones_like(residual))
    np.testing.assert_allclose(found, expected, atol=1e-12)


def test_fit_head_of_too_few_spectra_is_off(features):
    few = features[:9]
    assert not fit_head(few, np.ones((9, N_PIXELS)), np.ones((9, N_PIXELS))).any()
