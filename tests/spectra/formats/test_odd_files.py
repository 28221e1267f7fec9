"""Files that something is odd about, which can be read: each gives the right result."""

import gzip
import warnings
from typing import Any, NamedTuple

import astropy.units as u
import numpy as np
import pytest
from astropy.io import fits

from spectragan import NaNFluxWarning, read_spectra


class Case(NamedTuple):
    """What is odd, how to make it, a check of the result, and parameters."""

    name: str
    build: Any
    is_right: Any
    options: dict = {}  # noqa: RUF012 - never changed


def masked(*pixels: int):
    return lambda s: np.flatnonzero(s.mask[0]).tolist() == list(pixels)


RIGHT_RESULTS = [
    Case("NaN flux", lambda m: m.csv(*m.rows(flux=(1, "nan", 3))), masked(1)),
    Case("infinite flux", lambda m: m.simple(flux=[1.0, np.inf, 3]), masked(1)),
    Case("empty cell in the flux", lambda m: m.csv(*m.rows(flux=(1, "", 3))), masked(1)),
    Case("NaN error", lambda m: m.csv(*m.rows(error=(0.1, "nan", 0.1))), masked(1)),
    Case("infinite error", lambda m: m.csv(*m.rows(error=(0.1, "inf", 0.1))), masked(1)),
    Case("zero and negative error", lambda m: m.csv(*m.rows(error=(0, -1, 0.1))), masked(0, 1)),
    Case("zero and negative ivar", lambda m: m.simple(ivar=[0.0, -3, 1]), masked(0, 1)),
    Case("NaN and infinite ivar", lambda m: m.simple(ivar=[np.nan, np.inf, 1]), masked(0, 1)),
    Case("zero variance", lambda m: m.simple(variance=[0.0, 1, 1]), masked(0)),
    Case("NaN under a mask", lambda m: m.simple(flux=[1.0, np.nan, 3], mask=[0, 1, 0]), masked(1)),
    Case("NaN in a combined apStar", lambda m: nan_apstar(m), masked(2)),
    Case("negative ivar in SDSS", lambda m: m.changed(m.sdss(), negative_ivar), masked(3)),
    Case(
        "descending axis",
        lambda m: m.csv(*m.rows((502, 501, 500))),
        lambda s: s.flux[0].tolist() == [3, 2, 1] and np.isclose(s.wavelength.value[0], 5000),
    ),
    Case(
        "integers",
        lambda m: m.simple(flux=np.array([1, 2, 3], np.int16)),
        lambda s: s.flux.tolist() == [[1, 2, 3]] and s.dtype == float,
    ),
    Case(
        "scaled integers",
        lambda m: scaled_integers(m),
        lambda s: np.allclose(s.flux, [[1.5, 2.5, 3.5]]),
    ),
    Case(
        "masks without their checksum keyword",
        lambda m: m.changed(m.mwm(), lambda h: h[3].header.remove("DATASUM", ignore_missing=True)),
        lambda s: len(s) == 1,
    ),
    Case(
        "checksums that match", lambda m: m.with_checksum(m.apstar(), False), lambda s: len(s) == 1
    ),
    Case("strange checksum", lambda m: m.changed(m.apstar(), m.header(1, DATASUM="?")), masked()),
    Case(
        "bytes changed, checked off",
        lambda m: m.with_checksum(m.apstar(), True),
        lambda s: len(s) == 1,
        {"checksum": False},
    ),
    Case("gzip without the ending", lambda m: gzip.compress(m.raw(m.apstar())), masked()),
    Case("one row in two dimensions", lambda m: flat_image(m), lambda s: s.shape == (1, 40)),
    Case(
        "square stack",
        lambda m: m.simple(wavelength=[[5.0, 6, 7]] * 3 * u.um, flux=np.arange(9.0).reshape(3, 3)),
        lambda s: s.flux.tolist() == [[0, 1, 2], [3, 4, 5], [6, 7, 8]],
    ),
    Case("unit given", lambda m: m.one_d(CUNIT1=None), masked(), {"wavelength_unit": "nm"}),
    Case("flux unit given", lambda m: m.one_d(BUNIT="bananas"), masked(), {"flux_unit": "Jy"}),
    Case("quoted numbers", lambda m: m.csv('"500","1","0.1"', '"501","2","0.1"'), masked()),
    Case("Windows line ends", lambda m: m.csv(*m.rows()).replace("\n", "\r\n"), masked()),
]


def nan_apstar(make) -> fits.HDUList:
    return make.changed(make.apstar(), make.data(1, (0, 2), np.nan))


def negative_ivar(hdul) -> None:
    hdul[1].data["ivar"][3] = -1


def scaled_integers(make) -> fits.HDUList:
    hdul = fits.HDUList([fits.PrimaryHDU(np.array([1.5, 2.5, 3.5]))])
    hdul[0].scale("int16", bzero=2.0, bscale=0.5)
    hdul[0].header.update({"CRVAL1": 5.0, "CDELT1": 1.0, "CRPIX1": 1.0, "CUNIT1": "um"})
    return hdul


def flat_image(make) -> fits.HDUList:
    hdul = make.one_d()
    hdul[0].data = hdul[0].data[None]
    return hdul


@pytest.mark.parametrize("case", RIGHT_RESULTS, ids=lambda c: c.name)
def test_an_odd_file_gives_the_right_result(case, make, write):
    with warnings.catch_warnings():
        warnings.simplefilter("ignore", NaNFluxWarning)
        s = read_spectra(write(case.build(make)), **case.options)
    assert case.is_right(s)
    assert np.isfinite(s.flux).all()
    assert np.isfinite(s.ivar).all()


def test_nan_that_no_mask_announces_is_warned_of(make, write):
    path = write(make.csv(*make.rows(flux=(1, "nan", 3))), "star.csv")
    with pytest.warns(NaNFluxWarning, match=r"1 pixels of flux in 1 files.*star\.csv"):
        read_spectra(path)


def test_nan_that_a_mask_announces_is_not_warned_of(make, write):
    read_spectra(write(make.simple(flux=[1.0, np.nan, 3], mask=[0, 1, 0])))
