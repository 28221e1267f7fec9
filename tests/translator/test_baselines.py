import numpy as np
import pytest
from scipy.linalg import sqrtm

from spectragan import LinearTranslator, MeanShiftTranslator, Spectra
from spectragan.translator.baselines import _power

N_STARS, N_PIXELS, RANK = 4000, 30, 3


def transport(a, b):
    """Return the textbook map between two centred Gaussians, by scipy's matrix square root."""
    root = sqrtm(a)
    inverse = np.linalg.inv(root)
    return np.real(inverse @ sqrtm(root @ b @ root) @ inverse)


def gaussians(sigma=0.0, seed=0):
    """Return spectra of two Gaussian families in one subspace, and the exact map between them."""
    rng = np.random.default_rng(seed)
    basis = np.linalg.qr(rng.normal(size=(N_PIXELS, RANK)))[0].T
    covariances = [c @ c.T / RANK + 0.2 * np.eye(RANK) for c in rng.normal(size=(2, RANK, RANK))]
    parts = []
    for mean, covariance in zip((1.0, 1.5), covariances, strict=True):
        z = rng.normal(size=(N_STARS, RANK))
        z = (z - z.mean(axis=0)) @ np.linalg.inv(np.linalg.cholesky(np.cov(z.T))).T
        parts.append(mean + z @ np.linalg.cholesky(covariance).T @ basis)
    noisy = parts[1] + sigma * rng.normal(size=parts[1].shape)
    return parts[0], noisy, basis, transport(*covariances)


def error(translated, synthetic, basis, exact):
    truth = 1.5 + (synthetic - 1.0) @ basis.T @ exact.T @ basis
    return np.linalg.norm(translated - truth) / np.linalg.norm(synthetic - 1.0)


def test_linear_translator_is_gaussian_optimal_transport():
    synthetic, observed, basis, exact = gaussians()
    translator = LinearTranslator(n_components=RANK).fit(synthetic, observed)
    assert error(translator.transform(synthetic), synthetic, basis, exact) < 1e-5
    shifted = MeanShiftTranslator().fit(synthetic, observed).transform(synthetic)
    assert error(shifted, synthetic, basis, exact) > 0.2


def test_linear_translator_subtracts_known_noise():
    synthetic, observed, basis, exact = gaussians(sigma=1.0)
    ivar = np.ones_like(observed)
    known = Spectra(observed, None, ivar=ivar, noise="known")
    unknown = Spectra(observed, None, ivar=ivar, noise="unknown")
    truth = Spectra(synthetic, None, noise="exact")
    left = {}
    for name, stars in (("known", known), ("unknown", unknown)):
        fit = LinearTranslator(n_components=RANK).fit(truth, stars)
        left[name] = error(fit.transform(truth).flux, synthetic, basis, exact)
    assert left["known"] < 0.3 * left["unknown"]


def test_linear_translator_matches_mean_and_covariance_of_the_observed_spectra():
    synthetic, observed, _, _ = gaussians()
    translated = LinearTranslator(n_components=RANK).fit(synthetic, observed).transform(synthetic)
    np.testing.assert_allclose(translated.mean(axis=0), observed.mean(axis=0), atol=1e-10)
    np.testing.assert_allclose(np.cov(translated.T), np.cov(observed.T), atol=1e-5)


def test_mean_shift_moves_every_spectrum_by_the_difference_of_the_means():
    synthetic, observed, _, _ = gaussians()
    change = MeanShiftTranslator().fit(synthetic, observed).transform(synthetic) - synthetic
    expected = observed.mean(axis=0) - synthetic.mean(axis=0)
    np.testing.assert_allclose(change, np.tile(expected, (N_STARS, 1)), atol=1e-12)


def test_linear_translator_carries_over_what_lies_outside_the_components():
    synthetic, observed, _, _ = gaussians()
    translator = LinearTranslator(n_components=RANK).fit(synthetic, observed)
    line = np.random.default_rng(1).normal(size=(5, N_PIXELS))
    line -= line @ translator.subspace_.components.T @ translator.subspace_.components
    a, b = (translator.transform(s) for s in (synthetic[:5], synthetic[:5] + line))
    np.testing.assert_allclose(b - a, line, atol=1e-12)


@pytest.mark.parametrize("make", [LinearTranslator, MeanShiftTranslator])
def test_baselines_invert_themselves(make):
    synthetic, observed, _, _ = gaussians()
    translator = make().fit(synthetic, observed)
    back = translator.inverse_transform(translator.transform(synthetic))
    np.testing.assert_allclose(back, synthetic, atol=1e-9)


@pytest.mark.parametrize("make", [LinearTranslator, MeanShiftTranslator])
def test_latents_of_baselines_are_shared(make):
    """A star and its translation are the same star."""
    synthetic, observed, _, _ = gaussians()
    translator = make(n_components=RANK).fit(synthetic, observed)
    shared, split = translator.encode(synthetic, 0)
    translated = translator.transform(synthetic)
    np.testing.assert_allclose(translator.encode(translated, 1).shared, shared, atol=1e-9)
    np.testing.assert_allclose(translator.decode(shared), translated, atol=1e-6)
    assert split.shape == (N_STARS, 0) == (N_STARS, translator.n_split_)
    assert shared.shape == (N_STARS, translator.n_shared_)


def test_linear_translator_does_not_amplify_noise_of_flat_directions():
    """A direction in which only one domain varies has no finite map by the textbook."""
    synthetic, observed, basis, _ = gaussians()
    flat = 1.0 + (synthetic - 1.0) @ basis[:1].T @ basis[:1]
    translator = LinearTranslator(n_components=RANK).fit(flat, observed)
    assert np.isfinite(translator.transform(flat)).all()
    assert np.abs(translator.transform(flat)).max() < 10 * np.abs(observed).max()


def test_power_is_that_of_matrices():
    matrix = np.cov(np.random.default_rng(0).normal(size=(4, 20)))
    np.testing.assert_allclose(_power(matrix, 0.5) @ _power(matrix, 0.5), matrix, atol=1e-12)
    np.testing.assert_allclose(_power(matrix, -1.0), np.linalg.inv(matrix), rtol=1e-9)
