"""Tables with a column for wavelength and one for flux, and units as people write them."""

import re
from dataclasses import dataclass
from typing import Any

import astropy.units as u
import numpy as np

from spectragan.spectra.formats.fits_file import FitsFile
from spectragan.spectra.formats.pixels import FileProblem, Pixels, ReadOptions

# Written in the headers of archives and of IRAF; "A" alone would be ampere.
WORDS = {
    "a": u.AA,
    "aa": u.AA,
    "ang": u.AA,
    "angs": u.AA,
    "angstrom": u.AA,
    "angstroms": u.AA,
    "ångström": u.AA,
    "å": u.AA,
    "nanometer": u.nm,
    "nanometers": u.nm,
    "nanometre": u.nm,
    "nanometres": u.nm,
    "micron": u.um,
    "microns": u.um,
    "micrometer": u.um,
    "micrometers": u.um,
    "um": u.um,
    "µm": u.um,
    "hertz": u.Hz,
    "counts": u.count,
}
ANGSTROM_IN_FLUX = re.compile(r"(?<![A-Za-z])(A|Ang|ang|AA|Angstroms|angstroms)(?![A-Za-z])")
NOTHING = {"", "none", "arbitrary", "relative", "normalized", "normalised", "dimensionless", "1"}


def parse_unit(text: Any, name: str) -> u.UnitBase | None:
    """Return the unit that a header names, or None if it names none."""
    word = str(text or "").strip()
    if word.lower() in NOTHING:
        return None
    if word.lower() in WORDS:
        return WORDS[word.lower()]
    for candidate in (ANGSTROM_IN_FLUX.sub("Angstrom", word), word):
        try:
            return u.Unit(candidate)
        except (ValueError, TypeError):
            continue
    can_be_given = name in ("wavelength", "flux")
    remedy = f"pass {name}_unit to say what it is" if can_be_given else "correct it in the file"
    raise FileProblem(
        f"the unit of the {name} must be one that astropy reads; got {word!r}; {remedy}."
    )


def wavelength_unit(text: Any, given: u.UnitBase | None) -> u.UnitBase:
    """Return the unit of wavelengths, from the file or as given; without one they mean nothing."""
    unit = given if given is not None else parse_unit(text, "wavelength")
    if unit is None:
        raise FileProblem(
            "its wavelengths must have a unit; got none; pass for example wavelength_unit='nm'."
        )
    return unit


def without_log(text: Any) -> tuple[str, bool]:
    """Return a unit without the logarithm around it, as in "log10(Angstrom)", and if it had one."""
    word = str(text or "").strip()
    inner = re.sub(r"^(log(10)?|dex)[\W_]*", "", word, flags=re.IGNORECASE)
    return (word, False) if inner == word else (re.sub(r"\W+$", "", inner), True)


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
    match = re.fullmatch(r"(.+?)\s*[\[(]([^\[\]]*)[\])]", heading.strip())
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
    said = columns[flux].unit
    unit = flux_unit(said, options)
    identity = find(columns, IDENTITY)
    n_dim = columns[flux].values.ndim
    return Pixels(
        columns[flux].values,
        _axis(columns[wave], wave, options),
        bad=read_mask(columns),
        unit=unit,
        ids=list(columns[identity].values) if identity and n_dim == 2 else None,
        **read_errors(columns, unit, said if options.flux_unit else None),
    )


def _axis(column: Column, name: str, options: ReadOptions) -> u.Quantity:
    values = column.values
    if values.dtype.kind not in "fiu":
        raise FileProblem(
            f"the column {name!r} must hold numbers; got dtype {values.dtype}; "
            "check that every line is whole."
        )
    if values.ndim == 2:
        if not np.isfinite(values).all():
            raise FileProblem(
                f"the column {name!r} must hold finite and positive wavelengths; got "
                f"{np.count_nonzero(~np.isfinite(values))} that are NaN or infinite; leave these "
                "pixels out, or give each its wavelength."
            )
        if (values != values[:1]).any():
            raise FileProblem(
                "all of its spectra must be on one grid; got rows with different wavelengths; "
                "resample them first."
            )
        values = values[0]
    if name in LOGARITHMIC:
        with np.errstate(over="ignore"):
            text, _ = without_log(column.unit)
            unit = options.wavelength_unit or parse_unit(text, "wavelength") or u.AA
            return 10.0 ** values.astype(float) * unit
    return values * wavelength_unit(column.unit, options.wavelength_unit)


def flux_unit(said: Any, options: ReadOptions) -> u.UnitBase:
    """Return the unit of flux: what the caller says, else what the file says, else none."""
    return options.flux_unit or parse_unit(said, "flux") or u.dimensionless_unscaled


def read_errors(
    columns: dict[str, Column], unit: u.UnitBase, overruled: Any = None
) -> dict[str, Any]:
    """Return ivar or error in the unit of flux, whichever the table has.

    What the file says of flux in vain, `overruled`, isn't believed of its errors, either.
    """
    name = find(columns, IVAR)
    if name is not None:
        return {"ivar": _converted(columns[name], name, unit, -2, overruled)}
    name = find(columns, VARIANCE)
    if name is not None:
        variance = _converted(columns[name], name, unit, 2, overruled)
        with np.errstate(all="ignore"):
            return {"ivar": np.where(variance > 0, 1 / variance, 0)}
    name = find(columns, ERROR)
    return {} if name is None else {"error": _converted(columns[name], name, unit, 1, overruled)}


def _converted(
    column: Column, name: str, flux_unit: u.UnitBase, power: int, overruled: Any
) -> np.ndarray:
    """Return a column in a power of the unit of flux; without a unit it is taken to be in it."""
    if column.values.dtype.kind not in "fiu":
        raise FileProblem(
            f"the column {name!r} must hold numbers; got dtype {column.values.dtype}; "
            "check that every line is whole."
        )
    if power == 1 and overruled and str(column.unit) == str(overruled):  # astropy may read neither
        return column.values
    own, unit = parse_unit(column.unit, name), flux_unit**power
    if own in (None, unit) or _is_power(own, overruled, power):
        return column.values
    if not own.is_equivalent(unit):
        raise FileProblem(
            f"the unit of the {name} must convert to {str(unit) or 'that of flux, none'!r}; got "
            f"{str(own)!r}; correct it, or name the {name} for what it is."
        )
    return column.values.astype(float) * own.to(unit)


def _is_power(own: u.UnitBase, text: Any, power: int) -> bool:
    try:
        said = parse_unit(text, "flux")
        return said is not None and own == said**power
    except (FileProblem, u.UnitsError):  # a unit that nobody reads, or a magnitude
        return False


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


def fits_columns(file: FitsFile, key: int | str) -> dict[str, Column]:
    """Return the columns of a table by their names in small letters; a single row is a spectrum."""
    data = file.table(key, "spectrum")
    return {
        column.name.strip().lower(): Column(_values(data[column.name]), column.unit)
        for column in file.hdul[key].columns
    }


def _values(values: np.ndarray) -> np.ndarray:
    array = np.asarray(values)
    if array.dtype.kind == "O":  # variable-length arrays: fine if they are as long in every row
        lengths = {len(value) for value in array}
        array = np.stack(list(array)) if len(lengths) == 1 else array
    return array.astype(array.dtype.newbyteorder("="))
