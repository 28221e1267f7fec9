"""Flux keeps its integral, errors are propagated, masks don't leak, and any axis will do."""

import astropy.units as u
import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from numpy.testing import assert_allclose, assert_array_equal
from scipy.integrate import quad
from specutils import SpectrumList

from spectragan import Resampler, Spectra
from spectragan.exceptions import GridMismatchError
from spectragan.spectra.steps.resampling import pixel_edges

P = 300
LINEAR = np.linspace(5000, 5299, P) * u.AA
LOG = np.geomspace(5010, 5280, 211) * u.AA


def lines(wavelength, width=9.0):
    """Two absorption lines, known everywhere."""
    x = np.asarray(wavelength)[None, :, None]
    return 1 - 0.5 * np.exp(-0.5 * ((x - [5100.0, 5200.0]) / width) ** 2).sum(axis=2)


@pytest.fixture
def stars(rng):
    ivar = np.where(rng.random((5, P)) < 0.1, 0, rng.uniform(50, 200, (5, P)))
    meta = {"name": list("abcde")}
    return Spectra(rng.uniform(1, 2, (5, P)) * u.Jy, LINEAR, ivar, medium="air", meta=meta)


def integral(spectra):
    return spectra.flux @ np.diff(pixel_edges(spectra.wavelength.value), axis=0)[0]


@pytest.mark.parametrize("new", [LOG, np.linspace(4990, 5310, 83) * u.AA, LINEAR + 0.37 * u.AA])
def test_resampler_conserves_the_flux_of_any_pixels(rng, new):
    flux = rng.uniform(1, 2, (4, P))
    flux[:, :20] = flux[:, -20:] = 0  # nothing at the ends that a grid could cut
    out = Resampler(new).fit_transform(Spectra(flux, LINEAR))
    assert_allclose(integral(out), integral(Spectra(flux, LINEAR)), rtol=1e-6)


def test_resampler_flux_is_the_mean_over_each_new_pixel():
    fine = np.arange(5000, 5300, 0.01) * u.AA
    out = Resampler(LOG).fit_transform(Spectra(lines(fine), fine))
    edges = pixel_edges(LOG.value)
    for i in (0, 70, 150):
        mean = quad(lambda x: lines([x])[0, 0], *edges[:, i])[0] / np.ptp(edges[:, i])
        assert out.flux[0, i] == pytest.approx(mean, abs=1e-6)


def test_resampler_linear_is_that_of_numpy(stars):
    good = stars.with_flux(stars.flux, np.ones(stars.shape))
    out = Resampler(LOG, method="linear").fit_transform(good)
    assert_allclose(out.flux[2], np.interp(LOG.value, LINEAR.value, stars.flux[2]), rtol=1e-12)


@pytest.mark.parametrize("method", ["flux", "linear"])
def test_resampler_ivar_agrees_with_monte_carlo(rng, method):
    ivar = rng.uniform(50, 200, (1, P))
    ivar[0, rng.random(P) < 0.1] = 0
    noise = rng.standard_normal((10_000, P)) / np.sqrt(np.where(ivar > 0, ivar, 1))
    draws = Spectra(1 + noise, LINEAR, np.broadcast_to(ivar, noise.shape))
    out = Resampler(LOG, method=method).fit_transform(draws)
    good = out.ivar[0] > 0
    assert good.sum() > 150
    assert_allclose(out.flux[:, good].std(axis=0), out.std[0, good], rtol=0.05)


@pytest.mark.parametrize("method", ["flux", "linear"])
def test_resampler_ignores_pixels_with_too_little_good_input(method):
    ivar = np.ones((1, P))
    ivar[0, 100:110] = 0
    spectra = Spectra(np.ones((1, P)), LINEAR, ivar)
    new = np.arange(5050.25, 5150)
    for share, expected in ((0.5, 10), (1.0, 11)):
        out = Resampler(new * u.AA, method=method, min_coverage=share).fit_transform(spectra)
        assert out.mask.sum() == expected
        assert_allclose(out.flux[~out.mask], 1)


@pytest.mark.parametrize("method", ["flux", "linear"])
def test_resampler_never_extrapolates(stars, method):
    out = Resampler(np.arange(4950.0, 5350) * u.AA, method=method).fit_transform(stars)
    outside = (out.wavelength.value < 4999.5) | (out.wavelength.value > 5299.5)
    assert out.mask[:, outside].all()
    assert_array_equal(out.flux[:, outside], 0)


@pytest.mark.parametrize("order", [1, -1])
@pytest.mark.parametrize("unit", [u.nm, u.um, u.cm**-1, u.THz, u.eV])
@pytest.mark.parametrize("method", ["flux", "linear"])
def test_resampler_result_does_not_depend_on_unit_and_order_of_axes(stars, unit, order, method):
    expected = Resampler(LOG, method=method).fit_transform(stars)
    old, new = (axis.to(unit, u.spectral())[::order] for axis in (LINEAR, LOG))
    other = Spectra(stars.flux[:, ::order], old, stars.ivar[:, ::order])
    out = Resampler(new, method=method).fit_transform(other)
    assert_array_equal(out.spectral_axis, new)
    assert_array_equal(out.mask, expected.mask)
    assert_allclose(out.flux, expected.flux, rtol=1e-7)
    assert_allclose(out.ivar, expected.ivar, rtol=1e-6)


@pytest.mark.parametrize("method", ["flux", "linear"])
def test_resampler_round_trip_through_a_finer_grid(stars, method):
    # Three new pixels in each old one: the finer grid loses nothing.
    fine = np.arange(4999 + 2 / 3, 5299.5, 1 / 3) * u.AA
    resampler = Resampler(fine, method=method).fit(stars)
    back = resampler.inverse_transform(resampler.transform(stars))
    assert_array_equal(back.wavelength, stars.wavelength)
    good = ~(back.mask | stars.mask)
    assert good.sum() > 0.8 * good.size
    assert_allclose(back.flux[good], stars.flux[good], rtol=1e-5)


def test_resampler_keeps_unit_meta_medium_words_and_dtype(stars):
    words = ["exact", "unknown", "known", "exact", "known"]
    ivar = np.where((np.array(words) == "known")[:, None], stars.ivar, stars.ivar > 0)
    mixed = Spectra(stars.flux.astype("f4"), LINEAR, ivar, words, "air", stars.meta)
    out = Resampler(LOG).fit_transform(mixed)
    assert (out.medium, out.meta, list(out.noise)) == ("air", stars.meta, words)
    assert out.dtype == np.float32
    assert set(np.unique(out.ivar[[0, 1, 3]])) == {0, 1}
    assert Resampler(LOG).fit_transform(stars).unit == u.Jy


def test_resampler_rows_do_not_depend_on_their_batch(rng):
    many = Spectra(rng.uniform(1, 2, (70, P)), LINEAR, rng.uniform(0, 2, (70, P)).round())
    resampler = Resampler(LOG).fit(many)
    whole = resampler.transform(many)
    for rows in ([69], [3, 50]):
        part = resampler.transform(many[rows])
        assert_array_equal(part.flux, whole.flux[rows])
        assert_array_equal(part.ivar, whole.ivar[rows])


def test_resampler_without_a_grid_passes_spectra_through(stars):
    assert Resampler().fit(stars).transform(stars) is stars
    assert Resampler().fit(stars).inverse_transform(stars) is stars


def test_resampler_gives_back_the_kind_that_came_in(stars):
    resampler = Resampler(LOG).fit(stars)
    out = resampler.transform(stars.to_specutils())
    assert isinstance(out, SpectrumList)
    assert_allclose(out[0].spectral_axis.value, LOG.value)
    array = resampler.transform(np.array(stars.flux))
    assert type(array) is np.ndarray
    assert_array_equal(array, resampler.transform(Spectra(stars.flux, LINEAR)).flux)
    assert resampler.inverse_transform(array).shape == stars.shape
    assert len(resampler.get_feature_names_out()) == len(LOG)


@given(st.floats(1e-12, 1e12), st.integers(0, 2**32 - 1))
def test_resampler_scales_flux_and_ivar_together(scale, seed):
    rng = np.random.default_rng(seed)
    flux, ivar = rng.uniform(1, 2, (2, P)), rng.uniform(0, 2, (2, P)).round()
    resampler = Resampler(LOG).fit(Spectra(flux, LINEAR))
    a = resampler.transform(Spectra(flux, LINEAR, ivar))
    b = resampler.transform(Spectra(flux * scale, LINEAR, ivar / scale**2))
    assert_allclose(b.flux, a.flux * scale)
    assert_allclose(b.ivar, a.ivar / scale**2)


@pytest.mark.parametrize(
    ("kwargs", "message"),
    [
        ({"method": "cubic"}, "`method` must be 'flux' or 'linear'; got 'cubic'"),
        ({"min_coverage": 0}, "`min_coverage` must be a share"),
        ({"min_coverage": 1.1}, "`min_coverage` must be a share"),
        ({"wavelength": LOG + 1000 * u.AA}, "must overlap the grid"),
        ({"wavelength": 5100 * u.AA}, "must have one value per pixel"),
        ({"wavelength": LOG.value * u.kg}, "must have a unit of wavelength"),
    ],
)
def test_resampler_with_bad_parameters_is_one_sentence(stars, kwargs, message):
    with pytest.raises(ValueError, match=message):
        Resampler(**{"wavelength": LOG, **kwargs}).fit(stars)


def test_resampler_needs_wavelengths_and_says_so(stars):
    with pytest.raises(ValueError, match="needs spectra with wavelengths; got none"):
        Resampler(LOG).fit(np.ones((3, 10)))
    with pytest.raises(TypeError, match="must be a Quantity"):
        Resampler(LOG.value).fit(stars)


def test_resampler_inverse_refuses_another_grid(stars):
    with pytest.raises(GridMismatchError):
        Resampler(LOG).fit(stars).inverse_transform(stars)


def test_resampler_of_one_pixel_is_the_mean():
    spectra = Spectra(np.arange(1.0, P + 1)[None], LINEAR)
    out = Resampler([5149.5] * u.AA).fit_transform(spectra)
    assert out.flux[0, 0] == pytest.approx(np.interp(5149.5, LINEAR.value, spectra.flux[0]))


GAPPY = np.r_[np.arange(5000.0, 5050), np.arange(5150.0, 5200)]


@pytest.mark.parametrize("method", ["flux", "linear"])
def test_resampler_leaves_the_gap_between_detectors_empty(method):
    steps = np.repeat([1.0, 2.0], 50)
    spectra = Spectra(steps[None], GAPPY * u.AA, np.full((1, 100), 1e4))
    new = np.arange(5000.0, 5199.5)
    out = Resampler(new * u.AA, method=method).fit_transform(spectra)
    assert_array_equal(~out.mask[0], np.isin(new, GAPPY))
    assert_allclose(out.flux[0, ~out.mask[0]], steps)


def test_resampler_takes_nothing_from_a_gap_of_the_new_grid():
    fine = np.arange(4990, 5210, 0.1) * u.AA
    flux = np.where(np.abs(fine.value - 5100) < 48, 0, 1.0)  # dark where nobody looks
    out = Resampler(GAPPY * u.AA).fit_transform(Spectra(flux[None], fine))
    assert_allclose(out.flux, 1)


@pytest.mark.parametrize("unit", [u.nm, u.um, u.cm**-1])
@pytest.mark.parametrize("method", ["flux", "linear"])
def test_resampler_keeps_pixels_beside_a_gap_in_any_unit(rng, unit, method):
    spectra = Spectra(rng.uniform(1, 2, (2, 100)), GAPPY * u.AA)
    axis = (GAPPY * u.AA).to(unit, u.spectral())
    out = Resampler(axis, method=method).fit_transform(spectra)
    assert not out.mask.any()
    assert_allclose(out.flux, spectra.flux, rtol=1e-6)


@pytest.mark.parametrize(
    "grid",
    [
        np.r_[np.arange(5000.0, 5100), np.arange(5100, 5120, 0.1)],
        np.sort(np.r_[np.arange(5000.0, 5100), np.arange(5000.1, 5100)]),
        np.delete(np.arange(5000.0, 5100), [7, 30, 60]),
        np.geomspace(5000, 50000, 30),
    ],
    ids=["finer from here on", "interleaved", "single pixels left out", "coarse"],
)
def test_pixels_without_a_gap_touch(grid):
    left, right = pixel_edges(grid)
    assert_array_equal(left[1:], right[:-1])


def test_an_isolated_pixel_is_as_wide_as_the_others():
    left, right = pixel_edges(np.r_[np.arange(20.0), 50, np.arange(80.0, 100), 150])
    assert_allclose(right - left, 1)
