"""The door for spectra into estimators and diagnostics: read, check, remember the grid."""

import numbers
from typing import Any

import astropy.units as u
import numpy as np
from sklearn.base import BaseEstimator
from sklearn.utils.validation import check_is_fitted, validate_data

from spectragan.exceptions import GridMismatchError
from spectragan.spectra.axis import same_axis
from spectragan.spectra.checks import check_is_matrix, is_masked, shape_of
from spectragan.spectra.container import Spectra
from spectragan.spectra.convert import as_spectra, kind_of
from spectragan.spectra.joining import check_same_grid, concatenate
from spectragan.spectra.lazy import LazySpectra, any_good
from spectragan.spectra.oddities import warn_of_fillers
from spectragan.spectra.stored import is_stored

# What `validate_spectra` remembers, by the rules of files.
GRID = {
    "n_features_in_": "count p",
    "wavelength_": "axis? p",
    "medium_": "word?",
    "feature_names_in_?": "names p",
    "_sklearn_output_config?": "any",
}
MIN_SPECTRA = 10  # fewer say nothing about a distribution: a half would have under five


def make_rng(
    random_state: int | np.random.RandomState | np.random.Generator | None,
) -> np.random.Generator:
    """Return a private generator; numpy's global one is never read or advanced.

    Parameters
    ----------
    random_state : int, RandomState, Generator or None
        An int gives the same numbers each time, an instance is advanced, None takes fresh entropy.

    Returns
    -------
    rng : numpy.random.Generator
        The generator to draw from.

    Examples
    --------
    >>> from spectragan.spectra.inputs import make_rng
    >>> bool(make_rng(0).integers(100) == make_rng(0).integers(100))
    True
    """
    if isinstance(random_state, np.random.RandomState):
        return np.random.default_rng(int(random_state.randint(2**31 - 1)))
    is_seed = isinstance(random_state, numbers.Integral) and random_state >= 0
    if not (is_seed or random_state is None or isinstance(random_state, np.random.Generator)):
        raise ValueError(
            f"`random_state` must be an integer >= 0, a generator or None; got {random_state!r}; "
            "use 0 for the same numbers each time."
        )
    return np.random.default_rng(random_state)


def draw_seed(rng: np.random.Generator) -> int:
    """Return a seed for code that takes only integers."""
    return int(rng.integers(2**31 - 1))


def check_set(
    x: Any,
    name: str,
    *,
    like: Spectra | None = None,
    like_name: str = "b",
    min_rows: int = MIN_SPECTRA,
) -> Spectra:
    """Return `x` as a `Spectra` with enough rows, on the grid of `like`.

    Parameters
    ----------
    x : anything that `as_spectra` accepts, of shape (n_spectra, n_pixels)
        The spectra.
    name : str
        What to call `x` in a message.
    like : Spectra, default=None
        The spectra whose grid and flux unit `x` is brought to.
    like_name : str, default="b"
        What to call `like` in a message.
    min_rows : int, default=10
        The least number of spectra.

    Returns
    -------
    spectra : Spectra of shape (n_spectra, n_pixels)
        The checked spectra.

    Raises
    ------
    ValueError
        If there are fewer than `min_rows` spectra, no pixel is unmasked or the units
        do not convert.
    GridMismatchError
        If the grids differ.
    """
    spectra = as_spectra(x)
    if len(spectra) < min_rows:
        raise ValueError(
            f"`{name}` must hold at least {min_rows} spectra; got {len(spectra)}; give more rows."
        )
    if not any_good(spectra):
        raise ValueError(
            f"`{name}` must have an unmasked pixel; got ivar == 0 everywhere; check its mask."
        )
    warn_of_fillers(spectra, name)
    if like is None:
        return spectra
    check_same_grid(like, spectra, names=(like_name, name))
    # Joining converts flux and ivar to the unit of `like`, or says that they do not convert.
    return spectra if spectra.unit == like.unit else concatenate([like, spectra])[len(like) :]


def check_latents(z: Any, name: str) -> np.ndarray:
    """Return latents as a finite float64 array of shape (n_spectra, n_latents).

    Raises
    ------
    ValueError
        If `z` is not two-dimensional or holds NaN or infinity.
    """
    array = np.asarray(z, dtype=np.float64)
    if array.ndim != 2:
        raise ValueError(
            f"latents `{name}` must have shape (n_spectra, n_latents); got {array.shape}; "
            "give one row per spectrum."
        )
    if not np.isfinite(array).all():
        row, column = np.argwhere(~np.isfinite(array))[0]
        raise ValueError(
            f"latents `{name}` must be finite; got {array[row, column]} at row {row}, "
            f"latent {column}; check the translator's training."
        )
    return array


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
        check_is_matrix(X, "X")
        if not reset and hasattr(X, "iloc") and getattr(estimator, "wavelength_", None) is not None:
            X = X.to_numpy()  # `fit` saw spectra, which have no column names to compare
        elif not reset and not hasattr(X, "columns"):
            check_n_pixels(estimator, shape_of(X)[1])
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
    warn_of_fillers(spectra, "X")
    return spectra


def check_unit(spectra: Spectra, unit: Any, of: str = "fit") -> None:
    """Raise unless spectra have a unit of flux.

    Parameters
    ----------
    spectra : Spectra
    unit : astropy unit
    of : str, default="fit"
        Whose unit it is.

    Raises
    ------
    ValueError
        If they have another one.
    """
    if spectra.unit != unit:
        raise ValueError(
            f"`X` must have the flux unit of {of}, '{unit}'; got '{spectra.unit}'; convert it, or "
            "normalise both the same way first."
        )


def check_translator(translator: Any, call: str) -> None:
    """Raise unless a translator is one, and fitted.

    Parameters
    ----------
    translator : object
    call : str
        The right order of arguments.

    Raises
    ------
    NotFittedError, TypeError
        If it isn't.
    """
    if not hasattr(translator, "transform") or isinstance(translator, type):
        raise TypeError(
            f"`translator` must be a fitted translator; got {type(translator).__name__}; "
            f"call {call}."
        )
    check_is_fitted(translator)


def check_n_pixels(estimator: Any, n_pixels: int) -> None:
    """Raise unless there are as many pixels as in the fit."""
    if n_pixels != estimator.n_features_in_:
        raise ValueError(
            f"X has {n_pixels} features, but {type(estimator).__name__} is expecting "
            f"{estimator.n_features_in_} features as input: one column for each pixel of the fit; "
            "give spectra on that grid, or resample them onto it."
        )


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
