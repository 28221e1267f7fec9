"""Velocities of stars, and layouts of surveys that were taken for others."""

import numpy as np
import pytest
from astropy.io import fits

from spectragan import (
    FileAssumptionWarning,
    RestFrameShifter,
    SpectrumFileError,
    read_spectra,
)

N = 60
WAVE = 5000.0 + np.arange(N)
FLUX = np.linspace(1, 2, N)
ERROR = np.where(np.arange(N) == 3, 0, 0.01 * FLUX)
BAD = (np.arange(N) == 3).astype(np.int32)


C = 299792.458
LINE = 5030.0


def line_at(wave, velocity):
    """Return flux with a line of a star that recedes."""
    shifted = LINE * np.sqrt((1 + velocity / C) / (1 - velocity / C))
    return 1 - 0.6 * np.exp(-0.5 * ((wave - shifted) / 1.5) ** 2)


def moving(kind, make, velocity):
    """Return a file whose spectrum is as observed, and which gives the velocity of its star."""
    redshift = np.sqrt((1 + velocity / C) / (1 - velocity / C)) - 1
    wave = 5000.0 * 10 ** (1e-5 * np.arange(600))
    flux, ivar, zero = line_at(wave, velocity), np.full(600, 1e4), np.zeros(600, np.int32)
    cards = {"CLASS": "STAR", "Z": redshift, "HELIO_RV": 20.0, "TELESCOP": "LAMOST", "OBSID": 1}
    if kind == "LAMOST":
        return fits.HDUList([make.primary(np.stack([flux, ivar, wave, zero, zero]), **cards)])
    if kind == "SDSS":
        columns = {"flux": flux, "loglam": np.log10(wave), "ivar": ivar, "and_mask": zero}
        objects = make.table(CLASS=["STAR"], Z=[redshift])
        return fits.HDUList([make.primary(PLATEID=1), make.table("COADD", **columns), objects])
    if kind == "spSpec":
        cards = {"TELESCOP": "SDSS 2.5-M", "COEFF0": np.log10(5000), "COEFF1": 1e-5, "Z": redshift}
        rows = np.stack([flux, flux, ivar**-0.5, zero, zero])
        return fits.HDUList([make.primary(rows, SPEC_CLN=1, **cards)])
    rows = [np.asarray(x).reshape(3, 200) for x in (flux, ivar**-0.5, zero, wave)]
    images = [make.image(row) for row in rows]
    images[3].header["BUNIT"] = "Wavelength (Ang)"
    given = {"VRAD": velocity, "BC": 14.0, "VHELIO": velocity + 14.0}
    if kind == "apVisit without VRAD":
        del given["VRAD"]
    return fits.HDUList([make.primary(OBJID="x", SNR=9.0, **given), *images])


@pytest.mark.parametrize("velocity", [-51.0, 600.0])
@pytest.mark.parametrize("kind", ["LAMOST", "SDSS", "spSpec", "apVisit", "apVisit without VRAD"])
def test_rv_nulls_the_shift_on_the_axis_that_is_returned(make, write, kind, velocity):
    s = read_spectra(write(moving(kind, make, velocity)))
    rest = RestFrameShifter("rv").fit_transform(s)
    near = np.abs(rest.wavelength.value - LINE) < 6
    weights = (1 - rest.flux[0])[near]
    centre = np.average(rest.wavelength.value[near], weights=weights)
    assert abs(C * (centre / LINE - 1)) < 0.1


def test_lamost_without_a_star_has_no_velocity(make, write):
    hdul = moving("LAMOST", make, 10.0)
    hdul[0].header["CLASS"] = "GALAXY"
    assert np.isnan(read_spectra(write(hdul)).meta["rv"]).all()


def test_apstar_visits_know_their_velocity_at_the_telescope(make, write):
    hdul = make.apstar(2)
    hdul[0].header.update({"VRAD1": -30.0, "BC2": 5.0})
    s = read_spectra(write(hdul), visits=True)
    assert s.meta["rv"].tolist() == [-12.5, -13.0, -14.0]
    assert s.meta["rest_frame_velocity"].tolist() == [-12.5, -30.0, -19.0]


def test_apstar_of_one_visit_has_no_empty_row(make, write):
    hdul = make.apstar(2)
    hdul[0].header.update({"NVISITS": 1, "VRAD1": 3.4})
    for key in (1, 2, 3):
        hdul[key].data = np.stack([hdul[key].data[0], hdul[key].data[0] * 0])
    s = read_spectra(write(hdul), visits=True)
    assert s.meta["visit"].tolist() == [0]
    assert s.meta["rest_frame_velocity"].tolist() == [3.4]


def galah6(make, names=("normalized", "relative_error", "sky")):
    cards = {"CRVAL1": 4714.06, "CDELT1": 0.0459, "CRPIX1": 1.0}
    values = {"normalized": 0.95, "relative_error": 0.045, "sky": 12.0}
    images = [make.image(np.full(N, values[n]), n, **cards) for n in names]
    first = make.primary(np.full(N, 600.0), INSTRUME="HERMES-2dF", RVCOM=-18.7, **cards)
    return fits.HDUList([first, *images])


@pytest.mark.parametrize("name", [None, "GALAH"])
def test_galah_of_pipeline_6_takes_the_errors_that_are_named_so(make, write, name):
    s = read_spectra(write(galah6(make)), format=name)
    np.testing.assert_allclose(s.flux / s.std, 1 / 0.045)
    assert s.meta["rv"].tolist() == [-18.7]


def test_galah_asked_for_refuses_what_is_named_otherwise(make, write):
    path = write(galah6(make, ("normalized", "sky")))
    with pytest.raises(SpectrumFileError, match=r"named for relative errors.*got 'NORMALIZED'"):
        read_spectra(path, format="GALAH")


def test_spspec_counts_pixels_from_0(make, write):
    path = write(moving("spSpec", make, 0.0))
    for name in (None, "spSpec", "SDSS-I/II spSpec"):
        s = read_spectra(path, format=name)
        np.testing.assert_allclose(s.wavelength.value[0], 5000, rtol=1e-9)
        np.testing.assert_allclose(s.std, 0.01, rtol=1e-6)


@pytest.mark.parametrize("arm", ["b", "R"])
@pytest.mark.parametrize("layout", ["a row per pixel", "one row"])
def test_lamost_of_medium_resolution_asks_for_an_arm(make, write, arm, layout):
    def part(first, name):
        axis = {"LOGLAM": np.log10(first) + 1e-5 * np.arange(N)}
        if layout == "one row":
            axis = {"WAVELENGTH": first * 10 ** (1e-5 * np.arange(N))}
        columns = {"FLUX": FLUX, "IVAR": np.full(N, 4.0), **axis, "ANDMASK": BAD, "ORMASK": BAD}
        rows = {n: c[None] for n, c in columns.items()} if layout == "one row" else columns
        return make.table(name, **rows)

    first = make.primary(TELESCOP="LAMOST", OBSID=7, HELIO_RV=-11.0)
    path = write(fits.HDUList([first, part(4950, "COADD_B"), part(6300, "COADD_R")]))
    with pytest.raises(SpectrumFileError, match="pass arm='b' or arm='r'"):
        read_spectra(path)
    s = read_spectra(path, arm=arm)
    np.testing.assert_allclose(s.wavelength.value[0], {"b": 4950, "R": 6300}[arm])
    assert np.flatnonzero(s.mask[0]).tolist() == [3]
    assert np.isnan(s.meta["rv"]).all()


def test_desi_without_a_mask_is_read_and_said(make, write):
    with pytest.warns(FileAssumptionWarning, match="has no B_MASK"):
        s = read_spectra(write(make.without(make.desi("B"), 5)))
    assert not s.mask.any()


def test_desi_coadds_of_coadds_have_another_map(make, write):
    hdul = make.desi("B")
    hdul[1].name = "COADD_FIBERMAP"
    assert read_spectra(write(hdul)).meta["id"] == ["11", "22", "33"]
