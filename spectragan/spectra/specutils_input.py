"""specutils objects to `Spectra`; imported only when one of them is met."""

from collections.abc import Sequence
from typing import Any

import astropy.units as u
import numpy as np
from specutils import Spectrum

from spectragan.exceptions import GridMismatchError
from spectragan.spectra.axis import same_axis
from spectragan.spectra.checks import all_finite, first_true, native_float, to_unit
from spectragan.spectra.container import Spectra
from spectragan.spectra.specutils_words import (
    UnitFactors,
    fill_ivar,
    merge_meta,
    pop_words,
    split_meta,
    velocities_of,
    wcs_medium,
    with_velocities,
)


def from_specutils(x: Any, kind: str) -> Spectra:
    """Return `Spectra` made of a specutils object.

    Parameters
    ----------
    x : Spectrum, SpectrumList, SpectrumCollection or list of 1-D Spectrum
        On one grid.
    kind : {"spectrum", "collection", "list"}
        Which of them it is.

    Returns
    -------
    Spectra
        Masks and uncertainties are in `ivar`, metadata in `meta`. An axis in pixels is none.

    Raises
    ------
    GridMismatchError
        If spectra are on different grids.
    ValueError
        If flux isn't 1-D or 2-D, or units, uncertainties or shapes break a rule.
    """
    if kind == "list":
        return _from_list(x)
    return _from_collection(x) if kind == "collection" else _from_spectrum(x)


def _from_list(spectra: Sequence[Any]) -> Spectra:
    first = spectra[0]
    _check_list(spectra)
    unit, shape = first.unit, (len(spectra), first.data.shape[0])
    dtype = np.result_type(*{native_float(s.data[:1], "flux").dtype for s in spectra})
    flux, ivar = np.empty(shape, dtype), None
    if any(s.uncertainty is not None or s.mask is not None for s in spectra):
        ivar = np.empty(shape, dtype)
    factor = UnitFactors(unit)
    for i, s in enumerate(spectra):
        flux[i] = s.data if s.unit is unit or s.unit == unit else to_unit(s.flux, unit, "flux")
        if ivar is not None:
            fill_ivar(ivar[i], s.uncertainty, None, s.mask, factor)
    errors = [s.uncertainty for s in spectra]
    given = [None if e is None else e.array for e in errors]
    meta = merge_meta([s.meta for s in spectra])
    velocities = np.concatenate([velocities_of(s.spectral_axis, 1) for s in spectra])
    meta = with_velocities(meta, velocities)
    medium = wcs_medium(first.wcs)
    return _checked(flux, first.spectral_axis, ivar, (errors, given), meta, unit, medium)


def _check_list(spectra: Sequence[Any]) -> None:
    """Raise unless every item is a 1-D spectrum on the grid of the first."""
    axis = spectra[0].spectral_axis
    values, unit = axis.value, axis.unit
    for i, s in enumerate(spectra):
        if not isinstance(s, Spectrum) or s.data.ndim != 1:
            got = f"{s.data.ndim}-D flux" if isinstance(s, Spectrum) else type(s).__name__
            raise ValueError(
                f"a list of spectra must hold 1-D Spectrum objects only; got {got} at position "
                f"{i}; pass a stacked Spectrum on its own."
            )
        other = s.spectral_axis
        if other is axis or (other.unit is unit and np.array_equal(other.value, values)):
            continue
        if not same_axis(_angstrom(axis), _angstrom(other)):
            raise GridMismatchError(
                "all spectra must be on one wavelength grid; got another one at position "
                f"{i}; resample it onto the grid of the first."
            )


def _angstrom(axis: Any) -> u.Quantity | None:
    plain = _plain_axis(axis)
    return None if plain is None else plain.to(u.AA, u.spectral())


def _plain_axis(axis: Any) -> u.Quantity | None:
    """Return a plain Quantity; specutils writes pixels where there are no wavelengths."""
    return None if axis.unit == u.pix else u.Quantity(axis.value, axis.unit)


def _from_spectrum(x: Any) -> Spectra:
    if x.data.ndim > 2:
        raise ValueError(
            f"a Spectrum must have 1-D or 2-D flux; got shape {x.data.shape}; "
            "reshape a cube to (n_spectra, n_pixels)."
        )
    stacked = x.data.ndim == 2
    swap = stacked and x.spectral_axis_index == 0

    def rows(values: Any) -> np.ndarray:
        array = np.atleast_2d(values)
        return array.T if swap else array

    errors = None if x.uncertainty is None else rows(x.uncertainty.array)
    flux, mask = rows(x.data), None if x.mask is None else rows(x.mask)
    meta = split_meta(x.meta, len(flux)) if stacked else merge_meta([x.meta])
    meta = with_velocities(meta, velocities_of(x.spectral_axis, len(flux)))
    parts = flux, x.spectral_axis, x.uncertainty, errors, mask, meta, x.unit
    return _from_stack(*parts, wcs_medium(x.wcs))


def _from_collection(x: Any) -> Spectra:
    axes = x.spectral_axis
    if x.flux.ndim != 2:
        raise ValueError(
            f"a SpectrumCollection must have 2-D flux; got shape {x.flux.shape}; "
            "reshape it to (n_spectra, n_pixels)."
        )
    for i in range(1, len(axes)):
        if not same_axis(_angstrom(axes[0]), _angstrom(axes[i])):
            raise GridMismatchError(
                f"all spectra must be on one wavelength grid; got another one at position {i}; "
                "resample it onto the grid of the first."
            )
    errors = None if x.uncertainty is None else x.uncertainty.array
    n_rows = len(x.flux)
    is_list = isinstance(x.meta, list | tuple)
    meta = merge_meta(list(x.meta)) if is_list else split_meta(x.meta or {}, n_rows)
    velocities = np.concatenate([velocities_of(axis, 1) for axis in axes])
    meta = with_velocities(meta, velocities)
    return _from_stack(x.flux.value, axes[0], x.uncertainty, errors, x.mask, meta, x.flux.unit)


def _from_stack(data, axis, uncertainty, errors, mask, meta, unit, medium=None) -> Spectra:
    flux = native_float(data, "flux")
    ivar = None
    if uncertainty is not None or mask is not None:
        ivar, factor = np.empty(flux.shape, flux.dtype), UnitFactors(unit)
        for i, row in enumerate(ivar):
            error_row = None if errors is None else errors[i]
            fill_ivar(row, uncertainty, error_row, None if mask is None else mask[i], factor)
    return _checked(flux, axis, ivar, ([uncertainty] * len(flux), errors), meta, unit, medium)


def _checked(flux, axis, ivar, errors, meta, unit, said=None) -> Spectra:
    """Make Spectra with a message about uncertainties, not about the ivar nobody passed."""
    uncertainties, given = errors
    if ivar is not None and not (all_finite(ivar) and ivar.min() >= 0):
        strange = ~(np.isfinite(ivar) & (ivar >= 0)) & np.isfinite(flux)
        if strange.any():
            row, pixel = first_true(strange)
            raise ValueError(
                "the uncertainty of every pixel must be a positive number; got "
                f"{given[row][pixel]} ({type(uncertainties[row]).__name__}) at row {row}, "
                f"pixel {pixel}; mask such pixels."
            )
    words, medium, meta = pop_words(meta, len(flux))
    noise = ["known" if e is not None else w for e, w in zip(uncertainties, words, strict=True)]
    plain = _plain_axis(axis)
    return Spectra(u.Quantity(flux, unit, copy=False), plain, ivar, noise, medium or said, meta)
