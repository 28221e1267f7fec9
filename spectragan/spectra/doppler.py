"""Velocities along the line of sight: how they are given, and what they do to wavelengths."""

from typing import Any

import astropy.constants as const
import astropy.units as u
import numpy as np

from spectragan.spectra.container import Spectra

KMS = u.km / u.s
# Where a step that shifted spectra wrote by how much, one number in km/s per spectrum.
REST_FRAME_KEY = "rest_frame_velocity"


def speed_ratio(velocity: Any, name: str) -> np.ndarray:
    """Return velocities, with a unit or in km/s, over the speed of light; NaN where masked."""
    try:
        return np.asarray((_as_quantity(velocity) / const.c).to_value(u.one))
    except (TypeError, ValueError) as error:
        raise ValueError(
            f"`{name}` must be a velocity; got {velocity!r}; give a Quantity or numbers in km/s."
        ) from error


def _as_quantity(velocity: Any) -> u.Quantity:
    """Return velocities with their own unit, km/s if they have none; masked ones are NaN."""
    if isinstance(velocity, list | tuple) and any(isinstance(v, u.Quantity) for v in velocity):
        return u.Quantity([_as_quantity(value) for value in velocity], KMS)
    mask, unit = getattr(velocity, "mask", None), getattr(velocity, "unit", None)
    values = np.array(velocity, dtype=float)
    if isinstance(mask, np.ndarray | np.bool_):  # columns of pandas have a method of that name
        values[mask] = np.nan
    return values * (unit if isinstance(unit, u.UnitBase) else KMS)


def doppler_factor(beta: np.ndarray) -> np.ndarray:
    """Return observed over emitted wavelength of a source receding at `beta` c (relativistic)."""
    return np.sqrt((1 + beta) / (1 - beta))


def redshift_velocity(redshift: Any) -> np.ndarray:
    """Return the velocity in km/s of a redshift: the inverse of `doppler_factor`, not c z."""
    squared = (1 + np.asarray(redshift, dtype=float)) ** 2
    return const.c.to_value(KMS) * (squared - 1) / (squared + 1)


def row_speed_ratios(velocity: Any, spectra: Spectra, name: str) -> np.ndarray:
    """Return velocities over the speed of light, one per spectrum.

    Parameters
    ----------
    velocity : str, Quantity or array-like of shape () or (n_spectra,)
        A key of meta, or velocities; what has no unit, as a column or Quantity has, is in km/s.
    spectra : Spectra of n_spectra rows
        What moves.
    name : str
        Parameter to name in messages.

    Returns
    -------
    ndarray of shape (n_spectra,)
        Finite and between -1 and 1.

    Raises
    ------
    ValueError
        If a velocity is missing, or there is another number of them.
    """
    if isinstance(velocity, str):
        key, velocity = velocity, (spectra.meta or {}).get(velocity)
        if velocity is None or any(value is None or value is np.ma.masked for value in velocity):
            raise ValueError(
                f"`{name}` must name a key of meta that every spectrum has; got {key!r}, which "
                "is missing; add it to meta, or pass the velocities themselves."
            )
    beta = speed_ratio(velocity, name)
    if beta.shape not in ((), (len(spectra),)):
        raise ValueError(
            f"`{name}` must be one velocity or one for each of {len(spectra)} spectra; got shape "
            f"{beta.shape}; put them in meta, where they follow their rows."
        )
    if not (np.abs(beta) < 1).all():
        raise ValueError(
            f"`{name}` must be finite and slower than light; got {velocity!r}; give km/s."
        )
    return np.broadcast_to(beta, len(spectra))
