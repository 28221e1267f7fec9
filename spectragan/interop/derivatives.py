"""Derivatives of functions of labels: by torch, by JAX, or by finite differences."""

from collections.abc import Callable
from typing import Any

import numpy as np

Function = Callable[[Any], Any]
# Of the range. Truncation falls with the fourth power, rounding grows with the inverse.
STEP = 1e-3
FLOAT32_STEP = 2e-2
POINTS = np.arange(-2.0, 3.0)


def finite_differences(
    function: Function, label_range: np.ndarray, labels: np.ndarray
) -> np.ndarray:
    """Return derivatives of a function, from five points that stay in its range.

    Parameters
    ----------
    function : callable
        Of labels (n_stars, n_labels), to flux (n_stars, n_pixels).
    label_range : ndarray of shape (2, n_labels)
        Points stay inside, unless the labels are outside themselves.
    labels : ndarray of shape (n_stars, n_labels)

    Returns
    -------
    jacobian : ndarray of shape (n_stars, n_pixels, n_labels)
        Exact where the flux is a polynomial of fourth degree or less.
    """
    single = np.asarray(function(labels)).dtype == np.float32
    widths = (FLOAT32_STEP if single else STEP) * (label_range[1] - label_range[0])
    columns = []
    for label, width in enumerate(widths):
        low, high = ((end - labels[:, label, None]) / width for end in label_range[:, label])
        # As many steps aside as keep all five points between the ends.
        aside = np.where(low > -2, low + 2, np.where(high < 2, high - 2, 0.0))
        inside = (low <= 0) & (high >= 0)
        columns.append(_slope(function, labels, label, width, np.where(inside, aside, 0.0)))
    return np.stack(columns, axis=2)


def _slope(
    function: Function, labels: np.ndarray, label: int, width: float, aside: np.ndarray
) -> np.ndarray:
    """Return one label's derivative (n_stars, n_pixels), from points moved aside."""
    weights = _weights(POINTS + aside)
    total: Any = 0.0
    for point, weight in zip(POINTS, weights.T, strict=True):
        moved = labels.copy()
        moved[:, label] += (point + aside[:, 0]) * width
        total = total + weight[:, None] * np.asarray(function(moved), dtype=float)
    return total / width


def _weights(places: np.ndarray) -> np.ndarray:
    """Return weights of values at places (n, 5) that give the derivative at 0."""
    powers = np.swapaxes(places[:, :, None] ** np.arange(len(POINTS)), 1, 2)
    wanted = np.eye(len(POINTS))[1]
    return np.linalg.solve(powers, np.broadcast_to(wanted, places.shape)[:, :, None])[:, :, 0]


def by_torch(function: Function) -> tuple[Function, Function]:
    """Return flux and derivatives, on arrays, of a function of tensors.

    Parameters
    ----------
    function : callable
        Of labels (n_stars, n_labels), to flux (n_stars, n_pixels).

    Returns
    -------
    flux, jacobian : callables
    """
    import torch

    from spectragan.training.inference import push_forward

    def slopes(labels: Any) -> Any:
        if not function(labels.clone().requires_grad_()).requires_grad:
            raise ValueError(
                "`function` must be differentiable by torch; got flux without a gradient; stay "
                "with tensors inside, or give jacobian=None."
            )
        directions = torch.eye(labels.shape[1], dtype=labels.dtype)
        return push_forward(function, labels, directions.expand(len(labels), -1, -1))

    def call(of_tensors: Function) -> Function:
        return lambda labels: of_tensors(torch.as_tensor(labels)).detach().cpu().numpy()

    return call(function), call(slopes)


def by_jax(function: Function) -> tuple[Function, Function]:
    """Return flux and derivatives, on arrays, of a function of JAX arrays.

    Parameters
    ----------
    function : callable
        Of labels (n_stars, n_labels), to flux (n_stars, n_pixels).

    Returns
    -------
    flux, jacobian : callables

    Raises
    ------
    ImportError
        If there is no JAX.
    """
    try:
        import jax
    except ImportError as error:
        raise ImportError(
            "jacobian='jax' needs the package jax, which isn't installed; install it, or give "
            "jacobian=None for finite differences."
        ) from error
    return function, jax.vmap(jax.jacfwd(lambda row: function(row[None])[0]))


DERIVATIVES = {"torch": by_torch, "jax": by_jax}
