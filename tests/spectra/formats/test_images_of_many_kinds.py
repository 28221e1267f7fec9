"""Images that say what they are: stacks, rows, bands, multispec; words of units, checksums."""

import astropy.units as u
import numpy as np
import pytest
from astropy.io import fits

from spectragan import (
    FileAssumptionWarning,
    SpectrumFileError,
    UnusedDataWarning,
    read_spectra,
)

N = 60
WAVE = 5000.0 + np.arange(N)
FLUX, ERROR = np.linspace(1, 2, N), np.linspace(0.01, 0.02, N)


STACK = FLUX * [[1], [2], [3]]


def stack(make, kind: str) -> fits.HDUList:
    cards = {"CTYPE1": "WAVE", "CUNIT1": "Angstrom", "CRVAL1": 5000.0, "CDELT1": 1.0, "CRPIX1": 1.0}
    wave = make.image(WAVE, "WAVELENGTH", BUNIT="Angstrom")
    if kind == "own header":
        return fits.HDUList(
            [
                fits.PrimaryHDU(),
                make.image(STACK, "FLUX", **cards),
                make.image(STACK * 0 + 4, "IVAR"),
            ]
        )
    if kind == "axis per row":
        wave = make.image(np.tile(WAVE, (3, 1)), "WAVELENGTH", BUNIT="Angstrom")
    flux, ivar = STACK, STACK * 0 + 4
    if kind == "transposed":
        flux, ivar = flux.T.copy(), ivar.T.copy()
    return fits.HDUList(
        [fits.PrimaryHDU(), make.image(flux, "FLUX"), wave, make.image(ivar, "IVAR")]
    )


@pytest.mark.parametrize("kind", ["own header", "HDU", "axis per row", "transposed"])
def test_a_stack_that_says_its_axis_is_read(make, write, kind):
    s = read_spectra(write(stack(make, kind)))
    np.testing.assert_allclose(s.flux, STACK)
    np.testing.assert_allclose(s.std, 0.5)
    np.testing.assert_allclose(s.wavelength.value, WAVE)
    assert s.meta["id"] == ["file-0", "file-1", "file-2"]


@pytest.mark.parametrize("second", ["DEC--TAN", "POSITION", "LINEAR"])
def test_a_frame_of_a_slit_is_no_stack(make, write, second):
    hdul = stack(make, "own header")
    hdul[1].header["CTYPE2"] = second
    with pytest.raises(SpectrumFileError, match="or say which axis is wavelength"):
        read_spectra(write(hdul))


def test_a_cube_of_one_spectrum_is_one(make, write):
    hdul = make.one_d()
    hdul[0].data = hdul[0].data[None, None]
    assert read_spectra(write(hdul)).shape == (1, make.N)


def test_rows_may_be_wavelength_flux_and_error(write):
    hdu = fits.PrimaryHDU(np.stack([WAVE / 1e4, FLUX, ERROR, np.zeros(N)]))
    hdu.header.update({"XUNITS": "um", "YUNITS": "ergs s-1 cm-2 A-1", "OBJECT": "Gl 1"})
    hdu.data[:, -2:] = np.nan  # fill
    path = write(fits.HDUList([hdu]))
    with (
        pytest.warns(FileAssumptionWarning, match="flux and error"),
        pytest.warns(UnusedDataWarning, match="'row 4'"),
    ):
        s = read_spectra(path)
    np.testing.assert_allclose(s.wavelength.value, WAVE[:-2])
    np.testing.assert_allclose(s.std[0], ERROR[:-2])
    assert s.unit == u.erg / (u.s * u.cm**2 * u.AA)
    assert s.meta["id"] == ["Gl 1"]


def test_bands_of_iraf_give_flux_and_sigma(write):
    bands = np.stack([FLUX, FLUX * 5, FLUX * 0, ERROR])[:, None]
    hdu = fits.PrimaryHDU(bands)
    words = ("spectrum - background fit", "raw", "background", "sigma - background fit")
    hdu.header.update({f"BANDID{i + 1}": word for i, word in enumerate(words)})
    hdu.header.update(
        {"CRVAL1": 5000.0, "CDELT1": 1.0, "CRPIX1": 1.0, "CUNIT1": "Angstrom", "CTYPE1": "LINEAR"}
    )
    with pytest.warns(UnusedDataWarning, match="'raw', 'background'"):
        s = read_spectra(write(fits.HDUList([hdu])))
    np.testing.assert_allclose(s.wavelength.value, WAVE)
    np.testing.assert_allclose(s.flux[0], FLUX)
    np.testing.assert_allclose(s.std[0], ERROR)


X = np.arange(1, N + 1)
MIDDLE, HALF = (N + 1) / 2, (N - 1) / 2
DISPERSIONS = {
    "linear": ("1 1 0 5000. 1. 60 0. 1. 10.", WAVE),
    "logarithmic": ("1 1 1 3.7 0.0001 60 0. 1. 10.", 10 ** (3.7 + 1e-4 * np.arange(N))),
    "Doppler": ("1 1 0 5000. 1. 60 0.001 1. 10.", WAVE / 1.001),
    "Chebyshev": (
        "1 1 2 5000. 1. 60 0. 1. 10. 1. 0. 1 4 1. 60. 5029.5 29.5 0.3 0.01",
        np.polynomial.chebyshev.chebval((X - MIDDLE) / HALF, [5029.5, 29.5, 0.3, 0.01]),
    ),
    "Legendre": (
        "1 1 2 5000. 1. 60 0. 1. 10. 1. 0. 2 3 1. 60. 5029.5 29.5 0.3",
        np.polynomial.legendre.legval((X - MIDDLE) / HALF, [5029.5, 29.5, 0.3]),
    ),
    "linear spline": ("1 1 2 0. 1. 60 0. 1. 10. 1. 0. 4 2 1. 60. 5000. 5030. 5059.", None),
    # A cubic spline of these coefficients is the straight line 4980 + 30 (x + 1).
    "cubic spline": ("1 1 2 0. 1. 60 0. 1. 10. 1. 5000. 3 1 1. 60. -10. 0. 10. 20.", None),
    "two functions": (
        "1 1 2 0. 1. 60 0. 1. 10. 0.5 0. 1 2 1. 60. 5029.5 29.5 0.5 2. 1 2 1. 60. 5029.5 29.5",
        WAVE + 1,
    ),
}
DISPERSIONS["linear spline"] = (
    DISPERSIONS["linear spline"][0],
    np.interp((X - 1) / (N - 1) * 2, [0, 1, 2], [5000.0, 5030, 5059]),
)
DISPERSIONS["cubic spline"] = (DISPERSIONS["cubic spline"][0], 5000 + 60 * (X - 1) / (N - 1))


def multispec(*specs: str) -> fits.HDUList:
    words = " ".join(f'spec{i + 1} = "{spec}"' for i, spec in enumerate(specs))
    said = f"wtype=multispec {words}"
    hdu = fits.PrimaryHDU(np.tile(FLUX, (len(specs), 1)))
    hdu.header.update({"CTYPE1": "MULTISPE", "CTYPE2": "MULTISPE", "CDELT1": 1.0, "CD1_1": 1.0})
    hdu.header["WAT1_001"] = "wtype=multispec label=Wavelength units=angstroms"
    for i in range(0, len(said), 68):
        hdu.header[f"WAT2_{i // 68 + 1:03d}"] = said[i : i + 68]
    return fits.HDUList([hdu])


@pytest.mark.parametrize("kind", DISPERSIONS)
def test_multispec_axes_of_iraf_are_computed(write, kind):
    spec, truth = DISPERSIONS[kind]
    s = read_spectra(write(multispec(spec)))
    np.testing.assert_allclose(s.wavelength.value, truth, rtol=1e-9)
    np.testing.assert_allclose(s.flux[0], FLUX)


MULTISPEC_FAULTS = {
    "orders": ([DISPERSIONS["linear"][0], DISPERSIONS["Doppler"][0]], "must be on one grid"),
    "pixels": (["1 1 -1 1. 1. 60 0. 1. 10."], "must be calibrated in wavelength"),
    "cut": (["1 1 0 5000."], "must describe the axis in full"),
    "coefficients": (["1 1 2 0 1. 60 0. 1. 1. 1. 0. 1 4 1. 60. 5000."], "the axis in full"),
    "table": (["1 1 2 0 1. 60 0. 1. 1. 1. 0. 6 4 1. 60. 5000."], "Legendre polynomial or a spline"),
}


@pytest.mark.parametrize("kind", MULTISPEC_FAULTS)
def test_multispec_axes_that_cannot_be_computed_are_refused(write, kind):
    specs, message = MULTISPEC_FAULTS[kind]
    with pytest.raises(SpectrumFileError, match=message):
        read_spectra(write(multispec(*specs)))


FLUX_WORDS = (
    *("ADU", "DU/PIXEL", "ergs/cm2/s/A", "Relative Flux", "e-", "electrons", "normalized flux"),
    *("Normalised flux", "unknown", "ADU/s", "photons", "FLAM", "arbitrary units", "counts/s"),
    *("10**(-20)*erg/s/cm**2/Angstrom", "1E-17 erg/cm^2/s/Ang", "erg/s/cm2/Angstroem"),
)


@pytest.mark.parametrize("unit", FLUX_WORDS)
def test_words_of_flux_units_are_read(make, write, unit):
    assert read_spectra(write(make.one_d(BUNIT=unit))).shape == (1, make.N)


@pytest.mark.parametrize("unit", ["Angstroem", "ANGSTROEM", "Ang.", "ANGSTROMS", "angstrom"])
def test_words_of_wavelength_units_are_read(make, write, unit):
    assert read_spectra(write(make.one_d(CUNIT1=unit))).wavelength.value[0] == 5000


def test_a_flux_unit_that_nobody_reads_is_said(make, write):
    with pytest.warns(FileAssumptionWarning, match=r"'bananas', can't be read.*pass flux_unit"):
        s = read_spectra(write(make.one_d(BUNIT="bananas")))
    assert s.unit == u.dimensionless_unscaled


TLM = "15:17:36 (19/06/2007)"


@pytest.mark.parametrize(
    ("cards", "comment", "is_stale"),
    [
        ({"DATASUM": "0"}, "", True),
        ({"DATASUM": "7", "IRAF-TLM": TLM}, "", True),
        ({"DATASUM": "7", "IRAF-TLM": TLM}, "updated 2006-01-01T00:00:00", True),
        ({"DATASUM": "7", "IRAF-TLM": TLM}, "updated 2008-01-01T00:00:00", False),
        ({"DATASUM": "7"}, "updated 2008-01-01T00:00:00", False),
    ],
)
def test_a_checksum_older_than_the_data_is_said(make, write, cards, comment, is_stale):
    hdul = make.one_d(**cards)
    hdul[0].header.comments["DATASUM"] = comment
    path = write(hdul)
    if is_stale:
        with pytest.warns(FileAssumptionWarning, match="which is of other data"):
            assert read_spectra(path).shape == (1, make.N)
    else:
        with pytest.raises(SpectrumFileError, match="so bytes have changed"):
            read_spectra(path)


@pytest.mark.parametrize("has_table", [True, False])
def test_an_axis_in_a_table_is_computed_by_astropy(make, write, has_table):
    """CTYPE1='WAVE-TAB', as paper III of FITS has it."""
    cards = {
        "CTYPE1": "WAVE-TAB",
        "CUNIT1": "Angstrom",
        "CRVAL1": 1.0,
        "CDELT1": 1.0,
        "CRPIX1": 1.0,
    }
    hdul = fits.HDUList([make.primary(FLUX, **cards)])
    words = {"PS1_0": "AXES", "PS1_1": "COORD", "PV1_1": 1, "PV1_2": 1, "PV1_3": 1}
    hdul[0].header.update(words)
    if not has_table:
        with pytest.raises(SpectrumFileError, match="can't be computed"):
            read_spectra(write(hdul))
        return
    form = {"dim": f"(1,{N})", "unit": "Angstrom"}
    column = fits.Column("COORD", f"{N}D", array=WAVE[None] ** 1.01, **form)
    hdul.append(fits.BinTableHDU.from_columns([column], name="AXES"))
    np.testing.assert_allclose(read_spectra(write(hdul)).wavelength.value, WAVE**1.01)
