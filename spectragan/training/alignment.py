"""A linear start for unpaired translation: rotate the latents so that few pixels differ."""

from dataclasses import dataclass

import numpy as np

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
    >>> from spectragan.training.alignment import align_latents
    >>> same = np.diag([4.0, 1.0])
    >>> align_latents(np.eye(2), (same, same), 2, 0).translation.round(6) + 0.0
    array([[1., 0.],
           [0., 1.]])
    """
    whiten_s, colour_s = _whitening(covariances[0], n_shared)
    whiten_o, colour_o = _whitening(covariances[1], n_shared + n_split)
    rotation = _robust_rotation(components.T @ colour_s, components.T @ colour_o)
    # What the shared latents leave of the observed latent space is split.
    rest = np.linalg.svd(rotation)[0][:, n_shared:]
    both = np.hstack([rotation, rest])
    return Alignment(
        (whiten_s, rotation.T @ whiten_o), rest.T @ whiten_o, (colour_s, colour_o @ both)
    )


def _whitening(covariance: np.ndarray, n_latents: int) -> tuple[np.ndarray, np.ndarray]:
    """Return the maps to, and from, unit-variance latents in the leading directions."""
    values, vectors = np.linalg.eigh(covariance)
    values, vectors = values[::-1][:n_latents], vectors[:, ::-1][:, :n_latents]
    # Signs are arbitrary; fixing them makes the latents of a fit the same on every machine.
    vectors = vectors * np.sign(vectors[np.abs(vectors).argmax(axis=0), np.arange(n_latents)])
    size = np.sqrt(np.maximum(values, SMALLEST_VARIANCE * max(values[0], SMALLEST_VARIANCE)))
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
