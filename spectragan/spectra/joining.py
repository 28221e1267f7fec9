"""Sets of spectra joined row by row, and whether they are on one wavelength grid."""

from collections.abc import Sequence

import numpy as np

from spectragan.exceptions import GridMismatchError
from spectragan.spectra.axis import same_axis
from spectragan.spectra.container import Spectra
from spectragan.spectra.rows import join_meta


def same_grid(a: Spectra, b: Spectra) -> bool:
    """Tell whether two sets of spectra share pixels, wavelengths and medium.

    Parameters
    ----------
    a, b : Spectra
        The sets to compare. A medium of None agrees with any.

    Returns
    -------
    bool
        True if flux of both can be compared pixel by pixel.
    """
    return grid_difference(a, b) is None


def check_same_grid(a: Spectra, b: Spectra, names: tuple[str, str] = ("a", "b")) -> None:
    """Raise unless two sets of spectra are on one grid.

    Parameters
    ----------
    a, b : Spectra
        The sets to compare.
    names : tuple of two str
        What to call them in the message.

    Raises
    ------
    GridMismatchError
        If pixels, wavelengths or medium differ.
    """
    difference = grid_difference(a, b)
    if difference is not None:
        raise GridMismatchError(
            f"`{names[0]}` and `{names[1]}` must be on one wavelength grid; got {difference}; "
            "resample one onto the grid of the other."
        )


def grid_difference(a: Spectra, b: Spectra) -> str | None:
    """Say in words how the grids of two sets differ, or return None."""
    if a.shape[1] != b.shape[1]:
        return f"{a.shape[1]} and {b.shape[1]} pixels"
    if (a.wavelength is None) != (b.wavelength is None):
        return "one of them without wavelengths"
    if a.medium and b.medium and a.medium != b.medium:
        return f"wavelengths in {a.medium} and in {b.medium}"
    if a.wavelength is None or same_axis(a.wavelength, b.wavelength):
        return None
    x, y = a.wavelength.value, np.asarray(b.wavelength)
    pixel = int(np.argmax(np.abs(x - y)))
    return f"{x[pixel]:.10g} and {y[pixel]:.10g} Angstrom at pixel {pixel}"


def concatenate(parts: Sequence[Spectra]) -> Spectra:
    """Join several sets of spectra on one grid, row by row.

    Parameters
    ----------
    parts : sequence of Spectra
        On one grid. Flux goes to the unit, axis and order of the first.

    Returns
    -------
    Spectra
        All rows. Metadata that only some sets have are None in the rows of the others.

    Raises
    ------
    GridMismatchError
        If pixels, wavelengths or medium differ.
    ValueError
        If the flux units don't convert, or there is nothing to join.
    """
    if len(parts) == 0:
        raise ValueError("`parts` must hold at least one set of spectra; got none; pass some.")
    first = parts[0]
    for i, part in enumerate(parts[1:], start=1):
        check_same_grid(first, part, names=("parts[0]", f"parts[{i}]"))
    scaled = [in_unit_of(part, first) for part in parts]
    meta = join_meta([part.meta for part in parts], [len(part) for part in parts])
    medium = next((part.medium for part in parts if part.medium), None)
    joined = first._rebuild(
        np.concatenate([flux for flux, _ in scaled]),
        np.concatenate([ivar for _, ivar in scaled]),
        np.concatenate([part.noise for part in parts]),
        meta,
    )
    joined._medium = medium
    return joined


def in_unit_of(part: Spectra, first: Spectra) -> tuple[np.ndarray, np.ndarray]:
    """Return flux and ivar of `part` in the unit of `first`, in float64 where float32 is short."""
    return _scaled(part, _unit_factor(part, first))


def _unit_factor(part: Spectra, first: Spectra) -> float:
    if part.unit == first.unit:
        return 1.0
    if not part.unit.is_equivalent(first.unit):
        raise ValueError(
            f"flux units of all spectra must convert; got '{first.unit}' and '{part.unit}'; "
            "give both one unit, or normalise both first."
        )
    return float(part.unit.to(first.unit))


def _scaled(part: Spectra, factor: float) -> tuple[np.ndarray, np.ndarray]:
    """Return flux and ivar times a factor, in float64 where float32 can't hold them."""
    if factor == 1:
        return part.flux, part.ivar
    known = (part.noise == "known")[:, None]
    flux = part.flux * np.float64(factor)
    ivar = np.where(known, part.ivar * np.float64(factor) ** -2, part.ivar)
    good = part.ivar > 0
    limits = np.finfo(part.dtype)
    if not (_fits(np.abs(flux[good]), limits) and _fits(ivar[good], limits, is_low=True)):
        return flux, ivar
    flux = np.clip(flux, limits.min, limits.max)  # what is ignored may be anything, but finite
    return flux.astype(part.dtype), ivar.astype(part.dtype)


def _fits(values: np.ndarray, limits: np.finfo, is_low: bool = False) -> bool:
    """Tell whether a type holds some values; an ivar too small for it would become a mask."""
    if values.size == 0:
        return True
    return bool(values.max() <= limits.max and (not is_low or values.min() >= limits.tiny))
