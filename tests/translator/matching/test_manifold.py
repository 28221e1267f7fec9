"""Polynomials of latents: exact where spectra are polynomials, with exact derivatives."""

import numpy as np
import pytest

from spectragan.translator.matching.manifold import Powers, fit_manifold


@pytest.mark.parametrize(("n_latents", "degree", "n_terms"), [(1, 3, 4), (3, 2, 10), (4, 3, 35)])
def test_powers_count(n_latents, degree, n_terms):
    assert Powers(n_latents, degree)(np.zeros((2, n_latents))).shape == (2, n_terms)


def test_powers_jacobian_equals_differences():
    powers, point = Powers(3, 3), np.array([[0.3, -1.2, 0.7]])
    step = 1e-6
    numeric = [
        (powers(point + step * e) - powers(point - step * e)) / (2 * step) for e in np.eye(3)
    ]
    np.testing.assert_allclose(powers.jacobian(point), np.stack(numeric, axis=2), atol=1e-8)


@pytest.mark.parametrize(("n_latents", "degree"), [(2, 3), (5, 2)])
def test_manifold_follows_polynomials_exactly(n_latents, degree):
    rng = np.random.default_rng(0)
    latents = rng.normal(size=(400, n_latents))
    truth = rng.normal(size=(len(Powers(n_latents, degree).factors), 20))
    flux = Powers(n_latents, degree)(latents) @ truth
    manifold = fit_manifold(latents, flux)
    np.testing.assert_allclose(manifold.spectra(latents), flux, atol=1e-4)
