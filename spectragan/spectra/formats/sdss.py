"""SDSS, BOSS and SDSS-V optical spectra: spec files, one fibre each.

The data model is https://data.sdss.org/datamodel/files/BOSS_SPECTRO_REDUX/RUN2D/spectra/PLATE4/
spec.html. Wavelengths are vacuum, in the heliocentric frame.
"""

from typing import Any

import astropy.units as u
import numpy as np
from astropy.constants import c

from spectragan.spectra.formats.fits_file import FitsFile, word
from spectragan.spectra.formats.pixels import FLUX_1E17, FileProblem, Pixels, ReadOptions, has_bits

# SPPIXMASK (https://www.sdss3.org/dr10/algorithms/bitmask_sppixmask.php): pixels that are very bad
# (FULLREJECT, NOSKY) have ivar 0 already; the survey names BRIGHTSKY as the one bit to look at. It
# is looked up in the AND mask (set in every exposure): the OR mask marks most pixels.
BAD_BITS = (18, 22, 23)
C_KMS = c.to_value(u.km / u.s)


def identify_spec(file: FitsFile) -> bool:
    """Tell whether a FITS file is a spec file."""
    return file.is_table(1, "flux", "loglam", "ivar") and _mask_name(file) is not None


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
    return np.where(np.char.strip(kind.astype(str)) == "STAR", C_KMS * redshift, np.nan)


def _first(values: np.ndarray | None) -> np.ndarray | None:
    return None if values is None else values[:1]
