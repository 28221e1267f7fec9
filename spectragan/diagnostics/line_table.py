"""The table of lines: where peaks are, how wide and how deep."""

from collections.abc import Sequence
from typing import Any

import numpy as np
from astropy.table import Table
from scipy.signal import peak_widths

from spectragan.diagnostics.line_peaks import Peak
from spectragan.spectra.broadening import FWHM_PER_SIGMA

LEAST_SIGMA = 1.0  # pixels: narrower kernels don't smooth noise


def estimate_sigma(derivatives: np.ndarray) -> float:
    r"""Estimate how wide lines are from the derivatives of spectra.

    Parameters
    ----------
    derivatives : ndarray of shape (n_pixels, n_labels)

    Returns
    -------
    sigma : float, pixels
        For Gaussian lines :math:`\int g^2 / \int g'^2 = 2 \sigma^2`; the median over labels, at
        least 1.
    """
    values = np.nan_to_num(derivatives)
    steps = np.square(np.diff(values, axis=0)).sum(axis=0)
    shown = steps > 0
    if not shown.any():
        return LEAST_SIGMA
    ratio = np.square(values).sum(axis=0)[shown] / steps[shown]
    return max(LEAST_SIGMA, float(np.sqrt(np.median(ratio) / 2)))


def make_line_table(
    peaks: Sequence[Peak],
    names: Sequence[Sequence[str]],
    significance: np.ndarray,
    smooth: np.ndarray,
    derivative: np.ndarray,
    error: np.ndarray,
    explained: np.ndarray,
    offset: np.ndarray,
    wavelength: Any,
    sigma: float,
) -> Table:
    """Return the table of lines, by wavelength.

    Parameters
    ----------
    peaks : sequence of Peak
        Labels are groups of owners.
    names : sequence of sequence of str
        The members of every group: the first is the label, the others are alternatives.
    significance, smooth, derivative, error : ndarray of shape (n_pixels, n_groups)
        Of the slopes; `smooth` are those smoothed by `sigma`, as `significance` is.
    explained : ndarray of bool of shape (n_pixels, n_groups)
        Whether a group makes most of how the line varies; else the line is nobody's.
    offset : ndarray of shape (n_pixels,)
        Mean difference of observed and synthetic flux.
    wavelength : Quantity of shape (n_pixels,) or None
    sigma : float, pixels
        Of the kernel that `significance` was smoothed with.

    Returns
    -------
    table : Table
    """
    peaks = sorted(peaks)
    at = tuple(np.array([(p.pixel, p.label) for p in peaks], dtype=int).reshape(-1, 2).T)
    place = np.array([_summit(significance[:, p.label], p.pixel) for p in peaks])
    width = np.array([_width(smooth[:, p.label], p.pixel, sigma) for p in peaks])
    if wavelength is not None:
        grid, pixels = wavelength.value, np.arange(len(wavelength))
        width = width * np.interp(place, pixels, np.gradient(grid)) * wavelength.unit
        place = np.interp(place, pixels, grid) * wavelength.unit
    members = [names[p.label] if explained[p.pixel, p.label] else [""] for p in peaks]
    return Table(
        {
            "wavelength": place,
            "width": width,
            "depth": -offset[at[0]],
            "label": np.array([group[0] for group in members], dtype=str),
            "derivative": derivative[at],
            "error": error[at],
            "significance": np.array([p.height for p in peaks], dtype=float),
            "q": np.array([p.q for p in peaks], dtype=float),
            "alternatives": np.array([", ".join(group[1:]) for group in members], dtype=str),
        }
    )


def _summit(values: np.ndarray, pixel: int) -> float:
    """Return where the parabola through a maximum and its neighbours has its summit."""
    left, top, right = values[pixel - 1 : pixel + 2]
    curvature = left - 2 * top + right
    if not np.isfinite(curvature) or curvature >= 0:
        return float(pixel)
    return pixel + 0.5 * float((left - right) / curvature)


def _width(values: np.ndarray, pixel: int, sigma: float) -> float:
    """Return the full width at half maximum of a peak, the kernel's taken off, in pixels."""
    filled = np.nan_to_num(values) * np.sign(values[pixel])
    # Down to half of its height, not of its prominence: neighbours don't make a line narrower.
    data = np.array([filled[pixel]]), np.array([0]), np.array([len(filled) - 1])
    measured = float(peak_widths(filled, [pixel], 0.5, prominence_data=data)[0][0])
    return float(np.sqrt(max(measured**2 - (FWHM_PER_SIGMA * sigma) ** 2, 1.0)))
