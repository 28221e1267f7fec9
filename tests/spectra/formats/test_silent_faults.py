"""What used to come out wrong without a word: errors, masks, axes, velocities, media and names."""

import astropy.units as u
import numpy as np
import pytest
from astropy.io import fits
from astropy.table import Table

from spectragan import (
    SpectrumFileError,
    UnusedDataWarning,
    read_spectra,
)

N = 60
WAVE = 5000.0 + np.arange(N)
FLUX = np.linspace(1, 2, N)
ERROR = np.where(np.arange(N) == 3, 0, 0.01 * FLUX)
BAD = (np.arange(N) == 3).astype(np.int32)


def in_file(header=(), primary=(), name=None, **columns):
    """Return a table with wavelengths, flux and other columns; values of the header by card."""
    hdu = fits.BinTableHDU(Table({"WAVE": WAVE, "FLUX": FLUX, **columns}), name=name)
    hdu.header["TUNIT1"] = "Angstrom"
    hdu.header.update(dict(header))
    first = fits.PrimaryHDU()
    first.header.update(dict(primary))
    return fits.HDUList([first, hdu])


ERROR_NAMES = (
    *("ERR_FLUX", "STATERROR", "ERR_REDUCED", "SIGMA_FLUX", "FLUXERROR", "sig", "FLAM_SIG", "rms"),
    *("ENORM", "SIGMA_UP", "flux_std", "UNCERT", "dflux", "e_flux", "Flux_Uncertainty", "fluxsig"),
)


@pytest.mark.parametrize("name", ERROR_NAMES)
def test_errors_are_known_under_the_names_that_people_give_them(write, name):
    s = read_spectra(write(in_file(**{name: ERROR})))
    assert s.noise.tolist() == ["known"]
    np.testing.assert_allclose(s.std[0, 4:], ERROR[4:])
    assert np.flatnonzero(s.mask[0]).tolist() == [3]


@pytest.mark.parametrize(
    ("name", "values"), [("flux_invvar", 4.0), ("VARIANCE_FLUX", 0.25), ("STAT", 0.25)]
)
def test_variances_and_their_inverses_are_known(write, name, values):
    np.testing.assert_allclose(read_spectra(write(in_file(**{name: np.full(N, values)}))).std, 0.5)


@pytest.mark.parametrize("name", ["sky_err", "cont_sigma", "wave_err", "SYSERROR", "snr", "model"])
def test_errors_of_something_else_are_named_and_not_used(write, name):
    with pytest.warns(UnusedDataWarning, match=f"aren't used: '{name.lower()}'"):
        s = read_spectra(write(in_file(**{name: ERROR})))
    assert s.noise.tolist() == ["unknown"]


def test_ucd_and_utype_say_more_than_names(write):
    header = {"TUCD2": "phot.flux.density;em.wl;meta.main", "TUCD3": "stat.error;phot.flux.density"}
    header |= {"TUCD4": "meta.code.qual", "TUCD5": "phot.flux.density;em.wl;spect.continuum"}
    columns = {"X": np.full(N, 0.1), "Y": BAD, "FLUXES": FLUX * 9}
    with pytest.warns(UnusedDataWarning, match="'fluxes'"):
        s = read_spectra(write(in_file(header, **columns)))
    np.testing.assert_allclose(s.flux[0], FLUX)
    np.testing.assert_allclose(s.std[0, 4:], 0.1)
    assert np.flatnonzero(s.mask[0]).tolist() == [3]


def test_of_several_errors_those_of_the_flux_are_taken(write):
    columns = {"ERR_TELL": np.full(N, 9.0), "ERR_FLUX": np.full(N, 0.1)}
    with pytest.warns(UnusedDataWarning, match="'err_tell'"):
        np.testing.assert_allclose(read_spectra(write(in_file(**columns))).std, 0.1)


def test_errors_without_a_single_number_are_none(write):
    s = read_spectra(write(in_file(ERR=np.full(N, np.nan))))
    assert s.noise.tolist() == ["unknown"]
    assert not s.mask.any()


@pytest.mark.parametrize("version", [1, 2])
def test_errors_of_the_version_of_the_flux_are_taken(make, write, version):
    """HST writes ERR,1 and ERR,2 for two extractions."""
    hdul = make.one_d()
    hdul[0] = fits.PrimaryHDU()
    cards = {
        "CRVAL1": 5000.0,
        "CDELT1": 1.0,
        "CRPIX1": 1.0,
        "CUNIT1": "Angstrom",
        "EXTVER": version,
    }
    hdul.append(make.image(make.FLUX[0], "SCI", **cards))
    hdul += [make.image(np.full(make.N, 0.1 * v, "f4"), "ERR", EXTVER=v) for v in (1, 2)]
    with pytest.warns(UnusedDataWarning, match="err'"):
        s = read_spectra(write(hdul))
    np.testing.assert_allclose(s.std, 0.1 * version, rtol=1e-6)


def test_images_without_a_name_are_named_by_number_and_can_be_chosen(make, write):
    path = write(fits.HDUList([*make.one_d(), make.image(make.ERROR[0])]))
    with pytest.warns(UnusedDataWarning, match="'hdu 1'"):
        assert read_spectra(path).noise.tolist() == ["unknown"]
    s = read_spectra(path, columns={"flux": 0, "error": 1})
    np.testing.assert_allclose(s.std[0], make.ERROR[0], rtol=1e-6)


def test_stat_of_mpdaf_is_a_variance(make, write):
    unit = "10**(-20)*erg/s/cm**2/Angstrom"
    cards = {
        "CRVAL1": 4750.0,
        "CDELT1": 1.25,
        "CRPIX1": 1.0,
        "CTYPE1": "AWAV",
        "CUNIT1": "Angstrom",
    }
    hdus = [
        make.image(make.FLUX[0], "DATA", BUNIT=unit, **cards),
        make.image(np.full(make.N, 0.04), "STAT", BUNIT=f"({unit})**2", **cards),
        make.image((np.arange(make.N) == 3).astype("i2"), "DQ", **cards),
    ]
    s = read_spectra(write(fits.HDUList([fits.PrimaryHDU(), *hdus])))
    np.testing.assert_allclose(s.std[0, 4:], 0.2)
    assert np.flatnonzero(s.mask[0]).tolist() == [3]
    assert s.medium == "air"


MASK_NAMES = ("QUAL", "quality", "FLAGS", "flag", "PIXMASK", "AND_MASK", "MASKBITS", "BPM", "DQ")


@pytest.mark.parametrize("name", [*MASK_NAMES, "bad_pixels", "flux_flag"])
def test_masks_are_known_under_the_names_that_people_give_them(write, name):
    s = read_spectra(write(in_file(ERR=np.full(N, 0.1), **{name: BAD})))
    assert np.flatnonzero(s.mask[0]).tolist() == [3]


@pytest.mark.parametrize("name", ["good", "is_good", "goodpixels", "valid"])
def test_a_mask_that_is_called_good_marks_good_pixels(write, name):
    s = read_spectra(write(in_file(**{name: 1 - BAD})))
    assert np.flatnonzero(s.mask[0]).tolist() == [3]


def test_a_comment_says_that_one_is_good(write):
    """As CALSPEC writes it: DATAQUAL / Data quality: 1=good, 0=bad."""
    hdul = in_file(Q_FLAG=1 - BAD)
    hdul[1].header.comments["TTYPE3"] = "Data quality: 1=good, 0=bad"
    assert np.flatnonzero(read_spectra(write(hdul)).mask[0]).tolist() == [3]


@pytest.mark.parametrize("ivar", [np.full(N, 4.0), np.where(BAD, 0, 4.0)])
def test_a_mask_that_condemns_most_pixels_is_a_question(write, ivar):
    path = write(in_file(IVAR=ivar, MASK=1 - BAD))
    with pytest.raises(SpectrumFileError, match="pass mask='good' if it marks good ones"):
        read_spectra(path)
    assert np.flatnonzero(read_spectra(path, mask="good").mask[0]).tolist() == [3]
    ignored = read_spectra(path, mask="ignore")
    assert np.array_equal(ignored.mask[0], ivar == 0)
    if ivar[3]:
        assert np.flatnonzero(~read_spectra(path, mask="bad").mask[0]).tolist() == [3]


@pytest.mark.parametrize("fluxed", [None, True, False])
def test_onespec_of_pypeit_says_that_one_is_good(write, fluxed):
    columns = {"wave": WAVE, "flux": FLUX, "ivar": np.full(N, 4.0), "mask": 1 - BAD}
    hdu = fits.BinTableHDU(Table(columns), name="SPECTRUM")
    hdu.header["DMODCLS"] = "OneSpec"
    if fluxed is not None:
        hdu.header["FLUXED"] = fluxed
    first = fits.PrimaryHDU()
    first.header.update({"PYP_CLS": "OneSpec", "TARGET": "J1"})
    s = read_spectra(write(fits.HDUList([first, hdu])))
    assert np.flatnonzero(s.mask[0]).tolist() == [3]
    assert s.medium == "vacuum"
    assert s.meta["id"] == ["J1"]
    assert str(s.unit) == {None: "", True: "1e-17 erg / (Angstrom s cm2)", False: "ct"}[fluxed]


def test_null_of_a_column_of_integers_is_no_flux(tmp_path):
    counts = np.ma.array(np.full(N, 100, "i4"), mask=BAD.astype(bool))
    table = Table({"wavelength": WAVE * u.AA, "flux": counts}, masked=True)
    table.write(tmp_path / "a.fits")
    with pytest.warns(match="1 pixels of flux"):
        s = read_spectra(tmp_path / "a.fits")
    assert np.flatnonzero(s.mask[0]).tolist() == [3]


STAR_NAMES = ("MANGAID", "SDSS_ID", "OBJID", "APOGEE_ID", "sobject_id", "star", "obsid", "ID")


@pytest.mark.parametrize("name", [*STAR_NAMES, "designation", "gaia_source_id", "OBJECT"])
def test_names_of_stars_follow_their_rows(write, name):
    columns = {name: ["star a", "star b"], "WAVE": np.stack([WAVE] * 2), "FLUX": np.ones((2, N))}
    hdu = fits.BinTableHDU(Table(columns))
    hdu.header["TUNIT2"] = "Angstrom"
    s = read_spectra(write(fits.HDUList([fits.PrimaryHDU(), hdu])))
    assert s.meta["id"] == ["star a", "star b"]


@pytest.mark.parametrize("card", ["OBJECT", "TARGNAME", "MANGAID", "OBJNAME", "OBJID"])
@pytest.mark.parametrize("place", ["header", "primary"])
def test_the_name_of_a_star_may_be_in_the_header_of_its_table(write, card, place):
    hdul = in_file(**{place: {card: "HD 1"}})
    assert read_spectra(write(hdul)).meta["id"] == ["HD 1"]


def test_a_table_of_ones_own_is_not_taken_for_sdss(write):
    table = Table({"loglam": np.log10(WAVE), "flux": FLUX, "ivar": np.full(N, 4.0), "mask": BAD})
    hdu = fits.BinTableHDU(table)
    hdu.header["TUNIT2"] = "ct"
    s = read_spectra(write(fits.HDUList([fits.PrimaryHDU(), hdu])))
    assert np.flatnonzero(s.mask[0]).tolist() == [3]
    assert (s.unit, s.medium, s.meta["format"]) == (u.count, None, ["FITS"])


LOG_AXES = {
    "DC-FLAG as text": {"DC-FLAG": "1", "CTYPE1": "LINEAR"},
    "WAVE-LOG": {"CTYPE1": "WAVE-LOG"},
    "LOGLIN": {"CTYPE1": "LOGLIN"},
    "unit without base": {"CUNIT1": "log(Angstrom)"},
}


@pytest.mark.parametrize("cards", LOG_AXES.values(), ids=LOG_AXES)
def test_log10_axes_are_undone(make, write, cards):
    s = read_spectra(write(make.one_d(**{"CRVAL1": 3.6, "CDELT1": 1e-4, **cards})))
    np.testing.assert_allclose(s.wavelength.value, 10**make.LOGLAM)


@pytest.mark.parametrize(
    "cards",
    [{"CTYPE1": "AWAV-LOG"}, {"CTYPE1": "WAVE-LOG"}, {"CUNIT1": "ln(Angstrom)"}],
)
def test_natural_logarithms_are_undone(make, write, cards):
    s = read_spectra(write(make.one_d(**{"CRVAL1": 8.0, "CDELT1": 1e-5, **cards})))
    np.testing.assert_allclose(s.wavelength.value, np.exp(8 + 1e-5 * np.arange(make.N)))


@pytest.mark.parametrize("first", [3.6, 8.0])
@pytest.mark.parametrize("ctype", ["WAVE", "LINEAR", ""])
def test_an_axis_that_no_star_is_seen_at_is_refused(make, write, first, ctype):
    path = write(make.one_d(CRVAL1=first, CDELT1=1e-4, CTYPE1=ctype))
    with pytest.raises(SpectrumFileError, match="look like logarithms; pass wavelength_unit"):
        read_spectra(path)
    if first == 3.6:
        s = read_spectra(path, wavelength_unit="log10(Angstrom)")
        np.testing.assert_allclose(s.wavelength.value, 10**make.LOGLAM)


def test_a_column_of_logarithms_may_be_natural(write):
    hdul = fits.HDUList(
        [fits.PrimaryHDU(), fits.BinTableHDU(Table({"ln_lambda": np.log(WAVE), "flux": FLUX}))]
    )
    np.testing.assert_allclose(read_spectra(write(hdul)).wavelength.value, WAVE)


def test_wavelengths_in_air_below_2000_angstrom_are_refused(make, write):
    path = write(make.one_d(CRVAL1=1500.0, CTYPE1="AWAV"))
    with pytest.raises(SpectrumFileError, match="in air must be at least 2000 Angstrom"):
        read_spectra(path)


def test_x_rays_of_a_wide_range_are_no_logarithms(make, write):
    s = read_spectra(write(make.one_d(CRVAL1=5.0, CDELT1=0.5)))
    assert s.wavelength.value[0] == 5


@pytest.mark.parametrize(
    ("header", "medium"),
    [
        ({"TUCD1": "em.wl;obs.atmos", "VOCLASS": "SPECTRUM V1.0"}, "air"),
        ({"TUCD1": "em.wl", "VOCLASS": "SPECTRUM V1.0"}, "vacuum"),
        ({"TUCD1": "em.wl"}, None),
        ({"VACUUM": False}, "air"),
        ({"VACUUM": "T"}, "vacuum"),
    ],
)
def test_the_medium_is_what_the_table_says(write, header, medium):
    path = write(in_file(header))
    assert read_spectra(path).medium == medium
    if medium is not None:
        other = {"air": "vacuum", "vacuum": "air"}[medium]
        with pytest.raises(SpectrumFileError, match="must be what the file says"):
            read_spectra(path, medium=other)


@pytest.mark.parametrize(("name", "medium"), [("wave_air", "air"), ("wave_vac", "vacuum")])
def test_the_medium_may_be_in_the_name_of_the_column(tmp_path, name, medium):
    Table({name: WAVE * u.AA, "flux": FLUX}).write(tmp_path / "a.fits")
    assert read_spectra(tmp_path / "a.fits").medium == medium


def test_of_two_columns_of_wavelengths_one_in_air_the_other_is_vacuum(write):
    with pytest.warns(UnusedDataWarning, match="'wave_air'"):
        assert read_spectra(write(in_file(WAVE_AIR=WAVE - 1.4))).medium == "vacuum"
