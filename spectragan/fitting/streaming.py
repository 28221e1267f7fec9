"""Labels of many spectra: kept small, written where users want them, or left to dask."""

from typing import Any

import numpy as np

from spectragan.fitting.fitter import LabelFit, join_fits
from spectragan.fitting.results import standard_errors
from spectragan.spectra import Spectra, validate_spectra
from spectragan.training.dask_rows import (
    check_left_to_dask,
    gather_spectra,
    holds_dask,
    map_spectra,
    one_row,
)
from spectragan.training.streaming import as_places, check_out, count_rows

Results = tuple[Any, ...]


def predict_labels(fitter: Any, X: Any, std: bool, covariance: bool, out: Any = None) -> Results:
    """Return labels, and errors where they are wanted.

    Parameters
    ----------
    fitter : ParameterFitter
        Ready.
    X : spectra of shape (n_spectra, n_pixels)
    std, covariance : bool
        Whether standard errors, or covariances, are wanted; not both.
    out : array, data set or tuple of such, default=None
        Where to write them.

    Returns
    -------
    results : tuple of one or two arrays

    Raises
    ------
    TypeError, ValueError
        If `out` doesn't fit.
    """
    if holds_dask(X):
        check_left_to_dask(out=out)
        return _predict_dask(fitter, X, std, covariance)
    if out is None:
        return _results(fitter, X, std, covariance)
    places = _check_places(fitter, X, out, std, covariance)
    for place, result in zip(places, _results(fitter, X, std, covariance), strict=True):
        place[...] = result
    return places


def gather_fits(fitter: Any, X: Any) -> list[LabelFit]:
    """Return the fits of all blocks of dask arrays, computed now.

    Parameters
    ----------
    fitter : ParameterFitter
        Ready.
    X : dask array or LazySpectra of shape (n_spectra, n_pixels)

    Returns
    -------
    fits : list of LabelFit
    """
    _check_grid(fitter, X)
    return gather_spectra(_fit_block, fitter, X)


def _results(fitter: Any, X: Any, std: bool, covariance: bool, *, quiet: bool = False) -> Results:
    n_labels = len(fitter._names)
    fit = join_fits([_labels_only(part, n_labels) for _, part in fitter._fits(X, quiet=quiet)])
    labels = fitter._shaped(fit.parameters)
    if covariance:
        return labels, fit.covariance
    return (labels, fitter._shaped(standard_errors(fit.covariance))) if std else (labels,)


def _labels_only(fit: LabelFit, n_labels: int) -> LabelFit:
    """Drop the other parameters: predictions of large sets keep little of each spectrum."""
    fit.parameters = fit.parameters[:, :n_labels]
    # Slices would keep all of it in memory.
    fit.covariance = fit.covariance[:, :n_labels, :n_labels].copy()
    fit.at_bound = fit.at_bound[:, :n_labels]
    return fit


def _check_places(fitter: Any, X: Any, out: Any, std: bool, covariance: bool) -> Results:
    """Return where each result goes."""
    places = as_places(out, 1 + (std or covariance)) or ()
    n, n_labels = count_rows(X), len(fitter._names)
    labels = (n,) if fitter._one_dimensional else (n, n_labels)
    check_out(places[0], labels)
    if len(places) == 2:
        check_out(places[1], (n, n_labels, n_labels) if covariance else labels, "out[1]")
    return places


def _check_grid(fitter: Any, X: Any) -> None:
    row = one_row(X)
    fitter._check_unit(validate_spectra(fitter, row, reset=False), row)


def _predict_dask(fitter: Any, X: Any, std: bool, covariance: bool) -> Results:
    _check_grid(fitter, X)
    n = len(fitter._names)
    function = _covariance_block if covariance else _std_block if std else _label_block
    n_columns = n + n * n if covariance else n + n * std
    both = map_spectra(function, fitter, X, n_columns, np.dtype(float))
    labels = fitter._shaped(both[:, :n])
    if covariance:
        return labels, both[:, n:].map_blocks(
            _unravel, n=n, dtype=float, chunks=(both.chunks[0], (n,), (n,)), new_axis=2
        )
    return (labels, fitter._shaped(both[:, n:])) if std else (labels,)


def _unravel(rows: np.ndarray, n: int) -> np.ndarray:
    return rows.reshape(len(rows), n, n)


def _label_block(fitter: Any, spectra: Spectra) -> np.ndarray:
    return _columns(_results(fitter, spectra, False, False, quiet=True))


def _std_block(fitter: Any, spectra: Spectra) -> np.ndarray:
    return _columns(_results(fitter, spectra, True, False, quiet=True))


def _covariance_block(fitter: Any, spectra: Spectra) -> np.ndarray:
    return _columns(_results(fitter, spectra, False, True, quiet=True))


def _fit_block(fitter: Any, spectra: Spectra) -> LabelFit:
    return join_fits([part for _, part in fitter._fits(spectra, quiet=True)])


def _columns(results: Results) -> np.ndarray:
    n_rows = len(results[0])
    return np.hstack([result.reshape(n_rows, -1) for result in results])
