"""Gaia XP sampled mean spectra, of the archive (CSV, ECSV, FITS) and of GaiaXPy.

The data model is xp_sampled_mean_spectrum of Gaia DR3 (documentation, section 20.12.4): 343
samples from 336 to 1020 nm, flux in W m-2 nm-1. Wavelengths are vacuum. A file is either one row
per source, with an array of flux in it, or the spectrum of a single source, one row per sample.
"""

import re
from pathlib import Path
from typing import Any

import astropy.units as u
import numpy as np

from spectragan.spectra.formats.axes import spectral_axis
from spectragan.spectra.formats.columns import read_errors, read_mask
from spectragan.spectra.formats.fits_file import FitsFile, read_bytes
from spectragan.spectra.formats.generic import fits_columns
from spectragan.spectra.formats.pixels import FileProblem, Pixels, ReadOptions
from spectragan.spectra.formats.roles import Column, find_role
from spectragan.spectra.formats.units import flux_unit, parse_unit

GRID = np.arange(336, 1021, 2) * u.nm
RANGE = (300, 1100)  # nm; what BP and RP see
UNIT = u.W / (u.m**2 * u.nm)
# In UNIT, some hundred times Sirius: flux above this is in another unit, or normalised.
BRIGHTEST = 1e-8
# A number; the 64 of "np.float64(336.0)", which some versions write, is none.
NUMBER = re.compile(r"(?<![\w.])[-+]?\d+\.?\d*(?:[eE][-+]?\d+)?")


def identify_columns(columns: dict[str, Column]) -> bool:
    """Tell whether a table holds sampled XP spectra as the archive writes them."""
    if not {"flux", "flux_error"} <= set(columns) or find_role(columns, "mask", "flux"):
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
    table = columns | {"flux": flux, "flux_error": error}
    roles = {"flux": "flux", "error": "flux_error"}
    errors = read_errors(table, roles, unit, flux.unit if options.flux_unit else None)
    mask = find_role(table, "mask", "flux")
    return Pixels(
        flux.values,
        _axis(columns, flux.values.shape[-1], options),
        bad=read_mask(table, roles | ({"mask": mask} if mask else {}), errors, options),
        unit=unit,
        medium="vacuum",
        ids=None if identity is None else _identities(identity.values, np.atleast_2d(flux.values)),
        **errors,
    )


def _axis(columns: dict[str, Column], n_samples: int, options: ReadOptions) -> u.Quantity:
    """Return the wavelengths: of a column, of GaiaXPy's sampling, or of the archive's own grid."""
    column = columns.get("wavelength")
    if column is not None:
        values = _numbers(column.values, "wavelength")
        said = column.unit or str(GRID.unit)
        return spectral_axis(values if values.ndim == 1 else values[0], said, options)
    sampling = _sampling(columns, options.path)
    if sampling is not None and len(sampling) == n_samples:
        return _in_range(sampling) * GRID.unit
    if options.wavelength is not None and len(options.wavelength) == n_samples:
        return options.wavelength
    if sampling is not None or n_samples != len(GRID):
        raise FileProblem(
            f"it must have wavelengths, or {len(GRID)} samples (336-1020 nm); got {n_samples} "
            "samples; put GaiaXPy's file of the sampling beside it, or pass `wavelength`."
        )
    return GRID


def _in_range(sampling: np.ndarray) -> np.ndarray:
    """Return wavelengths in nm; GaiaXPy writes pseudo-wavelengths for spectra in counts, too."""
    if sampling.size and not (RANGE[0] <= sampling.min() and sampling.max() <= RANGE[1]):
        raise FileProblem(
            f"its sampling must be wavelengths from {RANGE[0]} to {RANGE[1]} nm; got "
            f"{sampling.min():.6g} to {sampling.max():.6g}; calibrate the spectra with GaiaXPy."
        )
    return sampling


def _sampling(columns: dict[str, Column], path: Path) -> np.ndarray | None:
    """Return the grid in nm that GaiaXPy writes: into FITS and ECSV, beside a CSV."""
    if "sampling" in columns:
        text = str(columns["sampling"].values[0])
    else:
        stem = path.name.removesuffix(".gz").rsplit(".", 1)[0]
        beside = path.with_name(f"{stem}_sampling.csv")
        if not beside.is_file():
            return None
        text = read_bytes(beside).decode("utf-8", "replace")
    return np.array([float(word) for word in NUMBER.findall(text)])


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
    columns, said = fits_columns(file, 1), file.header(1).get("SAMPLING")
    sampling = {"sampling": Column(np.array([str(said)]))} if said else {}
    return read_gaia(columns | sampling, options)
