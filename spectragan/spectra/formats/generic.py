"""FITS spectra of nobody in particular: a 1-D image with its axis in the header, or a table."""

import re
from dataclasses import replace
from typing import Any

import astropy.units as u
import numpy as np

from spectragan.spectra.formats.columns import (
    ERROR,
    FLUX,
    IVAR,
    MASK,
    VARIANCE,
    WAVELENGTH,
    Column,
    fits_columns,
    flux_unit,
    is_spectrum,
    read_columns,
    read_errors,
    read_mask,
    wavelength_unit,
    without_log,
)
from spectragan.spectra.formats.fits_file import (
    FitsFile,
    check_whole,
    number,
    required_number,
    word,
)
from spectragan.spectra.formats.pixels import FileProblem, Pixels, ReadOptions

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


# Names of image HDUs, beside those of columns.
FLUX_HDUS = [*FLUX, "sci", "data", "spec"]
# Names of HDUs beside the flux that are no further spectra of the star.
BESIDE = {
    *(*IVAR, *VARIANCE, *ERROR, *MASK, *WAVELENGTH),
    *("sky", "skyflux", "sky_flux", "background", "continuum", "cont", "model", "fit", "lines"),
    *("telluric", "response", "resolution", "lsf", "exposure", "snr", "weight", "quality"),
}


def identify_generic(file: FitsFile) -> bool:
    """Tell whether a FITS file may hold a spectrum at all; the reader says what is missing."""
    return True


def read_generic(file: FitsFile, options: ReadOptions) -> Pixels:
    """Return the only spectrum of a file, in an image or a table."""
    check_whole(file)
    key = _only(file, _flux_images(file))
    if key is not None:
        return _read_image(file, key, options)
    tables = {i: fits_columns(file, i) for i in range(len(file.hdul)) if file.is_table(i)}
    key = _only(file, _most_telling(file, [i for i in tables if is_spectrum(tables[i])]))
    if key is None and tables:
        key = next(iter(tables))  # whose reader says which columns it must have
    if key is not None:
        medium = header_medium(file.header(key), file.header())
        return replace(read_columns(tables[key], options), medium=medium)
    key = _only(file, _most_telling(file, [i for i in range(len(file.hdul)) if _has_axes(file, i)]))
    if key is None:
        raise FileProblem("it holds neither an image nor a table; check how it was written.")
    return _read_image(file, key, options)


def _flux_images(file: FitsFile) -> list[int]:
    """Return the images to read before any table: those named so, else the primary HDU.

    Images beside the primary HDU count, too, if they have an axis and no name that says what
    else they are: they may be further spectra.
    """
    images = [i for i in range(len(file.hdul)) if _has_axes(file, i)]
    named = [i for i in images if _name(file, i) in FLUX_HDUS]
    if named or 0 not in images:
        return named
    rest = [i for i in images[1:] if "CRVAL1" in file.header(i) and _name(file, i) not in BESIDE]
    return [0, *rest]


def _most_telling(file: FitsFile, keys: list[int]) -> list[int]:
    """Return the HDUs that are named like flux, else those with an axis, else all of them."""
    spectra = [key for key in keys if _name(file, key) not in BESIDE] or keys
    named = [key for key in spectra if _name(file, key) in FLUX_HDUS]
    return named or [key for key in spectra if "CRVAL1" in file.header(key)] or spectra


def _only(file: FitsFile, keys: list[int]) -> int | None:
    """Return the only HDU that may hold the spectrum; to choose one would lose the others."""
    if len(keys) > 1:
        names = ", ".join(f"HDU {key} {_name(file, key).upper()}".strip() for key in keys[:8])
        raise FileProblem(
            f"it must hold one spectrum, or a table with a spectrum per row; got {names}; name "
            "one of them FLUX, or build Spectra(flux, wavelength) from each."
        )
    return keys[0] if keys else None


def _name(file: FitsFile, key: int) -> str:
    return str(file.hdul[key].name).strip().lower()


def _has_axes(file: FitsFile, key: int) -> bool:
    return bool(file.hdul[key].is_image and file.header(key).get("NAXIS", 0))


def _read_image(file: FitsFile, key: int, options: ReadOptions) -> Pixels:
    flux, header = file.image(key, "flux"), file.header(key)
    if flux.ndim != 1 and not (flux.ndim == 2 and len(flux) == 1):
        raise FileProblem(
            f"the image in HDU {key} must be 1-D, a spectrum; got shape {flux.shape}; extract "
            "spectra from it first, or build Spectra(flux, wavelength) from its array."
        )
    axis, medium = _axis(file, header, key, flux.shape[-1], options)
    said = header.get("BUNIT")
    unit = flux_unit(said, options)
    primary, others = file.header(), _other_images(file)
    return Pixels(
        flux,
        axis,
        bad=read_mask(others),
        unit=unit,
        medium=medium,
        ids=[word(primary, "OBJECT") or options.stem],
        snr=[number(primary, "SNR")],
        **read_errors(others, unit, said if options.flux_unit else None),
    )


def _other_images(file: FitsFile) -> dict[str, Column]:
    """Return the images that are named for errors or a mask, with their units."""
    names = {*IVAR, *VARIANCE, *ERROR, *MASK}
    return {
        hdu.name.lower(): Column(file.image(i, hdu.name.lower()), hdu.header.get("BUNIT"))
        for i, hdu in enumerate(file.hdul)
        if hdu.is_image and hdu.name.lower() in names
    }


def _axis(file, header, key, n_pixels, options) -> tuple[u.Quantity, str | None]:
    """Return the axis of an image: from an HDU of its own, else from the header."""
    medium = header_medium(header, file.header())
    for i, hdu in enumerate(file.hdul):
        if i != key and hdu.is_image and hdu.name.lower() in WAVELENGTH:
            values = file.image(i, "wavelengths").ravel()
            unit = wavelength_unit(hdu.header.get("BUNIT"), options.wavelength_unit)
            return values * unit, medium
    return header_axis(header, key, n_pixels, options), medium
