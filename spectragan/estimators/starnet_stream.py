"""StarNet's labels of many spectra: read block by block, or left to dask."""

from typing import Any

import numpy as np

from spectragan.estimators.dask_rows import (
    check_left_to_dask,
    holds_dask,
    map_spectra,
    one_row,
)
from spectragan.estimators.streaming import BATCH_ROWS, check_out, count_rows, row_chunks
from spectragan.spectra import Spectra
from spectragan.training.ensemble import predict_ensemble


def predict_stars(regressor: Any, X: Any, out: Any = None) -> tuple[Any, Any]:
    """Return labels and their standard deviations.

    Parameters
    ----------
    regressor : StarNetRegressor
        Fitted.
    X : spectra of shape (n_spectra, n_pixels)
    out : array, data set or tuple of one or two such, default=None
        Where to write them.

    Returns
    -------
    labels, std : arrays of shape (n_spectra, n_labels), or (n_spectra,) as in the fit
        Dask arrays if `X` is one; `out` if that is given.

    Raises
    ------
    TypeError, ValueError
        If `out` doesn't fit.
    """
    n_labels = len(regressor.label_names_)
    if holds_dask(X):
        check_left_to_dask(out=out)
        regressor._validate(one_row(X), reset=False)
        both = map_spectra(_predict_block, regressor, X, 2 * n_labels, np.dtype(float))
    else:
        if out is not None:
            n = count_rows(X)
            _check_places(out, (n,) if regressor._one_dimensional else (n, n_labels))
        parts = (regressor._validate(part, reset=False) for part in row_chunks(X, BATCH_ROWS))
        both = np.concatenate([_predict_block(regressor, part) for part in parts])
    labels, std = both[:, :n_labels], both[:, n_labels:]
    if regressor._one_dimensional:
        labels, std = labels[:, 0], std[:, 0]
    if out is None:
        return labels, std
    for place, result in zip(out, (labels, std), strict=False):
        place[...] = result
    return (*out, std)[:2]


def _check_places(out: tuple[Any, ...], shape: tuple[int, ...]) -> None:
    for i, place in enumerate(out):
        check_out(place, shape, f"out[{i}]" if len(out) > 1 else "out")


def _predict_block(regressor: Any, spectra: Spectra) -> np.ndarray:
    """Return labels and standard deviations side by side."""
    scaling = regressor._scaling
    mean, std = predict_ensemble(regressor.nets_, scaling.bridged(spectra))
    labels = mean * regressor._label_scale + regressor._label_mean
    std = std * regressor.std_factor_ * regressor._label_scale
    both = np.hstack([labels, std])
    both[~scaling.good(spectra).any(axis=1)] = np.nan
    return both
