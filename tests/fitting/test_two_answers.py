"""Spectra of two stars, and spectra that other labels fit as well, are flagged."""

from contextlib import nullcontext

import astropy.units as u
import numpy as np
import pytest

from spectragan import FitQualityWarning, ParameterFitter, Spectra

RNG = np.random.default_rng(42)
CENTERS, SLOPES = np.sort(RNG.uniform(5005, 5195, 25)), RNG.uniform(-1, 1, (25, 3))
STRENGTHS = 1.3 * RNG.uniform(0.1, 0.6, 25)
WAVELENGTH = np.linspace(5000, 5200, 600)
LOW, HIGH = np.array([4000.0, 1.0, -1.0]), np.array([6500.0, 4.5, 0.4])
LIGHT_SPEED = 299792.458


def flux_of(labels, velocity=0.0, width=0.45):
    """Return exact spectra: 25 lines whose depths depend on three labels."""
    scaled = (np.atleast_2d(labels) - (LOW + HIGH) / 2) / (HIGH - LOW) * 2
    depths = STRENGTHS / (1 + np.exp(-scaled @ SLOPES.T))
    moved = CENTERS * (1 + velocity / LIGHT_SPEED)
    return np.exp(-depths @ np.exp(-0.5 * ((WAVELENGTH - moved[:, None]) / width) ** 2))


class Exact:
    """An emulator of one's own, whose spectra are exact."""

    label_names_, medium_ = ("teff", "logg", "feh"), "air"
    wavelength_, label_range_ = WAVELENGTH * u.AA, np.array([LOW, HIGH])

    def predict(self, labels):
        return flux_of(labels)

    def jacobian(self, labels):
        step = 1e-5 * (HIGH - LOW)
        return np.stack(
            [
                (self.predict(labels + move) - self.predict(labels - move)) / (2 * size)
                for move, size in zip(np.diag(step), step, strict=True)
            ],
            axis=-1,
        )


class Folded(Exact):
    """One whose spectra are the same on both sides of the middle of [Fe/H]."""

    def predict(self, labels):
        labels = np.array(labels, dtype=float)
        labels[:, 2] = -0.3 + (labels[:, 2] + 0.3) ** 2
        return flux_of(labels)


def observed(flux, signal_to_noise=100, seed=0, noise="known"):
    sigma = 1 / signal_to_noise
    flux = flux + sigma * np.random.default_rng(seed).standard_normal(flux.shape)
    ivar = np.full(flux.shape, sigma**-2 if noise == "known" else 1.0)
    return Spectra(flux, WAVELENGTH * u.AA, ivar, noise, medium="air")


def draw(n, seed):
    return np.random.default_rng(seed).uniform(
        LOW + 0.15 * (HIGH - LOW), HIGH - 0.15 * (HIGH - LOW), (n, 3)
    )


@pytest.mark.parametrize("noise", ["known", "unknown"])
@pytest.mark.parametrize("nuisances", [(), ("velocity", "continuum")])
def test_double_lined_binaries_are_flagged(nuisances, noise):
    one, other = draw(100, 1), draw(100, 2)
    share = np.random.default_rng(3).uniform(0.2, 0.5, (100, 1))
    flux = (1 - share) * flux_of(one, -30.0) + share * flux_of(other, 30.0)
    fitter = ParameterFitter(Exact(), nuisances=nuisances, err_inflation=1.0)
    with pytest.warns(FitQualityWarning) if noise == "known" else nullcontext():
        double = fitter.fit_table(observed(flux, noise=noise))
    assert double["binary"].mean() >= 0.95
    velocity = np.random.default_rng(4).uniform(-10, 10, 400)
    single = np.vstack([flux_of(row, v) for row, v in zip(draw(400, 5), velocity, strict=True)])
    if nuisances:
        assert fitter.fit_table(observed(single, 100, 6, noise))["binary"].mean() <= 0.01


def test_single_stars_of_a_slightly_wrong_velocity_are_no_binaries():
    single = np.vstack([flux_of(row, 8.0) for row in draw(100, 5)])
    table = ParameterFitter(Exact()).fit_table(observed(single, 30))
    assert table["binary"].mean() <= 0.01


def test_labels_that_fit_as_well_as_others_are_flagged():
    labels = draw(60, 7)
    labels[:, 2] = np.where(np.arange(60) % 2, 0.2, -0.8)
    stars = observed(Folded().predict(labels))
    table = ParameterFitter(Folded()).fit_table(stars)
    assert table["ambiguous"].mean() >= 0.95
    known = np.full(60, 0.05)
    decided = ParameterFitter(Folded()).fit_table(stars, priors={"feh": (labels[:, 2], known)})
    assert decided["ambiguous"].mean() <= 0.02
    assert np.abs(decided["feh"].value - labels[:, 2]).max() < 0.3
    clear = ParameterFitter(Exact()).fit_table(observed(flux_of(labels)))
    assert clear["ambiguous"].mean() <= 0.02
