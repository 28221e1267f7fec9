"""Spectral axes: where logarithms are undone, and what headers say of them."""

import math
import re
import warnings
from typing import Any

import astropy.units as u
import numpy as np

from spectragan.exceptions import FileAssumptionWarning
from spectragan.spectra.formats.fits_file import number, required_number
from spectragan.spectra.formats.media import header_flag
from spectragan.spectra.formats.pixels import (
    FileProblem,
    ReadOptions,
    first_line,
    is_optical,
    is_plausible,
)
from spectragan.spectra.formats.units import axis_unit

# CTYPE1 of a linear axis, and of those that paper III of FITS calls logarithmic.
LINEAR = {"", "LINEAR", "LAMBDA", "WAVELENGTH", "WAVE", "AWAV", "FREQ", "WAVN", "ENER", "ANGSTROM"}
SPECTRAL_LOG = {"WAVE-LOG", "AWAV-LOG", "FREQ-LOG", "WAVN-LOG", "ENER-LOG"}
# Those that astropy computes: tables (-TAB), grisms, and one quantity linear in another.
COMPUTED = re.compile(r"(WAVE|AWAV|FREQ|WAVN|ENER)-(TAB|GRI|GRA|[FWVA]2[FWVA])")


def undo_log(values: np.ndarray, log: str, unit: u.UnitBase) -> u.Quantity:
    """Return wavelengths of an axis in a logarithm; the one place where this is done.

    Parameters
    ----------
    values : ndarray of shape (n_pixels,)
        As they are written.
    log : {"", "log10", "ln", "log"}
        "log" doesn't say the base: it is the one that gives wavelengths of stars, 10 if both do.
    unit : astropy.units.UnitBase
        Of the wavelengths.

    Returns
    -------
    Quantity of shape (n_pixels,)
        The wavelengths.
    """
    if not log:
        return values * unit
    axis = _undone(values, log, unit)
    if not is_plausible(axis):
        raise FileProblem(
            f"its logarithms ({log}) must be of wavelengths from 900 Angstrom to 0.1 mm; got "
            f"{np.min(values):.6g} to {np.max(values):.6g} for {str(unit)!r}; pass for example "
            "wavelength_unit='ln(Angstrom)' or 'log10(nm)', or `wavelength`."
        )
    return axis


def _undone(values: np.ndarray, log: str, unit: u.UnitBase) -> u.Quantity:
    with np.errstate(over="ignore", invalid="ignore"):
        common, natural = 10.0 ** values.astype(float) * unit, np.exp(values.astype(float)) * unit
    if log == "log":
        log = "ln" if is_optical(natural) and not is_optical(common) else "log10"
    return natural if log == "ln" else common


def spectral_axis(
    values: np.ndarray, said: Any, options: ReadOptions, log: str = "", default: Any = None
) -> u.Quantity:
    """Return wavelengths from their values, and what the caller or the file says of their unit.

    Parameters
    ----------
    values : ndarray of shape (n_pixels,)
        Numbers.
    said : str or None
        Unit as the file writes it.
    options : ReadOptions
        The caller's unit comes first.
    log : {"", "log10", "ln", "log"}, default=""
        What else says that they are logarithms, such as the name of a column.
    default : astropy.units.UnitBase, default=None
        Where nobody says; Angstrom for logarithms in a column.
    """
    unit, own = options.wavelength_unit or axis_unit(said)
    return undo_log(values, own or log, needed(unit or default))


def needed(unit: u.UnitBase | None) -> u.UnitBase:
    """Return a unit; without one, wavelengths mean nothing."""
    if unit is None:
        raise FileProblem(
            "its wavelengths must have a unit; got none; pass for example wavelength_unit='nm'."
        )
    return unit


def header_axis(file: Any, key: int, n_pixels: int, options: ReadOptions) -> u.Quantity:
    """Return the wavelengths that the header of HDU `key` says, linear or logarithmic."""
    header = file.header(key)
    kind = str(header.get("CTYPE1", "")).strip().upper()
    if COMPUTED.fullmatch(kind):
        return _computed_axis(file, header, n_pixels)
    first = required_number(header, key, "CRVAL1", "COEFF0")
    reference = _reference(header, key, options)
    offset = axis_step(header, key) * (np.arange(n_pixels) + 1 - reference)
    # SDSS writes log10 of Angstrom; what was resampled since keeps it beside another CRVAL1.
    is_sdss = bool(np.isclose(number(header, "COEFF0"), first, rtol=1e-6))
    said = header.get("CUNIT1") or iraf_unit(header) or "AA" * is_sdss
    unit, own = options.wavelength_unit or axis_unit(said)
    log = own or _log_of(header, kind, is_sdss, key)
    if kind in SPECTRAL_LOG and not own:
        return _paper_axis(first, offset, needed(unit))
    return undo_log(first + offset, log, needed(unit))


def _reference(header: Any, key: int, options: ReadOptions) -> float:
    """Return the pixel that has CRVAL1; COEFF0 alone is always that of the first pixel.

    By the standard of FITS it is 0 where CRPIX1 isn't written; people mean the first pixel.
    """
    if math.isnan(number(header, "CRVAL1")):
        return 1.0
    if "CRPIX1" in header:
        return required_number(header, key, "CRPIX1")
    if "COEFF0" not in header:
        options.note(
            FileAssumptionWarning,
            "it has no CRPIX1, and CRVAL1 is taken for the wavelength of its first pixel",
        )
    return 1.0


def _log_of(header: Any, kind: str, is_sdss: bool, key: int) -> str:
    """Return the logarithm that a header says beside the unit; raise if it is no such axis."""
    if is_sdss or header_flag(header, "DC-FLAG"):
        return "log10"
    if kind in LINEAR | SPECTRAL_LOG:
        return ""
    if re.search(r"LOG|\bLN\b|^L[NG]", kind):
        return "ln" if re.search(r"\bLN\b|^LN", kind) else "log"
    raise FileProblem(
        f"the axis of HDU {key} must be a spectral one, linear or logarithmic; got "
        f"CTYPE1={kind!r}; resample it, or build Spectra(flux, wavelength)."
    )


def _paper_axis(first: float, offset: np.ndarray, unit: u.UnitBase) -> u.Quantity:
    """Return an axis of CTYPE1 ...-LOG: as in paper III of FITS, where CRVAL1 is a wavelength.

    Models (PHOENIX, ULySS) write the logarithm itself into CRVAL1; 8 Angstrom is no star's.
    """
    with np.errstate(over="ignore", divide="ignore", invalid="ignore"):
        as_said = first * np.exp(offset / first) * unit
        undone = _undone(first + offset, "log", unit)
    return undone if is_optical(undone) and not is_optical(as_said) else as_said


def _computed_axis(file: Any, header: Any, n_pixels: int) -> u.Quantity:
    """Return an axis that is no line, from astropy."""
    from astropy.wcs import WCS

    try:
        with warnings.catch_warnings():
            warnings.simplefilter("ignore")
            wcs = WCS(header, fobj=file.hdul)
            pixels = [np.arange(n_pixels), *(np.zeros(n_pixels) for _ in range(wcs.naxis - 1))]
            return wcs.all_pix2world(*pixels, 0)[0] * u.Unit(wcs.wcs.cunit[0])
    except Exception as error:  # wcslib has its own errors, and asserts
        raise FileProblem(
            f"its axis, CTYPE1={header['CTYPE1']!r}, can't be computed ({first_line(error)}); pass "
            "`wavelength` with its wavelengths."
        ) from error


def axis_step(header: Any, key: int) -> float:
    """Return the step of the axis: CDELT1 counts only where there is no CD1_1, times PC1_1."""
    if "CD1_1" in header:
        return required_number(header, key, "CD1_1")
    factor = required_number(header, key, "PC1_1") if "PC1_1" in header else 1.0
    if "CDELT1" not in header and "COEFF1" in header:
        return required_number(header, key, "COEFF1")
    return factor * required_number(header, key, "CDELT1", "CD1_1")


def iraf_unit(header: Any) -> str | None:
    """Return the unit that IRAF writes into its own header cards."""
    match = re.search(r"units=(\w+)", str(header.get("WAT1_001", "")))
    return match[1] if match else None
