"""FITS spectra of nobody in particular: a 1-D image with its axis in the header, or a table."""

import re
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
    is_spectrum,
    read_columns,
    read_errors,
    read_mask,
)
from spectragan.spectra.formats.fits_columns import fits_columns
from spectragan.spectra.formats.fits_file import (
    FitsFile,
    check_whole,
    number,
    required_number,
    word,
)
from spectragan.spectra.formats.options import ReadOptions
from spectragan.spectra.formats.pixels import Pixels
from spectragan.spectra.formats.problem import FileProblem
from spectragan.spectra.formats.unit_words import parse_unit, wavelength_unit

# Names of image HDUs, beside those of columns.
FLUX_HDUS = [*FLUX, "sci", "data", "spec"]
NATURAL_LOG = {"WAVE-LOG", "AWAV-LOG", "FREQ-LOG", "WAVN-LOG", "ENER-LOG"}
LINEAR = {"", "LINEAR", "LAMBDA", "WAVELENGTH", "WAVE", "AWAV", "FREQ", "WAVN", "ENER"}
LOG10 = {"LOG-LINEAR", "LOGLAM", "LOG10", "WAVE-LOG10"}


def identify_generic(file: FitsFile) -> bool:
    """Tell whether a FITS file may hold a spectrum at all; the reader says what is missing."""
    return True


def read_generic(file: FitsFile, options: ReadOptions) -> Pixels:
    """Return the spectrum of the first image with data, or of the first fitting table."""
    check_whole(file)
    key = _flux_image(file)
    if key is not None:
        return _read_image(file, key, options)
    tables = [i for i in range(len(file.hdul)) if file.is_table(i)]
    if not tables:
        raise FileProblem("it holds neither an image nor a table; check how it was written.")
    columns = [fits_columns(file, i) for i in tables]
    fitting = next((c for c in columns if is_spectrum(c)), columns[0])
    return read_columns(fitting, options)


def _flux_image(file: FitsFile) -> int | None:
    """Return the image with the flux: the one named so, else the first."""
    images = [i for i in range(len(file.hdul)) if file.hdul[i].is_image and _n_axes(file, i)]
    named = [i for i in images if file.hdul[i].name.lower() in FLUX_HDUS]
    return next(iter([*named, *images]), None)


def _n_axes(file: FitsFile, key: int) -> int:
    return int(file.header(key).get("NAXIS", 0))


def _read_image(file: FitsFile, key: int, options: ReadOptions) -> Pixels:
    flux, header = file.image(key, "flux"), file.header(key)
    if flux.ndim != 1 and not (flux.ndim == 2 and len(flux) == 1):
        raise FileProblem(
            f"the image in HDU {key} must be 1-D, a spectrum; got shape {flux.shape}; extract "
            "spectra from it first, or build Spectra(flux, wavelength) from its array."
        )
    axis, medium = _axis(file, header, key, flux.shape[-1], options)
    unit = options.flux_unit or parse_unit(header.get("BUNIT"), "flux") or u.dimensionless_unscaled
    primary, others = file.header(), _other_images(file)
    return Pixels(
        flux,
        axis,
        bad=read_mask(others),
        unit=unit,
        medium=medium,
        ids=[word(primary, "OBJECT") or options.stem],
        snr=[number(primary, "SNR")],
        **read_errors(others, unit),
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
    medium = _medium(header)
    for i, hdu in enumerate(file.hdul):
        if i != key and hdu.is_image and hdu.name.lower() in WAVELENGTH:
            values = file.image(i, "wavelengths").ravel()
            unit = wavelength_unit(hdu.header.get("BUNIT"), options.wavelength_unit)
            return values * unit, medium
    return _header_axis(header, key, n_pixels, options), medium


def _header_axis(header: Any, key: int, n_pixels: int, options: ReadOptions) -> u.Quantity:
    first = required_number(header, key, "CRVAL1")
    step = required_number(header, key, "CDELT1", "CD1_1")
    kind = str(header.get("CTYPE1", "")).strip().upper()
    steps = np.arange(n_pixels) + 1 - float(number(header, "CRPIX1") if "CRPIX1" in header else 1)
    text = header.get("CUNIT1") or _iraf_unit(header)
    is_log10 = kind in LOG10 or header.get("DC-FLAG") == 1
    if not is_log10 and kind not in LINEAR | NATURAL_LOG:
        raise FileProblem(
            f"the axis of HDU {key} must be a spectral one, linear or logarithmic; got "
            f"CTYPE1={kind!r}; resample it, or build Spectra(flux, wavelength)."
        )
    if str(text).lower().startswith("log"):  # such as log10(Angstrom)
        text, is_log10 = re.sub(r"^log(10)?\W*|\W*$", "", str(text), flags=re.IGNORECASE), True
    unit = wavelength_unit(text, options.wavelength_unit)
    with np.errstate(over="ignore"):
        if is_log10:
            return 10.0 ** (first + step * steps) * unit
        if kind in NATURAL_LOG:
            return first * np.exp(step * steps / first) * unit
    return (first + step * steps) * unit


def _iraf_unit(header: Any) -> str | None:
    """Return the unit that IRAF writes into its own header cards."""
    match = re.search(r"units=(\w+)", str(header.get("WAT1_001", "")))
    return match[1] if match else None


def _medium(header: Any) -> str | None:
    """Return what a header says of the medium; CTYPE1='WAVE' is written for both, so says none."""
    said = str(header.get("AIRORVAC", "")).strip().lower()[:3]
    if said in ("air", "vac"):
        return "air" if said == "air" else "vacuum"
    if str(header.get("CTYPE1", "")).strip().upper().startswith("AWAV"):
        return "air"
    return "vacuum" if header.get("VACUUM") in (True, 1) else None
