"""Ranges of pixels that a user names by wavelength or by index."""

from itertools import pairwise
from typing import Any

import astropy.units as u
import numpy as np

# Ends are included although a conversion of their unit rounds them.
ROUNDING = 1e-9


def range_slice(span: Any, wavelength: u.Quantity | None, n_pixels: int, name: str) -> slice:
    """Return the pixels of one range.

    Parameters
    ----------
    span : slice of int, or pair of float (Angstrom) or Quantity (any spectral unit)
        Pixel indices in ascending wavelength, or the two ends of a range, both included.
    wavelength : Quantity of shape (n_pixels,) or None
        The grid, ascending in Angstrom.
    n_pixels : int
        Number of pixels.
    name : str
        Parameter to name in messages.

    Returns
    -------
    slice
        With a start and a stop.

    Raises
    ------
    ValueError
        If the range can't be read, holds no pixel, or needs wavelengths that aren't there.
    """
    if isinstance(span, slice):
        start, stop, step = span.indices(n_pixels)
        found = slice(start, stop) if step == 1 else slice(0, 0)
    else:
        low, high = sorted(_ends(span, name))
        found = _between(low, high, wavelength, name)
    if found.stop <= found.start:
        raise ValueError(
            f"a range of `{name}` must hold at least one pixel of the grid; got {span!r}; "
            "check its limits and unit."
        )
    return found


def _ends(span: Any, name: str) -> tuple[float, float]:
    try:
        low, high = span
        ends = [
            end.to_value(u.AA, u.spectral()) if isinstance(end, u.Quantity) else float(end)
            for end in (low, high)
        ]
    except (TypeError, ValueError) as error:
        raise ValueError(
            f"a range of `{name}` must be a slice of pixels or a pair of wavelengths; "
            f"got {span!r}; write for example (5000, 5500) or slice(0, 100)."
        ) from error
    return ends[0], ends[1]


def _between(low: float, high: float, wavelength: u.Quantity | None, name: str) -> slice:
    if wavelength is None:
        raise ValueError(
            f"`{name}` in wavelengths needs spectra with wavelengths; got none; "
            "pass slices of pixels instead."
        )
    start = np.searchsorted(wavelength.value, low * (1 - ROUNDING), side="left")
    stop = np.searchsorted(wavelength.value, high * (1 + ROUNDING), side="right")
    return slice(int(start), int(stop))


def chunk_slices(chunks: Any, wavelength: u.Quantity | None, n_pixels: int) -> list[slice]:
    """Return the pixels of every chunk, in order; None is one chunk of all pixels.

    Parameters
    ----------
    chunks : sequence of ranges or None
        See `range_slice`.
    wavelength : Quantity of shape (n_pixels,) or None
        The grid.
    n_pixels : int
        Number of pixels.

    Returns
    -------
    list of slice
        Ascending, without overlap.

    Raises
    ------
    ValueError
        If chunks overlap or one of them can't be read.
    """
    if chunks is None:
        return [slice(0, n_pixels)]
    _check_list(chunks, "chunks")
    found = [range_slice(chunk, wavelength, n_pixels, "chunks") for chunk in chunks]
    found.sort(key=lambda chunk: chunk.start)
    for left, right in pairwise(found):
        if right.start < left.stop:
            raise ValueError(
                f"`chunks` must not overlap; got pixels {left.start}-{left.stop - 1} and "
                f"{right.start}-{right.stop - 1}; end one chunk before the next begins."
            )
    if not found:
        raise ValueError("`chunks` must name at least one range; got none; use None for all.")
    return found


def _check_list(ranges: Any, name: str) -> None:
    if not isinstance(ranges, list | tuple | np.ndarray):
        raise ValueError(
            f"`{name}` must be a list of ranges; got {ranges!r}; write for example [(4000, 5000)]."
        )


def pixel_mask(pixels: Any, wavelength: u.Quantity | None, n_pixels: int, name: str) -> np.ndarray:
    """Return a bool mask of shape (n_pixels,) from a mask, a list of ranges or None (all)."""
    if pixels is None:
        return np.ones(n_pixels, dtype=bool)
    _check_list(pixels, name)
    array = pixels if isinstance(pixels, np.ndarray) else None
    if array is None and all(isinstance(p, bool | np.bool_) for p in pixels):
        array = np.asarray(pixels, dtype=bool)
    if array is not None and array.dtype == bool:
        if array.shape != (n_pixels,):
            raise ValueError(
                f"`{name}` as a mask must have the shape ({n_pixels},); got {array.shape}; "
                "use ranges of wavelength to be independent of the grid."
            )
        return array.copy()
    mask = np.zeros(n_pixels, dtype=bool)
    for span in pixels:
        mask[range_slice(span, wavelength, n_pixels, name)] = True
    return mask
