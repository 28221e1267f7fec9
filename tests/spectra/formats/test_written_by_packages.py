"""Files as packages write them, or as their data models say: values equal those written."""

import warnings

import astropy.units as u
import numpy as np
import pytest
from astropy.io import fits
from astropy.nddata import (
    CCDData,
    InverseVariance,
    StdDevUncertainty,
    VarianceUncertainty,
)
from astropy.wcs import WCS

from spectragan import UnusedDataWarning, read_spectra

N = 60
WAVE = 5000.0 + np.arange(N)
RNG = np.random.default_rng(0)
FLUX, ERROR = RNG.uniform(1, 2, N), RNG.uniform(0.01, 0.02, N)
BAD = np.arange(N) == 3
UNCERTAINTIES = {
    None: None,
    StdDevUncertainty: ERROR,
    VarianceUncertainty: ERROR**2,
    InverseVariance: ERROR**-2,
}
AXIS = {"CUNIT1": "Angstrom", "CRVAL1": 5000.0, "CDELT1": 1.0, "CRPIX1": 1.0}


def uncertain(kind):
    return None if kind is None else kind(UNCERTAINTIES[kind])


def check(s, kind, mask=None, unit=None) -> None:
    np.testing.assert_allclose(s.wavelength.value, WAVE)
    good = ~s.mask[0]
    np.testing.assert_allclose(s.flux[0][good], FLUX[good])
    assert np.array_equal(s.mask[0], np.zeros(N, bool) if mask is None else mask)
    assert s.noise.tolist() == ["unknown" if kind is None else "known"]
    if kind is not None:
        np.testing.assert_allclose(s.std[0][good], ERROR[good])
    assert unit is None or s.unit == unit


@pytest.mark.parametrize("unit", [u.Jy, u.dimensionless_unscaled])
@pytest.mark.parametrize("kind", UNCERTAINTIES)
@pytest.mark.parametrize("mask", [None, BAD])
@pytest.mark.parametrize("format", ["tabular-fits", "wcs1d-fits"])
@pytest.mark.parametrize("medium", [None, "air"])
def test_specutils_writes_what_we_read(tmp_path, unit, kind, mask, format, medium):
    """Both of its writers (2.4), with every uncertainty that it has."""
    from specutils import Spectrum

    given = {"flux": FLUX * unit, "uncertainty": uncertain(kind), "mask": mask}
    if format == "wcs1d-fits":
        axis = {"CTYPE1": "AWAV" if medium else "WAVE", **AXIS}
        spectrum = Spectrum(wcs=WCS(fits.Header({"NAXIS": 1, **axis})), **given)
    else:
        medium = None  # it has no place for it
        spectrum = Spectrum(spectral_axis=WAVE * u.AA, **given)
    spectrum.write(str(tmp_path / "a.fits"), format=format)
    s = read_spectra(tmp_path / "a.fits")
    check(s, kind, mask, unit)
    assert s.medium == medium


@pytest.mark.parametrize("first", [0.0, 1.0, 31.0])
def test_specutils_and_we_count_pixels_alike(tmp_path, first):
    from specutils import Spectrum

    wcs = WCS(fits.Header({"NAXIS": 1, "CTYPE1": "WAVE", **AXIS, "CRPIX1": first}))
    spectrum = Spectrum(flux=FLUX * u.Jy, wcs=wcs)
    spectrum.write(str(tmp_path / "a.fits"), format="wcs1d-fits")
    theirs = spectrum.spectral_axis.to_value(u.AA)
    np.testing.assert_allclose(read_spectra(tmp_path / "a.fits").wavelength.value, theirs)


@pytest.mark.parametrize("kind", [k for k in UNCERTAINTIES if k])
def test_ccddata_writes_what_we_read(tmp_path, kind):
    """As 1-D spectra that were reduced with ccdproc are kept: HDUs PRIMARY, MASK, UNCERT."""
    data = CCDData(FLUX, unit="adu", mask=BAD, uncertainty=uncertain(kind))
    data.header.update(AXIS)
    data.write(tmp_path / "a.fits")
    check(read_spectra(tmp_path / "a.fits"), kind, BAD, u.adu)


@pytest.mark.parametrize("has_mask", [True, False])
def test_mpdaf_spectra_are_read(make, write, has_mask):
    """mpdaf 3.6: an empty primary HDU with the cards, DATA, STAT (variance), DQ (0 is good)."""
    unit = "10**(-20)*erg/s/cm**2/Angstrom"
    axis = {"CTYPE1": "AWAV", "WCSAXES": 1, **AXIS}
    hdus = [
        make.primary(OBJECT="HD 1"),
        make.image(FLUX, "DATA", BUNIT=unit, **axis),
        make.image(ERROR**2, "STAT", BUNIT=f"({unit})**2", **axis),
    ]
    hdus += [make.image(BAD.astype(np.uint8), "DQ", **axis)] * has_mask
    s = read_spectra(write(fits.HDUList(hdus)))
    check(s, StdDevUncertainty, BAD if has_mask else None, u.Unit("1e-20 erg/(s cm2 Angstrom)"))
    assert (s.medium, s.meta["id"]) == ("air", ["HD 1"])


@pytest.mark.parametrize("arm", ["b", "r", "z"])
def test_desispec_spectra_are_read(make, write, arm):
    """desispec writes coadds with EXP_FIBERMAP and a resolution matrix beside each arm."""
    hdul = make.desi()
    hdul.insert(2, make.table("EXP_FIBERMAP", TARGETID=np.repeat([11, 22, 33], 4)))
    hdul.append(make.image(np.ones((3, 11, make.N)), f"{arm.upper()}_RESOLUTION"))
    s = read_spectra(write(hdul), arm=arm)
    np.testing.assert_allclose(s.flux, make.FLUX)
    good = ~s.mask
    assert np.argwhere(~good).tolist() == [[1, 4]]
    np.testing.assert_allclose(s.std[good], make.ERROR[good], rtol=1e-6)
    assert s.meta["id"] == ["11", "22", "33"]


@pytest.mark.parametrize("combine", ["uncertainty", "snr"])
def test_weave_like_stacks_are_read(make, write, combine):
    """A stack beside a table of fibres, with a column of names, and what is not used named."""
    flux = np.stack([FLUX, 2 * FLUX])
    fibres = make.table("FIBTABLE", FIBREID=[1, 2], CNAME=["WVE_1", "WVE_2"])
    hdul = fits.HDUList([make.primary(), make.image(flux, "FLUX", CTYPE1="WAVE", **AXIS)])
    hdul += [make.image(np.full((2, N), 4.0), "IVAR"), fibres]
    if combine == "snr":
        hdul.append(make.image(flux, "SNR"))
    with warnings.catch_warnings(record=True) as said:
        warnings.simplefilter("always")
        s = read_spectra(write(hdul))
    assert [w.category for w in said] == [UnusedDataWarning] * (combine == "snr")
    np.testing.assert_allclose(s.std, 0.5)
    assert s.meta["id"] == ["WVE_1", "WVE_2"]
