"""Noise that neighbouring pixels share, as smoothing and resampling make it."""

from typing import Any

import numpy as np
import torch

LEAST_CORRELATION = 0.1  # of neighbours: errors are 10 % too small then
FARTHEST = 40  # pixels: what is alike further apart is a wrong model, not noise
CHANCE = 3.0  # standard deviations of a measured correlation
NEGLIGIBLE = 0.01  # of a correlation
LEAST_LUMPED = 0.05  # of a pixel: noise that alternates may hold so little
N_ROUNDS = 5  # until what fits have taken up is settled
WIDTHS = 4.0  # standard deviations: where the tail of a Gaussian ends


def check_correlation(given: Any) -> np.ndarray:
    """Return correlations of noise as an array, from those of 1 pixel apart on.

    Parameters
    ----------
    given : float, sequence of float, "auto" or None
        A number is the standard deviation in pixels of a Gaussian that has smoothed the noise.

    Returns
    -------
    correlation : ndarray of shape (n_distances,)
        Empty where there is none.

    Raises
    ------
    ValueError
        If no noise can be so.

    Examples
    --------
    >>> from spectragan.fitting.noise import check_correlation
    >>> check_correlation(1.0).round(2)
    array([0.78, 0.37, 0.11, 0.02])
    """
    if given is None or (isinstance(given, str) and given == "auto"):
        return np.zeros(0)
    elements = np.asarray(given, dtype=object).ravel()
    try:
        values = np.asarray(given, dtype=float)
    except (TypeError, ValueError):
        values = np.array(np.nan)
    if any(isinstance(value, bool | np.bool_ | bytes | str) for value in elements):
        values = np.array(np.nan)
    if values.ndim == 0 and values > 0 and np.isfinite(values):
        distance = np.arange(1, 1 + int(np.ceil(WIDTHS * values)))
        return np.exp(-((distance / (2 * values)) ** 2))
    good = values.ndim == 1 and np.isfinite(values).all() and (np.abs(values) < 1).all()
    if not good or _power(values).min() < -NEGLIGIBLE:
        raise ValueError(
            "`noise_correlation` must be correlations between -1 and 1 that noise can have, of "
            "pixels 1, 2, ... apart, or the standard deviation in pixels of the Gaussian that has "
            f'smoothed it; got {given!r}; leave distance 0 out, or say "auto" and call '
            "fit(spectra)."
        )
    return values


def measure_correlation(
    residual: np.ndarray, good: np.ndarray, n_fitted: float = 0.0
) -> np.ndarray:
    """Return correlations of residuals of pixels 1, 2, ... apart, where they are no chance.

    Parameters
    ----------
    residual : ndarray of shape (n_spectra, n_pixels)
        In units of their errors.
    good : ndarray of bool of shape (n_spectra, n_pixels)
    n_fitted : float, default=0
        Parameters of each fit: they take up a part of the noise, and more of what pixels share.

    Returns
    -------
    correlation : ndarray of shape (n_distances,)
        Empty where neighbours are hardly alike.
    """
    values = np.where(good, residual, 0.0)
    found: list[float] = []
    for distance in range(1, min(FARTHEST, residual.shape[1] // 4) + 1):
        both = good[:, distance:] & good[:, :-distance]
        first, second = values[:, distance:] * both, values[:, :-distance] * both
        square = ((first**2).sum() + (second**2).sum()) / 2
        one = float((first * second).sum() / square) if square > 0 else 0.0
        least = LEAST_CORRELATION if distance == 1 else NEGLIGIBLE
        if one < max(least, CHANCE * max(1, both.sum()) ** -0.5):
            break
        found.append(one)
    measured = correlation = np.array(found)
    for _ in range(N_ROUNDS):
        taken = min(0.5, lumped(correlation) * n_fitted * len(good) / max(1, good.sum()))
        correlation = measured * (1 - taken) + taken
    return _possible(correlation)


def lumped(correlation: np.ndarray) -> float:
    """Return how many pixels tell of a wide feature as much as one independent one.

    Parameters
    ----------
    correlation : ndarray of shape (n_distances,)
    """
    return max(LEAST_LUMPED, 1 + 2 * float(correlation.sum()))


def spread_of_squares(correlation: np.ndarray) -> float:
    """Return how much more the variance of chi square is than of independent pixels.

    Parameters
    ----------
    correlation : ndarray of shape (n_distances,)
    """
    return 1 + 2 * float(np.square(correlation).sum())


def correlated_products(tangents: torch.Tensor, correlation: np.ndarray) -> torch.Tensor:
    """Return the covariance of sums of noise times tangents, less that of independent noise.

    Parameters
    ----------
    tangents : tensor of shape (n, n_tangents, n_pixels)
        In units of the noise of each pixel.
    correlation : ndarray of shape (n_distances,)

    Returns
    -------
    products : tensor of shape (n, n_tangents, n_tangents)
    """
    # One convolution in place of a product for each distance.
    shared = torch.zeros_like(tangents)
    for distance, one in enumerate(correlation.tolist(), 1):
        shared[:, :, distance:] += one * tangents[:, :, :-distance]
        shared[:, :, :-distance] += one * tangents[:, :, distance:]
    return shared @ tangents.transpose(1, 2)


def _power(correlation: np.ndarray) -> np.ndarray:
    """Return the power spectrum of noise."""
    n = 16 * (len(correlation) + 1)
    series = np.zeros(n)
    series[0] = 1
    series[1 : len(correlation) + 1] = correlation
    series[n - len(correlation) :] = correlation[::-1]
    return np.fft.rfft(series).real


def _possible(correlation: np.ndarray) -> np.ndarray:
    """Return correlations that noise can have: weaker ones where power would be negative."""
    least = float(_power(correlation).min())
    return correlation / (1 - min(0.0, least))
