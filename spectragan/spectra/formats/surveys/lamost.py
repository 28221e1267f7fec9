"""LAMOST: low resolution, DR1 to DR7 (an image of five rows) and DR8 on (a table); and medium.

The data models are http://dr5.lamost.org/v3/doc/data-production-description and
http://www.lamost.org/dr8/v1.0/doc/lr-data-production-description and .../mr-data-production-...
Wavelengths are vacuum, in the heliocentric frame; flux is relative.
"""

from typing import Any

import astropy.units as u
import numpy as np

from spectragan.spectra.doppler import redshift_velocity
from spectragan.spectra.formats.fits_file import FitsFile, number, word
from spectragan.spectra.formats.media import header_medium
from spectragan.spectra.formats.pixels import (
    NO_VELOCITY,
    FileProblem,
    Pixels,
    ReadOptions,
    choose_arm,
)

# The rows of the image up to DR7, and the columns of the table since DR8.
COLUMNS = ("FLUX", "IVAR", "WAVELENGTH", "ANDMASK", "ORMASK")
# The HDUs of a medium-resolution file: the arms, each on its own grid.
ARMS = {"b": "COADD_B", "r": "COADD_R"}


def identify_lamost(file: FitsFile) -> bool:
    """Tell whether a FITS file is a LAMOST spectrum."""
    return "LAMOST" in str(file.header().get("TELESCOP", "")).upper()


def read_lamost(file: FitsFile, options: ReadOptions) -> Pixels:
    """Return one spectrum, with pixels masked that are bad in all exposures (the AND mask)."""
    arms = {arm: name for arm, name in ARMS.items() if file.hdu(name) is not None}
    if not arms and options.arm is not None:
        raise FileProblem(
            f"`arm` must be None for a file of low resolution, which has no arms; got "
            f"{options.arm!r}; leave it out."
        )
    key = arms[choose_arm(list(arms), options.arm)] if arms else 1
    rows = _table_rows(file, key) or _image_rows(file)
    flux, ivar, wavelength, mask = rows
    header = file.header()
    return Pixels(
        flux,
        wavelength.astype(float) * u.AA,
        ivar=ivar,
        bad=mask != 0,
        medium=header_medium(header) or "vacuum",
        ids=[word(header, "OBSID", "DESIG") or options.stem],
        snr=[number(header, "SNRG", "SNRR", "SNRI")],
        rv=[_velocity(header)],
    )


def _table_rows(file: FitsFile, key: int | str) -> list[np.ndarray] | None:
    """Return flux, ivar, wavelength and mask of a table: in one row, or a row per pixel."""
    wave = next((name for name in ("wavelength", "loglam") if file.is_table(key, name)), None)
    if wave is None or not file.is_table(key, "flux", "ivar", "andmask"):
        return None
    data = file.table(key, "spectrum")
    flux, ivar, mask, axis = (
        np.asarray(data[name]).reshape(-1) for name in ("flux", "ivar", "andmask", wave)
    )
    with np.errstate(over="ignore"):
        return [flux, ivar, 10.0 ** axis.astype(float) if wave == "loglam" else axis, mask]


def _image_rows(file: FitsFile) -> list[np.ndarray]:
    image = file.image(0, "flux, ivar, wavelengths and masks (low resolution)")
    if image.shape[0] != len(COLUMNS) or image.ndim != 2:
        raise FileProblem(
            f"the image in HDU 0 must have {len(COLUMNS)} rows (flux, ivar, wavelength and two "
            f"masks); got shape {image.shape}; check the format of the file."
        )
    return list(image[:4])


def _velocity(header: Any) -> float:
    """Return the velocity of a star in km/s, from its redshift.

    HELIO_RV is that of the Earth, which the survey has taken out of the wavelengths.
    """
    redshift = number(header, "Z")
    is_star = (word(header, "CLASS") or "").upper() == "STAR"
    return float(redshift_velocity(redshift)) if is_star and abs(redshift) < NO_VELOCITY else np.nan
