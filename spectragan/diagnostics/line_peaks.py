"""From significance per pixel and label to a list of lines at a given false-discovery rate."""

from typing import NamedTuple

import numpy as np
from scipy.special import owens_t
from scipy.stats import norm

LOWEST = 2.0  # standard errors: lower peaks are noise at any useful rate
HIGHEST, N_NODES = 30.0, 6001  # of the integral over heights
LEAKAGE = 0.15  # of a line's significance that may appear at a neighbouring label by mistake


class Peak(NamedTuple):
    """A local maximum of significance.

    Attributes
    ----------
    pixel : int
    label : int
        Column of the significances.
    height : float, standard errors
    q : float
        Expected share of false ones among the peaks at least as high.
    """

    pixel: int
    label: int
    height: float
    q: float


def peaks_expected(height: np.ndarray, n_pixels: int, sigma: float) -> np.ndarray:
    r"""Return how many local maxima of smoothed white noise are higher.

    Parameters
    ----------
    height : ndarray, standard deviations
    n_pixels : int
    sigma : float, pixels
        Of the Gaussian kernel.

    Returns
    -------
    number : ndarray

    Notes
    -----
    A pixel of value x is a maximum if both neighbours are lower. Given x, they are normal with
    mean :math:`\rho_1 x`, where :math:`\rho_k = e^{-k^2 / 4 \sigma^2}` is the correlation of pixels
    k apart, so that

    .. math:: N(u) = n \int_u^\infty \phi(x)\, P(x_{-1} < x, x_1 < x \mid x)\, dx.

    For wide kernels this is the distribution of heights in [1]_; lines of a few pixels have fewer
    maxima.

    References
    ----------
    .. [1] Schwartzman, A., Gavrilov, Y. & Adler, R. J. 2011, Ann. Statist., 39, 3290.
    """
    near, next_but_one = np.exp(-(np.array([1.0, 2.0]) ** 2) / (4 * sigma**2))
    left = 1 - near**2
    between = np.clip((next_but_one - near**2) / left, -1.0, 1.0)
    x = np.linspace(0.0, HIGHEST, N_NODES)
    limit = x * (1 - near) / np.sqrt(left)
    both = norm.cdf(limit) - 2 * owens_t(limit, np.sqrt((1 - between) / (1 + between)))
    density = norm.pdf(x) * both
    # From above: the tail is what matters, and a difference of sums would lose its digits.
    beyond = np.cumsum((density[1:] + density[:-1])[::-1])[::-1] * (x[1] - x[0]) / 2
    logarithm = np.log(np.append(beyond, beyond[-1]))
    return n_pixels * np.exp(np.interp(height, x, logarithm))


def find_peaks(
    significance: np.ndarray, sigma: float, fdr: float, signs: np.ndarray | int = 1
) -> list[Peak]:
    """Find lines: the peaks of all labels together at one false-discovery rate.

    Parameters
    ----------
    significance : ndarray of shape (n_pixels, n_labels), standard errors
        Smooth along the pixels; NaN where nothing is known.
    sigma : float, pixels
        Of the kernel it was smoothed with.
    fdr : float
        Share of false lines among those found.
    signs : int or ndarray of int of shape (n_labels,), default=1
        2 where `significance` is an absolute value: noise has twice as many peaks there.

    Returns
    -------
    peaks : list of Peak
        The most significant first.

    Notes
    -----
    Benjamini and Hochberg's rule [1]_ for all local maxima that noise alone would have in
    all labels. A discovery is a line: weaker peaks of the same label within the width of a
    stronger line belong to it, as do those of other labels that could be its leakage.

    References
    ----------
    .. [1] Benjamini, Y. & Hochberg, Y. 1995, J. R. Stat. Soc. B, 57, 289.
    """
    filled = np.where(np.isfinite(significance), significance, -np.inf)
    inner = filled[1:-1]
    top = (inner > filled[:-2]) & (inner >= filled[2:]) & (inner > LOWEST)
    pixels, labels = np.nonzero(top)
    heights = inner[pixels, labels]
    order = np.argsort(-heights, kind="stable")
    lines = _claim(pixels[order] + 1, labels[order], heights[order], 2.5 * sigma)
    tops = np.array([height for *_, height in lines])
    tested = int((np.isfinite(significance) * signs).sum())
    q = peaks_expected(tops, tested, sigma)
    q = q / np.arange(1, len(lines) + 1)
    q = np.minimum(1.0, np.minimum.accumulate(q[::-1])[::-1])
    return [Peak(*line, float(rate)) for line, rate in zip(lines, q, strict=True) if rate <= fdr]


def _claim(
    pixels: np.ndarray, labels: np.ndarray, heights: np.ndarray, reach: float
) -> list[tuple[int, int, float]]:
    """Return the peaks, falling in height, that aren't part of a higher one."""
    kept: list[tuple[int, int, float]] = []
    for pixel, label, height in zip(pixels, labels, heights, strict=True):
        near = [line for line in kept if abs(line[0] - pixel) <= reach]
        same = any(line[1] == label for line in near)
        leaked = any(height < LEAKAGE * line[2] for line in near)
        if not (same or leaked):
            kept.append((int(pixel), int(label), float(height)))
    return kept
