"""Spikes go, lines stay, and what replaces a spike has the error it deserves."""

import astropy.units as u
import numpy as np
import pytest
from numpy.testing import assert_allclose, assert_array_equal

from spectragan import OutlierInterpolator, Spectra

P = 300
AXIS = np.geomspace(5000, 5300, P) * u.AA
LINE = 1 - 0.8 * np.exp(-0.5 * ((np.arange(P) - 100) / 1.5) ** 2)


@pytest.fixture
def stars(rng):
    """Spectra of S/N 100 with a sharp deep line, and a mask."""
    ivar = np.where(rng.random((40, P)) < 0.05, 0, 1e4)
    return Spectra(LINE + rng.normal(0, 0.01, (40, P)), AXIS, ivar)


def with_spikes(stars, value=3.0):
    flux, ivar = stars.flux.copy(), stars.ivar.copy()
    flux[4, [30, 31, 200]] = value
    ivar[4, 25:36] = ivar[4, 195:206] = 1e4
    return stars.with_flux(flux, ivar)


def test_outliers_are_interpolated_and_lines_stay(stars):
    spiked = with_spikes(stars)
    out = OutlierInterpolator().fit_transform(spiked)
    changed = np.argwhere(out.flux != spiked.flux)
    assert_array_equal(changed, [[4, 30], [4, 31], [4, 200]])
    x, row = AXIS.value, spiked.flux[4]
    assert_allclose(out.flux[4, [30, 31]], np.interp(x[[30, 31]], x[[29, 32]], row[[29, 32]]))


def test_outliers_get_the_errors_of_their_neighbours_and_the_scatter(stars):
    spiked = with_spikes(stars)
    out = OutlierInterpolator().fit_transform(spiked)
    x = AXIS.value
    t = (x[200] - x[199]) / (x[201] - x[199])
    variance = ((1 - t) ** 2 + t**2) * 1e-4
    scatter2 = 1 / out.ivar[4, 200] - variance
    assert scatter2 == pytest.approx(1e-4, rel=0.3)
    rest = np.ones(stars.shape, bool)
    rest[4, [30, 31, 200]] = False
    assert_array_equal(out.ivar[rest], spiked.ivar[rest])


def test_outliers_in_models_and_unknown_noise_keep_weights(stars):
    spiked = with_spikes(stars)
    for word in ("exact", "unknown"):
        given = spiked.with_flux(spiked.flux, (spiked.ivar > 0).astype(float), word)
        out = OutlierInterpolator().fit_transform(given)
        assert_array_equal(out.ivar, given.ivar)
        assert out.flux[4, 200] < 1.1


def test_outliers_can_be_masked_instead(stars):
    spiked = with_spikes(stars)
    out = OutlierInterpolator(action="mask").fit_transform(spiked)
    assert_array_equal(out.flux, spiked.flux)
    assert_array_equal(np.argwhere(out.mask & ~spiked.mask), [[4, 30], [4, 31], [4, 200]])


def test_outliers_of_the_spectrum_alone_include_sharp_lines(stars):
    out = OutlierInterpolator(reference="spectrum", action="mask").fit_transform(stars)
    assert (out.mask & ~stars.mask)[:, 98:103].sum() > 100
    kept = OutlierInterpolator(lower=np.inf, reference="spectrum").fit_transform(stars)
    assert_array_equal(kept.flux, stars.flux)


def test_outliers_of_the_set_alone_are_found_in_broad_bumps(stars):
    flux = stars.flux.copy()
    flux[7, 150:250] += 0.5  # wider than the window: only the set knows better
    bumped = stars.with_flux(flux)
    both, alone = (
        OutlierInterpolator(reference=r, action="mask").fit_transform(bumped)
        for r in ("both", "set")
    )
    good = ~stars.mask[7, 160:240]
    assert not (both.mask[7, 160:240] & good).any()
    assert alone.mask[7, 160:240].all()


def test_outliers_respect_large_errors(stars):
    spiked = with_spikes(stars)
    ivar = spiked.ivar.copy()
    ivar[4, 200] = 1  # an error of 1 explains a deviation of 2
    out = OutlierInterpolator().fit_transform(spiked.with_flux(spiked.flux, ivar))
    assert out.flux[4, 200] == 3
    assert out.flux[4, 30] < 1.1


@pytest.mark.parametrize("edge", [0, P - 1])
def test_outliers_at_the_edge_take_the_nearest_pixel(stars, edge):
    flux, ivar = stars.flux.copy(), stars.ivar.copy()
    flux[4, edge], ivar[4, :3], ivar[4, -3:] = 9, 1e4, 1e4
    out = OutlierInterpolator().fit_transform(stars.with_flux(flux, ivar))
    assert out.flux[4, edge] == flux[4, 1 if edge == 0 else P - 2]


def test_outliers_of_masked_spectra_and_pixels_are_left_alone(stars):
    ivar = stars.ivar.copy()
    ivar[2], ivar[:, 50] = 0, 0
    flux = np.where(ivar == 0, 1e6, stars.flux)
    out = OutlierInterpolator().fit_transform(stars.with_flux(flux, ivar))
    assert_array_equal(out.flux, flux)
    assert_array_equal(out.ivar, ivar)


def test_identical_models_have_no_outliers():
    models = Spectra(np.repeat(LINE[None], 9, axis=0), AXIS, noise="exact")
    jitter = models.with_flux(models.flux * (1 + 1e-9 * np.arange(9)[:, None] ** 2))
    assert_array_equal(OutlierInterpolator().fit_transform(jitter).flux, jitter.flux)


@pytest.mark.parametrize(
    ("kwargs", "message"),
    [
        ({"upper": 0}, "`upper` must be a positive number of standard deviations"),
        ({"lower": None}, "`lower` must be a positive number"),
        ({"action": "drop"}, "`action` must be one of interpolate, mask; got 'drop'"),
        ({"reference": "mean"}, "`reference` must be one of both, spectrum, set"),
        ({"window": 2.5}, "`window` must be an integer >= 3"),
    ],
)
def test_outliers_with_bad_parameters_are_one_sentence(stars, kwargs, message):
    with pytest.raises(ValueError, match=message):
        OutlierInterpolator(**kwargs).fit(stars)


@pytest.mark.parametrize("reference", ["both", "set", "spectrum"])
def test_outliers_of_a_set_in_another_unit_are_the_same(stars, reference):
    spiked = with_spikes(stars)
    in_jy = Spectra(spiked.flux * u.Jy, AXIS, spiked.ivar)
    in_mjy = Spectra(spiked.flux * 1e3 * u.mJy, AXIS, spiked.ivar * 1e-6)
    finder = OutlierInterpolator(reference=reference, action="mask").fit(in_jy)
    assert finder.unit_ == u.Jy
    assert_array_equal(finder.transform(in_mjy).mask, finder.transform(in_jy).mask)
    # An array has no unit: it is taken to be in that of fit.
    assert np.isnan(finder.transform(spiked.filled(1.0))).mean() < 0.1


def test_outliers_of_a_set_in_a_unit_that_does_not_convert_are_one_sentence(stars):
    finder = OutlierInterpolator().fit(Spectra(stars.flux * u.Jy, AXIS))
    with pytest.raises(ValueError, match=r"in a unit that converts to 'Jy'.*got ''; treat"):
        finder.transform(stars)


def test_no_outlier_of_the_set_where_the_set_knows_nothing(stars):
    ivar = stars.ivar.copy()
    ivar[:, 50] = 0
    finder = OutlierInterpolator(reference="set").fit(stars.with_flux(stars.flux, ivar))
    assert np.isnan([finder.median_[50], finder.scatter_[50]]).all()
    out = finder.transform(stars)
    assert_array_equal(out.flux[:, 50], stars.flux[:, 50])
