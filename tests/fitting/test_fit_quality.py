"""One warning says of many fits at once what can't be right with them."""

import warnings

import astropy.units as u
import numpy as np
import pytest

from spectragan import FitQualityWarning, ParameterFitter, Spectra
from spectragan.fitting.found import chi2_significance
from spectragan.fitting.quality import neighbour_correlation


def with_weights(stars, factor):
    return Spectra(stars.flux, stars.wavelength, ivar=stars.ivar * factor, noise="known")


def test_good_fits_say_nothing(emulator, stars):
    with warnings.catch_warnings():
        warnings.simplefilter("error")
        table = ParameterFitter(emulator).fit_table(stars[:100])
    assert table["bad_chi2"].mean() <= 0.02


@pytest.mark.parametrize(
    ("factor", "words"), [(1e-2, "is ivar 1 / sigma"), (4.0, "errors of pixels are too small")]
)
def test_chi_squares_that_are_no_chance_are_told(factor, words, emulator, stars):
    fitter = ParameterFitter(emulator)
    with pytest.warns(FitQualityWarning, match=words):
        fitter.predict(with_weights(stars[:40], factor))
    with pytest.warns(FitQualityWarning, match=words):
        assert fitter.fit_table(with_weights(stars[:40], factor))["bad_chi2"].mean() > 0.9


def test_labels_that_pile_up_at_a_bound_are_told_once(emulator, stars):
    low, high = emulator.label_range_[:, 0]
    fitter = ParameterFitter(emulator, bounds={"teff": (low, low + 0.1 * (high - low))})
    with pytest.warns(FitQualityWarning, match="`teff` of .* is at a bound") as told:
        fitter.predict(stars[:40])
    assert len(told) == 1


def test_flux_in_other_units_is_told(emulator, stars):
    counts = Spectra(stars.flux * 1000, stars.wavelength, ivar=stars.ivar / 1e6, noise="known")
    with pytest.warns(FitQualityWarning, match="times that of the models: normalise"):
        ParameterFitter(emulator).predict(counts[:20])


def test_smoothed_noise_is_told(emulator, truth, named, stars):
    rng = np.random.default_rng(0)
    noise = rng.normal(size=(60, 82))
    smooth = 0.01 * (noise[:, :-2] + noise[:, 1:-1] + noise[:, 2:]) / 3**0.5
    flux = emulator.predict(named(truth[:60])) + smooth
    observed = Spectra(flux, stars.wavelength, ivar=np.full(flux.shape, 1e4), noise="known")
    with pytest.warns(FitQualityWarning, match="neighbouring pixels are correlated"):
        ParameterFitter(emulator).predict(observed)


def test_white_residuals_are_called_uncorrelated():
    white = np.random.default_rng(0).normal(size=(500, 300))
    good = np.random.default_rng(1).random(white.shape) > 0.1
    assert (neighbour_correlation(white, good) == 0).mean() > 0.99
    assert neighbour_correlation(np.ones((1, 100)), np.ones((1, 100), bool))[0] > 0.9


@pytest.mark.parametrize("dof", [5, 50, 5000])
def test_significance_of_chi_square_is_gaussian(dof):
    chi2 = np.random.default_rng(0).chisquare(dof, 4000)
    found = chi2_significance(chi2, np.full(4000, dof))
    assert abs(found.mean()) < 0.06
    assert found.std() == pytest.approx(1, abs=0.05)


def test_tables_keep_what_is_known_of_stars(emulator, stars):
    meta = {"id": [f"2M{i}" for i in range(20)], "teff": list(range(20)), "g": [9.0 * u.mag] * 20}
    named_stars = Spectra(
        stars.flux[:20], stars.wavelength, ivar=stars.ivar[:20], noise="known", meta=meta
    )
    table = ParameterFitter(emulator, chunk_size=7).fit_table(named_stars)
    assert list(table["id"]) == meta["id"]
    assert table["g"].unit == u.mag
    assert table["teff"].unit == u.K, "a fitted label isn't replaced"
    labels = ParameterFitter(emulator).predict(stars[:20])
    np.testing.assert_allclose(table["teff"].value, labels[:, 0], rtol=1e-9)


def test_calibration_with_mixed_up_columns_is_told(emulator, truth, stars):
    with warnings.catch_warnings():
        warnings.simplefilter("error")
        ParameterFitter(emulator).fit(stars[:80], truth[:80])
        ParameterFitter(emulator).fit(stars[:80], truth[:80] + np.array([60, 0.1, 0.05]))
    for wrong in (truth[:80, [1, 0, 2]], truth[:80] / [1000, 1, 1], truth[80:160]):
        with pytest.warns(FitQualityWarning, match="are columns or rows mixed up"):
            ParameterFitter(emulator).fit(stars[:80], wrong)
