"""How well two sets of points mix: whose neighbours are whose."""

import numpy as np
from scipy.spatial.distance import cdist

N_NEIGHBORS = 10


def neighbour_mixing(
    a: np.ndarray, b: np.ndarray, *, n_neighbors: int = N_NEIGHBORS, paired: bool = False
) -> float:
    """Return the share of neighbours from the other set, over its expectation without a gap.

    Parameters
    ----------
    a, b : ndarray of shape (n_a, n_dims) and (n_b, n_dims)
        The two sets.
    n_neighbors : int, default=10
        Neighbours of every point that are looked at, fewer if there are not as many others.
    paired : bool, default=False
        Whether row i of `a` was made from row i of `b`. A point's partner is then no neighbour:
        it would be the nearest one of two sets that keep their pairs, whatever else they do.

    Returns
    -------
    mixing : float
        0 if no point has a neighbour of the other set, 1 on average if the sets are alike.
        Every point is compared with its own expectation, and both sets count the same.

    Raises
    ------
    ValueError
        If `paired` sets differ in size.

    Examples
    --------
    >>> import numpy as np
    >>> from spectragan.diagnostics.mixing import neighbour_mixing
    >>> a = np.random.default_rng(0).normal(size=(50, 2))
    >>> neighbour_mixing(a, a + 100)
    0.0
    """
    if paired and len(a) != len(b):
        raise ValueError(
            f"paired sets must have one size; got {len(a)} and {len(b)} rows; "
            "set `paired` to False."
        )
    points = np.vstack([a, b])
    is_b = np.repeat([False, True], [len(a), len(b)])
    squared = cdist(points, points, "sqeuclidean")
    np.fill_diagonal(squared, np.inf)
    if paired:
        partner = np.roll(np.arange(len(points)), len(a))
        squared[np.arange(len(points)), partner] = np.inf
    candidates = len(points) - 1 - paired
    k = min(n_neighbors, candidates)
    nearest = np.argpartition(squared, k - 1, axis=1)[:, :k]
    foreign = (is_b[nearest] != is_b[:, None]).mean(axis=1)
    mixing_a = foreign[~is_b].mean() / ((len(b) - paired) / candidates)
    mixing_b = foreign[is_b].mean() / ((len(a) - paired) / candidates)
    return float((mixing_a + mixing_b) / 2)


def null_mixing(
    b: np.ndarray, rng: np.random.Generator, *, n_neighbors: int = N_NEIGHBORS, n_splits: int = 10
) -> float:
    """Return the mixing of random halves of one set: what no gap looks like.

    Parameters
    ----------
    b : ndarray of shape (n_b, n_dims)
        The set to split.
    rng : numpy.random.Generator
        Draws the halves.
    n_neighbors : int, default=10
        Neighbours of every point that are looked at.
    n_splits : int, default=10
        Splits to average over.

    Returns
    -------
    mixing : float
        Close to 1.
    """
    half = len(b) // 2
    orders = (rng.permutation(len(b)) for _ in range(n_splits))
    return float(
        np.mean(
            [
                neighbour_mixing(b[order[:half]], b[order[half:]], n_neighbors=n_neighbors)
                for order in orders
            ]
        )
    )
