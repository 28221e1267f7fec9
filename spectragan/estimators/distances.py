"""Distances between two sets of vectors."""

import numpy as np


def sliced_wasserstein(
    a: np.ndarray, b: np.ndarray, n_directions: int, rng: np.random.Generator
) -> float:
    """Return the sliced 1-Wasserstein distance of two sets of equal size.

    Parameters
    ----------
    a, b : ndarray of shape (n, n_dims)
        The two sets.
    n_directions : int
        The number of random directions.
    rng : numpy.random.Generator
        Draws the directions.

    Returns
    -------
    distance : float
        Mean, over directions and ranks, of the absolute difference between sorted projections, in
        the units of `a`. It is positive even for equal distributions, and grows as n shrinks.
        (The 2-Wasserstein distance is ruled by the few oddest stars: between halves of one
        library it comes out at half or more of that to raw models, this one at a fifth.)

    References
    ----------
    .. [1] Bonneel, N. et al. 2015, "Sliced and Radon Wasserstein barycenters of measures",
       J. Math. Imaging Vis., 51, 22.

    Examples
    --------
    >>> import numpy as np
    >>> from spectragan.estimators.distances import sliced_wasserstein
    >>> a = np.random.default_rng(0).normal(size=(50, 2))
    >>> sliced_wasserstein(a, a[::-1], 20, np.random.default_rng(0))
    0.0
    """
    directions = rng.standard_normal((a.shape[1], n_directions))
    directions /= np.linalg.norm(directions, axis=0)
    gap = np.sort(a @ directions, axis=0) - np.sort(b @ directions, axis=0)
    return float(np.mean(np.abs(gap)))
