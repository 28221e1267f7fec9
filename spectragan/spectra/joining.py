"""Sets of spectra joined row by row, whatever units and metadata each came with."""

from collections.abc import Sequence

import numpy as np

from spectragan.spectra.container import Spectra
from spectragan.spectra.grid import check_same_grid
from spectragan.spectra.rows import join_meta


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
    scaled = [_scaled(part, _unit_factor(part, first)) for part in parts]
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
