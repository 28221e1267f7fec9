"""SDSS-V Milky Way Mapper: mwmStar (coadds) and mwmVisit (visits), as astra writes them.

The data models are described at https://sdss-astra.readthedocs.io. HDU 1 and 2 hold BOSS, 3 and 4
APOGEE spectra, each from Apache Point and Las Campanas. Wavelengths are vacuum, at rest.
"""

from typing import Any

import astropy.units as u
import numpy as np

from spectragan.spectra.formats.fits_file import FitsFile, number, required_number, word
from spectragan.spectra.formats.pixels import (
    FLUX_1E17,
    FileProblem,
    Pixels,
    ReadOptions,
    choose_arm,
    has_bits,
    log_axis,
)
from spectragan.spectra.formats.surveys.apogee import BAD_BITS as APOGEE_BAD_BITS

COLUMNS = ("flux", "ivar", "pixel_flags")
HDUS = (1, 2, 3, 4)


def identify_mwm(file: FitsFile) -> bool:
    """Tell whether a FITS file is an mwmStar or mwmVisit."""
    return {"V_ASTRA", "SDSS_ID"} <= set(file.header())


def read_mwm(file: FitsFile, options: ReadOptions) -> Pixels:
    """Return what one instrument saw: a star's coadd per observatory, or all its visits."""
    instruments = {key: _instrument(file, key) for key in HDUS if _n_rows(file, key)}
    keys = _choose(instruments, options.arm)
    tables = {key: file.table(key, "spectra", *COLUMNS) for key in keys}
    axes = [_axis(file, key, data) for key, data in tables.items()]
    if any(not np.array_equal(axes[0], axis) for axis in axes):
        raise FileProblem("its HDUs must be on one grid; got two; check the format of the file.")
    # The flags of BOSS are an OR mask, which marks most pixels; there ivar = 0 says what is bad.
    bits = APOGEE_BAD_BITS if instruments[keys[0]] == "apogee" else ()
    flux, ivar, flags = (_rows(tables, name) for name in COLUMNS)
    return Pixels(
        flux,
        axes[0],
        ivar=ivar,
        bad=has_bits(flags, bits),
        unit=FLUX_1E17,
        medium="vacuum",
        ids=[name for key in keys for name in _ids(file, key, len(tables[key]))],
        snr=np.concatenate([_numbers(file, key, "snr") for key in keys]),
        rv=np.concatenate([_numbers(file, key, "v_rad", "xcsao_v_rad") for key in keys]),
        visit=np.concatenate([_visits(file, key, len(tables[key])) for key in keys]),
        at_rest=True,
    )


def _n_rows(file: FitsFile, key: int) -> int:
    return int(file.header(key).get("NAXIS2", 0)) if file.is_table(key) else 0


def _instrument(file: FitsFile, key: int) -> str:
    """Return "boss" or "apogee"; BOSS is in HDU 1 and 2 where the header doesn't say."""
    return (word(file.header(key), "INSTRMNT") or ("BOSS" if key < 3 else "APOGEE")).lower()


def _choose(instruments: dict[int, str], arm: str | None) -> list[int]:
    if not instruments:
        raise FileProblem("it holds no spectrum, all of its tables are empty; leave it out.")
    wanted = choose_arm(sorted(set(instruments.values())), arm)
    return [key for key, name in instruments.items() if name == wanted]


def _rows(tables: dict[int, Any], name: str) -> np.ndarray:
    return np.concatenate(
        [np.asarray(data[name]).reshape(len(data), -1) for data in tables.values()]
    )


def _axis(file: FitsFile, key: int, data: Any) -> u.Quantity:
    if file.is_table(key, "wavelength"):
        return np.asarray(data["wavelength"][0], dtype=float) * u.AA
    header = file.header(key)
    first, step = (required_number(header, key, name) for name in ("CRVAL", "CDELT"))
    return log_axis(first, step, np.shape(data["flux"])[-1])


def _numbers(file: FitsFile, key: int, *names: str) -> np.ndarray:
    values = file.numbers(key, *names)
    return np.full(_n_rows(file, key), np.nan) if values is None else values


def _ids(file: FitsFile, key: int, n_rows: int) -> list[str]:
    column = file.column(key, "sdss_id")
    in_header = number(file.header(), "SDSS_ID")
    return [f"{in_header:.0f}"] * n_rows if column is None else [str(value) for value in column]


def _visits(file: FitsFile, key: int, n_rows: int) -> np.ndarray:
    """Return 0 for a coadd, which spans a range of days, and 1, 2, ... for visits."""
    is_coadd = file.is_table(key, "min_mjd")
    return np.zeros(n_rows, dtype=int) if is_coadd else np.arange(1, n_rows + 1)
