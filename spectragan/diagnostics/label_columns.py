"""Labels to compare: arrays, data frames and tables with missing values, to float arrays."""

from collections.abc import Sequence
from typing import Any

import astropy.units as u
import numpy as np

from spectragan.estimators.labels import named_columns
from spectragan.spectra.validation import is_masked


def choose_names(fitted: Any, catalogue: Any, label_names: Sequence[str] | None) -> tuple:
    """Return the names of the labels to compare."""
    if label_names is None:
        known = named_columns(fitted) or named_columns(catalogue)
        return known or _number_columns(_as_float(fitted, "fitted"))
    names = tuple(label_names)
    if isinstance(label_names, str) or not names or len(set(names)) < len(names):
        raise ValueError(
            f"`label_names` must be a sequence of different names; got {label_names!r}; "
            "write for example ('teff', 'logg')."
        )
    return names


def _number_columns(array: np.ndarray) -> tuple:
    """Return names for the columns of an array that has none."""
    return tuple(f"label {i}" for i in range(array.shape[1] if array.ndim == 2 else 1))


def read_labels(labels: Any, argument: str, names: tuple, units: dict[str, Any]) -> np.ndarray:
    """Return labels as floats of shape (n_stars, n_labels), NaN where masked or not finite."""
    columns = named_columns(labels)
    if isinstance(labels, u.Quantity):
        raise ValueError(
            f"`{argument}` must be a table where labels have units; got an array in "
            f"{str(labels.unit)!r}; make it a QTable with a column per label."
        )
    if columns is None:
        array = _as_float(labels, argument)
    else:
        missing = [name for name in names if name not in columns]
        if missing:
            raise ValueError(
                f"`{argument}` must have a column for every label, {', '.join(names)}; got "
                f"{', '.join(columns)}; rename its columns, or choose labels by `label_names`."
            )
        read = _read_column if hasattr(labels, "colnames") else _read_series
        array = np.column_stack([read(labels[name], name, argument, units) for name in names])
    if array.ndim != 2 or array.shape[1] != len(names):
        raise ValueError(
            f"`{argument}` must have the shape (n_stars, {len(names)}), one column for each of "
            f"{', '.join(names)}; got {array.shape}; select those columns in that order."
        )
    return np.where(np.isfinite(array), array, np.nan)


def _read_series(column: Any, name: str, argument: str, units: dict[str, Any]) -> np.ndarray:
    """Return one column of a data frame, which knows no units."""
    return _as_float(column, argument)


def _read_column(column: Any, name: str, argument: str, units: dict[str, Any]) -> np.ndarray:
    """Return one column of an astropy table in the unit of its label."""
    unit = column.unit
    mask = column.mask if is_masked(column) else False
    bare = getattr(column, "unmasked", column)
    values = np.where(mask, np.nan, _as_float(getattr(bare, "value", bare), argument))
    if unit is None or name not in units:
        return values
    if not unit.is_equivalent(units[name]):
        raise ValueError(
            f"`{name}` of `{argument}` must have a unit that converts to {str(units[name])!r}; "
            f"got {str(unit)!r}; convert the column."
        )
    return unit.to(units[name], values)


def _as_float(values: Any, argument: str) -> np.ndarray:
    """Return an array of float64, or say that these are no numbers."""
    try:
        return np.ma.filled(np.ma.asanyarray(values).astype(float), np.nan)
    except (TypeError, ValueError) as error:
        raise ValueError(
            f"`{argument}` must hold numbers in rows of one length; got {error}; "
            "choose its labels by `label_names`."
        ) from error
