"""What all transformers of spectra share: check the input, hand back the kind that came in."""

from copy import copy
from functools import wraps
from inspect import unwrap
from typing import Any, ClassVar, Self

import astropy.units as u
import numpy as np
from numpy.typing import ArrayLike
from sklearn.base import BaseEstimator, OneToOneFeatureMixin, TransformerMixin
from sklearn.utils.validation import check_is_fitted

from spectragan.files.saving import SaveMixin
from spectragan.rules import Rules, check_all
from spectragan.spectra.axis import ascending_angstrom
from spectragan.spectra.checks import check_axis
from spectragan.spectra.container import Spectra
from spectragan.spectra.convert import kind_of, like_input
from spectragan.spectra.inputs import GRID, validate_spectra
from spectragan.spectra.stored import is_stored


class EmulatedSpectraMixin:
    """Emulators that return their spectra with the grid that they are on."""

    wavelength_: u.Quantity | None
    medium_: str | None

    def spectra(self, labels: Any) -> Spectra:
        """Return the spectra of labels, with their wavelengths.

        Parameters
        ----------
        labels : array-like of shape (n_stars, n_labels), DataFrame, Table or QTable
            As `predict` takes them.

        Returns
        -------
        spectra : Spectra of shape (n_stars, n_pixels)
            Noise "exact"; pixels of which the emulator knows nothing are masked.

        Raises
        ------
        NotFittedError
            If the emulator isn't fitted.
        ValueError
            As `predict` does.
        """
        flux = np.asarray(self.predict(labels))  # type: ignore[attr-defined]
        flux = flux.reshape(len(flux), -1)
        good = np.isfinite(flux)
        unit = getattr(self, "unit_", None) or u.dimensionless_unscaled
        return Spectra(
            np.where(good, flux, 0) << unit,
            self.wavelength_,
            None if good.all() else good.astype(flux.dtype),
            "exact",
            self.medium_,
        )


class SpectraOutputMixin(OneToOneFeatureMixin):
    """Name the pixels that come out, and keep `set_output` to plain arrays.

    scikit-learn would turn whatever `transform` returns into a data frame: `Spectra` would lose
    their errors and wavelengths in silence. So spectra stay what they are.
    """

    def __init_subclass__(cls, **kwargs: Any) -> None:
        super().__init_subclass__(**kwargs)  # scikit-learn wraps `transform` here
        if "transform" in cls.__dict__:
            cls.transform = _arrays_only(cls.transform)  # type: ignore[attr-defined]

    def _get_params_html(self, deep: bool = True, doc_link: str = "") -> Any:
        # scikit-learn compares parameters with their defaults; astropy won't compare a Quantity.
        plain = copy(self)
        for name, value in vars(self).items():
            if isinstance(value, u.Quantity):
                setattr(plain, name, str(value))
        return super(SpectraOutputMixin, plain)._get_params_html(deep, doc_link)

    def fit_transform(self, X: Any, y: Any = None, **fit_params: Any) -> Any:
        """Fit, then transform the same spectra.

        Parameters
        ----------
        X : Spectra, specutils object or array-like of shape (n_spectra, n_pixels)
            What `fit` and `transform` take.
        y : object, default=None
            What `fit` takes.
        **fit_params : dict
            Passed to `fit`.

        Returns
        -------
        Spectra, specutils object, ndarray or data frame
            What `transform` returns.
        """
        return unwrap(TransformerMixin.fit_transform)(self, X, y, **fit_params)

    def get_feature_names_out(self, input_features: ArrayLike | None = None) -> np.ndarray:
        """Return the names of the pixels that come out.

        Parameters
        ----------
        input_features : array-like of shape (n_pixels,), default=None
            Names of the columns that went in; None takes those of `fit`.

        Returns
        -------
        ndarray of str of shape (n_new_pixels,)
            Wavelengths in Angstrom where `fit` saw any and columns have no names; else the names
            of the columns, or x0, x1, ...

        Raises
        ------
        ValueError
            If `input_features` aren't those of `fit`.
        """
        names = super().get_feature_names_out(input_features)
        grid: Any = self
        axis = getattr(grid, "new_axis_", None)
        axis = ascending_angstrom(grid.wavelength_ if axis is None else axis)
        named = input_features is not None or hasattr(self, "feature_names_in_")
        if axis is None or (named and len(axis) == len(names)):
            return names
        return np.array([f"{value:.10g}" for value in axis.value], dtype=object)


def _arrays_only(wrapped: Any) -> Any:
    """Return scikit-learn's wrapped `transform` for plain arrays, and the method itself else."""
    method = unwrap(wrapped)

    @wraps(method)
    def transform(self: Any, X: Any, **kwargs: Any) -> Any:
        framed = kwargs.get("out") is None and _is_plain(X)
        return (wrapped if framed else method)(self, X, **kwargs)

    return transform


def _is_plain(X: Any) -> bool:
    return kind_of(X) == "array" and not isinstance(X, u.Quantity) and not is_stored(X)


# Spectra worked on at once: 32 rows of 10,000 pixels are 2.5 MB in float64, which a cache holds.
BLOCK_ROWS = 32


class BaseSpectraTransformer(SpectraOutputMixin, SaveMixin, TransformerMixin, BaseEstimator):
    """A step of a pipeline that takes spectra and gives spectra.

    A subclass writes `_learn(spectra)`, called by `fit`, and `_apply(spectra)`, which returns
    the transformed `Spectra`. `_rules` has the rule of every parameter that no spectra are needed
    to check.
    """

    _kept: ClassVar = GRID
    _rules: ClassVar[Rules] = {}

    def fit(self, X: Any, y: Any = None) -> Self:
        """Check the parameters and learn the grid of the spectra.

        Parameters
        ----------
        X : Spectra, specutils object or array-like of shape (n_spectra, n_pixels)
            Spectra as they will be transformed; NaN in arrays are ignored pixels.
        y : object, default=None
            Ignored.

        Returns
        -------
        BaseSpectraTransformer
            This object.

        Raises
        ------
        ValueError
            If a parameter is out of range, needs wavelengths that `X` doesn't have, or all
            pixels of `X` are masked.
        """
        check_all(vars(self), self._rules)
        self._learn(validate_spectra(self, X, reset=True))
        return self

    def transform(self, X: Any) -> Any:
        """Transform spectra, each on its own: a result doesn't depend on the other rows.

        Parameters
        ----------
        X : Spectra, specutils object or array-like of shape (n_spectra, n_pixels)
            On the grid of `fit`.

        Returns
        -------
        Spectra, specutils object or ndarray
            The kind that came in, with ivar; an ndarray has NaN at ignored pixels.

        Raises
        ------
        GridMismatchError
            If `X` isn't on the grid of `fit`.
        ValueError
            If `X` lacks what this step needs.
        """
        check_is_fitted(self)
        return like_input(self._apply(validate_spectra(self, X, reset=False)), X)

    def _learn(self, spectra: Spectra) -> None:
        """Check what spectra are needed for, and set the attributes that `transform` needs."""
        raise NotImplementedError

    def _apply(self, spectra: Spectra) -> Spectra:
        """Return the transformed spectra."""
        raise NotImplementedError

    def __sklearn_tags__(self) -> Any:
        tags = super().__sklearn_tags__()
        tags.input_tags.allow_nan = True
        tags.transformer_tags.preserves_dtype = ["float64", "float32"]
        return tags


def row_blocks(n_rows: int, size: int = BLOCK_ROWS) -> list[slice]:
    """Cut rows into slices that fit the cache."""
    return [slice(i, min(i + size, n_rows)) for i in range(0, n_rows, size)]


def spectra_on_axis(
    spectra: Spectra,
    flux: np.ndarray,
    ivar: np.ndarray,
    axis: u.Quantity,
    medium: str | None,
) -> Spectra:
    """Return checked flux and ivar on another axis, with noise, meta and unit of `spectra`.

    Parameters
    ----------
    spectra : Spectra
        Where the rows come from.
    flux, ivar : ndarray of shape (n_spectra, n_new_pixels)
        Finite, ascending in wavelength.
    axis : Quantity of shape (n_new_pixels,)
        In any spectral unit and either order.
    medium : {"air", "vacuum"} or None
        What the new wavelengths are in.

    Returns
    -------
    Spectra
        On the new axis.
    """
    checked = check_axis(axis, flux.shape[1])
    new = object.__new__(Spectra)
    parts = (checked, medium, spectra.meta, spectra.unit, ascending_angstrom(checked))
    new._fill(flux, ivar, spectra.noise, *parts)
    return new


def blank_spectra(axis: u.Quantity, medium: str | None) -> Spectra:
    """Return one spectrum of ones on a grid, to fit a step that works there."""
    return Spectra(np.ones((1, len(axis))), axis, medium=medium)


def angstrom_grid(spectra: Spectra, name: str) -> np.ndarray:
    """Return ascending wavelengths in Angstrom, which `name` needs, or raise one sentence."""
    if spectra.wavelength is None:
        raise ValueError(
            f"{name} needs spectra with wavelengths; got none; pass Spectra with their wavelength."
        )
    return spectra.wavelength.value


def unit_factor(spectra: Spectra, unit: u.UnitBase, estimator: BaseEstimator) -> float:
    """Return what flux in the unit of `fit` is multiplied by to be in that of the spectra.

    Parameters
    ----------
    spectra : Spectra
        What was given to `transform`.
    unit : astropy.units.UnitBase
        Unit of flux in `fit`.
    estimator : BaseEstimator
        Fitted; to name in messages.

    Returns
    -------
    float
        1 for arrays, which have neither wavelengths nor a unit, and after a `fit` on them.

    Raises
    ------
    ValueError
        If one unit can't be converted to the other.
    """
    pairs = (spectra.wavelength, spectra.unit), (estimator.wavelength_, unit)
    if any(axis is None and own == u.dimensionless_unscaled for axis, own in pairs):
        return 1.0
    if not unit.is_equivalent(spectra.unit):
        raise ValueError(
            f"`X` must have flux in a unit that converts to {str(unit)!r}, as in the fit of "
            f"{type(estimator).__name__}; got {str(spectra.unit)!r}; treat both in the same way, "
            "or fit again."
        )
    return float(unit.to(spectra.unit))
