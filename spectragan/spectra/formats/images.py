"""Spectra in FITS images: one, a stack, the bands of IRAF, or rows of wavelength and flux."""

from collections.abc import Callable, Mapping
from dataclasses import replace
from typing import Any

import astropy.units as u
import numpy as np

from spectragan.exceptions import FileAssumptionWarning
from spectragan.spectra.formats.axes import header_axis, spectral_axis
from spectragan.spectra.formats.columns import (
    looks_like_errors,
    named_by_caller,
    note_unused,
    one_grid,
    read_columns,
    read_errors,
    read_mask,
    unnamed_columns,
)
from spectragan.spectra.formats.fits_file import FitsFile, number
from spectragan.spectra.formats.iraf import is_multispec, multispec_axes
from spectragan.spectra.formats.media import header_medium, named_medium
from spectragan.spectra.formats.pixels import FileProblem, Pixels, ReadOptions
from spectragan.spectra.formats.roles import Column, find_role, log_in_name
from spectragan.spectra.formats.units import flux_unit

# CTYPE1 that says of a 2-D image that its rows are spectra; "LINEAR" is written on every frame.
SPECTRAL = ("WAVE", "AWAV", "FREQ", "WAVN", "ENER", "LAMBDA", "WAVELENGTH", "LOGLAM")
# CTYPE2 of a stack; a position on the sky or on a slit is none.
OF_A_STACK = ("", "STAR", "SPECTRUM", "SPECTRA", "INDEX", "ROW", "FIBER", "FIBRE", "OBJECT")
ESO_ERRORS = {"MSE": "variance", "RMSE": "error", "INVMSE": "ivar"}
UNCERTAINTIES = {
    "VarianceUncertainty": "variance",
    "StdDevUncertainty": "error",
    "InverseVariance": "ivar",
}
BESIDE_FLUX = ("ivar", "variance", "error", "mask")  # roles of other images
MOST_ROWS = 5  # of an image whose rows are wavelength, flux and what is beside it


def hdu_name(file: FitsFile, key: int) -> str:
    """Return the name of an HDU in small letters."""
    return str(file.hdul[key].name).strip().lower()


def has_axes(file: FitsFile, key: int) -> bool:
    """Tell whether an HDU is an image with data."""
    return bool(file.hdul[key].is_image and file.header(key).get("NAXIS", 0))


def read_image(file: FitsFile, key: int, options: ReadOptions, name: str | None) -> Pixels:
    """Return the spectrum, or the stack of spectra, of an image HDU.

    Parameters
    ----------
    file : FitsFile
        Open.
    key : int
        HDU of the flux.
    options : ReadOptions
        What the caller says.
    name : str or None
        Name of the star in the header.
    """
    data, header = file.image(key, "flux"), file.header(key)
    if _is_rows(data, header, options):
        return _read_rows(data, header, options, name)
    flux, bands = _bands(data, header)
    beside = bands | _other_images(file, key)
    axis, medium, swap = _axis(file, key, flux, beside, options)
    columns = {"flux": Column(flux, header.get("BUNIT"))} | beside
    if swap:
        columns = {n: _transposed(column, flux.shape) for n, column in columns.items()}
    columns = _shared(columns)
    roles = _roles(file, key, columns, options)
    unit = flux_unit(header.get("BUNIT"), options)
    errors = read_errors(columns, roles, unit, header.get("BUNIT") if options.flux_unit else None)
    note_unused(columns, roles, options)
    n_rows = 1 if flux.ndim == 1 else columns["flux"].values.shape[0]
    return Pixels(
        columns["flux"].values,
        axis,
        bad=read_mask(columns, roles, errors, options),
        unit=unit,
        medium=medium,
        ids=[name] if name is not None and n_rows == 1 else None,
        snr=[number(file.header(), "SNR")] if n_rows == 1 else None,
        **errors,
    )


def _shared(columns: dict[str, Column]) -> dict[str, Column]:
    """Return columns in which what all spectra of a stack share, such as a mask, is repeated."""
    shape = columns["flux"].values.shape
    if len(shape) != 2:
        return columns
    return {
        name: replace(column, values=np.tile(column.values, (shape[0], 1)))
        if column.values.shape == shape[1:] and find_role({name: column}, "wavelength") is None
        else column
        for name, column in columns.items()
    }


def _roles(
    file: FitsFile, key: int, columns: dict[str, Column], options: ReadOptions
) -> dict[str, str]:
    """Return which image has which role: as the caller says, else by their names."""
    if isinstance(options.columns, Mapping):
        names = {role: chosen_image(file, i) for role, i in options.columns.items()}
        found = {role: _image_name(file, i) for role, i in names.items() if role in BESIDE_FLUX}
    else:
        found = {role: find_role(columns, role, "flux") for role in BESIDE_FLUX}
    return {"flux": "flux"} | {role: name for role, name in found.items() if name in columns}


def chosen_image(file: FitsFile, what: Any) -> int | None:
    """Return the number of the image HDU that a caller numbers or names, or None."""
    images = [i for i in range(len(file.hdul)) if has_axes(file, i)]
    if isinstance(what, int):
        return what if what in images else None
    word = str(what).strip().lower()
    return next((i for i in images if word in (hdu_name(file, i), f"hdu {i}")), None)


def _image_name(file: FitsFile, key: int | None) -> str | None:
    """Return the name of an HDU among the images beside the flux: its own, if no other has it."""
    if key is None:
        return None
    names = [hdu_name(file, i) for i in range(len(file.hdul)) if has_axes(file, i)]
    name = hdu_name(file, key) if key else ""
    return name if name and names.count(name) == 1 else f"hdu {key} {name}".strip()


def _transposed(column: Column, shape: tuple[int, ...]) -> Column:
    return replace(column, values=column.values.T) if column.values.shape == shape else column


def _other_images(file: FitsFile, key: int) -> dict[str, Column]:
    """Return all other images by their names; those of another EXTVER than the flux come later."""
    images: dict[str, Column] = {}
    version = file.hdul[key].ver
    others = [i for i in range(len(file.hdul)) if i != key and has_axes(file, i)]
    for i in sorted(others, key=lambda i: file.hdul[i].ver != version):
        plain, name = hdu_name(file, i), str(_image_name(file, i))
        if file.hdul[i].ver == version and plain not in images and i:
            name = plain or name  # of several of one name, that of the version of the flux has it
        role, change = _said_role(file.header(i))
        values = change(_flat(file.image(i, name)))
        images[name] = Column(values, file.header(i).get("BUNIT"), role=role)
    return images


def _said_role(header: Any) -> tuple[str, Callable[[np.ndarray], np.ndarray]]:
    """Return the role that a standard writes into a header, and what makes its values ours.

    ESO writes HDUCLAS2 and HDUCLAS3, NDData of astropy the class of an uncertainty into UTYPE.
    """
    second, third, utype = (
        str(header.get(name, "")).strip() for name in ("HDUCLAS2", "HDUCLAS3", "UTYPE")
    )
    if second == "QUALITY":
        return "mask", np.asarray
    if second == "ERROR" and third == "INVRMSE":
        return "ivar", np.square
    role = ESO_ERRORS.get(third, "error") if second == "ERROR" else UNCERTAINTIES.get(utype, "")
    return role, np.asarray


def _flat(data: np.ndarray) -> np.ndarray:
    """Return an image without its axes of length 1."""
    return data.reshape([n for n in data.shape[:-1] if n > 1] + [data.shape[-1]])


def _bands(data: np.ndarray, header: Any) -> tuple[np.ndarray, dict[str, Column]]:
    """Return the spectrum of an IRAF extraction, and its error under the name that it says."""
    if data.ndim < 2 or "BANDID1" not in header:
        return _flat(data), {}
    bands = {}
    for i in range(1, len(data)):
        said = str(header.get(f"BANDID{i + 1}", f"band {i + 1}")).lower()
        bands["sigma" if "sigma" in said else said] = Column(_flat(data[i]), header.get("BUNIT"))
    return _flat(data[0]), bands


def _axis(
    file: FitsFile, key: int, flux: np.ndarray, beside: dict[str, Column], options: ReadOptions
) -> tuple[u.Quantity, str | None, bool]:
    """Return wavelengths, medium, and whether they lie along the first axis of the flux."""
    try:
        return _own_axis(file, key, flux, beside, options)
    except FileProblem:
        n = 0 if options.wavelength is None else len(options.wavelength)
        if n == 0 or flux.ndim > 2 or n not in flux.shape:
            raise
        return options.wavelength, None, n != flux.shape[-1]


def _own_axis(file, key, flux, beside, options) -> tuple[u.Quantity, str | None, bool]:
    header = file.header(key)
    medium = header_medium(header, file.header())
    if flux.ndim > 2:
        raise _not_one_d(file, key, flux)
    name = find_role(beside, "wavelength")
    if name is not None:
        column = beside.pop(name)
        values = one_grid(column.values, name)
        swap = flux.ndim == 2 and len(values) != flux.shape[1] and len(values) == flux.shape[0]
        said = column.unit or _unit_of_table(header)
        log = log_in_name(name)
        axis = spectral_axis(values, said, options, log, u.AA if log else None)
        return axis, named_medium(name, beside) or medium, swap
    if is_multispec(header):
        axes = multispec_axes(header, flux.shape[-1], options)
        return _only_axis(axes, flux), medium, False
    if flux.ndim == 2 and not _says_spectra(header):
        raise _not_one_d(file, key, flux)
    if flux.shape[:-1] == (2,) and not header.get("CTYPE2") and looks_like_errors(*flux):
        options.note(
            FileAssumptionWarning,
            "its two rows are taken for two spectra, of which the second may be errors of the "
            "first; write errors into an HDU ERR, or CTYPE2='SPECTRUM' if both are spectra",
        )
    return header_axis(file, key, flux.shape[-1], options), medium, False


def _unit_of_table(header: Any) -> str | None:
    """Return the unit of wavelengths in the header of the flux."""
    return header.get("CUNIT1") or header.get("XUNITS")


def _only_axis(axes: list[u.Quantity], flux: np.ndarray) -> u.Quantity:
    n_rows = 1 if flux.ndim == 1 else len(flux)
    if len(axes) < n_rows or any(not np.array_equal(axes[0], axis) for axis in axes[:n_rows]):
        raise FileProblem(
            f"its {n_rows} apertures must be on one grid; got {len(axes)} that differ, such as the "
            "orders of an echelle; merge them, or write each into its own file."
        )
    return axes[0]


def _says_spectra(header: Any) -> bool:
    """Tell whether a 2-D image says that its first axis is wavelength and its second is not."""
    first, second = (str(header.get(name, "")).strip().upper() for name in ("CTYPE1", "CTYPE2"))
    return first.removesuffix("-LOG") in SPECTRAL and second in OF_A_STACK


def _not_one_d(file: FitsFile, key: int, flux: np.ndarray) -> FileProblem:
    return FileProblem(
        f"the image in HDU {key} must be 1-D, a spectrum, or say which axis is wavelength; got "
        f"shape {flux.shape}; extract spectra from it first, or add an HDU WAVELENGTH, or pass "
        "`wavelength`."
    )


def _is_rows(data: np.ndarray, header: Any, options: ReadOptions) -> bool:
    """Tell whether an image holds wavelength, flux and error in its rows, and says their unit."""
    if data.ndim != 2 or not 2 <= len(data) <= MOST_ROWS or data.shape[1] <= MOST_ROWS:
        return False
    said = header.get("XUNITS") or (options.wavelength_unit and "CRVAL1" not in header)
    wave = data[0][np.isfinite(data[0])]
    steps = np.diff(wave.astype(float))
    rises = len(steps) > 0 and bool((steps > 0).all() or (steps < 0).all())
    return bool(said) and rises and bool(wave.min() > 0) and not _says_spectra(header)


def _read_rows(data: np.ndarray, header: Any, options: ReadOptions, name: str | None) -> Pixels:
    """Return the spectrum of an image of rows; pixels without wavelength are fill."""
    rows = list(data[:, np.isfinite(data[0])])
    ordered = {f"row {i + 1}": Column(row) for i, row in enumerate(rows)}
    if options.columns is None:
        names = [*unnamed_columns(rows[:3], options), *list(ordered)[3:]]
    else:
        names = list(named_by_caller(ordered, options))
    units = {"wavelength": header.get("XUNITS")}
    units |= dict.fromkeys(("flux", "error"), header.get("YUNITS") or header.get("BUNIT"))
    columns = {n: Column(row, units.get(n)) for n, row in zip(names, rows, strict=True)}
    return read_columns(columns, options, medium=header_medium(header), name=name)
