"""Tables with a column for wavelength and one for flux: a pixel per row, or a spectrum per row."""

from collections.abc import Mapping
from dataclasses import replace
from typing import Any

import astropy.units as u
import numpy as np

from spectragan.exceptions import FileAssumptionWarning, UnusedDataWarning
from spectragan.spectra.formats.axes import spectral_axis
from spectragan.spectra.formats.masks import bad_pixels
from spectragan.spectra.formats.media import medium_in, named_medium
from spectragan.spectra.formats.pixels import FileProblem, Pixels, ReadOptions
from spectragan.spectra.formats.roles import RELATIVE, ROLES, Column, find_role, log_in_name
from spectragan.spectra.formats.units import flux_unit, parse_unit

PER_CENT = ("%", "percent", "per cent")
# Where columns have no names: what a third one must be of flux to pass for its errors.
ERROR_OF_FLUX = (1e-6, 1.0)


def is_spectrum(columns: dict[str, Column]) -> bool:
    """Tell whether a table has wavelengths and flux."""
    return all(find_role(columns, role) is not None for role in ("wavelength", "flux"))


def assign(columns: dict[str, Column], options: ReadOptions) -> dict[str, str]:
    """Return which column has which role: as the caller says, else as the file says.

    Raises
    ------
    FileProblem
        If there is no flux, or no wavelength and no `wavelength` either.
    """
    if isinstance(options.columns, Mapping):
        roles: dict[str, str | None] = {
            role: _chosen(columns, name) for role, name in options.columns.items()
        }
    else:
        flux = find_role(columns, "flux")
        roles = {"wavelength": find_role(columns, "wavelength"), "flux": flux}
        rest = [role for role in ROLES if role not in roles] if flux is not None else []
        roles |= {role: find_role(columns, role, flux) for role in rest}
    found = {role: name for role, name in roles.items() if name is not None}
    missing = [role for role in ("wavelength", "flux") if role not in found]
    if missing == ["wavelength"] and options.wavelength is not None:
        return found
    if missing:
        raise FileProblem(
            "it must have columns such as 'wavelength' and 'flux'; got "
            f"{', '.join(map(repr, list(columns)[:8])) or 'none'}; rename its columns, or pass "
            "for example columns={'wavelength': 'x', 'flux': 'y'}."
        )
    return found


def _chosen(columns: dict[str, Column], name: Any) -> str:
    """Return the name of a column that the caller names, or numbers from 0."""
    names = list(columns)
    if isinstance(name, int) and -len(names) <= name < len(names):
        return names[name]
    if isinstance(name, str) and name.strip().lower() in columns:
        return name.strip().lower()
    raise FileProblem(
        f"`columns` must name columns that the file has; got {name!r}; choose from "
        f"{', '.join(map(repr, names[:8]))}."
    )


def read_columns(
    columns: dict[str, Column],
    options: ReadOptions,
    *,
    medium: str | None = None,
    name: str | None = None,
) -> Pixels:
    """Return the spectra of a table: a pixel per row, or a spectrum per row.

    Parameters
    ----------
    columns : dict of Column
        By their names in small letters.
    options : ReadOptions
        What the caller says.
    medium : {"air", "vacuum"}, default=None
        What the header of the table says.
    name : str, default=None
        Name of the star in the header.
    """
    roles = assign(columns, options)
    columns = _spectra_in_rows(columns, roles)
    flux, wave = columns[roles["flux"]], roles.get("wavelength")
    unit = flux_unit(flux.unit, options)
    overruled = flux.unit if options.flux_unit else None
    errors = read_errors(columns, roles, unit, overruled)
    axis, said = options.wavelength, None
    if wave is not None:
        axis = _axis(columns[wave], wave, options)
        said = column_medium(columns, wave)
    note_unused(columns, roles, options)
    return Pixels(
        flux.values,
        axis,
        bad=read_mask(columns, roles, errors, options),
        unit=unit,
        medium=said or medium,
        ids=_identities(columns, roles, name),
        snr=_per_row(columns, roles, "snr"),
        **errors,
    )


def _spectra_in_rows(columns: dict[str, Column], roles: dict[str, str]) -> dict[str, Column]:
    """Return columns with a spectrum per row; with a wavelength in each row, rows are pixels."""
    shape, wave = columns[roles["flux"]].values.shape, roles.get("wavelength")
    if wave is None or len(shape) != 2 or columns[wave].values.shape != shape[:1]:
        return columns
    return {
        name: replace(column, values=column.values.T) if column.values.shape == shape else column
        for name, column in columns.items()
    }


def _axis(column: Column, name: str, options: ReadOptions) -> u.Quantity:
    values = column.values
    if values.dtype.kind not in "fiu":
        raise FileProblem(
            f"the column {name!r} must hold numbers; got dtype {values.dtype}; "
            "check that every line is whole."
        )
    log = log_in_name(name)
    default = u.AA if log else None
    return spectral_axis(one_grid(values, name), column.unit, options, log, default)


def one_grid(values: np.ndarray, name: str) -> np.ndarray:
    """Return the wavelengths that all rows share, or raise."""
    if values.ndim < 2:
        return values
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
    return np.asarray(values[0])


def column_medium(columns: dict[str, Column], wave: str) -> str | None:
    """Return the medium that a column of wavelengths says: its UCD, name, unit or comment."""
    column = columns[wave]
    if "obs.atmos" in column.ucd.lower():
        return "air"
    said = named_medium(wave, columns) or medium_in(column.unit)
    return said or medium_in(column.comment)


def _identities(columns: dict[str, Column], roles: dict[str, str], name: Any) -> list | None:
    """Return the names of stars: one per row, or one that all pixels share, or the header's."""
    identity, n_rows = roles.get("identity"), len(columns[roles["flux"]].values)
    is_stack = columns[roles["flux"]].values.ndim == 2
    if identity is None and is_stack:
        identity = _names_in_words(columns, n_rows)
    if identity is not None:
        values = as_names(columns[identity].values)
        if is_stack and len(values) == n_rows:
            return values
        if not is_stack and len(set(values)) == 1:
            return values[:1]
    return [name] if name is not None and (not is_stack or n_rows == 1) else None


def _names_in_words(columns: dict[str, Column], n_rows: int) -> str | None:
    """Return the only column of words of which every row has another: it names the stars."""
    words = [n for n, c in columns.items() if c.values.dtype.kind in "US"]
    words = [n for n in words if columns[n].values.shape == (n_rows,)]
    unique = [n for n in words if len(set(columns[n].values.tolist())) == n_rows > 1]
    return unique[0] if len(unique) == 1 else None


def as_names(values: np.ndarray) -> list[Any]:
    """Return one name per value; numbers that were stored as decimals are written without."""
    flat = values.reshape(-1)
    whole = flat.dtype.kind == "f" and np.isfinite(flat).all() and (flat == np.round(flat)).all()
    if whole and np.abs(flat).max(initial=0) < 2**53:
        flat = flat.astype(np.int64)
    return list(flat.tolist())


def _per_row(columns: dict[str, Column], roles: dict[str, str], role: str) -> np.ndarray | None:
    """Return one number for each spectrum of a stack, if there is a column of them."""
    name = roles.get(role)
    if name is None or columns[name].values.dtype.kind not in "fiu":
        return None
    values, flux = columns[name].values, columns[roles["flux"]].values
    return values if flux.ndim == 2 and values.shape == (len(flux),) else None


def note_unused(columns: dict[str, Column], roles: dict[str, str], options: ReadOptions) -> None:
    """Name what is as long as the flux and isn't used: errors or masks may be among it."""
    shape = columns[roles["flux"]].values.shape
    lengths = {shape, shape[-1:]}  # of a stack, errors or a mask that all rows share, too
    if len(shape) == 2 and shape[0] == shape[1]:
        lengths.discard(shape[-1:])  # in a square stack these may be one number per star
    used = {name for role, name in roles.items() if role != "snr"}  # read per star, not per pixel
    unused = [
        n
        for n, c in columns.items()
        if n not in used and {c.values.shape, c.values.shape[: len(shape)]} & lengths
    ]
    if unused:
        options.note(UnusedDataWarning, ", ".join(map(repr, unused[:8])))


def read_errors(
    columns: dict[str, Column], roles: dict[str, str], unit: u.UnitBase, overruled: Any = None
) -> dict[str, Any]:
    """Return ivar or error in the unit of flux, whichever there is; nothing if all are NaN.

    What the file says of flux in vain, `overruled`, isn't believed of its errors, either. Errors
    of which none is a number are errors that nobody has: some archives fill the column with NaN.
    """
    for role, power in (("ivar", -2), ("variance", 2), ("error", 1)):
        name = roles.get(role)
        if name is None:
            continue
        said = columns[roles["flux"]].unit
        column = columns[name]
        if role == "error" and _is_relative(name, column, said):
            return {role: _from_relative(column, name, columns[roles["flux"]].values)}
        values = _converted(column, name, unit, power, (overruled, said))
        if not np.isfinite(values).any():
            continue
        if role != "variance":
            return {role: values}
        with np.errstate(all="ignore"):
            return {"ivar": np.where(values > 0, 1 / values, 0)}
    return {}


def _is_relative(name: str, column: Column, of_flux: Any) -> bool:
    """Tell whether errors are fractions of the flux, by their name or as per cents."""
    percent = str(column.unit or "").strip().lower() in PER_CENT
    return bool(RELATIVE.search(name)) or (percent and str(of_flux or "").strip() != "%")


def _from_relative(column: Column, name: str, flux: np.ndarray) -> np.ndarray:
    percent = str(column.unit or "").strip().lower() in PER_CENT or "perc" in name or "pct" in name
    if column.values.dtype.kind not in "fiu" or column.values.shape != flux.shape:
        raise FileProblem(
            f"the relative errors in {name!r} must be numbers, one for each of flux; got dtype "
            f"{column.values.dtype} and shape {column.values.shape}; correct them."
        )
    return column.values * np.abs(flux) * (0.01 if percent else 1.0)


def _converted(
    column: Column, name: str, flux_unit: u.UnitBase, power: int, said: tuple[Any, Any]
) -> np.ndarray:
    """Return a column in a power of the unit of flux; without a unit it is taken to be in it."""
    if column.values.dtype.kind not in "fiu":
        raise FileProblem(
            f"the column {name!r} must hold numbers; got dtype {column.values.dtype}; "
            "check that every line is whole."
        )
    overruled, of_flux = said
    if _is_same_label(column.unit, of_flux, power) and not (power == -2 and not column.unit):
        return column.values  # whatever it means: astropy may read neither
    own, unit = parse_unit(column.unit, name), flux_unit**power
    if own in (None, unit) or _is_power(own, overruled, power):
        return column.values
    if not own.is_equivalent(unit):
        raise FileProblem(
            f"the unit of the {name} must convert to {str(unit) or 'that of flux, none'!r}; got "
            f"{str(own)!r}; correct it, or name the {name} for what it is."
        )
    return column.values.astype(float) * own.to(unit)


def _is_same_label(own: Any, of_flux: Any, power: int) -> bool:
    """Tell whether errors are labelled like the flux: the same text, or its square."""
    text, flux = (str("" if said is None else said).strip() for said in (own, of_flux))
    return text != "" and text == {1: flux, 2: f"({flux})**2"}.get(power)


def _is_power(own: u.UnitBase, text: Any, power: int) -> bool:
    try:
        said = parse_unit(text, "flux")
        return said is not None and own == said**power
    except (FileProblem, u.UnitsError):  # a unit that nobody reads, or a magnitude
        return False


def read_mask(
    columns: dict[str, Column], roles: dict[str, str], errors: dict, options: ReadOptions
) -> np.ndarray | None:
    """Return which pixels the mask of a table calls bad, or None if it has none."""
    name = roles.get("mask")
    if name is None:
        return None
    flux = columns[roles["flux"]].values
    usable = np.isfinite(flux) & (flux != 0) if flux.dtype.kind in "fiu" else flux == flux
    for values in errors.values():
        if np.shape(values) == usable.shape:
            usable = usable & (np.nan_to_num(values) > 0)
    return bad_pixels(columns[name], name, usable, options)


def unnamed_columns(arrays: list[np.ndarray], options: ReadOptions) -> list[str]:
    """Return names for columns that have none: wavelength, flux, and errors if they can be.

    Raises
    ------
    FileProblem
        If the first isn't a wavelength, or what a further one holds can't be told.
    """
    numbers = all(array.dtype.kind in "fiu" for array in arrays)
    rest = [f"column {i + 1}" for i in range(len(arrays))]
    with np.errstate(invalid="ignore"):
        steps = np.diff(arrays[0].astype(float)) if numbers else np.zeros(1)
    is_axis = numbers and len(steps) > 0 and bool((steps > 0).all() or (steps < 0).all())
    if is_axis and (steps == 1).all() and arrays[0][0] in (0, 1):
        raise FileProblem(
            f"its first column counts pixels from {arrays[0][0]:.0f}, and its columns have no "
            "names; pass for example columns=(None, 'wavelength', 'flux')."
        )
    if numbers and options.wavelength is not None and not (is_axis and len(arrays) > 1):
        return ["flux", *rest[1:]]
    if is_axis and len(arrays) == 2:
        return ["wavelength", "flux"]
    if is_axis and len(arrays) == 3 and looks_like_errors(*arrays[1:]):
        options.note(
            FileAssumptionWarning,
            "its columns have no names and are taken for wavelength, flux and error; pass "
            "columns=('wavelength', 'flux', 'error') to say so",
        )
        return ["wavelength", "flux", "error"]
    raise FileProblem(
        f"its {len(arrays)} columns have no names, and must be wavelength, flux and error to be "
        "read without; pass for example columns=('wavelength', 'flux', 'error')."
    )


def looks_like_errors(flux: np.ndarray, error: np.ndarray) -> bool:
    """Tell whether numbers may be the errors of flux: positive, and smaller."""
    good = np.isfinite(flux) & np.isfinite(error)
    if not good.any() or (error[good] < 0).any():
        return False
    size = np.median(np.abs(flux[good]))
    low, high = ERROR_OF_FLUX
    return bool(low * size < np.median(error[good]) < high * size)


def named_by_caller(columns: dict[str, Column], options: ReadOptions) -> dict[str, Column]:
    """Return columns under the names that the caller lists in order."""
    names = options.columns
    if names is None or isinstance(names, Mapping):
        return columns
    if len(names) > len(columns):
        raise FileProblem(
            f"`columns` must name at most {len(columns)} columns, those that the file has; got "
            f"{len(names)}; leave the others out."
        )
    rest = [f"column {i + 1}" for i in range(len(names), len(columns))]
    given = [str(name or f"column {i + 1}").lower() for i, name in enumerate(names)]
    return dict(zip([*given, *rest], columns.values(), strict=True))
