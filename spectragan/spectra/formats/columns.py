"""Tables with a column for wavelength and one for flux, of FITS or text, under common names."""

import re
from dataclasses import dataclass
from typing import Any

import astropy.units as u
import numpy as np

from spectragan.spectra.formats.options import ReadOptions
from spectragan.spectra.formats.pixels import Pixels
from spectragan.spectra.formats.problem import FileProblem
from spectragan.spectra.formats.unit_words import parse_unit, wavelength_unit

# What columns are called, in small letters, most telling first.
WAVELENGTH = [
    *("wavelength", "wave", "wavelengths", "lambda", "lam", "wl", "wvl", "spectral_axis"),
    *("loglam", "log_lambda", "frequency", "freq", "nu", "wavenumber", "wavenum", "energy"),
]
FLUX = ["flux", "fluxes", "flux_density", "flam", "f_lambda", "fnu", "intensity", "spectrum"]
IVAR = ["ivar", "invvar", "inverse_variance", "flux_ivar"]
VARIANCE = ["variance", "var", "flux_variance", "flux_var"]
ERROR = [
    *("flux_error", "error", "err", "flux_err", "fluxerr", "e_flux", "eflux", "sigma", "std"),
    *("stddev", "flux_sigma", "uncertainty", "flux_uncertainty", "unc", "flux_unc", "errs"),
    *("errors", "noise"),
]
MASK = ["mask", "bad", "badpix", "bad_pixel", "dq"]
IDENTITY = ["source_id", "targetid", "object_id", "id", "name", "object"]
LOGARITHMIC = {"loglam", "log_lambda"}


@dataclass(frozen=True)
class Column:
    """Values of one column, and its unit as it is written (None: not given)."""

    values: np.ndarray
    unit: Any = None


def split_unit(heading: str) -> tuple[str, str | None]:
    """Return name and unit of a heading such as "Wavelength [nm]" or "flux (Jy)"."""
    match = re.fullmatch(r"(.+?)\s*[\[(]([^\])]*)[\])]", heading.strip())
    return (match[1].lower(), match[2]) if match else (heading.strip().lower(), None)


def find(columns: dict[str, Column], names: list[str]) -> str | None:
    """Return the first of some names that is a column, or None."""
    return next((name for name in names if name in columns), None)


def is_spectrum(columns: dict[str, Column]) -> bool:
    """Tell whether a table has wavelengths and flux."""
    return find(columns, WAVELENGTH) is not None and find(columns, FLUX) is not None


def read_columns(columns: dict[str, Column], options: ReadOptions) -> Pixels:
    """Return the spectra of a table: a pixel per row, or a spectrum per row."""
    wave, flux = find(columns, WAVELENGTH), find(columns, FLUX)
    if wave is None or flux is None:
        raise FileProblem(
            "it must have columns such as 'wavelength' and 'flux'; got "
            f"{', '.join(map(repr, list(columns)[:8])) or 'none'}; rename its columns."
        )
    unit = options.flux_unit or parse_unit(columns[flux].unit, "flux") or u.dimensionless_unscaled
    identity = find(columns, IDENTITY)
    n_dim = columns[flux].values.ndim
    return Pixels(
        columns[flux].values,
        _axis(columns[wave], wave, options),
        bad=read_mask(columns),
        unit=unit,
        ids=list(columns[identity].values) if identity and n_dim == 2 else None,
        **read_errors(columns, unit),
    )


def _axis(column: Column, name: str, options: ReadOptions) -> u.Quantity:
    values = column.values
    if values.dtype.kind not in "fiu":
        raise FileProblem(
            f"the column {name!r} must hold numbers; got dtype {values.dtype}; "
            "check that every line is whole."
        )
    if values.ndim == 2:
        if (values != values[:1]).any():
            raise FileProblem(
                "all of its spectra must be on one grid; got rows with different wavelengths; "
                "resample them first."
            )
        values = values[0]
    if name in LOGARITHMIC:
        with np.errstate(over="ignore"):
            return 10.0 ** values.astype(float) * (options.wavelength_unit or u.AA)
    return values * wavelength_unit(column.unit, options.wavelength_unit)


def read_errors(columns: dict[str, Column], unit: u.UnitBase) -> dict[str, Any]:
    """Return ivar or error in the unit of flux, whichever the table has."""
    name = find(columns, IVAR)
    if name is not None:
        return {"ivar": _converted(columns[name], name, unit**-2)}
    name = find(columns, VARIANCE)
    if name is not None:
        variance = _converted(columns[name], name, unit**2)
        with np.errstate(all="ignore"):
            return {"ivar": np.where(variance > 0, 1 / variance, 0)}
    name = find(columns, ERROR)
    return {} if name is None else {"error": _converted(columns[name], name, unit)}


def _converted(column: Column, name: str, unit: u.UnitBase) -> np.ndarray:
    """Return a column in another unit; one without a unit is taken to be in it."""
    if column.values.dtype.kind not in "fiu":
        raise FileProblem(
            f"the column {name!r} must hold numbers; got dtype {column.values.dtype}; "
            "check that every line is whole."
        )
    own = parse_unit(column.unit, name)
    if own is None or own == unit:
        return column.values
    if not own.is_equivalent(unit):
        raise FileProblem(
            f"the unit of the {name} must convert to {str(unit) or 'that of flux, none'!r}; got "
            f"{str(own)!r}; correct it, or name the {name} for what it is."
        )
    return column.values.astype(float) * own.to(unit)


def read_mask(columns: dict[str, Column]) -> np.ndarray | None:
    """Return the mask of a table: what isn't 0 is bad."""
    name = find(columns, MASK)
    if name is None:
        return None
    values = columns[name].values
    if values.dtype.kind not in "biuf":
        raise FileProblem(
            f"the column {name!r} must hold 0 (good) or another number (bad); got dtype "
            f"{values.dtype}; correct it or rename the column."
        )
    return np.nan_to_num(values) != 0 if values.dtype.kind == "f" else values != 0
