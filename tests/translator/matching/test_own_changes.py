"""Stars are placed whatever continuum each of them has; noise gives no slopes."""

import numpy as np
import pytest

from spectragan.translator.matching.instrument import no_instrument
from spectragan.translator.matching.manifold import Manifold, Powers
from spectragan.translator.matching.own_changes import find_own_changes, no_own_changes
from spectragan.translator.matching.pseudo_pairs import fit_latents
from spectragan.translator.matching.regression import noise_slopes, regress_gap

N_STARS, N_PIXELS, NOISE = 2000, 120, 0.02


def linear_manifold(size=0.02):
    rng = np.random.default_rng(4)
    coefficients = np.vstack([np.ones(N_PIXELS), size * rng.normal(size=(2, N_PIXELS)).cumsum(1)])
    reach = np.full(2, 20.0)
    return Manifold(Powers(2, 1), coefficients, -reach, reach, np.empty((0, 2)))


def stars(manifold, continuum):
    rng = np.random.default_rng(5)
    latents = rng.normal(size=(N_STARS, 2))
    flux = manifold.spectra(latents) + NOISE * rng.normal(size=(N_STARS, N_PIXELS))
    slope = continuum * rng.normal(size=(N_STARS, 1)) * np.linspace(-1, 1, N_PIXELS)
    return latents, flux * (1 + slope)


def fit(manifold, flux, own):
    shape = (len(flux), 2)
    weights = np.full(flux.shape, NOISE**-2)
    gap = np.zeros((1, flux.shape[1]))
    return fit_latents(manifold, gap, flux, weights, np.zeros(shape), own)


def own_of(manifold, flux, latents):
    residual = flux - manifold.spectra(latents)
    weights = np.full(flux.shape, NOISE**-2)
    return find_own_changes(no_instrument(manifold), manifold.coefficients[0], residual, weights)


def test_a_continuum_of_its_own_moves_no_star():
    manifold = linear_manifold()
    truth, flux = stars(manifold, continuum=0.1)
    plain = fit(manifold, flux, no_own_changes(N_PIXELS))
    placed = plain
    for _ in range(3):
        placed = fit(manifold, flux, own_of(manifold, flux, placed))
    off, before = (np.sqrt(np.mean((part - truth) ** 2)) for part in (placed, plain))
    assert off < 0.5 * before


def test_stars_that_do_not_differ_are_placed_as_before():
    manifold = linear_manifold()
    _, flux = stars(manifold, continuum=0.0)
    plain = fit(manifold, flux, no_own_changes(N_PIXELS))
    assert len(own_of(manifold, flux, plain).ways) == 0


@pytest.mark.parametrize("factor", [1e-20, 1e20])
def test_the_unit_of_flux_does_not_matter(factor):
    manifold = linear_manifold()
    _, flux = stars(manifold, continuum=0.1)
    plain = fit(manifold, flux, no_own_changes(N_PIXELS))
    residual, weights = flux - manifold.spectra(plain), np.full(flux.shape, NOISE**-2)
    parts = manifold.coefficients[0], residual, weights
    first = find_own_changes(no_instrument(manifold), *parts)
    scaled = parts[0] * factor, residual * factor, weights / factor**2
    second = find_own_changes(no_instrument(manifold), *scaled)
    np.testing.assert_allclose(second.precision, first.precision * factor**2, rtol=1e-6)
    np.testing.assert_allclose(second.ways, first.ways * factor, rtol=1e-6, atol=1e-9 * factor)


def test_slopes_that_noise_gives_are_known():
    """Pixels that count more follow the noise of the latents: no gap, though it looks like one."""
    manifold = linear_manifold(size=5e-4)
    _, flux = stars(manifold, continuum=0.0)
    emphasis = np.where(np.arange(N_PIXELS) < N_PIXELS // 2, 1.0, 0.05)
    weights = np.full(flux.shape, NOISE**-2)
    latents = fit_latents(
        manifold,
        np.zeros((1, N_PIXELS)),
        flux,
        weights * emphasis,
        np.zeros((N_STARS, 2)),
        no_own_changes(N_PIXELS),
    )
    residual, trust = flux - manifold.spectra(latents), np.ones(N_STARS)
    found = regress_gap(latents, residual, np.ones(flux.shape, bool), trust)[1:]
    expected = noise_slopes(manifold, latents, residual, weights, emphasis, trust)
    chance = NOISE / np.sqrt(N_STARS)
    assert np.sqrt(np.mean(found**2)) > 1.2 * chance
    assert np.sqrt(np.mean((found - expected) ** 2)) < 1.1 * chance
