"""Files that can't be read: each gives one sentence with the file, the cause and a remedy."""

import gzip
import re
from typing import Any, NamedTuple

import astropy.units as u
import numpy as np
import pytest
from astropy.io import fits

from spectragan import SpectrumFileError, read_spectra


class Case(NamedTuple):
    """What is wrong, how to make it, words of the cause, and parameters."""

    name: str
    build: Any
    cause: str
    options: dict = {}  # noqa: RUF012 - never changed


BAD_FILES = [
    Case("empty file", lambda m: b"", "it is empty"),
    Case("zipped empty file", lambda m: gzip.compress(b""), "it is empty"),
    Case("blanks only", lambda m: "  \n\n ", "neither FITS nor text"),
    Case("picture", lambda m: b"\x89PNG\r\n\x1a\n\0\0\0", "neither FITS nor text"),
    Case("HDF5", lambda m: b"\x89HDF\r\n\x1a\n" + bytes(99), "neither FITS nor text"),
    Case("web page", lambda m: "<!DOCTYPE html><p>404</p>", "it is a web page"),
    Case("VOTable", lambda m: '<?xml version="1.0"?><VOTABLE/>', "it is XML"),
    Case("prose", lambda m: "Dear colleague,\nsee the attached spectrum.", "read as a table"),
    Case("pickle", lambda m: b"\x80\x04\x95\x00\x00\x00\x00", "neither FITS nor text"),
    Case("latin-1 text", lambda m: "wavelength,flux\n5,é".encode("latin-1"), "not UTF-8"),
    Case("FITS header cut", lambda m: m.cut(m.apstar(), 0.1)[:2000], "damaged FITS"),
    Case("first 80 bytes of FITS", lambda m: m.cut(m.apstar(), 1)[:80], "damaged FITS"),
    Case("FITS cut in the flux", lambda m: m.raw(m.one_d())[:2900], "cut off"),
    Case("apStar cut in the mask", lambda m: m.raw(m.apstar())[:-2800], "cut off"),
    Case("LAMOST cut", lambda m: m.raw(m.lamost_dr5())[:3200], "cut off"),
    Case("SDSS table cut", lambda m: m.raw(m.sdss()[:2])[:-2700], "cut off"),
    Case("zipped FITS cut", lambda m: gzip.compress(m.raw(m.apstar()))[:-300], "cut off"),
    Case("zip damaged", lambda m: b"\x1f\x8b" + bytes(50), "damaged gzip"),
    Case("text cut within a line", lambda m: m.csv(*m.rows())[:-4], "as many values as there are"),
    Case("heading only", lambda m: m.csv(), "no values"),
    Case("bytes changed", lambda m: m.with_checksum(m.apstar(), True), "match its checksum"),
    Case("table bytes changed", lambda m: m.with_checksum(m.sdss(), True), "match its checksum"),
    Case("HDU header destroyed", lambda m: destroyed(m), "the header of HDU 1 is damaged"),
    Case(
        "bytes after the last HDU", lambda m: m.raw(m.one_d()) + b"x" * 99, "99 bytes after HDU 0"
    ),
]


def destroyed(make) -> bytes:
    """Return a spectrum whose HDU of errors can't be found: it must not pass as one without."""
    hdul = fits.HDUList([*make.one_d(), make.image(make.ERROR[0], "ERR")])
    return make.raw(hdul).replace(b"XTENSION= 'IMAGE   '", b"XTENSION@ 'IMAGE   '")


WRONG_STRUCTURE = [
    Case("no HDU with data", lambda m: fits.HDUList([fits.PrimaryHDU()]), "neither an image nor"),
    Case("2-D image", lambda m: fits.HDUList([m.primary(np.ones((5, 9)))]), "must be 1-D"),
    Case("square image", lambda m: fits.HDUList([m.primary(np.eye(9))]), "must be 1-D"),
    Case("cube", lambda m: fits.HDUList([m.primary(np.ones((2, 3, 4)))]), "must be 1-D"),
    Case("apStar without mask", lambda m: m.apstar()[:3], "HDU 3 must be an image with the mask"),
    Case("one visit without mask", lambda m: m.apstar(1)[:3], "got no such HDU"),
    Case("aspcapStar without table", lambda m: m.aspcapstar()[:4], "must hold one spectrum"),
    Case("apVisit without axis", lambda m: m.apvisit()[:4], "must hold one spectrum"),
    Case("GALAH without errors", lambda m: m.galah()[:1], "HDU 1 must be an image"),
    Case("GALAH without data", lambda m: fits.HDUList([m.primary(ORIGIN="GALAH")]), "got no data"),
    Case("LAMOST without data", lambda m: no_lamost(m), "HDU 0 must be an image"),
    Case("DESI without targets", lambda m: m.without(m.desi("B"), 1), "got 0"),
    Case("mwm of models", lambda m: model_mwm(m), "must have a column 'flux'"),
    Case("SDSS as apStar", lambda m: m.sdss(), "which is SDSS", {"format": "apStar"}),
    Case("apStar as SDSS", lambda m: m.apstar(), "which is apStar", {"format": "SDSS"}),
    Case(
        "CSV as apStar", lambda m: m.csv(*m.rows()), "must suit the content", {"format": "apStar"}
    ),
    Case("FITS as table", lambda m: m.one_d(), "must suit the content", {"format": "table"}),
    Case("text as DESI", lambda m: m.csv(*m.rows()), "must suit the content", {"format": "DESI"}),
    Case("no CRVAL1", lambda m: m.one_d(CRVAL1=None), "must have CRVAL1 or COEFF0, a number"),
    Case("no CDELT1", lambda m: m.one_d(CDELT1=None), "must have CDELT1 or CD1_1"),
    Case("CRVAL1 a word", lambda m: m.one_d(CRVAL1="5000 A"), "got '5000 A'"),
    Case("no flux column", lambda m: m.simple(flux=None, counts=[1.0, 2, 3]), "columns such as"),
    Case("no wavelength column", lambda m: m.simple(wavelength=None), "columns such as"),
    Case(
        "no ivar column",
        lambda m: named_columns(m),
        "must have a column 'ivar'",
        {"format": "SDSS"},
    ),
    Case("flux of other length", lambda m: short_image(m), "must have the shape of the flux"),
    Case("axis of other length", lambda m: short_axis(m), "must have one value per pixel"),
    Case("LAMOST of 4 rows", lambda m: four_rows(m), "must have 5 rows", {"format": "LAMOST"}),
    Case("apVisit of odd shapes", lambda m: odd_visit(m), "must have one shape"),
    Case("DESI, targets missing", lambda m: few_targets(m), "a row for each of 3 spectra"),
    Case("text in a column", lambda m: m.csv("500,a,1", "501,b,1"), "must hold real numbers"),
    Case("words as wavelengths", lambda m: m.csv("red,1,1", "blue,2,1"), "must hold numbers"),
    Case("mixed grids in a file", lambda m: mixed_rows(m), "must be on one grid"),
    Case("two tables", lambda m: two_tables(m), "got HDU 1 COADD_B, HDU 2 COADD_R; name one"),
    Case("three images", lambda m: three_images(m), "got HDU 0 PRIMARY, HDU 1 ORDER1"),
    Case("images behind nothing", lambda m: three_images(m, True), "got HDU 1, HDU 2 ORDER1"),
    Case("NaN in a 2-D axis", lambda m: nan_in_a_row(m), "got 1 that are NaN or infinite"),
    Case("arm of one grid", lambda m: m.one_d(), "`arm` must be None for FITS", {"arm": "b"}),
    Case("folder", None, "it is a folder"),
    Case("no such file", None, "no such file"),
]


def two_tables(make) -> fits.HDUList:
    blue, red = (make.simple()[1] for _ in "br")
    blue.name, red.name = "COADD_B", "COADD_R"
    return fits.HDUList([fits.PrimaryHDU(), blue, red])


def three_images(make, behind: bool = False) -> fits.HDUList:
    """Return the orders of a spectrograph, an axis each."""
    first = make.one_d()[0]
    cards = {"CRVAL1": 5100.0, "CDELT1": 1.0, "CUNIT1": "Angstrom"}
    rest = [make.image(make.FLUX[i], f"ORDER{i}", **cards) for i in (1, 2)]
    if behind:
        return fits.HDUList([fits.PrimaryHDU(), make.image(make.FLUX[0], **cards), *rest])
    return fits.HDUList([first, *rest])


def named_columns(make) -> fits.HDUList:
    hdul = make.sdss()
    hdul[1] = make.table("COADD", flux=make.FLUX[0], loglam=make.LOGLAM)
    return hdul


def no_lamost(make) -> fits.HDUList:
    return fits.HDUList([make.primary(**make.LAMOST_CARDS)])


def model_mwm(make) -> fits.HDUList:
    hdul = make.mwm()
    hdul[3].columns.change_name("flux", "model_flux")
    return hdul


def short_image(make) -> fits.HDUList:
    return fits.HDUList([*make.one_d(), make.image(make.ERROR[0, :-1], "ERR")])


def short_axis(make) -> fits.HDUList:
    axis = make.image(np.arange(5.0) + 1, "WAVELENGTH", BUNIT="nm")
    return fits.HDUList([*make.one_d(), axis])


def four_rows(make) -> fits.HDUList:
    return fits.HDUList([make.primary(make.lamost_rows()[:4], **make.LAMOST_CARDS)])


def odd_visit(make) -> fits.HDUList:
    hdul = make.apvisit()
    hdul[2].data = hdul[2].data[:, 1:]
    return hdul


def few_targets(make) -> fits.HDUList:
    hdul = make.desi("B")
    hdul[1] = make.table("FIBERMAP", TARGETID=np.array([11, 22]))
    return hdul


def nan_in_a_row(make) -> fits.HDUList:
    wavelength = [[500.0, 501, 502], [500.0, np.nan, 502]] * u.nm
    return make.simple(wavelength=wavelength, flux=np.ones((2, 3)))


def mixed_rows(make) -> fits.HDUList:
    wavelength = [[500.0, 501, 502], [500.0, 501, 503]] * u.nm
    return make.simple(wavelength=wavelength, flux=np.ones((2, 3)))


WRONG_VALUES = [
    Case("wrong unit of axis", lambda m: m.one_d(CUNIT1="kg"), "wavelength, wavenumber"),
    Case("unreadable unit of axis", lambda m: m.one_d(CUNIT1="parrots"), "got 'parrots'"),
    Case("no unit of axis", lambda m: m.one_d(CUNIT1=None), "must have a unit"),
    Case("velocity axis", lambda m: m.one_d(CTYPE1="VRAD", CUNIT1="km/s"), "a spectral one"),
    Case("image of the sky", lambda m: m.one_d(CTYPE1="RA---TAN", CUNIT1="deg"), "spectral one"),
    Case("wrong unit of errors", lambda m: m.simple(error=[1.0, 1, 1] * u.kg), "must convert to"),
    Case("step of zero", lambda m: m.one_d(CDELT1=0.0), "without repeated values"),
    Case("negative wavelengths", lambda m: m.one_d(CRVAL1=-5000.0), "finite and positive"),
    Case("log axis not in logs", lambda m: axis_not_log(m), "finite and positive"),
    Case("duplicated axis", lambda m: m.csv(*m.rows((500, 501, 501))), "without repeated values"),
    Case("non-monotonic axis", lambda m: m.csv(*m.rows((500, 502, 501))), "strictly ascending"),
    Case("NaN axis", lambda m: m.csv(*m.rows((500, "nan", 502))), "finite and positive"),
    Case("empty cell in the axis", lambda m: m.csv(*m.rows((500, "", 502))), "finite and positive"),
    Case("all flux NaN", lambda m: m.csv(*m.rows(flux=("nan",) * 3)), "no pixel is usable"),
    Case("all errors zero", lambda m: m.csv(*m.rows(error=(0, 0, 0))), "no pixel is usable"),
    Case("all ivar negative", lambda m: m.simple(ivar=[-1.0, -1, -1]), "no pixel is usable"),
    Case("all masked", lambda m: m.simple(mask=[1, 1, 1]), "no pixel is usable"),
    Case("mask of words", lambda m: m.simple(mask=["a", "b", "c"]), "must hold 0 (good)"),
]


def axis_not_log(make) -> fits.HDUList:
    return make.changed(make.apstar(), make.header(1, CRVAL1=15100.8, CDELT1=0.2))


AA, N = {"wavelength_unit": "AA"}, 40
WAVE = 5000.0 + np.arange(N)
ROLES = {"columns": {"wavelength": "wave", "flux": "flux", "error": "rel"}}
GAIA, DC = {"format": "Gaia XP"}, {"DC-FLAG": 1}
SHORT = {"wavelength": [5000.0, 5001.0] * u.AA}
GOOD = (np.arange(N) < 15).astype("i4")
LINEAR = {"CTYPE1": "LINEAR", "CRVAL1": 5000.0, "CDELT1": 1.0, "CUNIT1": "Angstrom"}
SLIT = LINEAR | {"CTYPE1": "WAVE", "CTYPE2": "DEC--TAN"}
RATIOS = np.stack([WAVE / 10, np.ones(N), np.full(N, 100.0)])
ECSV = "# %ECSV 1.0\n# ---\n# datatype:\n# - {name: wavelength, datatype: float64}\nwavelength\n"


def short_errors(make) -> fits.HDUList:
    return own(make, WAVE=np.stack([WAVE] * 2), FLUX=np.ones((2, N)), rel=np.ones((2, N, 2)))


def with_sky(make) -> fits.HDUList:
    hdul = make.apstar()
    hdul.append(make.image(np.cumsum(np.abs(hdul[1].data)).reshape(hdul[1].data.shape)))
    return hdul


def coeffs(make) -> fits.HDUList:
    return make.changed(make.lamost_dr5(), make.header(0, COEFF0=3.6, COEFF1=1e-4))


def galah_sky(make) -> fits.HDUList:
    hdul = make.galah()
    return fits.HDUList([hdul[0], make.image(make.FLUX[0], "SKY")])


def text(*lines: str) -> str:
    return "\n".join(lines)


def lines(*columns) -> str:
    return text(*(" ".join(f"{x:.10g}" for x in row) for row in zip(*columns, strict=True)))


def own(make, header=(), primary=(), **columns) -> fits.HDUList:
    """Return a table of one's own, with a unit for the first column."""
    table = make.table(header={"TUNIT1": "Angstrom", **dict(header)}, **columns)
    return fits.HDUList([make.primary(**dict(primary)), table])


def multispec(make, spec: str) -> fits.HDUList:
    cards = {"CTYPE1": "MULTISPE", "WAT1_001": "units=angstroms", "WAT2_001": f'spec1 = "{spec}"'}
    return fits.HDUList([make.primary(make.FLUX[:1], **cards)])


def gaia(n: int, head: str = "") -> str:
    cells = [f'"({", ".join([value] * n)})"' for value in ("2e-16", "1e-17")]
    return text(f"source_id,flux,flux_error{head}", f"1,{','.join(cells)}")


MORE_TEXTS = [
    Case("numpy file", lambda m: b"\x93NUMPY\x01\x00v\x00" + bytes(99), "neither FITS nor text"),
    Case("zip archive", lambda m: b"PK\x03\x04\x14\x00\x00\x00", "neither FITS nor text"),
    Case("UTF-16", lambda m: "wavelength,flux\n5,1".encode("utf-16"), "neither FITS nor text"),
    Case("zipped web page", lambda m: gzip.compress(b"<html>404</html>"), "it is a web page"),
    Case("comments only", lambda m: text("# wavelength flux", "# 5000 1"), "are comments"),
    Case("JSON", lambda m: '{"wavelength": [5, 6], "flux": [1, 2]}', "no values"),
    Case("broken ECSV", lambda m: text("# %ECSV 1.0", "# ---", "# datatype: ["), "as a table"),
    Case("ECSV without rows", lambda m: ECSV, "no values"),
    Case("exponent without E", lambda m: text("5000 1.0-300", "5001 1.0-300"), "no names", AA),
    Case("decimal commas", lambda m: text("5000,1;1,5", "5001,2;1,6"), "no names", AA),
    Case("four columns", lambda m: lines(WAVE, WAVE, WAVE, WAVE), "4 columns have no names", AA),
    Case("pixels counted", lambda m: lines(np.arange(N), WAVE), "counts pixels from 0", AA),
    Case("third no error", lambda m: lines(WAVE, WAVE, 9e9 * WAVE), "no names", AA),
    Case("flux before wave", lambda m: lines(m.FLUX[0], WAVE), "no names", AA),
    Case("row of units", lambda m: m.csv("AA,Jy,Jy", *m.rows()), "must hold numbers"),
    Case("number of rows first", lambda m: text("2", "5000 1", "5001 2"), "has 2 values", AA),
    Case("title", lambda m: text("HD 1 spectrum", "5000 1", "5001 2"), "has 2 values", AA),
    Case("bars", lambda m: text("wavelength|flux", "5000|1"), "columns such as", AA),
    Case("quote not closed", lambda m: m.csv('"500,1,0.1', "501,2,0.1"), "hold numbers"),
    Case("too many names", lambda m: lines(WAVE, WAVE), "at most 2", AA | {"columns": list("abc")}),
    Case("column not there", lambda m: m.csv(*m.rows()), "got 'f1'", {"columns": {"flux": "f1"}}),
    Case("logarithm of flux", lambda m: text("wavelength,log_flux", "5,1", "6,2"), "such as", AA),
    Case("XP of 7 samples", lambda m: gaia(7), "343 samples", {"format": "Gaia XP"}),
    Case("XP unequal", lambda m: gaia(7) + '\n2,"(1)","(1)"', "as many numbers", GAIA),
    Case("XP without errors", lambda m: text("source_id,flux", "1,2"), "'flux_error'", GAIA),
]
MORE_FILES = [
    Case("flux in mag", lambda m: own(m, {"TUNIT2": "mag"}, WAVE=WAVE, FLUX=WAVE), "be linear"),
    Case("complex flux", lambda m: own(m, WAVE=WAVE, FLUX=WAVE + 1j), "must hold real numbers"),
    Case("null in an ASCII table", lambda m: m.ascii_null(), "must have no TNULL"),
    Case("rows of other lengths", lambda m: m.unequal_rows(), "must hold numbers"),
    Case("table without rows", lambda m: own(m, WAVE=WAVE[:0], FLUX=WAVE[:0]), "got no data"),
    Case("ln under DC-FLAG", lambda m: m.one_d(CRVAL1=8.3, CDELT1=1e-4, **DC), "its logarithms"),
    Case("ln called log10", lambda m: m.one_d(CRVAL1=8.3, CUNIT1="log10(A)"), "its logarithms"),
    Case("ln of nm", lambda m: m.one_d(CRVAL1=6.0, CDELT1=1e-4, CUNIT1="nm"), "like logarithms"),
    Case("log10 unsaid", lambda m: m.one_d(CRVAL1=3.6, CDELT1=1e-4), "look like logarithms"),
    Case("loglam of nm", lambda m: own(m, loglam=m.LOGLAM - 1, flux=WAVE), "its logarithms"),
    Case("um called AA", lambda m: m.one_d(CRVAL1=0.5, CDELT1=1e-4), "must be possible ones"),
    Case("AA called um", lambda m: m.one_d(CUNIT1="um"), "must be possible ones"),
    Case("air in the ultraviolet", lambda m: m.one_d(CRVAL1=1500.0, CTYPE1="AWAV"), "in air must"),
    Case("CRPIX1 a word", lambda m: m.one_d(CRPIX1="first"), "must have CRPIX1, a number"),
    Case("axis in pixels", lambda m: m.one_d(CTYPE1="PIXEL"), "must be a spectral one"),
    Case("axis table missing", lambda m: m.one_d(CTYPE1="WAVE-TAB"), "can't be computed"),
    Case("contradiction", lambda m: m.one_d(VACUUM=True), "what the file says", {"medium": "air"}),
    Case("another length", lambda m: fits.HDUList([m.primary(WAVE)]), "must have CRVAL1", SHORT),
    Case(
        "grid elsewhere",
        lambda m: m.one_d(),
        "must reach the grid",
        {"grid": [9e3, 9e3 + 1] * u.AA},
    ),
    Case(
        "most pixels bad", lambda m: own(m, WAVE=WAVE, FLUX=WAVE, MASK=1 - GOOD), "pass mask='good'"
    ),
    Case("only fill left", lambda m: own(m, WAVE=WAVE, FLUX=WAVE * GOOD, MASK=GOOD), "mask='good'"),
    Case(
        "relative errors short", lambda m: short_errors(m), "must be numbers, one for each", ROLES
    ),
    Case("plate of fibres", lambda m: m.plate(), "must be 1-D"),
    Case("plate as spSpec", lambda m: m.plate(), "must have 4 to 6 rows", {"format": "spSpec"}),
    Case("apStar as aspcapStar", lambda m: m.apstar(), "which is apStar", {"format": "aspcapStar"}),
    Case("apStar as apVisit", lambda m: with_sky(m), "which is apStar", {"format": "apVisit"}),
    Case("LAMOST as spSpec", lambda m: coeffs(m), "which is LAMOST", {"format": "spSpec"}),
    Case("two arms of LAMOST", lambda m: m.lamost_arms(), "pass arm='b' or arm='r'"),
    Case("no such arm of LAMOST", lambda m: m.lamost_arms(), "got 'z'", {"arm": "z"}),
    Case("no such arm of DESI", lambda m: m.desi(), "got 'x'", {"arm": "x"}),
    Case("no such arm of mwm", lambda m: m.mwm(1, 1), "got 'z'", {"arm": "z"}),
    Case("arm of low resolution", lambda m: m.lamost_dr5(), "must be None", {"arm": "b"}),
    Case("orders", lambda m: multispec(m, '1 1 2 0 1. 9 0. 1. 1." spec2 = "'), "in full"),
    Case("multispec in pixels", lambda m: multispec(m, "1 1 -1 1. 1. 40 0. 1. 1."), "calibrated"),
    Case("multispec cut", lambda m: multispec(m, "1 1 0 5000."), "must describe the axis in full"),
    Case("stack without axis", lambda m: fits.HDUList([m.primary(m.FLUX, **LINEAR)]), "be 1-D"),
    Case("frame of a slit", lambda m: fits.HDUList([m.primary(m.FLUX, **SLIT)]), "be 1-D"),
    Case(
        "third row no error", lambda m: fits.HDUList([m.primary(RATIOS, XUNITS="nm")]), "no names"
    ),
    Case("loader fails", lambda m: m.one_d(), "of specutils fails", {"format": "JWST x1d"}),
    Case("GALAH named otherwise", lambda m: galah_sky(m), "named for relative errors"),
]


FAILING = [*BAD_FILES, *WRONG_STRUCTURE, *WRONG_VALUES, *MORE_TEXTS, *MORE_FILES]


def place(case: Case, make, write, tmp_path):
    if case.build is None:
        return tmp_path if case.name == "folder" else tmp_path / "missing.fits"
    return write(case.build(make), "star.fits")


def check_sentence(message: str, path) -> None:
    """Check that a message is one sentence: file, cause, remedy."""
    start = f"`{path}`: "
    assert message.startswith(start)
    rest = message.removeprefix(start)
    assert rest.endswith(".")
    assert "\n" not in rest
    assert not re.search(r"[.!?] [A-Z]", rest), "more than one sentence"
    assert "; " in rest or "check" in rest, "no remedy"
    assert 30 < len(rest) < 400


@pytest.mark.parametrize("case", FAILING, ids=lambda c: c.name)
def test_a_bad_file_gives_one_sentence(case, make, write, tmp_path):
    path = place(case, make, write, tmp_path)
    with pytest.raises(SpectrumFileError) as caught:
        read_spectra(path, **case.options)
    check_sentence(str(caught.value), path)
    assert case.cause in str(caught.value)


def test_there_are_enough_bad_files():
    assert len(FAILING) >= 120
    assert len({case.name for case in FAILING}) == len(FAILING)
