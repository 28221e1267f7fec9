"""What `docs/user/other_tools.rst` says of ours: right where other packages surprise."""

import astropy.units as u
import numpy as np
import pytest
from astropy.nddata import InverseVariance, StdDevUncertainty, VarianceUncertainty
from astropy.utils.masked import Masked
from specutils import Spectrum
from specutils.manipulation import FluxConservingResampler

from spectragan import (
    AirVacuumConverter,
    Broadener,
    ContinuumNormalizer,
    LazySpectra,
    OutlierInterpolator,
    Resampler,
    RestFrameShifter,
    SpectrumEmulator,
    StarNetRegressor,
    as_spectra,
)
from spectragan.exceptions import NaNFluxWarning
from spectragan.spectra import Spectra

AXIS = np.arange(5000.0, 5100) * u.AA
INNER = np.arange(5000.5, 5099) * u.AA
COSMIC = np.arange(100) == 50
HIT = np.where(COSMIC, 1000.0, 1.0)
UNCERTAINTIES = {
    "std": StdDevUncertainty(np.full(100, 0.1) * u.Jy),
    "var": VarianceUncertainty(np.full(100, 0.01) * u.Jy**2),
    "ivar": InverseVariance(np.full(100, 100.0) / u.Jy**2),
}


def spectrum(flux=HIT, axis=AXIS, mask=COSMIC, uncertainty=UNCERTAINTIES["std"], **more):
    """Return what specutils holds; a cosmic ray is masked unless said otherwise."""
    return Spectrum(flux * u.Jy, axis, uncertainty=uncertainty, mask=mask, **more)


def flat(flux=1.0, axis=AXIS, ivar=100.0):
    shape = (1, len(axis))
    return Spectra(np.full(shape, flux), axis, np.full(shape, ivar), medium="air")


@pytest.fixture(scope="module")
def draws():
    """Pure noise, 3,000 times, of a standard deviation of 0.1."""
    noise = np.random.default_rng(0).normal(0, 0.1, (3000, 100))
    return Spectra(noise, AXIS, np.full(noise.shape, 100.0), medium="air")


# Reading: NaN, units, masks


@pytest.mark.parametrize("how", [{}, {"mask": None}, {"mask": np.zeros(100, bool)}])
def test_nan_is_ignored_however_the_spectrum_was_made(how):
    holes = Spectrum(np.where(COSMIC, np.nan, 1.0) * u.Jy, AXIS, **how)
    if how:
        with pytest.warns(NaNFluxWarning, match="1 pixels"):
            s = as_spectra(holes)
    else:
        s = as_spectra(holes)  # specutils made a mask of it
    np.testing.assert_array_equal(s.ivar[0], ~COSMIC)


@pytest.mark.parametrize("kind", UNCERTAINTIES)
def test_errors_survive_another_unit_of_flux(kind):
    s = as_spectra(spectrum(uncertainty=UNCERTAINTIES[kind]).with_flux_unit(u.mJy))
    np.testing.assert_allclose(s.ivar[0], np.where(COSMIC, 0, 1e-4))


def masked_rows(module):
    flux = np.where(COSMIC, 1000.0, np.ones((6, 1)))
    masked = np.ma.MaskedArray(flux, flux > 50)
    return module.from_array(masked, chunks=(4, 100))


@pytest.mark.parametrize("make", [Spectra, LazySpectra, lambda x, w: as_spectra(x, wavelength=w)])
def test_masks_of_the_chunks_of_dask_are_kept(make):
    s = make(masked_rows(pytest.importorskip("dask.array")), AXIS)
    np.testing.assert_array_equal(s.ivar[[0, 5]], [~COSMIC] * 2)


@pytest.mark.parametrize("make", [Spectra, LazySpectra])
def test_masks_of_errors_in_dask_are_kept(make):
    da = pytest.importorskip("dask.array")
    errors = da.from_array(np.ma.MaskedArray(np.full((6, 100), 4.0), [COSMIC] * 6))
    np.testing.assert_array_equal(make(np.ones((6, 100)), AXIS, errors).ivar[0], 4.0 * ~COSMIC)


@pytest.mark.parametrize("make", [Spectra, LazySpectra])
def test_units_of_the_chunks_of_dask_are_kept(make):
    da = pytest.importorskip("dask.array")
    flux, ivar = (u.Quantity(1, unit) * np.ones((6, 100)) for unit in (u.Jy, u.Jy**-2))
    s = make(da.from_array(flux, chunks=3), AXIS, da.from_array(1e-6 * ivar.to(u.mJy**-2)))
    assert s.unit == u.Jy
    np.testing.assert_allclose([s.flux[0, 0], s.ivar[0, 0]], [1, 1e-6])


def test_dask_of_a_unit_is_read_in_the_unit_asked_for():
    da = pytest.importorskip("dask.array")
    flux = u.Jy * da.ones((6, 100), chunks=3)
    np.testing.assert_allclose(LazySpectra(flux, AXIS, unit=u.mJy)[1:3].flux, 1000)
    with pytest.raises(ValueError, match=r"`flux` must have a unit that converts to 'm'; got 'Jy'"):
        LazySpectra(flux, AXIS, unit=u.m)


def test_a_masked_wavelength_is_refused():
    with pytest.raises(ValueError, match=r"known for every pixel; got a masked one at pixel 50"):
        Spectra(np.ones((1, 100)), Masked(AXIS, mask=COSMIC))
    with pytest.raises(ValueError, match=r"known for every pixel; got a masked one at pixel 50"):
        Resampler(Masked(AXIS, mask=COSMIC)).fit(flat())
    assert Spectra(np.ones((1, 100)), Masked(AXIS, mask=False)).wavelength[50] == 5050 * u.AA


MISSING = np.array([[5772.0, 4.44], [4500.0, -9999.0], [5000.0, 3.0]])


@pytest.mark.parametrize(
    "labels", [np.ma.MaskedArray(MISSING, MISSING < 0), Masked(MISSING, mask=MISSING < 0)]
)
def test_a_masked_label_is_missing(labels):
    models = Spectra(np.ones((3, 100)), AXIS, noise="exact")
    with pytest.raises(ValueError, match="NaN"):
        SpectrumEmulator(verbose=0).fit(labels, models)
    network = StarNetRegressor(1, max_epochs=1, verbose=0).fit(models, labels)
    np.testing.assert_array_equal(network.label_range_, [[4500, 3.0], [5772, 4.44]])


@pytest.mark.parametrize("name", ["resolution", "fwhm"])
def test_a_masked_width_is_refused(name):
    unit = u.one if name == "resolution" else u.AA
    widths = Masked(np.full(100, 1000.0) * unit, mask=COSMIC)
    with pytest.raises(ValueError, match=f"`{name}` must be above 0"):
        Broadener(**{name: widths}).fit_transform(flat())


# Cutting and resampling


def test_resampling_without_a_mask_is_what_specutils_does():
    flux = np.random.default_rng(1).normal(1, 0.1, 100)
    theirs = FluxConservingResampler()(spectrum(flux, mask=None), INNER)
    ours = Resampler(INNER).fit_transform(as_spectra(spectrum(flux, mask=None)))
    np.testing.assert_allclose(ours.flux[0], theirs.flux.value, rtol=1e-12)
    np.testing.assert_allclose(ours.ivar[0], theirs.uncertainty.array, rtol=1e-12)


@pytest.mark.parametrize("method", ["flux", "linear"])
def test_resampling_uses_no_masked_flux(method):
    """specutils and speclite give 500.5 on both sides of the cosmic ray."""
    ours = Resampler(INNER, method=method).fit_transform(as_spectra(spectrum()))
    np.testing.assert_allclose(ours.flux, 1)
    np.testing.assert_allclose(ours.ivar[0, 48:52], [200, 100, 100, 200])


def test_resampling_makes_up_nothing_outside():
    """specutils' `zero_fill` gives zeros of infinite weight there, synphot 1.25."""
    wide = np.arange(4990.0, 5110) * u.AA
    ours = Resampler(wide).fit_transform(flat())
    inside = (wide >= AXIS[0]) & (wide <= AXIS[-1])
    np.testing.assert_array_equal(ours.ivar[0], 100.0 * inside)


@pytest.mark.parametrize("kind", UNCERTAINTIES)
@pytest.mark.parametrize("turned", [AXIS[::-1], AXIS[::-1].to(u.nm), AXIS.to(u.THz, u.spectral())])
def test_resampling_of_falling_axes_and_all_errors_is_the_same(kind, turned):
    flux = np.random.default_rng(1).normal(1, 0.1, 100)
    expected = Resampler(INNER).fit_transform(as_spectra(spectrum(flux)))
    one = spectrum(flux, uncertainty=UNCERTAINTIES[kind])
    if turned[0] > turned[-1] and turned.unit != u.THz:
        one = spectrum(flux[::-1], turned, COSMIC[::-1], UNCERTAINTIES[kind])
    elif turned.unit == u.THz:
        one = spectrum(flux, turned, COSMIC, UNCERTAINTIES[kind])
    ours = Resampler(INNER).fit_transform(as_spectra(one))
    np.testing.assert_allclose(ours.flux, expected.flux)
    np.testing.assert_allclose(ours.ivar, expected.ivar)


def test_errors_on_finer_pixels_alternate_and_are_true(draws):
    """As spectres says, 0.1, 0.071, ...: a new pixel across a border averages two old ones."""
    fine = Resampler(np.arange(5010.0, 5020, 0.5) * u.AA).fit_transform(draws)
    np.testing.assert_allclose(fine.std[0, :4], 0.1 * np.sqrt([1, 0.5, 1, 0.5]))
    np.testing.assert_allclose(fine.flux.std(axis=0), fine.std[0], rtol=0.05)


@pytest.mark.parametrize("turned", [AXIS, AXIS[::-1]])
def test_a_cut_holds_the_same_pixels_on_a_falling_axis(turned):
    s = as_spectra(spectrum(np.ones(100), turned, None))
    cut = s.select_pixels((s.wavelength >= 5002 * u.AA) & (s.wavelength < 5005 * u.AA))
    np.testing.assert_allclose(cut.wavelength.value, [5002, 5003, 5004])


# Smoothing, broadening, air and vacuum


def test_errors_after_broadening_are_true_up_to_the_ends(draws):
    """specutils states 0.266 here, where 0.038 is true."""
    broad = Broadener(fwhm=4.71 * u.AA).fit_transform(draws)
    assert broad.std[0, 50] == pytest.approx(0.0376, abs=2e-4)
    np.testing.assert_allclose(broad.flux.std(axis=0), broad.std[0], rtol=0.06)
    middle = slice(40, 60)
    assert broad.flux[:, middle].std() == pytest.approx(broad.std[0, middle].mean(), rel=0.02)


@pytest.mark.parametrize("how", [{"fwhm": 4.71 * u.AA}, {"resolution": 1000}, {"v_sin_i": 200}])
def test_a_flat_spectrum_stays_flat_at_the_ends_and_beside_masked_pixels(how):
    how = {name: v * u.km / u.s if name == "v_sin_i" else v for name, v in how.items()}
    broad = Broadener(**how).fit_transform(as_spectra(spectrum()))
    good = broad.ivar > 0
    np.testing.assert_allclose(broad.flux[good], 1)
    assert good[0, [0, 49, 51, 99]].all()


def test_the_resolving_power_is_the_same_at_one_and_two_micron():
    grid = np.geomspace(10000, 20000, 60001)
    spikes = np.zeros(60001)
    spikes[[2000, 58000]] = 1
    models = Spectra(spikes[None], grid * u.AA, noise="exact", medium="vacuum")
    broad = Broadener(resolution=3000).fit_transform(models).flux[0]
    for centre in (2000, 58000):
        part = slice(centre - 1500, centre + 1500)
        mean = np.average(grid[part], weights=broad[part])
        sigma = np.sqrt(np.average((grid[part] - mean) ** 2, weights=broad[part]))
        assert mean / (sigma * np.sqrt(8 * np.log(2))) == pytest.approx(3000, rel=2e-3)


@pytest.mark.parametrize("ends", [(3000, 20000), (15168, 16937)])
def test_air_and_vacuum_there_and_back(ends):
    """mpdaf is 0.007 Angstrom off at 1 micron, and PyAstronomy refuses the end of APOGEE's grid."""
    axis = np.linspace(*ends, 50) * u.AA
    s = Spectra(np.ones((1, 50)), axis, medium="vacuum")
    converter = AirVacuumConverter("air").fit(s)
    back = converter.inverse_transform(converter.transform(s))
    np.testing.assert_allclose(back.wavelength.value, axis.value, rtol=0, atol=1e-9)


# Errors and velocities


def test_a_continuum_leaves_the_signal_to_noise_ratio():
    """muler's `flatten` makes it smaller by the square root of 2."""
    slope = Spectra(2 + 0.01 * np.arange(100.0)[None], AXIS, np.full((1, 100), 100.0))
    normal = ContinuumNormalizer(degree=2).fit_transform(slope)
    np.testing.assert_allclose(normal.flux, 1)
    np.testing.assert_allclose(normal.flux * np.sqrt(normal.ivar), slope.flux * 10)


def test_what_is_put_in_for_an_outlier_has_larger_errors():
    """mpdaf's `interp_mask` leaves the bad pixel's own."""
    noise = np.random.default_rng(2).normal(1, 0.1, (5, 100))
    noise[2, 50] = 1000
    s = Spectra(noise, AXIS, np.full(noise.shape, 100.0))
    filled = OutlierInterpolator().fit_transform(s)
    assert abs(filled.flux[2, 50] - 1) < 0.5
    assert filled.std[2, 50] > 1.1 * filled.std[2, 49]


LINES = ((5050, 0.3), (5081, 0.4), (5100, 0.3), (5133, 0.2), (5160, 0.5))
VELOCITIES = np.array([0.0, 2, 3, 6, 20])


def lines(at):
    return 1 - sum(d * np.exp(-0.5 * ((at - centre) / 0.15) ** 2) for centre, d in LINES)


@pytest.mark.parametrize("cosmic", [False, True])
def test_velocities_do_not_snap_to_pixels_nor_follow_masked_ones(cosmic):
    """PyAstronomy finds 0, 0, 5.5, 6 and 18 km/s on these pixels of 6 km/s."""
    grid = np.linspace(5000, 5200, 2001)
    flux = np.array([lines(grid / (1 + v / 299792.458)) for v in VELOCITIES])
    ivar = np.full(flux.shape, 1e4)
    if cosmic:
        flux[:, 1003], ivar[:, 1003] = -1000, 0  # in the wing of a line
    template = Spectra(lines(grid)[None], grid * u.AA, noise="exact", medium="air")
    moving = Spectra(flux, grid * u.AA, ivar, medium="air")
    found = RestFrameShifter(template=template).fit(moving).transform(moving)
    atol = 0.1 if cosmic else 0.03
    np.testing.assert_allclose(found.meta["rest_frame_velocity"], VELOCITIES, atol=atol)
