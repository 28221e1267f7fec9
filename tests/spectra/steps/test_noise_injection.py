"""Noise has the strength that was asked for, ivar says so, and the seed decides it."""

import astropy.units as u
import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from numpy.testing import assert_allclose, assert_array_equal

from spectragan import NoiseInjector, Spectra
from spectragan.exceptions import GridMismatchError, NoiseWarning

P = 400
AXIS = np.linspace(5000, 5400, P) * u.AA


@pytest.fixture
def models(rng):
    mask = (rng.random((50, P)) > 0.1).astype(float)
    return Spectra(rng.uniform(3, 5, (50, P)) * u.Jy, AXIS, mask, noise="exact")


@pytest.fixture
def observed(rng):
    ivar = rng.uniform(10, 100, (20, P))
    ivar[:, :5] = 0
    return Spectra(rng.uniform(3, 5, (20, P)) * u.Jy, AXIS, ivar)


def added(out, before):
    return (out.flux - before.flux)[(out.ivar > 0) & (before.ivar > 0)]


def test_noise_by_snr_has_the_strength_asked_for(models):
    out = NoiseInjector(20, random_state=0).fit_transform(models)
    assert set(out.noise) == {"known"}
    good = ~models.mask
    assert_array_equal(out.mask, models.mask)
    chi = ((out.flux - models.flux) * np.sqrt(out.ivar))[good]
    assert chi.std() == pytest.approx(1, abs=0.02)
    assert abs(chi.mean()) < 0.03
    level = np.mean(models.flux[3][good[3]])
    assert_allclose(out.ivar[3][good[3]], (20 / level) ** 2)


def test_noise_of_a_range_of_snr_differs_from_spectrum_to_spectrum(models):
    out = NoiseInjector((10, 1000), random_state=0).fit_transform(models)
    snr = np.mean(models.flux, axis=1) * np.sqrt(out.ivar.max(axis=1))
    assert 9.5 < snr.min() < 20
    assert 500 < snr.max() < 1050
    assert np.median(snr) == pytest.approx(100, rel=0.5)


def test_noise_like_another_set_takes_its_errors_and_masks(models, observed):
    out = NoiseInjector(like=observed, random_state=0).fit_transform(models)
    assert_array_equal(out.mask, models.mask | (np.arange(P) < 5))
    chi = added(out, models) * np.sqrt(out.ivar[~out.mask])
    assert chi.std() == pytest.approx(1, abs=0.02)
    donors = {
        int(np.argmin(np.abs(observed.ivar[:, 5:] - row[5:]).min(axis=1))) for row in out.ivar
    }
    assert len(donors) > 5


def test_noise_like_another_set_converts_its_unit(models, observed):
    other = Spectra(observed.flux * 1e3 * u.mJy, AXIS, observed.ivar * 1e-6)
    a, b = (NoiseInjector(like=x, random_state=0).fit_transform(models) for x in (observed, other))
    assert_allclose(a.flux, b.flux)
    assert_allclose(a.ivar, b.ivar)


def test_noise_of_known_spectra_adds_variances(observed):
    out = NoiseInjector(20, random_state=0).fit_transform(observed)
    good = ~observed.mask
    sigma2 = (np.mean(observed.flux[0][good[0]]) / 20) ** 2
    assert_allclose(1 / out.ivar[0][good[0]], 1 / observed.ivar[0][good[0]] + sigma2)


def test_noise_of_unknown_spectra_stays_unknown_and_arrays_stay_arrays(models):
    flux = np.array(models.flux)
    injector = NoiseInjector(50, random_state=1).fit(flux)
    out = injector.transform(flux)
    assert type(out) is np.ndarray
    assert (out - flux).std() == pytest.approx(np.mean(flux) / 50, rel=0.05)
    unknown = injector.transform(Spectra(flux, None))
    assert set(unknown.noise) == {"unknown"}
    assert_array_equal(unknown.ivar, 1)
    assert_array_equal(unknown.flux, out)


def test_noise_is_that_of_the_seed(models):
    a, b, c = (
        NoiseInjector(random_state=seed).fit_transform(models).flux
        for seed in (3, 3, np.random.default_rng(7))
    )
    assert_array_equal(a, b)
    assert not np.array_equal(a, c)
    injector = NoiseInjector().fit(models)
    assert not np.array_equal(injector.transform(models).flux, injector.transform(models).flux)


@given(st.permutations(range(12)), st.integers(1, 12))
def test_noise_does_not_depend_on_the_batch(rows, n):
    models = Spectra(np.random.default_rng(0).uniform(1, 2, (12, 30)), None, noise="exact")
    injector = NoiseInjector(random_state=0).fit(models)
    whole = injector.transform(models)
    assert_array_equal(injector.transform(models[rows[:n]]).flux, whole.flux[rows[:n]])


def test_noise_of_copies_of_one_spectrum_differs():
    copies = Spectra(np.ones((200, 50)), None, noise="exact")
    noise = NoiseInjector(10, random_state=0).fit_transform(copies).flux - 1
    assert noise.std() == pytest.approx(0.1, rel=0.05)
    correlation = np.corrcoef(noise)[np.triu_indices(200, 1)]
    assert correlation.std() == pytest.approx(1 / np.sqrt(50), rel=0.1)


def test_noise_of_a_fully_masked_spectrum_is_none(models):
    ivar = np.ones(models.shape)
    ivar[4] = 0
    out = NoiseInjector(random_state=0).fit_transform(models.with_flux(models.flux, ivar))
    assert out.mask[4].all()
    assert_array_equal(out.flux[4], models.flux[4])


def test_noise_in_tiny_float32_units_stays_finite(models):
    tiny = Spectra((models.flux * 1e-17).astype("f4"), AXIS, noise="exact")
    out = NoiseInjector(1000, random_state=0).fit_transform(tiny)
    assert np.isfinite(out.ivar).all()
    assert out.dtype == np.float32


def test_noise_like_another_set_is_taken_pixel_by_pixel_in_arrays(models, observed):
    like = Spectra(observed.flux, AXIS, observed.ivar)
    out = NoiseInjector(like=like, random_state=0).fit_transform(np.array(models.flux))
    assert_array_equal(np.isnan(out), np.broadcast_to(np.arange(P) < 5, out.shape))


@pytest.mark.parametrize("snr", [0, -3, "high", True, (10, 0), (1, 2, 3), None, np.inf, np.nan])
def test_noise_with_a_bad_snr_is_one_sentence(models, snr):
    with pytest.raises(ValueError, match="`snr` must be a finite number above 0 or a pair"):
        NoiseInjector(snr).fit(models)


def test_noise_like_spectra_without_errors_or_on_another_grid_is_one_sentence(models, observed):
    with pytest.raises(ValueError, match="`like` must hold spectra whose noise is known"):
        NoiseInjector(like=models).fit(models)
    with pytest.raises(ValueError, match="`like` must have flux in a unit that converts to 'Jy'"):
        NoiseInjector(like=observed.with_flux(observed.flux, unit=u.K)).fit(models)
    with pytest.raises(GridMismatchError, match="`X` and `like` must be on one wavelength grid"):
        NoiseInjector(like=observed.select_pixels(slice(0, 9))).fit(models)


def test_noise_of_a_spectrum_of_zeros_is_none_with_a_warning():
    models = Spectra(np.r_[np.ones((1, 9)), np.zeros((1, 9))], None, noise="exact")
    with pytest.warns(NoiseWarning, match="1 spectra are 0 everywhere"):
        out = NoiseInjector(random_state=0).fit_transform(models)
    assert list(out.noise) == ["known", "exact"]
    assert_array_equal(out.flux[1], 0)


def test_noise_like_another_set_converts_the_unit_of_each_transform(models, observed):
    injector = NoiseInjector(like=observed, random_state=0).fit(models)
    out = injector.transform(Spectra(models.flux * 1e3 * u.mJy, AXIS, models.ivar, "exact"))
    good = out.ivar > 0
    levels = np.unique(observed.std[observed.ivar > 0]) * 1e3
    assert levels.min() * 0.999 < out.std[good].min()
    assert out.std[good].max() < levels.max() * 1.001
    with pytest.raises(ValueError, match=r"a unit that converts to 'Jy'.* NoiseInjector; got ''"):
        injector.transform(Spectra(models.flux, AXIS, models.ivar, "exact"))
