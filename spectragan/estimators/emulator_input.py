"""What `SpectrumEmulator` checks before it works: parameters, spectra, grids."""

from math import inf
from numbers import Integral
from typing import Any

import astropy.units as u
import numpy as np
import torch
from sklearn.utils import check_consistent_length

from spectragan.estimators.labels import label_array
from spectragan.exceptions import GridMismatchError
from spectragan.spectra import Spectra, as_spectra
from spectragan.spectra.axis import same_axis
from spectragan.spectra.convert import kind_of
from spectragan.spectra.validation import check_between, check_verbose, is_masked
from spectragan.training.emulator_fit import EmulatorSettings
from spectragan.training.emulator_net import TrunkSettings

LOWEST = {"n_components": 1, "n_centers": 2, "max_epochs": 0, "batch_size": 1}


def check_parameters(estimator: Any) -> None:
    """Raise one sentence about the first parameter that is out of its range.

    Parameters
    ----------
    estimator : SpectrumEmulator

    Raises
    ------
    ValueError
        If a count is no integer or too small, or a share or a rate is out of range.
    """
    for name, lowest in LOWEST.items():
        value = getattr(estimator, name)
        if not _is_integer(value) or value < lowest:
            raise ValueError(
                f"`{name}` must be an integer >= {lowest}; got {value!r}; the default is a good "
                "start."
            )
    sizes = estimator.hidden
    if not isinstance(sizes, list | tuple) or not all(
        _is_integer(size) and size >= 1 for size in sizes
    ):
        raise ValueError(
            f"`hidden` must be a sequence of integers >= 1; got {sizes!r}; (300, 300) is a good "
            "start."
        )
    fraction, rate = estimator.validation_fraction, estimator.learning_rate
    check_between(fraction, "validation_fraction", 0.0, 1.0, "0.1 is a good start")
    check_between(rate, "learning_rate", 0.0, inf, "3e-3 is a good start")
    check_verbose(estimator.verbose)


def _is_integer(value: Any) -> bool:
    return isinstance(value, Integral) and not isinstance(value, bool)


def training_settings(estimator: Any, device: torch.device) -> EmulatorSettings:
    """Return how an emulator is trained.

    Parameters
    ----------
    estimator : SpectrumEmulator
    device : torch.device

    Returns
    -------
    settings : EmulatorSettings
    """
    trunk = TrunkSettings(
        max_epochs=estimator.max_epochs,
        batch_size=estimator.batch_size,
        learning_rate=estimator.learning_rate,
        validation_fraction=estimator.validation_fraction,
        device=device,
        verbose=estimator.verbose,
    )
    hidden = tuple(estimator.hidden)
    return EmulatorSettings(estimator.n_components, estimator.n_centers, hidden, trunk)


def read_spectra(y: Any) -> Spectra:
    """Return spectra; numbers of shape (n_samples,) become one pixel each.

    Parameters
    ----------
    y : Spectra, specutils object, list of them, or array-like

    Returns
    -------
    spectra : Spectra

    Raises
    ------
    ValueError
        If one-dimensional numbers aren't finite, or `y` breaks a rule of `Spectra`.
    """
    if kind_of(y) != "array" or is_masked(y) or isinstance(y, u.Quantity):
        return as_spectra(y)
    values = np.asarray(y)
    if values.ndim != 1:
        return as_spectra(values)
    column = values.astype(float)
    if not np.isfinite(column).all():
        raise ValueError(
            "Input y contains infinity or a value too large for dtype('float64'), or NaN: got "
            f"{np.count_nonzero(~np.isfinite(column))} of {len(column)}; drop such rows."
        )
    return Spectra(column[:, None], None)


def read_training(X: Any, y: Any) -> tuple[np.ndarray, Spectra]:
    """Return labels and spectra to fit an emulator to.

    Parameters
    ----------
    X : array-like of shape (n_samples, n_labels), DataFrame, Table or QTable
    y : Spectra, specutils object, list of them, or array-like

    Returns
    -------
    labels : ndarray of shape (n_samples, n_labels)
    spectra : Spectra

    Raises
    ------
    ValueError
        If they aren't equally many, at least two, or no pixel is good.
    """
    if y is None:
        raise ValueError(
            "SpectrumEmulator requires y to be passed, but the target y is None; call "
            "fit(labels, spectra)."
        )
    labels = label_array(X)
    spectra = read_spectra(y)
    check_consistent_length(labels, spectra)
    if len(labels) < 2:
        raise ValueError(
            "`X` and `y` must hold at least 2 spectra with labels; got 1 sample; add spectra."
        )
    if not (spectra.ivar > 0).any():
        raise ValueError(
            "`y` must have at least one pixel with ivar > 0; got all pixels masked; check the "
            "mask (True means bad) and the flux for NaN."
        )
    return labels, spectra


def noise_variance(spectra: Spectra) -> np.ndarray:
    """Return the variance of the noise, 0 where it isn't known.

    Parameters
    ----------
    spectra : Spectra

    Returns
    -------
    variance : ndarray of shape (n_samples, n_pixels)
        In flux units squared.
    """
    known = spectra.noise == "known"
    if not known.any():
        return np.broadcast_to(0.0, spectra.shape)
    used = known[:, None] & (spectra.ivar > 0)
    return np.where(used, 1 / np.where(used, spectra.ivar, 1).astype(float), 0.0)


def check_grid(spectra: Spectra, n_pixels: int, wavelength: u.Quantity | None) -> None:
    """Raise unless spectra are on the grid of the fit.

    Parameters
    ----------
    spectra : Spectra
    n_pixels : int
        Of the fit.
    wavelength : Quantity of shape (n_pixels,) or None
        Of the fit.

    Raises
    ------
    GridMismatchError
        If pixels or wavelengths differ.
    """
    remedy = "resample the spectra onto that grid."
    if spectra.shape[1] != n_pixels:
        raise GridMismatchError(
            f"`y` must be on the grid of the fit, {n_pixels} pixels; got {spectra.shape[1]}; "
            + remedy
        )
    given = spectra.wavelength
    if given is None or wavelength is None or same_axis(given, wavelength):
        return
    raise GridMismatchError(
        f"`y` must be on the grid of the fit, {wavelength[0]:.6g} to {wavelength[-1]:.6g}; got "
        f"{given[0]:.6g} to {given[-1]:.6g}; {remedy}"
    )
