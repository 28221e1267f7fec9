"""What specutils says of velocity, medium and order of axes, through every step."""

import astropy.units as u
import numpy as np
import pytest
from astropy.wcs import WCS
from specutils import SpectralAxis, Spectrum, SpectrumCollection, SpectrumList

from spectragan import (
    AirVacuumConverter,
    Broadener,
    ContinuumNormalizer,
    Resampler,
    RestFrameShifter,
    as_spectra,
)

WAVE = (5000 + np.arange(80)) * u.AA
KMS = u.km / u.s
STEPS = {
    "continuum": lambda: ContinuumNormalizer(degree=1),
    "resampling": lambda: Resampler(np.linspace(5001, 5075, 40) * u.AA),
    "medium": lambda: AirVacuumConverter("vacuum", initial_medium="air"),
    "broadening": lambda: Broadener(v_sin_i=20.0 * KMS),
}


def spectrum(velocity=30.0, **kwargs) -> Spectrum:
    given = kwargs or {"radial_velocity": velocity * KMS}
    return Spectrum(flux=np.linspace(1, 2, 80) * u.Jy, spectral_axis=WAVE, **given)


def velocities(x) -> list[float]:
    items = x if isinstance(x, list) else [x]
    found = [np.ravel(s.spectral_axis.radial_velocity.to_value(KMS)) for s in items]
    return np.concatenate(found).tolist()


@pytest.mark.parametrize("step", STEPS)
@pytest.mark.parametrize("speeds", [[30.0], [30.0, 30.0], [30.0, -70.0, 0.0]])
def test_steps_that_keep_the_frame_keep_the_velocity(step, speeds):
    given = SpectrumList([spectrum(v) for v in speeds])
    np.testing.assert_allclose(velocities(STEPS[step]().fit_transform(given)), speeds)
    np.testing.assert_allclose(velocities(STEPS[step]().fit_transform(given[0])), speeds[:1])


@pytest.mark.parametrize("step", STEPS)
def test_a_redshift_is_kept(step):
    out = STEPS[step]().fit_transform(spectrum(redshift=0.1))
    np.testing.assert_allclose(float(out.redshift), 0.1)


@pytest.mark.parametrize("velocity", [30 * KMS, [30, 40] * KMS])
def test_a_stack_keeps_its_velocities(velocity):
    flux = np.stack([np.linspace(1, 2, 80)] * 2) * u.Jy
    given = Spectrum(flux=flux, spectral_axis=WAVE, radial_velocity=velocity)
    out = ContinuumNormalizer(degree=1).fit_transform(given)
    np.testing.assert_allclose(np.ravel(out.radial_velocity.value), np.ravel(velocity.value))


def test_a_collection_keeps_its_velocity():
    flux = np.stack([np.linspace(1, 2, 80)] * 2) * u.Jy
    axis = SpectralAxis(np.tile(WAVE.value, (2, 1)) * u.AA, radial_velocity=30 * KMS)
    given = SpectrumCollection(flux=flux, spectral_axis=axis)
    out = ContinuumNormalizer(degree=1).fit_transform(given)
    np.testing.assert_allclose(np.ravel(out.spectral_axis.radial_velocity.to_value(KMS)), 30)


def test_a_shift_to_rest_leaves_no_velocity_and_the_way_back_gives_it_again():
    given = SpectrumList([spectrum(30.0), spectrum(-70.0)])
    step = RestFrameShifter([30.0, -70.0])
    rest = step.fit_transform(given)
    assert velocities(rest) == [0, 0]
    np.testing.assert_allclose(velocities(step.inverse_transform(rest)), [30, -70])


def test_spectra_without_a_velocity_carry_no_word_of_it():
    assert as_spectra(spectrum(0.0)).meta is None
    assert velocities(ContinuumNormalizer(degree=1).fit_transform(spectrum(0.0))) == [0]


def test_velocities_follow_their_rows():
    spectra = as_spectra(SpectrumList([spectrum(v) for v in (1.0, 2.0, 3.0)]))
    np.testing.assert_allclose(velocities(spectra[[2, 0]].to_specutils()), [3, 1])


def test_a_wcs_in_air_says_so():
    cards = {"CTYPE1": "AWAV", "CUNIT1": "Angstrom", "CRVAL1": 5000.0, "CDELT1": 1.0, "CRPIX1": 1.0}
    spectrum = Spectrum(flux=np.ones(50) * u.Jy, wcs=WCS(cards))
    assert as_spectra(spectrum).medium == "air"
    assert as_spectra(SpectrumList([spectrum, spectrum])).medium == "air"


@pytest.mark.parametrize("n", [2, 80])
@pytest.mark.parametrize("index", [0, 1])
def test_a_stack_keeps_the_order_of_its_axes(n, index):
    flux = np.random.default_rng(0).uniform(1, 2, (n, 80))
    given = Spectrum(
        flux=(flux if index else flux.T) * u.Jy, spectral_axis=WAVE, spectral_axis_index=index
    )
    out = Resampler(WAVE).fit_transform(given)
    assert out.spectral_axis_index == index
    np.testing.assert_allclose(out.flux.value, given.flux.value)
