"""Labels with names: arrays, data frames and astropy tables to floats, and the hull around them."""

import warnings
from collections.abc import Sequence
from typing import Any

import numpy as np
from sklearn.utils import check_array

from spectragan.exceptions import LabelExtrapolationWarning
from spectragan.spectra.checks import is_masked, nan_where_masked

# What estimators remember of the labels they were given, by the rules of files.
LABELS = {
    "label_names_": "words l",
    "label_range_": "array 2 l",
    "_label_units": "units",
    "_one_dimensional": "flag",
    "unit_": "unit",
}
ROUNDING = 1e-6  # of the range: labels that went through float32 aren't outside


def named_columns(labels: Any) -> tuple[str, ...] | None:
    """Return the column names of a data frame or astropy table, or None of anything else.

    Parameters
    ----------
    labels : array-like, DataFrame, Table or QTable

    Returns
    -------
    names : tuple of str or None

    Examples
    --------
    >>> from astropy.table import Table
    >>> from spectragan.labels import named_columns
    >>> named_columns(Table({"teff": [5772.0], "logg": [4.44]}))
    ('teff', 'logg')
    """
    if hasattr(labels, "colnames"):
        return tuple(labels.colnames)
    columns = getattr(labels, "columns", None)
    if columns is None or not all(isinstance(name, str) for name in columns):
        return None
    return tuple(columns)


def column_units(labels: Any) -> dict[str, Any]:
    """Return the units of those columns of an astropy table that have one.

    Parameters
    ----------
    labels : array-like, DataFrame, Table or QTable

    Returns
    -------
    units : dict of str to astropy unit
    """
    names = getattr(labels, "colnames", ())
    return {name: labels[name].unit for name in names if labels[name].unit is not None}


def label_array(
    labels: Any,
    names: Sequence[str] | None = None,
    units: dict[str, Any] | None = None,
    *,
    input_name: str = "X",
) -> np.ndarray:
    """Return labels as a finite array of floats.

    Parameters
    ----------
    labels : array-like of shape (n_samples, n_labels), DataFrame, Table or QTable
        Arrays are taken in the order of `names`; named columns may come in any order and beside
        others.
    names : sequence of str, default=None
        The labels of the fit; None takes all columns.
    units : dict of str to astropy unit, default=None
        What to convert columns with units to.
    input_name : str, default="X"
        What to call `labels` in a message.

    Returns
    -------
    array : ndarray of shape (n_samples, n_labels)
        float32 stays float32, everything else becomes float64.

    Raises
    ------
    ValueError
        If a named label is missing or has a unit that doesn't convert, or a value isn't finite.

    Examples
    --------
    >>> from astropy.table import Table
    >>> from spectragan.labels import label_array
    >>> label_array(Table({"logg": [4.44], "teff": [5772.0]}), names=("teff", "logg"))
    array([[5.772e+03, 4.440e+00]])
    """
    columns = named_columns(labels)
    if columns is not None:
        wanted = columns if names is None else tuple(names)
        _check_present(wanted, columns)
        if hasattr(labels, "colnames"):
            labels = _stack_columns(labels, wanted, units or {})
        else:
            labels = labels[list(wanted)]
    elif is_masked(labels):
        labels = nan_where_masked(labels)
    return check_array(labels, dtype=[np.float64, np.float32], order="C", input_name=input_name)


def target_labels(
    y: Any,
    estimator: str,
    remedy: str,
    names: Sequence[str] | None = None,
    units: dict[str, Any] | None = None,
) -> np.ndarray:
    """Return the labels that an estimator of labels is to learn or to be compared with.

    Parameters
    ----------
    y : array-like of shape (n_spectra,) or (n_spectra, n_labels), DataFrame, Table or QTable
    estimator, remedy : str
        Who needs them, and what to do where there are none.
    names, units : default=None
        As `label_array` takes them.

    Returns
    -------
    labels : ndarray of shape (n_spectra, n_labels), float64

    Raises
    ------
    ValueError
        If there are none, or `label_array` refuses them.
    """
    if y is None:
        raise ValueError(
            f"{estimator} requires y to be passed, but the target y is None; {remedy}."
        )
    if named_columns(y) is None and np.asarray(y).ndim == 1:
        y = np.asarray(y).reshape(-1, 1)
    return label_array(y, names, units, input_name="y").astype(float)


def warn_outside(labels: np.ndarray, label_range: np.ndarray, names: Sequence[str]) -> None:
    """Warn of labels outside the range of the fit: which, and how far.

    Parameters
    ----------
    labels : ndarray of shape (n_samples, n_labels)
    label_range : ndarray of shape (2, n_labels)
        Lowest and highest values of the fit.
    names : sequence of str

    Warns
    -----
    LabelExtrapolationWarning
        Names the label that is furthest outside, relative to its range.
    """
    low, high = label_range.astype(float)
    span = high - low
    excess = np.maximum(low - labels, labels - high)
    allowed = ROUNDING * np.maximum(span, np.abs(label_range).max(0))
    outside = excess > allowed
    if not outside.any():
        return
    relative = excess / np.where(span > 0, span, np.maximum(np.abs(high), 1.0))
    row, label = divmod(int(np.argmax(np.where(outside, relative, 0))), excess.shape[1])
    warnings.warn(
        f"`{names[label]}` must lie within the range of the fit, {low[label]:g} to "
        f"{high[label]:g}, for a spectrum to be trusted; got {labels[row, label]:g} at row {row}, "
        f"{excess[row, label]:.3g} outside ({outside.any(1).sum()} of {len(labels)} rows leave "
        "the range of some label); fit with stars that reach there.",
        LabelExtrapolationWarning,
        stacklevel=4,
    )


def _check_present(wanted: Sequence[str], columns: Sequence[str]) -> None:
    missing = [name for name in wanted if name not in columns]
    if missing:
        raise ValueError(
            f"`X` must have the columns of the fit, {', '.join(wanted)}; got "
            f"{', '.join(columns)}, without {', '.join(missing)}; rename or add columns."
        )


def _stack_columns(table: Any, names: Sequence[str], units: dict[str, Any]) -> np.ndarray:
    """Return the columns `names` of an astropy table as an array (n_samples, n_labels)."""
    return np.column_stack([_column_values(table[name], name, units.get(name)) for name in names])


def _column_values(column: Any, name: str, unit: Any) -> np.ndarray:
    """Return a table's column in `unit`, with NaN where it is masked."""
    values = nan_where_masked(column)
    if unit is None or column.unit is None or column.unit == unit:
        return values
    if not column.unit.is_equivalent(unit):
        raise ValueError(
            f"`{name}` must have a unit that converts to {str(unit)!r}, as in the fit; "
            f"got {str(column.unit)!r}; convert the column."
        )
    return column.unit.to(unit, values)


N_DIRECTIONS = 1000
SLACK = 1e-6  # of the spread along a direction: rounding isn't outside


class LabelHull:
    """The convex hull of labels, judged along many directions.

    The exact hull of thousands of points has too many faces in five dimensions. Along a thousand
    directions few labels that lie outside are missed, and none inside is called outside.

    Parameters
    ----------
    labels : ndarray of shape (n_spectra, n_labels)
        Of the training.

    Examples
    --------
    >>> import numpy as np
    >>> from spectragan.labels import LabelHull
    >>> hull = LabelHull(np.array([[0.0, 0.0], [1.0, 0.0], [0.0, 1.0]]))
    >>> hull.outside(np.array([[0.3, 0.3], [0.9, 0.9]]))
    array([False,  True])
    """

    def __init__(self, labels: np.ndarray) -> None:
        self.center, spread = labels.mean(0), labels.std(0)
        self.scale = np.where(spread > 0, spread, 1.0)
        axes = np.eye(labels.shape[1])
        random = np.random.default_rng(0).normal(size=(N_DIRECTIONS, labels.shape[1]))
        self.directions = np.vstack([axes, -axes, random])
        self.furthest = self._along(labels).max(0)

    def _along(self, labels: np.ndarray) -> np.ndarray:
        return (labels - self.center) / self.scale @ self.directions.T

    def outside(self, labels: np.ndarray) -> np.ndarray:
        """Tell which labels lie outside.

        Parameters
        ----------
        labels : ndarray of shape (n_spectra, n_labels)

        Returns
        -------
        outside : ndarray of bool of shape (n_spectra,)
            False for labels that aren't finite.
        """
        excess = self._along(labels) - self.furthest
        return (excess > SLACK * np.abs(self.furthest)).any(1)
