"""The continuum comes out, errors scale with flux, and it can be put back."""

import warnings

import astropy.units as u
import numpy as np
import pytest
from astropy.nddata import StdDevUncertainty
from numpy.testing import assert_allclose, assert_array_equal
from sklearn.utils.estimator_checks import parametrize_with_checks
from specutils import Spectrum, SpectrumList

from spectragan import ContinuumNormalizer, Spectra
from spectragan.exceptions import ContinuumWarning, GridMismatchError, SpectraganWarning

P = 200
X = np.linspace(-1, 1, P)
AXIS = np.linspace(5000, 5398, P) * u.AA
LINES = 1 - 0.6 * np.exp(-0.5 * ((X[:, None] - [-0.5, 0.1, 0.6]) / 0.03) ** 2).sum(axis=1)


@pytest.fixture
def smooth(rng):
    """Cubic continua on very different scales."""
    return 10.0 ** rng.uniform(-3, 3, (7, 1)) * (1 + 0.3 * X + 0.2 * X**2 - 0.1 * X**3)


@pytest.fixture
def stars(rng, smooth):
    """Noisy spectra with known errors, a mask and a unit."""
    std = 0.01 * smooth
    ivar = np.where(rng.random(smooth.shape) < 0.1, 0, std**-2)
    return Spectra((smooth + std * rng.normal(size=smooth.shape)) * u.Jy, AXIS, ivar)


@parametrize_with_checks([ContinuumNormalizer(), ContinuumNormalizer(degree=1, n_iter=2)])
def test_scikit_learn_checks(estimator, check):
    with warnings.catch_warnings():
        warnings.simplefilter("ignore", SpectraganWarning)  # their arrays are no spectra
        check(estimator)


def test_a_polynomial_becomes_one_whatever_its_scale(smooth):
    for spectra in (Spectra(smooth, AXIS), Spectra(smooth, None)):
        assert_allclose(ContinuumNormalizer(3).fit_transform(spectra).flux, 1, rtol=1e-9)


def test_fit_is_the_weighted_least_squares_of_numpy(stars):
    fitted = ContinuumNormalizer(4).fit(stars).continuum(stars)
    for row, s in zip(fitted, stars, strict=True):
        expected = np.polynomial.Chebyshev.fit(X, s.flux[0], 4, w=np.sqrt(s.ivar[0]))(X)
        assert_allclose(row, expected, rtol=1e-9)


def test_flux_and_ivar_scale_together_and_unit_goes(stars):
    normalizer = ContinuumNormalizer(3).fit(stars)
    out, level = normalizer.transform(stars), normalizer.continuum(stars)
    assert out.unit == u.dimensionless_unscaled
    assert_allclose(out.flux, stars.flux / level)
    assert_allclose(out.ivar, stars.ivar * level**2)
    chi = (out.filled(1) - 1) * np.sqrt(out.ivar)
    assert chi[out.ivar > 0].std() == pytest.approx(1, abs=0.1)


def test_weights_of_models_and_unknown_noise_stay_0_and_1(smooth):
    ivar = np.ones_like(smooth)
    ivar[:, 5] = 0
    for noise in ("exact", "unknown"):
        out = ContinuumNormalizer(3).fit_transform(Spectra(smooth, AXIS, ivar, noise))
        assert_array_equal(out.ivar, ivar)
        assert set(out.noise) == {noise}


def test_inverse_restores_flux_ivar_unit_and_meta(stars):
    normalizer = ContinuumNormalizer(3).fit(stars)
    back = normalizer.inverse_transform(normalizer.transform(stars))
    assert back.unit == u.Jy
    assert back.meta is None
    assert_allclose(back.flux, stars.flux)
    assert_allclose(back.ivar, stars.ivar)


def test_inverse_works_on_selected_and_changed_rows(stars):
    normalizer = ContinuumNormalizer(3).fit(stars)
    out = normalizer.transform(stars)[[4, 1]]
    back = normalizer.inverse_transform(out.with_flux(out.flux * LINES, noise="exact"))
    assert_allclose(back.flux, stars.flux[[4, 1]] * LINES)
    assert set(back.noise) == {"exact"}


@pytest.mark.parametrize("x", [np.ones((2, P)), Spectra(np.ones((2, P)), AXIS)])
def test_inverse_of_what_carries_no_continuum_is_one_sentence(stars, x):
    with pytest.raises(ValueError, match="must carry its continuum in meta"):
        ContinuumNormalizer().fit(stars).inverse_transform(x)


def test_inverse_by_another_normalizer_is_one_sentence(stars):
    out = ContinuumNormalizer(3).fit_transform(stars)
    with pytest.raises(ValueError, match="must have 5 coefficients per spectrum"):
        ContinuumNormalizer(4).fit(stars).inverse_transform(out)


def test_specutils_in_specutils_out_and_back(stars):
    given = stars.to_specutils()
    normalizer = ContinuumNormalizer(3).fit(given)
    out = normalizer.transform(given)
    assert isinstance(out, SpectrumList)
    assert isinstance(out[0].uncertainty, StdDevUncertainty)
    back = normalizer.inverse_transform(out)
    assert isinstance(back[0], Spectrum)
    assert back[0].unit == u.Jy
    assert_allclose(back[2].flux.value, given[2].flux.value)


def test_array_in_array_out_with_nan_for_ignored_pixels(smooth):
    flux = smooth.astype("f4")
    out = ContinuumNormalizer(3).fit_transform(flux)
    assert type(out) is np.ndarray
    assert out.dtype == np.float32
    assert_allclose(out, 1, rtol=1e-5)
    chunked = ContinuumNormalizer(3, chunks=[slice(0, 100)]).fit_transform(flux)
    assert_array_equal(np.isnan(chunked), np.broadcast_to(np.arange(P) >= 100, flux.shape))


def test_float32_in_cgs_units_neither_overflows_nor_underflows(smooth):
    flux = (smooth / smooth.max() * 1e-17).astype("f4")
    ivar = np.full_like(flux, 1e37)
    out = ContinuumNormalizer(3).fit_transform(Spectra(flux, AXIS, ivar))
    assert_allclose(out.flux, 1, rtol=1e-5)
    assert_allclose(out.ivar, 1e37 * flux.astype(float) ** 2, rtol=1e-5)


@pytest.mark.parametrize(
    "chunks",
    [
        [(5000, 5150), (5200, 5398)],
        [(5200 * u.AA, 539.8 * u.nm), (5000, 5150)],
        [slice(0, 76), slice(100, P)],
    ],
)
def test_chunks_are_fitted_apart_and_gaps_ignored(smooth, chunks):
    jump = np.where(np.arange(P) < 90, 1, 5)
    normalizer = ContinuumNormalizer(3, chunks=chunks).fit(Spectra(smooth, AXIS))
    assert normalizer.chunks_ == [slice(0, 76), slice(100, P)]
    out = normalizer.transform(Spectra(smooth * jump, AXIS))
    good = np.r_[0:76, 100:P]
    assert_allclose(out.flux[:, good], 1, rtol=1e-8)
    assert_array_equal(out.mask.all(axis=0), ~np.isin(np.arange(P), good))
    assert_allclose(normalizer.inverse_transform(out).flux[:, good], (smooth * jump)[:, good])


@pytest.mark.parametrize("pixels", ["mask", "ranges"])
def test_continuum_pixels_keep_lines_out_of_the_fit(smooth, pixels):
    clean = LINES > 0.9999
    edges = np.flatnonzero(np.diff(np.r_[0, clean, 0]))
    ranges = [slice(a, b) for a, b in edges.reshape(-1, 2)]
    chosen = clean if pixels == "mask" else ranges
    normalizer = ContinuumNormalizer(3, continuum_pixels=chosen)
    out = normalizer.fit_transform(Spectra(smooth * LINES, AXIS))
    assert_allclose(out.flux, np.broadcast_to(LINES, out.shape), atol=1e-4)


def test_clipping_finds_the_continuum_above_the_lines(smooth):
    spectra = Spectra(smooth * LINES, AXIS)
    plain = ContinuumNormalizer(3).fit_transform(spectra).flux
    clipped = ContinuumNormalizer(3, n_iter=20, lower=1.0, upper=3.0).fit_transform(spectra).flux
    assert np.abs(plain - LINES).max() > 0.05
    assert np.abs(clipped - LINES).max() < 0.005


def test_clipping_never_leaves_too_few_pixels(rng):
    spectra = Spectra(rng.uniform(1, 2, (5, 8)), None)
    out = ContinuumNormalizer(5, n_iter=50, lower=0.1, upper=0.1).fit_transform(spectra)
    assert np.isfinite(out.flux).all()
    assert not out.mask.any()


def test_a_spectrum_with_too_few_pixels_is_flagged_and_the_rest_goes_on(stars):
    ivar = stars.ivar.copy()
    ivar[2, 4:] = 0
    few = stars.with_flux(stars.flux, ivar)
    normalizer = ContinuumNormalizer(4).fit(few)
    with pytest.warns(ContinuumWarning, match="1 spectra have too few good pixels"):
        out = normalizer.transform(few)
    assert_array_equal(out.ivar[2], 0)
    assert_array_equal(out.flux[2], 1)
    others = [0, 1, 3, 4, 5, 6]
    assert_allclose(out.flux[others], normalizer.transform(stars[others]).flux)
    back = normalizer.inverse_transform(out)
    assert_array_equal(back.ivar[2], 0)


def test_a_continuum_that_is_not_positive_is_flagged(smooth):
    falling = Spectra(np.r_[smooth, [0.5 - X]], AXIS)
    with pytest.warns(ContinuumWarning, match="pixels have a continuum that isn't positive"):
        out = ContinuumNormalizer(1).fit_transform(falling)
    assert_array_equal(out.mask[-1], X >= 0.5)
    assert not out.mask[:-1].any()


def test_a_fully_masked_spectrum_loses_nothing_and_needs_no_warning(stars):
    ivar = stars.ivar.copy()
    ivar[2] = 0
    out = ContinuumNormalizer().fit_transform(stars.with_flux(stars.flux, ivar))
    assert out.mask[2].all()


@pytest.mark.parametrize(
    ("other", "message"),
    [
        (lambda s: s.select_pixels(slice(0, 50)), "200 pixels; got 50"),
        (lambda s: Spectra(s.flux, AXIS + 1 * u.AA), "other wavelengths; got 5001-5399"),
        (lambda s: Spectra(s.flux, AXIS, medium="vacuum"), "wavelengths in air; got vacuum"),
    ],
)
def test_spectra_on_another_grid_are_one_sentence(stars, other, message):
    normalizer = ContinuumNormalizer().fit(Spectra(stars.flux, AXIS, medium="air"))
    with pytest.raises(GridMismatchError, match=message):
        normalizer.transform(other(stars))


def test_all_pixels_masked_is_one_sentence(stars):
    masked = stars.with_flux(stars.flux, np.zeros(stars.shape))
    with pytest.raises(ValueError, match="at least one pixel with ivar > 0"):
        ContinuumNormalizer().fit(masked)


@pytest.mark.parametrize(
    ("kwargs", "message"),
    [
        ({"degree": -1}, "`degree` must be an integer >= 0"),
        ({"degree": 2.5}, "`degree` must be an integer"),
        ({"n_iter": -1}, "`n_iter` must be an integer"),
        ({"lower": 0}, "`lower` must be a positive number"),
        ({"upper": None}, "`upper` must be a positive number"),
        ({"weighting": "flux"}, '`weighting` must be "ivar" or "uniform"; got'),
        ({"chunks": []}, "`chunks` must name at least one range"),
        ({"chunks": [(5000, 5200), (5100, 5300)]}, "`chunks` must not overlap"),
        ({"chunks": [(9000, 9100)]}, "must hold at least one pixel"),
        ({"chunks": [5000]}, "slice of pixels or a pair of wavelengths"),
        ({"chunks": [(1 * u.kg, 2 * u.kg)]}, "slice of pixels or a pair of wavelengths"),
        ({"chunks": [slice(0, 9, 2)]}, "must hold at least one pixel"),
        ({"continuum_pixels": np.ones(3, bool)}, r"must have the shape \(200,\); got \(3,\)"),
        ({"continuum_pixels": [(9000, 9100)]}, "a range of `continuum_pixels`"),
    ],
)
def test_bad_parameters_are_one_sentence(stars, kwargs, message):
    with pytest.raises(ValueError, match=message) as caught:
        ContinuumNormalizer(**kwargs).fit(stars)
    assert str(caught.value).endswith(".")
    assert str(caught.value).count(";") > 1  # what was got, and a remedy


def test_wavelength_ranges_need_wavelengths():
    with pytest.raises(ValueError, match="needs spectra with wavelengths"):
        ContinuumNormalizer(chunks=[(5000, 5100)]).fit(np.ones((2, 30)))


def test_feature_names_go_through():
    pd = pytest.importorskip("pandas")
    x = pd.DataFrame(np.ones((3, 6)), columns=list("abcdef"))
    normalizer = ContinuumNormalizer(1).set_output(transform="pandas").fit(x)
    assert list(normalizer.transform(x).columns) == list("abcdef")


def test_uniform_weighting_gives_models_and_stars_one_continuum():
    x = np.linspace(-1, 1, 200)
    flux = (1 + 0.2 * x) * (1 - 0.7 * np.exp(-0.5 * ((x - 0.4) / 0.1) ** 2))[None]
    model, star = Spectra(flux, None, noise="exact"), Spectra(flux, None, ivar=1e4 / flux**2)
    uniform = ContinuumNormalizer(2, weighting="uniform")
    weighted = ContinuumNormalizer(2)
    same, other = (n.fit_transform(star).flux for n in (uniform, weighted))
    np.testing.assert_allclose(same, uniform.fit_transform(model).flux)
    assert np.abs(other - same).max() > 0.01
    masked = star.with_flux(np.where(x > 0.9, 1e6, flux), star.ivar * (x <= 0.9))
    expected = star.with_flux(flux, star.ivar * (x <= 0.9))
    a, b = (uniform.fit_transform(s).filled() for s in (masked, expected))
    np.testing.assert_array_equal(a, b)


def test_normalising_twice_is_refused(stars):
    normalizer = ContinuumNormalizer(3).fit(stars)
    out = normalizer.transform(stars)
    with pytest.raises(ValueError, match="`X` must not be normalised yet; got meta"):
        ContinuumNormalizer(1).fit(out).transform(out)
    with pytest.raises(ValueError, match="`X` must not be normalised yet"):
        normalizer.transform(out.to_specutils())
    assert_allclose(normalizer.transform(normalizer.inverse_transform(out)).flux, out.flux)


def test_inverse_of_rows_that_had_different_units_is_one_sentence(stars):
    normalizer = ContinuumNormalizer(3).fit(stars)
    one = normalizer.transform(stars)
    other = normalizer.transform(stars.with_flux(stars.flux, stars.ivar, unit=u.mJy))
    meta = {key: [*one.meta[key], *other.meta[key]] for key in one.meta}
    flux, ivar = (np.r_[getattr(one, k), getattr(other, k)] for k in ("flux", "ivar"))
    both = Spectra(flux, AXIS, ivar, meta=meta)
    with pytest.raises(ValueError, match=r"one unit of flux before .* got 'Jy', 'mJy'; invert"):
        normalizer.inverse_transform(both)
    assert normalizer.inverse_transform(both[7:]).unit == u.mJy
