"""How much values scatter from pixel to pixel, once lines stand out from what is smooth."""

import numpy as np
from scipy.ndimage import median_filter
from scipy.optimize import brentq

from spectragan.diagnostics.line_slopes import smooth_rows

SMOOTH = 15.0  # sigmas of a line either way: what is wider is continuum, no feature
MAD_TO_SIGMA = 1.4826  # of a Gaussian


def line_averages(values: np.ndarray, sigma: float) -> np.ndarray:
    """Return averages over a line's width, without what is smooth in wavelength.

    Parameters
    ----------
    values : ndarray of shape (n_pixels,)
        NaN where unknown.
    sigma : float, pixels
        Of a line.

    Returns
    -------
    averages : ndarray of shape (n_pixels,)
        NaN where unknown.
    """
    good = np.isfinite(values)
    averages, share = smooth_rows(np.where(good, values, 0.0)[None], good[None], sigma)
    return without_continuum(np.where(share[0] > 0, averages[0], np.nan), sigma)


def without_continuum(values: np.ndarray, sigma: float) -> np.ndarray:
    """Return values less their running median over 30 sigma.

    Parameters
    ----------
    values : ndarray of shape (n_pixels,)
        NaN where unknown.
    sigma : float, pixels
        Of a line.

    Returns
    -------
    values : ndarray of shape (n_pixels,)
        NaN where unknown.
    """
    known = np.flatnonzero(np.isfinite(values))
    size = min(2 * int(SMOOTH * sigma) + 1, max(1, len(known)))
    result = np.full(len(values), np.nan)
    if len(known):
        result[known] = values[known] - median_filter(values[known], size, mode="nearest")
    return result


def extra_scatter(values: np.ndarray, errors: np.ndarray) -> float:
    """Return what has to be added to errors so that they explain the scatter of most values.

    Parameters
    ----------
    values, errors : ndarray of shape (n_pixels,)
        NaN where unknown.

    Returns
    -------
    scatter : float
        In quadrature; 0 if the errors are large enough.

    Examples
    --------
    >>> import numpy as np
    >>> from spectragan.diagnostics.empirical_null import extra_scatter
    >>> values = np.random.default_rng(0).normal(0, 5, size=5000)
    >>> round(extra_scatter(values, np.full(5000, 3.0)))
    4
    """
    known = np.isfinite(values) & np.isfinite(errors)
    if not known.any():
        return 0.0
    size, squares = np.abs(values[known]), errors[known] ** 2

    def beyond(scatter: float) -> float:
        total = np.sqrt(squares + scatter**2)
        ratio = np.where(size > 0, np.inf, 0.0)
        np.divide(size, total, out=ratio, where=total > 0)
        return MAD_TO_SIGMA * float(np.median(ratio)) - 1.0

    highest = MAD_TO_SIGMA * float(np.median(size)) * 1.01
    if highest == 0 or beyond(0.0) <= 0:
        return 0.0
    return float(brentq(beyond, 1e-6 * highest, highest))
