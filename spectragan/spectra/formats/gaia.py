"""Gaia XP sampled mean spectra, of the archive (CSV, ECSV, FITS) and of GaiaXPy.

The data model is xp_sampled_mean_spectrum of Gaia DR3 (documentation, section 20.12.4): 343
samples from 336 to 1020 nm, flux in W m-2 nm-1. Wavelengths are vacuum. A file is either one row
per source, with an array of flux in it, or the spectrum of a single source, one row per sample.
"""

import re
from typing import Any

import astropy.units as u
import numpy as np

from spectragan.spectra.formats.columns import (
    MASK,
    Column,
    find,
    fits_columns,
    flux_unit,
    parse_unit,
    read_errors,
    read_mask,
    wavelength_unit,
)
from spectragan.spectra.formats.fits_file import FitsFile
from spectragan.spectra.formats.pixels import FileProblem, Pixels, ReadOptions

GRID = np.arange(336, 1021, 2) * u.nm
UNIT = u.W / (u.m**2 * u.nm)
# In UNIT, some hundred times Sirius: flux above this is in another unit, or normalised.
BRIGHTEST = 1e-8


def identify_columns(columns: dict[str, Column]) -> bool:
    """Tell whether a table holds sampled XP spectra as the archive writes them."""
    if not {"flux", "flux_error"} <= set(columns) or find(columns, MASK):
        return False
    flux, wavelength = columns["flux"], columns.get("wavelength")
    has_source = "source_id" in columns
    if wavelength is None:
        return has_source and _is_in_gaia_units(flux)
    # Without a unit, flux is that of a source, or of the CSV that has its number as its own name.
    if flux.unit is None and wavelength.unit is not None and not has_source:
        return False
    same = wavelength.values.shape[-1:] == GRID.shape and wavelength.values.dtype.kind in "fiu"
    return (
        same
        and bool(np.allclose(wavelength.values, GRID.value))
        and _is(wavelength.unit, "wavelength", GRID.unit)
        and _is_in_gaia_units(flux)
    )


def _is_in_gaia_units(flux: Column) -> bool:
    if flux.unit is not None:
        return _is(flux.unit, "flux", UNIT)
    values = flux.values
    return values.dtype.kind not in "fiu" or bool(np.nanmedian(np.abs(values)) < BRIGHTEST)


def _is(text: Any, name: str, unit: u.UnitBase) -> bool:
    try:
        return text is None or parse_unit(text, name) == unit
    except FileProblem:
        return False


def read_gaia(columns: dict[str, Column], options: ReadOptions) -> Pixels:
    """Return the spectra of one file, in float64: ivar of faint stars doesn't fit float32."""
    missing = [name for name in ("flux", "flux_error") if name not in columns]
    if missing:
        raise FileProblem(
            f"it must have a column {missing[0]!r}; got {', '.join(map(repr, list(columns)[:8]))}; "
            "download the sampled spectra (XP_SAMPLED)."
        )
    flux, error = (
        Column(_numbers(columns[name].values, name), columns[name].unit)
        for name in ("flux", "flux_error")
    )
    unit = UNIT if flux.unit is None and not options.flux_unit else flux_unit(flux.unit, options)
    identity = columns.get("source_id")
    return Pixels(
        flux.values,
        _axis(columns.get("wavelength"), flux.values.shape[-1], options),
        bad=read_mask(columns),
        unit=unit,
        medium="vacuum",
        ids=None if identity is None else _identities(identity.values, np.atleast_2d(flux.values)),
        **read_errors({"flux_error": error}, unit, flux.unit if options.flux_unit else None),
    )


def _axis(column: Column | None, n_samples: int, options: ReadOptions) -> u.Quantity:
    if column is not None:
        values = _numbers(column.values, "wavelength")
        unit = wavelength_unit(column.unit or str(GRID.unit), options.wavelength_unit)
        return (values if values.ndim == 1 else values[0]) * unit
    if n_samples != len(GRID):
        raise FileProblem(
            f"it must have wavelengths, or {len(GRID)} samples (336-1020 nm); got {n_samples} "
            "samples; add a column 'wavelength' in nm."
        )
    return GRID


def _numbers(values: np.ndarray, name: str) -> np.ndarray:
    """Return numbers; arrays in the cells of a CSV are text such as "[1.5e-16, 2e-16]"."""
    if values.dtype.kind in "fiu":
        return values.astype(float)
    try:
        rows = [[float(word) for word in re.findall(r"[^\s,;()\[\]]+", str(v))] for v in values]
        return np.array(rows, dtype=float)
    except ValueError as error:
        raise FileProblem(
            f"the column {name!r} must hold as many numbers in every row; got something else; "
            "download it again."
        ) from error


def _identities(values: np.ndarray, flux: np.ndarray) -> list[str] | None:
    """Return a number per source; a single spectrum repeats its own in every sample."""
    if len(values) == len(flux):
        return [str(value) for value in values]
    return [str(values[0])] if len(flux) == 1 and len(set(values.tolist())) == 1 else None


def identify_fits(file: FitsFile) -> bool:
    """Tell whether a FITS table holds sampled XP spectra."""
    return file.is_table(1, "flux", "flux_error") and identify_columns(fits_columns(file, 1))


def read_fits(file: FitsFile, options: ReadOptions) -> Pixels:
    """Return the spectra of a FITS table."""
    return read_gaia(fits_columns(file, 1), options)
