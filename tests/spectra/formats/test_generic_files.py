"""Spectra of nobody in particular: whatever the axis is in, the result is the same."""

import astropy.units as u
import numpy as np
import pytest
from astropy.io import fits
from astropy.table import Table

from spectragan import SpectrumFileError, UnusedDataWarning, read_spectra

WAVE = np.linspace(5000.0, 5010.0, 11) * u.AA
FLUX = np.linspace(1.0, 2.0, 11)
AXES = ("Angstrom", "nm", "um", "1 / cm", "Hz", "eV")


def check(s) -> None:
    """Compare with the truth: ascending Angstrom, flux and errors in the same order."""
    np.testing.assert_allclose(s.wavelength.value, WAVE.value, rtol=1e-12)
    np.testing.assert_allclose(s.flux[0], FLUX)
    np.testing.assert_allclose(s.std[0], 0.1 * FLUX)


@pytest.mark.parametrize("reverse", [False, True])
@pytest.mark.parametrize("unit", AXES)
@pytest.mark.parametrize("kind", ["fits", "ascii.ecsv"])
def test_table_axes_of_every_unit_and_order_give_the_same(tmp_path, kind, unit, reverse):
    columns = {"wave": WAVE.to(unit, u.spectral()), "flux": FLUX * u.Jy, "err": 100 * FLUX * u.mJy}
    table = Table(columns)
    table.reverse() if reverse else None
    table.write(tmp_path / "star", format=kind)
    s = read_spectra(tmp_path / "star")
    check(s)
    assert s.unit == u.Jy


@pytest.mark.parametrize("unit", AXES)
def test_csv_takes_units_from_the_heading_or_the_caller(tmp_path, unit):
    axis = WAVE.to_value(unit, u.spectral()).tolist()
    rows = [f"{x!r},{f!r},{0.1 * f!r}" for x, f in zip(axis, FLUX.tolist(), strict=True)]
    (tmp_path / "a.csv").write_text("\n".join([f"Wavelength [{unit}],Flux,Flux_Error", *rows]))
    (tmp_path / "b.csv").write_text("\n".join(["wavelength,flux,flux_error", *rows]))
    check(read_spectra(tmp_path / "a.csv"))
    check(read_spectra(tmp_path / "b.csv", wavelength_unit=unit))


@pytest.mark.parametrize("delimiter", [",", ";", "\t", " "])
def test_text_may_be_separated_by_anything_usual(tmp_path, delimiter):
    lines = ["# a comment", delimiter.join(["wavelength", "flux", "ivar"])]
    lines += [delimiter.join(map(repr, row)) for row in zip(*columns_with_ivar(), strict=True)]
    (tmp_path / "star.txt").write_text("\ufeff" + "\n".join(lines), encoding="utf-8")
    check(read_spectra(tmp_path / "star.txt", wavelength_unit="AA"))


def columns_with_ivar():
    return WAVE.value.tolist(), FLUX.tolist(), ((0.1 * FLUX) ** -2).tolist()


def test_table_with_a_spectrum_per_row_keeps_rows_apart_from_pixels(tmp_path):
    """A square stack, as many spectra as pixels, can't be told by its shape."""
    square = np.arange(121.0).reshape(11, 11) + 1
    table = Table({"wavelength": np.tile(WAVE.value, (11, 1)) * u.AA, "flux": square})
    table["id"] = [f"star {i}" for i in range(11)]
    table.write(tmp_path / "stack.fits")
    s = read_spectra(tmp_path / "stack.fits")
    assert np.array_equal(s.flux, square)
    assert s.meta["id"][3] == "star 3"


@pytest.mark.parametrize(
    ("name", "factor"), [("ivar", "ivar"), ("variance", "var"), ("uncertainty", "std")]
)
def test_table_errors_of_every_kind_give_the_same(tmp_path, name, factor):
    values = {"ivar": (0.1 * FLUX) ** -2, "var": (0.1 * FLUX) ** 2, "std": 0.1 * FLUX}[factor]
    Table({"wavelength": WAVE, "flux": FLUX, name: values}).write(tmp_path / "a.fits")
    check(read_spectra(tmp_path / "a.fits"))


def test_table_mask_alone_leaves_the_noise_unknown(tmp_path):
    mask = np.arange(11) == 2
    Table({"wavelength": WAVE, "flux": FLUX, "mask": mask}).write(tmp_path / "a.fits")
    s = read_spectra(tmp_path / "a.fits")
    assert s.noise.tolist() == ["unknown"]
    assert np.array_equal(s.mask[0], mask)


def axis_cards(kind: str) -> dict:
    """Return the header of 40 pixels from 5000 A, in one of the ways axes are written."""
    return {
        "linear": {"CRVAL1": 5000.0, "CDELT1": 1.0, "CUNIT1": "Angstrom"},
        "word": {"CRVAL1": 5000.0, "CDELT1": 1.0, "CUNIT1": "Angstroms"},
        "letter": {"CRVAL1": 5000.0, "CDELT1": 1.0, "CUNIT1": "A"},
        "nm": {"CRVAL1": 500.0, "CDELT1": 0.1, "CUNIT1": "nm"},
        "micron": {"CRVAL1": 0.5, "CDELT1": 1e-4, "CUNIT1": "micron"},
        "reference": {"CRVAL1": 5010.0, "CDELT1": 1.0, "CRPIX1": 11.0, "CUNIT1": "Angstrom"},
        "matrix": {"CRVAL1": 5000.0, "CDELT1": None, "CD1_1": 1.0, "CUNIT1": "Angstrom"},
        "both": {"CRVAL1": 5000.0, "CDELT1": 2.0, "CD1_1": 1.0, "CUNIT1": "Angstrom"},
        "PC": {"CRVAL1": 5e-7, "CDELT1": 1.0, "PC1_1": 1e-10, "CUNIT1": "m"},
        "scaled PC": {"CRVAL1": 500.0, "CDELT1": 0.2, "PC1_1": 0.5, "CUNIT1": "nm"},
        "old SDSS": {"COEFF0": 3.6, "COEFF1": 1e-4},
        "iraf": {"CRVAL1": 5000.0, "CDELT1": 1.0, "CUNIT1": None, "WAT1_001": "units=angstroms"},
    }[kind]


KINDS = ("linear", "word", "letter", "nm", "micron", "reference", "matrix", "both", "PC")


@pytest.mark.parametrize("kind", [*KINDS, "scaled PC", "old SDSS", "iraf"])
def test_image_axes_written_differently_give_the_same(make, write, kind):
    s = read_spectra(write(make.one_d(**axis_cards(kind))))
    np.testing.assert_allclose(s.wavelength.value, 5000 + np.arange(make.N), rtol=1e-12)
    np.testing.assert_allclose(s.flux[0], make.FLUX[0])


@pytest.mark.parametrize(
    "cards",
    [
        {"CRVAL1": 3.6, "CDELT1": 1e-4, "CUNIT1": "Angstrom", "DC-FLAG": 1},
        {"CRVAL1": 3.6, "CDELT1": 1e-4, "CUNIT1": "log10(Angstrom)"},
        {"CRVAL1": 2.6, "CDELT1": 1e-4, "CUNIT1": "dex(nm)"},
        {"CRVAL1": 3.6, "CDELT1": None, "CD1_1": 1e-4, "COEFF0": 3.6, "COEFF1": 1e-4},
        {"CRVAL1": None, "CDELT1": None, "CUNIT1": None, "COEFF0": 3.6, "COEFF1": 1e-4},
        {"CRVAL1": 3.6, "CDELT1": 1e-4, "CUNIT1": "Angstrom", "CTYPE1": "LOG-LINEAR"},
        {
            "CRVAL1": 10**3.6,
            "CDELT1": 10**3.6 * np.log(10) * 1e-4,
            "CUNIT1": "Angstrom",
            "CTYPE1": "WAVE-LOG",
        },
    ],
)
def test_image_axes_in_logarithms_are_undone(make, write, cards):
    s = read_spectra(write(make.one_d(**cards)))
    np.testing.assert_allclose(s.wavelength.value, 10**make.LOGLAM, rtol=1e-10)


@pytest.mark.parametrize(
    ("cards", "medium"),
    [
        ({}, None),
        ({"CTYPE1": "WAVE"}, None),  # written for air as often as not
        ({"CTYPE1": "AWAV"}, "air"),
        ({"AIRORVAC": "vac"}, "vacuum"),
        ({"VACUUM": True}, "vacuum"),
    ],
)
def test_image_medium_is_what_the_header_says(make, write, cards, medium):
    assert read_spectra(write(make.one_d(**cards))).medium == medium


def test_medium_of_the_caller_fills_in_but_never_overrules(make, write):
    assert read_spectra(write(make.one_d()), medium="air").medium == "air"
    with pytest.raises(SpectrumFileError, match="must be what the file says, 'air'"):
        read_spectra(write(make.one_d(CTYPE1="AWAV"), "air.fits"), medium="vacuum")


def test_image_takes_errors_mask_and_axis_of_other_hdus(make, write):
    mask = (np.arange(make.N) == 3).astype(np.int16)
    hdul = fits.HDUList(
        [
            make.primary(OBJECT="HD 1", SNR=12.0),
            make.image(make.FLUX[0], "FLUX", BUNIT="erg/s/cm2/A"),
            make.image(make.ERROR[0] * 1e3, "ERR", BUNIT="1e-3 erg/s/cm2/Angstrom"),
            make.image(mask, "MASK"),
            make.image(500 + 0.1 * np.arange(make.N), "WAVELENGTH", BUNIT="nm"),
        ]
    )
    s = read_spectra(write(hdul))
    np.testing.assert_allclose(s.std[0, 4:], make.ERROR[0, 4:], rtol=1e-5)
    assert np.flatnonzero(s.mask[0]).tolist() == [3]
    np.testing.assert_allclose(s.wavelength.value, 5000 + np.arange(make.N))
    assert s.unit == u.erg / u.s / u.cm**2 / u.AA  # "A" is no ampere
    assert s.meta["id"] == ["HD 1"]
    assert s.meta["snr"].tolist() == [12.0]


def test_faint_flux_keeps_its_errors(tmp_path):
    """In float32 the ivar of such flux is infinite, or nothing."""
    flux = (FLUX * 1e-21).astype(np.float32)
    error = (FLUX * 1e-22).astype(np.float32)
    Table({"wavelength": WAVE, "flux": flux, "error": error}).write(tmp_path / "a.fits")
    s = read_spectra(tmp_path / "a.fits")
    np.testing.assert_allclose(s.std[0], error, rtol=1e-6)


def test_a_loader_of_specutils_can_be_asked_for(tmp_path):
    from specutils import Spectrum

    spectrum = Spectrum(flux=FLUX * u.Jy, spectral_axis=WAVE)
    spectrum.write(tmp_path / "a.fits", format="tabular-fits")
    s = read_spectra(tmp_path / "a.fits", format="tabular-fits")
    np.testing.assert_allclose(s.flux[0], FLUX)
    assert s.meta["file"] == [str(tmp_path / "a.fits")]


def test_what_specutils_writes_is_read_without_it(tmp_path):
    from astropy.nddata import StdDevUncertainty
    from specutils import Spectrum

    uncertainty = StdDevUncertainty(0.1 * FLUX)
    spectrum = Spectrum(flux=FLUX * u.Jy, spectral_axis=WAVE, uncertainty=uncertainty)
    spectrum.write(tmp_path / "a.fits", format="tabular-fits")
    check(read_spectra(tmp_path / "a.fits"))


@pytest.mark.parametrize("step", ["CDELT1", "CD1_1"])
def test_what_specutils_writes_as_an_image_comes_back(tmp_path, step):
    """It turns a CD matrix into PC1_1 in metres with CDELT1=1, which is no step of 1 m."""
    from astropy.nddata import StdDevUncertainty
    from astropy.wcs import WCS
    from specutils import Spectrum

    cards = {"CTYPE1": "WAVE", "CUNIT1": "Angstrom", "CRVAL1": 5000.0, "CRPIX1": 1.0, step: 1.0}
    wcs = WCS(fits.Header({"NAXIS": 1, **cards}))
    spectrum = Spectrum(flux=FLUX * u.Jy, wcs=wcs, uncertainty=StdDevUncertainty(0.1 * FLUX))
    spectrum.write(tmp_path / "a.fits", format="wcs1d-fits")
    check(read_spectra(tmp_path / "a.fits"))


@pytest.mark.parametrize("said", ["Jy", "bananas"])
def test_flux_unit_of_the_caller_holds_for_the_errors_labelled_alike(make, write, said):
    """A wrong label is wrong on both: rescaling one would change the signal to noise."""
    hdul = make.simple(error=[0.1, 0.2, 0.3])
    hdul[1].header.update({"TUNIT2": said, "TUNIT3": said})
    image = fits.HDUList([*make.one_d(BUNIT=said), make.image(make.ERROR[0], "ERR", BUNIT=said)])
    table = read_spectra(write(hdul, "table.fits"), flux_unit="mJy")
    np.testing.assert_allclose([table.flux[0], table.std[0]], [[1, 2, 3], [0.1, 0.2, 0.3]])
    s = read_spectra(write(image, "image.fits"), flux_unit="mJy")
    np.testing.assert_allclose(s.std[0], make.ERROR[0], rtol=1e-6)


@pytest.mark.parametrize(("name", "unit"), [("ivar", "Jy-2"), ("variance", "Jy2"), ("err", None)])
def test_flux_unit_of_the_caller_leaves_the_errors_of_every_kind(make, write, name, unit):
    hdul = make.simple(flux=[1.0, 2, 3] * u.Jy, **{name: [4.0, 4, 4]})
    if unit:
        hdul[1].header["TUNIT3"] = unit
    expected = {"ivar": 4, "variance": 1 / 4, "err": 1 / 16}[name]
    np.testing.assert_allclose(read_spectra(write(hdul), flux_unit="mJy").ivar, expected)


def test_flux_unit_of_the_caller_leaves_the_label_of_errors_that_differ(make, write):
    hdul = make.simple(error=[100.0, 100, 100])
    hdul[1].header.update({"TUNIT2": "counts", "TUNIT3": "mJy"})
    s = read_spectra(write(hdul), flux_unit="Jy")
    np.testing.assert_allclose(s.std, 0.1)


def test_a_table_comes_before_an_image_of_the_sky(make, write):
    sky = make.image(make.FLUX[1], "SKY", CRVAL1=5000.0, CDELT1=1.0, CUNIT1="Angstrom")
    s = read_spectra(write(fits.HDUList([*make.simple(), sky])))
    assert s.flux.tolist() == [[1, 2, 3]]


def test_an_image_in_the_primary_hdu_comes_before_its_sky(make, write):
    sky = make.image(make.FLUX[1], "SKY", CRVAL1=5000.0, CDELT1=1.0, CUNIT1="Angstrom")
    with pytest.warns(UnusedDataWarning, match="'sky'"):
        s = read_spectra(write(fits.HDUList([*make.one_d(), sky])))
    np.testing.assert_allclose(s.flux[0], make.FLUX[0])


def test_an_image_named_flux_comes_before_all_others(make, write):
    cards = {"CRVAL1": 5000.0, "CDELT1": 1.0, "CRPIX1": 1.0, "CUNIT1": "Angstrom"}
    images = [make.image(make.FLUX[i], n, **cards) for i, n in enumerate(("RAW", "FLUX", "B"))]
    with pytest.warns(UnusedDataWarning, match="'raw', 'b'"):
        s = read_spectra(write(fits.HDUList([fits.PrimaryHDU(), *images])))
    np.testing.assert_allclose(s.flux[0], make.FLUX[1])


@pytest.mark.parametrize("key", [0, 1])
@pytest.mark.parametrize("kind", ["table", "image"])
def test_medium_may_be_said_by_the_primary_or_the_own_header(make, write, kind, key):
    cards = {"CRVAL1": 5000.0, "CDELT1": 1.0, "CRPIX1": 1.0, "CUNIT1": "Angstrom"}
    image = fits.HDUList([fits.PrimaryHDU(), make.image(make.FLUX[0], "FLUX", **cards)])
    hdul = make.simple() if kind == "table" else image
    hdul[key].header["AIRORVAC"] = "air"
    assert read_spectra(write(hdul)).medium == "air"


@pytest.mark.parametrize("unit", ["nm", "dex(nm)", "log10(nm)", "log nm"])
def test_logarithms_of_wavelengths_are_in_the_unit_that_the_file_says(make, write, unit):
    hdul = make.simple(wavelength=None, loglam=np.log10([500.0, 501, 502]))
    hdul[1].header["TUNIT2"] = unit
    text = "\n".join([f"loglam [{unit}],flux", *(f"{np.log10(x)!s},1" for x in (500, 501, 502))])
    for path in (write(hdul), write(text, "a.csv")):
        s = read_spectra(path)
        np.testing.assert_allclose(s.wavelength.value, [5000, 5010, 5020])
