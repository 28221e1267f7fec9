"""Names of stars: in columns, cards and headers of people, and with all of their digits."""

import warnings

import astropy.units as u
import numpy as np
import pytest
from astropy.io import fits
from astropy.table import Table

from spectragan import read_spectra

N = 60
WAVE, FLUX = 5000.0 + np.arange(N), np.linspace(1, 2, N)


def of_columns(unit, **columns) -> fits.HDUList:
    """Return a table whose first column is in a unit."""
    hdu = fits.BinTableHDU(Table(columns))
    hdu.header["TUNIT1"] = unit
    return fits.HDUList([fits.PrimaryHDU(), hdu])


STARS = ["star a", "star b"]
ID_COLUMNS = (
    *("TMASS", "GAIADR3", "SIMBAD", "UNIQ_ID", "SPECID", "RAVE_OBS_ID", "CNAME", "UCAC", "TARGID"),
    *("uniqueid", "lamost_obsid", "SOURCE", "identifier", "GALAH_ID", "kepler_id", "objid_sdss"),
    *("Label", "obj", "stellar_id", "IDs", "sweetcat"),
)


@pytest.mark.parametrize("name", ID_COLUMNS)
def test_names_of_stars_are_found_in_other_columns(write, name):
    columns = {"WAVE": np.stack([WAVE] * 2), name: STARS, "FLUX": np.stack([FLUX] * 2)}
    path = write(of_columns("Angstrom", **columns, survey_name=["mine", "mine"]))
    assert read_spectra(path).meta["id"] == STARS


ID_CARDS = ("CNAME", "NAME", "TIC", "KIC", "HIP", "TARGETID", "GAIA_ID", "STAR_ID", "SPECID", "ID")


@pytest.mark.parametrize("card", [*ID_CARDS, "HIERARCH ESO OBS TARG NAME", "OBJ_NAME"])
def test_names_of_stars_are_found_in_other_cards(make, write, card):
    hdul = make.one_d()
    hdul[0].header[card] = "HD 1"
    assert read_spectra(write(hdul)).meta["id"] == ["HD 1"]


def test_an_ecsv_says_name_and_medium_in_its_header(tmp_path):
    table = Table({"wavelength": WAVE * u.AA, "flux": FLUX})
    table.meta.update({"object": "HD 1", "medium": "air"})
    table.write(tmp_path / "a.ecsv")
    s = read_spectra(tmp_path / "a.ecsv")
    assert (s.meta["id"], s.medium) == (["HD 1"], "air")


GAIA_IDS = np.array([5853498713190525696, 5853498713190525697, 5853498713190525699])


@pytest.mark.parametrize("kind", ["fits", "ecsv", "csv"])
def test_long_numbers_of_stars_keep_their_digits_beside_an_empty_one(tmp_path, kind):
    """One star without a number must not turn those of the others into decimals."""
    stack = {"wavelength": np.stack([WAVE] * 3) * u.AA, "flux": np.stack([FLUX] * 3)}
    ids = np.ma.array(GAIA_IDS, mask=[False, True, False])
    path = tmp_path / f"a.{kind}"
    if kind == "csv":
        ids = ["" if i == 1 else str(GAIA_IDS[0]) for i in range(N)]
        rows = [f"{i},{w},{f}" for i, w, f in zip(ids, WAVE, FLUX, strict=True)]
        path.write_text("\n".join(["source_id,wavelength [AA],flux", *rows]))
        with warnings.catch_warnings():
            warnings.simplefilter("error")
            assert read_spectra(path).meta["id"] == ["a"]
        return
    Table({"source_id": ids, **stack}, masked=True).write(path)
    found = read_spectra(path).meta["id"]
    assert [found[0], found[2]] == [str(GAIA_IDS[0]), str(GAIA_IDS[2])]


def test_numbers_of_stars_stored_as_decimals_are_written_without(write):
    columns = {"WAVE": np.stack([WAVE] * 2), "ID": [12.0, 13.0], "FLUX": np.stack([FLUX] * 2)}
    assert read_spectra(write(of_columns("Angstrom", **columns))).meta["id"] == ["12", "13"]
