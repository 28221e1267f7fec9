"""Sparse matrices from the pixels of one grid to those of another, applied with errors and masks.

One matrix serves all spectra of a grid pair: a row of it holds the weights, all >= 0, that the
input pixels have in one output pixel.
"""

import numpy as np
from scipy import sparse
from scipy.ndimage import percentile_filter

from spectragan.spectra.base import row_blocks
from spectragan.spectra.container import Spectra

# Rounding may leave a coverage this much below the share it has to reach.
ROUNDING = 1e-9
# A step this many times as wide as the larger ones of its surroundings is a gap: two missing pixels
# are one, a single one isn't.
GAP = 2.5
NEARBY_STEPS = 11


def broken_steps(centers: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
    """Return which of the n - 1 steps of a grid are gaps, and how far one usually steps there.

    Parameters
    ----------
    centers : ndarray of shape (n_pixels,), Angstrom
        The grid, ascending.

    Returns
    -------
    broken : ndarray of bool of shape (n_pixels - 1,)
        Where no pixel holds what lies between two centers: between detectors, or where pixels
        were left out.
    usual : ndarray of shape (n_pixels - 1,), Angstrom
        What the larger steps nearby measure.
    """
    steps = np.diff(centers)
    if not len(steps):
        return np.zeros(0, dtype=bool), steps
    # The upper quartile of the surroundings: that of the coarser side where the sampling changes,
    # and of the wide steps where two interleaved grids alternate between narrow and wide ones.
    usual = percentile_filter(steps, 75, size=NEARBY_STEPS, mode="mirror")
    return steps > GAP * usual, usual


def pixel_edges(centers: np.ndarray) -> np.ndarray:
    """Return the left and right edges, (2, n), of n ascending pixels.

    They lie half way between two centers; beside a gap, as far out as on the pixel's other side.
    """
    if len(centers) == 1:
        return centers * np.array([[1 - 5e-4], [1 + 5e-4]])
    inner = (centers[1:] + centers[:-1]) / 2
    edges = np.r_[2 * centers[0] - inner[0], inner, 2 * centers[-1] - inner[-1]]
    broken, usual = broken_steps(centers)
    half = np.pad(np.where(broken, usual, np.diff(centers)) / 2, 1, mode="edge")
    beside = np.pad(broken, 1, mode="edge")
    left = np.where(beside[:-1], np.maximum(edges[:-1], centers - half[1:]), edges[:-1])
    right = np.where(beside[1:], np.minimum(edges[1:], centers + half[:-1]), edges[1:])
    return np.stack([left, right])


def find_neighbours(
    source: np.ndarray, places: np.ndarray
) -> tuple[np.ndarray, np.ndarray, np.ndarray]:
    """Return where places of any shape lie between the pixels of a grid.

    Parameters
    ----------
    source : ndarray of shape (n_pixels,)
        At least two ascending centers.
    places : ndarray
        Wavelengths.

    Returns
    -------
    left : ndarray of int
        The pixel at or before each place, never the last one.
    share : ndarray
        How far it is, 0 to 1, on the way to the next pixel.
    inside : ndarray of bool
        Whether a place is on the grid, neither beyond its ends nor in a gap.
    """
    # Rounding of a unit conversion must not push the first or last pixel out.
    slack = ROUNDING * source[[0, -1]]
    inside = (places >= source[0] - slack[0]) & (places <= source[-1] + slack[1])
    left = np.clip(np.searchsorted(source, places.ravel(), side="right") - 1, 0, len(source) - 2)
    left = left.reshape(places.shape)
    steps = np.diff(source)
    share = np.clip((places - source[left]) / steps[left], 0, 1)
    broken = broken_steps(source)[0][left]
    if broken.any():
        # Nor may it push a place from a pixel into the gap beside it.
        near = np.minimum(share, 1 - share) * steps[left] <= ROUNDING * source[left]
        share = np.where(broken & near, np.round(share), share)
        inside &= near | ~broken
    return left, share, inside


def overlap_matrix(source: np.ndarray, target: np.ndarray) -> sparse.csr_array:
    r"""Return the share of every output pixel that each input pixel covers.

    Parameters
    ----------
    source : ndarray of shape (n_in,), Angstrom
        Centers of the input pixels, ascending.
    target : ndarray of shape (n_out,), Angstrom
        Centers of the output pixels, ascending.

    Returns
    -------
    csr_array of shape (n_out, n_in)
        Rows sum to the covered share, 1 inside the input range. With it, flux per wavelength
        keeps its integral.
    """
    old, new = pixel_edges(source), pixel_edges(target)
    # Between two neighbouring edges of either grid lies one piece of one pixel of both.
    cuts = np.unique(np.r_[old.ravel(), new.ravel()])
    middle, width = (cuts[1:] + cuts[:-1]) / 2, np.diff(cuts)
    columns = np.searchsorted(old[0], middle) - 1
    rows = np.searchsorted(new[0], middle) - 1
    inside = (columns >= 0) & (middle < old[1, columns]) & (rows >= 0) & (middle < new[1, rows])
    rows, columns = rows[inside], columns[inside]
    weights = width[inside] / (new[1] - new[0])[rows]
    return sparse.csr_array((weights, (rows, columns)), shape=(len(target), len(source)))


def interpolation_matrix(source: np.ndarray, target: np.ndarray) -> sparse.csr_array:
    """Return weights of linear interpolation between pixel centers; parameters as above.

    Returns
    -------
    csr_array of shape (n_out, n_in)
        Rows sum to 1, and are empty outside the first and last center of the input and in gaps.
    """
    shape = (len(target), len(source))
    if len(source) == 1:
        rows = np.flatnonzero(np.abs(target - source) <= ROUNDING * source)
        return sparse.csr_array((np.ones(len(rows)), (rows, 0 * rows)), shape=shape)
    left, share, inside = find_neighbours(source, target)
    rows = np.flatnonzero(inside)
    left, share = left[rows], share[rows]
    weights, columns = np.r_[1 - share, share], np.r_[left, left + 1]
    used = weights > 0
    index = (np.r_[rows, rows][used], columns[used])
    return sparse.csr_array((weights[used], index), shape=shape)


def apply_map(
    matrix: sparse.csr_array, spectra: Spectra, min_coverage: float
) -> tuple[np.ndarray, np.ndarray]:
    r"""Multiply spectra by a matrix of weights; masked pixels have no weight.

    Parameters
    ----------
    matrix : csr_array of shape (n_out, n_in)
        Weights >= 0; the row of a pixel that is covered wholly sums to 1.
    spectra : Spectra
        Spectra of n_in pixels.
    min_coverage : float
        Output pixels whose good input has a smaller share of the weight get ivar 0.

    Returns
    -------
    flux, ivar : ndarray of shape (n_spectra, n_out)
        Of the dtype of `spectra`. With the weights :math:`a_j` of good pixels, flux is
        :math:`\sum a_j f_j / \sum a_j` and, where noise is known, ivar is
        :math:`(\sum a_j)^2 / \sum (a_j^2 / w_j)`; elsewhere ivar stays 0 or 1.
    """
    flux = np.zeros((len(spectra), matrix.shape[0]), spectra.dtype)
    ivar = np.zeros_like(flux)
    squared = matrix.power(2)
    # Summed as `coverage` is below: a mask in another row must not change the last digit here.
    full = (matrix @ np.ones(matrix.shape[1]))[:, None]
    lowest = max(min_coverage - ROUNDING, ROUNDING)
    largest = np.finfo(spectra.dtype).max
    for rows in row_blocks(len(spectra)):
        # Transposed, the spectra of a block lie side by side: one weight serves all of them.
        weights = spectra.ivar[rows].T.astype(float, order="C")
        values = spectra.flux[rows].T.astype(float, order="C")
        good, coverage = weights > 0, full
        if not good.all():
            values[~good] = 0
            coverage = matrix @ good.astype(float)
        usable = coverage >= lowest
        share = np.where(usable, coverage, 1.0)
        total = matrix @ values
        total /= share
        total *= usable  # 0 under ivar 0, whatever small weights would have made of it
        flux[rows] = total.T
        ivar[rows] = _propagated(squared, weights, good, share, usable, largest, spectra[rows])
    return flux, ivar


def _propagated(
    squared: sparse.csr_array,
    weights: np.ndarray,
    good: np.ndarray,
    share: np.ndarray,
    usable: np.ndarray,
    largest: float,
    part: Spectra,
) -> np.ndarray:
    """Return ivar of a block, (n_rows, n_out): propagated where noise is known, else 0 or 1."""
    known = part.noise == "known"
    ones = np.broadcast_to(usable, (len(usable), len(part))).T.astype(float)
    if not known.any():
        return ones
    with np.errstate(divide="ignore", over="ignore"):
        variance = np.where(good, 1 / weights, 0)
        ivar = np.where(usable, np.minimum(share**2 / (squared @ variance), largest), 0)
    return np.where(known[:, None], ivar.T, ones)
