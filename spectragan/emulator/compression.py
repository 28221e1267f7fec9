"""Spectra to a few coefficients, with every pixel weighted by its inverse variance."""

from dataclasses import dataclass

import numpy as np
from sklearn.utils.extmath import randomized_svd

TINY = float(np.finfo(float).tiny)
BASIS_ROWS = 3000  # components are learned from at most so many spectra
EXACT_SIZE = 1000  # up to this many rows or pixels a full SVD is the faster one
FILL_ITERATIONS = 40
FILL_TOLERANCE = 1e-3  # stop when masked pixels change by less, relative to the spectra's spread
ROWS_PER_FILL_COMPONENT = 12  # more components fit the gaps of few spectra at will
MOST_FILL_COMPONENTS = 64
MOST_TERMS = 60  # of the polynomial in the labels; beyond, linear terms only
ALIKE = 3.0  # spectra whose levels differ by a smaller factor are learned as they are
SURE = 3.0  # standard deviations: a fainter spectrum doesn't tell its level
FEWEST_LEVELS = 0.9  # of the spectra must have one: spectra about 0 have none
RIDGE = 1e-4  # of the number of spectra, on polynomial terms of unit size


@dataclass(frozen=True)
class CompressedSpectra:
    """Spectra as ``mean + values @ components``, and how well the values are known.

    Attributes
    ----------
    mean : ndarray of shape (n_pixels,)
        NaN at pixels that no spectrum has.
    components : ndarray of shape (n_components, n_pixels)
        Orthonormal, of falling variance.
    values : ndarray of shape (n_spectra, n_components)
        Coefficients.
    variance : ndarray of shape (n_spectra, n_components)
        Of the error of each value, from noise and masked pixels; infinite for a spectrum without
        a good pixel.
    """

    mean: np.ndarray
    components: np.ndarray
    values: np.ndarray
    variance: np.ndarray


def compress(
    labels: np.ndarray,
    flux: np.ndarray,
    variance: np.ndarray,
    good: np.ndarray,
    n_components: int,
    *,
    rng: np.random.RandomState,
) -> CompressedSpectra:
    """Find components and coefficients of spectra with errors and masks.

    Parameters
    ----------
    labels : ndarray of shape (n_spectra, n_labels)
        Give the first guess of pixels that are masked.
    flux : ndarray of shape (n_spectra, n_pixels)
        Values where `good` is False are never looked at, but must be finite.
    variance : ndarray of shape (n_spectra, n_pixels)
        Of the noise; 0 where flux is exact or its noise is unknown.
    good : ndarray of bool of shape (n_spectra, n_pixels)
    n_components : int
        At most; fewer if spectra differ in fewer directions.
    rng : RandomState
        For the randomised SVD of large sets.

    Returns
    -------
    compressed : CompressedSpectra

    Examples
    --------
    >>> import numpy as np
    >>> from spectragan.emulator.compression import compress
    >>> labels = np.array([[-1.0], [0.0], [1.0]])
    >>> flux = labels * [3.0, 4.0] + 1.0
    >>> good = np.ones((3, 2), bool)
    >>> rng = np.random.RandomState(0)
    >>> np.abs(compress(labels, flux, 0 * flux, good, 2, rng=rng).components).round(1)
    array([[0.6, 0.8]])
    """
    weights = _relative_weights(variance, good)
    total = weights.sum(0)
    seen = total > 0
    mean = (weights * np.where(good, flux, 0.0)).sum(0) / np.where(seen, total, 1.0)
    residual = np.where(good, flux - mean, 0.0)
    filled, error = residual, 0.0
    if weights.min() < weights.max():
        filled = _fill(labels, residual, weights, n_components, rng)
        error = (weights * (residual - filled) ** 2).sum() / total.sum()
    basis_rows = rng.permutation(len(filled))[:BASIS_ROWS] if len(filled) > BASIS_ROWS else ...
    components = _components(filled[basis_rows], n_components, rng)
    spread = _value_variance(variance, good, weights, error)
    values = filled @ components.T
    spread = np.repeat(spread[:, None], values.shape[1], axis=1)
    return CompressedSpectra(np.where(seen, mean, np.nan), components, values, spread)


@dataclass(frozen=True)
class Levels:
    """The flux scale of every spectrum, where these span more than a small factor.

    Attributes
    ----------
    level : ndarray of shape (n_spectra, 1)
        What to divide a spectrum by; the lowest of the others where it isn't known.
    variance : ndarray of shape (n_spectra, 1)
        Of the error of its logarithm; infinite where it isn't known.
    """

    level: np.ndarray
    variance: np.ndarray

    def joined(self, compressed: CompressedSpectra) -> CompressedSpectra:
        """Return compressed spectra with the logarithms of their levels as first values.

        Parameters
        ----------
        compressed : CompressedSpectra
            Of the spectra divided by their levels.

        Returns
        -------
        compressed : CompressedSpectra
            The mean spectrum and the components are multiplied by the typical level.
        """
        known = np.isfinite(self.variance)
        typical = np.log(self.level[known]).mean()
        logs = np.where(known, np.log(self.level) - typical, 0.0)
        return CompressedSpectra(
            compressed.mean * np.exp(typical),
            compressed.components * np.exp(typical),
            np.hstack([logs, compressed.values]),
            np.hstack([self.variance, compressed.variance]),
        )


def find_levels(flux: np.ndarray, variance: np.ndarray, good: np.ndarray) -> Levels | None:
    """Return the flux scales of spectra that span more than a small factor.

    Flux-calibrated spectra of cold and hot stars differ by powers of ten. Learned as they are,
    all that counts is the errors of the brightest.

    Parameters
    ----------
    flux, variance, good : ndarray of shape (n_spectra, n_pixels)
        As for `compress`.

    Returns
    -------
    levels : Levels or None
        None where spectra are of one scale, or too many have none: they are noise about 0.

    Examples
    --------
    >>> import numpy as np
    >>> from spectragan.emulator.compression import find_levels
    >>> flux = np.array([[1.0, 2.0], [10.0, 20.0]])
    >>> find_levels(flux, 0 * flux, flux > 0).level.ravel().round(2)
    array([ 1.5, 15. ])
    >>> find_levels(flux[:1], 0 * flux[:1], flux[:1] > 0) is None
    True
    """
    template = np.ones(flux.shape[1])
    seen = np.maximum(good.sum(axis=0), 1)
    for _ in range(2):  # where pixels are missing, the others say how bright the rest would be
        weight = np.where(good, template, 0.0).sum(axis=1)
        level = np.where(good, flux, 0.0).sum(axis=1) / np.where(weight > 0, weight, 1.0)
        error = np.sqrt(np.where(good, variance, 0.0).sum(axis=1)) / np.maximum(weight, TINY)
        known = (weight > 0) & (level > SURE * error)
        if np.mean(known) < FEWEST_LEVELS or level[known].max() <= ALIKE * level[known].min():
            return None
        level = np.where(known, level, level[known].min())
        shapes = np.where(good & known[:, None], flux / level[:, None], 0.0)
        template = np.maximum(shapes.sum(axis=0) / seen, TINY)
    spread = np.where(known, (error / level) ** 2, np.inf)
    return Levels(level[:, None], spread[:, None])


def _relative_weights(variance: np.ndarray, good: np.ndarray) -> np.ndarray:
    """Return weights of 0 to 1; exact pixels and the best-known tenth of the others have 1."""
    if good.all() and variance.min() == variance.max():
        return np.broadcast_to(1.0, good.shape)
    noisy = good & (variance > 0)
    weights = good.astype(float)
    if noisy.any():
        ivar = 1 / variance[noisy]
        weights[noisy] = np.minimum(ivar / np.quantile(ivar, 0.9), 1.0)
    return weights


def _fill(
    labels: np.ndarray,
    residual: np.ndarray,
    weights: np.ndarray,
    n_components: int,
    rng: np.random.RandomState,
) -> np.ndarray:
    """Return residuals in which masked and noisy pixels hold what the others say of them.

    A polynomial in the labels is the first guess. Then every pixel is pulled towards a few
    components, the more the less it weighs, and components are found anew: each step is a plain
    SVD and lowers the weighted squared error (majorisation).
    """
    few = max(1, min(n_components, len(labels) // ROWS_PER_FILL_COMPONENT, MOST_FILL_COMPONENTS))
    guess = _polynomial(labels, residual, weights)
    filled = guess + weights * (residual - guess)
    allowed = FILL_TOLERANCE * np.sqrt((weights * residual**2).sum() / weights.sum())
    rows = rng.permutation(len(filled))[:BASIS_ROWS] if len(filled) > BASIS_ROWS else ...
    for _ in range(FILL_ITERATIONS):
        components = _components(filled[rows], few, rng)
        known = filled @ components.T @ components
        new = known + weights * (residual - known)
        change = np.sqrt(np.mean((new - filled) ** 2))
        filled = new
        if change < allowed:
            break
    return filled


def _polynomial(labels: np.ndarray, residual: np.ndarray, weights: np.ndarray) -> np.ndarray:
    """Return a weighted ridge fit of each pixel, quadratic in the labels, at all spectra."""
    spread = labels.std(0)
    standard = (labels - labels.mean(0)) / np.where(spread > 0, spread, 1.0)
    n_labels = labels.shape[1]
    terms = np.column_stack([np.ones(len(labels)), standard])
    if (n_labels + 1) * (n_labels + 2) // 2 <= MOST_TERMS:
        first, second = np.triu_indices(n_labels)
        terms = np.column_stack([terms, standard[:, first] * standard[:, second]])
    n_terms = terms.shape[1]
    products = (terms[:, :, None] * terms[:, None]).reshape(len(terms), -1)
    normal = (weights.T @ products).reshape(-1, n_terms, n_terms)
    normal += RIDGE * len(labels) * np.eye(n_terms)
    right = (weights * residual).T @ terms
    return terms @ np.linalg.solve(normal, right[:, :, None])[:, :, 0].T


def _components(rows: np.ndarray, n_components: int, rng: np.random.RandomState) -> np.ndarray:
    """Return orthonormal directions (n_components, n_pixels) of the largest variance."""
    n_components = min(n_components, max(1, len(rows) - 1), rows.shape[1])
    if min(rows.shape) <= EXACT_SIZE:
        _, size, directions = np.linalg.svd(rows, full_matrices=False)
    else:
        _, size, directions = randomized_svd(rows, n_components, n_iter=4, random_state=rng)
    kept = max(1, np.count_nonzero(size[:n_components] > 1e-9 * size[0]))
    return directions[:kept]


def _value_variance(
    variance: np.ndarray, good: np.ndarray, weights: np.ndarray, error: float
) -> np.ndarray:
    """Return the variance of a spectrum's values: its noise, and the error of filled pixels.

    Components are orthonormal, so a value is as noisy as one pixel.
    """
    n_good = good.sum(1)
    noise = np.where(good, variance, 0.0).sum(1) / np.maximum(n_good, 1)
    share = weights.mean(1)
    lost = n_good == 0
    share[lost] = 1.0
    return np.where(lost, np.inf, noise + error * (1 - share) / share)
