"""Flux-calibrated spectra of cold and hot stars differ by powers of ten: all are emulated alike."""

import numpy as np
import pytest

import spectragan
from spectragan import ParameterFitter, Spectra, SpectrumEmulator

GRID = np.linspace(0, 1, 80)
LOW, HIGH = np.array([3000.0, -1.0]), np.array([10000.0, 0.5])


def calibrated(labels):
    """Return spectra that rise with the eighth power of the temperature, with two lines."""
    teff, feh = labels[:, :1] / 5000, labels[:, 1:]
    lines = np.exp(-0.5 * ((GRID - 0.3) / 0.03) ** 2) * 0.3 / (1 + np.exp(-2 * feh))
    lines = lines + np.exp(-0.5 * ((GRID - 0.7) / 0.05) ** 2) * 0.4 / teff
    return teff**8 * (1 + 0.4 * (GRID - 0.5) / teff) * (1 - 0.9 * lines)


def stars(n, seed, margin=0.0):
    width = margin * (HIGH - LOW)
    return np.random.default_rng(seed).uniform(LOW + width, HIGH - width, size=(n, 2))


def relative_rms(emulator, unit=1.0, seed=1):
    labels = stars(150, seed, margin=0.03)
    cold = labels[:, 0] < 4500
    errors = emulator.predict(labels) / (unit * calibrated(labels)) - 1
    return [float(np.sqrt((errors[rows] ** 2).mean())) for rows in (cold, ~cold)]


def fit(labels, spectra, **parameters):
    return SpectrumEmulator(20, random_state=0, verbose=0, **parameters).fit(labels, spectra)


@pytest.mark.parametrize("unit", [1.0, 1e-17, 1e20])
def test_cold_stars_are_emulated_as_well_as_hot_ones(unit):
    labels = stars(150, 0)
    emulator = fit(labels, Spectra(unit * calibrated(labels), None, noise="exact"))
    assert max(relative_rms(emulator, unit)) < 1e-3


def test_noise_and_missing_pixels_are_taken_as_they_are():
    labels, rng = stars(250, 0), np.random.default_rng(2)
    truth = calibrated(labels)
    sigma = 0.01 * truth
    ivar = np.where(rng.random(truth.shape) < 0.2, 0.0, sigma**-2)
    flux = np.where(ivar > 0, truth + sigma * rng.normal(size=truth.shape), -1e9)
    assert max(relative_rms(fit(labels, Spectra(flux, None, ivar)))) < 0.01


def test_the_network_learns_levels_too():
    labels = stars(900, 0)
    emulator = fit(labels, calibrated(labels), n_centers=10, hidden=(64,), max_epochs=60)
    alone = fit(labels, calibrated(labels), n_centers=10, max_epochs=0)
    assert emulator.net_.module_.trunk[-1].weight.abs().max() > 0
    assert max(relative_rms(emulator)) < max(relative_rms(alone))


def test_an_emulator_of_levels_is_saved_and_fits_labels(tmp_path):
    labels = stars(150, 0)
    emulator = fit(labels, Spectra(calibrated(labels), None, noise="exact"))
    emulator.save(tmp_path / "emulator.safetensors")
    loaded = spectragan.load(tmp_path / "emulator.safetensors")
    truth = stars(40, 3, margin=0.1)
    np.testing.assert_array_equal(loaded.predict(truth), emulator.predict(truth))
    flux, rng = calibrated(truth), np.random.default_rng(4)
    noisy = flux * (1 + 0.01 * rng.normal(size=flux.shape))
    found, std = ParameterFitter(loaded, verbose=0).predict(
        Spectra(noisy, None, (0.01 * flux) ** -2), return_std=True
    )
    pull = (found - truth) / std
    assert np.abs(pull.mean()) < 0.5
    assert 0.7 < pull.std() < 1.4
