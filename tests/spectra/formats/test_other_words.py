"""Other words for the same errors, masks, media, logarithms and units."""

import astropy.units as u
import numpy as np
import pytest
from astropy.io import fits
from astropy.table import Column, Table

from spectragan import (
    FileAssumptionWarning,
    SpectrumFileError,
    UnusedDataWarning,
    read_spectra,
)

N = 60
WAVE = 5000.0 + np.arange(N)
RNG = np.random.default_rng(0)
FLUX, ERROR = RNG.uniform(1, 2, N), RNG.uniform(0.01, 0.02, N)
BAD = (np.arange(N) == 3).astype(np.int32)
TRUE_LOG, TRUE_LN = 10 ** (3.6 + 1e-4 * np.arange(N)), np.exp(8.3 + 1e-4 * np.arange(N))
FLAM = "erg / (s cm2 Angstrom)"


def in_table(header=(), **columns) -> fits.HDUList:
    hdu = fits.BinTableHDU(Table({"WAVE": WAVE, "FLUX": FLUX, **columns}))
    hdu.header.update({"TUNIT1": "Angstrom", **dict(header)})
    return fits.HDUList([fits.PrimaryHDU(), hdu])


def of_columns(unit=None, **columns) -> fits.HDUList:
    """Return a table whose first column is in a unit."""
    hdu = fits.BinTableHDU(Table(columns))
    hdu.header.update({} if unit is None else {"TUNIT1": unit})
    return fits.HDUList([fits.PrimaryHDU(), hdu])


def masked_pixels(s) -> list[int]:
    return np.flatnonzero(s.mask[0]).tolist()


ERRORS = {
    **dict.fromkeys(("FLUX_E", "fluxe", "sd", "FLUX_SD", "eflx", "NOISE_SPEC", "1sigma"), ERROR),
    **dict.fromkeys(("ferr", "E_F", "delta_flux", "FLUX_ERROR_STAT", "NORM_ERR"), ERROR),
    **dict.fromkeys(("IVAR1", "fluxivar", "INV_VARIANCE", "w_ivar"), ERROR**-2),
    **dict.fromkeys(("fluxvar", "variance_1", "VARIANCE_SPEC"), ERROR**2),
    **dict.fromkeys(("REL_ERR", "relative_error", "frac_err", "flux_relerr"), ERROR / FLUX),
    **dict.fromkeys(("err_percent", "PCT_ERR"), 100 * ERROR / FLUX),
}


@pytest.mark.parametrize("name", ERRORS)
def test_errors_variances_and_fractions_of_the_flux_are_read_as_what_they_are(write, name):
    s = read_spectra(write(in_table(**{name: ERRORS[name]})))
    assert s.noise.tolist() == ["known"]
    np.testing.assert_allclose(s.std[0], ERROR)


def test_errors_in_per_cent_are_of_the_flux(write):
    s = read_spectra(write(in_table({"TUNIT3": "%"}, ERR=100 * ERROR / FLUX)))
    np.testing.assert_allclose(s.std[0], ERROR)


@pytest.mark.parametrize("name", ["log_err", "LOGERR", "SNR_ERR", "weights", "sn_pix"])
def test_what_is_no_error_of_the_flux_is_named(write, name):
    with pytest.warns(UnusedDataWarning, match=name.lower()):
        assert read_spectra(write(in_table(**{name: ERROR}))).noise.tolist() == ["unknown"]


@pytest.mark.parametrize("name", ["log_flux", "LOGFLUX", "flux_log", "ln_flux", "mag_flux"])
def test_flux_in_logarithms_is_no_flux(write, name):
    path = write(of_columns("Angstrom", WAVE=WAVE, **{name: np.log10(FLUX)}))
    with pytest.raises(SpectrumFileError, match="must have columns such as"):
        read_spectra(path)


@pytest.mark.parametrize("unit", ["mag", "mag(AB)", "dex", "dex(ct)"])
def test_flux_in_magnitudes_is_refused(write, unit):
    with pytest.raises(SpectrumFileError, match="its flux must be linear; got"):
        read_spectra(write(in_table({"TUNIT2": unit})))


@pytest.mark.parametrize("name", ["GPM", "ok", "is_ok", "USE", "used", "GOOD_PIX", "mask_valid"])
def test_masks_that_are_named_for_good_pixels_mark_them(write, name):
    assert masked_pixels(read_spectra(write(in_table(ERR=ERROR, **{name: 1 - BAD})))) == [3]


@pytest.mark.parametrize("name", ["DQF", "REJECT", "cosmic", "outliers", "PIX_FLAG", "saturated"])
def test_masks_that_are_named_for_what_is_bad_mark_it(write, name):
    assert masked_pixels(read_spectra(write(in_table(ERR=ERROR, **{name: BAD})))) == [3]


SAYS_GOOD = (
    *("Data quality: 1=good, 0=bad", "good pixel mask", "0=bad", "(0 = bad)", "good = 1"),
    *("1 for good", "1 - good", "True=good", "nonzero is good", "valid=1", "good pixels are 1"),
    *("0: bad, 1: good", "0 is bad"),
)


@pytest.mark.parametrize("comment", SAYS_GOOD)
@pytest.mark.parametrize("n_bad", [1, 35])
def test_comments_say_in_many_ways_that_one_is_good(write, comment, n_bad):
    """Also where so many pixels are bad that nothing looks strange."""
    bad = np.arange(N) < n_bad
    for card in ("TTYPE4", "TCOMM4"):
        hdul = in_table(ERR=ERROR, MASK=(~bad).astype("i4"))
        if card == "TTYPE4":
            hdul[1].header.comments[card] = comment
        else:
            hdul[1].header[card] = comment
        assert np.array_equal(read_spectra(write(hdul, f"{card}.fits")).mask[0], bad)


@pytest.mark.parametrize("comment", ["bad pixel mask", "1=bad", "0 = good", "0 is good, else bad"])
def test_comments_that_zero_is_good_change_nothing(write, comment):
    hdul = in_table(ERR=ERROR, MASK=BAD)
    hdul[1].header.comments["TTYPE4"] = comment
    assert masked_pixels(read_spectra(write(hdul))) == [3]


@pytest.mark.parametrize("fill", [0.0, np.nan])
def test_a_mask_that_leaves_only_fill_is_a_question(write, fill):
    """Less than half of the pixels are good, so that fewer are condemned than are left."""
    good = np.arange(N) < 24
    path = write(of_columns("Angstrom", WAVE=WAVE, FLUX=np.where(good, FLUX, fill), MASK=good))
    with pytest.raises(SpectrumFileError, match="pass mask='good'"):
        read_spectra(path)


def test_a_mask_of_many_pixels_is_said(write):
    path = write(in_table(ERR=ERROR, MASK=(np.arange(N) < 20).astype("i4")))
    with pytest.warns(FileAssumptionWarning, match="20 of 60 pixels with flux are bad"):
        read_spectra(path)
    assert masked_pixels(read_spectra(path, mask="bad")) == list(range(20))


@pytest.mark.parametrize("width", [1, 8])
def test_a_mask_may_be_of_bits(write, width):
    bits = np.zeros((N, width), bool)
    bits[3, -1] = True
    columns = [
        fits.Column("WAVE", "D", array=WAVE, unit="Angstrom"),
        fits.Column("FLUX", "D", array=FLUX),
        fits.Column("MASK", f"{width}X", array=bits),
    ]
    hdul = fits.HDUList([fits.PrimaryHDU(), fits.BinTableHDU.from_columns(columns)])
    assert masked_pixels(read_spectra(write(hdul))) == [3]


def test_a_mask_in_text_may_be_of_words(write):
    rows = [f"{w},{f},{bool(b)}" for w, f, b in zip(WAVE, FLUX, BAD, strict=True)]
    path = write("\n".join(["wavelength [AA],flux,mask", *rows]), "a.csv")
    assert masked_pixels(read_spectra(path)) == [3]


MEDIA = {
    "MEDIUM": {"air": "air", "Vacuum": "vacuum"},
    "WAVEMED": {"VACUUM": "vacuum"},
    "AIRVAC": {"vac": "vacuum"},
    "WAVETYPE": {"vacuum": "vacuum"},
    "WAVEREF": {"AIR": "air"},
    "LAMTYPE": {"in air": "air"},
    "REFFRAME": {"vac": "vacuum"},
    "WCSNAME": {"air wavelength": "air"},
    "VACUUM": {"yes": "vacuum", "vacuum": "vacuum", 0: "air", 1: "vacuum"},
    "AIR": {True: "air"},
    "INAIR": {"T": "air", "F": "vacuum"},
    "AIRWAVE": {True: "air"},
    "VACWAVE": {True: "vacuum"},
    "WAVEVAC": {True: "vacuum"},
    "VACCORR": {True: "vacuum"},
    "AIR2VAC": {True: "vacuum"},
    "VAC2AIR": {True: "air"},
    "AIRMASS": {1.2: None},
    "VACPRES": {1e-6: None},
    "ENVIRON": {"vacuum tank": None},
}


@pytest.mark.parametrize("kind", ["image", "table"])
@pytest.mark.parametrize("card", MEDIA)
def test_the_medium_is_said_by_many_cards(make, write, card, kind):
    for i, (value, medium) in enumerate(MEDIA[card].items()):
        header = {card: value}
        hdul = make.one_d(**header) if kind == "image" else in_table(header)
        path = write(hdul, f"{i}.fits")
        assert read_spectra(path).medium == medium
        if medium is not None:
            with pytest.raises(SpectrumFileError, match="must be what the file says"):
                read_spectra(path, medium={"air": "vacuum", "vacuum": "air"}[medium])


SAYS_MEDIUM = {
    "vacuum wavelength": "vacuum",
    "wavelength in air": "air",
    "Wavelength (air)": "air",
    "[Angstrom] vacuum": "vacuum",
    "airmass was 1.2": None,
}


@pytest.mark.parametrize("comment", SAYS_MEDIUM)
def test_the_medium_is_said_by_comments(tmp_path, make, write, comment):
    hdul = make.one_d()
    hdul[0].header.comments["CRVAL1"] = comment
    table = in_table()
    table[1].header.comments["TTYPE1"] = comment
    for i, content in enumerate((hdul, table, in_table({"TCOMM1": comment}))):
        assert read_spectra(write(content, f"{i}.fits")).medium == SAYS_MEDIUM[comment]
    wave = Column(WAVE, unit="AA", description=comment)
    Table({"wavelength": wave, "flux": FLUX}).write(tmp_path / "a.ecsv")
    assert read_spectra(tmp_path / "a.ecsv").medium == SAYS_MEDIUM[comment]


@pytest.mark.parametrize(
    ("name", "medium"),
    [
        *(("LAMBDA_AIR", "air"), ("AIRWAVE", "air"), ("air_wavelength", "air"), ("awav", "air")),
        *(("VACWAVE", "vacuum"), ("vacuum_wavelength", "vacuum"), ("wl_vac", "vacuum")),
    ],
)
def test_the_medium_is_said_by_other_names_of_columns(write, name, medium):
    assert read_spectra(write(of_columns("Angstrom", **{name: WAVE}, FLUX=FLUX))).medium == medium


@pytest.mark.parametrize("unit", ["Angstrom (vacuum)", "AA; vacuum", "Angstrom in vacuum"])
def test_the_medium_is_said_beside_the_unit(write, unit):
    rows = [f"{w},{f}" for w, f in zip(WAVE, FLUX, strict=True)]
    s = read_spectra(write("\n".join([f"wavelength [{unit}],flux", *rows]), "a.csv"))
    assert (s.medium, s.wavelength.value[0]) == ("vacuum", 5000)


@pytest.mark.parametrize(
    ("ucd", "medium"),
    [
        ("em.wl;meta.main", "vacuum"),
        ("em.wl;obs.atmos;meta.main", "air"),
        ("EM.WL;OBS.ATMOS", "air"),
    ],
)
def test_the_medium_is_said_by_every_ucd_of_phase_3(write, ucd, medium):
    path = write(in_table({"TUCD1": ucd, "VOCLASS": "SPECTRUM V2.0"}))
    assert read_spectra(path).medium == medium


LOG_UNITS = ("LogAngstrom", "log_10(A)", "lg(A)", "log(lambda/Angstrom)", "logA", "LOG10 ANGSTROM")


@pytest.mark.parametrize("unit", LOG_UNITS)
def test_units_of_logarithms_are_read_as_people_write_them(make, write, unit):
    s = read_spectra(write(make.one_d(CRVAL1=3.6, CDELT1=1e-4, CUNIT1=unit)))
    np.testing.assert_allclose(s.wavelength.value, 10**make.LOGLAM)


@pytest.mark.parametrize("cards", [{"CUNIT1": "log_e(Angstrom)"}, {"CTYPE1": "LNLAM"}])
def test_natural_logarithms_have_other_names(make, write, cards):
    s = read_spectra(write(make.one_d(CRVAL1=8.3, CDELT1=1e-4, **cards)))
    np.testing.assert_allclose(s.wavelength.value, TRUE_LN[: make.N])


LOG_COLUMNS = ("log10lam", "lg_wave", "LOGWL", "log_wl", "loglam_vac", "wave_log", "logw", "LGLAM")


@pytest.mark.parametrize("name", [*LOG_COLUMNS, "lnwave", "LN_LAM", "loge_lambda"])
def test_columns_of_logarithms_have_other_names(write, name):
    is_natural = name.lower().startswith(("ln", "loge"))
    truth, log = (TRUE_LN, np.log) if is_natural else (TRUE_LOG, np.log10)
    s = read_spectra(write(of_columns(**{name: log(truth)}, FLUX=FLUX)))
    np.testing.assert_allclose(s.wavelength.value, truth)


@pytest.mark.parametrize("name", ["LOGLAM", "LOG_LAMBDA", "LNLAM"])
def test_image_hdus_of_logarithms_are_undone(make, write, name):
    log = np.log(TRUE_LOG) if name == "LNLAM" else np.log10(TRUE_LOG)
    path = write(fits.HDUList([fits.PrimaryHDU(), make.image(FLUX, "FLUX"), make.image(log, name)]))
    np.testing.assert_allclose(read_spectra(path).wavelength.value, TRUE_LOG)


WRONG_BASES = {
    "ln under DC-FLAG": {"CRVAL1": 8.3, "CDELT1": 1e-4, "DC-FLAG": 1},
    "ln called log10": {"CRVAL1": 8.3, "CDELT1": 1e-4, "CUNIT1": "log10(Angstrom)"},
    "log10 called ln": {"CRVAL1": 3.6, "CDELT1": 1e-4, "CUNIT1": "ln(Angstrom)"},
    "ln of nm": {"CRVAL1": 6.0, "CDELT1": 1e-4, "CUNIT1": "nm"},
    "ln of nm, wide steps": {"CRVAL1": 6.0, "CDELT1": 1e-3, "CUNIT1": "nm"},
    "log10 of nm": {"CRVAL1": 2.6, "CDELT1": 1e-4, "CUNIT1": "nm"},
}


@pytest.mark.parametrize("cards", WRONG_BASES.values(), ids=WRONG_BASES)
def test_logarithms_of_another_base_or_unit_are_refused(make, write, cards):
    with pytest.raises(SpectrumFileError, match="logarithms"):
        read_spectra(write(make.one_d(**cards)))


@pytest.mark.parametrize("values", [np.log(TRUE_LN), np.log10(TRUE_LOG / 10)])
def test_a_column_called_loglam_of_another_base_or_unit_is_refused(write, values):
    with pytest.raises(SpectrumFileError, match=r"its logarithms \(log10\) must be of wavelengths"):
        read_spectra(write(of_columns(loglam=values, FLUX=FLUX)))


@pytest.mark.parametrize("cards", [{"CRVAL1": 0.5, "CDELT1": 1e-4}, {"CUNIT1": "um"}])
def test_wavelengths_labelled_with_a_wrong_unit_are_refused(make, write, cards):
    """Micrometres called Angstrom, Angstrom called micrometres."""
    with pytest.raises(SpectrumFileError, match="must be possible ones; got"):
        read_spectra(write(make.one_d(**cards)))


FLUX_UNITS = {
    "MJy": "MJy",
    "mJy": "mJy",
    "JY": "Jy",
    "mW/m2/nm": "mW / (m2 nm)",
    "MW/m2/nm": "MW / (m2 nm)",
    "photons/s/cm2/A": "photon / (s cm2 Angstrom)",
    "[erg/s/cm2/A]": FLAM,
    "ERG/CM2/S/A": FLAM,
    "erg s^-1 cm^-2 A^-1": FLAM,
    "1E-17 ERG/S/CM2/ANGSTROM": f"1e-17 {FLAM}",
    "e-/s": "electron / s",
    "rel. flux": "",
}


@pytest.mark.parametrize("said", FLUX_UNITS)
def test_units_of_flux_keep_their_size(make, write, said):
    assert read_spectra(write(make.one_d(BUNIT=said))).unit == u.Unit(FLUX_UNITS[said])


WAVE_UNITS = {
    "[Angstrom]": 1,
    "(nm)": 0.1,
    "Angstr.": 1,
    "0.1nm": 1,
    "nm (air)": 0.1,
    "MICRONS": 1e-4,
}
PER_LENGTH = {"GHZ": 2.99792458e9, "KEV": 12.39841984, "EV": 12398.41984, "CM-1": 1e8}


@pytest.mark.parametrize("unit", [*WAVE_UNITS, *PER_LENGTH])
def test_units_of_wavelengths_are_read_as_people_write_them(write, unit):
    axis = WAVE * WAVE_UNITS[unit] if unit in WAVE_UNITS else PER_LENGTH[unit] / WAVE
    s = read_spectra(write(of_columns(unit, WAVE=axis, FLUX=FLUX)))
    np.testing.assert_allclose(s.wavelength.value, WAVE, rtol=1e-7)
    np.testing.assert_allclose(s.flux[0], FLUX)
