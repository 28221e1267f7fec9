"""Spectra shifted along a grid, every row by a factor of its own, with errors and masks."""

import numpy as np

from spectragan.spectra.base import row_blocks
from spectragan.spectra.container import Spectra
from spectragan.spectra.linear_maps import ROUNDING, broken_steps, find_neighbours


def shift_rows(
    spectra: Spectra, grid: np.ndarray, factors: np.ndarray, order: int, min_coverage: float
) -> tuple[np.ndarray, np.ndarray]:
    """Return every spectrum at its own multiple of the wavelengths of the grid.

    Parameters
    ----------
    spectra : Spectra of shape (n_spectra, n_pixels)
        At least two pixels.
    grid : ndarray of shape (n_pixels,)
        Their wavelengths, ascending.
    factors : ndarray of shape (n_spectra,)
        Pixel p of row i becomes what row i is at ``grid[p] * factors[i]``.
    order : int
        Odd order of the polynomial through the order + 1 pixels around that place. Where one of
        them is masked, they lie on both sides of a gap, or there are too few, the line between
        the two nearest takes its place.
    min_coverage : float
        The least weight that good pixels must have in that line.

    Returns
    -------
    flux, ivar : ndarray of shape (n_spectra, n_pixels)
        Of the dtype of `spectra`, 0 outside the grid and in its gaps. ivar is propagated where
        noise is known, else 0 or 1.
    """
    flux = np.zeros(spectra.shape, spectra.dtype)
    ivar = np.zeros_like(flux)
    largest = np.finfo(spectra.dtype).max
    for rows in row_blocks(len(spectra)):
        part = spectra[rows]
        good = part.ivar > 0
        values = part.filled().astype(float)
        known = (part.noise == "known")[:, None]
        with np.errstate(divide="ignore", over="ignore"):
            variance = np.where(good & known, 1 / part.ivar.astype(float), 0.0)
        places = grid * factors[rows, None]
        index, weights, usable = _stencil(grid, places, good, order, min_coverage)
        total, error = np.zeros_like(places), np.zeros_like(places)
        for k, weight in enumerate(weights):
            total += weight * np.take(values, index + k)
            if known.any():
                error += weight**2 * np.take(variance, index + k)
        flux[rows] = np.where(usable, total, 0)
        with np.errstate(divide="ignore"):
            new = np.where(known, np.minimum(1 / error, largest), 1.0)
        ivar[rows] = np.where(usable, new, 0)
    return flux, ivar


def _stencil(
    grid: np.ndarray, places: np.ndarray, good: np.ndarray, order: int, min_coverage: float
) -> tuple[np.ndarray, list[np.ndarray], np.ndarray]:
    """Return the flat index of first pixels, order + 1 weights and usable places, (n, p) each."""
    n_pixels = len(grid)
    order = min(order, 1 + 2 * ((n_pixels - 2) // 2))  # odd, and with enough pixels
    left, share, inside = find_neighbours(grid, places)
    row_start = n_pixels * np.arange(len(places))[:, None]
    near = [(1 - share) * np.take(good, row_start + left)]
    near.append(share * np.take(good, row_start + left + 1))
    coverage = near[0] + near[1]
    usable = inside & (coverage >= max(min_coverage - ROUNDING, ROUNDING))
    near = [weight / np.where(usable, coverage, 1) for weight in near]
    first = np.clip(left - (order - 1) // 2, 0, n_pixels - 1 - order)
    # A run of order + 1 good pixels around the place, which mustn't lie at the end of the grid.
    n_bad = np.cumsum(np.pad(~good, ((0, 0), (1, 0))), axis=1)
    padded = first + row_start + np.arange(len(places))[:, None]
    bad = np.take(n_bad, padded + order + 1) - np.take(n_bad, padded)
    n_gaps = np.r_[0, np.cumsum(broken_steps(grid)[0])]
    bad += n_gaps[first + order] - n_gaps[first]
    # On a pixel, the line is exact where the polynomial is to rounding.
    line = ~usable | (bad > 0) | (first != left - (order - 1) // 2) | (share % 1 == 0)
    weights = _lagrange(grid, places, first, order)
    steps = (left - first)[line]
    for k, weight in enumerate(weights):
        weight[line] = (steps == k) * near[0][line] + (steps == k - 1) * near[1][line]
    return first + row_start, weights, usable


def _lagrange(
    grid: np.ndarray, places: np.ndarray, first: np.ndarray, order: int
) -> list[np.ndarray]:
    """Return the weights of order + 1 pixels, from `first` on, in the polynomial through them."""
    runs = np.lib.stride_tricks.sliding_window_view(grid, order + 1)
    distance = [places - runs[first, k] for k in range(order + 1)]
    weights = []
    for k in range(order + 1):
        others = [m for m in range(order + 1) if m != k]
        weight = (1 / np.prod(runs[:, [k]] - runs[:, others], axis=1))[first]
        for m in others:
            weight *= distance[m]
        weights.append(weight)
    return weights
