"""The joint subspace of both domains: spectra as few coefficients with known errors.

How many latents they need, and the rotation of these under which few pixels differ.
"""

from collections.abc import Sequence
from dataclasses import dataclass
from typing import ClassVar

import numpy as np
from sklearn.neighbors import NearestNeighbors
from sklearn.utils.extmath import randomized_svd

BASIS_ROWS = 2000  # per domain: components are learned from at most so many spectra
POWER_ITERATIONS = 3  # of the randomised decomposition: leading components are far apart
FILL_ITERATIONS = 3  # masked pixels are filled with what the components say about them
# More translate no better (measured at 39), and the precision of a spectrum has their square.
MAX_COMPONENTS = 20
CHUNK_ROWS = 512
NEGLIGIBLE = 1e-6  # of the largest singular value: rounding in single precision
# Relative to a spectrum's mean precision: only directions it says nothing about feel it.
PRIOR_PRECISION = 1e-6


@dataclass(frozen=True)
class Subspace:
    """Spectra of domain `d` as ``means[d] + coefficients @ components``.

    Attributes
    ----------
    means : ndarray of shape (2, n_pixels)
        Mean spectrum of each domain over its good pixels.
    components : ndarray of shape (n_components, n_pixels)
        Orthonormal, joint to both domains.
    spread : ndarray of shape (n_components,)
        Standard deviation of the coefficients over both domains.
    """

    _kept: ClassVar = {"means": "array 2 p", "components": "array k p", "spread": "array k"}

    means: np.ndarray
    components: np.ndarray
    spread: np.ndarray

    def project(
        self, flux: np.ndarray, weights: np.ndarray, domain: int
    ) -> tuple[np.ndarray, np.ndarray]:
        """Return coefficients by weighted least squares, and their covariances.

        Parameters
        ----------
        flux : ndarray of shape (n_spectra, n_pixels)
            Finite everywhere.
        weights : ndarray of shape (n_spectra, n_pixels)
            Inverse variances; 0 where a pixel is ignored.
        domain : {0, 1}
            Whose mean to subtract.

        Returns
        -------
        coefficients : ndarray of shape (n_spectra, n_components)
        covariance : ndarray of shape (n_spectra, n_components, n_components)
        """
        n = len(self.components)
        coefficients = np.empty((len(flux), n))
        covariance = np.empty((len(flux), n, n))
        first, second = np.triu_indices(n)
        pairs = self.components[first] * self.components[second]
        for start in range(0, len(flux), CHUNK_ROWS):
            rows = slice(start, start + CHUNK_ROWS)
            weight = np.asarray(weights[rows], dtype=float)
            residual = np.where(weight > 0, flux[rows] - self.means[domain], 0.0)
            precision = np.empty((len(weight), n, n))
            precision[:, first, second] = precision[:, second, first] = weight @ pairs.T
            size = np.einsum("nii->n", precision) / n
            prior = PRIOR_PRECISION * np.where(size > 0, size, 1.0)[:, None, None] * np.eye(n)
            covariance[rows] = np.linalg.inv(precision + prior)
            projected = (weight * residual) @ self.components.T
            coefficients[rows] = np.einsum("nij,nj->ni", covariance[rows], projected)
        return coefficients, covariance

    def reconstruct(self, coefficients: np.ndarray, domain: int) -> np.ndarray:
        """Return the spectra with these coefficients.

        Parameters
        ----------
        coefficients : ndarray of shape (n_spectra, n_components)
        domain : {0, 1}

        Returns
        -------
        flux : ndarray of shape (n_spectra, n_pixels)
        """
        return self.means[domain] + coefficients @ self.components


def fit_subspace(
    flux: tuple[np.ndarray, np.ndarray],
    weights: tuple[np.ndarray, np.ndarray],
    *,
    known: tuple[np.ndarray, np.ndarray],
    n_components: int | None,
    rng: np.random.RandomState,
    means: np.ndarray | None = None,
) -> Subspace:
    """Find the mean spectra and the joint components of two domains.

    Parameters
    ----------
    flux, weights : two ndarrays of shape (n_d, n_pixels), synthetic first
        Weights only say which pixels are good here: weighting stars by their errors would
        favour those that are faint in a pixel, and so bias the mean.
    known : two ndarrays of bool of shape (n_d,)
        Whether the weights of a spectrum are inverse variances.
    n_components : int or None
        None takes as many as rise above the noise (see `count_components`), 20 at most.
    rng : RandomState
        Chooses rows of large sets, and starts the randomised decomposition.
    means : ndarray of shape (2, n_pixels), default=None
        Where they are known from more spectra than these, see `mean_spectra`.

    Returns
    -------
    subspace : Subspace

    Examples
    --------
    >>> import numpy as np
    >>> from spectragan.translator.subspace import fit_subspace
    >>> rows = np.outer([-1.0, 0.0, 1.0], [3.0, 4.0])
    >>> ones = np.ones_like(rows)
    >>> rng = np.random.RandomState(0)
    >>> known = np.zeros(3, bool)
    >>> weights = ones, ones
    >>> subspace = fit_subspace(
    ...     (rows, rows + 1), weights, known=(known, known), n_components=1, rng=rng
    ... )
    >>> subspace.means
    array([[0., 0.],
           [1., 1.]])
    """
    good = tuple(w > 0 for w in weights)
    # A component along pixels that a domain lacks would be unknown for all of its spectra.
    seen = good[0].any(axis=0) & good[1].any(axis=0)
    if means is None:
        means = mean_spectra(*zip(*map(sum_spectra, flux, good), strict=True))
    parts, masks, kept = [], [], []
    for domain in (0, 1):
        rows = _some_rows(len(flux[domain]), rng)
        masks.append(good[domain][rows] & seen)
        parts.append(
            np.where(masks[-1], flux[domain][rows] - means[domain], 0.0).astype(np.float32)
        )
        kept.append(_noise_variance(weights[domain][rows], known[domain][rows]))
    # Both domains count the same, however many spectra each has.
    scale = np.concatenate([np.full((len(p), 1), len(p) ** -0.5, np.float32) for p in parts])
    residual, mask = np.concatenate(parts) * scale, np.concatenate(masks)
    largest = min(len(residual) - 2, residual.shape[1], n_components or MAX_COMPONENTS)
    values, components = _components(residual, mask, max(1, largest), rng)
    if n_components is None:
        variance = np.concatenate(kept) * scale**2
        left_out = np.where(mask, residual - residual @ components.T @ components, 0.0)
        n_kept = count_components(values, left_out, np.where(mask, variance, 0.0), rng)
        values, components = values[:n_kept], components[:n_kept]
    spread = np.maximum(values, NEGLIGIBLE * values[0]) / np.sqrt(2)
    # Single precision was enough to find the components, but they must be orthonormal.
    return Subspace(means, np.linalg.qr(components.T.astype(float))[0].T, spread.astype(float))


def noise_free_covariance(
    coefficients: np.ndarray, covariance: np.ndarray, known: np.ndarray
) -> np.ndarray:
    """Return the covariance of coefficients over spectra, less that of their known noise.

    Parameters
    ----------
    coefficients : ndarray of shape (n_spectra, n_components)
    covariance : ndarray of shape (n_spectra, n_components, n_components)
        Of the errors of each spectrum, see `Subspace.project`.
    known : ndarray of bool of shape (n_spectra,)
        Whether these are real.

    Returns
    -------
    covariance : ndarray of shape (n_components, n_components)
        May have slightly negative eigenvalues.
    """
    noise = (covariance * known[:, None, None]).mean(axis=0)
    return np.atleast_2d(np.cov(coefficients.T)) - noise


def count_components(
    values: np.ndarray, left_out: np.ndarray, variance: np.ndarray, rng: np.random.RandomState
) -> int:
    """Return how many singular values rise above those of noise alone.

    Parameters
    ----------
    values : ndarray of shape (n_components,)
        Singular values, falling.
    left_out, variance : ndarray of shape (n_spectra, n_pixels)
        What the components leave of the spectra, and the variance of their noise where it is
        known, else 0.
    rng : RandomState

    Returns
    -------
    n_components : int
        At least 1.

    Notes
    -----
    Parallel analysis [1]_: with known errors, the noise is drawn from them. Otherwise it is taken
    to be what the components leave out, every pixel shuffled over the spectra: that keeps its
    variance and breaks what it shares with others.

    References
    ----------
    .. [1] Horn, J. L. 1965, Psychometrika, 30, 179.
    """
    if variance.any():
        null = rng.normal(size=left_out.shape) * np.sqrt(variance)
    else:
        null = _shuffled(left_out, rng)
    largest = randomized_svd(null, 1, n_iter=3, random_state=rng)[1][0]
    return max(1, int(np.count_nonzero(values > largest)))


def _shuffled(rows: np.ndarray, rng: np.random.RandomState) -> np.ndarray:
    return np.take_along_axis(rows, rng.random_sample(rows.shape).argsort(axis=0), axis=0)


def sum_spectra(flux: np.ndarray, good: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
    """Return the sum over good pixels and their number, of shape (n_pixels,) each."""
    # Single precision would lose digits over thousands of spectra.
    return np.where(good, flux, 0).sum(axis=0, dtype=float), good.sum(axis=0)


def mean_spectra(sums: Sequence[np.ndarray], counts: Sequence[np.ndarray]) -> np.ndarray:
    """Return both mean spectra; a pixel that one domain lacks gets the other domain's mean.

    Parameters
    ----------
    sums, counts : two ndarrays of shape (n_pixels,)
        Over the good pixels of each domain, synthetic first.

    Returns
    -------
    means : ndarray of shape (2, n_pixels)
    """
    number = np.stack(counts)
    means = np.stack(sums) / np.maximum(number, 1)
    return np.where(number > 0, means, means[::-1])


def _some_rows(n_rows: int, rng: np.random.RandomState) -> np.ndarray:
    return np.sort(rng.permutation(n_rows)[:BASIS_ROWS])


def _components(
    residual: np.ndarray, mask: np.ndarray, n_components: int, rng: np.random.RandomState
) -> tuple[np.ndarray, np.ndarray]:
    """Return singular values and components, masked pixels filled with what these say."""
    filled = residual
    for _ in range(1 if mask.all() else FILL_ITERATIONS):
        left, values, components = randomized_svd(
            filled, n_components, n_iter=POWER_ITERATIONS, random_state=rng
        )
        filled = np.where(mask, residual, (left * values) @ components)
    kept = values > NEGLIGIBLE * values[0]
    kept[0] = True
    return values[kept], components[kept]


def _noise_variance(weights: np.ndarray, known: np.ndarray) -> np.ndarray:
    """Return the noise variance of known errors; 0 where they aren't known."""
    real = known[:, None] & (weights > 0)
    return np.where(real, 1 / np.where(real, weights, 1), 0.0)


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
    >>> from spectragan.translator.subspace import intrinsic_dimension
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


ITERATIONS = 100
# Rows whose loadings differ by less than this part of the median difference count fully.
SOFTENING = 0.3
SMALLEST_VARIANCE = 1e-12  # relative to the largest: keeps whitening finite


@dataclass(frozen=True)
class Alignment:
    """Linear encoders and generators of both domains around common latents.

    Attributes
    ----------
    encoders : tuple of two ndarrays of shape (n_shared, n_components), synthetic first
    split_encoder : ndarray of shape (n_split, n_components)
    generators : tuple of ndarrays of shape (n_components, n_shared) and
        (n_components, n_shared + n_split)
    """

    encoders: tuple[np.ndarray, np.ndarray]
    split_encoder: np.ndarray
    generators: tuple[np.ndarray, np.ndarray]

    @property
    def translation(self) -> np.ndarray:
        """Matrix of shape (n_components, n_components) that translates synthetic coefficients."""
        n_shared = len(self.encoders[0])
        return self.generators[1][:, :n_shared] @ self.encoders[0]


def align_latents(
    components: np.ndarray,
    covariances: tuple[np.ndarray, np.ndarray],
    n_shared: int,
    n_split: int,
) -> Alignment:
    r"""Align the leading directions of two domains, without pairs.

    Both domains are whitened in their leading directions. What is left open is a rotation
    :math:`Q` between the two, and any rotation makes the covariances agree. The one chosen makes
    the derivatives of the spectra agree at as many pixels as possible:

    .. math:: \min_Q \sum_j \left\lVert b^{\rm synth}_j - Q^T b^{\rm obs}_j \right\rVert,
              \qquad Q^T Q = 1,

    with the loadings :math:`b_j` of pixel :math:`j` on the whitened latents. The sum of norms,
    not of their squares, lets the lines that really differ be different. With squares this is
    orthogonal Procrustes [1]_, close to Gaussian optimal transport.

    Parameters
    ----------
    components : ndarray of shape (n_components, n_pixels)
        Orthonormal basis of both domains.
    covariances : two ndarrays of shape (n_components, n_components)
        Of the noise-free coefficients, synthetic first.
    n_shared, n_split : int
        Latents of both domains, and of observed spectra only; together at most `n_components`.

    Returns
    -------
    alignment : Alignment

    References
    ----------
    .. [1] Schönemann, P. H. 1966, Psychometrika, 31, 1.

    Examples
    --------
    >>> import numpy as np
    >>> from spectragan.translator.subspace import align_latents
    >>> same = np.diag([4.0, 1.0])
    >>> align_latents(np.eye(2), (same, same), 2, 0).translation.round(6) + 0.0
    array([[1., 0.],
           [0., 1.]])
    """
    # One domain alone may not vary at all.
    largest = max(float(np.trace(covariance)) for covariance in covariances)
    whiten_s, colour_s = _whitening(covariances[0], n_shared, largest)
    whiten_o, colour_o = _whitening(covariances[1], n_shared + n_split, largest)
    rotation = _robust_rotation(components.T @ colour_s, components.T @ colour_o)
    # What the shared latents leave of the observed latent space is split.
    rest = np.linalg.svd(rotation)[0][:, n_shared:]
    both = np.hstack([rotation, rest])
    return Alignment(
        (whiten_s, rotation.T @ whiten_o), rest.T @ whiten_o, (colour_s, colour_o @ both)
    )


def _whitening(
    covariance: np.ndarray, n_latents: int, largest: float
) -> tuple[np.ndarray, np.ndarray]:
    """Return the maps to, and from, unit-variance latents in the leading directions."""
    values, vectors = np.linalg.eigh(covariance)
    values, vectors = values[::-1][:n_latents], vectors[:, ::-1][:, :n_latents]
    # Signs are arbitrary; fixing them makes the latents of a fit the same on every machine.
    vectors = vectors * np.sign(vectors[np.abs(vectors).argmax(axis=0), np.arange(n_latents)])
    floor = SMALLEST_VARIANCE * max(values[0], SMALLEST_VARIANCE * largest)
    floor = max(floor, np.finfo(float).tiny)
    size = np.sqrt(np.maximum(values, floor))
    return (vectors / size).T, vectors * size


def _robust_rotation(synthetic: np.ndarray, observed: np.ndarray) -> np.ndarray:
    """Return Q with orthonormal columns that minimises the sum of row norms of S - O Q."""
    weights = np.ones(len(synthetic))
    for _ in range(ITERATIONS):
        left, _, right = np.linalg.svd(
            observed.T @ (weights[:, None] * synthetic), full_matrices=False
        )
        rotation = left @ right
        distance = np.sqrt(((synthetic - observed @ rotation) ** 2).sum(axis=1))
        soft = max(SOFTENING * float(np.median(distance)), np.finfo(float).tiny)
        weights = 1 / np.hypot(distance, soft)
        weights /= weights.mean()
    return rotation
