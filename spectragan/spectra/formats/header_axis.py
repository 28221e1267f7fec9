"""What the header of an image says of its axis: wavelengths, and the medium they are in."""

import re
from typing import Any

import astropy.units as u
import numpy as np

from spectragan.spectra.formats.fits_file import number, required_number
from spectragan.spectra.formats.options import ReadOptions
from spectragan.spectra.formats.problem import FileProblem
from spectragan.spectra.formats.unit_words import wavelength_unit, without_log

NATURAL_LOG = {"WAVE-LOG", "AWAV-LOG", "FREQ-LOG", "WAVN-LOG", "ENER-LOG"}
LINEAR = {"", "LINEAR", "LAMBDA", "WAVELENGTH", "WAVE", "AWAV", "FREQ", "WAVN", "ENER"}
LOG10 = {"LOG-LINEAR", "LOGLAM", "LOG10", "WAVE-LOG10"}


def header_axis(header: Any, key: int, n_pixels: int, options: ReadOptions) -> u.Quantity:
    """Return the wavelengths that the header of HDU `key` says, linear or logarithmic."""
    first = required_number(header, key, "CRVAL1", "COEFF0")
    kind = str(header.get("CTYPE1", "")).strip().upper()
    reference = required_number(header, key, "CRPIX1") if "CRPIX1" in header else 1.0
    offset = _step(header, key) * (np.arange(n_pixels) + 1 - reference)
    # SDSS writes log10 of Angstrom; what was resampled since keeps it beside another CRVAL1.
    is_sdss = bool(np.isclose(number(header, "COEFF0"), first, rtol=1e-6))
    text, is_log10 = without_log(header.get("CUNIT1") or _iraf_unit(header) or "AA" * is_sdss)
    is_log10 = is_log10 or is_sdss or kind in LOG10 or header.get("DC-FLAG") == 1
    if not is_log10 and kind not in LINEAR | NATURAL_LOG:
        raise FileProblem(
            f"the axis of HDU {key} must be a spectral one, linear or logarithmic; got "
            f"CTYPE1={kind!r}; resample it, or build Spectra(flux, wavelength)."
        )
    unit = wavelength_unit(text, options.wavelength_unit)
    with np.errstate(over="ignore"):
        if is_log10:
            return 10.0 ** (first + offset) * unit
        if kind in NATURAL_LOG:
            return first * np.exp(offset / first) * unit
    return (first + offset) * unit


def _step(header: Any, key: int) -> float:
    """Return the step of the axis: CDELT1 counts only where there is no CD1_1, times PC1_1."""
    if "CD1_1" in header:
        return required_number(header, key, "CD1_1")
    factor = required_number(header, key, "PC1_1") if "PC1_1" in header else 1.0
    if "CDELT1" not in header and "COEFF1" in header:
        return required_number(header, key, "COEFF1")
    return factor * required_number(header, key, "CDELT1", "CD1_1")


def _iraf_unit(header: Any) -> str | None:
    """Return the unit that IRAF writes into its own header cards."""
    match = re.search(r"units=(\w+)", str(header.get("WAT1_001", "")))
    return match[1] if match else None


def header_medium(*headers: Any) -> str | None:
    """Return the medium that the first of some headers says that says any, or None."""
    return next((medium for medium in map(_medium, headers) if medium), None)


def _medium(header: Any) -> str | None:
    """Return what a header says of the medium; CTYPE1='WAVE' is written for both, so says none."""
    said = str(header.get("AIRORVAC", "")).strip().lower()[:3]
    if said in ("air", "vac"):
        return "air" if said == "air" else "vacuum"
    if str(header.get("CTYPE1", "")).strip().upper().startswith("AWAV"):
        return "air"
    return "vacuum" if header.get("VACUUM") in (True, 1) else None
