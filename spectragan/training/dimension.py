"""How many latents spectra need."""

import numpy as np
from sklearn.neighbors import NearestNeighbors

TAIL = 0.1  # share of the largest ratios left out: they come from the edge of the set
DIGITS = 6  # of coefficients: points that agree in all of them are one
# Subsamples: thinned at random, even a regular grid of labels looks like scattered points.
N_SUBSAMPLES = 9
SUBSAMPLE_ROWS = 500


def intrinsic_dimension(points: np.ndarray) -> float:
    r"""Estimate in how many directions noise-free points vary locally.

    Parameters
    ----------
    points : ndarray of shape (n_points, n_values)
        Without noise, such as coefficients of synthetic spectra.

    Returns
    -------
    dimension : float
        1 where there are too few different points to tell.

    Notes
    -----
    The ratio :math:`\mu` of the distances to the second and the first neighbour follows a Pareto
    law whose exponent is the dimension, whatever the density [1]_.

    References
    ----------
    .. [1] Facco, E. et al. 2017, Scientific Reports, 7, 12140.

    Examples
    --------
    >>> import numpy as np
    >>> from spectragan.training.dimension import intrinsic_dimension
    >>> angles = np.random.default_rng(0).uniform(0, 1, size=(2000, 2))
    >>> curved = np.hstack([np.sin(angles), np.cos(angles), angles**2])
    >>> round(intrinsic_dimension(curved))
    2
    """
    # Spectra that are drawn twice have coefficients that differ by rounding.
    points = points[np.unique(points.round(DIGITS), axis=0, return_index=True)[1]]
    rng = np.random.default_rng(0)
    size = min(SUBSAMPLE_ROWS, max(3, len(points) // 4))
    draws = [points[rng.permutation(len(points))[:size]] for _ in range(N_SUBSAMPLES)]
    return float(np.median([_two_neighbours(drawn) for drawn in draws]))


def _two_neighbours(points: np.ndarray) -> float:
    """Estimate the dimension from the distances to the first and second neighbours."""
    if len(points) < 3:
        return 1.0
    distances = NearestNeighbors(n_neighbors=2).fit(points).kneighbors()[0]
    ratios = np.sort(np.log(distances[:, 1] / distances[:, 0]))
    kept = ratios[: max(2, int((1 - TAIL) * len(ratios)))]
    # Maximum likelihood of the Pareto law cut off at the largest ratio kept.
    survivors = (len(ratios) - len(kept)) * kept[-1]
    return float(len(kept) / max(kept.sum() + survivors, np.finfo(float).tiny))
