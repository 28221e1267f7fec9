"""Wavelength axes: whether two are the same, their order, and a selection of their pixels."""

from typing import Any

import astropy.units as u
import numpy as np

# Rounding of a unit conversion, or an axis stored as float32, moves a pixel by far less than
# this fraction of its width; a shift that matters to a line profile is far more.
GRID_TOLERANCE = 1e-3


def same_axis(a: u.Quantity | None, b: u.Quantity | None) -> bool:
    """Tell whether two wavelength axes are the same grid.

    Parameters
    ----------
    a, b : Quantity of shape (n_pixels,) or None
        None is an axis without wavelengths; it equals only another None.

    Returns
    -------
    bool
        True if no pixel differs by more than a thousandth of its width.
    """
    if a is None or b is None:
        return a is b
    x, y = a.to_value(u.AA), b.to_value(u.AA)
    if x is y or np.array_equal(x, y):
        return True
    if x.shape != y.shape:
        return False
    width = np.abs(np.gradient(x)) if len(x) > 1 else np.abs(x) * 1e-3
    return bool(np.all(np.abs(x - y) <= GRID_TOLERANCE * width))


def ascending_angstrom(axis: u.Quantity | None) -> u.Quantity | None:
    """Return an axis of any spectral unit as ascending, read-only Angstrom."""
    if axis is None:
        return None
    wavelength = axis.to(u.AA, u.spectral(), copy=True)
    wavelength = wavelength[::-1] if is_descending(axis) else wavelength
    wavelength.flags.writeable = False
    return wavelength


def is_descending(axis: u.Quantity | None) -> bool:
    """Tell whether wavelength falls along a spectral axis of any unit."""
    if axis is None or len(axis) < 2:
        return False
    ends = axis[[0, -1]].to_value(u.AA, u.spectral())
    return bool(ends[0] > ends[1])


def pixel_indices(pixels: Any, n_pixels: int) -> np.ndarray:
    """Return the ascending indices that a slice, mask or array of int selects."""
    try:
        keep = np.sort(np.arange(n_pixels)[pixels])
    except IndexError as error:
        raise IndexError(
            f"`pixels` must be a slice, or a mask or indices of {n_pixels} pixels; got "
            f"{type(pixels).__name__}: {error}; compare `wavelength` with a Quantity for a mask."
        ) from error
    if keep.size == 0:
        raise ValueError(
            "`pixels` must select at least one pixel; got none; check its limits and units."
        )
    return keep


def select_axis(axis: u.Quantity | None, keep: np.ndarray) -> u.Quantity | None:
    """Return some pixels of an axis in its own order; `keep` counts from the shortest wave."""
    if axis is None:
        return None
    selected = axis[len(axis) - 1 - keep][::-1] if is_descending(axis) else axis[keep]
    selected.flags.writeable = False
    return selected
