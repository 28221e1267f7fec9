"""Sparse matrices that broaden spectra: one kernel, of its own width, per output pixel."""

from collections.abc import Callable

import numpy as np
from scipy import sparse
from scipy.special import ndtr

from spectragan.spectra.linear_maps import broken_steps, pixel_edges

# A Gaussian beyond 6 standard deviations holds 2e-9 of its area.
GAUSSIAN_REACH = 6.0
# A kernel this much narrower than a pixel leaves its pixel alone.
TINY = 1e-6


def gaussian_matrix(wavelength: np.ndarray, sigma: np.ndarray) -> sparse.csr_array:
    """Return a matrix that broadens with a Gaussian.

    Parameters
    ----------
    wavelength : ndarray of shape (n_pixels,), Angstrom
        The grid, ascending.
    sigma : ndarray of shape (n_pixels,), Angstrom
        Standard deviation at every output pixel.

    Returns
    -------
    csr_array of shape (n_pixels, n_pixels)
        Rows sum to the share of the kernel that lies on the grid, outside its gaps.
    """
    return _kernel_matrix(wavelength, sigma, ndtr, GAUSSIAN_REACH, 1.0)


def rotation_matrix(wavelength: np.ndarray, beta: float, limb_darkening: float) -> sparse.csr_array:
    """Return a matrix that broadens as the rotation of a star with a linear limb-darkening law.

    Parameters
    ----------
    wavelength : ndarray of shape (n_pixels,), Angstrom
        The grid, ascending.
    beta : float
        Projected rotation velocity at the equator over the speed of light.
    limb_darkening : float
        Coefficient of the law, 0 to 1.

    Returns
    -------
    csr_array of shape (n_pixels, n_pixels)
        Rows sum to the share of the profile that lies on the grid, outside its gaps.
    """
    e = limb_darkening
    norm = np.pi * (1 - e / 3)

    def cumulative(x: np.ndarray) -> np.ndarray:
        """Integrate the profile of Gray (2005), eq. 18.14, from -1 to x."""
        x = np.clip(x, -1, 1)
        disc = (1 - e) * (x * np.sqrt(1 - x**2) + np.arcsin(x))
        return 0.5 + (disc + np.pi * e / 2 * (x - x**3 / 3)) / norm

    variance = ((1 - e) / 4 + 2 * e / 15) / (1 - e / 3)
    return _kernel_matrix(wavelength, beta * wavelength, cumulative, 1.0, variance)


def _kernel_matrix(
    wavelength: np.ndarray,
    scale: np.ndarray,
    cumulative: Callable[[np.ndarray], np.ndarray],
    reach: float,
    variance: float,
) -> sparse.csr_array:
    """Integrate a kernel, of unit scale and the given variance, over the pixels around each."""
    n = len(wavelength)
    edges = pixel_edges(wavelength)
    width = edges[1] - edges[0]
    # Pixels are boxes, which broaden by themselves: without their variance, width**2 / 12, the
    # variance of the weights is that of the kernel.
    scale = np.sqrt(np.maximum(scale**2 - width**2 / (12 * variance), (TINY * width) ** 2))
    first = np.searchsorted(edges[1], wavelength - reach * scale, side="right")
    last = np.searchsorted(edges[0], wavelength + reach * scale, side="left")
    counts = last - first
    rows = np.repeat(np.arange(n), counts)
    columns = np.arange(len(rows)) - np.repeat(np.cumsum(counts) - counts - first, counts)
    area = float(cumulative(np.array(reach)) - cumulative(np.array(-reach)))
    left, right = (cumulative((edges[k, columns] - wavelength[rows]) / scale[rows]) for k in (0, 1))
    return sparse.csr_array(((right - left) / area, (rows, columns)), shape=(n, n))


def lsf_matrix(lsf: np.ndarray, wavelength: np.ndarray | None) -> sparse.csr_array:
    """Return a matrix with a line spread function in each row.

    Parameters
    ----------
    lsf : ndarray of shape (n_pixels, n_offsets)
        Weights of the neighbours of every pixel, itself in the middle.
    wavelength : ndarray of shape (n_pixels,), Angstrom, or None
        The grid, ascending: pixels beyond a gap of it are no neighbours.

    Returns
    -------
    csr_array of shape (n_pixels, n_pixels)
        Rows sum to the share of the function that lies on the grid, on this side of its gaps.
    """
    n, n_offsets = lsf.shape
    rows = np.repeat(np.arange(n), n_offsets)
    columns = rows + np.tile(np.arange(n_offsets) - n_offsets // 2, n)
    weights = (lsf / lsf.sum(axis=1, keepdims=True)).ravel()
    used = (columns >= 0) & (columns < n) & (weights > 0)
    rows, columns, weights = rows[used], columns[used], weights[used]
    if wavelength is not None:
        stretch = np.r_[0, np.cumsum(broken_steps(wavelength)[0])]
        used = stretch[rows] == stretch[columns]
        rows, columns, weights = rows[used], columns[used], weights[used]
    return sparse.csr_array((weights, (rows, columns)), shape=(n, n))
