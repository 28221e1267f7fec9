"""`set_output` for steps that take and give spectra: data frames for arrays, never for spectra."""

from copy import copy
from functools import wraps
from inspect import unwrap
from typing import Any

import astropy.units as u
import numpy as np
from numpy.typing import ArrayLike
from sklearn.base import OneToOneFeatureMixin, TransformerMixin

from spectragan.spectra.axis import ascending_angstrom
from spectragan.spectra.convert import kind_of
from spectragan.spectra.stored import is_stored


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
