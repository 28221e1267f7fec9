"""What is said about a model to people: in the file's header, and on its card."""

import platform
from copy import copy
from importlib.metadata import version
from typing import Any

import numpy as np
from sklearn.frozen import FrozenEstimator

from spectragan.persistence.classes import PLACE

PACKAGES = ("spectragan", "torch", "numpy", "scikit-learn", "astropy")
LONGEST_VALUE = 200  # characters of a parameter's value


def describe(model: Any) -> dict[str, Any]:
    """Return what is said about a fitted model, as plain data.

    Parameters
    ----------
    model : estimator or ObservedEmulator
        Fitted.

    Returns
    -------
    about : dict
        Class, versions, grid, labels, parameters and scores.
    """
    return {
        "class": type(model).__name__,
        "versions": {name: version(name) for name in PACKAGES}
        | {"python": platform.python_version()},
        "grid": _grid(model),
        "labels": _labels(model),
        "parameters": _parameters(model),
        "sizes": _sizes(model),
        "last_epoch": _last_epoch(model),
    }


def _grid(model: Any) -> dict[str, Any]:
    """Return the pixels: how many, from where to where, in what medium and flux unit."""
    axis = getattr(model, "wavelength_", None)
    n_pixels = getattr(model, "n_features_in_", None) if axis is None else len(axis)
    if hasattr(model, "components_"):
        n_pixels = model.components_.shape[1]
    grid = {"n_pixels": n_pixels, "medium": getattr(model, "medium_", None)}
    if axis is not None:
        grid["wavelength"] = f"{axis.value[0]:.10g} to {axis.value[-1]:.10g} {axis.unit}"
    unit = getattr(model, "unit_", None)
    grid["flux_unit"] = None if unit is None else str(unit) or "dimensionless"
    return {name: value for name, value in grid.items() if value is not None}


def _labels(model: Any) -> list[dict[str, Any]]:
    """Return name, lowest and highest value, and the unit where one is known, of every label."""
    names, span = getattr(model, "label_names_", None), getattr(model, "label_range_", None)
    if names is None or span is None:
        return []
    units = getattr(model, "_label_units", None) or getattr(model, "_units", {})
    return [
        {"name": name, "low": float(low), "high": float(high), "unit": str(units.get(name, ""))}
        for name, low, high in zip(names, *np.asarray(span, dtype=float), strict=True)
    ]


def _parameters(model: Any) -> dict[str, str]:
    parameters = model.get_params(deep=False) if hasattr(model, "get_params") else {}
    return {n: _short(_without_place(v)) for n, v in parameters.items() if n != PLACE}


def _without_place(value: Any) -> Any:
    """Return a parameter without the directory that an estimator in it was trained in."""
    if not hasattr(type(value), "model_card") and not isinstance(value, FrozenEstimator):
        return value
    value = copy(value)
    for name, part in vars(value).items():
        setattr(value, name, None if name == PLACE else _without_place(part))
    return value


def _short(value: Any) -> str:
    text = " ".join(repr(value).split())
    return text if len(text) <= LONGEST_VALUE else f"{text[: LONGEST_VALUE - 3]}..."


def _sizes(model: Any) -> dict[str, int]:
    """Return what the fit counted."""
    found = {
        "shared latents": getattr(model, "n_shared_", None),
        "split latents": getattr(model, "n_split_", None),
        "members": len(getattr(model, "nets_", [])) or None,
    }
    return {name: int(count) for name, count in found.items() if count is not None}


def _last_epoch(model: Any) -> dict[str, float]:
    """Return losses and scores of the last epoch that are finite numbers."""
    history = getattr(model, "history_", None) or {}
    last = {name: float(values[-1]) for name, values in history.items() if values}
    if last:
        last["epochs"] = float(max(len(values) for values in history.values()))
    return {name: value for name, value in last.items() if np.isfinite(value)}
