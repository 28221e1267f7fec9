"""SDSS spec files and the MWM files of SDSS-V."""

import astropy.units as u
import numpy as np
import pytest

from spectragan import SpectrumFileError, read_spectra


@pytest.mark.parametrize("mask_name", ["and_mask", "MASK"])
def test_spec_reads_flux_ivar_and_axis(make, write, mask_name):
    s = read_spectra(write(make.sdss(mask_name=mask_name)))
    np.testing.assert_allclose(s.flux[0], make.FLUX[0])
    np.testing.assert_allclose(s.ivar[0], make.ERROR[0] ** -2, rtol=1e-6)
    np.testing.assert_allclose(s.wavelength.to_value(u.AA), 10**make.LOGLAM, rtol=1e-12)
    assert s.medium == "vacuum"
    assert s.meta["id"] == ["266-51630-3"]
    assert s.meta["snr"].tolist() == [20.0]
    np.testing.assert_allclose(s.meta["rv"], 29.977746837705)  # not c z


@pytest.mark.parametrize(
    ("bit", "bad"), [(18, True), (22, True), (23, True), (8, False), (19, False)]
)
def test_spec_masks_by_the_and_mask(make, write, bit, bad):
    """The OR mask of the file marks every pixel; honouring it would leave nothing."""
    mask = np.zeros(make.N, np.int32)
    mask[4] = 1 << bit
    s = read_spectra(write(make.sdss(and_mask=mask)))
    assert np.flatnonzero(s.mask[0]).tolist() == ([4] if bad else [])


def test_spec_redshift_of_a_galaxy_is_no_radial_velocity(make, write):
    assert np.isnan(read_spectra(write(make.sdss(kind="GALAXY"))).meta["rv"]).all()


def test_spec_without_summary_has_no_snr(make, write):
    s = read_spectra(write(make.sdss()[:2]))
    assert np.isnan(s.meta["snr"]).all()
    assert np.isnan(s.meta["rv"]).all()


def test_spec_agrees_with_specutils(make, write):
    from specutils import Spectrum

    path = write(make.sdss())
    theirs = Spectrum.read(str(path), format="SDSS-III/IV spec")
    ours = read_spectra(path)
    np.testing.assert_allclose(ours.flux[0], theirs.flux.value)
    np.testing.assert_allclose(ours.ivar[0], theirs.uncertainty.array)
    assert ours.unit == theirs.flux.unit


def test_mwm_star_reads_its_coadd(make, write):
    s = read_spectra(write(make.mwm()))
    assert len(s) == 1
    assert s.meta["visit"].tolist() == [0]
    assert s.meta["id"] == ["54321"]
    assert s.meta["rv"].tolist() == [3.0]
    np.testing.assert_allclose(s.flux[0], make.FLUX[0])
    # Bit 12, a sky line, is bad; bit 9, persistence, is not.
    assert np.flatnonzero(s.mask[0]).tolist() == [0]


def test_mwm_visits_take_the_axis_from_the_header(make, write):
    s = read_spectra(write(make.mwm(apogee=3, visits=True)))
    assert s.meta["visit"].tolist() == [1, 2, 3]
    np.testing.assert_allclose(s.wavelength.value[0], 10**4.179)


def test_mwm_flags_of_boss_are_an_or_mask_and_mask_nothing(make, write):
    s = read_spectra(write(make.mwm(boss=1, apogee=0)))
    assert not s.mask.any()
    assert s.meta["rv"].tolist() == [3.0]


@pytest.mark.parametrize(("arm", "first"), [("boss", 3981.07), ("APOGEE", 15100.8)])
def test_mwm_with_both_instruments_reads_the_one_asked_for(make, write, arm, first):
    s = read_spectra(write(make.mwm(boss=1)), arm=arm)
    np.testing.assert_allclose(s.wavelength.value[0], first, rtol=1e-5)


def test_mwm_with_both_instruments_asks_which(make, write):
    with pytest.raises(SpectrumFileError, match="pass arm='apogee' or arm='boss'"):
        read_spectra(write(make.mwm(boss=1)))


def test_mwm_joins_both_observatories(make, write):
    hdul = make.mwm()
    hdul[4] = make.mwm()[3]
    assert len(read_spectra(write(hdul))) == 2


def test_mwm_without_any_row_says_so(make, write):
    with pytest.raises(SpectrumFileError, match="all of its tables are empty"):
        read_spectra(write(make.mwm(apogee=0)), format="mwm")
