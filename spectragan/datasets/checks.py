"""Checks of what users pass to the data set makers: one sentence each."""

import numbers
from typing import Any

import numpy as np

from spectragan.spectra.validation import is_number

__all__ = ["check_count", "check_limits", "check_number", "check_triple"]

_DEFAULT = "leave it out for the default"


def check_count(value: Any, name: str, low: int = 1, high: int | None = None) -> int:
    """Return an integer within limits, or raise one sentence."""
    is_integer = isinstance(value, numbers.Integral) and not isinstance(value, bool)
    if not is_integer or value < low or (high is not None and value > high):
        limits = f">= {low}" if high is None else f"from {low} to {high}"
        raise ValueError(f"`{name}` must be an integer {limits}; got {value!r}; {_DEFAULT}.")
    return int(value)


def check_limits(value: Any, name: str) -> tuple[float, float]:
    """Return two positive numbers, the lower first, or raise one sentence."""
    limits = _numbers(value)
    if limits.shape != (2,) or not np.isfinite(limits).all() or not 0 < limits[0] <= limits[1]:
        raise ValueError(
            f"`{name}` must be two numbers, 0 < lowest <= highest; got {value!r}; "
            "use (100, 100) for one value."
        )
    return float(limits[0]), float(limits[1])


def check_number(value: Any, name: str, low: float, high: float = np.inf) -> float:
    """Return a finite number within limits, or raise one sentence."""
    if not is_number(value) or not low <= value <= high:
        limits = f">= {low:g}" if np.isinf(high) else f"from {low:g} to {high:g}"
        raise ValueError(f"`{name}` must be a number {limits}; got {value!r}; {_DEFAULT}.")
    return float(value)


def check_triple(value: Any, name: str, direction: np.ndarray, low: float = -np.inf) -> np.ndarray:
    """Return three numbers: those given, or one number times a direction; or raise one sentence."""
    array = _numbers(value)
    if array.shape == ():
        array = array * direction
    if array.shape != (3,) or not np.isfinite(array).all() or array.min() < low:
        limit = "" if np.isinf(low) else f" >= {low:g}"
        raise ValueError(
            f"`{name}` must be one finite number{limit} or three, for teff, logg and feh; "
            f"got {value!r}; {_DEFAULT}."
        )
    return array


def _numbers(value: Any) -> np.ndarray:
    """Return an array of floats; one NaN for what are no numbers."""
    try:
        return np.asarray(value, dtype=float)
    except (TypeError, ValueError):
        return np.full(1, np.nan)
