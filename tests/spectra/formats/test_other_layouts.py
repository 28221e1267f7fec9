"""Other layouts of the same kind: standards that say a role, stacks, rows, look-alikes, pixels."""

import astropy.units as u
import numpy as np
import pytest
from astropy.io import fits
from astropy.table import Table

from spectragan import (
    FileAssumptionWarning,
    NaNFluxWarning,
    SpectrumFileError,
    UnusedDataWarning,
    read_spectra,
)

N = 60
WAVE = 5000.0 + np.arange(N)
RNG = np.random.default_rng(0)
FLUX, ERROR = RNG.uniform(1, 2, N), RNG.uniform(0.01, 0.02, N)
BAD = (np.arange(N) == 3).astype(np.int32)
STACK = FLUX * [[1], [2], [3]]
AXIS = {"CRVAL1": 5000.0, "CDELT1": 1.0, "CRPIX1": 1.0, "CUNIT1": "Angstrom"}


def table(header=(), name=None, **columns):
    hdu = fits.BinTableHDU(Table(columns), name=name)
    hdu.header.update(dict(header))
    return hdu


def hdus(*rest) -> fits.HDUList:
    return fits.HDUList([fits.PrimaryHDU(), *rest])


def masked_pixels(s) -> list[int]:
    return np.flatnonzero(s.mask[0]).tolist()


ESO_ERRORS = {"MSE": ERROR**2, "RMSE": ERROR, "INVMSE": ERROR**-2, "INVRMSE": 1 / ERROR}


@pytest.mark.parametrize("kind", ESO_ERRORS)
@pytest.mark.parametrize("name", ["STAT", "ERRDATA"])
def test_errors_are_what_the_standard_of_eso_says(make, write, kind, name):
    """HDUCLAS3 says whether an HDU holds errors, variances or their inverses; names mislead."""
    words = {"HDUCLASS": "ESO", "HDUCLAS2": "ERROR", "HDUCLAS3": kind}
    flux = make.image(FLUX, "DATA", HDUCLASS="ESO", HDUCLAS2="DATA", **AXIS)
    mask = make.image(BAD, "DQ", HDUCLASS="ESO", HDUCLAS2="QUALITY", HDUCLAS3="FLAG32BIT")
    s = read_spectra(write(hdus(flux, make.image(ESO_ERRORS[kind], name, **words), mask)))
    np.testing.assert_allclose(s.std[0, 4:], ERROR[4:])
    assert masked_pixels(s) == [3]


@pytest.mark.parametrize(
    ("utype", "values"),
    [
        ("VarianceUncertainty", ERROR**2),
        ("StdDevUncertainty", ERROR),
        ("InverseVariance", ERROR**-2),
    ],
)
def test_uncertainties_of_nddata_say_their_class(make, write, utype, values):
    """As CCDData.write has it: HDUs UNCERT and MASK, and the class in UTYPE."""
    hdul = fits.HDUList([make.primary(FLUX, **AXIS), make.image(values, "UNCERT", UTYPE=utype)])
    np.testing.assert_allclose(read_spectra(write(hdul)).std[0], ERROR)


def test_a_mask_by_which_one_is_good_is_asked_about(make, write):
    words = {"HDUCLAS2": "QUALITY", "HDUCLAS3": "MASKONE"}
    path = write(hdus(make.image(FLUX, "DATA", **AXIS), make.image(1 - BAD, "DQ", **words)))
    with pytest.raises(SpectrumFileError, match="pass mask='good'"):
        read_spectra(path)
    assert masked_pixels(read_spectra(path, mask="good")) == [3]


def stack(make, *more) -> fits.HDUList:
    wave = make.image(WAVE, "WAVELENGTH", BUNIT="Angstrom")
    return hdus(make.image(STACK, "FLUX"), wave, *more)


def test_what_all_spectra_of_a_stack_share_counts_for_each(make, write):
    error, mask = make.image(ERROR, "ERR"), make.image(BAD, "MASK")
    s = read_spectra(write(stack(make, error, mask)))
    np.testing.assert_allclose(s.std[:, 4:], np.tile(ERROR[4:], (3, 1)))
    assert all(np.array_equal(row, BAD.astype(bool)) for row in s.mask)


def test_what_all_spectra_share_and_is_not_used_is_named(make, write):
    with pytest.warns(UnusedDataWarning, match="'sky'"):
        read_spectra(write(stack(make, make.image(ERROR, "SKY"))))


@pytest.mark.parametrize("column", ["CNAME", "source_id", "Star"])
def test_names_of_a_stack_are_in_the_table_beside_it(make, write, column):
    names = table(**{column: ["a", "b", "c"], "teff": [4.0, 5.0, 6.0]})
    assert read_spectra(write(stack(make, names))).meta["id"] == ["a", "b", "c"]


def test_a_stack_may_lie_across_wavelengths_that_are_given(write):
    path = write(fits.HDUList([fits.PrimaryHDU(STACK.T.copy())]))
    s = read_spectra(path, wavelength=WAVE * u.AA)
    np.testing.assert_allclose(s.flux, STACK)


def test_errors_that_only_some_rows_have_leave_the_others_unknown(write):
    errors = np.stack([ERROR, ERROR * np.nan, ERROR])
    columns = {"WAVE": np.tile(WAVE, (3, 1)), "FLUX": STACK, "ERR": errors}
    s = read_spectra(write(hdus(table({"TUNIT1": "Angstrom"}, **columns))))
    assert s.noise.tolist() == ["known", "unknown", "known"]
    assert not s.mask.any()
    np.testing.assert_allclose(s.std[0], ERROR)


def test_two_rows_of_which_one_may_be_errors_are_said(make, write):
    hdul = fits.HDUList([make.primary(np.stack([FLUX, ERROR]), CTYPE1="WAVE", **AXIS)])
    with pytest.warns(FileAssumptionWarning, match="the second may be errors of the first"):
        assert len(read_spectra(write(hdul))) == 2
    hdul[0].header["CTYPE2"] = "SPECTRUM"
    assert len(read_spectra(write(hdul, "b.fits"))) == 2


def test_rows_have_the_roles_that_the_caller_names(write):
    path = write(fits.HDUList([fits.PrimaryHDU(np.stack([WAVE, FLUX, ERROR**-2]))]))
    s = read_spectra(path, wavelength_unit="AA", columns=("wavelength", "flux", "ivar"))
    np.testing.assert_allclose(s.std[0], ERROR)


@pytest.mark.parametrize("first", [0, 1])
@pytest.mark.parametrize("n_columns", [2, 3])
def test_a_first_column_that_counts_pixels_is_no_wavelength(write, first, n_columns):
    columns = [np.arange(N) + first, WAVE, FLUX][-n_columns:]
    columns[0] = np.arange(N) + first
    rows = [" ".join(map(repr, map(float, row))) for row in zip(*columns, strict=True)]
    path = write("\n".join(rows), "a.txt")
    with pytest.raises(SpectrumFileError, match=f"its first column counts pixels from {first}"):
        read_spectra(path, wavelength_unit="AA")
    if n_columns == 3:
        with pytest.warns(UnusedDataWarning, match="column 1"):
            s = read_spectra(path, wavelength_unit="AA", columns=(None, "wavelength", "flux"))
        np.testing.assert_allclose(s.wavelength.value, WAVE)


@pytest.mark.parametrize("reference", [0, 0.0, 1, 2, -5, 30.5, 60, "0"])
def test_crval1_is_at_pixel_crpix1_counted_from_1(make, write, reference):
    """As FITS has it, also where CRPIX1 is 0: then the first pixel is one step further."""
    truth = 5000.0 + np.arange(make.N) + 1 - float(reference)
    s = read_spectra(write(make.one_d(CRPIX1=reference)))
    np.testing.assert_allclose(s.wavelength.value, truth)
    log = {"CRVAL1": 3.6, "CDELT1": 1e-4, "CTYPE1": "LOG-LINEAR", "CRPIX1": reference}
    s = read_spectra(write(make.one_d(**log), "log.fits"))
    truth = 10 ** (3.6 + 1e-4 * (np.arange(make.N) + 1 - float(reference)))
    np.testing.assert_allclose(s.wavelength.value, truth)


@pytest.mark.parametrize("maker", ["galah", "apstar"])
def test_surveys_count_from_crpix1_too(make, write, maker):
    hdul = getattr(make, maker)()
    key = 0 if maker == "galah" else 1
    before = read_spectra(write(hdul)).wavelength.value
    hdul[key].header["CRPIX1"] = 0.0
    after = read_spectra(write(hdul, "b.fits")).wavelength.value
    np.testing.assert_allclose(after[:-1], before[1:], rtol=1e-12)


def test_a_header_without_crpix1_is_taken_from_its_first_pixel_and_said(make, write):
    """The standard has 0 there, everybody means 1: one pixel, so it is said."""
    with pytest.warns(FileAssumptionWarning, match="it has no CRPIX1, and CRVAL1 is taken for"):
        s = read_spectra(write(make.one_d(CRPIX1=None)))
    assert s.wavelength.value[0] == 5000


@pytest.mark.parametrize("reference", [0.0, 5.0])
def test_coeff0_is_always_that_of_the_first_pixel(make, write, reference):
    cards = {"CRVAL1": None, "CDELT1": None, "CUNIT1": None, "COEFF0": 3.6, "COEFF1": 1e-4}
    s = read_spectra(write(make.one_d(CRPIX1=reference, **cards)))
    np.testing.assert_allclose(s.wavelength.value, 10**make.LOGLAM)


def test_numbers_written_as_words_are_numbers(make, write):
    """TOPCAT writes all cards as text."""
    s = read_spectra(write(make.one_d(CRVAL1="5000.0", CDELT1="1.0", CRPIX1="1")))
    np.testing.assert_allclose(s.wavelength.value, 5000 + np.arange(make.N))


@pytest.mark.parametrize(("n_rows", "has_errors"), [(5, True), (64, True), (64, False)])
@pytest.mark.parametrize("name", [None, "spSpec"])
def test_a_plate_of_fibres_is_no_spspec(make, write, n_rows, has_errors, name):
    """Rows of spPlate are fibres, of spSpec flux, continuum, errors and mask of one."""
    cards = {"TELESCOP": "SDSS 2.5-M", "PLATEID": 1, "COEFF0": 3.6, "COEFF1": 1e-4}
    plate = np.tile(FLUX, (n_rows, 1))
    images = [make.image(plate * 0 + 4)] * has_errors
    with pytest.raises(SpectrumFileError):
        read_spectra(write(fits.HDUList([make.primary(plate, **cards), *images])), format=name)


@pytest.mark.parametrize("primary", [{}, {"RUN2D": "x"}, {"TELESCOP": "SDSS 2.5-M"}])
def test_a_table_in_another_unit_is_not_taken_for_sdss(make, write, primary):
    """Not even if it is called COADD: bits 18, 22, 23 alone would count of its mask."""
    columns = {"flux": FLUX, "loglam": np.log10(WAVE), "ivar": np.full(N, 4.0), "mask": BAD}
    own = table({"TUNIT1": "ct"}, "COADD", **columns)
    s = read_spectra(write(fits.HDUList([make.primary(**primary), own])))
    assert (masked_pixels(s), str(s.unit), s.medium) == ([3], "ct", None)


LOOKALIKES = {
    "apStar": lambda m: fits.HDUList([m.primary(NVISITS=3), m.image(FLUX, **AXIS)]),
    "LAMOST": lambda m: fits.HDUList([m.primary(TELESCOP="LAMOST"), own_table()]),
    "GALAH": lambda m: fits.HDUList([m.primary(FLUX, ORIGIN="GALAH", **AXIS)]),
}


def own_table():
    return table({"TUNIT1": "Angstrom"}, wave=WAVE, flux=FLUX)


@pytest.mark.parametrize("kind", LOOKALIKES)
def test_what_is_taken_for_a_survey_has_a_way_out(make, write, kind):
    path = write(LOOKALIKES[kind](make))
    with pytest.raises(SpectrumFileError, match=f"or pass format='FITS' if it is no {kind}"):
        read_spectra(path)
    assert read_spectra(path, format="FITS").shape == (1, N)


def test_apstar_has_no_rows_of_visits_that_were_not_combined(make, write):
    hdul = make.apstar(3)
    for key in (1, 2, 3):
        hdul[key].data[3] = 0
    s = read_spectra(write(hdul), visits=True)
    assert s.meta["visit"].tolist() == [0, 1, 3]
    assert s.meta["rv"].tolist() == [-12.5, -13.0, -15.0]


def test_galah_may_have_its_step_in_a_matrix(make, write):
    hdul = make.galah()
    before = read_spectra(write(hdul)).wavelength.value
    hdul[0].header["CD1_1"] = hdul[0].header.pop("CDELT1")
    np.testing.assert_allclose(read_spectra(write(hdul, "b.fits")).wavelength.value, before)


def test_wavelengths_in_a_file_bring_their_medium(make, write):
    axis = write(hdus(make.image(WAVE, "WAVE_AIR", BUNIT="Angstrom")), "axis.fits")
    path = write(fits.HDUList([fits.PrimaryHDU(FLUX)]))
    assert read_spectra(path, wavelength=axis).medium == "air"


def columns_of(form: str, values, null) -> fits.HDUList:
    """Return a table of wavelengths and integers with a null."""
    columns = [fits.Column("WAVE", "D", array=WAVE, unit="Angstrom")]
    columns.append(fits.Column("FLUX", form, array=values, null=null))
    return hdus(fits.BinTableHDU.from_columns(columns))


@pytest.mark.parametrize(("form", "null"), [("I", -99), ("J", 999999), ("K", -1), ("B", 255)])
def test_null_of_integers_of_every_size_is_no_flux(write, form, null):
    values = np.where(BAD, null, 100).astype({"I": "i2", "J": "i4", "K": "i8", "B": "u1"}[form])
    with pytest.warns(NaNFluxWarning):
        s = read_spectra(write(columns_of(form, values, null)))
    assert masked_pixels(s) == [3]
    assert set(s.flux[0, 4:]) == {100}


def test_null_of_scaled_integers_is_no_flux(make, write):
    content = make.raw(columns_of("J", np.where(BAD, -99, 9800).astype("i4"), -99))
    end = content.index(b"END" + b" " * 77, content.index(b"TNULL2"))
    scale = b"TSCAL2  =                 0.01".ljust(80) + b"TZERO2  =                  2.0".ljust(
        80
    )
    scaled = content[:end] + scale + b"END".ljust(80) + content[end + 240 :]
    with pytest.warns(NaNFluxWarning):
        s = read_spectra(write(scaled))
    assert masked_pixels(s) == [3]
    np.testing.assert_allclose(s.flux[0, 4:], 100)


def test_an_ascii_table_is_a_table(write):
    columns = [
        fits.Column("WAVE", "F10.4", array=WAVE, unit="Angstrom", ascii=True),
        fits.Column("FLUX", "E16.8", array=FLUX, ascii=True),
        fits.Column("ERR", "E16.8", array=ERROR, ascii=True),
    ]
    s = read_spectra(write(hdus(fits.TableHDU.from_columns(columns))))
    np.testing.assert_allclose(s.flux[0], FLUX, rtol=1e-7)
    np.testing.assert_allclose(s.std[0], ERROR, rtol=1e-7)


def test_columns_of_one_value_per_row_are_columns(write):
    columns = {"WAVE": WAVE, "FLUX": FLUX[:, None], "ERR": ERROR[:, None]}
    s = read_spectra(write(hdus(table({"TUNIT1": "Angstrom"}, **columns))))
    np.testing.assert_allclose(s.std[0], ERROR)


@pytest.mark.parametrize("n", [2, N])
def test_a_table_with_a_wavelength_per_row_holds_spectra_in_its_columns(write, n):
    """As specutils writes stacks; also where there are as many spectra as pixels."""
    flux = FLUX[:, None] * np.arange(1, n + 1)
    columns = {"WAVE": WAVE, "FLUX": flux, "ERR": 0.1 * flux}
    s = read_spectra(write(hdus(table({"TUNIT1": "Angstrom"}, **columns))))
    np.testing.assert_allclose(s.flux, flux.T)
    np.testing.assert_allclose(s.std, 0.1 * flux.T)


NAMES_OF_IMAGES = {
    **dict.fromkeys(("ERR_FLUX", "SIGMA_FLUX", "NOISE_SPEC", "RMS", "dflux"), ERROR),
    **dict.fromkeys(("FLUX_IVAR", "IVAR_FLUX"), ERROR**-2),
}


@pytest.mark.parametrize("name", NAMES_OF_IMAGES)
def test_images_of_errors_with_an_axis_are_no_further_spectra(make, write, name):
    masks = make.image(BAD, "BAD_PIXEL_MASK", **AXIS)
    errors = make.image(NAMES_OF_IMAGES[name], name, **AXIS)
    s = read_spectra(write(fits.HDUList([make.primary(FLUX, **AXIS), errors, masks])))
    np.testing.assert_allclose(s.std[0, 4:], ERROR[4:])
    assert masked_pixels(s) == [3]


@pytest.mark.parametrize("other", ["FLUX_REDUCED", "NORM_FLUX"])
def test_errors_of_another_column_of_flux_are_not_taken(write, other):
    """Those of the normalised flux would make the flux in counts look hundreds of times better."""
    error = {"FLUX_REDUCED": "ERR_REDUCED", "NORM_FLUX": "ERR_NORM"}[other]
    columns = {"WAVE": WAVE, "FLUX": 100 * FLUX, other: FLUX, error: ERROR}
    with pytest.warns(UnusedDataWarning, match=f"'{other.lower()}', '{error.lower()}'"):
        s = read_spectra(write(hdus(table({"TUNIT1": "Angstrom"}, **columns))))
    np.testing.assert_allclose(s.flux[0], 100 * FLUX)
    assert s.noise.tolist() == ["unknown"]
