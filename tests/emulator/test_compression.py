import numpy as np
import pytest

from spectragan.emulator.compression import compress, find_levels


@pytest.fixture
def spectra():
    """Return labels and exact spectra in which three directions vary."""
    rng = np.random.RandomState(0)
    labels = rng.uniform(-1, 1, (150, 2))
    functions = np.column_stack([labels[:, 0], labels[:, 1] ** 2, np.sin(labels.sum(1))])
    return labels, 1 + functions @ (rng.randn(3, 80) * [[3.0], [1.0], [0.3]])


def squeeze(labels, flux, good=None, variance=0.0, n_components=10):
    good = np.ones(flux.shape, bool) if good is None else good
    variance = np.broadcast_to(variance, flux.shape)
    rng = np.random.RandomState(0)
    return compress(labels, flux, variance, good, n_components, rng=rng)


def test_compress_keeps_exact_spectra_exactly(spectra):
    labels, flux = spectra
    found = squeeze(labels, flux)
    assert found.components.shape[0] == 3, "three directions vary, so three components suffice"
    np.testing.assert_allclose(found.mean + found.values @ found.components, flux, atol=1e-8)


def test_compress_never_looks_at_masked_pixels(spectra):
    labels, flux = spectra
    good = np.random.RandomState(1).rand(*flux.shape) > 0.3
    results = [squeeze(labels, np.where(good, flux, bad), good) for bad in (0.0, 1e6)]
    np.testing.assert_array_equal(results[0].values, results[1].values)
    np.testing.assert_array_equal(results[0].components, results[1].components)


def test_compress_restores_masked_pixels(spectra):
    labels, flux = spectra
    good = np.random.RandomState(1).rand(*flux.shape) > 0.3
    found = squeeze(labels, flux, good)
    error = found.mean + found.values @ found.components - flux
    assert np.sqrt(np.mean(error[~good] ** 2)) < 0.02 * flux.std()


def test_compress_trusts_quiet_pixels_more(spectra):
    labels, flux = spectra
    rng = np.random.RandomState(2)
    sigma = np.where(rng.rand(*flux.shape) < 0.3, 3.0, 0.01)
    noisy = flux + sigma * rng.randn(*flux.shape)

    def error(variance):
        found = squeeze(labels, noisy, variance=variance, n_components=3)
        return np.sqrt(np.mean((found.mean + found.values @ found.components - flux) ** 2))

    assert error(sigma**2) < 0.3 * error(0.0)


def test_compress_gives_noisy_spectra_a_larger_variance(spectra):
    labels, flux = spectra
    sigma = np.linspace(0.01, 1, len(flux))[:, None] * np.ones(flux.shape[1])
    assert (np.diff(squeeze(labels, flux, variance=sigma**2).variance[:, 0]) > 0).all()


def test_compress_learns_nothing_from_a_lost_spectrum(spectra):
    labels, flux = spectra
    good = np.ones(flux.shape, bool)
    good[5] = False
    found = squeeze(labels, flux, good)
    assert np.isinf(found.variance[5]).all()
    assert np.isfinite(found.values).all()


def test_compress_marks_pixels_that_no_spectrum_has(spectra):
    labels, flux = spectra
    good = np.ones(flux.shape, bool)
    good[:, 7] = False
    found = squeeze(labels, flux, good)
    np.testing.assert_array_equal(np.flatnonzero(np.isnan(found.mean)), [7])
    np.testing.assert_allclose(found.components[:, 7], 0, atol=1e-12)


def levels_of(flux, variance=0.0, good=None):
    good = np.ones(flux.shape, bool) if good is None else good
    return find_levels(flux, np.broadcast_to(variance, flux.shape), good)


def test_levels_are_found_where_pixels_are_missing(spectra):
    flux = 1 + 0.05 * (spectra[1] - 1)
    bright = np.logspace(-18, -12, len(flux))[:, None] * np.linspace(1, 5, flux.shape[1])
    good = np.random.RandomState(1).rand(*flux.shape) > 0.3
    complete, found = levels_of(flux * bright), levels_of(flux * bright, good=good)
    np.testing.assert_allclose(found.level, complete.level, rtol=0.1)
    assert np.isfinite(found.variance).all()


def test_spectra_of_one_scale_or_none_have_no_levels(spectra):
    _, flux = spectra
    assert levels_of(1 + 0.05 * (flux - 1)) is None
    assert levels_of(flux - flux.mean(1, keepdims=True)) is None, "spectra about 0 have no level"


def test_a_lost_or_negative_spectrum_decides_nothing(spectra):
    flux = (1 + 0.05 * (spectra[1] - 1)) * np.logspace(0, 4, len(spectra[1]))[:, None]
    flux[7] *= -1
    good = np.ones(flux.shape, bool)
    good[5] = False
    found = levels_of(flux, good=good)
    np.testing.assert_array_equal(np.flatnonzero(np.isinf(found.variance)), [5, 7])
    assert found.level.min() > 0
    joined = found.joined(squeeze(spectra[0], flux / found.level, good))
    assert np.isfinite(joined.values).all()
