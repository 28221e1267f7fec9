"""Wavelengths from elsewhere: given as a Quantity, or in a file of their own."""

import os
from dataclasses import replace
from pathlib import Path
from typing import Any

import astropy.units as u
import numpy as np

from spectragan.exceptions import SpectrumFileError
from spectragan.spectra.formats.axes import spectral_axis
from spectragan.spectra.formats.columns import column_medium
from spectragan.spectra.formats.fits_file import FitsFile, open_fits
from spectragan.spectra.formats.generic import fits_columns
from spectragan.spectra.formats.images import hdu_name
from spectragan.spectra.formats.media import header_medium
from spectragan.spectra.formats.one_file import content_kind
from spectragan.spectra.formats.pixels import FileProblem, ReadOptions
from spectragan.spectra.formats.roles import Column, find_role, log_in_name
from spectragan.spectra.formats.surveys.gaia import NUMBER
from spectragan.spectra.formats.text_file import read_text


def given_axis(value: Any, name: str, options: ReadOptions) -> tuple[u.Quantity | None, str | None]:
    """Return the wavelengths that a caller gives, and the medium that their file says.

    Parameters
    ----------
    value : Quantity or array-like of shape (n_pixels,), or path
        Arrays are in `wavelength_unit`. A file holds an image, or a column of wavelengths.
    name : str
        Name of the parameter.
    options : ReadOptions
        What the caller says of units.

    Returns
    -------
    axis : Quantity of shape (n_pixels,) or None
        In any spectral unit.
    medium : {"air", "vacuum"} or None
        Of an axis from a file that says it.

    Raises
    ------
    SpectrumFileError
        If the file holds no wavelengths.
    ValueError, TypeError
        If they are no axis.
    """
    if value is None:
        return None, None
    if isinstance(value, str | os.PathLike):
        path = Path(value).expanduser()
        try:
            return _read_axis(options.of(path))
        except FileProblem as problem:
            raise SpectrumFileError(f"`{path}`: {problem}") from problem
    try:
        axis = value if isinstance(value, u.Quantity) else _in_given_unit(value, options)
    except (FileProblem, ValueError, TypeError) as error:
        raise ValueError(
            f"`{name}` must be wavelengths with a unit, or a file; got {type(value).__name__}; "
            "multiply it by astropy.units.AA, or pass wavelength_unit."
        ) from error
    if axis.ndim != 1 or axis.size == 0 or not axis.unit.is_equivalent(u.AA, u.spectral()):
        raise ValueError(
            f"`{name}` must be wavelengths of shape (n_pixels,); got shape {axis.shape} in "
            f"{str(axis.unit)!r}; pass one axis for all spectra."
        )
    return axis, None


def _in_given_unit(value: Any, options: ReadOptions) -> u.Quantity:
    return spectral_axis(np.asarray(value, dtype=float), None, options)


def _read_axis(options: ReadOptions) -> tuple[u.Quantity, str | None]:
    medium = None
    if content_kind(options.path) == "fits":
        with open_fits(options.path, options.checksum) as file:
            name, column = _in_fits(file)
            medium = header_medium(file.header())
    else:
        name, column = _in_text(options)
    log = log_in_name(name)
    values, default = column.values.ravel(), u.AA if log else None
    axis = spectral_axis(values, column.unit, options, log, default)
    return axis, column_medium({name: column}, name) or medium


def _in_fits(file: FitsFile) -> tuple[str, Column]:
    """Return the first image, or the column of wavelengths of the first table."""
    for key in range(len(file.hdul)):
        if file.is_image(key):
            header = file.header(key)
            unit = header.get("BUNIT") or header.get("UNIT") or header.get("CUNIT1")
            name = hdu_name(file, key) if key else ""
            return name, Column(file.image(key, "wavelengths"), unit)
        if file.is_table(key):
            return _only_axis(fits_columns(file, key))
    raise FileProblem("it must hold wavelengths; got neither an image nor a table; check it.")


def _in_text(options: ReadOptions) -> tuple[str, Column]:
    # With wavelengths given, a column of numbers without a name is no wavelength that must have
    # flux beside it.
    columns = read_text(options.path, replace(options, columns=None, wavelength=1 * u.AA))
    if list(columns) == ["pos"]:  # GaiaXPy's sampling, all of it in one cell
        words = NUMBER.findall(" ".join(map(str, columns["pos"].values)))
        return "pos", Column(np.array(words, dtype=float), "nm")
    return _only_axis(columns)


def _only_axis(columns: dict[str, Column]) -> tuple[str, Column]:
    name = next(iter(columns)) if len(columns) == 1 else find_role(columns, "wavelength")
    if name is None or columns[name].values.dtype.kind not in "fiu":
        raise FileProblem(
            "it must hold one column of wavelengths, or one that is called so; got "
            f"{', '.join(map(repr, list(columns)[:8]))}; pass the wavelengths as a Quantity."
        )
    return name, columns[name]
