"""FITS spectra of nobody in particular: a 1-D image with its axis in the header, or a table."""

from dataclasses import replace

import astropy.units as u

from spectragan.spectra.formats.columns import (
    ERROR,
    FLUX,
    IVAR,
    MASK,
    VARIANCE,
    WAVELENGTH,
    Column,
    flux_unit,
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
    word,
)
from spectragan.spectra.formats.header_axis import header_axis, header_medium
from spectragan.spectra.formats.options import ReadOptions
from spectragan.spectra.formats.pixels import Pixels
from spectragan.spectra.formats.problem import FileProblem
from spectragan.spectra.formats.unit_words import wavelength_unit

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
