"""What observed spectra have more than synthetic ones, regressed on latents that hold noise."""

import numpy as np

from spectragan.translator.matching.manifold import Manifold
from spectragan.translator.matching.pseudo_pairs import PRIOR_VARIANCE, affine

RIDGE = 1e-6
OUTLYING = 3.0  # median residuals beyond which a spectrum counts for less
TINY = np.finfo(float).tiny


def regress_gap(
    latents: np.ndarray, residual: np.ndarray, good: np.ndarray, trust: np.ndarray
) -> np.ndarray:
    """Regress what synthetic spectra lack on the latents, pixel by pixel.

    Parameters
    ----------
    latents : ndarray of shape (n_spectra, n_latents)
    residual : ndarray of shape (n_spectra, n_pixels)
        Observed less synthetic flux, 0 where there is none.
    good : ndarray of bool of shape (n_spectra, n_pixels)
    trust : ndarray of shape (n_spectra,)
        Weights of the spectra.

    Returns
    -------
    gap : ndarray of shape (n_latents + 1, n_pixels)
        Its mean and slopes.
    """
    terms = affine(latents)
    weighted = terms * trust[:, None]
    size = terms.shape[1]
    products = (weighted[:, :, None] * terms[:, None]).reshape(len(terms), -1)
    gram = (good.T.astype(float) @ products).reshape(-1, size, size)
    gram += RIDGE * len(terms) * np.eye(size)
    return np.linalg.solve(gram, (residual.T @ weighted)[..., None])[..., 0].T


def noise_slopes(
    manifold: Manifold,
    latents: np.ndarray,
    residual: np.ndarray,
    weights: np.ndarray,
    emphasis: np.ndarray,
    trust: np.ndarray,
) -> np.ndarray:
    r"""Return the slopes that noise alone gives to residuals from spectra that were fitted.

    A star's noise n moves its latents by :math:`e = A^{-1} J^T W E\, n`, with weights W, emphasis E
    and :math:`A = J^T W E J`. It is in the residual, too, less what these explain of it, so that
    pixel j seems to change along with them: :math:`\langle r_j e^T \rangle = E_j J_j A^{-1} -
    J_j A^{-1} (J^T W E^2 J) A^{-1}`. Without emphasis both parts cancel.

    Parameters
    ----------
    manifold : Manifold
        That was fitted.
    latents : ndarray of shape (n_spectra, n_latents)
    residual, weights : ndarrays of shape (n_spectra, n_pixels)
        Weights without emphasis, in any unit: the residual says how large the noise is.
    emphasis : ndarray of shape (n_pixels,)
    trust : ndarray of shape (n_spectra,)
        Weights of the spectra.

    Returns
    -------
    slopes : ndarray of shape (n_latents, n_pixels)
    """
    n = manifold.powers.n_latents
    centre = np.average(latents, axis=0, weights=trust)
    change = manifold.powers.jacobian(centre[None])[0].T @ manifold.coefficients
    products = (change[:, None] * change).reshape(n * n, -1) * emphasis
    inverse = np.linalg.inv((weights @ products.T).reshape(-1, n, n) + np.eye(n) / PRIOR_VARIANCE)
    twice = (weights @ (products * emphasis).T).reshape(-1, n, n)
    noise = (weights * residual**2).sum(axis=1) / np.maximum((weights > 0).sum(axis=1), 1)
    size = (trust * noise)[:, None, None]
    moved = (size * inverse).sum(axis=0)
    explained = (size * (inverse @ twice @ inverse)).sum(axis=0)
    away = latents - centre
    scatter = (away * trust[:, None]).T @ away + RIDGE * len(latents) * np.eye(n)
    return np.linalg.solve(scatter, emphasis * (moved @ change) - explained @ change)


def trust_in(residual: np.ndarray, good: np.ndarray) -> np.ndarray:
    """Return the weight of each spectrum: small where it is no spectrum like the others.

    Parameters
    ----------
    residual : ndarray of shape (n_spectra, n_pixels)
        What a model of all of them leaves.
    good : ndarray of bool of shape (n_spectra, n_pixels)

    Returns
    -------
    trust : ndarray of shape (n_spectra,)
    """
    square = np.where(good, residual, 0.0).astype(float) ** 2
    left = np.sqrt(square.sum(axis=1) / np.maximum(good.sum(axis=1), 1))
    typical = max(float(np.median(left)), TINY)
    return 1 / (1 + (left / (OUTLYING * typical)) ** 4)
