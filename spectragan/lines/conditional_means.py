"""What spectra are on average at given latents, with how much each star adds to it."""

from typing import NamedTuple

import numpy as np
from sklearn.linear_model import LogisticRegression

from spectragan.translator.matching.sparse_gap import Powers

MOST_LATENTS = 20  # more are replaced by their leading components
ROWS_PER_FEATURE = 10  # a regression on fewer stars follows their noise
MOST_FEATURES = 66  # those of ten latents: more take long to invert for every pixel
CHUNK_PIXELS = 256  # whose matrices are in memory at a time
MAX_LOG_RATIO = 6.0
RIDGE = 1e-10  # relative: features that say nothing aren't divided by 0
TINY = float(np.finfo(float).tiny)


class CommonLatents(NamedTuple):
    """Two sets of spectra in features of their latents, and where both have stars.

    Attributes
    ----------
    features : two ndarrays of shape (n_d, n_features)
        A constant, the latents in units of their spread, and their products if there are stars
        enough.
    shares : two ndarrays of shape (n_d,)
        How much each star counts so that both sets have the same distribution; they sum to 1.
    point : ndarray of shape (n_features,)
        Mean of the features over that distribution.
    overlap : float
        Stars that both sets have, as a part of the smaller one: 0 none, 1 all.
    """

    features: tuple[np.ndarray, np.ndarray]
    shares: tuple[np.ndarray, np.ndarray]
    point: np.ndarray
    overlap: float


def find_common(first: np.ndarray, second: np.ndarray) -> CommonLatents:
    """Return two sets of latents as features, with the distribution that both have.

    Parameters
    ----------
    first, second : ndarray of shape (n_d, n_latents)

    Returns
    -------
    common : CommonLatents
    """
    stacked = _standardized(np.vstack([first, second]))
    n, n_first = min(len(first), len(second)), len(first)
    width = stacked.shape[1]
    products = 1 + width + width * (width + 1) // 2
    curved = products <= min(MOST_FEATURES, n / ROWS_PER_FEATURE)
    features = Powers(width, 2 if curved else 1)(stacked)
    weights = _overlap_weights(features, n_first)
    shares = weights[0] / weights[0].sum(), weights[1] / weights[1].sum()
    parts = features[:n_first], features[n_first:]
    point = (shares[0] @ parts[0] + shares[1] @ parts[1]) / 2
    # The mean weight is a half where both sets are alike.
    overlap = min(1.0, 2.0 * float(min(weights[0].mean(), weights[1].mean())))
    return CommonLatents(parts, shares, point, overlap)


def _overlap_weights(features: np.ndarray, n_first: int) -> tuple[np.ndarray, np.ndarray]:
    """Return the other set's share of the density at each star, by the regression's features."""
    points = features[:, 1:] / np.maximum(features[:, 1:].std(axis=0), TINY)
    second = np.arange(len(points)) >= n_first
    # Balanced: how many spectra a set has is the user's choice.
    model = LogisticRegression(class_weight="balanced", max_iter=1000).fit(points, second)
    ratio = np.clip(model.decision_function(points), -MAX_LOG_RATIO, MAX_LOG_RATIO)
    share = 1 / (1 + np.exp(-ratio))
    return share[:n_first], 1 - share[n_first:]


def _standardized(latents: np.ndarray) -> np.ndarray:
    """Return latents in units of their spread, or their leading components if they are many."""
    centred = latents - latents.mean(axis=0)
    scaled = centred / np.maximum(centred.std(axis=0), TINY)
    if scaled.shape[1] <= MOST_LATENTS:
        return scaled
    components = np.linalg.svd(scaled, full_matrices=False)[2][:MOST_LATENTS]
    scores = scaled @ components.T
    return scores / np.maximum(scores.std(axis=0), TINY)


def mean_at(
    features: np.ndarray, point: np.ndarray, flux: np.ndarray, weights: np.ndarray
) -> tuple[np.ndarray, np.ndarray]:
    r"""Regress flux on features, pixel by pixel, and return its mean at a point.

    Parameters
    ----------
    features : ndarray of shape (n_spectra, n_features)
    point : ndarray of shape (n_features,)
    flux, weights : ndarray of shape (n_spectra, n_pixels)
        Flux, finite everywhere, and how much it counts.

    Returns
    -------
    mean : ndarray of shape (n_pixels,)
        NaN where fewer stars are seen than there are features, twice.
    influence : ndarray of shape (n_spectra, n_pixels)
        By how much the mean changes if a star is there once more:
        :math:`w_i\, p^T (X^T W X)^{-1} x_i\, r_i` with the residual :math:`r_i`.
    """
    n_pixels = flux.shape[1]
    mean, influence = np.empty(n_pixels), np.empty(flux.shape)
    for start in range(0, n_pixels, CHUNK_PIXELS):
        some = slice(start, start + CHUNK_PIXELS)
        mean[some], influence[:, some] = _mean_at(features, point, flux[:, some], weights[:, some])
    return mean, influence


def _mean_at(
    features: np.ndarray, point: np.ndarray, flux: np.ndarray, weights: np.ndarray
) -> tuple[np.ndarray, np.ndarray]:
    n_features = features.shape[1]
    first, second = np.triu_indices(n_features)
    gram = np.empty((flux.shape[1], n_features, n_features))
    gram[:, first, second] = weights.T @ (features[:, first] * features[:, second])
    gram[:, second, first] = gram[:, first, second]
    size = np.einsum("jff->j", gram)[:, None, None] / n_features
    inverse = np.linalg.inv(gram + (RIDGE * size + TINY) * np.eye(n_features))
    slopes = np.einsum("jfg,jg->jf", inverse, (weights * flux).T @ features)
    leverage = features @ (inverse @ point).T
    influence = weights * leverage * (flux - features @ slopes.T)
    seen = (weights > 0).sum(axis=0) >= 2 * n_features
    return np.where(seen, slopes @ point, np.nan), np.where(seen, influence, 0.0)


def resampled_changes(
    influence: np.ndarray, n_bootstrap: int, rng: np.random.Generator
) -> np.ndarray:
    """Return how means change as stars are drawn again, with replacement.

    Parameters
    ----------
    influence : ndarray of shape (n_spectra, n_pixels)
    n_bootstrap : int
    rng : numpy.random.Generator

    Returns
    -------
    changes : ndarray of shape (n_bootstrap, n_pixels)
        Each of a bootstrap sample, to first order in how often every star is drawn.
    """
    n = len(influence)
    counts = rng.multinomial(n, np.full(n, 1 / n), size=n_bootstrap)
    return (counts - 1.0) @ influence
