"""What every estimator does with the spectra it is given: read, check, remember the grid."""

from typing import Any

import astropy.units as u
import numpy as np
from sklearn.base import BaseEstimator
from sklearn.utils.validation import validate_data

from spectragan.exceptions import GridMismatchError
from spectragan.spectra.axis import same_axis
from spectragan.spectra.container import Spectra
from spectragan.spectra.convert import as_spectra, kind_of
from spectragan.spectra.lazy import LazySpectra, any_good
from spectragan.spectra.stored import is_stored
from spectragan.spectra.validation import is_masked


def validate_spectra(estimator: BaseEstimator, X: Any, *, reset: bool) -> Spectra:
    """Return `X` as `Spectra`; remember its grid in `fit`, compare with it afterwards.

    Parameters
    ----------
    estimator : BaseEstimator
        Gets ``n_features_in_``, ``wavelength_`` and ``medium_`` if `reset`, and
        ``feature_names_in_`` where `X` has column names.
    X : Spectra, specutils object, list of them, or array-like of shape (n_spectra, n_pixels)
        Matrices in files and of dask become `LazySpectra`. NaN and infinite values of arrays are
        ignored pixels.
    reset : bool
        True in `fit`.

    Returns
    -------
    Spectra
        Arrays are read pixel by pixel, as if on the grid of `fit`.

    Raises
    ------
    GridMismatchError
        If `X` isn't on the grid of `fit`.
    ValueError
        If `X` breaks a rule of `Spectra`, or all its pixels are masked in `fit`.
    """
    if is_stored(X):
        X = LazySpectra(X, None)
    plain = kind_of(X) == "array" and not (is_masked(X) or isinstance(X, u.Quantity))
    if plain:
        if not reset and hasattr(X, "iloc") and getattr(estimator, "wavelength_", None) is not None:
            X = X.to_numpy()  # `fit` saw spectra, which have no column names to compare
        X = validate_data(
            estimator,
            X,
            reset=reset,
            dtype=[np.float64, np.float32],
            ensure_all_finite=False,
        )
    elif reset and hasattr(estimator, "feature_names_in_"):
        del estimator.feature_names_in_  # of an earlier fit
    spectra = as_spectra(X)
    if reset:
        _remember(estimator, spectra)
    else:
        _compare(estimator, spectra)
    return spectra


def _remember(estimator: Any, spectra: Spectra) -> None:
    if not any_good(spectra):
        raise ValueError(
            "`X` must have at least one pixel with ivar > 0; got all pixels masked; "
            "check the mask (True means bad) and the flux for NaN."
        )
    estimator.n_features_in_ = spectra.shape[1]
    estimator.wavelength_ = spectra.wavelength
    estimator.medium_ = spectra.medium


def _compare(estimator: Any, spectra: Spectra) -> None:
    name = type(estimator).__name__
    remedy = "resample them onto that grid, or fit again."
    if spectra.shape[1] != estimator.n_features_in_:
        raise GridMismatchError(
            f"{name} was fitted on spectra of {estimator.n_features_in_} pixels; "
            f"got {spectra.shape[1]}; {remedy}"
        )
    axes = spectra.wavelength, estimator.wavelength_
    if axes[0] is not None and axes[1] is not None and not same_axis(*axes):
        low, high = axes[0][[0, -1]].value
        raise GridMismatchError(
            f"{name} was fitted on spectra of other wavelengths; "
            f"got {low:.10g}-{high:.10g} Angstrom; {remedy}"
        )
    media = spectra.medium, estimator.medium_
    if all(media) and media[0] != media[1]:
        raise GridMismatchError(
            f"{name} was fitted on wavelengths in {media[1]}; got {media[0]}; "
            "convert the wavelengths first."
        )
