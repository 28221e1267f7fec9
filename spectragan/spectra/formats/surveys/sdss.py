"""SDSS, BOSS and SDSS-V optical spectra: spec files, one fibre each.

The data model is https://data.sdss.org/datamodel/files/BOSS_SPECTRO_REDUX/RUN2D/spectra/PLATE4/
spec.html. Wavelengths are vacuum, in the heliocentric frame.
"""

from typing import Any

import astropy.units as u
import numpy as np

from spectragan.spectra.doppler import redshift_velocity
from spectragan.spectra.formats.fits_file import FitsFile, number, required_number, word
from spectragan.spectra.formats.pixels import (
    FLUX_1E17,
    FileProblem,
    Pixels,
    ReadOptions,
    has_bits,
    log_axis,
)

# SPPIXMASK (https://www.sdss3.org/dr10/algorithms/bitmask_sppixmask.php): pixels that are very bad
# (FULLREJECT, NOSKY) have ivar 0 already; the survey names BRIGHTSKY as the one bit to look at. It
# is looked up in the AND mask (set in every exposure): the OR mask marks most pixels.
BAD_BITS = (18, 22, 23)
# Bit 24 (NODATA) is set, and the error is 0, where an spSpec file has no data.
NO_DATA = 24
SPSPEC_ROWS = (4, 6)  # spectrum, the same without continuum, error, mask; and at most two more
# SPEC_CLN of spSpec: 1 is a star, 6 a late one.
STARS = (1, 6)


def identify_spec(file: FitsFile) -> bool:
    """Tell whether a FITS file is a spec file: columns alone are also those of people's tables.

    The survey writes no unit of flux into its tables, or its own.
    """
    columns = file.is_table(1, "flux", "loglam", "ivar") and _mask_name(file) is not None
    if not columns or not _says_sdss(file.header()):
        return False
    unit = next(c.unit for c in file.hdul[1].columns if c.name.lower() == "flux")
    return not unit or "17" in unit


def _says_sdss(header: Any) -> bool:
    return "SDSS" in str(header.get("TELESCOP", "")).upper() or any(
        name in header for name in ("PLATEID", "FIBERID", "CATALOGID", "SDSS_ID", "RUN2D")
    )


def _mask_name(file: FitsFile) -> str | None:
    return next((name for name in ("and_mask", "mask") if file.is_table(1, name)), None)


def read_spec(file: FitsFile, options: ReadOptions) -> Pixels:
    """Return the coadded spectrum of one fibre."""
    data = file.table(1, "coadded spectrum", "flux", "loglam", "ivar")
    mask = _mask_name(file)
    if mask is None:
        raise FileProblem(
            "the table in HDU 1 must have a column 'and_mask' or 'mask'; got none; "
            "check the format of the file."
        )
    with np.errstate(over="ignore"):
        wavelength = 10.0 ** np.asarray(data["loglam"], dtype=float) * u.AA
    return Pixels(
        np.asarray(data["flux"]),
        wavelength,
        ivar=np.asarray(data["ivar"]),
        bad=has_bits(data[mask], BAD_BITS),
        unit=FLUX_1E17,
        medium="vacuum",
        ids=[_identity(file.header(), options)],
        snr=_first(file.numbers(2, "sn_median_all", "snmedian", "sn_median")),
        rv=_first(_velocity(file)),
    )


def _identity(header: Any, options: ReadOptions) -> str:
    """Return plate-mjd-fibre, or the catalogue number of SDSS-V, or the name of the file."""
    parts = [word(header, name) for name in ("PLATEID", "MJD", "FIBERID")]
    if all(parts):
        return "-".join(str(part) for part in parts)
    return word(header, "CATALOGID", "SDSS_ID") or options.stem


def _velocity(file: FitsFile) -> np.ndarray | None:
    """Return the velocity in km/s; the redshift of something else than a star is none."""
    kind, redshift = file.column(2, "class"), file.numbers(2, "z")
    if kind is None or redshift is None:
        return None
    is_star = np.char.strip(kind.astype(str)) == "STAR"
    return np.where(is_star, redshift_velocity(redshift), np.nan)


def _first(values: np.ndarray | None) -> np.ndarray | None:
    return None if values is None else values[:1]


def identify_spspec(file: FitsFile) -> bool:
    """Tell whether a FITS file is an spSpec file of SDSS-I/II: an image of rows."""
    header = file.header()
    rows = header.get("NAXIS") == 2 and _is_spspec((header.get("NAXIS2", 0),), file)
    return rows and "COEFF0" in header and "COEFF1" in header and _says_sdss(header)


def _is_spspec(shape: tuple[int, ...], file: FitsFile) -> bool:
    """Tell spSpec from spPlate, whose rows are fibres and whose next HDU is an image."""
    low, high = SPSPEC_ROWS
    return low <= shape[0] <= high and not file.is_image(1)


def read_spspec(file: FitsFile, options: ReadOptions) -> Pixels:
    """Return one spectrum of SDSS-I/II.

    The data model is https://classic.sdss.org/dr7/dm/flatFiles/spSpec.php: the wavelength of pixel
    i is 10^(COEFF0 + COEFF1 i), i from 0. specutils 2.4 counts i from 1: 69 km/s too much.
    """
    rows, header = file.image(0, "spectrum, errors and mask"), file.header()
    if rows.ndim != 2 or not _is_spspec(rows.shape, file):
        raise FileProblem(
            f"the image in HDU 0 must have {SPSPEC_ROWS[0]} to {SPSPEC_ROWS[1]} rows (spectrum, "
            f"error and mask), and no image behind it; got shape {rows.shape}; check the format of "
            "the file."
        )
    first, step = (required_number(header, 0, name) for name in ("COEFF0", "COEFF1"))
    is_star = number(header, "SPEC_CLN") in STARS
    return Pixels(
        rows[0],
        log_axis(first, step, rows.shape[1]),
        error=rows[2],
        bad=has_bits(rows[3], (*BAD_BITS, NO_DATA)),
        unit=FLUX_1E17,
        medium="vacuum",
        ids=[_identity(header, options)],
        snr=[number(header, "SN_R", "SN_G")],
        rv=[float(redshift_velocity(number(header, "Z"))) if is_star else np.nan],
    )
