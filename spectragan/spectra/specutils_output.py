"""`Spectra` to specutils objects; imported only when one of them is asked for."""

from typing import Any

import astropy.units as u
import numpy as np
from specutils import SpectralAxis, Spectrum, SpectrumCollection, SpectrumList

from spectragan.rules import check, one_of
from spectragan.spectra.axis import is_descending
from spectragan.spectra.specutils_words import (
    KMS,
    UNCERTAINTIES,
    row_metas,
    row_velocities,
    shared_meta,
    uncertainty_name,
    velocities_of,
)


def to_specutils(
    spectra: Any,
    kind: str = "list",
    *,
    uncertainty: str = "std",
    template: Any = None,
) -> Any:
    """Return specutils objects made of `Spectra`, see `Spectra.to_specutils`.

    Parameters
    ----------
    spectra : Spectra
        What to convert.
    kind : {"list", "stacked", "collection"}, default="list"
        What to make.
    uncertainty : {"std", "var", "ivar"}, default="std"
        Class of the uncertainties.
    template : Spectrum, default=None
        A 1-D spectrum whose axis is used again if it is on the same grid, or a stack whose order
        of axes a stack gets.

    Returns
    -------
    SpectrumList, Spectrum or SpectrumCollection
        With its own writable flux.

    Raises
    ------
    ValueError
        If a word is unknown, or rows of one array differ in whether their noise is known.
    """
    makers = {"list": _to_list, "stacked": _to_stacked, "collection": _to_collection}
    for name, value, words in (("kind", kind, makers), ("uncertainty", uncertainty, UNCERTAINTIES)):
        check(value, name, one_of(*words, text=f"one of {', '.join(words)}"))
    return makers[kind](spectra, uncertainty, template)


def _to_list(spectra: Any, name: str, template: Any) -> SpectrumList:
    flux, errors, mask = _given_order(spectra, name)
    velocities = row_velocities(spectra)
    axes = {v: _shared_axis(spectra, template, v) for v in set(velocities.tolist())}
    cls, error_unit = _error_class(spectra, name)
    known, masked = (spectra.noise == "known").tolist(), np.any(mask, axis=1).tolist()
    unit = spectra.unit
    return SpectrumList(
        Spectrum(
            flux=u.Quantity(flux[i], unit, copy=False),
            spectral_axis=axes[velocities[i]][0],
            wcs=axes[velocities[i]][1],
            mask=mask[i] if masked[i] else None,
            uncertainty=cls(errors[i], unit=error_unit, copy=False) if known[i] else None,
            meta=meta,
        )
        for i, meta in enumerate(row_metas(spectra))
    )


def _to_stacked(spectra: Any, name: str, template: Any) -> Any:
    (flux, errors, mask), index = _given_order(spectra, name), 1
    if template is not None and template.data.ndim == 2 and template.spectral_axis_index == 0:
        flux, errors, mask = (np.ascontiguousarray(array.T) for array in (flux, errors, mask))
        index = 0
    return Spectrum(
        flux=u.Quantity(flux, spectra.unit, copy=False),
        spectral_axis=_any_axis(spectra),
        spectral_axis_index=index,
        mask=mask if mask.any() else None,
        uncertainty=_one_uncertainty(spectra, name, errors),
        meta=shared_meta(spectra),
        radial_velocity=_one_velocity(spectra),
    )


def _one_velocity(spectra: Any) -> u.Quantity | None:
    """Return the velocity of all rows, or one for each, or None where nobody gave any."""
    velocities = row_velocities(spectra)
    same = len(set(velocities.tolist())) == 1
    return (velocities[0] if same else velocities) * KMS if velocities.any() else None


def _to_collection(spectra: Any, name: str, template: Any) -> SpectrumCollection:
    flux, errors, mask = _given_order(spectra, name)
    if spectra.wavelength is None:
        raise ValueError(
            "a SpectrumCollection must have wavelengths; got spectra without; use kind='list'."
        )
    axis = np.broadcast_to(_any_axis(spectra), flux.shape, subok=True)
    velocity = _one_velocity(spectra)
    if velocity is not None and velocity.isscalar:
        axis = SpectralAxis(axis, radial_velocity=velocity)
    return SpectrumCollection(
        flux=u.Quantity(flux, spectra.unit, copy=False),
        spectral_axis=axis,
        mask=mask if mask.any() else None,
        uncertainty=_one_uncertainty(spectra, name, errors),
        meta=list(row_metas(spectra)),
    )


def _given_order(spectra: Any, name: str) -> tuple[np.ndarray, np.ndarray, np.ndarray]:
    """Return copies of flux, uncertainty and mask in the pixel order they came in."""
    with np.errstate(divide="ignore"):
        if name == "std":
            errors = spectra.std
        else:
            errors = spectra.ivar.copy() if name == "ivar" else 1 / spectra.ivar
    arrays = spectra.flux.copy(), errors, spectra.mask
    if is_descending(spectra.spectral_axis):
        flux, errors, mask = (np.ascontiguousarray(a[:, ::-1]) for a in arrays)
        return flux, errors, mask
    return arrays


def _any_axis(spectra: Any) -> u.Quantity:
    """Return the axis as it was given; pixels where there are no wavelengths."""
    axis = spectra.spectral_axis
    return np.arange(spectra.shape[1]) * u.pix if axis is None else axis.copy()


def _shared_axis(spectra: Any, template: Any, velocity: float) -> tuple[Any, Any]:
    """Return an axis and a wcs that spectra of one velocity share: making them takes the time."""
    axis = _any_axis(spectra)
    if (
        template is not None
        and template.data.ndim == 1
        and template.spectral_axis.unit == axis.unit
        and velocities_of(template.spectral_axis, 1)[0] == velocity
    ):
        old = template.spectral_axis
        if old.shape == axis.shape and np.array_equal(old.value, axis.value):
            return old, template.wcs
    given = {"radial_velocity": velocity * KMS} if velocity else {}
    one = Spectrum(flux=np.ones(len(axis)) * spectra.unit, spectral_axis=axis, **given)
    return one.spectral_axis, one.wcs


def _error_class(spectra: Any, name: str) -> tuple[Any, u.UnitBase]:
    cls, power = UNCERTAINTIES[name]
    return cls, spectra.unit**power


def _one_uncertainty(spectra: Any, name: str, errors: np.ndarray) -> Any:
    """Return the uncertainty of one array of all rows, which can't be known in some rows only."""
    known = spectra.noise == "known"
    if not known.any():
        return None
    if not known.all():
        raise ValueError(
            "spectra in one array must all have known noise, or none of them; got "
            f"{np.count_nonzero(known)} of {len(known)}; use kind='list'."
        )
    cls, unit = _error_class(spectra, name)
    return cls(errors, unit=unit, copy=False)


def specutils_like(result: Any, x: Any, kind: str) -> Any:
    """Return `Spectra` as the kind of specutils object that `x` is.

    Parameters
    ----------
    result : Spectra
        What was made of `x`.
    x : Spectrum, SpectrumList, SpectrumCollection or list of Spectrum
        What came in.
    kind : {"spectrum", "collection", "list"}
        Which of them it is.

    Returns
    -------
    Spectrum, SpectrumList, SpectrumCollection or list of Spectrum
        With the class of uncertainty that `x` had, and its axis object if the grid is the same.
    """
    first = x[0] if kind == "list" else x
    name = "std" if first.uncertainty is None else uncertainty_name(first.uncertainty)
    if kind == "collection":
        return to_specutils(result, "collection", uncertainty=name)
    if kind == "spectrum" and first.data.ndim == 2:
        return to_specutils(result, "stacked", uncertainty=name, template=first)
    made = to_specutils(result, "list", uncertainty=name, template=first)
    if kind == "spectrum" and len(made) == 1:
        return made[0]
    return made if isinstance(x, SpectrumList) else list(made)
