"""Layouts that were refused: text without a heading, axes from elsewhere, images of many kinds."""

import json
from pathlib import Path

import astropy.units as u
import numpy as np
import pytest
from astropy.io import fits
from astropy.table import Table

from spectragan import (
    FileAssumptionWarning,
    Resampler,
    SpectrumFileError,
    UnusedDataWarning,
    as_spectra,
    read_spectra,
)

N = 60
WAVE = 5000.0 + np.arange(N)
FLUX, ERROR = np.linspace(1, 2, N), np.linspace(0.01, 0.02, N)


def check(s, with_errors=True) -> None:
    np.testing.assert_allclose(s.wavelength.value, WAVE)
    np.testing.assert_allclose(s.flux[0], FLUX)
    assert s.noise.tolist() == ["known" if with_errors else "unknown"]
    if with_errors:
        np.testing.assert_allclose(s.std[0], ERROR)


def text(columns, head=(), delimiter=" ", write="{!r}") -> str:
    rows = [
        delimiter.join(write.format(float(x)) for x in row) for row in zip(*columns, strict=True)
    ]
    return "\n".join([*head, *rows])


@pytest.mark.parametrize("delimiter", [" ", "   ", "\t", ",", ", ", ";"])
def test_two_columns_without_a_heading_are_wavelength_and_flux(write, delimiter):
    path = write(text((WAVE, FLUX), delimiter=delimiter), "a.txt")
    check(read_spectra(path, wavelength_unit="AA"), with_errors=False)


def test_three_columns_without_a_heading_are_said_to_hold_errors(write):
    path = write(text((WAVE, FLUX, ERROR)), "a.dat")
    with pytest.warns(FileAssumptionWarning, match="taken for wavelength, flux and error"):
        check(read_spectra(path, wavelength_unit="AA"))
    check(read_spectra(path, wavelength_unit="AA", columns=("wavelength", "flux", "error")))


@pytest.mark.parametrize("third", [FLUX * 1e6, -ERROR, FLUX * 1e-9])
def test_a_third_column_that_can_be_no_error_is_a_question(write, third):
    """Turbospectrum and POLLUX write flux twice, normalised and not."""
    path = write(text((WAVE, FLUX, third)), "a.dat")
    with pytest.raises(SpectrumFileError, match="pass for example columns="):
        read_spectra(path, wavelength_unit="AA")
    with pytest.warns(UnusedDataWarning, match="'column 3'"):
        s = read_spectra(path, wavelength_unit="AA", columns=["wavelength", "flux"])
    check(s, with_errors=False)


HEADINGS = {
    "hash": ["# wavelength flux error"],
    "per cent": ["% made by hand", "% wavelength flux error"],
    "exclamation mark": ["! wavelength flux error"],
    "with units": ["# wavelength [AA] flux error"],
    "behind the values": ["# lambda flux sigma", "# resolution 5000 and other remarks"],
}


@pytest.mark.parametrize("head", HEADINGS.values(), ids=HEADINGS)
def test_a_heading_may_be_a_comment(write, head):
    check(read_spectra(write(text((WAVE, FLUX, ERROR), head), "a.txt"), wavelength_unit="AA"))


def test_a_commented_heading_may_have_commas(write):
    content = text((WAVE, FLUX, ERROR), ["# wavelength,flux,error"], ",")
    check(read_spectra(write(content, "a.csv"), wavelength_unit="AA"))


@pytest.mark.parametrize("letter", "dD")
def test_exponents_of_fortran_are_read(write, letter):
    content = text((WAVE, FLUX), write="{:.10e}").replace("e", letter)
    s = read_spectra(write(content, "a.txt"), wavelength_unit="AA")
    np.testing.assert_allclose(s.flux[0], FLUX)


@pytest.mark.parametrize("kind", ["csv", "fits"])
def test_a_dict_says_which_column_is_what(tmp_path, kind):
    table = Table({"x": WAVE, "f1": FLUX, "f2": FLUX * 9, "s": ERROR})
    path = tmp_path / f"a.{kind}"
    table.write(path)
    chosen = {"wavelength": "x", "flux": "F1", "error": 3}
    with pytest.warns(UnusedDataWarning, match="'f2'"):
        check(read_spectra(path, columns=chosen, wavelength_unit="AA"))
    with pytest.raises(SpectrumFileError, match="`columns` must name columns that the file has"):
        read_spectra(path, columns={"wavelength": "x", "flux": "f3"})


@pytest.mark.parametrize(
    ("parameters", "error", "message"),
    [
        ({"columns": "flux"}, TypeError, "`columns` must be a list of names"),
        ({"columns": {"fluks": "a"}}, ValueError, "the keys of `columns` must be among"),
        ({"mask": "true"}, ValueError, "`mask` must be 'bad', 'good', 'ignore' or None"),
        (
            {"wavelength": [[1.0]], "wavelength_unit": "nm"},
            ValueError,
            "must be wavelengths of shape",
        ),
        ({"wavelength": [1.0, 2.0]}, ValueError, "multiply it by astropy.units.AA"),
        ({"grid": 3 * u.kg}, ValueError, "`grid` must be wavelengths of shape"),
        ({"grid": "nowhere.txt"}, SpectrumFileError, "nowhere.txt`: there is no such file"),
    ],
)
def test_parameters_are_checked(write, parameters, error, message):
    with pytest.raises(error, match=message):
        read_spectra(write(text((WAVE, FLUX)), "a.txt"), **parameters)


def wavelength_files(folder: Path) -> dict[str, Path]:
    """Write the wavelengths of models, in the ways that they are kept in."""
    image = fits.PrimaryHDU(WAVE)
    image.header["UNIT"] = "Angstrom"
    image.writeto(folder / "WAVE.fits")
    Table({"wavelength": WAVE / 10 * u.nm}).write(folder / "table.fits")
    np.savetxt(folder / "bosz_wave.txt", WAVE)
    return {p.suffix + p.stem: p for p in folder.iterdir()}


@pytest.mark.parametrize("kind", ["Quantity", "array", "image", "table", "text"])
def test_wavelengths_may_be_in_a_file_of_their_own(tmp_path, kind):
    wavelength_files(tmp_path)
    hdu = fits.PrimaryHDU(FLUX)
    hdu.header["BUNIT"] = "erg/s/cm^2/cm"
    hdu.writeto(tmp_path / "lte05800.fits")
    names = {"image": "WAVE.fits", "table": "table.fits", "text": "bosz_wave.txt"}
    given = {"Quantity": WAVE / 10 * u.nm, "array": WAVE}.get(kind, tmp_path / names.get(kind, ""))
    unit = {"array": "AA", "text": "AA"}.get(kind)
    s = read_spectra(tmp_path / "lte05800.fits", wavelength=given, wavelength_unit=unit)
    check(s, with_errors=False)
    with pytest.raises(SpectrumFileError, match="must have CRVAL1"):
        read_spectra(tmp_path / "lte05800.fits")


def test_a_text_of_flux_alone_takes_the_wavelengths_given(write):
    """BOSZ 2024 writes flux and continuum, and the wavelengths once for all."""
    s = read_spectra(write(text((FLUX,)), "a.txt"), wavelength=WAVE * u.AA)
    check(s, with_errors=False)
    with pytest.warns(UnusedDataWarning, match="'column 2'"):
        s = read_spectra(
            write(text((FLUX[::-1] * [*[1, 2] * 30], FLUX)), "b.txt"), wavelength=WAVE * u.AA
        )
    assert s.shape == (1, N)


@pytest.mark.parametrize("name", ["wavelength", "grid"])
def test_a_grid_per_star_is_read_onto_one(tmp_path, name):
    for i, (first, n) in enumerate(((3.6, 300), (3.6007, 310))):
        mask = (np.arange(n) == 100).astype("i4")
        columns = {"flux": np.ones(n), "loglam": first + 1e-4 * np.arange(n)}
        table = Table({**columns, "ivar": np.full(n, 9.0), "and_mask": mask << 22})
        hdus = [fits.PrimaryHDU(), fits.BinTableHDU(table, name="COADD")]
        fits.HDUList(hdus).writeto(tmp_path / f"spec-{i}.fits")
    grid = 10 ** np.arange(3.602, 3.628, 1e-4) * u.AA
    files = sorted(tmp_path.glob("*.fits"))
    loop = as_spectra([Resampler(grid).fit_transform(read_spectra(p)) for p in files])
    s = read_spectra(files, **{name: grid}, verbose=0)
    assert np.array_equal(s.flux, loop.flux)
    assert np.array_equal(s.ivar, loop.ivar)
    assert s.meta["id"] == loop.meta["id"]
    with pytest.raises(SpectrumFileError, match="must reach the grid"):
        read_spectra(files, **{name: grid * 2}, verbose=0)


def gaiaxpy(folder: Path, kind: str, sampling) -> Path:
    """Write one source as GaiaXPy 2.1.5 does, with correlations, and its sampling."""
    flux = tuple(2e-16 * np.ones(len(sampling)))
    error, n = tuple(1e-17 * np.ones(len(sampling))), 140000
    said = str(tuple(sampling))  # of numpy's numbers: "(np.float64(400.0), ..."
    if kind == "csv":
        cells = ",".join(f'"{tuple(map(float, x))}"' for x in (flux, error, np.zeros(n)))
        (folder / "x.csv").write_text(f"source_id,flux,flux_error,correlation\n1,{cells}\n")
        (folder / "x_sampling.csv").write_text(f'pos\n"{tuple(map(float, sampling))}"\n')
    elif kind == "ecsv":
        cells = ",".join(f'"{json.dumps(list(map(float, x)))}"' for x in (flux, error, np.zeros(n)))
        head = ["# %ECSV 1.0", "# ---", "# delimiter: ','", "# datatype:"]
        head += ["# -", "#   name: source_id", "#   datatype: int64"]
        for name in ("flux", "flux_error", "correlation"):
            head += [
                "# -",
                f"#   name: {name}",
                "#   datatype: string",
                "#   subtype: float64[null]",
            ]
        head += ["# meta:", f"#   sampling: {list(map(float, sampling))}"]
        lines = [*head, "source_id,flux,flux_error,correlation", f"1,{cells}"]
        (folder / "x.ecsv").write_text("\n".join(lines))
    else:
        table = Table({"source_id": [1], "flux": [flux], "flux_error": [error]})
        hdu = fits.BinTableHDU(table)
        hdu.header["SAMPLING"] = said
        fits.HDUList([fits.PrimaryHDU(), hdu]).writeto(folder / "x.fits")
    return folder / f"x.{kind}"


@pytest.mark.parametrize("n", [343, 50])
@pytest.mark.parametrize("kind", ["csv", "ecsv", "fits"])
def test_gaiaxpy_says_its_sampling(tmp_path, kind, n):
    path = gaiaxpy(tmp_path, kind, np.linspace(400, 900, n))
    s = read_spectra(path, format="Gaia XP")
    np.testing.assert_allclose(s.wavelength.value, np.linspace(4000, 9000, n))
    np.testing.assert_allclose(s.std, 1e-17)
    assert s.meta["id"] == ["1"]
