"""How residual spectra depend on labels, pixel by pixel, and how far chance alone would get."""

from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass
from typing import Any, NamedTuple

import numpy as np
from scipy.ndimage import gaussian_filter1d, median_filter
from scipy.optimize import brentq

CHUNK_ROWS = 256  # spectra predicted at a time
MIN_PER_FEATURE = 2  # spectra with a good pixel that a regression needs
LEAST_SHARE = 0.3  # of the smoothing kernel that must lie on good pixels
RIDGE = 1e-10  # relative: keeps features that say nothing from being divided by 0


def smooth_rows(
    residual: np.ndarray, good: np.ndarray, sigma: float
) -> tuple[np.ndarray, np.ndarray]:
    """Average residuals over a line's width, leaving masked pixels out.

    Parameters
    ----------
    residual : ndarray of shape (n_spectra, n_pixels)
        0 where masked.
    good : ndarray of bool of shape (n_spectra, n_pixels)
    sigma : float, pixels
        Of the Gaussian kernel; 0 changes nothing.

    Returns
    -------
    smoothed, share : ndarray of shape (n_spectra, n_pixels)
        The average, and the part of the kernel that lies on good pixels: 0 where too little does.
    """
    if sigma == 0:
        return residual, good.astype(float)
    share = gaussian_filter1d(good.astype(float), sigma, axis=1, mode="constant")
    share = np.where(share >= LEAST_SHARE, share, 0.0)
    total = gaussian_filter1d(np.where(good, residual, 0.0), sigma, axis=1, mode="constant")
    return np.where(share > 0, total / np.where(share > 0, share, 1.0), 0.0), share


def fit_slopes(
    features: np.ndarray, residual: np.ndarray, weights: np.ndarray
) -> tuple[np.ndarray, np.ndarray, np.ndarray]:
    r"""Regress residuals on features, pixel by pixel.

    Parameters
    ----------
    features : ndarray of shape (n_spectra, n_features)
    residual, weights : ndarray of shape (n_spectra, n_pixels)
        Residuals, finite everywhere, and how much they count.

    Returns
    -------
    slopes : ndarray of shape (n_pixels, n_features)
    covariance : ndarray of shape (n_pixels, n_features, n_features)
        Of the slopes, whatever the noise of a spectrum is [1]_: only that spectra are independent
        of each other is assumed.
    left : ndarray of shape (n_pixels,)
        Weighted variance that the features don't explain.

    References
    ----------
    .. [1] White, H. 1980, Econometrica, 48, 817.
    """
    n, n_features = features.shape
    first, second = np.triu_indices(n_features)
    pairs = features[:, first] * features[:, second]

    def summed(weight: np.ndarray) -> np.ndarray:
        matrix = np.empty((weight.shape[1], n_features, n_features))
        matrix[:, first, second] = matrix[:, second, first] = weight.T @ pairs
        return matrix

    gram = summed(weights)
    size = np.einsum("jff->j", gram)[:, None, None] / n_features
    inverse = np.linalg.inv(gram + (RIDGE * size + np.finfo(float).tiny) * np.eye(n_features))
    slopes = np.einsum("jfg,jg->jf", inverse, (weights * residual).T @ features)
    missed = residual - features @ slopes.T
    left = (weights * missed**2).sum(axis=0) / np.maximum(weights.sum(axis=0), np.finfo(float).tiny)
    # A fit to few spectra follows their noise.
    freedom = n / max(1, n - n_features)
    return slopes, freedom * inverse @ summed((weights * missed) ** 2) @ inverse, freedom * left


@dataclass(frozen=True)
class PixelFolds:
    """Pixels in interleaved blocks: the labels for one fold come from the others.

    Attributes
    ----------
    n_pixels, n_folds : int
    block : int
        Pixels in a block.
    reach : int
        Pixels around a fold that are left out with it, as a line's profile reaches there.
    """

    n_pixels: int
    n_folds: int
    block: int
    reach: int

    def groups(self) -> np.ndarray:
        """Return all pixels, then every fold with its surroundings: (1 + n_folds, n_pixels)."""
        groups = np.zeros((1 + self.n_folds, self.n_pixels), dtype=bool)
        groups[0] = True
        for fold in range(self.n_folds):
            for outer, _ in self.blocks(fold):
                groups[1 + fold, outer] = True
        return groups

    def blocks(self, fold: int) -> Iterator[tuple[slice, slice]]:
        """Yield the blocks of a fold, with and without their surroundings."""
        for start in range(fold * self.block, self.n_pixels, self.n_folds * self.block):
            stop = min(start + self.block, self.n_pixels)
            outer = slice(max(0, start - self.reach), min(self.n_pixels, stop + self.reach))
            yield outer, slice(start, stop)


class Slopes(NamedTuple):
    """How residuals depend on features.

    Attributes
    ----------
    values, errors : ndarray of shape (n_pixels, n_features)
        The first feature is constant; NaN where nothing is known.
    left : ndarray of shape (n_pixels,)
        Variance of the residuals that the features don't explain.
    """

    values: np.ndarray
    errors: np.ndarray
    left: np.ndarray


def crossfit_slopes(
    model: Any,
    flux: np.ndarray,
    weights: np.ndarray,
    features_of: Callable[[int], tuple[np.ndarray, np.ndarray]],
    folds: PixelFolds,
    sigmas: Sequence[float],
) -> list[Slopes]:
    """Regress residuals on labels that were inferred from other pixels.

    Noise of a pixel that were in its labels, too, would look like a line.

    Parameters
    ----------
    model : StarModel
    flux, weights : ndarray of shape (n_spectra, n_pixels)
    features_of : callable
        Returns the parameters of a fold's residuals (n_spectra, n_parameters), and the features
        (n_spectra, n_features) they are regressed on; columns of NaN are left out.
    folds : PixelFolds
    sigmas : sequence of float, pixels
        Smooth the residuals first; 0 doesn't.

    Returns
    -------
    slopes : list of Slopes
        One for each of `sigmas`.
    """
    star = _star_weights(weights)
    found: list[Slopes] = []
    for fold in range(folds.n_folds):
        parameters, features = features_of(fold)
        if not found:
            shape = flux.shape[1], features.shape[1]
            found = [_unknown(*shape) for _ in sigmas]
        known = np.isfinite(features).all(axis=0)
        emulated = _predicted(model, parameters)
        for outer, inner in folds.blocks(fold):
            good = (weights[:, outer] > 0) & np.isfinite(emulated[:, outer])
            residual = np.where(good, flux[:, outer] - emulated[:, outer], 0.0)
            own = slice(inner.start - outer.start, inner.stop - outer.start)
            for sigma, slopes in zip(sigmas, found, strict=True):
                rows, share = smooth_rows(residual, good, sigma)
                used = share[:, own] * star
                values, covariance, left = fit_slopes(features[:, known], rows[:, own], used)
                columns = np.flatnonzero(known)
                enough = (used > 0).sum(axis=0) > MIN_PER_FEATURE * len(columns)
                errors = np.sqrt(np.einsum("jff->jf", covariance))
                slopes.values[inner, columns] = np.where(enough[:, None], values, np.nan)
                slopes.errors[inner, columns] = np.where(enough[:, None], errors, np.nan)
                slopes.left[inner] = np.where(enough, left, np.nan)
    return found


def _unknown(n_pixels: int, n_features: int) -> Slopes:
    empty = np.full((n_pixels, n_features), np.nan)
    return Slopes(empty, empty.copy(), empty[:, 0].copy())


def _predicted(model: Any, parameters: np.ndarray) -> np.ndarray:
    """Return model spectra, a part at a time."""
    parts = [
        model.predict(parameters[i : i + CHUNK_ROWS]) for i in range(0, len(parameters), CHUNK_ROWS)
    ]
    return np.concatenate(parts)


def _star_weights(weights: np.ndarray) -> np.ndarray:
    """Return how much every star counts, (n_spectra, 1).

    One weight for all pixels of a star: weights that follow the flux would favour stars with
    deep lines. Beyond the median, more signal tells little more, as stars differ.
    """
    sizes = np.array([np.median(row[row > 0]) if (row > 0).any() else 0.0 for row in weights])
    typical = np.median(sizes[sizes > 0]) if (sizes > 0).any() else 1.0
    return (sizes / (sizes + typical))[:, None]


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
    >>> from spectragan.lines.slopes import extra_scatter
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
