"""Latents of observed spectra: right whatever the label distribution, if the gap is sparse."""

from dataclasses import replace

import numpy as np
import pytest

from spectragan.translator.matching.manifold import fit_manifold
from spectragan.translator.matching.search import find_pseudo_pairs

N_PIXELS = 240


def domains(offset, *, dense=0.0, seed=0, n=400):
    """Make a curved synthetic domain, and an observed one with a gap at a tenth of the pixels."""
    rng = np.random.default_rng(seed)
    loadings = rng.normal(size=(2, N_PIXELS)) * 0.1

    def spectra(z):
        return 1 + z @ loadings + 0.02 * (z[:, :1] ** 2) * loadings[1]

    synthetic = rng.normal(size=(n, 2))
    observed = rng.normal(size=(n, 2)) * 0.8 + np.asarray(offset)
    gap = dense * loadings[0]
    gap = gap + np.where(rng.uniform(size=N_PIXELS) < 0.1, 0.3, 0.0)
    slope = np.where(rng.uniform(size=N_PIXELS) < 0.05, 0.1, 0.0)
    flux = spectra(observed) + gap + observed[:, :1] * slope
    flux += 0.01 * rng.normal(size=flux.shape)
    return fit_manifold(synthetic, spectra(synthetic)), observed, flux, np.full(flux.shape, 1e4)


def place(manifold, flux, weights):
    pairs = find_pseudo_pairs(manifold, flux, weights, np.random.RandomState(0))
    return pairs, pairs.place(flux, weights)


@pytest.mark.parametrize("offset", [(0.0, 0.0), (0.7, -0.3), (-1.5, 1.0)])
def test_a_sparse_gap_is_not_taken_for_labels(offset):
    manifold, truth, flux, weights = domains(offset)
    pairs, latents = place(manifold, flux, weights)
    assert np.abs((latents - truth).mean(axis=0)).max() < 0.03
    assert np.abs(latents - truth).max() < 0.3
    assert pairs.error.max() < 0.1


def test_a_gap_along_the_labels_is_owned_up_to():
    manifold, truth, flux, weights = domains((0.0, 0.0), dense=0.5)
    _, latents = place(manifold, flux, weights)
    # Nothing in the spectra says that it isn't an offset of half a standard deviation.
    assert (latents - truth).mean(axis=0)[0] == pytest.approx(0.5, abs=0.05)


def test_masked_pixels_change_nothing():
    manifold, _, flux, weights = domains((0.3, 0.0))
    weights[::3, 5:40] = 0.0
    spoiled = np.where(weights > 0, flux, 1e6)
    first, second = place(manifold, flux, weights), place(manifold, spoiled, weights)
    np.testing.assert_array_equal(first[1], second[1])
    np.testing.assert_array_equal(first[0].gap, second[0].gap)


def test_the_unit_of_the_weights_changes_nothing():
    manifold, _, flux, weights = domains((0.3, 0.0))
    _, known = place(manifold, flux, weights)
    _, unknown = place(manifold, flux, np.ones_like(weights))
    np.testing.assert_allclose(known, unknown, atol=1e-6)


def test_anchors_correct_a_gap_along_the_labels():
    manifold, truth, flux, weights = domains((0.0, 0.0), dense=0.5)
    pairs, _ = place(manifold, flux, weights)
    some = slice(0, 20)
    doubtful = pairs.with_anchors(truth[some], flux[some], weights[some])
    assert (doubtful.error < pairs.error).all()
    # The prior decides how much twenty anchors may move: here it is as wide as the gap.
    covariance = np.diag([0.25, 1e-6, 1e-6, 0.25, 1e-6, 1e-6])  # of each latent's mean and slopes
    honest = replace(pairs, covariance=covariance).with_anchors(
        truth[some], flux[some], weights[some]
    )
    off = (honest.place(flux, weights) - truth).mean(axis=0)
    assert np.abs(off).max() < 0.05
    assert honest.error.max() < 0.1


def lines(n=300, seed=0):
    """Make spectra of narrow lines, most pixels continuum; return them and more of the same."""
    rng = np.random.default_rng(seed)
    distance = np.arange(600) - rng.uniform(0, 600, size=30)[:, None]
    profiles = np.exp(-0.5 * (distance / 2.0) ** 2) * (np.abs(distance) < 9)
    strength, slopes = rng.uniform(0.1, 0.4, size=30), rng.normal(size=(2, 30)) * 0.3

    def spectra(z):
        return np.exp(-(strength * np.exp(z @ slopes)) @ profiles)

    truth = rng.normal(size=(n, 2)), rng.normal(size=(n, 2))
    return truth, spectra(truth[0]), spectra(truth[1])


def test_broader_lines_and_another_continuum_are_not_taken_for_labels():
    (first, truth), synthetic, observed = lines()
    broadened = 0.6 * observed + 0.2 * (
        np.roll(observed, 1, axis=1) + np.roll(observed, -1, axis=1)
    )
    broadened = broadened * (1 + 0.01 * np.sin(np.linspace(-2, 2, 600)))
    manifold = fit_manifold(first, synthetic)
    _, latents = place(manifold, broadened, np.full(observed.shape, 1e4))
    assert np.abs((latents - truth).mean(axis=0)).max() < 0.02


def test_without_any_gap_every_star_is_found():
    (first, truth), synthetic, observed = lines()
    _, latents = place(fit_manifold(first, synthetic), observed, np.full(observed.shape, 1e4))
    assert np.abs(latents - truth).max() < 0.1
