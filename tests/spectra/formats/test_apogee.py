"""APOGEE files: the mask is honoured, visits on demand, errors and axes as they are meant."""

import astropy.units as u
import numpy as np
import pytest

from spectragan import (
    RestFrameShifter,
    Spectra,
    SpectrumFileError,
    TelluricMasker,
    read_spectra,
    stack_domains,
)
from spectragan.spectra.formats.surveys.apogee import BAD_BITS


def test_apstar_reads_the_combined_spectrum(make, write):
    s = read_spectra(write(make.apstar()))
    assert s.shape == (1, make.N)
    assert s.medium == "vacuum"
    assert s.unit == u.Unit("1e-17 erg / (s cm2 Angstrom)")
    np.testing.assert_allclose(s.flux[0], make.FLUX[0])
    np.testing.assert_allclose(s.ivar[0], make.ERROR[0] ** -2.0, rtol=1e-6)
    expected = 10 ** (4.179 + 6e-6 * np.arange(make.N))
    np.testing.assert_allclose(s.wavelength.value, expected, rtol=1e-12)
    assert s.meta["id"] == ["2M00005414+5522241"]
    assert s.meta["snr"].tolist() == [120.5]
    assert s.meta["rv"].tolist() == [-12.5]
    assert s.meta["format"] == ["apStar"]


def test_apstar_visits_follow_the_combination(make, write):
    s = read_spectra(write(make.apstar(n_visits=3)), visits=True)
    assert s.meta["visit"].tolist() == [0, 1, 2, 3]
    # Row 1 is another combination; the visits are behind it.
    np.testing.assert_allclose(s.flux[:, 0] / make.FLUX[0, 0], [1, 3, 4, 5], rtol=1e-6)
    assert s.meta["snr"].tolist() == [120.5, 51, 52, 53]
    assert s.meta["rv"].tolist() == [-12.5, -13, -14, -15]


def test_apstar_of_one_visit_has_one_row(make, write):
    path = write(make.apstar(n_visits=1))
    assert len(read_spectra(path)) == len(read_spectra(path, visits=True)) == 1


@pytest.mark.parametrize("bit", range(16))
def test_apstar_mask_bits_that_are_bad_give_ivar_0(make, write, bit):
    mask = np.zeros((4, make.N), np.int32)
    mask[0, 5] = 1 << bit
    mask[2, 7] = 1  # a visit: not read
    s = read_spectra(write(make.apstar(mask=mask)))
    assert np.flatnonzero(s.mask[0]).tolist() == ([5] if bit in BAD_BITS else [])


def test_apstar_error_of_1e10_means_nothing_is_there(make, write):
    hdul = make.apstar()
    hdul[2].data[0, :3] = 1e10, 0, -1
    hdul[1].data[0, 0] = 1e30
    s = read_spectra(write(hdul))
    assert np.flatnonzero(s.mask[0]).tolist() == [0, 1, 2]


def test_apstar_agrees_with_specutils_where_it_masks_nothing(make, write):
    from specutils import Spectrum

    path = write(make.apstar())
    theirs = Spectrum.read(str(path), format="APOGEE apStar")
    ours = read_spectra(path)
    np.testing.assert_allclose(ours.flux[0], theirs.flux.value)
    np.testing.assert_allclose(ours.std[0], theirs.uncertainty.array, rtol=1e-6)
    np.testing.assert_allclose(
        ours.wavelength.value, theirs.spectral_axis.to_value(u.AA), rtol=1e-10
    )


def test_apstar_with_too_few_visits_is_refused_where_visits_are_asked_for(make, write):
    hdul = make.apstar(n_visits=3)
    hdul[0].header["NVISITS"] = 7
    path = write(hdul)
    with pytest.raises(SpectrumFileError, match="row per visit behind one or two combinations"):
        read_spectra(path, visits=True)
    assert len(read_spectra(path)) == 1


def test_apstar_numbers_that_stand_for_none_are_nan(make, write):
    hdul = make.apstar()
    hdul[0].header.update({"VHELIO": 999999.0, "SNR": -9999.0})
    s = read_spectra(write(hdul))
    assert np.isnan(s.meta["rv"]).all()
    assert np.isnan(s.meta["snr"]).all()


def test_aspcapstar_is_normalised_and_masks_gaps_by_their_errors(make, write):
    s = read_spectra(write(make.aspcapstar()))
    assert s.unit == u.dimensionless_unscaled
    assert s.medium == "vacuum"
    assert np.flatnonzero(s.mask[0]).tolist() == [0, 1]
    np.testing.assert_allclose(s.ivar[0, 2:], make.ERROR[0, 2:] ** -2.0, rtol=1e-6)
    meta = {key: s.meta[key][0] for key in ("id", "snr", "rv", "format")}
    expected = {"id": "2M00005414+5522241", "snr": 120.5, "rv": -12.5, "format": "aspcapStar"}
    assert meta == expected


def test_apvisit_joins_three_detectors_by_wavelength(make, write):
    s = read_spectra(write(make.apvisit()))
    assert s.shape == (1, 3 * make.N)
    assert (np.diff(s.wavelength.value) > 0).all()
    # The bluest detector is the last row, and wavelengths fall along a row.
    np.testing.assert_allclose(s.flux[0, : make.N], make.FLUX[2, ::-1])
    np.testing.assert_allclose(s.std[0, -make.N : -1], make.ERROR[0, :0:-1], rtol=1e-6)
    assert np.flatnonzero(s.mask[0]).tolist() == [3 * make.N - 1]
    assert s.meta["rv"].tolist() == [7.0]


@pytest.mark.parametrize("kind", ["apstar", "aspcapstar", "mwm"])
def test_spectra_at_rest_say_so_and_are_not_shifted_again(make, write, kind):
    s = read_spectra(write(getattr(make, kind)()))
    assert s.meta["rest_frame_velocity"].tolist() == s.meta["rv"].tolist()
    with pytest.raises(ValueError, match="says that it was shifted to rest"):
        RestFrameShifter("rv").fit_transform(s)


def test_spectra_as_observed_can_be_shifted(make, write):
    s = read_spectra(write(make.apvisit()))
    assert "rest_frame_velocity" not in s.meta


def test_spectra_at_rest_are_masked_where_they_were_observed(make, write):
    """A sky line is at another pixel in every visit."""
    hdul = make.apstar()
    hdul[0].header.update({"VHELIO1": -300.0, "VHELIO2": 300.0})
    s = read_spectra(write(hdul), visits=True)
    line = s.wavelength[make.N // 2]
    masked = TelluricMasker([(line - 1 * u.AA, line + 1 * u.AA)]).fit_transform(s).mask
    assert masked[0].any()  # -12.5 km/s
    assert not masked[1:].any()  # 15 Angstrom away; the file spans 8


def test_spectra_at_rest_by_an_unknown_velocity_are_not_shifted_either(make, write):
    hdul = make.apstar()
    hdul[0].header["VHELIO"] = 999999.0
    known, unknown = write(make.apstar(), "a.fits"), write(hdul, "b.fits")
    s = read_spectra([known, unknown], verbose=0)
    np.testing.assert_array_equal(s.meta["rest_frame_velocity"], [-12.5, np.nan])
    np.testing.assert_array_equal(s[1:].meta["rest_frame_velocity"], [np.nan])
    with pytest.raises(ValueError, match="says that it was shifted to rest"):
        RestFrameShifter(velocity=10.0).fit_transform(s)


def test_spectra_at_rest_beside_others_are_not_shifted_again(make, write):
    """Joined with a set as observed, the rows at rest keep their velocity, the others have none."""
    at_rest = read_spectra(write(make.aspcapstar()))
    meta = {"rv": np.array([5.0])}
    observed = Spectra(at_rest.flux, at_rest.wavelength, at_rest.ivar, medium="vacuum", meta=meta)
    both, _ = stack_domains(observed, at_rest)
    assert both.meta["rest_frame_velocity"] == [None, -12.5]
    with pytest.raises(ValueError, match="says that it was shifted to rest"):
        RestFrameShifter("rv").fit_transform(both)
    assert both[:1].meta["rest_frame_velocity"] == [None]
