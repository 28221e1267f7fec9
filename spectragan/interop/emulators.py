"""`CallableEmulator`: a function from labels to spectra, used like any other emulator."""

from collections.abc import Callable, Sequence
from functools import partial
from typing import Any

import astropy.units as u
import numpy as np

from spectragan.interop.derivatives import DERIVATIVES, finite_differences
from spectragan.labels import check_names, column_units, label_array, named_columns, warn_outside
from spectragan.rules import check
from spectragan.spectra.axis import ascending_angstrom, is_descending
from spectragan.spectra.checks import MEDIUM, check_axis
from spectragan.spectra.transformer import EmulatedSpectraMixin

ROWS = 64  # given to the function at a time: one size, so that no row depends on its batch


class CallableEmulator(EmulatedSpectraMixin):
    """Use any function from labels to spectra as an emulator.

    Parameters
    ----------
    function : callable
        Takes labels of shape (n_stars, n_labels) and returns flux of shape (n_stars, n_pixels):
        float64 arrays, or tensors and JAX arrays where `jacobian` is "torch" or "jax".
    label_names : sequence of n_labels str
        In the order of the columns.
    label_range : array-like of shape (2, n_labels)
        Lowest and highest labels that the function may be trusted with.
    wavelength : Quantity of shape (n_pixels,), default=None
        Of the flux; None is a grid without wavelengths.
    jacobian : callable or {"torch", "jax"}, default=None
        Derivatives of the flux. A callable takes labels and returns an array of shape (n_stars,
        n_pixels, n_labels), per unit of each label; "torch" and "jax" differentiate the function.
        None takes differences between five points inside the range: four more calls a label.
    label_units : dict of str to astropy unit, default=None
        Of those labels that have one.
    medium : {"air", "vacuum"}, default=None
        What the wavelengths were measured in.
    label_sample : array-like of shape (n_sample, n_labels), default=None
        Labels such as stars have. A translator that is fitted to the emulator draws its synthetic
        spectra around these; None takes the whole range evenly.

    Attributes
    ----------
    label_names_ : tuple of str
        As given.
    label_range_ : ndarray of shape (2, n_labels)
        As given.
    wavelength_ : Quantity of shape (n_pixels,) or None
        In Angstrom, ascending; flux is turned around with it.
    medium_ : {"air", "vacuum"} or None
        As given.

    Raises
    ------
    ImportError
        If `jacobian` names a package that isn't there.
    TypeError, ValueError
        If an argument breaks its rule.

    See Also
    --------
    read_payne : Networks of The Payne.
    spectragan.SpectrumEmulator : Learns from spectra with labels.

    Notes
    -----
    It is no estimator: there is nothing to fit. `spectragan.ParameterFitter`,
    `spectragan.ObservedEmulator`, `spectragan.LineAttribution` and
    ``CycleGANTranslator.fit(emulator, observed)`` take it as they take a fitted `SpectrumEmulator`.

    Examples
    --------
    >>> import astropy.units as u
    >>> import numpy as np
    >>> from spectragan.interop import CallableEmulator
    >>> wavelength = np.linspace(5000, 5010, 50) * u.AA
    >>> line = np.exp(-((wavelength.value - 5005) ** 2))
    >>> emulator = CallableEmulator(
    ...     lambda labels: 1 - 5000 / labels[:, :1] * 0.3 * line,
    ...     label_names=["teff"],
    ...     label_range=[[4000], [7000]],
    ...     wavelength=wavelength,
    ... )
    >>> emulator.spectra([[5000.0], [6000.0]])
    Spectra(2 spectra, 50 pixels, 5000-5010 Angstrom, noise exact, float64)
    >>> emulator.jacobian([[5000.0]]).shape
    (1, 50, 1)
    """

    def __init__(
        self,
        function: Callable[..., Any],
        label_names: Sequence[str],
        label_range: Any,
        wavelength: u.Quantity | None = None,
        jacobian: Callable[..., Any] | str | None = None,
        *,
        label_units: dict[str, Any] | None = None,
        medium: str | None = None,
        label_sample: Any = None,
    ) -> None:
        self.label_names_ = check_names(label_names)
        self.label_range_ = _check_range(label_range, self.label_names_)
        check(medium, "medium", MEDIUM)
        self._flux, self._slopes = _functions(function, jacobian, self.label_range_)
        self._units = {name: u.Unit(unit) for name, unit in (label_units or {}).items()}
        middle = self._call(self._flux, self.label_range_.mean(axis=0)[None])
        if middle.ndim != 2:
            raise ValueError(
                "`function` must return flux of shape (n_stars, n_pixels); got shape "
                f"{middle.shape} for one star; give it a row per star."
            )
        self.n_pixels_ = middle.shape[1]
        axis = check_axis(wavelength, self.n_pixels_)
        self._is_descending = is_descending(axis)
        self.wavelength_, self.medium_ = ascending_angstrom(axis), medium
        self.unit_ = u.dimensionless_unscaled
        self.label_sample_ = None if label_sample is None else self._read(label_sample)

    @property
    def _label_units(self) -> dict[str, Any]:
        return {name: unit for name, unit in self._units.items() if unit != u.dex}

    def predict(self, labels: Any) -> np.ndarray:
        """Return the spectra of labels.

        Parameters
        ----------
        labels : array-like of shape (n_stars, n_labels), DataFrame, Table or QTable
            Columns with names may come in any order.

        Returns
        -------
        flux : ndarray of shape (n_stars, n_pixels)
            In the precision of the labels.

        Raises
        ------
        ValueError
            If labels are missing, too many or not finite, or the function returns another shape.

        Warns
        -----
        LabelExtrapolationWarning
            If a label leaves `label_range_`.
        """
        rows = self._read(labels)
        flux = self._in_batches(self._flux, rows, (self.n_pixels_,))
        return (flux[:, ::-1] if self._is_descending else flux).astype(rows.dtype)

    def jacobian(self, labels: Any) -> np.ndarray:
        """Return the derivatives of the spectra with respect to the labels.

        Parameters
        ----------
        labels : array-like of shape (n_stars, n_labels), DataFrame, Table or QTable
            Columns with names may come in any order.

        Returns
        -------
        jacobian : ndarray of shape (n_stars, n_pixels, n_labels)
            Flux per unit of each label.

        Raises
        ------
        ValueError
            As `predict` does.

        Warns
        -----
        LabelExtrapolationWarning
            If a label leaves `label_range_`.
        """
        rows = self._read(labels)
        shape = (self.n_pixels_, len(self.label_names_))
        slopes = self._in_batches(self._slopes, rows, shape)
        return (slopes[:, ::-1] if self._is_descending else slopes).astype(rows.dtype)

    def __repr__(self) -> str:
        return f"CallableEmulator({', '.join(self.label_names_)}; {self.n_pixels_} pixels)"

    def _read(self, labels: Any) -> np.ndarray:
        names = None if named_columns(labels) is None else self.label_names_
        rows = label_array(labels, names, self._label_units or column_units(labels))
        if rows.shape[1] != len(self.label_names_):
            raise ValueError(
                f"`labels` must have one column for each of {', '.join(self.label_names_)}; got "
                f"{rows.shape[1]} columns; select these in this order."
            )
        warn_outside(rows, self.label_range_, self.label_names_)
        return rows

    def _in_batches(
        self, function: Callable[..., Any], rows: np.ndarray, shape: tuple[int, ...]
    ) -> np.ndarray:
        """Call a function on batches of one size, the last one filled with its last row."""
        result = np.empty((len(rows), *shape))
        for start in range(0, len(rows), ROWS):
            part = rows[start : start + ROWS].astype(float)
            full = np.concatenate([part, np.repeat(part[-1:], ROWS - len(part), axis=0)])
            values = self._call(function, full)
            if values.shape != (ROWS, *shape):
                raise ValueError(
                    f"`function` and its `jacobian` must return arrays of shape {(ROWS, *shape)} "
                    f"for {ROWS} stars; got {values.shape}; give rows that don't depend on others."
                )
            result[start : start + ROWS] = values[: len(part)]
        return result

    @staticmethod
    def _call(function: Callable[..., Any], rows: np.ndarray) -> np.ndarray:
        return np.asarray(function(rows), dtype=float)


def _check_range(label_range: Any, names: tuple[str, ...]) -> np.ndarray:
    values = np.array(label_range, dtype=float)
    if (
        values.shape != (2, len(names))
        or not np.isfinite(values).all()
        or not (values[0] < values[1]).all()
    ):
        raise ValueError(
            f"`label_range` must hold the lowest and the highest of {', '.join(names)}, shape "
            f"(2, {len(names)}), the highest above; got {values.tolist()}; give two rows."
        )
    return values


def _functions(
    function: Any, jacobian: Any, label_range: np.ndarray
) -> tuple[Callable[..., Any], Callable[..., Any]]:
    """Return functions of arrays: flux, and derivatives."""
    if not callable(function):
        raise TypeError(
            f"`function` must be callable; got {type(function).__name__}; give a function that "
            "takes labels and returns flux."
        )
    if callable(jacobian):
        return function, jacobian
    if jacobian is None:
        return function, partial(finite_differences, function, label_range)
    if jacobian not in DERIVATIVES:
        raise ValueError(
            f"`jacobian` must be a function, {' or '.join(map(repr, DERIVATIVES))} or None; got "
            f"{jacobian!r}; None takes finite differences."
        )
    return DERIVATIVES[jacobian](function)
