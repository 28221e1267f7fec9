"""Project several sets of spectra on joint principal components, masked pixels left out."""

import numpy as np
from sklearn.utils.extmath import randomized_svd

N_REFILLS = 10  # masked pixels are refilled this often; 30 % masked converges to 1e-5 by then
SVD_ITERATIONS = 4  # power iterations: noise floors of spectra decay slowly
REFILL_ITERATIONS = 2  # the same within a refill, which the next one improves
LEAST_NOISE = 1e-6  # of the variance per pixel: keeps the projection of near-empty rows solvable
LEAST_SCATTER = 1e-4  # of the variance of both sets together: spectra without noise may have none


def joint_scores(
    flux: np.ndarray,
    weights: np.ndarray,
    n_components: int,
    *,
    seed: int = 0,
) -> np.ndarray:
    """Return the scores of every row on the leading principal components of all rows.

    Parameters
    ----------
    flux : ndarray of shape (n_spectra, n_pixels), dimensionless
        All sets on top of each other, finite.
    weights : ndarray of shape (n_spectra, n_pixels)
        Between 0 (the value is ignored) and 1.
    n_components : int
        The number of components; at most ``min(n_spectra - 1, n_pixels)`` are used.
    seed : int, default=0
        Seeds the randomised singular value decomposition.

    Returns
    -------
    scores : ndarray of shape (n_spectra, n_components), float64
        The scores; without weights below 1 these are plain principal component scores.

    Notes
    -----
    The basis is a weighted low-rank approximation found by refilling: what a weight leaves out is
    replaced by the current reconstruction [1]_. Every row is then projected by weighted least
    squares with the prior of probabilistic principal components, so that a masked stretch makes
    no wild score. The fit does not know which row belongs to which set, which keeps two-sample
    tests on the scores exact.

    References
    ----------
    .. [1] Srebro, N. & Jaakkola, T. 2003, "Weighted low-rank approximations", ICML 20, 720.

    Examples
    --------
    >>> import numpy as np
    >>> from spectragan.diagnostics.projection import joint_scores
    >>> flux = np.random.default_rng(0).normal(size=(20, 6))
    >>> joint_scores(flux, np.ones_like(flux), 2).shape
    (20, 2)
    """
    flux = np.where(weights > 0, flux, 0.0).astype(np.float64)
    n_components = max(1, min(n_components, len(flux) - 1, flux.shape[1]))
    if (weights == 1.0).all():
        return _svd(flux - flux.mean(axis=0), n_components, SVD_ITERATIONS, seed)[0]
    return _masked_scores(flux, weights, n_components, seed)


def standardise(z: np.ndarray) -> np.ndarray:
    """Scale the columns of `z` to zero mean and unit variance; constant columns become zero."""
    centred = z - z.mean(axis=0)
    scale = centred.std(axis=0)
    return centred / np.where(scale > 0, scale, 1.0)


def scale_within(a: np.ndarray, b: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
    """Scale every column by its standard deviation within the sets, averaged over both.

    Parameters
    ----------
    a, b : ndarray of shape (n_a, n_dims) and (n_b, n_dims)
        The two sets.

    Returns
    -------
    a, b : ndarray
        The same, in standard deviations. A gap between the sets does not count as their scatter,
        or twice the gap would be measured as the same gap. Where the sets have next to no scatter
        of their own, the gap is at most about a hundred of these units.

    Examples
    --------
    >>> import numpy as np
    >>> from spectragan.diagnostics.projection import scale_within
    >>> a, b = scale_within(np.array([[0.0], [4.0]]), np.array([[10.0], [14.0]]))
    >>> b.mean() - a.mean()
    np.float64(5.0)
    """
    within = (a.var(axis=0) + b.var(axis=0)) / 2
    total = np.vstack([a, b]).var(axis=0)
    scale = np.sqrt(np.maximum(within, LEAST_SCATTER * total))
    scale = np.where(scale > 0, scale, 1.0)
    return a / scale, b / scale


def _svd(
    flux: np.ndarray, n_components: int, n_iter: int, seed: int
) -> tuple[np.ndarray, np.ndarray]:
    """Return scores (n, k) and components (k, p) of centred `flux`."""
    u, s, components = randomized_svd(flux, n_components, n_iter=n_iter, random_state=seed)
    return u * s, components


def _masked_scores(
    flux: np.ndarray, weights: np.ndarray, n_components: int, seed: int
) -> np.ndarray:
    """Fit the basis by refilling, then project every row with its own weights."""
    total = weights.sum(axis=0)
    mean = np.divide((weights * flux).sum(axis=0), total, out=np.zeros(len(total)), where=total > 0)
    model = np.broadcast_to(mean, flux.shape)
    for _ in range(N_REFILLS):
        filled = weights * flux + (1.0 - weights) * model
        mean = filled.mean(axis=0)
        scores, components = _svd(filled - mean, n_components, REFILL_ITERATIONS, seed)
        model = mean + scores @ components
    missed = (weights * (flux - model) ** 2).sum() / weights.sum()
    spread = (weights * (flux - mean) ** 2).sum() / weights.sum()
    noise = max(missed, LEAST_NOISE * spread, np.finfo(np.float64).tiny)
    variance = np.maximum(scores.var(axis=0), noise)
    return _project(flux - mean, weights, components, noise / variance)


def _project(
    residual: np.ndarray, weights: np.ndarray, components: np.ndarray, prior: np.ndarray
) -> np.ndarray:
    """Solve every row's weighted least squares with a prior precision in units of the noise."""
    k = len(components)
    upper = np.triu_indices(k)
    gram = np.empty((len(residual), k, k))
    gram[:, upper[0], upper[1]] = weights @ (components[upper[0]] * components[upper[1]]).T
    gram[:, upper[1], upper[0]] = gram[:, upper[0], upper[1]]
    gram[:, np.arange(k), np.arange(k)] += prior
    right = (weights * residual) @ components.T
    return np.linalg.solve(gram, right[:, :, None])[:, :, 0]
