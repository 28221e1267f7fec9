"""LAMOST, GALAH, DESI and Gaia XP."""

from pathlib import Path

import astropy.units as u
import numpy as np
import pytest
from astropy.io import fits
from astropy.table import Table

from spectragan import SpectrumFileError, read_spectra


@pytest.mark.parametrize("release", ["lamost_dr5", "lamost_dr8"])
def test_lamost_reads_both_layouts_alike(make, write, release):
    s = read_spectra(write(getattr(make, release)()))
    np.testing.assert_allclose(s.flux[0], make.FLUX[0])
    np.testing.assert_allclose(s.ivar[0, 4:], make.ERROR[0, 4:] ** -2, rtol=1e-6)
    np.testing.assert_allclose(s.wavelength.to_value(u.AA), 10**make.LOGLAM, rtol=1e-6)
    assert s.medium == "vacuum"
    # The AND mask marks one pixel, the OR mask ten.
    assert np.flatnonzero(s.mask[0]).tolist() == [3]
    meta = [s.meta[key][0] for key in ("id", "snr", "format")]
    assert meta == ["101001", 33.0, "LAMOST"]
    np.testing.assert_allclose(s.meta["rv"], -29.980744769)  # of the star, not HELIO_RV


def test_galah_errors_are_relative(make, write):
    """Read as counts, as specutils does, they would be wrong by the flux."""
    s = read_spectra(write(make.galah(), "1311160005010021.fits"))
    np.testing.assert_allclose(s.std[0], make.ERROR[0], rtol=1e-5)
    np.testing.assert_allclose(s.wavelength.value, 4713 + 0.046 * np.arange(make.N))
    assert s.medium == "air"
    assert s.unit == u.count
    assert s.meta["id"] == ["1311160005010021"]
    assert s.meta["rv"].tolist() == [11.5]


@pytest.mark.parametrize(("arm", "first"), [("b", 3600), ("R", 5600), ("z", 7600)])
def test_desi_reads_one_arm_of_all_targets(make, write, arm, first):
    s = read_spectra(write(make.desi()), arm=arm)
    np.testing.assert_allclose(s.flux, make.FLUX)
    np.testing.assert_allclose(s.ivar[0], make.ERROR[0] ** -2, rtol=1e-6)
    assert s.wavelength.value[0] == first
    assert np.argwhere(s.mask).tolist() == [[1, 4]]
    assert s.meta["id"] == ["11", "22", "33"]
    assert s.meta["snr"].tolist() == [1, 2, 3]
    assert s.medium == "vacuum"


def test_desi_with_one_arm_needs_no_choice(make, write):
    assert len(read_spectra(write(make.desi("B")))) == 3


def test_desi_asks_for_an_arm(make, write):
    path = write(make.desi())
    with pytest.raises(SpectrumFileError, match="pass arm='b' or arm='r' or arm='z'"):
        read_spectra(path)
    with pytest.raises(SpectrumFileError, match="got 'boss'"):
        read_spectra(path, arm="boss")


def real_desi_files() -> list[Path]:
    import specutils

    folder = Path(specutils.__file__).parent / "io/default_loaders/tests/desi_test_data"
    return sorted(folder.glob("*.fits"))


@pytest.mark.parametrize("arm", "brz")
def test_desi_reads_real_files_as_specutils_does(arm):
    """Cut-outs of public files come with specutils; elsewhere there is nothing to compare."""
    from specutils import SpectrumList

    for path in real_desi_files()[:2]:
        kind = "DESI coadd" if path.name.startswith("coadd") else "DESI spectra"
        theirs = {s.meta["band"]: s for s in SpectrumList.read(str(path), format=kind)}[arm]
        ours = read_spectra(path, arm=arm)
        bad = theirs.mask | (theirs.uncertainty.array <= 0)
        assert np.array_equal(ours.mask, bad)
        assert np.array_equal(ours.flux[~bad], theirs.flux.value[~bad])
        assert np.array_equal(ours.ivar[~bad], theirs.uncertainty.array[~bad])
        assert ours.unit == theirs.flux.unit


def gaia_file(make, kind: str, path: Path) -> None:
    """Write two sources, or one of them, in one of the ways the archive does."""
    flux, error = make.gaia()
    grid = make.GAIA_GRID
    if kind == "FITS, a row per source":
        ids = np.array([101, 102])
        Table({"source_id": ids, "flux": flux, "flux_error": error}).write(path, format="fits")
    elif kind == "ECSV, a row per source":
        ids = np.array([101, 102])
        table = Table({"source_id": ids, "flux": flux, "flux_error": error})
        table.write(path, format="ascii.ecsv")
    elif kind == "CSV, a row per source":
        rows = [
            f'{101 + i},"{f.tolist()}","{tuple(e.tolist())}"'
            for i, (f, e) in enumerate(zip(flux, error, strict=True))
        ]
        path.write_text("\n".join(["source_id,flux,flux_error", *rows]))
    else:
        units = {"wavelength": u.nm, "flux": u.W / u.m**2 / u.nm, "flux_error": u.W / u.m**2 / u.nm}
        table = Table({"wavelength": grid, "flux": flux[0], "flux_error": error[0]}, units=units)
        table.write(path, format={"F": "fits", "C": "ascii.csv", "E": "ascii.ecsv"}[kind[0]])


KINDS = ("FITS", "ECSV", "CSV")


@pytest.mark.parametrize("layout", ["a row per source", "a row per sample"])
@pytest.mark.parametrize("kind", KINDS)
def test_gaia_reads_every_layout_alike(make, tmp_path, kind, layout):
    path = tmp_path / "XP_SAMPLED-Gaia DR3 101"
    gaia_file(make, f"{kind}, {layout}", path)
    s = read_spectra(path)
    flux, error = make.gaia()
    n = len(s)
    assert n == (2 if layout == "a row per source" else 1)
    np.testing.assert_allclose(s.flux, flux[:n])
    np.testing.assert_allclose(s.std, error[:n])  # 1 / error**2 overflows float32
    np.testing.assert_allclose(s.wavelength.to_value(u.nm), make.GAIA_GRID)
    assert s.unit == u.W / u.m**2 / u.nm
    assert s.medium == "vacuum"
    assert s.meta["format"] == ["Gaia XP"] * n
    if n == 2:
        assert s.meta["id"] == ["101", "102"]


def test_gaia_without_wavelengths_needs_its_own_grid(make, write):
    table = Table({"source_id": [1], "flux": [[1.0, 2.0]], "flux_error": [[0.1, 0.1]]})
    hdul = fits.HDUList([fits.PrimaryHDU(), fits.BinTableHDU(table)])
    with pytest.raises(SpectrumFileError, match="or 343 samples"):
        read_spectra(write(hdul), format="Gaia XP")


def gaia_table(make, scale=1.0, **columns) -> fits.HDUList:
    """One spectrum on the grid of Gaia, with units in the table if given as Quantities."""
    flux, error = make.gaia(1)
    given = {"wavelength": make.GAIA_GRID * u.nm, "flux": scale * flux[0]}
    given |= {"flux_error": scale * error[0], **columns}
    return fits.HDUList([fits.PrimaryHDU(), fits.BinTableHDU(Table(given))])


@pytest.mark.parametrize("unit", [None, "erg / (s cm2 Angstrom)"])
def test_flux_on_the_grid_of_gaia_in_another_unit_is_not_from_gaia(make, write, unit):
    hdul = gaia_table(make, scale=1e19)
    if unit:
        hdul[1].header.update({"TUNIT2": unit, "TUNIT3": unit})
    s = read_spectra(write(hdul))
    assert s.meta["format"] == ["FITS"]
    assert s.unit == u.Unit(unit or "")
    np.testing.assert_allclose(s.flux, make.gaia(1)[0] * 1e19)


def test_normalised_flux_on_the_grid_of_gaia_needs_no_unit(make, write):
    ids = np.full(len(make.GAIA_GRID), 7)
    s = read_spectra(write(gaia_table(make, scale=1e19, source_id=ids)))
    assert s.unit == u.dimensionless_unscaled


def test_a_mask_on_the_grid_of_gaia_is_honoured(make, write):
    path = write(gaia_table(make, mask=np.arange(len(make.GAIA_GRID)) == 4))
    for name in (None, "Gaia XP"):
        assert np.flatnonzero(read_spectra(path, format=name).mask[0]).tolist() == [4]


def test_gaia_asked_for_takes_the_units_of_the_file_and_of_the_caller(make, write):
    hdul = gaia_table(make, wavelength=make.GAIA_GRID * u.AA)
    hdul[1].header.update({"TUNIT2": "W m-2 nm-1", "TUNIT3": "W m-2 nm-1"})
    path = write(hdul)
    s = read_spectra(path, format="Gaia XP", flux_unit="")
    np.testing.assert_allclose(s.wavelength.value, make.GAIA_GRID)
    assert s.unit == u.dimensionless_unscaled
    np.testing.assert_allclose(s.std, make.gaia(1)[1])
