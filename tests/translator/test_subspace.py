import numpy as np
import pytest

from spectragan.translator import subspace as module
from spectragan.translator.subspace import Subspace, fit_subspace, noise_free_covariance

N_PIXELS = 60


def planted(n_rows=300, rank=3, seed=0):
    """Return spectra (n_rows, 60) of that rank around a mean, and their components."""
    rng = np.random.default_rng(seed)
    components = np.linalg.qr(rng.normal(size=(N_PIXELS, rank)))[0].T
    latents = rng.normal(size=(n_rows, rank)) * np.linspace(1.5, 0.7, rank)
    return 1.0 + latents @ components, components


def angle(found, true):
    """Return the largest principal angle between two subspaces, in radians."""
    overlap = np.linalg.svd(found @ true.T, compute_uv=False).min()
    return float(np.arccos(min(overlap, 1.0)))


def fit(flux, weights=None, n_components=3):
    weights = np.ones_like(flux) if weights is None else weights
    known = (weights > 1).any(axis=1)
    *halves, known = [(a[: len(a) // 2], a[len(a) // 2 :]) for a in (flux, weights, known)]
    rng = np.random.RandomState(0)
    return fit_subspace(*halves, known=known, n_components=n_components, rng=rng)


@pytest.fixture
def weighted():
    """Return a subspace, and spectra with uneven errors and a tenth of the pixels masked."""
    flux, components = planted(40)
    rng = np.random.default_rng(1)
    weights = rng.uniform(10, 1000, flux.shape) * (rng.random(flux.shape) > 0.1)
    flux = flux + 0.05 * rng.normal(size=flux.shape)
    return Subspace(np.ones((2, N_PIXELS)), components, np.ones(3)), flux, weights


def test_project_is_weighted_least_squares(weighted):
    subspace, flux, weights = weighted
    found, covariance = subspace.project(flux, weights, 1)
    for row in range(len(flux)):
        root = np.sqrt(weights[row])
        design = (root * subspace.components).T
        dense = np.linalg.lstsq(design, root * (flux[row] - 1), rcond=None)[0]
        np.testing.assert_allclose(found[row], dense, atol=1e-5)
        np.testing.assert_allclose(covariance[row], np.linalg.inv(design.T @ design), rtol=1e-4)


def test_project_beats_plain_projection_where_pixels_are_masked(weighted):
    subspace, flux, weights = weighted
    truth = (planted(40)[0] - 1) @ subspace.components.T
    flux = np.where(weights > 0, flux, 9.0)
    plain = (flux - 1) @ subspace.components.T
    error = subspace.project(flux, weights, 0)[0] - truth
    assert error.std() < 0.05 * (plain - truth).std()


def test_project_never_reads_masked_values(weighted):
    subspace, flux, weights = weighted
    garbage = np.where(weights > 0, flux, 1e6)
    np.testing.assert_array_equal(
        subspace.project(garbage, weights, 0)[0], subspace.project(flux, weights, 0)[0]
    )


def test_project_gives_a_spectrum_without_pixels_the_mean(weighted):
    subspace, flux, weights = weighted
    found, covariance = subspace.project(flux, 0 * weights, 0)
    assert not found.any()
    assert np.isfinite(covariance).all()


def test_project_does_not_depend_on_how_rows_are_chunked(weighted, monkeypatch):
    subspace, flux, weights = weighted
    expected = subspace.project(flux, weights, 0)[0]
    monkeypatch.setattr(module, "CHUNK_ROWS", 7)
    np.testing.assert_allclose(subspace.project(flux, weights, 0)[0], expected, rtol=1e-12)


def test_fit_subspace_fills_masked_pixels_of_rank_deficient_spectra(monkeypatch):
    flux, components = planted()
    weights = (np.random.default_rng(2).random(flux.shape) > 0.05).astype(float)
    filled = fit(np.where(weights > 0, flux, 1e6), weights)
    assert angle(fit(flux).components, components) < 1e-6
    monkeypatch.setattr(module, "FILL_ITERATIONS", 1)  # masked pixels stay at the mean
    assert angle(filled.components, components) < 0.1 * angle(
        fit(flux, weights).components, components
    )
    np.testing.assert_allclose(filled.spread, fit(flux).spread, rtol=0.02)


def test_fit_subspace_takes_the_components_above_the_known_noise():
    flux, components = planted(400)
    flux = flux + 0.05 * np.random.default_rng(3).normal(size=flux.shape)
    found = fit(flux, np.full_like(flux, 400.0), n_components=None).components
    assert angle(found, components) < 0.05
    # One draw of the noise is compared with another: a few may pass, the other 15 must not.
    assert 3 <= len(found) <= 6


def test_fit_subspace_takes_no_more_components_than_there_are():
    flux, _ = planted()
    assert len(fit(flux, n_components=30).components) == 3


def test_fit_subspace_weighs_both_domains_alike():
    rng = np.random.default_rng(0)
    few, many = rng.normal(size=(50, 1)), rng.normal(size=(1000, 1))
    axes = np.eye(N_PIXELS)
    flux = few / few.std() * axes[0], many / many.std() * axes[1]
    ones = tuple(np.ones_like(f) for f in flux)
    known = tuple(np.zeros(len(part), bool) for part in flux)
    rng = np.random.RandomState(0)
    found = fit_subspace(flux, ones, known=known, n_components=2, rng=rng)
    np.testing.assert_allclose(found.spread, 0.5**0.5, rtol=1e-3)


def test_fit_subspace_gives_a_pixel_that_one_domain_lacks_the_mean_of_the_other():
    flux, _ = planted()
    weights = np.ones_like(flux)
    weights[:150, 7] = 0.0
    means = fit(np.where(weights > 0, flux, 1e6), weights).means
    assert means[0, 7] == means[1, 7] == pytest.approx(flux[150:, 7].mean())


def test_fit_subspace_means_are_exact_for_single_precision_input():
    flux = np.full((20000, 2), 1.1, dtype=np.float32) * np.array([1, 1.3], dtype=np.float32)
    flux[::2] += np.float32(1e-3)
    means = fit(flux, n_components=1).means
    np.testing.assert_allclose(means[0], flux[:10000].astype(float).mean(axis=0), rtol=1e-12)


def test_noise_free_covariance_is_nearer_the_truth_than_that_of_noisy_spectra():
    rng = np.random.default_rng(0)
    truth = np.diag([1.0, 0.3])
    noise = np.broadcast_to(np.diag([0.1, 0.5]), (4000, 2, 2))
    coefficients = rng.normal(size=(4000, 2)) * np.sqrt([1.1, 0.8])
    known = np.ones(4000, dtype=bool)
    found = noise_free_covariance(coefficients, noise, known)
    raw = noise_free_covariance(coefficients, noise, ~known)
    np.testing.assert_array_equal(raw, np.cov(coefficients.T))
    assert np.abs(found - truth).max() < 0.2 * np.abs(raw - truth).max()
